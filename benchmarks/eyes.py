"""What networks of the eyes are worth by themselves, on labelled pictures that nobody trains on.

    python benchmarks/eyes.py --footage DIR --eyes lightning thunder tinypose.onnx --detector nanodet picodet.onnx

Keypoint networks are given the boxes of people, and neighbours are not painted over: OKS over all labelled keypoints,
PCK at .05 and .1 as of ``choros bench real``, and whose keypoints lie on a neighbour
(`choros.keypoints.on_a_neighbour`). Of detectors it tells how many of the labelled people of 60 px and more they find,
with an overlap of a half and a score of .4, and how many boxes they give in all; not everybody in these pictures is
labelled.
``--sheet`` draws the keypoints of each network on two pictures, or on those that ``--pictures`` names.
"""

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from detection_groups import annotated_pictures
from numpy.typing import NDArray

from choros.cli.eyes import detector_named, eyes_named
from choros.crops import CropSpec
from choros.devices import CPU
from choros.evaluation.real.people import Floats, likeness_to, relative_errors, share_within
from choros.evaluation.real.pictures import LabelledPicture, read_coco_pictures, read_lsp, read_picture
from choros.keypoints import box_iou, box_overlap, on_a_neighbour

LIMBS = [
    (0, 5), (0, 6), (5, 6), (5, 11), (6, 12), (11, 12),
    (5, 7), (7, 9), (6, 8), (8, 10), (11, 13), (13, 15), (12, 14), (14, 16),
]  # fmt: skip
SCORE, OVERLAP, LEAST_PX = 0.4, 0.5, 60.0
CROP = CropSpec((192, 256), 1.25)  # what is taken for somebody's surroundings, whatever a network is shown


class Shot(NamedTuple):
    """A picture and its n labelled people."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    boxes_px: Floats  # (n, 4)
    keypoints_px: Floats  # (n, 17, 3) x, y, 1 where labelled
    areas_px: Floats  # (n,) for OKS

    @property
    def crowded(self) -> NDArray[np.bool_]:
        """Whose crop another one's box reaches into, (n,)."""
        crops = CROP.around(self.boxes_px)
        cuts = np.concatenate([crops.corner_px, crops.corner_px + crops.extent_px], -1)
        reached = box_overlap(cuts, self.boxes_px) > 0
        return np.asarray((reached & ~np.eye(len(reached), dtype=bool)).any(-1))


def shots_of(pictures: Iterable[LabelledPicture]) -> Iterator[Shot]:
    for picture in pictures:
        asked = picture.asked
        yield Shot(
            read_picture(picture.image),
            picture.boxes_px[asked],
            picture.keypoints_px[asked],
            picture.area_px[asked],
        )


def shots_of_fixtures(folder: Path) -> Iterator[Shot]:
    for group in annotated_pictures(folder):
        yield Shot(group.image, group.boxes_px.astype(np.float64), group.keypoints, group.areas)


def keypoints(name: str, sets: dict[str, list[Shot]]) -> None:
    """One line for each set: OKS, PCK, and whose keypoints lie on a neighbour; and milliseconds of a core a person."""
    eyes, spent_s = eyes_named(name, CPU), []
    for title, shots in sets.items():
        errors, alike, stolen, crowded = [], [], [], []
        for shot in shots:
            began = time.process_time()
            found = eyes.estimate(shot.image, shot.boxes_px)
            spent_s.append((time.process_time() - began) / len(found))
            points = found[..., :2].astype(np.float64)
            side = (shot.boxes_px[:, 2:] - shot.boxes_px[:, :2]).max(-1)
            errors.append(relative_errors(points, shot.keypoints_px, side))
            alike.append(likeness_to(points, shot.keypoints_px, shot.areas_px))
            stolen.append(on_a_neighbour(found, shot.keypoints_px, shot.areas_px))
            crowded.append(shot.crowded)
        near, all_errors = np.concatenate(crowded), np.concatenate(errors)
        pck = " / ".join(f"{share_within(all_errors, limit):.3f}" for limit in (0.05, 0.1))
        print(
            f"{Path(name).stem:24s} {title:13s} {len(near):4d} people  OKS {np.mean(np.concatenate(alike)):.3f}  "
            f"PCK@.05 / .1 {pck}  on a neighbour "
            f"{int(np.concatenate(stolen).sum())} of {int(near.sum())} in whose crop others are",
            flush=True,
        )
    print(f"{Path(name).stem:24s} {1000 * float(np.median(spent_s)):6.1f} ms of a core a person", flush=True)


def speed(names: list[str], shots: list[Shot], counts: Sequence[int] = (1, 4, 8), times: int = 25) -> None:
    """Milliseconds of a core a person, the median of runs in turn, for so many people of a picture at once."""
    networks = {name: eyes_named(name, CPU) for name in names}
    for count in counts:
        boxes = np.concatenate([shots[0].boxes_px] * count)[:count]
        spent: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(times):
            for name, eyes in networks.items():
                began = time.process_time()
                eyes.estimate(shots[0].image, boxes)
                spent[name].append(time.process_time() - began)
        line = ", ".join(f"{Path(n).stem} {1000 * float(np.median(t)) / count:.2f}" for n, t in spent.items())
        print(f"{count} people: {line} ms of a core a person")


def detector(name: str, sets: dict[str, list[LabelledPicture]]) -> None:
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


def sheet(names: list[str], pictures: list[LabelledPicture], path: Path, side: int = 480) -> None:
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
    if options.eyes:
        shots = {name: list(shots_of(pictures)) for name, pictures in sets.items()}
        fixtures = list(shots_of_fixtures(options.footage / "pictures/mmpose_fixtures"))
        for name in options.eyes:
            keypoints(name, {"fixtures": fixtures} | shots)
        speed(options.eyes, shots["coco_bysa"])
    for name in options.detector:
        detector(name, sets)
    if options.sheet:
        some = [picture for picture in coco if picture.image.stem in options.pictures] or coco[:2]
        sheet(options.eyes, some, options.sheet)


if __name__ == "__main__":
    main()
