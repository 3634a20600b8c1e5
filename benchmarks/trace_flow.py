"""Which light flow the small TRACE takes: OpenCV's inverse search, or features of the trunk that is run anyway.

Pictures are moved by a known turn of the camera, some px to each side and a little larger or smaller, so that the flow
of every cell is known; both find it at the size of the maps. The trunk's answers, of 1/4, and its features of 1/8 are
compared in a window of cells about each, normalised; the best place and a soft mean are two ways to read that. Errors
are means over cells that both pictures show, in 1/64 of the square, as the network takes flow. Run it with

    python benchmarks/trace_flow.py PICTURE ...
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch.nn.functional import interpolate, normalize, pad

from choros.backbones.movenet import MAPS, MoveNetTrunk
from choros.backbones.trunk import frozen
from choros.trace.config import PRESETS
from choros.trace.flow import FLOW_UNIT_PX, flow_picture, light_flow

SIDE, CELLS = 512, PRESETS["small"].map_size
#: Cells to each side that features are compared with.
REACH = 4
#: Of px that the picture moves at most, by name: what a standing, a panned and a whipped camera do in a frame.
MOVES = {"3 px": 3.0, "12 px": 12.0, "40 px": 40.0}


def moved(square: np.ndarray, most_px: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The square after a random move, and (2, CELLS, CELLS) how the points of its cells came there, px."""
    shift, turn = rng.uniform(-most_px, most_px, 2), rng.uniform(-1, 1) * most_px / SIDE
    size = 1 + rng.uniform(-1, 1) * most_px / SIDE
    linear = size * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    middle = np.array([SIDE, SIDE]) / 2
    offset = middle - linear @ middle + shift
    half = np.array([0.5, 0.5])  # OpenCV counts from the middles of pixels
    warp = np.c_[linear, offset + linear @ half - half]
    after = cv2.warpAffine(square, warp, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
    at = (np.stack(np.meshgrid(np.arange(CELLS), np.arange(CELLS)), -1) + 0.5) * SIDE / CELLS
    before = (at - offset) @ np.linalg.inv(linear).T
    return np.asarray(after, np.uint8), np.moveaxis(at - before, -1, 0)


def compared(before: torch.Tensor, after: torch.Tensor, soft: float | None) -> torch.Tensor:
    """Flow (2, h, w) in cells of features (1, C, h, w): the best place about each cell, or a mean that is so sharp."""
    before, after = (normalize(part - part.mean((2, 3), keepdim=True), dim=1) for part in (before, after))
    height, width = after.shape[-2:]
    wide = pad(before, [REACH] * 4)
    ways = [(y, x) for y in range(-REACH, REACH + 1) for x in range(-REACH, REACH + 1)]
    alike = torch.stack(
        [
            (after * wide[..., REACH + y : REACH + y + height, REACH + x : REACH + x + width]).sum(1)[0]
            for y, x in ways
        ]
    )
    to = -torch.tensor(ways, dtype=torch.float32).flip(-1)  # x, y of where the point came from, turned about
    if soft is None:
        return to[alike.argmax(0)].permute(2, 0, 1)
    return torch.einsum("khw,kd->dhw", (soft * alike).softmax(0), to)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("pictures", nargs="+", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    trunk, rng, maps = frozen(MoveNetTrunk.pretrained()), np.random.default_rng(0), ("answers", "middle")
    errors: dict[tuple[str, str], list[float]] = {}
    took: dict[str, list[float]] = {}
    for path in args.pictures:
        image = cv2.imread(str(path))[..., ::-1]
        scale = SIDE / min(image.shape[:2])
        whole = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        square = np.ascontiguousarray(whole[:SIDE, :SIDE])
        for name, most_px in MOVES.items():
            after, truth_px = moved(square, most_px, rng)
            edge = int(np.ceil(3 * most_px / (SIDE / CELLS))) + 1  # what came in from beyond has no flow
            inner = slice(edge, CELLS - edge)
            features = [
                trunk(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] / 255)
                for picture in (square, after)
            ]

            def told(
                way: str, flow: np.ndarray, seconds: float, name: str = name, inner: slice = inner
            ) -> None:
                away = np.linalg.norm(flow - truth_px / FLOW_UNIT_PX, axis=0)[inner, inner]  # noqa: B023
                errors.setdefault((way, name), []).append(float(away.mean()))
                took.setdefault(way, []).append(seconds)

            told("none", np.zeros((2, CELLS, CELLS)), 0.0)
            begun = time.process_time()
            flow = light_flow(flow_picture(square), flow_picture(after), SIDE, CELLS)
            told("inverse search", flow, time.process_time() - begun)
            for which in maps:
                index = MAPS.index(which)
                stride = trunk.strides[index]
                for how, soft in (("best place", None), ("soft mean", 20.0)):
                    begun = time.process_time()
                    cells = compared(*(maps_of[index] for maps_of in features), soft)[None]
                    found = interpolate(cells, (CELLS, CELLS), mode="area")[0].numpy()
                    told(f"{which}, {how}", found * stride / FLOW_UNIT_PX, time.process_time() - begun)
    table = Table(
        "", *MOVES, "CPU ms", title=f"{len(args.pictures)} pictures, mean error in 1/64 of the square"
    )
    for way in took:
        row = [f"{np.mean(errors[way, name]):.3f}" for name in MOVES]
        table.add_row(way, *row, f"{1e3 * np.median(took[way]):.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
