"""Shape as eleven numbers to be estimated: ten betas and the open body's child axis, with what is known of them.

A body's points are linear in its shape once its pose is given, so every observation is a linear measurement of the
shape. Measurements add up as in an information filter: a matrix and a vector a person, whatever their number.
What one of them cannot tell apart from the pose (a shin that looks short may be short or point at
the camera) is taken out of it by a Schur complement, so that a limb seen from the side says how long it is and
one seen end-on says next to nothing.

Directions come from the body at hand; nothing here knows what a beta means.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.body.gauss_newton import FREE, MOVES, PosePrior, float64
from choros.body.kinematics import global_rotations, joint_places, posed_joints
from choros.body.model import BodyModel
from choros.rotation import rotmat_to_rotvec_unchecked

Floats = NDArray[np.float64]

N_SHAPE = 11  # betas, then kid
KID = 10
N_POSE = 3 * len(FREE) + 3  # turns of the free joints in their own axes, then the translation

SHOULDERS, ANKLES = (16, 17), (7, 8)


@dataclass(frozen=True)
class ShapePrior:
    """What is believed of a shape before anybody is seen: betas of variance 1, and either an adult or a child.

    Adults have kid 0, children are spread about ``child_kid``: two hypotheses, and the sights decide.
    """

    child_rate: float = 0.05  # of the people in videos
    child_kid: float = 0.65
    child_kid_std: float = 0.25


class Belief(NamedTuple):
    """A shape and how well it is known."""

    shape: Floats  # (11,)
    covariance: Floats  # (11, 11), zero in kid for an adult
    evidence: float  # log of how well the hypothesis foretold the sights, up to what adult and child share

    def length(self, row: Floats) -> tuple[float, float]:
        """Mean and standard deviation, metres, of a length (12,), such as ``Shapes.stature``."""
        return float(row[0] + row[1:] @ self.shape), float(np.sqrt(row[1:] @ self.covariance @ row[1:]))


class Points3D(NamedTuple):
    """P points of one posed body with their derivatives, metres."""

    places: Floats  # (P, 3)
    by_shape: Floats  # (P, 3, 11)
    by_pose: Floats  # (P, 3, N_POSE)


@dataclass(frozen=True)
class Landmarks:
    """P points fixed to the skin, as sums over joints: ``BodyModel.skinned_points`` with all shape directions."""

    weights: Floats  # (P, 24)
    offsets: Floats  # (P, 24, 3, 12) metres: of the template, then by each shape coordinate


@dataclass(frozen=True)
class Shapes:
    """The shape directions of a body, and the lengths that people are known by."""

    joints: Floats  # (24, 3, 12) rest joints: of the template, then by each shape coordinate
    vertices: Floats  # (V, 3, 12) likewise
    skin: Floats  # (V, 24)
    coco17: Landmarks

    @classmethod
    def of(cls, body: BodyModel) -> Shapes:
        """Those of a body: joints, skin and COCO's keypoints."""
        points = body.skinned_points("coco17")
        offsets = [points.offset[..., None], points.offset_betas, points.offset_kid[..., None]]
        joints = [body.joint_template[..., None], body.joint_dirs, body.joint_kid_dir[..., None]]
        vertices = [body.template[..., None], body.shape_dirs, body.kid_dir[..., None]]
        return cls(
            np.concatenate([float64(part) for part in joints], -1),
            np.concatenate([float64(part) for part in vertices], -1),
            float64(body.skin_weights),
            Landmarks(float64(points.weights), np.concatenate([float64(part) for part in offsets], -1)),
        )

    @cached_property
    def stature(self) -> Floats:
        """(12,) from sole to crown, metres: of the template, then by each shape coordinate."""
        height = self.vertices[:, 1]
        return np.asarray(height[height[:, 0].argmax()] - height[height[:, 0].argmin()])

    @cached_property
    def ankle_to_shoulder(self) -> Floats:
        """(12,) metres, of somebody upright; as ``stature``."""
        return np.asarray(self.joints[SHOULDERS, 1].mean(0) - self.joints[ANKLES, 1].mean(0))

    def of_vertices(self, which: NDArray[np.integer]) -> Landmarks:
        """These vertices of the skin as landmarks (pose correctives left out)."""
        weights = self.skin[which]
        arms = self.vertices[which][:, None] - self.joints  # (P, 24, 3, 12)
        return Landmarks(weights, weights[..., None, None] * arms)

    def vertices_of(self, shape: Floats, rotations: Floats, transl: Floats) -> Floats:
        """The skin (V, 3) of one posed body, metres (pose correctives left out)."""
        one = np.concatenate([[1.0], shape])
        rest = self.joints @ one
        turned, places = posed_joints(rotations, rest)
        offsets = places - (turned @ rest[..., None])[..., 0]
        bond = np.concatenate([turned.reshape(24, 9), offsets], 1)
        moves = self.skin @ bond  # (V, 12)
        shaped = self.vertices @ one
        return (moves[:, :9].reshape(-1, 3, 3) @ shaped[..., None])[..., 0] + moves[:, 9:] + transl

    def posed(self, points: Landmarks, shape: Floats, rotations: Floats, transl: Floats) -> Points3D:
        """Points of one body: shape (11,), local rotations (24, 3, 3), transl (3,) metres."""
        one = np.concatenate([[1.0], shape])
        turned = global_rotations(rotations)
        places = np.moveaxis(
            joint_places(turned, np.moveaxis(self.joints, -1, 0)), 0, -1
        )  # by shape coordinate
        n, width = len(points.weights), len(one)
        swung = (turned @ points.offsets).sum(1)  # (P, 3, 12)
        whole = swung + (points.weights @ places.reshape(24, -1)).reshape(n, 3, width)

        # How turns move the points: as in gauss_newton.py, for any number of points.
        shares = (turned @ (points.offsets @ one)[..., None])[..., 0]  # (P, 24, 3)
        at = places @ one
        shares += points.weights[..., None] * at
        moved = MOVES[FREE] @ shares - (points.weights @ MOVES[FREE].T)[..., None] * at[FREE]
        frames = turned[None, FREE]
        d_turn = np.cross(frames, moved[..., :, None], axisa=-2, axisb=-2, axisc=-2)  # (P, a, 3, 3)
        d_turn = d_turn.transpose(0, 2, 1, 3).reshape(n, 3, -1)
        by_pose = np.concatenate([d_turn, np.broadcast_to(np.eye(3), (n, 3, 3))], -1)
        return Points3D(whole @ one + transl, whole[..., 1:], by_pose)


class Measurement(NamedTuple):
    """M residuals (seen minus predicted) that are linear in a small change of shape and pose."""

    residual: Floats  # (M,)
    by_shape: Floats  # (M, 11)
    by_pose: Floats  # (M, N_POSE)
    precision: Floats  # (M,) inverse variances

    @classmethod
    def of_keypoints(cls, seen_plane: Floats, std: Floats, points: Points3D, robust: float) -> Measurement:
        """Points (P, 2) seen on the plane z = 1, with their standard deviations (P,), infinite where unseen."""
        image, by_shape = on_plane(points.places, points.by_shape)
        by_pose = on_plane(points.places, points.by_pose)[1]
        shown = np.isfinite(std)
        residual = np.where(shown[:, None], seen_plane - image, 0)
        with np.errstate(divide="ignore"):
            squared = (residual**2).sum(-1) / np.where(shown, std, 1) ** 2
        precision = np.where(shown, 1 / np.where(shown, std, 1) ** 2, 0) / (1 + squared / robust**2) ** 2
        return cls(
            residual.reshape(-1),
            by_shape.reshape(-1, N_SHAPE),
            by_pose.reshape(-1, N_POSE),
            precision.repeat(2),
        )


def on_plane(places: Floats, derivatives: Floats) -> tuple[Floats, Floats]:
    """Points (P, 3) on the plane z = 1, (P, 2), and derivatives (P, 3, k) of theirs, (P, 2, k)."""
    depth = np.maximum(places[:, 2:], 0.1)
    image = places[:, :2] / depth
    return image, (derivatives[:, :2] - image[..., None] * derivatives[:, 2:]) / depth[..., None]


@dataclass(frozen=True)
class PoseDoubt:
    """How far a fitted pose may be from the truth, for telling what of a residual may be pose."""

    turn_std_rad: float = 0.3
    root_std_rad: float = 0.3
    place_std_m: float = 3.0
    prior_weight: float = 0.5  # of the pose prior


def without_pose(
    measurements: list[Measurement], rotations: Floats, prior: PosePrior, doubt: PoseDoubt
) -> tuple[Floats, Floats]:
    """Information (11, 11) and pull (11,) on a change of shape, the pose free within its doubt."""
    parts = (np.concatenate(part) for part in zip(*measurements, strict=True))
    residual, by_shape, by_pose, precision = parts
    std = np.full(N_POSE, doubt.turn_std_rad)
    std[:3], std[-3:] = doubt.root_std_rad, doubt.place_std_m
    weighted = by_pose * precision[:, None]
    pose_information = weighted.T @ by_pose + np.diag(1 / std**2)
    pose_pull = weighted.T @ residual
    rows = np.concatenate([np.arange(3) + 3 * (joint - 1) for joint in FREE if joint])
    body = rotmat_to_rotvec_unchecked(rotations[None, 1:22]).reshape(63)
    root = prior.precision_root[:, rows]
    pose_information[3:-3, 3:-3] += doubt.prior_weight * (root.T @ root)
    pose_pull[3:-3] -= doubt.prior_weight * (((body - prior.mean) @ prior.precision_root.T) @ root)

    mixed = by_shape.T @ weighted  # (11, N_POSE)
    solved = np.linalg.solve(pose_information, np.concatenate([mixed.T, pose_pull[:, None]], 1))
    information = (by_shape * precision[:, None]).T @ by_shape - mixed @ solved[:, :-1]
    pull = by_shape.T @ (precision * residual) - mixed @ solved[:, -1]
    return information, pull


def without(information: Floats, pull: Floats, direction: Floats) -> tuple[Floats, Floats]:
    """The same knowledge, but for anything about how far along a direction (11,) the shape lies."""
    about = information @ direction
    size = direction @ about
    if size <= 1e-12:
        return information, pull
    return information - np.outer(about, about) / size, pull - about * (direction @ pull) / size


def believe(information: Floats, pull: Floats, prior: ShapePrior, *, child: bool) -> Belief:
    """The shape of an adult, or of a child, after sights of some information (11, 11) and pull (11,)."""
    free = N_SHAPE if child else KID
    own = np.ones(free)  # precision of the prior
    kid_precision = 1 / prior.child_kid_std**2
    A, b = information[:free, :free].copy(), pull[:free].copy()
    shape, covariance = np.zeros(N_SHAPE), np.zeros((N_SHAPE, N_SHAPE))
    evidence = 0.0
    if child:
        own[KID] = kid_precision
        b[KID] += kid_precision * prior.child_kid
        evidence = 0.5 * np.log(kid_precision) - 0.5 * kid_precision * prior.child_kid**2
    A[range(free), range(free)] += own
    covariance[:free, :free] = np.linalg.inv(A)
    shape[:free] = covariance[:free, :free] @ b
    evidence += 0.5 * float(b @ shape[:free]) - 0.5 * float(np.linalg.slogdet(A)[1])
    return Belief(shape, covariance, evidence)
