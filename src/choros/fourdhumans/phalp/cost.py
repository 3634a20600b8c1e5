"""How unlike a detected person is to what was predicted of somebody: PHALP's cost, of 3D pose, place and appearance.

The release multiplies (PHALP, `nn_matching.py`; the paper's equation 9 in its logarithm): what pose and appearance
make unlikely, times what the place does, the less the wider its interval.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CostRules:
    """The release's EQ_019. Ours is that lengths in the picture are in heights of whoever is expected.

    The distance of appearances is `texture.unlikeness`, in place of that of the release's codes.
    """

    appearance: float = 4.0536  # release
    pose: float = 1.3070  # release
    place: float = 0.3792  # release
    depth: float = 4.1658  # release
    least_width: float = 0.1  # release: beside the hyperbolic tangent of the interval
    most_pose: float = 1.5  # release: squared distance in SMPL space from which all poses are as far
    # Ours: of people this high in the picture the pose counts half; one look at small people tells it badly.
    half_pose_px: float = 300.0
    most: float = 50.0  # a pair of a cost above it is none; release: 100
    # Ours: who was not seen for so long may be far from where they are expected, which costs little then. Pose and
    # looks must tell more of them.
    most_unseen: float = 30.0
    unseen_s: float = 0.5


class Distances(NamedTuple):
    """Of n people who are expected and m who are detected, (n, m) each; NaN where one of the two is not known."""

    appearance: Floats
    pose: Floats  # squared, over 226 numbers: 24 rotation matrices and 10 betas
    place: Floats  # in heights of whoever is expected
    depth: Floats  # difference of logarithms


def pose_distance(a_rotations: Floats, a_betas: Floats, b_rotations: Floats, b_betas: Floats) -> Floats:
    """(n, m) squared distances of poses (n, 24, 3, 3), (n, 10) and (m, ...) in SMPL space (supplement S.6)."""
    a, b = _smpl(a_rotations, a_betas), _smpl(b_rotations, b_betas)
    return ((a[:, None] - b[None]) ** 2).sum(-1)


def cost_of(apart: Distances, place_width: Floats, depth_width: Floats, rules: CostRules) -> Floats:
    """(n, m) costs, at least 1; ``place_width``, ``depth_width`` (n,) are of the people who are expected.

    NaN is no match: the release takes NaN for a perfect one.
    """
    pose = np.minimum(apart.pose, rules.most_pose)
    unlike = (1 + rules.appearance * apart.appearance) * (1 + rules.pose * pose)
    width = (rules.least_width + np.tanh(place_width)) * rules.place
    depth_width = (rules.least_width + np.tanh(depth_width)) * rules.depth
    with np.errstate(over="ignore"):
        away = np.exp(apart.place / width[:, None] + apart.depth / depth_width[:, None])
        return unlike * away


def similarity_of(cost: Floats, unseen_s: Floats, rules: CostRules) -> Floats:
    """(n, m) for `choros.tracking.assignment`: what is saved by a pair, -inf where it is none.

    The n were not seen for ``unseen_s`` (n,).
    """
    most = np.where(unseen_s > rules.unseen_s, rules.most_unseen, rules.most)[:, None]
    return np.where(cost <= most, rules.most - cost, -np.inf)


def _smpl(rotations: Floats, betas: Floats) -> Floats:
    return np.concatenate([rotations.reshape(len(rotations), 216), betas], -1)
