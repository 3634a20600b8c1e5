"""Makes MoveNet SinglePose do less for the same answer: an ONNX file converted from TensorFlow.js to a quicker one.

Two of its heads, the ways from a person's middle to their keypoints and the parts of cells that keypoints lie at, were
computed for the whole map and read at 1 and 17 places: here for these places. What pixels are divided by is one number
in place of three alike, which onnxruntime multiplies ten times as fast. Needs onnx. Run it with

    python tools/lighten_movenet.py movenet-lightning.onnx src/choros/detection/data/movenet-lightning.onnx
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

PER_PIXEL = ("StatefulPartitionedCall/Reshape:0", "StatefulPartitionedCall/truediv:0")
KERNEL = 3  # of the first convolution of a head; others look at one cell


def alike_as_one(model: ModelProto) -> None:
    """The constants that all colours share, as one number each."""
    for tensor in model.graph.initializer:
        if tensor.name in PER_PIXEL:
            (value,) = set(numpy_helper.to_array(tensor).ravel().tolist())
            tensor.CopyFrom(numpy_helper.from_array(np.array(value, np.float32), tensor.name))


def head_of(model: ModelProto, gather: NodeProto) -> list[NodeProto]:
    """From its first convolution to the last: what makes the map that ``gather`` reads, if nothing else reads it."""
    makers = {name: node for node in model.graph.node for name in node.output}
    transpose = makers[gather.input[0]]
    chain: list[NodeProto] = []
    node = makers[transpose.input[0]]
    while node.op_type in ("Conv", "Relu"):
        chain.insert(0, node)
        if node.op_type == "Conv" and any(a.name == "group" and a.i > 1 for a in node.attribute):
            return chain  # the depthwise one is the first
        node = makers[node.input[0]]
    raise ValueError(f"{gather.name} does not read a head")


def read_where_asked(model: ModelProto, gather: NodeProto, side: int, channels: int) -> None:
    """Compute the head that ``gather`` reads at its places alone, from the cells about each."""
    graph, own = model.graph, gather.name
    head = head_of(model, gather)
    padded = side + KERNEL - 1
    around = [row * padded + column for row in range(KERNEL) for column in range(KERNEL)]
    constants = {
        "border": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "flat": np.array([channels, padded * padded]),
        "row": np.array([1]),
        "column": np.array([2]),
        "width": np.array(padded),
        "around": np.array([around]),
        "windows": np.array([-1, channels, KERNEL, KERNEL]),
        "answers": np.array([0, -1]),
    }
    name = {key: f"{own} {key}" for key in constants}
    graph.initializer.extend(
        numpy_helper.from_array(value.astype(np.int64), name[key]) for key, value in constants.items()
    )

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
        return helper.make_node(kind, inputs, [output], f"{own} {kind} {output}", **attributes)

    places = gather.input[1]  # (n, 3) int64: of the batch, row, column
    begin = [
        node("Pad", [head[0].input[0], name["border"]], f"{own} in a border"),
        node("Reshape", [f"{own} in a border", name["flat"]], f"{own} cells"),
        node("Gather", [places, name["row"]], f"{own} rows", axis=1),
        node("Gather", [places, name["column"]], f"{own} columns", axis=1),
        node("Mul", [f"{own} rows", name["width"]], f"{own} before"),
        node("Add", [f"{own} before", f"{own} columns"], f"{own} first"),
        node("Add", [f"{own} first", name["around"]], f"{own} which"),
        node("Gather", [f"{own} cells", f"{own} which"], f"{own} seen", axis=1),
        node("Transpose", [f"{own} seen"], f"{own} by place", perm=[1, 0, 2]),
        node("Reshape", [f"{own} by place", name["windows"]], f"{own} about"),
    ]
    head[0].input[0] = f"{own} about"
    for convolution in (one for one in head if one.op_type == "Conv"):
        kept = [a for a in convolution.attribute if a.name not in ("pads", "auto_pad")]
        del convolution.attribute[:]
        convolution.attribute.extend(kept)
    end = node("Reshape", [head[-1].output[0], name["answers"]], gather.output[0])
    nodes = [one for one in graph.node if one not in head]
    at = nodes.index(gather)
    nodes[at : at + 1] = [*begin, *head, end]
    del graph.node[:]
    graph.node.extend(nodes)


def without_unread(model: ModelProto) -> None:
    """Leave out what nothing reads."""
    graph = model.graph
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for node in [node for node in graph.node if not read & set(node.output)]:
        graph.node.remove(node)


def lightened(model: ModelProto) -> ModelProto:
    """The same network, quicker."""
    alike_as_one(model)
    side = next(one for one in model.graph.input).type.tensor_type.shape.dim[1].dim_value // 4
    for name in ("StatefulPartitionedCall/GatherNd", "StatefulPartitionedCall/GatherNd_1"):
        gather = next(node for node in model.graph.node if node.name == name)
        read_where_asked(model, gather, side, channels=24)
    without_unread(model)
    onnx.checker.check_model(model)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    given.output.write_bytes(lightened(onnx.load(given.source)).SerializeToString())


if __name__ == "__main__":
    main()
