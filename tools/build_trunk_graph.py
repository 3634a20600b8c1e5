"""Writes `choros.backbones.movenet` as an ONNX graph that onnxruntime can run, its weights only named.

The graph is what torch.fx sees in `MoveNetTrunk.forward`, so this is to be run again when that changes. Weights
have the names that `state_dict` gives them and are handed over by whoever opens the graph.

``--video`` writes the graph of the weights that ship instead, with these inside, its MobileNetV2 in whole numbers of
eight bits; the films, some frames of each, say how large its features become. The pyramid and the answers stay as
they are: they take little time and are what is wanted exactly. Needs onnx. Run it with

    python tools/build_trunk_graph.py src/choros/backbones/data/movenet-multipose.onnx
    python tools/build_trunk_graph.py src/choros/backbones/data/movenet-multipose-int8.onnx --video CLIP...
"""

import choros  # before onnxruntime, which is to send nothing

# isort: split
import argparse
import operator
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, fx, nn
from torch.nn import functional

from choros.backbones.movenet import MAPS, MoveNetTrunk, SameConv2d
from choros.backbones.trunk import COARSEST_PX
from choros.crops import Letterbox

#: What is seen of a film: so many frames, and the sides in px of the squares that they are brought to.
FRAMES, SIDES_PX = 8, (512, 768)
#: The first of the nodes that stay in single precision, as torch.fx names it, with all after it.
FIRST_EXACT = "laterals_0"

OPSET, IR_VERSION = 17, 8  # of 2022: known to every onnxruntime that choros may meet
#: Functions of two arguments, and what ONNX calls them.
ARITHMETIC = {operator.mul: "Mul", operator.sub: "Sub", operator.add: "Add", operator.truediv: "Div"}


class Tracer(fx.Tracer):
    """Takes convolutions as a whole."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, nn.Conv2d)


def constant(name: str, values: list[float], shape: tuple[int, ...] = ()) -> TensorProto:
    return helper.make_tensor(name, TensorProto.FLOAT, shape, values)


CONSTANTS = (
    constant("0", [0]),
    constant("1", [1]),
    constant("2", [2]),
    constant("6", [6]),
    constant("twice as large", [1, 1, 2, 2], (4,)),
)


def named(name: str, tensor: Tensor) -> TensorProto:
    """A weight without its numbers."""
    place = onnx.StringStringEntryProto(key="location", value="state_dict")
    return TensorProto(
        name=name,
        dims=tensor.shape,
        data_type=TensorProto.FLOAT,
        data_location=TensorProto.EXTERNAL,
        external_data=[place],
    )


def convolution(module: nn.Conv2d, weights: str, source: str, output: str) -> list[NodeProto]:
    """A convolution and, if it is clipped, its clipping. ONNX can pad sides unlike, which torch cannot."""
    before = after = module.padding[0]
    if isinstance(module, SameConv2d) and module.stride[0] == 2:
        before -= module.stride[0]  # for the row and the column that torch computes and drops
    inputs = [source, f"{weights}.weight"] + ([f"{weights}.bias"] if module.bias is not None else [])
    clipped = isinstance(module, SameConv2d) and module.clipped
    unclipped = f"{output} unclipped" if clipped else output
    nodes = [
        helper.make_node(
            "Conv",
            inputs,
            [unclipped],
            kernel_shape=module.kernel_size,
            strides=module.stride,
            pads=[before, before, after, after],
            group=module.groups,
        )
    ]
    return [*nodes, helper.make_node("Clip", [unclipped, "0", "6"], [output])] if clipped else nodes


def nodes_of(node: fx.Node, trunk: nn.Module) -> list[NodeProto]:
    """What ONNX does for one node of torch.fx."""
    output = [node.name]
    inputs = [str(argument) for argument in node.args]
    if node.op == "call_module":
        return convolution(trunk.get_submodule(node.target), node.target, inputs[0], node.name)
    if node.op == "call_method" and node.target == "contiguous":
        return [helper.make_node("Identity", inputs, output)]
    if node.target in ARITHMETIC:
        return [helper.make_node(ARITHMETIC[node.target], inputs, output)]
    if node.target is functional.relu_:
        return [helper.make_node("Relu", inputs, output)]
    if node.target is torch.cat:
        parts, axis = node.args
        return [helper.make_node("Concat", [part.name for part in parts], output, axis=axis)]
    if node.target is functional.interpolate and node.kwargs["scale_factor"] == 2:
        scaled = [*inputs, "", "twice as large"]
        return [helper.make_node("Resize", scaled, output, mode="linear")]  # half_pixel, as torch has it
    raise NotImplementedError(f"{node.op} {node.target}")


def graph(trunk: MoveNetTrunk) -> onnx.ModelProto:
    """The trunk's ONNX graph: ``images`` (batch, 3, height, width), RGB in 0..1, to the maps of ``MAPS``.

    Channels are the last axis of the maps: torch has them so in memory, and convolves sooner what comes so.
    """
    nodes: list[NodeProto] = []
    for node in Tracer().trace(trunk).nodes:
        if node.op == "output":
            names = [answer.name for answer in node.args[0]]
            nodes += [
                helper.make_node("Transpose", [name], [map_name], perm=[0, 2, 3, 1])
                for name, map_name in zip(names, MAPS, strict=True)
            ]
        elif node.op not in ("placeholder", "get_attr"):  # named "images", and as the buffer that it is
            nodes += nodes_of(node, trunk)

    def of_type(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    made = helper.make_graph(
        nodes,
        "MoveNetTrunk",
        [of_type("images", ["batch", 3, "height", "width"])],
        [
            of_type(name, ["batch", f"height/{stride}", f"width/{stride}", channels])
            for name, channels, stride in zip(MAPS, trunk.channels, trunk.strides, strict=True)
        ],
        [*CONSTANTS, *(named(name, tensor) for name, tensor in trunk.state_dict().items())],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


class Pictures(CalibrationDataReader):
    """Frames of films as the trunk sees them."""

    def __init__(self, films: list[Path]) -> None:
        self._inputs = self._all(films)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._inputs, None)

    @staticmethod
    def _all(films: list[Path]) -> Iterator[dict[str, NDArray[np.float32]]]:
        for film in films:
            with choros.open_video(film) as video:
                images = [frame.image for frame in video]
            for image in images[:: -(-len(images) // FRAMES)]:
                for side_px in SIDES_PX:
                    letterbox = Letterbox(image.shape[1], image.shape[0], side_px)
                    x0, y0, x1, y1 = letterbox.content_px(COARSEST_PX)
                    content = letterbox.cut(image)[y0:y1, x0:x1].transpose(2, 0, 1)
                    yield {"images": content[None].astype(np.float32) / 255}


def quantised(trunk: MoveNetTrunk, films: list[Path]) -> onnx.ModelProto:
    """``trunk`` with its weights, all before its pyramid in eight bits, the scale of weights each channel's own."""
    model, weights = graph(trunk), trunk.state_dict()
    for tensor in model.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(weights[tensor.name].numpy(), tensor.name))
    for node in model.graph.node:
        node.name = node.output[0]
    with tempfile.TemporaryDirectory() as folder:
        exact, made = Path(folder) / "exact.onnx", Path(folder) / "made.onnx"
        onnx.save(model, exact)
        quant_pre_process(exact, exact, skip_symbolic_shape=True)
        names = [node.name for node in onnx.load(exact).graph.node]
        stay = names[names.index(FIRST_EXACT) :]
        # x86 is twice as quick with features without and weights with a sign than with any other two.
        quantize_static(
            exact,
            made,
            Pictures(films),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=stay,
        )
        return onnx.load(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--video", type=Path, nargs="+", default=[])
    given = parser.parse_args()
    model = quantised(MoveNetTrunk.pretrained(), given.video) if given.video else graph(MoveNetTrunk())
    given.output.write_bytes(model.SerializeToString())


if __name__ == "__main__":
    main()
