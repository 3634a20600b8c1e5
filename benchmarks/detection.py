"""Speed of detection on a video, and what becomes of people in groups.

    python benchmarks/detection.py --video vtest.avi
    python benchmarks/detection.py --pictures mmpose_fixtures --video vtest.avi [--sheets DIR]

The first prints milliseconds per part and frame; run it on an idle machine. The second compares, on annotated
pictures (and on groups composed from the video), keypoints without and with what keeps neighbours apart, and
prints how often a keypoint of some confidence is right. ``--sheets`` draws both beside one another.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import av
import cv2
import numpy as np
from detection_groups import BODY, Group, annotated_pictures, composed_groups

from choros.detection import Detections, MoveNet, NanoDet, PersonFinder
from choros.detection.neighbours import estimate_apart
from choros.keypoints import COCO_SIGMAS, oks, on_a_neighbour

VARIANTS: tuple[Literal["lightning", "thunder"], ...] = ("lightning", "thunder")
LIMBS = [
    (5, 6),
    (11, 12),
    (5, 11),
    (6, 12),
    (5, 7),
    (7, 9),
    (6, 8),
    (8, 10),
    (11, 13),
    (13, 15),
    (12, 14),
    (14, 16),
]


def speed(video: Path, count: int) -> None:
    """Print milliseconds per part, then frames per second of both finders on ``count`` frames."""
    with av.open(str(video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in islice(container.decode(video=0), count)]
    height, width = frames[0].shape[:2]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{video.name}, {width}x{height}, {len(frames)} frames, load {load:.1f}, two threads a run")
    boxes = PersonFinder.default(fast=True).find(frames[0]).boxes_px
    for size in (320, 416, 576, 640):
        print(
            f"  NanoDet {size:4d}            {median_ms(partial(NanoDet((size,)).detect, frames[0])):6.1f} ms"
        )
    for variant in VARIANTS:
        each = median_ms(partial(MoveNet(variant).estimate, frames[0], boxes[:1]))
        print(f"  MoveNet {variant:9s}       {each:6.1f} ms a person")
    for name, finder in (("fast", PersonFinder.default(True)), ("accurate", PersonFinder.default(False))):
        finder.find(frames[0])
        for how, find in (("find", partial(map, finder.find)), ("find_all", finder.find_all)):
            cpu, start = time.process_time(), time.perf_counter()
            people = list(find(frames))
            wall, cpu = time.perf_counter() - start, time.process_time() - cpu
            print(
                f"  {name:8s} {how:8s} {1e3 * wall / len(frames):6.1f} ms a frame, "
                f"{len(frames) / wall:5.1f} frames/s ({1e3 * cpu / len(frames):.0f} ms of CPU), "
                f"{np.mean([len(found) for found in people]):.1f} people, "
                f"{np.mean([(found.scores > 0.4).sum() for found in people]):.1f} above 0.4"
            )


def median_ms(run: Callable[[], object], times: int = 15) -> float:
    run()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return 1e3 * float(np.median(taken))


def body_oks(keypoints: np.ndarray, group: Group) -> np.ndarray:  # (m, 17, 3) -> (n true, m)
    """OKS over the annotated body joints, whatever the confidence."""
    shown = np.concatenate([keypoints[:, BODY, :2], np.ones_like(keypoints[:, BODY, 2:])], -1)
    return oks(group.keypoints[:, BODY], shown, group.areas, sigmas=COCO_SIGMAS[BODY])


def given_boxes(groups: Sequence[Group], estimate: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> str:
    """How well the keypoints fit when the true boxes are given."""
    own_oks: list[float] = []
    near: list[bool] = []
    stolen = 0
    for group in groups:
        found = estimate(group.image, group.boxes_px)
        fit = body_oks(found, group)  # (true, found)
        own = np.diag(fit)
        body = found[:, BODY], group.keypoints[:, BODY], group.areas
        stolen += int(on_a_neighbour(*body, sigmas=COCO_SIGMAS[BODY]).sum())
        own_oks.extend(own)
        error = np.linalg.norm(found[:, BODY, :2] - group.keypoints[:, BODY, :2], axis=-1)
        side = (group.boxes_px[:, 2:] - group.boxes_px[:, :2]).max(-1, keepdims=True)
        near.extend((error < 0.1 * side)[group.keypoints[:, BODY, 2] > 0])
    return (
        f"{len(own_oks):4d} people  OKS {np.mean(own_oks):.3f} (median {np.median(own_oks):.3f})  "
        f"PCK@0.1 {np.mean(near):.3f}  stolen {stolen}"
    )


def end_to_end(groups: Sequence[Group], find: Callable[[np.ndarray], Detections], score: float = 0.4) -> str:
    """How many people are found, with OKS above 0.5, and how many finds are nobody or somebody found before."""
    true = sure = faint = 0
    false = again = 0
    for group in groups:
        people = find(group.image)
        fit = body_oks(people.keypoints, group)
        whole = group.keypoints[:, BODY, 2].sum(-1) >= 4
        free = np.ones(len(whole), bool)
        true += int(whole.sum())
        for i in range(len(people)):
            best = int(np.where(free, fit[:, i], 0).argmax())
            if free[best] and fit[best, i] > 0.5:
                free[best] = False
                faint += int(whole[best])
                sure += int(whole[best] and people.scores[i] > score)
            elif people.scores[i] > score:
                again += int(fit[:, i].max() > 0.5)
                false += int(group.complete and fit[:, i].max() <= 0.5)
    complete = all(group.complete for group in groups)
    return (
        f"{true:4d} people  found above {score} {sure / true:.3f}, at all {faint / true:.3f}  "
        f"found twice {again}{f'  nobody {false}' if complete else ''}"
    )


def without_help(finder: PersonFinder) -> Callable[[np.ndarray], Detections]:
    """The finder as it were if it did not keep neighbours apart."""

    def find(image: np.ndarray) -> Detections:
        boxes, scores = finder.detector.detect(image)
        tall = boxes[:, 3] - boxes[:, 1] >= finder.options.min_height_px
        return Detections(boxes[tall], scores[tall], finder.keypoints.estimate(image, boxes[tall]))

    return find


def reliability(groups: Sequence[Group], finder: PersonFinder) -> str:
    """Share of the annotated keypoints, in tenths of confidence, within COCO's standard deviation of the truth."""
    confidence: list[float] = []
    right: list[bool] = []
    for group in groups:
        found = estimate_apart(finder.keypoints, group.image, group.boxes_px)
        error = np.linalg.norm(found[..., :2] - group.keypoints[..., :2], axis=-1)
        shown = group.keypoints[..., 2] > 0
        confidence.extend(found[..., 2][shown])
        right.extend((error < 2 * COCO_SIGMAS * np.sqrt(group.areas)[:, None])[shown])
    tenth = np.minimum((np.array(confidence) * 10).astype(int), 9)
    return " ".join(
        f".{i}: {np.mean(np.array(right)[tenth == i]):.2f} ({(tenth == i).sum()})" for i in np.unique(tenth)
    )


def compare(name: str, groups: Sequence[Group], sheets: Path | None) -> None:
    """Print the table of one source of groups; draw them where asked."""
    for fast in (True, False):
        finder = PersonFinder.default(fast)
        title = f"{name}, {'Lightning' if fast else 'Thunder'}"
        plain = finder.keypoints.estimate
        apart = partial(estimate_apart, finder.keypoints)
        print(title)
        print("  true boxes, plain    ", given_boxes(groups, plain))
        print("  true boxes, apart    ", given_boxes(groups, apart))
        print("  detected, plain      ", end_to_end(groups, without_help(finder)))
        print("  detected, apart      ", end_to_end(groups, finder.find))
        print("  confidence: right (of)", reliability(groups, finder))
        if sheets:
            crowded = [group for group in groups if len(group.boxes_px) > 1][:12]
            before = [drawn(group.image, without_help(finder)(group.image)) for group in crowded]
            after = [drawn(group.image, finder.find(group.image)) for group in crowded]
            rows = [
                np.hstack(row[i : i + 4])
                for i in range(0, len(crowded) // 4 * 4, 4)
                for row in (before, after)
            ]
            path = sheets / f"{title.replace(', ', '-').replace(' ', '-')}.png"
            cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))
            print(f"  drawn in {path.name}: rows in pairs, plain above apart")


def drawn(image: np.ndarray, people: Detections, size: int = 420) -> np.ndarray:
    """The people of the picture in a square tile, cut around them; faint boxes and joints are left out."""
    picture = image.copy()
    sure = people[people.scores > 0.4]
    for i, (box, points) in enumerate(zip(sure.boxes_px, sure.keypoints, strict=True)):
        hue = np.array([[[i * 47 % 180, 255, 255]]], np.uint8)
        colour = tuple(int(v) for v in cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0])
        width = max(1, int(max(image.shape) / 400))
        cv2.rectangle(picture, box[:2].astype(int).tolist(), box[2:].astype(int).tolist(), colour, width)
        for a, b in LIMBS:
            if min(points[a, 2], points[b, 2]) > 0.3:
                start, end = (points[j, :2].astype(int).tolist() for j in (a, b))
                cv2.line(picture, start, end, colour, 2 * width)
    low, high = (0, 0), image.shape[1::-1]
    if len(sure):
        low = np.maximum(sure.boxes_px[:, :2].min(0) - 20, 0).astype(int)
        high = np.minimum(sure.boxes_px[:, 2:].max(0) + 20, high).astype(int)
    return cv2.resize(picture[low[1] : high[1], low[0] : high[0]], (size, size))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--video", type=Path, help="with --pictures: also groups composed from it (static camera)"
    )
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--pictures", type=Path, help="folder of mmpose's test pictures and annotations")
    parser.add_argument("--sheets", type=Path, help="folder to draw into")
    options = parser.parse_args()
    if options.pictures:
        compare("annotated", list(annotated_pictures(options.pictures)), options.sheets)
        if options.video:
            compare("composed", composed_groups(options.video, 120), options.sheets)
    elif options.video:
        speed(options.video, options.frames)
    else:
        parser.error("name a --video or --pictures")


if __name__ == "__main__":
    main()
