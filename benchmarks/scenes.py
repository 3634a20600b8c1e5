"""Synthetic scenes: how fast they render, how long people are hidden, and whether detectors believe them.

The bars: 25 frames/s at 512x512 with 5 people on 2 cores, which is 80 ms of CPU time a frame, and 90 percent of the
people who are more than half visible found by the embedded detector at an overlap of 0.5. No files are needed. Run
it with

    python benchmarks/scenes.py [number of scenes]

on an idle machine; the time on the CPU tells how far it was from idle.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from choros.cli.threads import leave_cores_to_the_networks
from choros.detection import PersonFinder
from choros.keypoints import box_iou
from choros.scenes import KINDS, Scene, SceneConfig, make_scene
from choros.scenes.camera.damage import CHUNK
from choros.scenes.truth.scene_truth import VISIBLE_FRACTION
from choros.skeleton import COCO17

EVERY = 20  # frames between those that the detector sees
SEEDS_FROM = 500


def speed(kind: str, width: int, height: int) -> None:
    """Frames a second of one scene on one core, and of two scenes on two."""
    config = SceneConfig(width, height, seconds=3, people=5, device="cpu")
    scenes = [make_scene(kind, seed, config) for seed in (1, 2)]
    for scene in scenes:
        scene.frame(0)  # compiles, and traces what stands still

    def render(scene: Scene) -> float:
        start = time.perf_counter()
        for _ in scene.frames():
            pass
        return time.perf_counter() - start

    busy = time.process_time()
    alone = scenes[0].n_frames / render(scenes[0])
    busy = scenes[0].n_frames / (time.process_time() - busy)
    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(render, scenes))
    both = 2 * scenes[0].n_frames / (time.perf_counter() - start)
    start = time.perf_counter()
    make_scene(kind, 3, config)
    made = time.perf_counter() - start
    start = time.perf_counter()
    _ = scenes[0].truth
    truth = scenes[0].n_frames / (time.perf_counter() - start)
    print(
        f"{kind:9} {width}x{height}, 5 people: {alone:.1f} frames/s on one core "
        f"({busy:.1f} a second of CPU time), {both:.1f} on two; "
        f"a scene is made in {made:.1f} s, its truth at {truth:.0f} frames/s"
    )


def cost(width: int, height: int, seeds: tuple[int, ...] = (1, 2, 3)) -> None:
    """CPU time of a frame in each kind of scene with everything on, blur and coding too."""
    for kind in KINDS:
        spent = []
        for seed in seeds:
            scene = make_scene(kind, seed, SceneConfig(width, height, seconds=2, people=5, device="cpu"))
            scene.frame(0)  # compiles, and traces what stands still
            frames = range(2 * CHUNK, 4 * CHUNK)
            start = time.process_time()
            for frame in frames:
                scene.frame(frame)
            spent.append(1e3 * (time.process_time() - start) / len(frames))
        each = ", ".join(f"{ms:.0f}" for ms in spent)
        print(f"{kind:9} {width}x{height}, 5 people: {np.mean(spent):.0f} ms of CPU time a frame ({each})")


def hidden_s(scene: Scene) -> list[float]:
    """How long people are out of sight while in the frame, one entry a time, seconds."""
    lengths, rows = [], scene.truth.rows
    for person in scene.truth.ids:
        gone = scene.visible_fraction[rows["person"] == person] < VISIBLE_FRACTION
        change = np.diff(np.concatenate([[0], gone.astype(int), [0]]))
        lengths += list((np.flatnonzero(change < 0) - np.flatnonzero(change > 0)) / float(scene.fps))
    return lengths


def believed(kind: str, count: int, finder: PersonFinder) -> None:
    """Recall and keypoint error of the embedded networks, and how long people are hidden."""
    found, errors, hidden, extra = [], [], [], 0
    for seed in range(SEEDS_FROM, SEEDS_FROM + count):
        scene = make_scene(kind, seed, SceneConfig())
        hidden += hidden_s(scene)
        for frame in range(0, scene.n_frames, EVERY):
            people = finder.find(scene.frame(frame))
            now = scene.truth.rows["frame"] == frame
            rows, seen = scene.truth.rows[now], scene.visible_fraction[now] > 0.5
            overlap = box_iou(rows["box_px"], people.boxes_px) if len(people) else np.zeros((len(rows), 1))
            extra += len(people) - int((overlap.max(axis=0) > 0.5).sum()) if len(people) else 0
            for row, best in zip(rows[seen], overlap[seen], strict=True):
                found.append(best.max() > 0.5)
                if found[-1]:
                    guess, true = people.keypoints[best.argmax()], row["keypoints_px"]
                    away = np.linalg.norm(guess[:, :2] - true[:, :2], axis=1) / (
                        row["box_px"][3] - row["box_px"][1]
                    )
                    errors.append(np.where(true[:, 2] > 0, away, np.nan))
    error = np.array(errors)
    worst = int(np.nanargmax(np.nanmedian(error, axis=0)))
    longest = f"{max(hidden):.1f} s at most" if hidden else "never"
    print(
        f"{kind:9} {count} scenes: recall {np.mean(found):.3f} of {len(found)}, {extra} boxes on nobody seen; "
        f"keypoints off by {np.nanmedian(error):.4f} of the box's height (median; worst {COCO17[worst]}), "
        f"PCK@0.05 {np.nanmean(np.where(np.isnan(error), np.nan, error < 0.05)):.3f}; "
        f"hidden {sum(h >= 0.2 for h in hidden)} times for 0.2 s or more, {longest}"
    )


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    leave_cores_to_the_networks()
    for kind in ("crossing", "moving"):
        speed(kind, 960, 540)
        speed(kind, 512, 512)
    for size in ((512, 512), (960, 540)):
        cost(*size)
    finder = PersonFinder.default(fast=True)
    for kind in KINDS:
        believed(kind, count, finder)


if __name__ == "__main__":
    main()
