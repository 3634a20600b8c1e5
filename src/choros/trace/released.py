"""The files that TRACE's authors give out: the head, the image backbone and the motion backbone, read without running.

The released loader puts what fits into the networks, prints what does not and goes on, with random weights if need be.
Here every weight must be found. The head of the release has one residual block before its rotations, that of the
training code as published three: the names tell which.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import torch

from choros.backbones.hrnet import HrNet
from choros.backbones.raft import Raft
from choros.checkpoints import LoadReport, load_into, read_state_dict, what_is
from choros.errors import ChorosError
from choros.trace.config import TraceConfig
from choros.trace.network import SYSTEM, TraceNetwork

#: As the authors call them.
HEAD, IMAGE_BACKBONE, MOTION_BACKBONE = (
    "trace_head.pkl",
    "trace_image_backbone.pkl",
    "trace_motion_backbone.pth",
)

#: Whose network the image backbone's file is taken from, and is told to be where it still has its heads.
BEV = "bev"

#: Beginnings of names of the head that are no part of what answers: a constant, an embedding that nothing asks for,
#: and what a training run keeps of how it reads maps.
ASIDE = ("coordmap_3d", "position_embeddings.", "_result_parser.")

_REGRESSORS = (
    ("smplpose", "pose"),
    ("globalrot", "rotations"),
    ("trans", "translation"),
    ("smplshape", "shape"),
)
_GATES = (("z", "update"), ("r", "reset"), ("q", "candidate"))

#: What names of the head begin with, theirs and ours, in the order in which they are tried.
NAMES = (
    (r"det_head\.0\.0\.", "heads.detection.front.0.0."),
    (r"det_head\.1\.", "heads.detection.front.1."),
    (r"motion_head\.(\d+)\.0\.", r"heads.motion.front.0.\1."),
    (r"motion_head\.\d+\.", "heads.motion.front.1."),
    (r"param_head\.(\d+)\.0\.", r"heads.person.\1."),
    (r"cam_motion_head\.5\.0\.", "heads.world.motion.0.0."),
    (r"cam_motion_head\.(\d+)\.0\.", r"heads.world.shared.\1."),
    (r"cam_motion_head\.\d+\.", "heads.world.motion.1."),
    (r"cam_rot_head\.(\d+)\.(?=conv|bn|downsample)", r"heads.world.rotation.0.\1."),
    (r"cam_rot_head\.\d+\.", "heads.world.rotation.1."),
    (r"bv_pre_layers\.", "heads.detection.above.squeeze."),
    (r"bv_out_layers\.", "heads.detection.above.columns."),
    (r"bv_motion_pre_layers\.", "heads.motion.above.squeeze."),
    (r"bv_motion_out_layers\.", "heads.motion.above.columns."),
    (r"center_map_refiner2\.0\.", "heads.detection.refine_centre."),
    (r"cam_map_refiner\.0\.", "heads.detection.refine_camera."),
    (r"motion_map_refiner\.0\.", "heads.motion.refine."),
    *(
        (rf"temp_model\.cell_list\.(\d+)\.conv{gate}\.", rf"propagation.cells.\1.{ours}.")
        for gate, ours in _GATES
    ),
    (r"offset_feature_convert\.", "propagation.warp.difference."),
    (r"feature_offset_predictor\.", "propagation.warp.offsets."),
    (r"deform_warper\.", "propagation.warp."),
    *((rf"temp_{name}_regressor\.regressor\.", f"regressors.{ours}.shared.") for name, ours in _REGRESSORS),
    *((rf"temp_{name}_regressor\.out_layers\.", f"regressors.{ours}.parts.") for name, ours in _REGRESSORS),
)


class Released(NamedTuple):
    """What is in the files, ready to answer."""

    network: TraceNetwork
    image_backbone: HrNet
    motion_backbone: Raft
    reports: tuple[LoadReport, LoadReport, LoadReport]  # which tensors were what, file by file


def is_released(path: str | Path) -> bool:
    """Whether somebody gives a file of TRACE's authors, or the folder with them."""
    path = Path(path)
    if path.is_dir():
        return any((path / name).is_file() for name in (HEAD, IMAGE_BACKBONE, MOTION_BACKBONE))
    found = what_is(path)
    return found.system in (SYSTEM, BEV) and not found.loads


def load_released(path: str | Path) -> Released:
    """The three networks of a folder, or of that which a file lies in.

    Raises `ChorosError`, naming what lacks, unless all three files are there and hold every weight.
    """
    head, image_file, motion_file = released_files(path)
    network, of_head = load_head(head)
    image, of_image = load_image_backbone(image_file)
    motion, of_motion = load_motion_backbone(motion_file)
    return Released(network, image, motion, (of_head, of_image, of_motion))


def released_files(path: str | Path) -> tuple[Path, Path, Path]:
    """Head, image backbone and motion backbone of a folder, or of that which a file lies in.

    Raises `ChorosError`, naming what lacks, unless all three are there.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    for name in (HEAD, IMAGE_BACKBONE, MOTION_BACKBONE):
        if not (folder / name).is_file():
            raise ChorosError(
                f"{folder} has no {name}, without which the released TRACE cannot run; put all three files there."
            )
    return folder / HEAD, folder / IMAGE_BACKBONE, folder / MOTION_BACKBONE


def load_head(path: str | Path) -> tuple[TraceNetwork, LoadReport]:
    """Propagation, maps and regressors. Raises `ChorosError` if the file is another's or lacks a weight."""
    path = Path(path)
    blocks = {
        int(found[1])
        for name in read_state_dict(path)
        if (found := re.match(r"cam_rot_head\.(\d+)\.conv1\.", name))
    }
    config = TraceConfig(placed_by_hips=True, rotation_blocks=max(1, len(blocks)))
    network = TraceNetwork(config)
    report = load_into(network, path, rename=our_name)
    return network.eval().requires_grad_(False), report


def load_image_backbone(path: str | Path) -> tuple[HrNet, LoadReport]:
    """HRNet-W32 out of BEV's network. Raises `ChorosError` if the file is another's or lacks a weight."""
    with torch.device("meta"):
        network = HrNet()
    network = network.to_empty(device="cpu")
    report = load_into(network, path, rename=_of_backbone)
    return network.eval().requires_grad_(False), report


def load_motion_backbone(path: str | Path) -> tuple[Raft, LoadReport]:
    """RAFT. Raises `ChorosError` if the file is another's or lacks a weight."""
    with torch.device("meta"):
        network = Raft()
    network = network.to_empty(device="cpu")
    report = load_into(network, path)
    return network.eval().requires_grad_(False), report


def our_name(theirs: str) -> str | None:
    """What a tensor of the released head is called here; None for what the network does without."""
    if theirs.startswith(ASIDE):
        return None
    for pattern, ours in NAMES:
        found = re.match(pattern, theirs)
        if found:
            rest = theirs[found.end() :]
            return found.expand(ours) + rest.replace("downsample.", "projection.")
    return theirs


def _of_backbone(theirs: str) -> str | None:
    """Of BEV's network only the backbone; the heads are others'."""
    return theirs.removeprefix("backbone.") if theirs.startswith("backbone.") else None
