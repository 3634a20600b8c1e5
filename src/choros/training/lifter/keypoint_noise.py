"""What the keypoint networks make of true keypoints: errors, confidences, guesses, sides that change.

A model of MoveNet Thunder and Lightning as ``PersonFinder`` runs them, fitted to what they report on people
with true joints (994 people of COCO val2017 under CC BY 2.0, boxes given; ``benchmarks/keypoint_noise.py``
prints real beside modelled). A keypoint first draws its confidence, from how well it can be seen; its error
follows from the confidence: a core of a few percent of the person's size, or a miss anywhere on the person.
What lies outside the image, or behind something, is reported near the edge that hides it, and not seldom
with confidence. Limbs and whole bodies change sides, or both limbs lie on one of the two.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.training.lifter.network_errors import (
    CEILING,
    FLOOR,
    GROUP,
    LIGHTNING_ERRORS,
    THUNDER_ERRORS,
    TOP,
    Groups,
    NetworkErrors,
    no_errors,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

#: The other side's keypoint; the nose is its own.
OTHER_SIDE = np.array([0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])

WHOLE = np.arange(1, 17)
SHOULDERS, ARMS, LEGS, LOWER = (
    np.array(part) for part in ((5, 6), (7, 8, 9, 10), (13, 14, 15, 16), (11, 12, 13, 14, 15, 16))
)


@dataclass(frozen=True)
class KeypointNoise:
    """Networks, and what happens to the people before them. Each clip has one of ``networks``, at random."""

    networks: tuple[NetworkErrors, ...] = (LIGHTNING_ERRORS, THUNDER_ERRORS)
    lasting_s: float = 0.25  # how long an error lasts
    bias_share: float = 0.006  # per clip and keypoint: annotators' habits against the body's own keypoints
    person_px: tuple[float, float] = (45.0, 700.0)  # longer side
    # Shares of the annotated joints that were guessed; 1.8 times as many of the far side's, .5 of the near.
    hidden_rate: Groups = (0.05, 0.08, 0.10, 0.10, 0.20, 0.14, 0.15)
    hidden_face_rate: float = 0.8  # of the eyes and ears that look away
    occluder_rate: float = 0.35  # clips in which something stands before a part of the person
    edge_scatter: float = 1.0  # of what is reported for keypoints outside the image or covered


LIGHTNING = KeypointNoise((LIGHTNING_ERRORS,))
THUNDER = KeypointNoise((THUNDER_ERRORS,))
#: Nothing but the edges of the image.
CLEAN = KeypointNoise((no_errors(),), 0.2, 0.0, (45.0, 700.0), (0.0,) * 7, 0.0, 0.0, 0.0)


def corrupt(
    rng: np.random.Generator,
    true: Floats,  # (B, T, 17, 2) on the plane z = 1
    depth: Floats,  # (B, T, 17) metres
    window: Floats,  # (B, 4) x0, y0, x1, y1 of the image on the same plane
    dt_s: Floats,  # (B,) seconds between frames
    noise: KeypointNoise,
) -> Floats:  # (B, T, 17, 3) x, y, confidence
    """True keypoints as a network would report them."""
    B, T, J, _ = true.shape
    network = _Drawn(rng, noise.networks, B)
    xy = np.ascontiguousarray(np.moveaxis(true, -1, 0))  # (2, B, T, 17)
    size = np.maximum(np.ptp(xy, axis=-1).max(0), 1e-3)[..., None]  # (B, T, 1)
    person_px = log_uniform(rng, noise.person_px, (B, 1, 1))
    fields = _Fields.drawn(rng, T, dt_s, noise.lasting_s)

    low, high = window.T.reshape(2, 2, B, 1, 1)
    inside = np.clip(xy, low, high)
    outside = np.hypot(*(xy - inside))
    covered, normal = _beyond_occluder(rng, xy, size, noise.occluder_rate)
    by_edge = outside > 0
    lost = by_edge | (covered > 0)
    beyond = np.where(by_edge, outside, covered) / size
    hidden = (_logit_of(fields.hidden) < _hidden_logit(depth, noise)) & ~lost

    logit = _logits(fields, network, person_px, hidden, lost, by_edge, beyond)
    error = _errors(fields, network, logit, person_px, hidden)
    seen = xy + size * (error + rng.standard_normal((2, B, 1, J)) * noise.bias_share)
    if lost.any():
        clip, frame, _ = np.nonzero(lost)
        out, place = (xy - inside)[:, lost], inside[:, lost]
        cover = ~by_edge[lost]
        out[:, cover] = normal[:, clip[cover]]
        place[:, cover] = xy[:, lost][:, cover] - covered[lost][cover] * out[:, cover]
        out /= np.hypot(*out)
        guess = _at_the_edge(fields, by_edge, lost, beyond[lost])
        guess *= noise.edge_scatter * size[clip, frame, 0]
        seen[:, lost] = place + guess[0] * out + guess[1] * np.stack([-out[1], out[0]])

    # A network cannot point outside the crop, which ends at most a little outside the image.
    margin = 0.04 * size
    seen = np.clip(seen, low - margin, high + margin)
    reported = np.stack([*seen, 1 / (1 + np.exp(-logit))], -1)
    return _change_sides(fields, network, reported)


def log_uniform(rng: np.random.Generator, limits: tuple[float, float], size: int | tuple[int, ...]) -> Floats:
    """Numbers whose logarithm is uniform."""
    low, high = limits
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


class _Fields(NamedTuple):
    """Standard normal fields over clips and frames, (B, T, ...): of the person, of groups, of each keypoint."""

    clear_person: Floats  # 1
    clear: Floats  # 17
    miss_person: Floats  # 1
    miss: Floats  # 17
    x_group: Floats  # 7
    x: Floats  # 17
    y_group: Floats  # 7
    y: Floats  # 17
    spread_person: Floats  # 1
    spread: Floats  # 17
    hidden: Floats  # 17
    swap: Floats  # 5
    pair: Floats  # 7

    @classmethod
    def drawn(cls, rng: np.random.Generator, T: int, dt_s: Floats, lasting_s: float) -> _Fields:
        """All have a part that stays for the clip and one that lasts; some a little that is new in every frame.

        Errors wander smoothly (Matérn's covariance, 3/2): in the four clips of ``people_ccby`` second
        differences of sure keypoints are an eighth (hips, knees) to a third (wrists) of what errors are, moving
        included. Confidences there keep nearly three quarters of their variance for a whole clip; what
        is left is alike by .5 after 1/30 s, by .3 or less after .2 s.
        """
        age = np.abs(np.arange(T)[:, None] - np.arange(T)) * dt_s[:, None, None] / lasting_s
        rough = np.exp(-age)
        smooth = (1 + np.sqrt(3) * age) * np.exp(-np.sqrt(3) * age)
        parts = []
        for stays, fresh, lasting, widths in (
            (0.55, 0.1, rough, (1, 17, 1, 17)),
            (0.5, 0.02, smooth, (7, 17, 7, 17)),
            (0.6, 0.001, rough, (1, 17, 17, 5, 7)),
        ):
            covariance = stays + (1 - stays - fresh) * lasting + fresh * np.eye(T)
            root = np.linalg.cholesky(covariance).astype(np.float32)
            field = root @ rng.standard_normal((len(dt_s), T, sum(widths)), np.float32)
            parts += np.split(field, np.cumsum(widths)[:-1], axis=-1)
        return cls(*parts)


#: How alike the errors of the two sides, and of all the points of the face, are; by group. Measured.
_TOGETHER = np.sqrt(np.array([0.75, 0.1, 0.05, 0.05, 0.55, 0.2, 0.15], np.float32)[GROUP])
_APART = np.sqrt(1 - _TOGETHER**2)
_OF_PERSON = 0.39  # of the confidences' variance is the person's (the picture's), measured


class _Drawn:
    """The constants of a random network for each clip: (B, 1, 17), or (B, 1, 1) for single numbers."""

    def __init__(self, rng: np.random.Generator, networks: tuple[NetworkErrors, ...], B: int) -> None:
        which = rng.integers(len(networks), size=B)
        for field in dataclasses.fields(NetworkErrors):
            values = np.array([getattr(network, field.name) for network in networks])[which]
            setattr(self, field.name, values[:, None, GROUP] if values.ndim == 2 else values[:, None, None])

    def __getattr__(self, name: str) -> Floats:
        raise AttributeError(name)


def _hidden_logit(depth: Floats, noise: KeypointNoise) -> Floats:
    """(B, T, 17) chance that an annotator would have to guess, as a logit: more on the side that looks away."""
    rate = np.array(noise.hidden_rate)[GROUP]
    far, near = (_logit(np.clip(times * rate, 1e-20, 1 - 1e-9)) for times in (1.8, 0.5))
    chance = np.where(depth - depth[..., OTHER_SIDE] > 0.06, far, near)
    face = depth[..., :5]
    away = face > face.mean(-1, keepdims=True) + 0.03
    away[..., 0] = False
    chance[..., :5] = np.where(
        away, _logit(np.clip(noise.hidden_face_rate, 1e-20, 1 - 1e-9)), chance[..., :5]
    )
    return chance


def _logits(
    fields: _Fields,
    network: Any,
    person_px: Floats,
    hidden: Flags,
    lost: Flags,
    by_edge: Flags,
    beyond: Floats,
) -> Floats:
    """Logits of the confidences (B, T, 17)."""
    z = np.sqrt(_OF_PERSON) * fields.clear_person + np.sqrt(1 - _OF_PERSON) * fields.clear
    median = np.where(hidden, network.hidden, network.visible)
    median += network.visible_px * np.log(np.minimum(person_px, 400.0) / 200.0)
    # Of a person half outside, what is inside is less clear as well.
    share = lost.mean(-1, keepdims=True) ** 2
    median = np.minimum(median - 3.0 * (share + share**3), TOP - 1)
    room = TOP - median
    sd = np.where(hidden, network.hidden_sd, network.visible_sd)
    logit = TOP - room * np.exp(-z * sd / room)
    if lost.any():
        where = np.nonzero(lost)
        near, far, reach, spread = (
            np.where(
                by_edge[where],
                getattr(network, f"outside_{part}")[where[0], 0, where[2]],
                getattr(network, f"covered_{part}")[where[0], 0, where[2]],
            )
            for part in ("near", "far", "reach", "sd")
        )
        # Most guesses are unsure and some are not: skewed the other way, about the same mean.
        beyond = beyond[where]
        skewed = (1 - 0.5 * np.minimum(beyond, 0.4)) * (z[where] + 0.2 * (z[where] ** 2 - 1))
        logit[where] = far + (near - far) * np.exp(-beyond / reach) + spread * skewed
    # A soft floor, as the network's own confidence comes close to 0 and never to it.
    return FLOOR + 0.4 * np.log1p(np.exp((np.minimum(logit, CEILING) - FLOOR) / 0.4))


def _errors(fields: _Fields, network: Any, logit: Floats, person_px: Floats, hidden: Flags) -> Floats:
    """Errors of what is inside the image (2, B, T, 17), shares of the size."""
    spread = np.sqrt(0.65) * fields.spread_person + np.sqrt(0.35) * fields.spread
    core = network.core * np.exp(
        -network.core_slope * (logit - 2.5) + network.core_spread * spread + network.hidden_core * hidden
    )
    core = np.sqrt(core**2 + (network.core_px / person_px) ** 2)
    miss = network.miss - network.miss_slope * (logit - 2.5) + network.hidden_miss * hidden
    off = _logit_of(np.sqrt(0.45) * fields.miss_person + np.sqrt(0.55) * fields.miss) < miss
    scale = np.where(off, network.miss_share, core)
    x = _TOGETHER * fields.x_group[..., GROUP] + _APART * fields.x
    y = _TOGETHER * fields.y_group[..., GROUP] + _APART * fields.y
    return np.stack([x * scale, y * scale])


def _at_the_edge(fields: _Fields, by_edge: Flags, lost: Flags, beyond: Floats) -> Floats:
    """Where what is lost is reported: (2, n) shares of the size beyond the edge, and along it.

    Measured on people whose pictures were cut (they end a little inside) or covered (guessed a little behind
    what covers them). Sides lie together, and heavy tails come from powers of normal numbers.
    """
    across = (np.sqrt(0.6) * fields.y_group[..., GROUP] + np.sqrt(0.4) * fields.y)[lost]
    along = (np.sqrt(0.4) * fields.x_group[..., GROUP] + np.sqrt(0.6) * fields.x)[lost]
    behind = 0.06 * (1 - np.exp(-beyond / 0.1)) + 0.1 * _power(across)
    inside = -0.05 * across**2
    scatter = 0.06 + 0.24 * np.minimum(beyond, 0.4)
    return np.stack([np.where(by_edge[lost], inside, behind), scatter * _power(along)])


def _power(z: Floats) -> Floats:
    """Standard normal numbers to the power of 1.5, with their signs."""
    return z * np.sqrt(np.abs(z))


def _logit(chance: Any) -> Any:
    return np.log(chance) - np.log1p(-np.asarray(chance))


def _logit_of(z: Floats) -> Floats:
    """Logit of the share of standard normal numbers below z, the share within .0002."""
    return z * (1.5976 + 0.07056 * z * z)


def _beyond_occluder(
    rng: np.random.Generator, xy: Floats, size: Floats, rate: float
) -> tuple[Floats, Floats]:
    """How far behind the edge of a half plane keypoints are (B, T, 17), and where its edge faces (2, B).

    It hides a part for a part of the clip: furniture, a pole, somebody else. Nothing is hidden below 0.
    """
    B, T = xy.shape[1:3]
    angle = np.where(rng.random(B) < 0.6, np.pi / 2, rng.uniform(0, 2 * np.pi, B))  # most hide the legs
    normal = np.stack([np.cos(angle), np.sin(angle)])
    height = normal[0, :, None, None] * xy[0] + normal[1, :, None, None] * xy[1]
    offset = height.mean(axis=(1, 2)) + rng.uniform(-0.3, 0.4, B) * size.mean(axis=(1, 2))
    begin, length = rng.integers(-T, T, B), rng.integers(1, 2 * T, B)
    frame = np.arange(T)
    during = (frame >= begin[:, None]) & (frame < (begin + length)[:, None])
    during &= np.asarray(rng.random(B) < rate)[:, None]
    return np.where(during[..., None], height - offset[:, None, None], -1.0), normal


#: Keypoints of the parts that change sides together, in the order of the rates below.
_PARTS = np.array([np.isin(np.arange(17), part) for part in (WHOLE, SHOULDERS, ARMS, LOWER, LEGS)])


def _change_sides(fields: _Fields, network: Any, reported: Floats) -> Floats:
    """Left and right exchanged, of the whole body or a part, and limbs that lie on the other one."""
    rates = (
        network.swap_whole,
        network.swap_shoulders,
        network.swap_arms,
        network.swap_lower,
        network.swap_legs,
    )
    swapped = _logit_of(fields.swap) < _logit(np.clip(np.concatenate(rates, -1), 1e-20, 0.9))  # (B, T, 5)
    odd = np.mod(swapped.astype(np.int64) @ _PARTS, 2) == 1
    order = np.where(odd, OTHER_SIDE, np.arange(17))
    # Both on one: the side that is lost takes the other's place, one number for each pair.
    pair, half = _logit_of(fields.pair)[..., GROUP], _logit(np.clip(network.collapse / 2, 1e-20, 0.9))
    gone = np.where(np.arange(17) % 2 == 1, pair, -pair) < half
    order = np.where(gone, order[..., OTHER_SIDE], order)
    B, T = order.shape[:2]
    return reported[np.arange(B)[:, None, None], np.arange(T)[:, None], order]
