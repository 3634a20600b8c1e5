"""What networks of the eyes are worth by themselves, on labelled pictures that nobody trains on.

    python benchmarks/eyes.py --footage DIR --eyes lightning thunder tinypose.onnx --detector nanodet picodet.onnx

Keypoint networks are given the boxes of people, and neighbours are not painted over: PCK at .05 and .1 as of
``choros bench real``. Of detectors it tells how many of the labelled people of 60 px and more they find, with an
overlap of a half and a score of .4, and how many boxes they give in all; not everybody in these pictures is labelled.
``--sheet`` draws the keypoints of each network on two pictures, or on those that ``--pictures`` names.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from choros.cli.eyes import detector_named, eyes_named
from choros.devices import CPU
from choros.evaluation.real.people import relative_errors, share_within
from choros.evaluation.real.pictures import read_coco_pictures, read_lsp, read_picture
from choros.keypoints import box_iou
from choros.video.frame import Picture

LIMBS = [
    (0, 5), (0, 6), (5, 6), (5, 11), (6, 12), (11, 12),
    (5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16),
]  # fmt: skip
SCORE, OVERLAP, LEAST_PX = 0.4, 0.5, 60.0


def keypoints(name: str, sets: dict[str, list[Picture]]) -> None:
    """One line: PCK on every set, and milliseconds of a core a person."""
    eyes, cells, spent_s = eyes_named(name, CPU), [], []
    for pictures in sets.values():
        errors = []
        for picture in pictures:
            image = read_picture(picture.image)
            began = time.process_time()
            found = eyes.estimate(image, picture.boxes_px)
            spent_s.append((time.process_time() - began) / len(found))
            points = found[..., :2].astype(np.float64)
            errors.append(relative_errors(points, picture.keypoints_px, picture.size_px)[picture.asked])
        together = np.concatenate(errors)
        cells += [f"{share_within(together, limit):.3f}" for limit in (0.05, 0.1)]
    print(
        f"{Path(name).stem:24s}",
        *cells,
        f"{1000 * float(np.median(spent_s)):6.1f} ms of a core a person",
        flush=True,
    )


def detector(name: str, sets: dict[str, list[Picture]]) -> None:
    """One line: people found and boxes given on every set."""
    finds, cells, spent_s = detector_named(name, CPU), [], []
    for pictures in sets.values():
        hit = asked = given = 0
        for picture in pictures:
            image = read_picture(picture.image)
            began = time.process_time()
            boxes, scores = finds.detect(image)
            spent_s.append(time.process_time() - began)
            tall = picture.asked & (picture.boxes_px[:, 3] - picture.boxes_px[:, 1] >= LEAST_PX)
            boxes = boxes[scores >= SCORE]
            hit += int((box_iou(picture.boxes_px[tall], boxes).max(-1, initial=0) > OVERLAP).sum())
            asked, given = asked + int(tall.sum()), given + len(boxes)
        cells.append(f"found {hit / asked:.3f} of {asked}, boxes {given}")
    print(
        f"{Path(name).stem:24s}",
        *cells,
        f"{1000 * float(np.median(spent_s)):6.1f} ms of a core a picture",
        sep="  ",
        flush=True,
    )


def sheet(names: list[str], pictures: list[Picture], path: Path, side: int = 480) -> None:
    """A row for each network with its keypoints on the pictures, those that it is sure of brighter."""
    rows = []
    for name in names:
        eyes, tiles = eyes_named(name, CPU), []
        for picture in pictures:
            image = read_picture(picture.image)
            scale = side / max(image.shape[:2])
            shown = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            for person, points in enumerate(eyes.estimate(image, picture.boxes_px)):
                colour = [
                    int(c) for c in cv2.applyColorMap(np.uint8([[37 * person % 256]]), cv2.COLORMAP_HSV)[0, 0]
                ]
                at = [tuple(np.int64(np.round(point * scale))) for point in points[:, :2]]
                for a, b in LIMBS:
                    if min(points[a, 2], points[b, 2]) > 0.3:
                        cv2.line(shown, at[a], at[b], colour, 2, cv2.LINE_AA)
                for point, sure in zip(at, points[:, 2], strict=True):
                    cv2.circle(
                        shown, point, 3, (255, 255, 255) if sure > 0.5 else (120, 120, 120), -1, cv2.LINE_AA
                    )
            tile = np.zeros((side, side, 3), np.uint8)
            tile[: shown.shape[0], : shown.shape[1]] = shown
            tiles.append(tile)
        row = np.hstack(tiles)
        cv2.putText(row, Path(name).stem, (8, side - 12), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (255, 255, 0), 2)
        rows.append(row)
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])
    print(path)


def main() -> None:
    """Measure what was named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--footage", type=Path, required=True, help="as for choros bench real")
    parser.add_argument("--eyes", nargs="*", default=[])
    parser.add_argument("--detector", nargs="*", default=[])
    parser.add_argument("--sheet", type=Path)
    parser.add_argument(
        "--pictures", nargs="*", default=[], help="names of those to draw, else the first two"
    )
    options = parser.parse_args()
    folder = options.footage / "real/coco_bysa"
    coco = read_coco_pictures(folder / "person_keypoints.json", folder / "images")
    sets = {"coco_bysa": coco, "lsp_extended": read_lsp(options.footage / "real/lsp_extended")}
    people = {name: sum(int(picture.asked.sum()) for picture in some) for name, some in sets.items()}
    print(", ".join(f"{name}: {count} people" for name, count in people.items()))
    for name in options.eyes:
        keypoints(name, sets)
    for name in options.detector:
        detector(name, sets)
    if options.sheet:
        some = [picture for picture in coco if picture.image.stem in options.pictures] or coco[:2]
        sheet(options.eyes, some, options.sheet)


if __name__ == "__main__":
    main()
