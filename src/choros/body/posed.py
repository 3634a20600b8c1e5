"""Joints and keypoints of the people in rows, by name: where somebody's right wrist is, in metres. NumPy alone.

For rows of a motion or a running stream, without torch: a few people take a third of a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from choros.body.kinematics import posed_joints
from choros.body.open_body import read_open_body
from choros.body.smpl_file import read_smpl
from choros.body.tables import BodyTables
from choros.rotation import rotmat_to_rotvec, rotvec_composition, rotvec_to_rotmat
from choros.skeleton import JOINT_NAMES, joint_index, keypoint_index

Floats = NDArray[np.float64]

CHUNK = 10_000  # rows posed at once, so that hours of video need no more memory than seconds


@dataclass(frozen=True, eq=False)
class Skeleton:
    """The joints of a body at rest, by shape; metres, x left, y up, z forward."""

    template: Floats  # (24, 3)
    dirs: Floats  # (24, 3, 11) by betas and kid

    @classmethod
    def of(cls, body: Any = None) -> Skeleton:
        """Of a ``BodyModel`` or a user's SMPL file; None is the open body. Raises ``ChorosError`` as they do."""
        if body is None:
            return _open_skeleton()
        if isinstance(body, (str, Path)):
            return _file_skeleton(Path(body).resolve())
        parts = (body.joint_template, body.joint_dirs, body.joint_kid_dir)
        template, dirs, kid = (np.asarray(part.detach().cpu(), np.float64) for part in parts)
        return cls(template, np.concatenate([dirs, kid[..., None]], -1))

    def rest(self, rows: NDArray[np.void]) -> Floats:
        """Joints of the rows' shapes in T-pose, (n, 24, 3), before ``transl``."""
        shape = np.concatenate([rows["betas"], rows["kid"][:, None]], -1).astype(np.float64)
        return self.template + np.einsum("jcs,ns->njc", self.dirs, shape)

    def joints(self, rows: NDArray[np.void]) -> Floats:
        """Posed joints of rows (n,) ``motion.ROW``, (n, 24, 3) metres in the space of the rows."""
        parts = [self._joints(rows[start : start + CHUNK]) for start in range(0, len(rows), CHUNK)]
        return np.concatenate(parts) if parts else np.zeros((0, len(JOINT_NAMES), 3))

    def _joints(self, rows: NDArray[np.void]) -> Floats:
        n = len(rows)
        pose = np.concatenate([rows["global_orient"], rows["body_pose"]], -1).astype(np.float64)
        _, joints = posed_joints(rotvec_to_rotmat(pose.reshape(n, -1, 3)), self.rest(rows))
        return joints + rows["transl"][:, None]

    def moved(self, rows: NDArray[np.void], T: ArrayLike) -> NDArray[np.void]:
        """The same people, (n,) ``motion.ROW``, after a rigid motion (4, 4): every joint is T of what it was."""
        T = np.asarray(T, np.float64)
        moved = rows.copy()
        if len(rows):
            pelvis = self.rest(rows)[:, 0]
            turn = rotmat_to_rotvec(T[:3, :3])
            moved["global_orient"] = rotvec_composition(turn, rows["global_orient"])
            moved["transl"] = (pelvis + rows["transl"]) @ T[:3, :3].T + T[:3, 3] - pelvis
        return moved


@dataclass(frozen=True, eq=False)
class PosedPerson:
    """Somebody in one frame. ``row`` is () ``motion.ROW``: what the system said, by its own names."""

    id: int
    joints: Floats  # (24, 3) metres, x right, y down, z away from the camera; or in the world, z up
    visible: bool  # False: followed, but not seen in this frame
    confidence: float  # 0 to 1
    box_px: Floats  # (4,) x0, y0, x1, y1
    row: NDArray[np.void]

    def joint(self, name: str) -> Floats:
        """Where a joint of ``body.skeleton.JOINT_NAMES`` is, (3,) metres. Raises ``ChorosError`` on another name."""
        return self.joints[joint_index(name)]

    def keypoint(self, name: str) -> Floats:
        """Where a keypoint of COCO's 17 was found, (3,) x_px, y_px and its confidence, 0 where it was not."""
        return np.asarray(self.row["keypoints_px"][keypoint_index(name)], np.float64)


def joints_of(rows: NDArray[np.void], body: Any = None) -> Floats:  # (n,) ROW -> (n, 24, 3)
    """Posed joints, metres, in the space of the rows; ``body`` as ``Skeleton.of`` takes it."""
    return Skeleton.of(body).joints(rows)


def people_of(
    rows: NDArray[np.void], body: Any = None, *, T_world_camera: ArrayLike | None = None
) -> list[PosedPerson]:
    """The people of one frame, from the rows (n,) that ``stream.update`` or ``Motion.in_frame`` gives.

    >>> for person in choros.people_of(tracker.update(image, time_s).rows):
    ...     x, y, z = person.joint("right_wrist")        # metres, x right, y down, z away from the camera

    ``body`` is the system's where that is not the open one: ``system.body``, or the user's SMPL file. With
    ``T_world_camera`` (4, 4) joints are in the world. Raises ``ChorosError`` on a body that cannot be read.
    """
    skeleton = Skeleton.of(body)
    joints = skeleton.joints(rows)
    if T_world_camera is not None:
        T = np.asarray(T_world_camera, np.float64)
        joints = joints @ T[:3, :3].T + T[:3, 3]
    return [
        PosedPerson(
            int(row["person"]), at, bool(row["visible"]), float(row["confidence"]),
            np.asarray(row["box_px"], np.float64), row,
        )
        for row, at in zip(rows, joints, strict=True)
    ]  # fmt: skip


@lru_cache(maxsize=1)
def _open_skeleton() -> Skeleton:
    return _of_tables(read_open_body())


@lru_cache(maxsize=2)
def _file_skeleton(path: Path) -> Skeleton:
    return _of_tables(read_smpl(path))


def _of_tables(tables: BodyTables) -> Skeleton:
    regressor = tables.joint_regressor
    kid = np.zeros_like(tables.template) if tables.kid_dir is None else tables.kid_dir
    dirs = np.concatenate([tables.shape_dirs, kid[..., None]], -1)
    return Skeleton(regressor @ tables.template, np.einsum("jv,vcs->jcs", regressor, dirs))
