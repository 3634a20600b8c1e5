"""Detectors' answers, as each family's graphs give them, read to people's boxes.

Every reader takes what came out of a graph by name, and the canvas that went in, height and width in px. It gives the
boxes (n, 4) xyxy px of the canvas and scores (n,) of all that may be people, who are class 0 in COCO and in sets of
people alone; or None where what came out is of another family. Whatever overlaps is for the caller to suppress.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from choros.detection.eyes.graph import Outputs, Size

Floats = NDArray[np.float32]
Found = tuple[Floats, Floats]

PERSON = 0
_PICODET_BINS = 8  # a side's distance is one of 0..7 cells, in expectation (``reg_max`` 7 of its configs)


def cells_of(canvas: Size, strides: Sequence[int]) -> tuple[Floats, Floats]:
    """The upper left corners, x and y in cells (n, 2), and strides (n, 1) of the cells of all grids, by rows."""
    corners, steps = [], []
    for stride in strides:
        rows, columns = -(-canvas[0] // stride), -(-canvas[1] // stride)
        y, x = np.mgrid[:rows, :columns]
        corners.append(np.stack([x.ravel(), y.ravel()], -1))
        steps.append(np.full((rows * columns, 1), stride))
    return np.concatenate(corners).astype(np.float32), np.concatenate(steps).astype(np.float32)


def cells_if(count: int, canvas: Size) -> tuple[Floats, Floats] | None:
    """The same of the three or four strides from 8 whose grids have so many cells together; None if none have."""
    for strides in ((8, 16, 32), (8, 16, 32, 64)):
        cells = cells_of(canvas, strides)
        if len(cells[0]) == count:
            return cells
    return None


# --- PicoDet --------------------------------------------------------------------------------------


def picodet_heads(outputs: Outputs, canvas: Size) -> Found | None:
    """Probabilities (1, n, C) and logits (1, n, 32) of each stride: PaddleDetection's without its post-processing.

    Each side is the mean of a distribution over 0..7 cells (Generalized Focal Loss, Li et al. 2020, section 3).
    """
    arrays = sorted(
        (array for array in outputs.values() if array.ndim == 3), key=lambda array: -array.shape[1]
    )
    sides = [array[0] for array in arrays if array.shape[-1] == 4 * _PICODET_BINS]
    classes = [array[0] for array in arrays if array.shape[-1] != 4 * _PICODET_BINS]
    if not sides or list(map(len, sides)) != list(map(len, classes)) or 2 * len(sides) != len(outputs):
        return None
    logits = np.concatenate(sides).reshape(-1, 4, _PICODET_BINS)
    if (cells := cells_if(len(logits), canvas)) is None:
        return None
    corners, stride = cells
    likely = np.exp(logits - logits.max(-1, keepdims=True))
    distances = likely @ np.arange(_PICODET_BINS, dtype=np.float32) / likely.sum(-1)
    scores = np.concatenate([probability[:, PERSON] for probability in classes])
    return _around((corners + 0.5) * stride, distances * stride), scores


def picodet_listed(outputs: Outputs, canvas: Size) -> Found | None:
    """Boxes (1, n, 4) and probabilities (1, C, n): PaddleDetection's export without suppression.

    Boxes are in px of the canvas, for the graph was told a ``scale_factor`` of 1.
    """
    arrays = list(outputs.values())
    if len(arrays) != 2 or any(array.ndim != 3 for array in arrays):
        return None
    for boxes, scores in (arrays, arrays[::-1]):
        count = boxes.shape[1]
        if boxes.shape[-1] == 4 and scores.shape[-1] == count and cells_if(count, canvas) is not None:
            return boxes[0], scores[0, PERSON]
    return None


def picodet_rows(outputs: Outputs, canvas: Size) -> Found | None:
    """Rows (n, 6) of class, score and box: PaddleDetection's export with suppression; px as of ``picodet_listed``."""
    tables = [array for array in outputs.values() if array.ndim == 2 and array.shape[1] == 6]
    if len(tables) != 1:
        return None
    people = tables[0][tables[0][:, 0] == PERSON]
    return people[:, 2:], people[:, 1]


# --- RTMDet ---------------------------------------------------------------------------------------


def rtmdet_heads(outputs: Outputs, canvas: Size) -> Found | None:
    """Grids of logits and distances of three strides.

    Either (1, h, w, C + 4) or, as mmdetection's head has them, (1, C, h, w) and (1, 4, h, w). Distances to left, top,
    right and bottom are in px, from the upper left corner of a cell: RTMDet's points have no offset (mmdetection,
    configs/rtmdet).
    """
    arrays = list(outputs.values())
    if any(array.ndim != 4 for array in arrays):
        return None
    grids: dict[tuple[int, ...], Floats] = {}
    if len(arrays) == 3:
        grids = {array.shape[1:3]: array[0] for array in arrays if array.shape[-1] > 4}
    elif len(arrays) == 6:
        sides = {array.shape[2:]: array[0] for array in arrays if array.shape[1] == 4}
        logits = {array.shape[2:]: array[0] for array in arrays if array.shape[1] != 4}
        both = {grid: np.concatenate([logits[grid], sides[grid]]) for grid in sides if grid in logits}
        grids = {grid: channels.transpose(1, 2, 0) for grid, channels in both.items()}
    strides = (8, 16, 32)
    found = [grids.get((canvas[0] // stride, canvas[1] // stride)) for stride in strides]
    rows = [grid.reshape(-1, grid.shape[-1]) for grid in found if grid is not None]
    if len(rows) != len(strides):
        return None
    table = np.concatenate(rows)
    corners, stride = cells_of(canvas, strides)
    return _around(corners * stride, table[:, -4:]), expit(table[:, PERSON])


# --- YOLOX ----------------------------------------------------------------------------------------


def yolox_table(outputs: Outputs, canvas: Size) -> Found | None:
    """One table (1, n, 5 + C): middle, size, objectness and classes of each cell of all grids (Ge et al. 2021).

    Middle and size are an offset in the cell and a logarithm, or both in px already: exports differ in that
    (``decode_in_inference``). In px the middles lie on the whole near their cells.
    """
    tables = list(outputs.values())
    if len(tables) != 1 or tables[0].ndim != 3 or tables[0].shape[-1] < 6:
        return None
    rows = tables[0][0]
    if (cells := cells_if(len(rows), canvas)) is None:
        return None
    corners, stride = cells
    middle, size = rows[:, :2], rows[:, 2:4]
    if np.abs(middle - corners * stride).mean() > np.abs(middle).mean():
        middle, size = (middle + corners) * stride, np.exp(size) * stride
    return _around(middle, np.tile(size / 2, 2)), rows[:, 4] * rows[:, 5 + PERSON]


# --- suppressed in the graph ----------------------------------------------------------------------


def suppressed(outputs: Outputs, canvas: Size) -> Found | None:
    """Boxes with scores (1, n, 5) and perhaps classes (1, n): mmdeploy's exports with suppression."""
    boxes = [array[0] for array in outputs.values() if array.ndim == 3 and array.shape[-1] == 5]
    classes = [array[0] for array in outputs.values() if array.ndim == 2]
    if len(boxes) != 1 or len(classes) > 1 or len(outputs) != 1 + len(classes):
        return None
    people = boxes[0][classes[0] == PERSON] if classes else boxes[0]
    return people[:, :4], people[:, 4]


def _around(middle: Floats, distances: Floats) -> Floats:
    """Boxes by how far left, top, right and bottom are from a point."""
    return np.concatenate([middle - distances[:, :2], middle + distances[:, 2:]], -1)
