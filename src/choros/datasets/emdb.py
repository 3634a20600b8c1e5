"""EMDB: SMPL and camera of one person followed outdoors by a moving phone, one pickle a sequence.

The file has the person in its world and a camera for each frame; samples have their joints in camera axes. They are
made from the parameters by a body that the caller gives, since the file has none. The layout is that of the set's
README (Kaufmann et al. 2023); no real file was seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from choros.body import BodyModel, BodyParams
from choros.datasets.official import Official
from choros.datasets.sample import PersonLabel, Sample, Samples
from choros.skeleton import JOINT_NAMES

EMDB = Official(
    "EMDB", "eth-ait.github.io/emdb (by request)", "non-commercial research only, as agreed to on request"
)


class EmdbInfo(NamedTuple):
    """What tells a sequence's part in evaluations and its body."""

    name: str
    gender: str
    emdb1: bool  # poses in camera axes are judged on these
    emdb2: bool  # and motion in the world on these


def read_emdb_info(path: Path) -> EmdbInfo:
    """Of ``P0/09_outdoor_walk/P0_09_outdoor_walk_data.pkl``."""
    content = EMDB.pickle(path)
    with EMDB.reading(path):
        return EmdbInfo(
            str(content["name"]), str(content["gender"]), bool(content["emdb1"]), bool(content["emdb2"])
        )


def read_emdb(path: Path, body: BodyModel, *, shaped: bool = True) -> Samples:
    """The frames of one sequence; pictures are ``images/00000.jpg`` beside the file.

    body: of the person's gender. shaped: False for one that the file's betas are not of, which then has the mean shape.
    Frames that ``good_frames_mask`` leaves out, where the person is hidden or cut off, are not labelled.
    """
    content = EMDB.pickle(path)
    with EMDB.reading(path):
        smpl, camera = content["smpl"], content["camera"]
        good = np.asarray(content["good_frames_mask"], bool)
        count = int(content["n_frames"])
        betas = np.asarray(smpl["betas"], np.float32).reshape(-1)[:10] * shaped
        params = BodyParams(
            torch.as_tensor(np.asarray(smpl["poses_root"], np.float32)),
            torch.as_tensor(np.asarray(smpl["poses_body"], np.float32)),
            torch.as_tensor(np.tile(betas, (count, 1))),
            torch.as_tensor(np.asarray(smpl["trans"], np.float32)),
            torch.zeros(count),
        )
        with torch.inference_mode():
            joints_world = body.joints(params).double().numpy()
        K = np.asarray(camera["intrinsics"], np.float64)
        T_camera_world = np.asarray(camera["extrinsics"], np.float64).reshape(count, 4, 4)
        size = int(camera["width"]), int(camera["height"])

    def build(frame: int) -> Sample:
        T = T_camera_world[frame]
        joints_cam = joints_world[frame] @ T[:3, :3].T + T[:3, 3]
        person = PersonLabel(str(content["name"]), joints_m=joints_cam, joint_names=JOINT_NAMES)
        return Sample(
            image=path.parent / "images" / f"{frame:05d}.jpg",
            frame=frame,
            sequence=str(content["name"]),
            size_px=size,
            K=K,
            T_world_camera=np.linalg.inv(T),
            people=(person,) if good[frame] else (),
            labelled=bool(good[frame]),
        )

    return EMDB.samples(path, count, build, str(content["name"]))
