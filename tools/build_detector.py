"""Makes the person detector in whole numbers of eight bits, for `choros.detection.NanoDet`, out of the exact one.

Of COCO's 80 classes only the person stays. The pictures say how large features become; their names' order and the
weights decide every byte of the result. The last layer of each head stays in single precision: it takes little time and
says where boxes end. Needs onnx. Run it with

    python tools/build_detector.py FOLDER_OF_PICTURES src/choros/detection/data/nanodet_g-int8.onnx
"""

import choros  # noqa: F401  before onnxruntime, which is to send nothing

# isort: split
import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from choros.crops import CornerLetterbox
from choros.detection.nanodet import SIDES, network_input
from choros.weights import shipped

#: How many pictures are looked at, and the lengths in px that their longer sides are brought to.
PICTURES, SIZES_PX = 24, (320, 416, 576)
CLASSES = 80
#: What stays in single precision, beside the last layers of the heads.
EXACT_KINDS = ("Split", "Sigmoid", "Reshape", "Transpose")


def maker_of(graph: GraphProto, tensor: str) -> NodeProto:
    return next(node for node in graph.node if tensor in node.output)


def people_alone(model: ModelProto) -> ModelProto:
    """The detector without classes but the first, its weights float32: people's scores as before, in less time."""
    graph = model.graph
    for node in [node for node in graph.node if node.op_type == "Cast"]:  # from float16
        stored = next(tensor for tensor in graph.initializer if tensor.name == node.input[0])
        stored.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(stored).astype(np.float32), node.output[0])
        )
        graph.node.remove(node)
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for split in (node for node in graph.node if node.op_type == "Split"):
        for name in maker_of(graph, split.input[0]).input[1:]:
            array = numpy_helper.to_array(constants[name])
            constants[name].CopyFrom(
                numpy_helper.from_array(np.concatenate([array[:1], array[CLASSES:]]), name)
            )
    for name, array in {name: numpy_helper.to_array(tensor) for name, tensor in constants.items()}.items():
        if array.dtype == np.int64 and CLASSES in array:  # of a split or a reshape
            constants[name].CopyFrom(numpy_helper.from_array(np.where(array == CLASSES, 1, array), name))
    for output in graph.output:
        channels = output.type.tensor_type.shape.dim[2]
        channels.dim_value = SIDES if channels.dim_value == SIDES else 1
    return model


def without_pad(model: ModelProto) -> ModelProto:
    """The same with its one padding, of minus infinity, left to the pooling that follows; the others were fused."""
    graph = model.graph
    (pad,) = (node for node in graph.node if node.op_type == "Pad")
    widths = next(
        numpy_helper.to_array(tensor) for tensor in graph.initializer if tensor.name == pad.input[1]
    )
    pool = next(node for node in graph.node if pad.output[0] in node.input)
    pool.input[0] = pad.input[0]
    kept = [attribute for attribute in pool.attribute if attribute.name not in ("pads", "auto_pad")]
    del pool.attribute[:]
    pool.attribute.extend([*kept, helper.make_attribute("pads", widths[[2, 3, 6, 7]].tolist())])
    graph.node.remove(pad)
    return model


class Pictures(CalibrationDataReader):
    """Some pictures of a folder, spread evenly over it, as the network sees them."""

    def __init__(self, folder: Path, name: str) -> None:
        self._name = name
        self._inputs = self._all(sorted(folder.rglob("*.jpg")))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._inputs, None)

    def _all(self, paths: list[Path]) -> Iterator[dict[str, NDArray[np.float32]]]:
        for path in paths[:: max(1, len(paths) // PICTURES)][:PICTURES]:
            image = np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
            for size_px in SIZES_PX:
                letterbox = CornerLetterbox.fit(image.shape[0], image.shape[1], size_px)
                yield {self._name: network_input(image, letterbox)}


def quantised(exact: Path, pictures: Path) -> ModelProto:
    """The detector at ``exact`` in eight bits, the scale of weights each channel's own."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "source.onnx", Path(folder) / "made.onnx"
        onnx.save(people_alone(onnx.load(exact)), source)
        quant_pre_process(source, source, skip_symbolic_shape=True)
        model = without_pad(onnx.load(source))
        onnx.save(model, source)
        graph = model.graph
        stay = [node.name for node in graph.node if node.op_type in EXACT_KINDS]
        stay += [maker_of(graph, node.input[0]).name for node in graph.node if node.op_type == "Split"]
        # x86 is twice as quick with features without and weights with a sign than with any other two.
        quantize_static(
            source,
            made,
            Pictures(pictures, graph.input[0].name),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=stay,
        )
        return onnx.load(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    given.output.write_bytes(quantised(shipped("nanodet"), given.pictures).SerializeToString())


if __name__ == "__main__":
    main()
