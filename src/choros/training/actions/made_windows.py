"""Batches for the small network of actions: windows of takes, before any camera, as tracking sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from choros.fourdhumans.actions.config import ActionConfig
from choros.fourdhumans.actions.network import ActionTokens
from choros.fourdhumans.actions.people import R_CAMERA_Z_UP, PersonTokens, pose_shape
from choros.fourdhumans.actions.windows import stacked, window_tokens
from choros.skeleton import MIRROR_JOINTS
from choros.training.actions.losses import ActionTruth
from choros.training.actions.takes import FPS, Somebody, Take
from choros.training.pose_transformer.track_noise import FLICKER, SLOW, Strength, log_uniform, seen_and_asked
from choros.training.pose_transformer.track_windows import tracked

_MIRROR = np.array([-1.0, 1, 1])

#: Windows from which the usual tokens are told, and the least spread that counts as one.
MEASURED, LEAST_STD = 400, 0.02
ALONE = 0.5  # share of the takes of one person that get somebody of another take beside them, within so many metres
BESIDE_M = 2.5
MISSED = 0.5  # share of the people of whom stretches are missing
TEMPO = (0.8, 1.25)


class View(NamedTuple):
    """A camera before which a window is put."""

    R_camera_world: NDArray[np.float64]  # (3, 3)
    spot: NDArray[np.float64]  # (3,) where the first person's middle is, metres
    mirrored: bool


class MadeWindows:
    """Windows of takes, drawn so that every action comes about as often as any other.

    ``mean`` and ``std`` (229,) are those of tokens, of other windows if those are given as ``usual``.
    """

    def __init__(
        self,
        takes: Sequence[Take],
        config: ActionConfig,
        seed: int,
        usual: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        self.takes, self.config = takes, config
        #: Of each action, (take, person, frame) where it is done; then all that there is.
        self._done: list[NDArray[np.int64]] = []
        places = [
            np.stack([np.full(len(t), k), np.full(len(t), p), t, *one.labels.true[t].T], 1)
            for k, take in enumerate(takes)
            for p, one in enumerate(take)
            for t in [np.arange(len(one.pelvis))]
        ]
        table = np.concatenate(places)
        for action in range(config.actions):
            self._done.append(table[table[:, 3 + action] > 0, :3])
        self._done = [where for where in self._done if len(where)] + [table[:, :3]]
        self.mean, self.std = torch.zeros(229), torch.ones(229)
        if usual is not None:
            self.mean, self.std = usual
            return
        tokens, _ = self.draw(MEASURED, np.random.default_rng([seed, 7]))
        shown = tokens.pose_shape[tokens.detected]
        self.mean, self.std = shown.mean(0), shown.std(0).clamp_min(LEAST_STD)

    def draw(self, batch: int, rng: np.random.Generator) -> tuple[ActionTokens, ActionTruth]:
        """So many windows."""
        made = [self._window(rng) for _ in range(batch)]
        tokens, truths = zip(*made, strict=True)
        labels, known, detected = (torch.cat(parts) for parts in zip(*truths, strict=True))
        return stacked(tokens), ActionTruth(labels, known, detected)

    def _window(self, rng: np.random.Generator) -> tuple[ActionTokens, tuple[Tensor, Tensor, Tensor]]:
        where = self._done[int(rng.integers(len(self._done)))]
        number, asked, frame = where[int(rng.integers(len(where)))].tolist()
        take = self.takes[number]
        config, n = self.config, len(take[asked].pelvis)
        step = FPS / config.fps * log_uniform(rng, *TEMPO)
        start = frame - step * rng.integers(config.frames)
        wanted = np.rint(start + step * np.arange(config.frames)).astype(np.int64)
        inside = (wanted >= 0) & (wanted < n)
        at = np.flatnonzero(inside)
        people = [take[asked], *(take[k] for k in rng.permutation(len(take)) if k != asked)]
        view = _view(rng, people[0].pelvis[wanted[at]].astype(np.float64))
        if len(people) == 1 and rng.random() < ALONE:
            other = self.takes[int(rng.integers(len(self.takes)))][0]
            if len(other.pelvis) >= n:
                people.append(_beside(other, people[0], rng))
        tracks, labels, known = [], [], []
        for somebody in people[: config.people]:
            tracks.append(_seen(somebody, wanted[at], at, view, step / FPS, rng))
            labels.append(_spread(somebody.labels.true, wanted, inside))
            known.append(_spread(somebody.labels.known, wanted, inside))
        tokens = window_tokens(np.arange(config.frames), tracks, config, self.mean, self.std)
        while len(labels) < config.people:
            labels.append(np.zeros_like(labels[0]))
            known.append(np.zeros_like(known[0]))
        stack = [torch.from_numpy(np.stack(part, 1))[None] for part in (labels, known)]
        return tokens, (stack[0].float(), stack[1], tokens.detected)


def _spread(
    flags: NDArray[np.bool_], wanted: NDArray[np.int64], inside: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Flags (T, actions) at the wanted frames, none outside."""
    return flags[np.clip(wanted, 0, len(flags) - 1)] & inside[:, None]


def _view(rng: np.random.Generator, pelvis: NDArray[np.float64]) -> View:
    """A camera that is held about upright, somewhere around the way (n, 3) of the first person."""
    tilt = Rotation.from_euler("xz", [rng.normal(0.1, 0.2), rng.normal(0, 0.07)]).as_matrix()
    turn = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)).as_matrix()
    depth = log_uniform(rng, 2, 15)
    spot = np.array([rng.normal(0, 0.3) * depth, rng.normal(0, 0.15) * depth, depth])
    R = tilt @ R_CAMERA_Z_UP @ turn
    return View(R, spot - R @ pelvis.mean(0), bool(rng.random() < 0.5))


def _beside(other: Somebody, somebody: Somebody, rng: np.random.Generator) -> Somebody:
    """Somebody of another take, who begins near where another does."""
    shift = somebody.pelvis[:1] - other.pelvis[:1] + rng.uniform(-BESIDE_M, BESIDE_M, 3) * [1, 1, 0]
    return other._replace(pelvis=(other.pelvis + shift * [1, 1, 0]).astype(np.float32))


def _seen(
    somebody: Somebody,
    frames: NDArray[np.int64],
    at: NDArray[np.int64],
    view: View,
    step_s: float,
    rng: np.random.Generator,
) -> PersonTokens:
    """Somebody's ``frames`` (n,), which are tokens ``at`` (n,) of a window, as a tracker sees them in a view."""
    rotations, pelvis = somebody.rotations[frames].copy(), somebody.pelvis[frames].astype(np.float64)
    rotations[:, 0] = view.R_camera_world @ rotations[:, 0]
    place = pelvis @ view.R_camera_world.T + view.spot
    if view.mirrored:
        rotations = rotations[:, list(MIRROR_JOINTS)] * (_MIRROR[:, None] * _MIRROR)
        place = place * _MIRROR
    betas = np.broadcast_to(rng.normal(size=10), (len(frames), 10)).astype(np.float32).copy()
    strength = Strength(log_uniform(rng, *SLOW), log_uniform(rng, *FLICKER))
    exact = [torch.from_numpy(np.ascontiguousarray(part)).float() for part in (rotations, place, betas)]
    wrong = tracked(exact[0], exact[1], exact[2], step_s, strength, rng)
    turned, moved, shaped = (part.numpy().astype(np.float64) for part in wrong)
    detected = np.ones(len(frames), bool)
    if rng.random() < MISSED and len(frames) > 1:
        detected, _ = seen_and_asked(rng, detected, 1, step_s)
    return PersonTokens(at, pose_shape(turned, shaped, moved), detected)
