"""The files that CoMotion's authors give out, found in one folder and read without running anything in them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from choros.checkpoints import load_into, read_state_dict, what_is
from choros.comotion.released.detection import Detector
from choros.comotion.released.update import Updater
from choros.errors import ChorosError

#: As the authors call them.
DETECTION, REFINEMENT = "comotion_detection_checkpoint.pt", "comotion_refine_checkpoint.pt"
REFERENCE = "extra_smpl_reference.pt"
#: Where they lie in the authors' folders, from that of the checkpoints.
NEAR = (".", "smpl", "../smpl", "../data/smpl")


class Released(NamedTuple):
    """What is in the files."""

    detector: Detector
    updater: Updater
    mean_pose: Tensor  # (24, 3) axis-angle, rad, from which poses are told


def is_released(path: str | Path) -> bool:
    """Whether somebody gives a checkpoint of CoMotion's authors, or the folder with both."""
    path = Path(path)
    if path.is_dir():
        return (path / DETECTION).is_file() or (path / REFINEMENT).is_file()
    found = what_is(path)
    return found.system == "comotion" and not found.loads


def load_released(path: str | Path) -> Released:
    """The two networks and the pose that they start from, of a folder or of a file in it.

    Raises ``ChorosError``, naming what lacks, unless all three files are there and hold what they should.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    for name in (DETECTION, REFINEMENT):
        if not (folder / name).is_file():
            raise ChorosError(
                f"{folder} has no {name}, without which the released CoMotion cannot run; put both checkpoints there."
            )
    mean_pose = _mean_pose(folder)
    with torch.device("meta"):
        networks = Detector(), Updater()
    for network, name in zip(networks, (DETECTION, REFINEMENT), strict=True):
        network.to_empty(device="cpu")
        load_into(network, folder / name)
        network.eval().requires_grad_(False)
    return Released(*networks, mean_pose)


def _mean_pose(folder: Path) -> Tensor:
    for near in NEAR:
        path = folder / near / REFERENCE
        if path.is_file():
            pose = read_state_dict(path).get("mean_pose")
            if pose is None or pose.numel() != 72:
                raise ChorosError(f"{path} holds no mean_pose of 72 numbers; get it again from the authors.")
            return pose.float().reshape(24, 3).clone()
    raise ChorosError(
        f"{folder} has no {REFERENCE}, the pose from which the released CoMotion tells others; copy it there from the "
        "authors' data/smpl."
    )
