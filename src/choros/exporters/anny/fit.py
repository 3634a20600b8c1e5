"""A skinned body of few traits, laid over points that another body has: its traits once, its bones frame by frame.

It knows nothing of Anny: ``Skinned`` is all that it asks of a body. Turns of bones are closed (Procrustes: the
rotation that brings a bone's points nearest to where they should be), traits are small bounded least squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from choros.rotation import special_procrustes

Floats = NDArray[np.float64]

ROUNDS = 12  # of traits and turns in turn, at most
STEP = 0.02  # of traits, for differences
SETTLED = 1e-4  # traits that change by less are done
KEPT_AFTER, KEPT = 3, 4  # cells that are gone on with, the best, after so many rounds
SWEEPS = 30  # of all bones of a frame, at most
HOLD = 0.005  # by how much turns are held to those of our own skin, against what all points say


class Skinned(Protocol):
    """P points on the skin of a body with K traits and G groups of bones, each turned as one."""

    cells: Floats  # (C, 2, K) the least and the most of traits, of each part of their range without kinks
    weights: Floats  # (G, P) by how much each group moves each point; each has some

    def posed(self, traits: Floats, turns: Floats) -> Floats:
        """Points (n, P, 3), metres, for traits (n or 1, K) and turns (n, G, 3, 3) from rest, the root at the origin."""


@dataclass(frozen=True)
class RestFit:
    """A body's shape in the pose in which the other rests."""

    traits: Floats  # (K,)
    turns: Floats  # (G, 3, 3) from its own rest to the other's
    off_m: Floats  # (P,) how far each point is from where it should be
    cell: Floats  # (1, 2, K) in which it was found


@dataclass(frozen=True)
class PoseFit:
    """Poses of n frames."""

    turns: Floats  # (n, G, 3, 3) from its own rest
    place: Floats  # (n, 3) of the root, metres


def fit_rest(body: Skinned, target: Floats, begun: RestFit | None = None) -> RestFit:
    """Traits and turns that lay the body over points (P, 3) of somebody at rest.

    By Gauss-Newton in each cell for itself, since slopes differ between them, or going on from what was ``begun`` on
    other points. What is held against the target are bodies whose bones have been turned towards it.
    """
    cells = body.cells if begun is None else begun.cell
    traits = cells.mean(axis=1) if begun is None else begun.traits[None]
    turns = np.tile(np.eye(3), (len(cells), len(body.weights), 1, 1)) if begun is None else begun.turns[None]
    for done in range(ROUNDS):
        if done == KEPT_AFTER and len(cells) > KEPT:
            best = (_left(body, target, traits, turns)[1] ** 2).sum(axis=(1, 2)).argsort()[:KEPT]
            cells, traits, turns = cells[best], traits[best], turns[best]
        before = traits
        traits, turns = _better(body, target, traits, turns, cells)
        if np.abs(traits - before).max() < SETTLED:
            break
    turns, left = _left(body, target, traits, turns)
    off = np.linalg.norm(left, axis=-1)
    first = int((off**2).mean(axis=1).argmin())
    return RestFit(traits[first], turns[first], off[first], cells[first : first + 1])


def _left(body: Skinned, target: Floats, traits: Floats, turns: Floats) -> tuple[Floats, Floats]:
    """Turns brought on, and what is left to the target then, (n, P, 3), the place being as good as it can be."""
    points = body.posed(traits, turns)
    turns = nearer(turns, points, np.broadcast_to(target, points.shape), body.weights)
    left = target - body.posed(traits, turns)
    return turns, left - left.mean(axis=1, keepdims=True)


def _better(
    body: Skinned, target: Floats, traits: Floats, turns: Floats, cells: Floats
) -> tuple[Floats, Floats]:
    """Traits (C, K) after a step within their cells, and turns brought on."""
    n, k = traits.shape
    lower, upper = cells[:, 0], cells[:, 1]
    turns, _ = _left(body, target, traits, turns)
    reach = STEP * np.where(traits + STEP > upper, -1, 1)  # (C, K) differences go inwards
    tried = traits[:, None] + np.concatenate([np.zeros((n, 1, k)), reach[:, :, None] * np.eye(k)], axis=1)
    turned, left = _left(body, target, tried.reshape(-1, k), np.repeat(turns, k + 1, axis=0))
    left = left.reshape(n, k + 1, -1)
    found = np.empty_like(traits)
    for cell in range(n):
        J = ((left[cell, 0] - left[cell, 1:]) / reach[cell][:, None]).T
        limits = lower[cell] - traits[cell] - 1e-9, upper[cell] - traits[cell] + 1e-9
        found[cell] = traits[cell] + lsq_linear(J, left[cell, 0], limits).x
    return np.clip(found, lower, upper), turned.reshape(n, k + 1, *turned.shape[1:])[:, 0]


def arms_of(body: Skinned, traits: Floats) -> Floats:
    """How the turn of each group moves each point, (G, P, 3): points are sum_g turns_g arms_g, with the root at 0.

    Linear blend skinning is linear in the turns of bones that are given in the world; what it multiplies them by is
    asked of the body by half turns: that about x leaves x and negates the rest.
    """
    groups = len(body.weights)
    turns = np.tile(np.eye(3), (1 + 2 * groups, groups, 1, 1))
    one = np.arange(groups)
    turns[1 + one, one], turns[1 + groups + one, one] = np.diag([1.0, -1, -1]), np.diag([-1.0, 1, -1])
    points = body.posed(traits[None], turns)
    about_x, about_y = np.split((points[0] - points[1:]) / 2, 2)
    return np.concatenate([about_y[..., :1], about_x[..., 1:]], axis=-1)


def posed_by(arms: Floats, turns: Floats) -> Floats:
    """Points (n, P, 3) of turns (n, G, 3, 3), as the body has them."""
    rows = arms.transpose(0, 2, 1).reshape(-1, arms.shape[1])  # (3 G, P)
    return np.asarray((turns.transpose(0, 2, 1, 3).reshape(len(turns), 3, -1) @ rows).transpose(0, 2, 1))


def fit_poses(
    body: Skinned, arms: Floats, rest: RestFit, target_rest: Floats, target: Floats, hold: float = HOLD
) -> PoseFit:
    """Turns and places that lay the body over points (n, P, 3), which are (P, 3) at rest.

    They begin as the other's own points turn from rest, and then each group's in turn is made the best for all points
    while the others stay (block coordinate descent, each block a Procrustes problem), held by ``hold`` to where it was.
    """
    still = np.broadcast_to(target_rest, target.shape)
    begun = nearer(np.broadcast_to(rest.turns, (len(target), *rest.turns.shape)), still, target, body.weights)
    centred = arms - arms.mean(axis=1, keepdims=True)  # the place is free
    together = np.einsum("gpa,hpb->gahb", centred, centred)
    towards = np.einsum("npc,gpa->gnca", target, centred, optimize=True)
    held = hold * np.einsum("gaga->g", together)
    turns = begun.copy()
    for _ in range(SWEEPS):
        before = turns.copy()
        for group in range(len(arms)):
            others = np.einsum("nhcb,ahb->nca", turns, together[group], optimize=True)
            others -= turns[:, group] @ together[group, :, group].T
            turns[:, group] = special_procrustes(towards[group] - others + held[group] * begun[:, group])
        if np.abs(turns - before).max() < SETTLED:
            break
    return PoseFit(turns, (target - posed_by(arms, turns)).mean(axis=1))


def nearer(turns: Floats, points: Floats, target: Floats, weights: Floats) -> Floats:
    """Turns (n, G, 3, 3), each group's brought on by what takes its points (n, P, 3) nearest to ``target``.

    Weighted Procrustes (Kabsch 1976) about each group's own middle, so that where a limb begins does not matter.
    """
    n, n_points = points.shape[:2]
    outer = (target[..., :, None] * points[..., None, :]).reshape(n, n_points, 9)
    total = weights.sum(axis=1)[:, None]
    together = (weights @ outer).reshape(n, -1, 3, 3)
    middle, aim = weights @ points / total, weights @ target / total
    together -= total[..., None] * aim[..., :, None] * middle[..., None, :]
    return special_procrustes(together) @ turns
