"""The body model: parameters in, joints, vertices and keypoints out (SMPL, Loper et al. 2015, section 3).

Joints need the kinematic tree only, keypoints the tree and a few numbers each, vertices everything: take the
cheapest that serves. All is batched over any leading dimensions and differentiable in every parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from choros.body.keypoint_sets import keypoint_weights
from choros.body.kinematics import forward_kinematics, rotation_matrices
from choros.body.open_body import read_open_body
from choros.body.smpl_file import read_smpl
from choros.body.tables import N_JOINTS, BodyTables
from choros.errors import ChorosError


class BodyParams(NamedTuple):
    """SMPL's parameters; leading dimensions are free and broadcast against each other."""

    global_orient: Tensor  # (..., 3) axis-angle, rad
    body_pose: Tensor  # (..., 69) axis-angle of joints 1 to 23, rad
    betas: Tensor  # (..., 10)
    transl: Tensor  # (..., 3) metres, added after posing: the pelvis is at joint 0 of the shape + transl
    kid: Tensor | None = None  # (...,) 0 adult .. 1 child; open body only


class SkinnedPoints(NamedTuple):
    """K points fixed to the skin or skeleton, as sums over the 24 joints.

    With global rotations R_j and posed joints p_j, point k is sum_j R_j o_kj + weights_kj p_j, where
    o = offset + offset_betas betas + offset_kid kid + offset_pose (R_local - I): what skinning the vertices
    and averaging them would give, without the vertices.
    """

    weights: Tensor  # (K, 24) rows sum to 1
    offset: Tensor  # (K, 24, 3) metres
    offset_betas: Tensor  # (K, 24, 3, 10)
    offset_kid: Tensor  # (K, 24, 3)
    offset_pose: Tensor | None  # (K, 24, 3, 207), None where the body has no pose correctives


class BodyModel(nn.Module):
    """A body in SMPL's form. Make one with `BodyModel.load`."""

    faces: Tensor  # (F, 3) int64, counter-clockwise from outside
    template: Tensor  # (V, 3) metres
    shape_dirs: Tensor  # (V, 3, 10)
    kid_dir: Tensor  # (V, 3), zeros where the body has no kid axis
    skin_weights: Tensor  # (V, 24)
    pose_dirs: Tensor | None  # (207, 3 V)
    joint_template: Tensor  # (24, 3)
    joint_dirs: Tensor  # (24, 3, 10)
    joint_kid_dir: Tensor  # (24, 3)
    mirror: Tensor | None  # (V,) int64 vertex on the other side
    parts: Tensor | None  # (V,) int64 index into part_names
    uv: Tensor | None  # (T, 2) MakeHuman's texture layout
    uv_faces: Tensor | None  # (F, 3) int64 rows of uv

    def __init__(self, tables: BodyTables, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.name, self.source, self.licence = tables.name, tables.source, tables.licence
        self.part_names = tables.part_names
        self.has_kid = tables.kid_dir is not None
        self._tables = tables
        self._points: dict[str, SkinnedPoints] = {}
        kid_dir = np.zeros_like(tables.template) if tables.kid_dir is None else tables.kid_dir
        regressor, pose_dirs = tables.joint_regressor, tables.pose_dirs
        real: dict[str, np.ndarray | None] = {
            "template": tables.template,
            "shape_dirs": tables.shape_dirs,
            "kid_dir": kid_dir,
            "skin_weights": tables.skin_weights,
            "pose_dirs": None if pose_dirs is None else pose_dirs.reshape(-1, pose_dirs.shape[2]).T,
            "joint_template": regressor @ tables.template,
            "joint_dirs": np.einsum("jv,vck->jck", regressor, tables.shape_dirs),
            "joint_kid_dir": regressor @ kid_dir,
            "uv": tables.uv,
        }
        whole = {
            "faces": tables.faces,
            "mirror": tables.mirror,
            "parts": tables.parts,
            "uv_faces": tables.uv_faces,
        }
        for key, value in real.items():
            tensor = None if value is None else torch.tensor(np.ascontiguousarray(value), dtype=dtype)
            self.register_buffer(key, tensor, persistent=False)
        for key, value in whole.items():
            tensor = None if value is None else torch.tensor(value, dtype=torch.int64)
            self.register_buffer(key, tensor, persistent=False)

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        detail: str = "full",
        dtype: torch.dtype = torch.float32,
        device: str | torch.device = "cpu",
    ) -> BodyModel:
        """The embedded open body (`detail` "full" or "light"), or a user's SMPL file, `.pkl` or `.npz`.

        Raises `ChorosError` when the file is missing, is no SMPL model or mixes parts of two bodies.
        """
        tables = read_open_body(detail) if path is None else read_smpl(Path(path))
        return cls(tables, dtype).to(device)

    @property
    def n_vertices(self) -> int:
        """How many vertices the skin has."""
        return len(self.template)

    @property
    def dtype(self) -> torch.dtype:
        """Of its tables, and of what it gives."""
        return self.template.dtype

    @property
    def device(self) -> torch.device:
        """Where its tables lie."""
        return self.template.device

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        self._points.clear()  # made anew where and as precise as the body then is
        return super()._apply(fn, recurse)

    def neutral(self, *batch: int) -> BodyParams:
        """Parameters of the template itself, all zeros, with the given leading dimensions."""

        def zeros(*shape: int) -> Tensor:
            return torch.zeros((*batch, *shape), dtype=self.dtype, device=self.device)

        return BodyParams(zeros(3), zeros(69), zeros(10), zeros(3), zeros())

    def rest_joints(self, betas: Tensor, kid: Tensor | None = None) -> Tensor:
        """(..., 10), (...,) -> joints of the shape in T-pose (..., 24, 3), metres."""
        return self._shaped(self.joint_template, self.joint_dirs, self.joint_kid_dir, betas, kid)

    def joints(self, params: BodyParams) -> Tensor:
        """Posed joints (..., 24, 3), metres."""
        rest = self.rest_joints(params.betas, params.kid)
        _, shifts = forward_kinematics(_local_rotations(params), rest)
        return rest + shifts + params.transl[..., None, :]

    def vertices(self, params: BodyParams) -> Tensor:
        """Posed vertices (..., V, 3), metres: linear blend skinning of the shaped and corrected template."""
        local = _local_rotations(params)
        rest = self.rest_joints(params.betas, params.kid)
        turns, shifts = forward_kinematics(local, rest)
        shaped = self._shaped(self.template, self.shape_dirs, self.kid_dir, params.betas, params.kid)
        if self.pose_dirs is not None:
            shaped = shaped + (_pose_features(local) @ self.pose_dirs).unflatten(-1, (-1, 3))
        # x + sum_j w_j ((R_j - I)(x - J_j) + p_j - J_j): exactly x in the pose of zeros.
        bends = turns - torch.eye(3, dtype=turns.dtype, device=turns.device)
        offsets = shifts - (bends @ rest[..., None])[..., 0]
        columns = torch.cat([bends.mT.flatten(-2), offsets], -1)  # (..., 24, 12): by column, faster to apply
        *along, offset = (self.skin_weights @ columns).split(3, -1)  # four of (..., V, 3)
        moved = shaped + offset
        for axis, column in enumerate(along):
            moved = torch.addcmul(moved, column, shaped[..., axis, None])
        return moved + params.transl[..., None, :]

    def keypoints(self, params: BodyParams, keypoints: str | np.ndarray = "coco17") -> Tensor:
        """Posed keypoints (..., K, 3), metres, equal to averaging `vertices` and `joints` but far cheaper.

        `keypoints` is a set of `choros.skeleton.KEYPOINT_SETS` or a regressor (K, V) made for this body.
        """
        points = self.skinned_points(keypoints)
        local = _local_rotations(params)
        rest = self.rest_joints(params.betas, params.kid)
        turns, shifts = forward_kinematics(local, rest)
        offset = self._shaped(points.offset, points.offset_betas, points.offset_kid, params.betas, params.kid)
        if points.offset_pose is not None:
            offset = offset + (_pose_features(local) @ points.offset_pose.flatten(0, 2).T).unflatten(
                -1, points.offset.shape
            )
        turned = offset.flatten(-2) @ turns.transpose(-1, -2).flatten(-3, -2)  # (..., K, 72) (..., 72, 3)
        return turned + points.weights @ (rest + shifts) + params.transl[..., None, :]

    def skinned_points(self, keypoints: str | np.ndarray = "coco17") -> SkinnedPoints:
        """The arrays behind `keypoints`, for whoever differentiates them by hand. Sets are kept once made.

        Raises `ChorosError` for a set this body has no landmarks for, or a regressor of another body.
        """
        if isinstance(keypoints, str):
            if keypoints not in self._points:
                weights = keypoint_weights(keypoints, self._tables.landmarks, self.n_vertices)
                self._points[keypoints] = self.points_of(*weights)
            return self._points[keypoints]
        if keypoints.ndim != 2 or keypoints.shape[1] != self.n_vertices:
            raise ChorosError(
                f"a keypoint regressor of shape {keypoints.shape} does not fit the {self.n_vertices} vertices "
                f"of {self.source}; use the body it was made for"
            )
        return self.points_of(keypoints.astype(np.float64), np.zeros((len(keypoints), N_JOINTS)))

    def about_pelvis(self, rotations: Tensor, betas: Tensor, points: SkinnedPoints) -> tuple[Tensor, Tensor]:
        """Joints (..., 24, 3) and ``points`` (..., K, 3) of bodies whose pelvis is at the origin, metres.

        ``rotations`` (..., 24, 3, 3) local, ``betas`` (..., 10). As `joints` and `keypoints`, without axis-angle, whose
        gradient jumps where people stand upright before a camera.
        """
        rest = self.rest_joints(betas)
        turns, shifts = forward_kinematics(rotations, rest)
        joints = rest + shifts - rest[..., :1, :]
        offset = points.offset + (betas @ points.offset_betas.flatten(0, 2).mT).unflatten(
            -1, points.offset.shape
        )
        if points.offset_pose is not None:
            bends = _pose_features(rotations)
            offset = offset + (bends @ points.offset_pose.flatten(0, 2).mT).unflatten(-1, points.offset.shape)
        return joints, torch.einsum("...jab,...kjb->...ka", turns, offset) + points.weights @ joints

    def keypoint_weights(self, set_name: str) -> tuple[Tensor, Tensor]:
        """Weights of a set's keypoints on vertices (K, V) and on posed joints (K, 24)."""
        on_vertices, on_joints = keypoint_weights(set_name, self._tables.landmarks, self.n_vertices)
        return self._tensor(on_vertices), self._tensor(on_joints)

    def points_of(self, on_vertices: np.ndarray, on_joints: np.ndarray) -> SkinnedPoints:
        """Points that are averages of vertices (K, V) and posed joints (K, 24); rows of both together sum to 1."""
        t = self._tables
        used = np.flatnonzero(on_vertices.any(0))
        spread = on_vertices[:, used, None] * t.skin_weights[used]  # (K, v, 24): r_kv w_vj
        weights = spread.sum(1)

        def offsets(of_vertices: np.ndarray) -> np.ndarray:
            """sum_v r_kv w_vj (x_v - x_j) for quantities x (V, ...) -> (K, 24, ...)."""
            flat = of_vertices.reshape(t.n_vertices, -1)
            mean = np.einsum("kvj,vc->kjc", spread, flat[used]) - weights[..., None] * (
                t.joint_regressor @ flat
            )
            return mean.reshape(*weights.shape, *of_vertices.shape[1:])

        pose = None
        if t.pose_dirs is not None:  # correctives move vertices only, not joints
            pose = np.einsum("kvj,vcp->kjcp", spread, t.pose_dirs[used], optimize=True)
        kid_dir = np.zeros_like(t.template) if t.kid_dir is None else t.kid_dir
        return SkinnedPoints(
            self._tensor(weights + on_joints),
            self._tensor(offsets(t.template)),
            self._tensor(offsets(t.shape_dirs)),
            self._tensor(offsets(kid_dir)),
            None if pose is None else self._tensor(pose),
        )

    def _shaped(
        self, base: Tensor, dirs: Tensor, kid_dir: Tensor, betas: Tensor, kid: Tensor | None
    ) -> Tensor:
        """base (..., 3) + dirs (..., 3, 10) betas + kid_dir (..., 3) kid, for every shape of the batch."""
        moved = base + (betas @ dirs.flatten(0, -2).T).unflatten(-1, base.shape)
        if kid is None:
            return moved
        if not self.has_kid:
            if bool((kid != 0).any()):
                raise ChorosError(f"{self.source} has no kid axis; leave `kid` out or use the open body")
            return moved
        return moved + kid[(...,) + (None,) * base.ndim] * kid_dir

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.tensor(array, dtype=self.dtype, device=self.device)


def _local_rotations(params: BodyParams) -> Tensor:
    """(..., 24, 3, 3) rotation of each joint relative to its parent."""
    orient, pose = params.global_orient, params.body_pose
    batch = torch.broadcast_shapes(orient.shape[:-1], pose.shape[:-1])
    return rotation_matrices(torch.cat([orient.expand(*batch, 3), pose.expand(*batch, 69)], -1))


def _pose_features(local: Tensor) -> Tensor:
    """Local rotations (..., 24, 3, 3) -> R - I of joints 1 to 23 (..., 207), which the correctives follow."""
    return (local[..., 1:, :, :] - torch.eye(3, dtype=local.dtype, device=local.device)).flatten(-3)
