"""CMU Panoptic Studio (Joo et al. 2015): groups in a dome of cameras, 19 joints of everybody from many views.

Checked against two real sequences' calibration and joints; their pictures were not seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from choros.camera import project
from choros.datasets.official import Official
from choros.datasets.sample import Floats, PersonLabel, Sample, Samples, rigid

PANOPTIC = Official(
    "CMU Panoptic", "domedb.perception.cs.cmu.edu (panoptic-toolbox)", "non-commercial research only"
)

PANOPTIC19 = (
    "neck", "nose", "pelvis", "left_shoulder", "left_elbow", "left_wrist", "left_hip", "left_knee", "left_ankle",
    "right_shoulder", "right_elbow", "right_wrist", "right_hip", "right_knee", "right_ankle", "left_eye", "left_ear",
    "right_eye", "right_ear",
)  # fmt: skip

#: The dome's world is in centimetres.
_METRES = 0.01


def read_panoptic(folder: Path, camera: str = "00_16") -> Samples:
    """The labelled frames of a sequence, ``160906_pizza1`` and the like, as one HD camera sees them.

    ``hdPose3d_stage1_coco19/body3DScene_00000000.json`` beside ``calibration_NAME.json`` and ``hdImgs/00_16``. Joints
    are in camera axes, NaN where the file has none. Keypoints are these, by K alone: lenses bend them a little, and the
    picture as it was taken has them elsewhere near its edge.
    """
    path = folder / f"calibration_{folder.name}.json"
    content = PANOPTIC.json(path)
    with PANOPTIC.reading(path):
        own = next((one for one in content["cameras"] if one["name"] == camera), None)
        if own is None:
            raise ValueError(f"no camera {camera}")
        K = np.asarray(own["K"], np.float64)
        T_camera_world = rigid(own["R"], np.ravel(own["t"]) * _METRES)
        width, height = (int(side) for side in own["resolution"])
    poses = PANOPTIC.there(folder / "hdPose3d_stage1_coco19")
    files = sorted(poses.glob("body3DScene_*.json"))

    def build(index: int) -> Sample:
        file = files[index]
        number = int(file.stem.split("_")[-1])
        bodies = PANOPTIC.json(file)["bodies"]
        return Sample(
            image=folder / "hdImgs" / camera / f"{camera}_{number:08d}.jpg",
            frame=number,
            sequence=folder.name,
            size_px=(width, height),
            K=K,
            T_world_camera=np.linalg.inv(T_camera_world).astype(np.float64),
            people=tuple(_person(body, T_camera_world, K) for body in bodies),
        )

    return PANOPTIC.samples(poses, len(files), build, f"{folder.name} {camera}")


def _person(body: dict[str, Any], T_camera_world: Floats, K: Floats) -> PersonLabel:
    points = np.asarray(body["joints19"], np.float64).reshape(len(PANOPTIC19), 4)
    joints = points[:, :3] * _METRES @ T_camera_world[:3, :3].T + T_camera_world[:3, 3]
    known = (points[:, 3] > 0) & (joints[:, 2] > 0)
    keypoints = np.zeros((len(PANOPTIC19), 3))
    keypoints[known, :2], keypoints[known, 2] = project(joints[known], K), 1
    joints[~known] = np.nan
    return PersonLabel(
        int(body["id"]),
        keypoints_px=keypoints,
        keypoint_names=PANOPTIC19,
        joints_m=joints,
        joint_names=PANOPTIC19,
    )
