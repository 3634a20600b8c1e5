"""3DMPB (Huang et al. 2022): people close together on a basketball court and elsewhere, fourteen joints of each.

The layout is that which the program published with it reads; no real file was seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from choros.datasets.lsp import LSP14
from choros.datasets.official import Official
from choros.datasets.sample import Floats, PersonLabel, Sample, Samples

THREEDMPB = Official("3DMPB", "github.com/boycehbz/3DMPB", "non-commercial research only")

#: The middle of the hips is joined to the fourteen, about which errors are taken.
JOINTS15 = ("pelvis", *LSP14)
_HIPS = [LSP14.index("left_hip"), LSP14.index("right_hip")]


def read_3dmpb(folder: Path) -> Samples:
    """The pictures of ``annot/test.pkl``, each by itself; who somebody is in the next is not told.

    Joints are taken to be in camera axes, metres, as the program compares them.
    """
    path = folder / "annot" / "test.pkl"
    content = THREEDMPB.pickle(path)
    with THREEDMPB.reading(path):
        frames = [content[key] for key in content]

    def build(index: int) -> Sample:
        frame = frames[index]
        K = None if frame.get("intri") is None else np.asarray(frame["intri"], np.float64).reshape(3, 3)
        return Sample(
            image=folder / frame["img_path"],
            frame=index,
            sequence=folder.name,
            K=K,
            people=tuple(_person(frame, number) for number in range(len(frame["bbox"]))),
        )

    return THREEDMPB.samples(path, len(frames), build, folder.name)


def _person(frame: dict[str, Any], number: int) -> PersonLabel:
    points, joints = (_of(frame, key, number) for key in ("lsp_joints_2d", "lsp_joints_3d"))
    if joints is not None:
        joints = joints.reshape(len(LSP14), -1)[:, :3]
        joints = np.concatenate([joints[_HIPS].mean(0, keepdims=True), joints])
    keypoints = None
    if points is not None:
        keypoints = points.reshape(len(LSP14), 3)
        keypoints = np.where(keypoints[:, 2:] > 0, keypoints, 0)
    return PersonLabel(
        box_px=np.asarray(frame["bbox"][number], np.float64).reshape(4),
        keypoints_px=keypoints,
        keypoint_names=() if keypoints is None else LSP14,
        joints_m=joints,
        joint_names=() if joints is None else JOINTS15,
    )


def _of(frame: dict[str, Any], key: str, number: int) -> Floats | None:
    """What a frame tells of one of its people, if it does."""
    everybody = frame.get(key)
    one = None if everybody is None else everybody[number]
    return None if one is None else np.asarray(one, np.float64)
