"""DynaCam (Sun et al. 2023): people before cameras that turn (panoramas) or go about, and where both are in the world.

One npz for each of its two halves and three parts. The layout is that of the program published with it; no real file
was seen, and what its numbers mean is by how that program uses them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from choros.datasets.official import Official
from choros.datasets.sample import Floats, PersonLabel, Sample, Samples, SmplPose
from choros.skeleton import BODY25

DYNACAM = Official(
    "DynaCam",
    "github.com/Arthur151/DynaCam (by request)",
    "non-commercial research only, as agreed to on request",
)

Half = Literal["panorama", "translation"]
Split = Literal["train", "val", "test"]

#: Names in the file that are no sequences.
_OTHERS = ("ID_num", "sequence_dict")
#: Of panoramas, the numbers that the published program takes: the world turned to the first frame's.
_ALIGNED: dict[Half, str] = {"panorama": "_aligned", "translation": ""}
_SUFFIX: dict[Half, str] = {"panorama": ".jpg", "translation": ".png"}
#: Keypoints of less confidence are none (the published program's).
LEAST_CONFIDENCE = 0.1


def read_dynacam(folder: Path, half: Half, split: Split) -> list[Samples]:
    """The sequences of ``annotations/{panorama,translation}_{train,val,test}.npz``, by name.

    Pictures are ``video_frames/HALF_SPLIT/NAME/000000.jpg`` (or .png), whole, though the file also has crops of them.
    People and their places are in the file's world (``space`` "world"), which has no fixed up; ``transl`` is the file's
    own ``world_trans``, by which ways are compared and not places of joints. Not everybody is labelled.
    """
    path = folder / "annotations" / f"{half}_{split}.npz"
    annotations = DYNACAM.npz(path, ["annots"])["annots"]
    with DYNACAM.reading(path):
        content = annotations.item()
        frames = {
            name: [int(frame) for frame in numbers] for name, numbers in content["sequence_dict"].items()
        }
        names = sorted(name for name in content if name not in _OTHERS)
        return [
            _sequence(
                path, folder / "video_frames" / f"{half}_{split}", half, name, content[name], frames[name]
            )
            for name in names
        ]


def _sequence(
    path: Path, pictures: Path, half: Half, name: str, content: dict[str, Any], frames: list[int]
) -> Samples:
    aligned, people = _ALIGNED[half], [int(one) for one in np.ravel(content["person_id"])]

    def table(key: str, *shape: int) -> Floats:
        """Numbers of everybody in every frame, (P, T, ...)."""
        numbers = np.asarray(content[key], np.float64)
        if numbers.shape[:2] != (len(people), len(frames)):
            raise ValueError(f"{key} of {numbers.shape[:2]} for {len(people)} people in {len(frames)} frames")
        return numbers.reshape(len(people), len(frames), *shape)

    points = table("kp2ds", len(BODY25), 3)
    poses, betas = table("poses", -1), table("betas", -1)
    root, place = table(f"world_grots{aligned}", 3), table(f"world_trans{aligned}", 3)
    K = np.asarray(content["camera_intrinsics"], np.float64).reshape(len(frames), 3, 3)
    extrinsics = np.asarray(content[f"camera_extrinsics{aligned}"], np.float64).reshape(len(frames), -1, 4)

    def person(number: int, frame: int) -> PersonLabel:
        body = np.zeros(69)
        body[:63] = poses[number, frame, 3:66]
        keypoints = points[number, frame].copy()
        keypoints[keypoints[:, 2] < LEAST_CONFIDENCE] = 0
        smpl = SmplPose(root[number, frame], body, betas[number, frame, :10], place[number, frame])
        return PersonLabel(people[number], keypoints_px=keypoints, keypoint_names=BODY25, smpl=smpl)

    def build(frame: int) -> Sample:
        T_camera_world = np.eye(4)
        T_camera_world[:3] = extrinsics[frame, :3]
        return Sample(
            image=pictures / name / f"{frames[frame]:06d}{_SUFFIX[half]}",
            frame=frames[frame],
            sequence=name,
            K=K[frame],
            T_world_camera=np.linalg.inv(T_camera_world).astype(np.float64),
            space="world",
            people=tuple(person(number, frame) for number in range(len(people))),
        )

    return DYNACAM.samples(path, len(frames), build, name)
