"""Networks of each family as ONNX files of a few hundred bytes, whose answers are known.

Those that look at crops see where white is: heatmaps and bins are the picture's own brightness. Detectors always find
the same people, whatever they are shown.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from choros.detection.eyes.normalisation import IMAGENET_RGB

OPSET, IR_VERSION = 17, 8  # of 2022: known to every onnxruntime that choros may meet


def write(path, nodes, inputs, outputs, constants=None):
    """A graph of these nodes; ports are (name, shape) or (name, shape, type), with words for free sides."""
    infos = [
        [
            helper.make_tensor_value_info(name, *(kind or [TensorProto.FLOAT]), shape)
            for name, shape, *kind in ports
        ]
        for ports in (inputs, outputs)
    ]
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "tiny", *infos, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def constant(path, outputs, inputs=(("image", ["n", 3, "h", "w"]),), sides=None):
    """Always gives ``outputs``, arrays by name; ``sides`` are their shapes in the graph where those are free."""
    values = {f"{name}_value": array for name, array in outputs.items()}
    nodes = [helper.make_node("Identity", [f"{name}_value"], [name]) for name in outputs]
    kinds = {name: helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in outputs.items()}
    ports = [(name, (sides or {}).get(name, array.shape), kinds[name]) for name, array in outputs.items()]
    return write(path, nodes, inputs, ports, values)


def heatmaps(path, keypoints=17, batch="n", extra=False):
    """How bright 4 x 4 px are, 0 to 1, in every map; TinyPose's shape. ``extra``: also where it is largest."""
    nodes = [
        helper.make_node("Conv", ["image", "weights", "mean"], ["maps"], strides=[4, 4]),
        *[helper.make_node("Reshape", ["maps", "flat"], ["rows"])] * extra,
        *[helper.make_node("ArgMax", ["rows"], ["cells"], axis=2, keepdims=0)] * extra,
    ]
    outputs = [("maps", [batch, keypoints, 64, 48])]
    outputs += [("cells", [batch, keypoints], TensorProto.INT64)] * extra
    mean, std = np.float32(IMAGENET_RGB.mean), np.float32(IMAGENET_RGB.std)  # undone
    weights = np.broadcast_to(std[:, None, None] / (255 * 48), (keypoints, 3, 4, 4)).copy()
    constants = {"weights": weights, "mean": np.full(keypoints, mean.mean() / 255, np.float32)}
    constants |= {"flat": np.array([0, keypoints, -1])} if extra else {}
    return write(path, nodes, [("image", [batch, 3, 256, 192])], outputs, constants)


def simcc(path, keypoints=17, swapped=False, batch="n"):
    """The brightest column and row: of two bins a pixel, the even ones; RTMPose's shape."""
    nodes = [
        helper.make_node("ReduceMean", ["input", "colours"], ["grey"]) if OPSET >= 18
        else helper.make_node("ReduceMean", ["input"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Expand", ["grey", "shape"], ["maps"]),
    ]  # fmt: skip
    for line, axis in (("x", 2), ("y", 3)):
        nodes += [
            helper.make_node("ReduceMax", ["maps"], [f"{line}_line"], axes=[axis], keepdims=0),
            helper.make_node("Unsqueeze", [f"{line}_line", "last"], [f"{line}_bins"]),
            helper.make_node("Pad", [f"{line}_bins", "one_more", "low"], [f"{line}_pairs"]),
            helper.make_node("Reshape", [f"{line}_pairs", "joined"], [f"simcc_{line}"]),
        ]
    outputs = [("simcc_x", [batch, keypoints, 384]), ("simcc_y", [batch, keypoints, 512])]
    constants = {
        "shape": np.array([1, keypoints, 1, 1]),
        "last": np.array([3]),
        "one_more": np.array([0, 0, 0, 0, 0, 0, 0, 1]),
        "low": np.float32(-9),
        "joined": np.array([0, 0, -1]),
    }
    return write(
        path, nodes, [("input", [batch, 3, 256, 192])], outputs[::-1] if swapped else outputs, constants
    )


# --- detectors: a person from 64, 32 to 128, 192 and another from 160, 32 to 224, 224, on a canvas of 256 x 256 ---

CANVAS = 256
PEOPLE = np.array([[64, 32, 128, 192], [160, 32, 224, 224]], np.float32)
SCORES = np.array([0.9, 0.6], np.float32)
FIXED = (("images", [1, 3, CANVAS, CANVAS]),)


def _cells():
    """Which cell of stride 32 is to find each person, x and y, and where that one is in all cells and its own grid."""
    middles = (PEOPLE[:, :2] + PEOPLE[:, 2:]) / 2
    cells = (middles // 32).astype(int)
    own = cells[:, 1] * (CANVAS // 32) + cells[:, 0]
    return cells, (CANVAS // 8) ** 2 + (CANVAS // 16) ** 2 + own, own


def _logit(share):
    return np.log(share / (1 - share))


def yolox(path, decoded=False):
    """Offsets in cells and logarithms of sizes, or px; objectness times two classes."""
    cells, where, _ = _cells()
    grids = [np.mgrid[: CANVAS // s, : CANVAS // s].reshape(2, -1).T[:, ::-1] for s in (8, 16, 32)]
    steps = np.concatenate([np.full(len(grid), s) for grid, s in zip(grids, (8, 16, 32), strict=True)])
    table = np.zeros((1, len(steps), 7), np.float32)
    middles, sizes = (PEOPLE[:, :2] + PEOPLE[:, 2:]) / 2, PEOPLE[:, 2:] - PEOPLE[:, :2]
    if decoded:
        table[0, :, :2] = np.concatenate(grids) * steps[:, None]
        table[0, :, 2:4] = steps[:, None]
        table[0, where, :2], table[0, where, 2:4] = middles, sizes
    else:
        table[0, where, :2], table[0, where, 2:4] = middles / 32 - cells, np.log(sizes / 32)
    table[0, where, 4], table[0, where, 5] = 1, SCORES
    table[0, 5, 4:7] = 1, 0, 1  # something else is surely there
    return constant(path, {"output": table}, FIXED)


def rtmdet(path, channels_first=False):
    """Logits, and distances from the corners of cells in px."""
    cells, _, own = _cells()
    outputs = {}
    for stride in (8, 16, 32):
        side = CANVAS // stride
        grid = np.full((side * side, 5), -9, np.float32)
        grid[:, 1:] = stride
        if stride == 32:
            grid[own, 0] = _logit(SCORES)
            grid[own, 1:3], grid[own, 3:] = cells * 32 - PEOPLE[:, :2], PEOPLE[:, 2:] - cells * 32
        grid = grid.reshape(1, side, side, 5)
        if channels_first:
            outputs[f"cls_{stride}"] = np.ascontiguousarray(grid[..., :1].transpose(0, 3, 1, 2))
            outputs[f"bbox_{stride}"] = np.ascontiguousarray(grid[..., 1:].transpose(0, 3, 1, 2))
        else:
            outputs[f"grid_{stride}"] = grid
    return constant(path, outputs, FIXED)


def picodet(path):
    """Probabilities of two classes, and distributions over distances in cells, four strides, in a shuffled order."""
    cells, _, own = _cells()
    outputs = {}
    for stride in (64, 8, 32, 16):
        count = (CANVAS // stride) ** 2
        scores, sides = np.zeros((1, count, 2), np.float32), np.zeros((1, count, 32), np.float32)
        if stride == 32:
            middle = cells * 32 + 16
            distances = np.concatenate([middle - PEOPLE[:, :2], PEOPLE[:, 2:] - middle], -1) / 32
            low = np.floor(distances).astype(int)
            bins = np.full((len(PEOPLE), 4, 8), -40, np.float32)
            rest = (distances - low).clip(1e-6, 1 - 1e-6)
            np.put_along_axis(bins, low[..., None], np.log(1 - rest)[..., None], -1)
            np.put_along_axis(bins, low[..., None] + 1, np.log(rest)[..., None], -1)
            scores[0, own, 0], sides[0, own] = SCORES, bins.reshape(-1, 32)
        outputs |= {f"score_{stride}": scores, f"sides_{stride}": sides}
    return constant(path, outputs, FIXED)


PADDLE = (
    ("image", [1, 3, CANVAS, CANVAS]),
    ("scale_factor", [1, 2]),
)


def picodet_listed(path):
    """Boxes of all cells and the probabilities of two classes."""
    _, where, _ = _cells()
    count = sum((CANVAS // s) ** 2 for s in (8, 16, 32, 64))
    boxes, scores = np.zeros((1, count, 4), np.float32), np.zeros((1, 2, count), np.float32)
    boxes[0, :, 2:] = 8
    boxes[0, where], scores[0, 0, where] = PEOPLE, SCORES
    return constant(path, {"boxes": boxes, "scores": scores}, PADDLE)


def picodet_rows(path):
    """Rows of class, score and box that are left, and how many; a car among them."""
    rows = np.concatenate([np.zeros((2, 1)), SCORES[:, None], PEOPLE], -1)
    rows = np.concatenate([rows, [[2, 0.99, 0, 0, 9, 9]]]).astype(np.float32)
    return constant(path, {"nms": rows, "count": np.array([3], np.int32)}, PADDLE, {"nms": ["k", 6]})


def suppressed(path):
    """Boxes with scores and their classes, a car among them; as mmdeploy writes them."""
    dets = np.concatenate([PEOPLE, SCORES[:, None]], -1)
    dets = np.concatenate([dets, [[0, 0, 9, 9, 0.99]]]).astype(np.float32)[None]
    return constant(
        path,
        {"dets": dets, "labels": np.array([[0, 0, 2]])},
        FIXED,
        {"dets": [1, "k", 5], "labels": [1, "k"]},
    )


def rtmo(path, keypoints=17):
    """Boxes with scores, and keypoints of both people: number k lies k px right of and below the corner."""
    dets = np.concatenate([PEOPLE, SCORES[:, None]], -1)[None].astype(np.float32)
    steps = np.arange(keypoints, dtype=np.float32)
    points = np.stack([np.stack([corner[0] + steps, corner[1] + steps, steps / 20], -1) for corner in PEOPLE])
    return constant(
        path,
        {"dets": dets, "keypoints": points[None].astype(np.float32)},
        FIXED,
        {"dets": [1, "k", 5], "keypoints": [1, "k", keypoints, 3]},
    )
