"""The files that CoMotion's authors give out, found in one folder and read without running anything in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from choros.checkpoints import fingerprint, load_into, read_state_dict, what_is
from choros.comotion.released.detection import Detector
from choros.comotion.released.update import Updater
from choros.errors import ChorosError
from choros.run_identity import Identity

#: As the authors call them; what `choros convert` makes of one keeps its name but the ending.
DETECTION, REFINEMENT = "comotion_detection_checkpoint.pt", "comotion_refine_checkpoint.pt"
REFERENCE = "extra_smpl_reference.pt"
#: Where they lie in the authors' folders, from that of the checkpoints.
NEAR = (".", "smpl", "../smpl", "../data/smpl")


class Released(NamedTuple):
    """What is in the files."""

    detector: Detector
    updater: Updater
    mean_pose: Tensor  # (24, 3) axis-angle, rad, from which poses are told
    identity: Mapping[str, Identity] = MappingProxyType({})  # which files they are


class Part(NamedTuple):
    """Where one of the three is: a file, or what a file of all three keeps under a name."""

    path: Path
    key: str | None = None


def is_released(path: str | Path) -> bool:
    """Whether somebody gives a checkpoint of CoMotion's authors, or the folder with both."""
    path = Path(path)
    if path.is_dir():
        return any(_named(path, name) is not None for name in (DETECTION, REFINEMENT))
    found = what_is(path)
    return found.system == "comotion" and not found.loads


def files_in(path: str | Path) -> dict[str, Path]:
    """The three files of a folder, or of the folder of a file, by their names without the ending.

    Raises ``ChorosError``, naming what lacks, unless all are there.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    found = {}
    for name in (DETECTION, REFINEMENT):
        if (file := _named(folder, name)) is None:
            raise ChorosError(
                f"{folder} has no {name}, without which the released CoMotion cannot run; put both checkpoints there."
            )
        found[Path(name).stem] = file
    near = (_named(folder / where, REFERENCE) for where in NEAR)
    reference = next((file for file in near if file is not None), None)
    if reference is None:
        raise ChorosError(
            f"{folder} has no {REFERENCE}, the pose from which the released CoMotion tells others; copy it there from "
            "the authors' data/smpl."
        )
    return found | {Path(REFERENCE).stem: reference}


def load_released(path: str | Path, lower: torch.dtype | None = None) -> Released:
    """The two networks and the pose that they start from: of a folder, of a file in it, or of one file of all three.

    ``lower`` is what the detector computes pictures in, in place of single precision. Numbers that are of the networks'
    type are mapped from the files, not read. Raises ``ChorosError``, naming what lacks, unless all three are there and
    hold what they should.
    """
    parts = _parts(Path(path))
    mean_pose = _mean_pose(parts[REFERENCE])
    with torch.device("meta"):
        detector, updater = Detector(), Updater()
    detector.compute_in(lower)
    for network, name in ((detector, DETECTION), (updater, REFINEMENT)):
        load_into(network, parts[name].path, key=parts[name].key)
        network.eval().requires_grad_(False)
    identity = {name: fingerprint(part.path, part.key or "") for name, part in parts.items()}
    return Released(detector, updater, mean_pose, identity)


def _parts(path: Path) -> Mapping[str, Part]:
    stems = {Path(name).stem: name for name in (DETECTION, REFINEMENT, REFERENCE)}
    if path.is_file() and any(name.startswith(f"{Path(REFERENCE).stem}.") for name in what_is(path).shapes):
        return {name: Part(path, stem) for stem, name in stems.items()}
    return {stems[stem]: Part(file) for stem, file in files_in(path).items()}


def _named(folder: Path, name: str) -> Path | None:
    """A file by its authors' name, or what was converted of it."""
    both = (folder / name, (folder / name).with_suffix(".safetensors"))
    return next((path for path in both if path.is_file()), None)


def _mean_pose(part: Part) -> Tensor:
    pose = read_state_dict(part.path, part.key).get("mean_pose")
    if pose is None or pose.numel() != 72:
        raise ChorosError(f"{part.path} holds no mean_pose of 72 numbers; get it again from the authors.")
    return pose.float().reshape(24, 3).clone()
