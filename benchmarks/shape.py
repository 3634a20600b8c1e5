"""Statures on scenes and outlines on pictures and clips, with shapes estimated and with the mean shape, in one run.

Run ``python benchmarks/shape.py --scenes crossing:900505:4 easy:900502:2 --pictures DIR --clips FILE...``

Scenes: everybody is found and followed with the true K; of each track that lasts, the stature at its end against
the truth (barefoot, the body's own). Pictures: a folder of mmpose's test fixtures; people with an outline drawn
by annotators, taller than 200 px and whole enough, are given as boxes and looked at for three seconds, as of a clip
that stands still. Clips: people who stand alone, judged by the segmenter every .7 s.
"""

import argparse
import dataclasses
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

import choros
from choros.body.shape_filter import Shapes
from choros.detection import Detections
from choros.detection.silhouette import Segmenter
from choros.keypoints import box_iou
from choros.lifter.affinity import FrameDetections
from choros.lifter.config import LifterSystemConfig
from choros.lifter.shape_estimator import ShapeRules
from choros.lifter.system import LifterSystem
from choros.mesh.rasteriser import Canvas
from choros.scenes import SceneConfig, make_scene
from choros.tracking.appearance import read_colours
from choros.tracking.online import FrameFeatures

MEAN = ShapeRules(limit=0.0)  # everybody keeps the mean shape
CLOSE_PX = 200.0
STILL_S, STEP_S = 3.0, 0.1


def drawn(
    system: LifterSystem, shapes: Shapes, row: np.void, K: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Where a row's body is in the picture, (H, W) bool."""
    turns = Rotation.from_rotvec(np.r_[row["global_orient"], row["body_pose"]].reshape(24, 3)).as_matrix()
    vertices = shapes.vertices_of(
        np.r_[row["betas"], row["kid"]].astype(float), turns, row["transl"].astype(float)
    )
    canvas = Canvas(*size)
    canvas.draw(0, vertices, system.body.faces.numpy(), K, cull_back=True)
    return canvas.mesh >= 0


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def statures(
    system: LifterSystem, shapes: Shapes, kind: str, seed: int, seconds: float
) -> list[tuple[float, ...]]:
    """True, estimated, claimed error and sights of each track of a scene, metres."""
    scene = make_scene(kind, seed, SceneConfig(fps=Fraction(25, 2), seconds=seconds, device="cpu"))
    truth = scene.arrays
    stream = system.stream(scene.cameras.K[0])
    votes: dict[int, list[int]] = {}
    found: dict[int, tuple[float, float]] = {}
    for i, image in enumerate(scene.frames()):
        rows = stream.update(image, float(scene.times_s[i])).rows
        rows = rows[rows["visible"]]
        found |= stream.statures()
        overlap = box_iou(rows["box_px"].astype(float), truth.box_px[i].astype(float))
        for row, likeness in zip(rows, overlap, strict=True):
            if likeness.max(initial=0) > 0.5:
                votes.setdefault(int(row["person"]), []).append(int(likeness.argmax()))
    out = []
    for person, seen_as in votes.items():
        if len(seen_as) >= 12:
            who = np.bincount(seen_as).argmax()
            true = shapes.stature @ np.r_[1.0, truth.betas[who], truth.kid[who]]
            out.append((float(true), *found[person], len(seen_as)))
    return out


def annotated(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray, list[np.ndarray]]]:
    """Pictures (H, W, 3) RGB with boxes (n, 4) xyxy and masks (H, W) bool of the people annotated with both."""
    for name in ("coco", "ochuman"):
        file = folder / name / f"test_{name}.json"
        record = json.loads(file.read_text())
        for picture in record["images"]:
            path = folder / name / picture["file_name"]
            image = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
            people = [a for a in record["annotations"] if a["image_id"] == picture["id"]]
            people = [a for a in people if a["num_keypoints"] >= 10]
            boxes = np.array([a["bbox"] for a in people], float)
            boxes[:, 2:] += boxes[:, :2]
            yield image, boxes, [mask_of(a["segmentation"], image.shape[:2]) for a in people]


def mask_of(segmentation: dict | list, shape: tuple[int, int]) -> np.ndarray:
    """COCO's polygons or run lengths as (H, W) bool."""
    if isinstance(segmentation, list):
        mask = np.zeros(shape, np.uint8)
        cv2.fillPoly(mask, [np.round(np.reshape(part, (-1, 2))).astype(int) for part in segmentation], 1)
        return mask > 0
    counts = segmentation["counts"]
    if isinstance(counts, str):
        counts = _runs(counts)
    flat = np.repeat(np.arange(len(counts)) % 2, counts)
    return flat.reshape(shape[::-1]).T > 0


def _runs(text: str) -> list[int]:
    """COCO's compressed run lengths: five bits a character, differences to the run before last from the third on."""
    runs: list[int] = []
    value = shift = 0
    for character in text.encode():
        bits = character - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) << (shift - 4) if bits & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def pictures(system: LifterSystem, shapes: Shapes, folder: Path) -> list[float]:
    """IoU of body and annotated mask of each close person."""
    out = []
    for image, boxes, masks in annotated(folder):
        close = boxes[:, 3] - boxes[:, 1] >= CLOSE_PX
        if not close.any():
            continue
        stream = system.stream()
        rows = stream.begin(image, boxes, 0.0).rows
        size, keypoints = image.shape[1::-1], rows["keypoints_px"]
        people = Detections(boxes.astype(np.float32), np.ones(len(boxes), np.float32), keypoints)
        found = FrameDetections(people, read_colours(image, keypoints.astype(float), 0.3), image)
        given = FrameFeatures(found, *size)
        for step in range(1, int(STILL_S / STEP_S)):
            rows = stream.step(given, step * STEP_S).rows
        out += [iou(drawn(system, shapes, rows[i], stream.K, size), masks[i]) for i in np.flatnonzero(close)]
    return out


def clip(system: LifterSystem, shapes: Shapes, path: Path, segmenter: Segmenter) -> list[float]:
    """IoU of body and the segmenter's mask, in the person's crop, of close people who stand alone, every .7 s."""
    out, looked_s = [], -np.inf
    with choros.open_video(path) as video:
        stream = system.stream()
        for frame in video:
            rows = stream.update(frame.image, frame.pts_s).rows
            if frame.pts_s - looked_s < 0.7 or frame.pts_s < 1.0:
                continue
            looked_s = frame.pts_s
            rows = rows[rows["visible"]]
            boxes = rows["box_px"].astype(float)
            for row, box in zip(rows, boxes, strict=True):
                if box[3] - box[1] < CLOSE_PX or (box_iou(box[None], boxes) > 0.03).sum() > 1:
                    continue
                seen = segmenter.silhouette(frame.image, box)
                body = drawn(system, shapes, row, seen.K(stream.K), seen.person.shape)
                out.append(iou(body, seen.person > 0.5))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", nargs="*", default=[], metavar="KIND:SEED[:COUNT]")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--clips", type=Path, nargs="*", default=[])
    parser.add_argument("--accurate", action="store_true")
    options = parser.parse_args()
    config = LifterSystemConfig(accurate=options.accurate)
    systems = {
        "estimated": LifterSystem(config),
        "mean shape": LifterSystem(dataclasses.replace(config, shape=MEAN)),
    }
    shapes, segmenter = Shapes.of(systems["estimated"].body), Segmenter()
    console = Console(width=140)

    if options.scenes:
        table = Table(
            "scene", "tracks", "stature error cm", "of the mean shape", "claimed cm", title="statures"
        )
        everything = []
        for spec in options.scenes:
            kind, seed, *count = spec.split(":")
            for n in range(int(count[0]) if count else 1):
                found = statures(systems["estimated"], shapes, kind, int(seed) + n, options.seconds)
                everything += found
                table.add_row(f"{kind}:{int(seed) + n}", *_stature_cells(np.array(found), shapes))
        table.add_row("all", *_stature_cells(np.array(everything), shapes))
        console.print(table)
    if options.pictures or options.clips:
        table = Table("footage", "people or looks", *(f"IoU, {name}" for name in systems), title="outlines")
        if options.pictures:
            ious = [pictures(system, shapes, options.pictures) for system in systems.values()]
            table.add_row("pictures", str(len(ious[0])), *(f"{np.mean(one):.3f}" for one in ious))
        for path in options.clips:
            ious = [clip(system, shapes, path, segmenter) for system in systems.values()]
            table.add_row(path.name, str(len(ious[0])), *(f"{np.mean(one):.3f}" for one in ious))
        console.print(table)


def _stature_cells(found: np.ndarray, shapes: Shapes) -> list[str]:
    true, estimated, claimed, _ = found.T
    return [
        str(len(found)),
        f"{100 * np.abs(estimated - true).mean():.1f}",
        f"{100 * np.abs(shapes.stature[0] - true).mean():.1f}",
        f"{100 * claimed.mean():.1f}",
    ]


if __name__ == "__main__":
    main()
