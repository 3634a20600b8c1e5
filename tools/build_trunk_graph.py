"""Writes `choros.comotion.trunk_movenet` as an ONNX graph that onnxruntime can run, its weights only named.

The graph is what torch.fx sees in `MoveNetTrunk.forward`, so this is to be run again when that changes. Weights
have the names that `state_dict` gives them and are handed over by whoever opens the graph. Needs onnx. Run it with

    python tools/build_trunk_graph.py src/choros/comotion/data/trunk.onnx
"""

import argparse
import operator
from pathlib import Path

import onnx
import torch
from onnx import NodeProto, TensorProto, helper
from torch import Tensor, fx, nn
from torch.nn import functional

from choros.comotion.trunk_movenet import MAPS, MoveNetTrunk, SameConv2d

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


def nodes_of(node: fx.Node, trunk: MoveNetTrunk) -> list[NodeProto]:
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    given.output.write_bytes(graph(MoveNetTrunk()).SerializeToString())


if __name__ == "__main__":
    main()
