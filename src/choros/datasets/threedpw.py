"""3DPW: SMPL and camera of one or two people outdoors, one pickle a sequence.

The file keeps people in its world and a camera for each frame; samples have them in camera axes. The layout is
that of the set's README; no real file was seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from choros.datasets.official import Official
from choros.datasets.sample import PersonLabel, Sample, Samples, SmplPose
from choros.skeleton import JOINT_NAMES

THREEDPW = Official(
    "3DPW",
    "virtualhumans.mpi-inf.mpg.de/3DPW (sequenceFiles.zip, imageFiles.zip)",
    "non-commercial research only",
)

#: OpenPose's 18 keypoints of 2017, as 3DPW's 2D detections are.
OPENPOSE18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
_GENDERS = {"m": "male", "f": "female"}


def read_3dpw(sequence_file: Path, images: Path) -> Samples:
    """The frames of ``sequenceFiles/{train,validation,test}/NAME.pkl``; images is ``imageFiles``.

    Keypoints are the file's detections with their confidence; the identity is the actor's number. Where
    ``campose_valid`` is 0 the camera does not fit the actor: SMPL and joints are then None, as evaluations
    leave them out. Of ``poses`` those at the video's rate are read, not those at 60 Hz. The size of the
    pictures is not in the file.
    """
    content = THREEDPW.pickle(sequence_file)
    with THREEDPW.reading(sequence_file):
        name = str(content["sequence"])
        K = np.asarray(content["cam_intrinsics"], dtype=np.float64)
        T_camera_world = np.asarray(content["cam_poses"], dtype=np.float64)
        actors = range(len(content["poses"]))
        genders = [_GENDERS[str(gender)[0].lower()] for gender in content["genders"]]
        count = len(content["img_frame_ids"])

    def person(actor: int, frame: int) -> PersonLabel:
        keypoints = np.asarray(content["poses2d"][actor][frame], dtype=np.float64).T
        if not content["campose_valid"][actor][frame]:
            return PersonLabel(actor, keypoints_px=keypoints, keypoint_names=OPENPOSE18)
        T = T_camera_world[frame]
        joints_world = np.reshape(content["jointPositions"][actor][frame], (24, 3)).astype(np.float64)
        pose = np.asarray(content["poses"][actor][frame], dtype=np.float64)
        smpl = SmplPose(
            pose[:3],
            pose[3:],
            np.asarray(content["betas"][actor], dtype=np.float64)[:10],
            np.asarray(content["trans"][actor][frame], dtype=np.float64),
            genders[actor],
        )
        return PersonLabel(
            actor,
            keypoints_px=keypoints,
            keypoint_names=OPENPOSE18,
            joints_m=joints_world @ T[:3, :3].T + T[:3, 3],
            joint_names=JOINT_NAMES,
            smpl=smpl.moved(T, joints_world[0]),
        )

    def build(frame: int) -> Sample:
        return Sample(
            image=images / name / f"image_{frame:05d}.jpg",
            frame=frame,
            sequence=name,
            K=K,
            T_world_camera=np.linalg.inv(T_camera_world[frame]),
            people=tuple(person(actor, frame) for actor in actors),
        )

    return THREEDPW.samples(sequence_file, count, build, name)
