"""A few damped Gauss-Newton steps that put bodies on their keypoints: what a network proposes, made exact.

Least squares over the 24 local rotations and the translation of each person, betas held: reprojection with a
robust weight, the network's estimate with the errors it claims, a learned prior over body poses, and the
previous frame. Plain NumPy with the Jacobian in closed form, all people at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.body.model import BodyModel
from choros.body.skeleton import PARENTS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FitConfig:
    """Weights of the fit. Errors are standard deviations; what they divide is squared and summed."""

    steps: int = 2
    damping: float = 1e-3  # of the diagonal
    keypoint_std: float = 0.03  # share of the person's size in the image, at confidence 1
    keypoint_robust: float = 3.0  # standard deviations at which a keypoint begins to be doubted
    min_confidence: float = 0.15
    root_doubt: float = 2.0  # multiplies the network's claim for the root where the world's up is known
    prior_weight: float = 0.2  # of the pose prior's squared Mahalanobis distance
    lean_robust_rad: float = 0.5  # lean at which a person begins to count as not upright
    turn_std_rad_s: float = 2.5  # change of a local rotation from frame to frame, per second
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

    def shaped(self, betas: Floats) -> tuple[Floats, Floats]:
        """Rest joints (n, 24, 3) and offsets (n, 17, 24, 3) of people with ``betas`` (n, 10), or (n, 11) with kid."""
        joints = self.joint_template + _along(self.joint_dirs, betas)
        offsets = self.offset + _along(self.offset_dirs, betas)
        return joints, offsets

    def keypoints(self, betas: Floats, rotations: Floats, transl: Floats) -> Floats:
        """Keypoints (n, 17, 3), metres, of posed people, in the axes of ``transl`` (n, 3)."""
        rest, offsets = self.shaped(betas)
        turned, places = forward(rest, rotations)
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
    rotations: Floats  # (n, 24, 3, 3)
    transl: Floats  # (n, 3)
    error: Floats  # (n,) rms reprojection error of the confident keypoints, in their standard deviations


#: (24, 24) 1 where the column's joint is moved by the row's.
MOVES = np.eye(24)
for _joint in range(23, 0, -1):
    MOVES[PARENTS[_joint]] += MOVES[_joint]

#: Toes and hands show nothing of themselves in 17 keypoints and stay as the network has them.
FREE = [joint for joint in range(24) if joint not in (10, 11, 22, 23)]


def logarithm(rotations: Floats) -> Floats:
    """Axis-angle vectors (..., 3), rad, of rotation matrices (..., 3, 3) that are known to be rotations.

    SciPy's own, but for its check by singular values, which costs more than all the rest of a fit.
    """
    flat = rotations.reshape(-1, 3, 3)
    sine = 0.5 * np.stack(
        [flat[:, 2, 1] - flat[:, 1, 2], flat[:, 0, 2] - flat[:, 2, 0], flat[:, 1, 0] - flat[:, 0, 1]], -1
    )
    size = np.linalg.norm(sine, axis=-1)
    angle = np.arctan2(size, 0.5 * (np.einsum("nii->n", flat) - 1))
    out = sine * np.where(size > 1e-6, angle / np.maximum(size, 1e-12), 1)[:, None]
    turned_over = angle > 3.0  # where the sine says little of the axis
    if turned_over.any():
        out[turned_over] = Rotation.from_matrix(flat[turned_over]).as_rotvec()
    return out.reshape(rotations.shape[:-1])


def forward(points_rest: Floats, rotations: Floats) -> tuple[Floats, Floats]:
    """Global rotations (n, 24, 3, 3) and joints (n, 24, 3) before ``transl``, from rest joints."""
    turned, places = rotations.copy(), points_rest.copy()
    for joint in range(1, 24):
        parent = PARENTS[joint]
        bone = points_rest[:, joint] - points_rest[:, parent]
        turned[:, joint] = turned[:, parent] @ rotations[:, joint]
        places[:, joint] = places[:, parent] + (turned[:, parent] @ bone[..., None])[..., 0]
    return turned, places


def place_points(
    points: Points, offsets: Floats, turned: Floats, places: Floats
) -> Floats:  # (n, 17, 24, 3), a share of each keypoint a joint
    """Shares of each keypoint by joint; their sum over joints is the keypoint before ``transl``."""
    return (turned[:, None] @ offsets[..., None])[..., 0] + points.weights[..., None] * places[:, None]


def fit(
    points: Points,
    prior: PosePrior,
    betas: Floats,  # (n, 10)
    rotations: Floats,  # (n, 24, 3, 3) where to start
    transl: Floats,  # (n, 3) where to start
    target: Target,
    config: FitConfig,
) -> Fit:
    """The poses and places that agree best with ``target``, starting from those given."""
    rest, offsets = points.shaped(betas)
    rotations, transl = rotations.copy(), transl.copy()
    residual = np.zeros((len(betas), 17, 2))
    for _ in range(config.steps):
        information, gradient, residual = _normal_equations(
            points, prior, rest, offsets, rotations, transl, target, config
        )
        diagonal = np.einsum("nii->ni", information)
        diagonal += config.damping * diagonal + 1e-9
        step = -np.linalg.solve(information, gradient[..., None])[..., 0]
        turn = step[:, :-3].reshape(-1, 3)
        size = np.linalg.norm(turn, axis=-1, keepdims=True)
        turn *= np.minimum(1, 0.5 / np.maximum(size, 1e-9))  # no joint turns over half a radian at once
        deltas = Rotation.from_rotvec(turn).as_matrix().reshape(len(betas), len(FREE), 3, 3)
        rotations[:, FREE] = rotations[:, FREE] @ deltas
        transl += np.clip(step[:, -3:], -0.5, 0.5)
        transl[:, 2] = np.maximum(transl[:, 2], 0.2)
    return Fit(rotations, transl, residual_error(residual, target))


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


def _normal_equations(
    points: Points,
    prior: PosePrior,
    rest: Floats,
    offsets: Floats,
    rotations: Floats,
    transl: Floats,
    target: Target,
    config: FitConfig,
) -> tuple[Floats, Floats, Floats]:
    """J^T J (n, 63, 63), J^T r (n, 63) and the reprojection residuals (n, 17, 2), in standard deviations.

    Unknowns: a rotation vector applied on the right of each free joint's rotation, then the translation.
    """
    n, n_free = len(rest), len(FREE)
    turned, places = forward(rest, rotations)
    shares = place_points(points, offsets, turned, places)
    keypoints = shares.sum(2) + transl[:, None]
    moved = MOVES[FREE] @ shares  # (n, 17, a, 3)
    moved -= (points.weights @ MOVES[FREE].T)[..., None] * places[:, None, FREE]

    # A turn w of joint a about its place moves what hangs on it, q, by w x q; w is in the joint's own axes.
    frames = turned[:, None, FREE]  # (n, 1, a, 3, 3), columns are the joint's axes
    d_turn = np.cross(frames, moved[..., :, None], axisa=-2, axisb=-2, axisc=-2)  # (n, 17, a, 3, 3)
    d_point = np.concatenate([d_turn, np.broadcast_to(np.eye(3), (n, 17, 1, 3, 3))], axis=2)
    d_point = d_point.transpose(0, 1, 3, 2, 4).reshape(n, 17, 3, 3 * (n_free + 1))

    depth = np.maximum(keypoints[..., 2:], 0.1)
    image = keypoints[..., :2] / depth
    d_image = (d_point[:, :, :2] - image[..., None] * d_point[:, :, 2:]) / depth[..., None]
    std = target.keypoint_std[..., None]
    residual = np.where(np.isfinite(std), (image - target.keypoints_plane) / std, 0)
    squared = (residual**2).sum(-1) / config.keypoint_robust**2
    weight = (1 / (1 + squared))[..., None]  # Geman-McClure's: (1 + e^2)^-2, once for r and once for J
    J = np.where(np.isfinite(std)[..., None], d_image * (weight / std)[..., None], 0).reshape(n, 34, -1)
    r = (residual * weight).reshape(n, 34)
    information = J.transpose(0, 2, 1) @ J
    gradient = (J.transpose(0, 2, 1) @ r[..., None])[..., 0]

    # The network and the previous frame: differences of rotations, in the joint's axes, J about 1.
    turns = information[:, :-3, :-3]  # a view
    for reference, std_rad in (
        (target.rotations, target.rotation_std[:, FREE]),
        (target.previous, np.broadcast_to(target.previous_std[:, None], (n, n_free))),
    ):
        difference = reference[:, FREE].swapaxes(-1, -2) @ rotations[:, FREE]
        rotvec = logarithm(difference)
        precision = np.repeat(1 / std_rad**2, 3, axis=1)
        turns[:, np.arange(3 * n_free), np.arange(3 * n_free)] += precision
        gradient[:, :-3] += precision * rotvec.reshape(n, -1)

    # Upright people: the pelvis' y axis against the world's, with little to say of those who lie or bend.
    if np.isfinite(target.up_std):
        lean = turned[:, 0, :, 1] - target.up_cam
        weight = 1 / (target.up_std * (1 + (lean**2).sum(-1) / config.lean_robust_rad**2)) ** 2
        d_lean = np.cross(turned[:, 0], turned[:, 0, :, 1:2], axisa=-2, axisb=-2, axisc=-2)  # (n, 3, 3)
        turns[:, :3, :3] += weight[:, None, None] * d_lean.swapaxes(-1, -2) @ d_lean
        gradient[:, :3] += weight[:, None] * (d_lean.swapaxes(-1, -2) @ lean[..., None])[..., 0]

    # The prior over the 21 joints below the root that have one; J about 1 again.
    body = logarithm(rotations[:, 1:22]).reshape(n, 63)
    rows = np.concatenate([np.arange(3) + 3 * (joint - 1) for joint in FREE if joint])
    root = prior.precision_root[:, rows]
    turns[:, 3:, 3:] += config.prior_weight * (root.T @ root)
    gradient[:, 3:-3] += config.prior_weight * (((body - prior.mean) @ prior.precision_root.T) @ root)

    information[:, -3:, -3:] += target.transl_information
    gradient[:, -3:] += (target.transl_information @ (transl - target.transl)[..., None])[..., 0]
    return information, gradient, residual
