"""A few damped Gauss-Newton steps that put bodies on their keypoints: what a network proposes, made exact.

Least squares over the 24 local rotations and the translation of each person, whose betas are held: reprojection
with a robust weight, the network's estimate with the errors it claims, a learned prior over body poses, and the
previous frame. The Jacobian is in closed form; the loops are compiled, in ``least_squares.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import fit_arrays, least_squares
from choros.body.kinematics import posed_joints
from choros.body.model import BodyModel
from choros.skeleton import PARENTS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FitConfig:
    """Weights of the fit. Errors are standard deviations; what they divide is squared and summed."""

    steps: int = 2
    damping: float = 1e-3  # of the diagonal
    keypoint_robust: float = 3.0  # standard deviations at which a keypoint begins to be doubted
    min_confidence: float = 0.15
    root_doubt: float = 2.0  # multiplies the network's claim for the root where the world's up is known
    prior_weight: float = 0.05  # of the pose prior's squared Mahalanobis distance
    lean_robust_rad: float = 0.5  # lean at which a person begins to count as not upright
    turn_std_rad_s: float = 3.0  # speed at which local rotations change from frame to frame, at 30 frames/s
    depth_std_m_s2: float = 6.0  # departure from constant velocity, per second squared
    side_std_m_s2: float = 12.0


@dataclass(frozen=True)
class PosePrior:
    """Gaussian over the axis-angle body pose of 21 joints, (63,) rad, learned from motion capture."""

    mean: Floats  # (63,)
    precision_root: Floats  # (63, 63) L with L^T L the inverse covariance

    @classmethod
    def none(cls) -> PosePrior:
        """Of any pose as good as another."""
        return cls(np.zeros(63), np.zeros((63, 63)))

    @cached_property
    def information(self) -> Floats:
        """(63, 63) inverse covariance."""
        return self.precision_root.T @ self.precision_root


@dataclass(frozen=True)
class Points:
    """Keypoints as sums over joints, for one body: see ``BodyModel.skinned_points``."""

    joint_template: Floats  # (24, 3)
    joint_dirs: Floats  # (24, 3, 11) by betas and kid
    weights: Floats  # (17, 24)
    offset: Floats  # (17, 24, 3)
    offset_dirs: Floats  # (17, 24, 3, 11)

    @classmethod
    def of(cls, body: BodyModel) -> Points:
        """COCO's keypoints of a body."""
        skinned = body.skinned_points("coco17")
        joint_dirs = torch.cat([body.joint_dirs, body.joint_kid_dir[..., None]], -1)
        offset_dirs = torch.cat([skinned.offset_betas, skinned.offset_kid[..., None]], -1)
        parts = (body.joint_template, joint_dirs, skinned.weights, skinned.offset, offset_dirs)
        return cls(*(float64(part) for part in parts))

    @cached_property
    def hanging(self) -> fit_arrays.Hanging:
        """The same without what is zero, for the fit."""
        keypoints, joints = np.nonzero(
            (self.weights != 0) | self.offset.any(-1) | self.offset_dirs.any((-2, -1))
        )
        hangs = np.zeros((17, 24))
        hangs[keypoints, joints] = 1
        moved, movers = np.nonzero(hangs @ MOVES.T)
        slots = np.full(24, -1)
        slots[FREE] = np.arange(len(FREE))
        return fit_arrays.Hanging(
            np.array(PARENTS),
            slots,
            len(FREE),
            _plain(self.joint_template),
            _plain(self.joint_dirs),
            np.searchsorted(keypoints, np.arange(18)),
            joints,
            _plain(self.weights[keypoints, joints]),
            _plain(self.offset[keypoints, joints]),
            _plain(self.offset_dirs[keypoints, joints]),
            np.searchsorted(moved, np.arange(18)),
            movers,
        )

    def shaped(self, betas: Floats) -> tuple[Floats, Floats]:
        """Rest joints (n, 24, 3) and offsets (n, 17, 24, 3) of people with ``betas`` (n, 10), or (n, 11) with kid."""
        joints = self.joint_template + _along(self.joint_dirs, betas)
        offsets = self.offset + _along(self.offset_dirs, betas)
        return joints, offsets

    def keypoints(self, betas: Floats, rotations: Floats, transl: Floats) -> Floats:
        """Keypoints (n, 17, 3), metres, of posed people, in the axes of ``transl`` (n, 3)."""
        rest, offsets = self.shaped(betas)
        turned, places = posed_joints(rotations, rest)
        return place_points(self, offsets, turned, places).sum(2) + transl[:, None]


def float64(tensor: Any) -> Floats:
    """Numbers of any kind for the fit."""
    return np.asarray(torch.as_tensor(tensor).detach().cpu(), np.float64)


def _along(directions: Floats, betas: Floats) -> Floats:
    """Shape directions (..., 11) of people with ``betas`` (n, 10), or (n, 11) with kid, summed: (n, ...)."""
    return (betas @ directions[..., : betas.shape[-1]].reshape(-1, betas.shape[-1]).T).reshape(
        len(betas), *directions.shape[:-1]
    )


class Target(NamedTuple):
    """What the fit of n people should agree with."""

    keypoints_plane: Floats  # (n, 17, 2) on the plane z = 1
    keypoint_std: Floats  # (n, 17) on the same plane, infinite where there is no keypoint
    rotations: Floats  # (n, 24, 3, 3) the network's
    rotation_std: Floats  # (n, 24) rad
    previous: Floats  # (n, 24, 3, 3)
    previous_std: Floats  # (n,) rad, infinite without a previous frame
    transl: Floats  # (n, 3) expected
    transl_information: Floats  # (n, 3, 3) inverse covariance
    up_cam: Floats  # (3,) where heads are, as a rule
    up_std: float  # rad, infinite if nothing is known


class Fit(NamedTuple):
    """n people as they agree best."""

    rotations: Floats  # (n, 24, 3, 3)
    transl: Floats  # (n, 3)
    error: Floats  # (n,) rms reprojection error before the last step, in the keypoints' standard deviations


#: (24, 24) 1 where the column's joint is moved by the row's.
MOVES = np.eye(24)
for _joint in range(23, 0, -1):
    MOVES[PARENTS[_joint]] += MOVES[_joint]

#: Toes and hands show nothing of themselves in 17 keypoints and stay as the network has them.
FREE = [joint for joint in range(24) if joint not in (10, 11, 22, 23)]


def place_points(
    points: Points, offsets: Floats, turned: Floats, places: Floats
) -> Floats:  # (n, 17, 24, 3), a share of each keypoint a joint
    """Shares of each keypoint by joint; their sum over joints is the keypoint before ``transl``."""
    return (turned[:, None] @ offsets[..., None])[..., 0] + points.weights[..., None] * places[:, None]


def fit(
    points: Points,
    prior: PosePrior,
    betas: Floats,  # (n, 10), or (n, 11) with kid
    rotations: Floats,  # (n, 24, 3, 3) where to start
    transl: Floats,  # (n, 3) where to start
    target: Target,
    config: FitConfig,
) -> Fit:
    """The poses and places that agree best with ``target``, starting from those given."""
    said = fit_arrays.Said.of(rotations, transl)
    least_squares.step_all(*loop_arguments(points, prior, betas, target, config), said)
    return Fit(said.rotations, said.transl, residual_error(said.residual, target))


def loop_arguments(
    points: Points, prior: PosePrior, betas: Floats, target: Target, config: FitConfig
) -> tuple[fit_arrays.Hanging, fit_arrays.Prior, fit_arrays.Aims, fit_arrays.Rules, fit_arrays.Workspace]:
    """What the loops of ``least_squares.py`` go by."""
    rows = np.concatenate([np.arange(3) + 3 * (joint - 1) for joint in FREE if joint])
    pull = config.prior_weight * prior.information[rows]
    return (
        points.hanging,
        fit_arrays.Prior(_plain(prior.mean), _plain(pull[:, rows]), pull),
        fit_arrays.Aims(
            _plain(betas),
            _plain(target.keypoints_plane),
            _plain(target.keypoint_std),
            _plain(target.rotations),
            _plain(target.rotation_std),
            _plain(target.previous),
            _plain(target.previous_std),
            _plain(target.transl),
            _plain(target.transl_information),
            _plain(target.up_cam),
            float(target.up_std),
        ),
        fit_arrays.Rules(config.steps, config.damping, config.keypoint_robust, config.lean_robust_rad),
        fit_arrays.Workspace.of(points.hanging),
    )


def place_information(towards: Floats, along_std: Floats, across_std: Floats) -> Floats:
    """Inverse covariance (n, 3, 3) of a place that is known to ``along_std`` along the ray to it."""
    ray = towards / np.linalg.norm(towards, axis=-1, keepdims=True)
    outer = ray[:, :, None] * ray[:, None]
    return outer / along_std[:, None, None] ** 2 + (np.eye(3) - outer) / across_std[:, None, None] ** 2


def residual_error(residual: Floats, target: Target) -> Floats:
    """Rms of residuals (n, 17, 2), already in standard deviations, over the keypoints that there are."""
    shown = np.isfinite(target.keypoint_std)
    squared = np.where(shown, (residual**2).sum(-1), 0).sum(-1)
    return np.sqrt(squared / np.maximum(2 * shown.sum(-1), 1))


def _plain(numbers: Any) -> Floats:
    """As the loops were compiled for: float64, contiguous and writeable, copied only where it is not."""
    return np.require(numbers, np.float64, ["C", "W"])
