"""People as whoever uses them thinks of them: where somebody's right wrist is, in metres. NumPy alone.

The forward kinematics of ``kinematics.py`` once more, over rows of a motion or a running stream, without torch: a
few people take a third of a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from choros.body.open_body import read_open_body
from choros.body.skeleton import COCO17, JOINT_NAMES, PARENTS
from choros.body.smpl_file import read_smpl
from choros.body.tables import BodyTables
from choros.errors import ChorosError

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
        local = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(n, -1, 3, 3)
        at = self.rest(rows)
        bones = at[:, 1:] - at[:, list(PARENTS[1:])]
        turn = local.copy()
        at[:, 0] += rows["transl"]
        for joint, parent in enumerate(PARENTS[1:], 1):
            at[:, joint] = at[:, parent] + (turn[:, parent] @ bones[:, joint - 1, :, None])[..., 0]
            turn[:, joint] = turn[:, parent] @ local[:, joint]
        return at

    def moved(self, rows: NDArray[np.void], T: ArrayLike) -> NDArray[np.void]:
        """The same people, (n,) ``motion.ROW``, after a rigid motion (4, 4): every joint is T of what it was."""
        T = np.asarray(T, np.float64)
        moved = rows.copy()
        if len(rows):
            turn = Rotation.from_matrix(T[:3, :3])
            pelvis = self.rest(rows)[:, 0]
            moved["global_orient"] = (turn * Rotation.from_rotvec(rows["global_orient"])).as_rotvec()
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


def joint_index(name: str) -> int:
    """Place of a joint among SMPL's 24. Raises ``ChorosError`` that lists the names."""
    return _index(name, JOINT_NAMES, "joint")


def keypoint_index(name: str) -> int:
    """Place of a keypoint among COCO's 17. Raises ``ChorosError`` that lists the names."""
    return _index(name, COCO17, "keypoint")


def _index(name: str, names: Sequence[str], what: str) -> int:
    if name not in names:
        raise ChorosError(f"there is no {what} {name!r}; choose one of: {', '.join(names)}.")
    return names.index(name)


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
