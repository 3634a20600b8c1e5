"""The npz files that HMR and its descendants keep their training data in: one row a person.

Human3.6M and MPI-INF-3DHP are passed around in SPIN's form of it (``part``, ``S``, ``pose``, ``shape``),
InstaVariety in 4DHumans's (``body_keypoints_2d``, ``extra_keypoints_2d``); this reads both. Checked against real
excerpts of the two former.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.datasets.official import Official
from choros.datasets.sample import Floats, PersonLabel, Sample, Samples, SmplPose, square_box
from choros.skeleton import BODY25

#: SPIN's 24 keypoints: LSP's 14, then MPII's, Human3.6M's and a face. 4DHumans keeps the first 19.
SPIN24 = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist",
    "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "lsp_neck",
    "lsp_head_top", "mpii_pelvis", "mpii_thorax", "h36m_spine", "h36m_jaw", "h36m_head", "nose", "left_eye",
    "right_eye", "left_ear", "right_ear",
)  # fmt: skip
#: The 44 keypoints of 4DHumans: OpenPose's 25, then the extra 19 of annotators; limbs are there twice.
HMR44 = (*BODY25, *SPIN24[:19])
_SCALE_PX = 200  # SPIN's scale is a box's side over 200 px

_WANTED = (
    "part", "S", "pose", "shape", "body_keypoints_2d", "extra_keypoints_2d", "body_keypoints_3d",
    "extra_keypoints_3d", "body_pose", "betas", "has_body_pose", "has_betas",
)  # fmt: skip


def read_rows(source: Official, path: Path, *sets: tuple[str, ...]) -> HmrRows:
    """The rows of an npz. ``part`` and ``S`` are of that set of names that has their number of keypoints."""
    arrays = source.npz(path, ["imgname", "center", "scale"], _WANTED)
    with source.reading(path):
        count = len(arrays["imgname"])
        short = [key for key, rows in arrays.items() if len(rows) != count]
        if short:
            raise ValueError(f"{short[0]} has {len(arrays[short[0]])} rows for {count} pictures")
        widths = {arrays[key].shape[1] for key in ("part", "S") if key in arrays}
        fitting = [names for names in sets if widths == {len(names)}]
        if widths and not fitting:
            raise ValueError(
                f"part and S of {widths} keypoints, not of {' or '.join(str(len(s)) for s in sets)}"
            )
    return HmrRows(arrays, fitting[0] if fitting else HMR44)


class HmrRows:
    """Rows of such a file as people of samples; numbers are taken as they stand."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> None:
        self.arrays = arrays
        self.names = names

    def __len__(self) -> int:
        return len(self.arrays["imgname"])

    def image(self, row: int) -> str:
        """The name of a row's picture, as the file has it."""
        name = self.arrays["imgname"][row]
        return name.decode() if isinstance(name, bytes) else str(name)

    def person(self, row: int) -> PersonLabel:
        """What a row knows of its person: box and keypoints px, joints metres, SMPL parameters, what there is."""
        rows = self.arrays
        if "part" in rows or "S" in rows:
            keypoints, joints = self._optional("part", row), self._optional("S", row)
            side = np.max(rows["scale"][row]) * _SCALE_PX
        else:
            keypoints, joints = self._hmr44("2d", row), self._hmr44("3d", row)
            side = np.max(rows["scale"][row])
        return PersonLabel(
            box_px=square_box(rows["center"][row], side),
            keypoints_px=keypoints,
            keypoint_names=self.names if keypoints is not None else (),
            joints_m=None if joints is None else np.where(joints[:, 3:] > 0, joints[:, :3], np.nan),
            joint_names=self.names if joints is not None else (),
            smpl=self._smpl(row),
        )

    def _optional(self, key: str, row: int) -> Floats | None:
        return self.arrays[key][row].astype(np.float64) if key in self.arrays else None

    def _hmr44(self, kind: str, row: int) -> Floats | None:
        body, extra = (
            self._optional(f"body_keypoints_{kind}", row),
            self._optional(f"extra_keypoints_{kind}", row),
        )
        width = 3 if kind == "2d" else 4
        if body is None and extra is None:
            return None
        body = np.zeros((len(BODY25), width)) if body is None else body
        extra = np.zeros((19, width)) if extra is None else extra
        return np.concatenate([body, extra])

    def _smpl(self, row: int) -> SmplPose | None:
        if "pose" in self.arrays:
            pose, betas = self._optional("pose", row), self._optional("shape", row)
        elif "body_pose" in self.arrays and np.all(self.arrays.get("has_body_pose", [1] * len(self))[row]):
            known = np.all(self.arrays.get("has_betas", [1] * len(self))[row])
            pose, betas = self._optional("body_pose", row), self._optional("betas", row) if known else None
        else:
            return None
        return None if pose is None else SmplPose(pose[:3], pose[3:], betas)


def read_hmr_npz(source: Official, path: Path, images: Path, *sets: tuple[str, ...]) -> Samples:
    """Every row as a sample of one person; sets as in `read_rows`."""
    rows = read_rows(source, path, *sets)

    def build(row: int) -> Sample:
        return Sample(image=images / rows.image(row), people=(rows.person(row),))

    return source.samples(path, len(rows), build)
