"""Prints how fast videos are read and written, and the memory it takes.

    python benchmarks/video_speed.py [VIDEO ...]

Without a video it makes one at 1080p with the writer. Decoding uses one thread (see
``choros.video.container``); "ahead" is with ``prefetch=4``, as the tracker reads.
"""

import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from choros.video import VideoWriter, open_video


def write(path: Path, width: int, height: int, count: int) -> float:
    """Frames per second of writing a smooth random picture that the camera pans over."""
    coarse = np.random.default_rng(0).integers(0, 256, (height // 40 + 2, width // 40 + 20, 3), np.uint8)
    scene = cv2.resize(coarse, None, fx=40, fy=40, interpolation=cv2.INTER_CUBIC)
    pictures = [np.ascontiguousarray(scene[:height, 4 * i : 4 * i + width]) for i in range(30)]
    began = time.perf_counter()
    with VideoWriter(path, width, height, Fraction(30)) as writer:
        for index in range(count):
            writer.write(pictures[index % len(pictures)])
    return count / (time.perf_counter() - began)


def read(path: Path, ahead: int) -> tuple[int, float]:
    """(frames, frames per second)."""
    began = time.perf_counter()
    with open_video(path, prefetch=ahead) as reader:
        count = sum(1 for _ in reader)
    return count, count / (time.perf_counter() - began)


def resident_mb() -> float | None:
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def main() -> None:
    table = Table("video", "size", "frames", "read, frames/s", "ahead, frames/s", "memory after, MB")
    with tempfile.TemporaryDirectory() as folder:
        videos = [Path(name) for name in sys.argv[1:]]
        if not videos:
            videos = [Path(folder) / "made-1080p.mp4"]
            print(f"writing 1080p: {write(videos[0], 1920, 1080, 300):.0f} frames/s")
            print(f"writing  720p: {write(Path(folder) / 'made-720p.mp4', 1280, 720, 300):.0f} frames/s")
        for path in videos:
            with open_video(path) as reader:
                size = f"{reader.info.width}x{reader.info.height}"
            count, plain = read(path, 0)
            _, ahead = read(path, 4)
            memory = resident_mb()
            table.add_row(
                path.name,
                size,
                str(count),
                f"{plain:.0f}",
                f"{ahead:.0f}",
                "" if memory is None else f"{memory:.0f}",
            )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
