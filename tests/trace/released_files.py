"""Files of the names and shapes that TRACE's authors released, with numbers made from names."""

from functools import cache
from pathlib import Path

import torch

from choros.backbones.hrnet import HrNet
from choros.backbones.raft import Raft
from choros.trace.released import HEAD, IMAGE_BACKBONE, MOTION_BACKBONE
from tests.named_weights import numbers_of

#: Channels of the released head's parts, in its own names, written down apart from `choros.trace`.
PLANES = (
    # name, channels in, channels out, whether the input is projected
    ("det_head.0.0", 32, 128, True), ("motion_head.0.0", 34, 128, True), ("motion_head.1.0", 128, 128, True),
    ("param_head.0.0", 34, 128, True), ("param_head.1.0", 128, 128, True), ("cam_motion_head.0.0", 34, 128, True),
    *((f"cam_motion_head.{i}.0", 128, 128, True) for i in range(1, 6)),
    *((f"offset_feature_convert.{i}", 32, 32, False) for i in range(3)),
)  # fmt: skip
COLUMNS = (
    ("bv_out_layers.0", 2944, 512), ("bv_out_layers.1", 512, 512), ("bv_out_layers.2", 512, 192),
    ("bv_motion_out_layers.0", 2432, 512), ("bv_motion_out_layers.1", 512, 512), ("bv_motion_out_layers.2", 512, 64),
)  # fmt: skip
VOLUMES = (("center_map_refiner2.0", 1), ("cam_map_refiner.0", 3), ("motion_map_refiner.0", 3))
REGRESSORS = (
    ("smplpose", 128, (126,)),
    ("globalrot", 128, (6, 6)),
    ("trans", 131, (3,)),
    ("smplshape", 128, (21,)),
)


def _normalisation(name, channels):
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{name}.{part}", (channels,)
    yield f"{name}.num_batches_tracked", ()


def _pair(name, n_in, n_out, kernel):
    for number, n in ((1, n_in), (2, n_out)):
        yield f"{name}.conv{number}.weight", (n_out, n, *kernel)
        yield from _normalisation(f"{name}.bn{number}", n_out)


def _layer(name, n_in, n_out, kernel=()):
    yield f"{name}.weight", (n_out, n_in, *kernel)
    yield f"{name}.bias", (n_out,)


def head_shapes(rotation_blocks=1):
    """Every tensor of the released head; of the training code's with three blocks."""
    return dict(_head(rotation_blocks))


def _head(rotation_blocks):
    yield "coordmap_3d", (1, 64, 128, 128, 3)
    yield "position_embeddings.weight", (128, 128)
    rotations = tuple((f"cam_rot_head.{i}", 128, 128, True) for i in range(rotation_blocks))
    for name, n_in, n_out, projected in PLANES + rotations:
        yield from _pair(name, n_in, n_out, (3, 3))
        if projected:
            yield from _layer(f"{name}.downsample", n_in, n_out, (1, 1))
    for name, n_out in (
        ("det_head.1", 7), ("motion_head.2", 3), ("cam_motion_head.6", 3), (f"cam_rot_head.{rotation_blocks}", 6),
    ):  # fmt: skip
        yield from _layer(name, 128, n_out, (1, 1))
    for name, n_in in (("bv_pre_layers", 32), ("bv_motion_pre_layers", 34)):
        for number, n, kernel in ((0, n_in, (1, 1)), (3, 16, (3, 3)), (6, 16, (1, 1))):
            yield from _layer(f"{name}.{number}", n, 16, kernel)
            yield from _normalisation(f"{name}.{number + 1}", 16)
    for name, n_in, n_out in COLUMNS:
        yield from _pair(name, n_in, n_out, (3,))
    for name, channels in VOLUMES:
        yield from _pair(name, channels, channels, (3, 3, 3))
    for cell in range(2):
        for gate in "zrq":
            yield from _layer(f"temp_model.cell_list.{cell}.conv{gate}", 64, 32, (3, 3))
    for name, n_in, parts in REGRESSORS:
        for number, n in ((0, n_in), (2, 256)):
            yield from _layer(f"temp_{name}_regressor.regressor.{number}", n, 256)
        for number, n_out in enumerate(parts):
            yield from _layer(f"temp_{name}_regressor.out_layers.{number}", 256, n_out)
    yield "feature_offset_predictor.weight", (144, 32, 3, 3)
    yield "deform_warper.weight", (32, 32, 3, 3)


def named_tensors(shapes):
    """Numbers by name; running statistics as in a new network, a layer with two names as by the first."""
    tensors = {}
    for name, shape in shapes.items():
        if "running" in name:
            tensors[name] = torch.full(shape, float(name.endswith("var")))
        elif "num_batches" in name:
            tensors[name] = torch.tensor(0)
        else:
            tensors[name] = torch.from_numpy(numbers_of(name.replace("downsample.1", "norm3"), shape))
    return tensors


@cache
def head_tensors(rotation_blocks=1):
    return named_tensors(head_shapes(rotation_blocks))


def shapes_of(kind):
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in kind().state_dict().items()}


def write_head(folder, rotation_blocks=1, key=None, prefix="", without=(), also=()):
    """``trace_head.pkl`` as torch.save writes it."""
    tensors = {
        prefix + name: t for name, t in head_tensors(rotation_blocks).items() if name not in without
    } | dict(also)
    torch.save({key: tensors} if key else tensors, Path(folder) / HEAD)
    return Path(folder) / HEAD


def write_image_backbone(folder):
    """``trace_image_backbone.pkl``, with a head of BEV's in it."""
    shapes = shapes_of(HrNet)
    tensors = {f"module.backbone.{name}": torch.zeros(shape) for name, shape in shapes.items()}
    tensors["module.backbone.conv1.weight"] = named_tensors(shapes)["conv1.weight"]
    tensors["module.bv_pre_layers.0.weight"] = torch.zeros(16, 32, 1, 1)
    tensors["module.bv_out_layers.0.conv1.weight"] = torch.zeros(8, 16, 3)
    torch.save(tensors, Path(folder) / IMAGE_BACKBONE)
    return Path(folder) / IMAGE_BACKBONE


def write_motion_backbone(folder):
    """``trace_motion_backbone.pth``, of parallel training."""
    tensors = named_tensors(shapes_of(Raft))
    torch.save({f"module.{name}": t for name, t in tensors.items()}, Path(folder) / MOTION_BACKBONE)
    return Path(folder) / MOTION_BACKBONE
