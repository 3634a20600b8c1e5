"""Time and size of exports: five people walking for a minute at 30 frames/s.

The bars are 5 s and 8 MB for GLB and 5 s for BVH, on 2 CPU cores. No files are needed. Run it with

    python benchmarks/export.py [FORMAT...]

on an idle machine (every format unless some are named); the time on the CPU tells how far it was from idle. Packages
and the body are loaded before.
"""

import sys
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from overlay import HEIGHT, PEOPLE, WIDTH, walkers

from choros.body import BodyModel
from choros.camera import intrinsics
from choros.exporters import FORMATS, ExportOptions
from choros.motion import FRAME, Header, Motion

FRAMES, FPS = 1800, 30


def minute() -> Motion:
    """Everybody there in every frame, before a camera that rides: the largest files that a minute makes."""
    frames = np.zeros(FRAMES, FRAME)
    frames["pts"] = np.stack([np.arange(FRAMES), np.full(FRAMES, FPS)], axis=1)
    frames["K"] = intrinsics(WIDTH, HEIGHT)
    frames["T_world_camera"], frames["camera_known"] = np.eye(4), True
    frames["T_world_camera"][:, :3, 3] = np.linspace((0, 0, 1.6), (1, 1, 1.6), FRAMES)
    rows = np.concatenate([walkers(frame) for frame in range(FRAMES)])
    rows["frame"] = np.repeat(np.arange(FRAMES), PEOPLE)
    # All joints but the hands move a little, as measured ones do; constant ones would cost nothing.
    rows["body_pose"][:, :63] += np.random.default_rng(0).normal(0, 0.01, (len(rows), 63))
    return Motion(Header(Fraction(FPS), WIDTH, HEIGHT, source="made up"), frames, rows)


def main() -> None:
    body, motion = BodyModel.load(), minute()
    names = sys.argv[1:] or list(FORMATS)
    with TemporaryDirectory() as folder:  # imports what each needs, and compiles what is compiled
        for name in names:
            FORMATS[name].write(
                motion[:2], Path(folder) / f"motion{FORMATS[name].suffix}", ExportOptions(body=body)
            )
    cases = [(name, ExportOptions(body=body)) for name in names]
    if "glb" in names:
        cases.append(("glb", ExportOptions(body=body, quantised=True)))
    for name, options in cases:
        with TemporaryDirectory() as folder:
            start, cpu = time.perf_counter(), time.process_time()
            files = FORMATS[name].write(motion, Path(folder) / f"motion{FORMATS[name].suffix}", options)
            took_s, cpu_s = time.perf_counter() - start, time.process_time() - cpu
            size = sum(file.stat().st_size for file in files) / 1e6
        label = f"{name} quantised" if options.quantised else name
        print(f"{label:14s} {took_s:6.2f} s ({cpu_s:.2f} s CPU)  {size:6.2f} MB in {len(files)} files")


if __name__ == "__main__":
    main()
