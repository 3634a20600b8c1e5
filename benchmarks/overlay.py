"""Frames per second of the overlay: five people walking at 1280x720, drawn and encoded.

The bar is 10 frames/s for drawing on 2 CPU cores. No files are needed. Run it with

    python benchmarks/overlay.py

on an idle machine; the time on the CPU tells how far it was from idle.
"""

import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.camera import intrinsics
from choros.mesh import rasteriser, shading
from choros.motion import ROW
from choros.skeleton import JOINT_NAMES
from choros.video import VideoWriter
from choros.view import overlay
from choros.view.panel import PanelBox

WIDTH, HEIGHT, FRAMES, PEOPLE = 1280, 720, 60, 5


def walkers(frame: int) -> np.ndarray:
    """Five people, 200 to 560 px tall, who walk to and fro and cross each other; one is not seen."""
    rows = np.zeros(PEOPLE, ROW)
    for i in range(PEOPLE):
        phase = 2 * np.pi * (frame / 40 + i / PEOPLE)
        pose = np.zeros((24, 3))
        for side, name in ((1, "left"), (-1, "right")):
            swing = side * np.sin(phase)
            pose[JOINT_NAMES.index(f"{name}_hip")] = -0.5 * swing, 0, 0
            pose[JOINT_NAMES.index(f"{name}_knee")] = 0.5 - 0.4 * swing, 0, 0
            pose[JOINT_NAMES.index(f"{name}_shoulder")] = 0.4 * swing, 0, -1.2 * side
        upright = Rotation.from_euler("x", np.pi) * Rotation.from_euler("y", phase)
        rows[i]["person"], rows[i]["visible"], rows[i]["global_orient"] = i + 1, i != 4, upright.as_rotvec()
        rows[i]["body_pose"] = pose[1:].ravel()
        rows[i]["transl"] = 0.75 * (i - 2) + 0.5 * np.sin(phase), 0.3, 4.5 + 1.5 * np.cos(phase)
    return rows


def clocked(owner: Any, name: str, spent_s: dict[str, float], label: str) -> None:
    """Have ``owner.name`` add the time of its calls to ``spent_s[label]``."""
    plain: Callable[..., Any] = getattr(owner, name)
    spent_s[label] = 0.0

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return plain(*args, **kwargs)
        finally:
            spent_s[label] += time.perf_counter() - start

    setattr(owner, name, timed)


def measure(style: overlay.OverlayStyle) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(60, 180, (HEIGHT // 8, WIDTH // 8, 3)).astype(np.uint8)
    image = np.ascontiguousarray(noise.repeat(8, 0).repeat(8, 1))
    K = intrinsics(WIDTH, HEIGHT)
    stage = PanelBox((-3, 2.5, -2), (3, 7, 1))
    view = overlay.Overlay(BodyModel.load(detail="light"), WIDTH, HEIGHT, style, stage=stage)
    frames = [walkers(i) for i in range(FRAMES)]
    view.draw(image, frames[0], K)  # compiles, or reads what was compiled before

    parts: dict[str, float] = {}
    for name in parts_of:
        parts[name] = spent_s[name]
    start, start_cpu = time.perf_counter(), time.process_time()
    pictures = [view.draw(image, rows, K) for rows in frames]
    draw_s, draw_cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    parts = {name: spent_s[name] - before for name, before in parts.items()}

    with TemporaryDirectory() as folder:
        start, start_cpu = time.perf_counter(), time.process_time()
        with VideoWriter(Path(folder) / "overlay.mp4", view.width, view.height, Fraction(30)) as writer:
            for rows in frames:
                writer.write(view.draw(image, rows, K))
        both_s, both_cpu_s = time.perf_counter() - start, time.process_time() - start_cpu
    covered = np.mean([(p[:, :WIDTH] != image).any(-1).mean() for p in pictures[::10]])

    print(f"\n{style}")
    print(f"  people cover {covered:.0%} of the frame")
    for name, seconds in parts.items():
        print(f"  {name:<34}{1e3 * seconds / FRAMES:7.1f} ms")
    rest = draw_s - sum(parts.values())
    print(f"  {'labels, outlines, copies':<34}{1e3 * rest / FRAMES:7.1f} ms")
    for name, wall, cpu in (("draw, all", draw_s, draw_cpu_s), ("draw and encode", both_s, both_cpu_s)):
        print(
            f"  {name:<34}{1e3 * wall / FRAMES:7.1f} ms  {FRAMES / wall:6.1f} frames/s"
            f"  ({1e3 * cpu / FRAMES:.1f} ms of CPU)"
        )


if __name__ == "__main__":
    spent_s: dict[str, float] = {}
    clocked(overlay, "vertices_of", spent_s, "skinning")
    clocked(rasteriser, "_draw", spent_s, "raster")
    clocked(rasteriser.Canvas, "clear", spent_s, "clearing")
    clocked(shading, "_light", spent_s, "normals and light")
    clocked(shading, "_blend_over", spent_s, "compositing")
    parts_of = tuple(spent_s)
    for choice in (
        overlay.OverlayStyle(),
        overlay.OverlayStyle(smooth=False),
        overlay.OverlayStyle(panels="both", keypoints=True),
    ):
        measure(choice)
