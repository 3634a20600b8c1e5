"""Time per frame by how many people there are, and memory over a long video, of any system.

    python benchmarks/crowd_size.py --system 4dhumans lifter comotion
    python benchmarks/crowd_size.py --system 4dhumans --frames 20000 --people 3 --cheap

People are told, not found: they stand in rows and walk to and fro, so that their number is exact. The detector runs
all the same, and so does the keypoint network, whose answers are replaced by somebody who stands in each box; with
``--cheap`` neither runs, for memory alone. With ``--frames`` memory is told every tenth of the way, and how much it
grew since the first; else seconds per frame and their ratio to those of one person.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from choros import systems
from choros.detection import NanoDet, PersonFinder

WIDTH, HEIGHT, FPS = 960, 720, 25
WARM, TIMED = 8, 30  # frames
STANDING = np.array([
    [.5, .08], [.53, .06], [.47, .06], [.57, .08], [.43, .08], [.65, .2], [.35, .2], [.72, .36], [.28, .36],
    [.74, .5], [.26, .5], [.6, .52], [.4, .52], [.6, .75], [.4, .75], [.6, .96], [.4, .96],
])  # fmt: skip


class Walkers:
    """Detector and keypoints of so many people, each in a place of their own."""

    def __init__(self, count: int, cheap: bool) -> None:
        self.count, self.frame = count, 0
        self.finder = None if cheap else PersonFinder.default(fast=True, detector=NanoDet(rounded=True))

    def boxes_px(self) -> np.ndarray:
        across = 10
        column, row = np.arange(self.count) % across, np.arange(self.count) // across
        x = 20 + 93 * column + 12 * np.sin(self.frame / 9 + np.arange(self.count))
        y = 10 + 235 * row
        return np.stack([x, y, x + 62, y + 200], -1).astype(np.float32)

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.finder is not None:
            self.finder.detector.detect(image)
        self.frame += 1
        return self.boxes_px(), np.full(self.count, 0.9, np.float32)

    def estimate(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        if self.finder is not None:
            self.finder.keypoints.estimate(image, boxes_px)
        points = boxes_px[:, None, :2] + STANDING * (boxes_px[:, None, 2:] - boxes_px[:, None, :2])
        return np.concatenate([points, np.full((*points.shape[:2], 1), 0.9)], -1).astype(np.float32)


def resident_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def stream_of(name: str, count: int, cheap: bool):
    walkers = Walkers(count, cheap)
    return systems.load(name, detector=walkers, keypoints=walkers).stream()


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)


def seconds_per_frame(name: str, count: int, cheap: bool) -> tuple[float, float]:
    """The median, and how many people were told in the last frame."""
    stream, image, took = stream_of(name, count, cheap), picture(), []
    for i in range(WARM + TIMED):
        began = time.perf_counter()
        rows = stream.update(image, i / FPS).rows
        took.append(time.perf_counter() - began)
    return float(np.median(took[WARM:])), len(rows)


def tell_memory(name: str, count: int, frames: int, cheap: bool) -> None:
    stream, image, first = stream_of(name, count, cheap), picture(), None
    for i in range(frames):
        rows = stream.update(image, i / FPS).rows
        if (i + 1) % (frames // 10) == 0:
            now = resident_mb()
            first = first or now
            kb = sum(np.asarray(part).nbytes for part in stream.state().values()) / 1024
            print(
                f"{name}: frame {i + 1:6}: {now:.1f} MB resident ({now / first - 1:+.1%}), state {kb:.0f} kB, "
                f"{len(rows)} people",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--system", nargs="+", default=["lifter", "comotion", "4dhumans"])
    parser.add_argument("--people", nargs="+", type=int, default=[1, 5, 10, 20, 30])
    parser.add_argument("--frames", type=int, help="tell memory over so many frames")
    parser.add_argument("--cheap", action="store_true", help="no detector and no keypoint network")
    args = parser.parse_args()
    if args.frames:
        for name in args.system:
            tell_memory(name, args.people[0], args.frames, args.cheap)
        return
    table = Table("system", *(f"{count} people" for count in args.people), title="seconds per frame")
    for name in args.system:
        told = [seconds_per_frame(name, count, args.cheap) for count in args.people]
        cells = [f"{each:.3f} (x{each / told[0][0]:.2f}; {there})" for each, there in told]
        table.add_row(name, *cells)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
