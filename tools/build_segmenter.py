"""Writes MediaPipe's selfie segmenter (Google, Apache-2.0), a TensorFlow Lite file, as ONNX.

The file comes from npm, ``npm pack @mediapipe/selfie_segmentation@0.1.1675465747``. Needs ``tflite`` 2.18.0 and
``onnx``, which choros does not; the weights stay as they are there, in half precision. Run it with

    python tools/build_segmenter.py package/selfie_segmentation.tflite \
        src/choros/detection/data/selfie_segmentation.onnx
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tflite
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8  # of 2022: known to every onnxruntime that choros may meet
PLAIN = {"RELU": "Relu", "LOGISTIC": "Sigmoid", "ADD": "Add", "MUL": "Mul", "HARD_SWISH": "HardSwish"}
NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
NUMBERS = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}


class Converter:
    """The nodes and weights of the ONNX graph; feature maps are (1, channels, height, width) in it."""

    def __init__(self, model: Any) -> None:
        self.model, self.graph = model, model.Subgraphs(0)
        self.nodes: list[NodeProto] = []
        self.weights: dict[str, TensorProto] = {}
        self.widened: dict[int, int] = {}  # single-precision tensors, and the half-precision weights they are

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def shape(self, index: int) -> list[int]:
        return [int(side) for side in self.graph.Tensors(index).ShapeAsNumpy()]

    def array(self, index: int) -> np.ndarray:
        index = self.widened.get(index, index)
        tensor = self.graph.Tensors(index)
        data = self.model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
        return np.frombuffer(data, NUMBERS[tensor.Type()]).reshape(self.shape(index))

    def weight(self, name: str, array: np.ndarray) -> str:
        """A weight of the graph, kept in half precision and widened where it is used."""
        self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(array, np.float16), name)
        self.node("Cast", [name], f"{name}_wide", to=TensorProto.FLOAT)
        return f"{name}_wide"

    def convolution(
        self, at: int, operator: Any, inputs: list[int], output: str, *, by_channel: bool
    ) -> None:
        options = tflite.DepthwiseConv2DOptions() if by_channel else tflite.Conv2DOptions()
        options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
        kernel = self.array(inputs[1])
        # Kernels are (out, height, width, in), by channel (1, height, width, channels).
        kernel = kernel.transpose(3, 0, 1, 2) if by_channel else kernel.transpose(0, 3, 1, 2)
        strides = [options.StrideH(), options.StrideW()]
        same = options.Padding() == tflite.Padding.SAME
        pads = [0, 0, 0, 0]
        if same:
            for axis, (side, stride, size) in enumerate(
                zip(self.shape(inputs[0])[1:3], strides, kernel.shape[2:], strict=True)
            ):
                missing = max((-(-side // stride) - 1) * stride + size - side, 0)
                pads[axis], pads[axis + 2] = missing // 2, missing - missing // 2
        activation = options.FusedActivationFunction()
        raw = output if activation == tflite.ActivationFunctionType.NONE else f"{output}_raw"
        names = [str(inputs[0]), self.weight(f"k{at}", kernel), self.weight(f"b{at}", self.array(inputs[2]))]
        group = kernel.shape[0] if by_channel else 1
        self.node("Conv", names, raw, strides=strides, pads=pads, group=group)
        self.activated(activation, raw, output)

    def activated(self, activation: int, raw: str, output: str) -> None:
        if activation == tflite.ActivationFunctionType.RELU:
            self.node("Relu", [raw], output)
        elif activation != tflite.ActivationFunctionType.NONE:
            raise SystemExit(f"activation {activation} is not known here")

    def convert(self, at: int) -> None:
        operator = self.graph.Operators(at)
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        kind = NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        inputs = [int(i) for i in operator.InputsAsNumpy()]
        target = int(operator.OutputsAsNumpy()[0])
        output = str(target)
        if kind == "DEQUANTIZE":
            self.widened[target] = inputs[0]
        elif kind in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            self.convolution(at, operator, inputs, output, by_channel=kind != "CONV_2D")
        elif kind in PLAIN:
            if kind in ("ADD", "MUL"):
                options = tflite.AddOptions() if kind == "ADD" else tflite.MulOptions()
                options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
                fused = options.FusedActivationFunction()
            else:
                fused = tflite.ActivationFunctionType.NONE
            raw = output if fused == tflite.ActivationFunctionType.NONE else f"{output}_raw"
            self.node(PLAIN[kind], [str(i) for i in inputs], raw)
            self.activated(fused, raw, output)
        elif kind == "AVERAGE_POOL_2D" and self.shape(target)[1:3] == [1, 1]:
            self.node("GlobalAveragePool", [str(inputs[0])], output)
        elif kind == "RESIZE_BILINEAR":
            options = tflite.ResizeBilinearOptions()
            options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
            mode = "align_corners" if options.AlignCorners() else "asymmetric"
            mode = "half_pixel" if options.HalfPixelCenters() else mode
            sizes = f"s{at}"
            height, width = self.shape(target)[1:3]
            channels = self.shape(target)[3]
            self.weights[sizes] = numpy_helper.from_array(np.array([1, channels, height, width]), sizes)
            self.node(
                "Resize",
                [str(inputs[0]), "", "", sizes],
                output,
                mode="linear",
                coordinate_transformation_mode=mode,
            )
        elif code.CustomCode() == b"Convolution2DTransposeBias":
            kernel = self.array(inputs[1]).transpose(3, 0, 1, 2)  # (out, h, w, in) to (in, out, h, w)
            names = [
                str(inputs[0]),
                self.weight(f"k{at}", kernel),
                self.weight(f"b{at}", self.array(inputs[2])),
            ]
            self.node("ConvTranspose", names, output, strides=[2, 2])
        else:
            raise SystemExit(f"operator {kind} {code.CustomCode()} is not known here")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    options = parser.parse_args()
    model = tflite.Model.GetRootAs(options.source.read_bytes(), 0)
    converter = Converter(model)
    graph = converter.graph
    source, target = int(graph.Inputs(0)), int(graph.Outputs(0))
    for at in range(graph.OperatorsLength()):
        converter.convert(at)
    _, height, width, _ = converter.shape(source)
    onnx_graph = helper.make_graph(
        converter.nodes,
        "selfie_segmentation",
        [helper.make_tensor_value_info(str(source), TensorProto.FLOAT, [1, 3, height, width])],
        [helper.make_tensor_value_info(str(target), TensorProto.FLOAT, [1, 1, height, width])],
        list(converter.weights.values()),
    )
    made = helper.make_model(
        onnx_graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="choros",
    )
    made.doc_string = "MediaPipe selfie segmentation (Google, Apache-2.0): RGB in 0..1 -> share of person"
    onnx.checker.check_model(made, full_check=True)
    options.target.write_bytes(made.SerializeToString())


if __name__ == "__main__":
    main()
