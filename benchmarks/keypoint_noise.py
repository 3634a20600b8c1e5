"""What MoveNet does to the keypoints of real people, beside what the lifter's training makes of true ones.

    python benchmarks/keypoint_noise.py FOOTAGE [--people 400]

``FOOTAGE`` is a folder with annotations of COCO's form (a ``*keypoints.json``) and their pictures below it. Both
networks are run on the true boxes, and once more on the pictures with a part of each person cut off; the model
is given the same true keypoints. Errors are shares of the person's longer side, in percent. Every row has the
real number, then the modelled one. At the end, whether confidences are the chance that a keypoint is right, and
whether ``keypoint_std`` is what keypoints are off.
"""

import argparse
import dataclasses
import json
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from choros.detection import MoveNet
from choros.detection.neighbours import estimate_apart
from choros.keypoints import keypoint_std
from choros.training.lifter.keypoint_noise import LIGHTNING, OTHER_SIDE, THUNDER, KeypointNoise, corrupt
from choros.training.lifter.network_errors import GROUP

NAMES = ("face", "shoulders", "elbows", "wrists", "hips", "knees", "ankles")
NETWORKS = {"thunder": THUNDER, "lightning": LIGHTNING}
CONFIDENCES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.01)
BEYOND = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8)
COPIES = 10  # of the model for every person
TORSOS_LONG = 2.85  # longer side of a whole person over shoulders to hips, the median of people of COCO


class Person(NamedTuple):
    """One annotated person."""

    picture: Path
    box_px: np.ndarray  # (4,) xyxy
    others_px: np.ndarray  # (n, 4)
    true: np.ndarray  # (17, 3) x_px, y_px, COCO's visibility: 2 seen, 1 guessed, 0 not annotated
    size_px: float
    whole: bool  # from the shoulders to the feet


def annotated_people(footage: Path) -> list[Person]:
    """People with shoulders and hips, 50 px and more."""
    found = []
    for file in sorted(footage.rglob("*keypoints.json")):
        coco = json.loads(file.read_text())
        pictures = {path.name: path for path in footage.rglob("*.jpg")}
        names = {image["id"]: (Path(image["file_name"]).name, image.get("width")) for image in coco["images"]}
        by_image: dict[int, list[dict]] = {}
        for note in coco["annotations"]:
            if note.get("num_keypoints") and not note.get("iscrowd"):
                by_image.setdefault(note["image_id"], []).append(note)
        for image, notes in by_image.items():
            name, width = names[image]
            if name not in pictures:
                continue
            scale = cv2.imread(str(pictures[name])).shape[1] / width if width else 1.0
            boxes = np.array([note["bbox"] for note in notes], float) * scale
            boxes[:, 2:] += boxes[:, :2]
            for i, note in enumerate(notes):
                true = np.array(note["keypoints"], float).reshape(17, 3) * [scale, scale, 1]
                seen = true[:, 2] > 0
                if not (seen[5:7].any() and seen[11:13].any()):
                    continue
                torso = mean_of(true, (5, 6)) - mean_of(true, (11, 12))
                whole = bool(seen[15:].any() and seen.sum() >= 12)
                size = max(
                    np.ptp(true[seen, :2], axis=0).max(), (not whole) * TORSOS_LONG * np.linalg.norm(torso)
                )
                if size >= 50:
                    others = np.delete(boxes, i, 0)
                    found.append(Person(pictures[name], boxes[i], others, true, float(size), whole))
    return found


def mean_of(true: np.ndarray, joints: tuple[int, ...]) -> np.ndarray:
    rows = true[list(joints)]
    return rows[rows[:, 2] > 0, :2].mean(0)


def cut(person: Person, rng: np.random.Generator) -> np.ndarray:  # (4,) xyxy px that are left
    """A random part of the person lost, more often the legs than the head or a side."""
    x0, y0, x1, y1 = np.maximum(person.box_px, 0)
    share = rng.uniform(0.25, 0.9)
    window = np.array([-1e6, -1e6, 1e6, 1e6])
    match rng.choice(4, p=(0.6, 0.1, 0.15, 0.15)):
        case 0:
            window[3] = round(y0 + share * (y1 - y0))
        case 1:
            window[1] = round(y1 - share * (y1 - y0))
        case 2:
            window[2] = round(x0 + share * (x1 - x0))
        case _:
            window[0] = round(x1 - share * (x1 - x0))
    return window


def reported(person: Person, network: MoveNet, window: np.ndarray) -> np.ndarray | None:
    """Keypoints (17, 3) by the network on what ``window`` leaves of the picture; None if that is nothing."""
    image = cv2.cvtColor(cv2.imread(str(person.picture)), cv2.COLOR_BGR2RGB)
    size = np.array(image.shape[1::-1], float)
    x0, y0, x1, y1 = (
        int(v) for v in np.concatenate([np.maximum(window[:2], 0), np.minimum(window[2:], size)])
    )
    boxes = np.concatenate([person.box_px[None], person.others_px]) - np.tile([x0, y0], 2)
    boxes = np.clip(boxes, 0, np.tile([x1 - x0, y1 - y0], 2))
    if (boxes[0, 2:] - boxes[0, :2]).min() < 20:
        return None
    near = boxes[(boxes[:, 2:] - boxes[:, :2]).min(-1) >= 1].astype(np.float32)
    keypoints = estimate_apart(network, np.ascontiguousarray(image[y0:y1, x0:x1]), near)[0].astype(float)
    return keypoints + np.array([x0, y0, 0])


def modelled(person: Person, noise: KeypointNoise, window: np.ndarray) -> np.ndarray:  # (COPIES, 17, 3)
    """The same by the model, keypoints hidden where the annotators had to guess."""
    true = person.true[:, :2].copy()
    for joint in np.flatnonzero(person.true[:, 2] == 0):  # some place, not scored
        other = OTHER_SIDE[joint]
        true[joint] = true[other] if person.true[other, 2] else mean_of(person.true, tuple(range(17)))
    size = np.ptp(true, axis=0).max()
    noise = dataclasses.replace(noise, bias_share=0.0, occluder_rate=0.0, person_px=(person.size_px,) * 2)
    both = []
    for rate in (0.0, 2.0):
        plain = dataclasses.replace(noise, hidden_rate=(rate,) * 7)
        many = np.broadcast_to(true / size, (COPIES, 1, 17, 2))
        windows = np.broadcast_to(window / size, (COPIES, 4))
        rng = np.random.default_rng([len(both), int(person.size_px), int(1e3 * person.true[5, 0])])
        both.append(
            corrupt(rng, many, np.full((COPIES, 1, 17), 5.0), windows, np.full(COPIES, 0.1), plain)[:, 0]
        )
    result = np.where(person.true[:, 2:] == 1, both[1], both[0])
    return result * [size, size, 1]


class Sample(NamedTuple):
    """Keypoints of many people; the model's repeat the people ``COPIES`` times."""

    keypoints: np.ndarray  # (n, 17, 3)
    true: np.ndarray  # (n, 17, 3)
    size: np.ndarray  # (n,)
    window: np.ndarray  # (n, 4)
    whole: np.ndarray  # (n,)

    @property
    def error(self) -> np.ndarray:  # (n, 17) shares of the size
        return np.linalg.norm(self.keypoints[..., :2] - self.true[..., :2], axis=-1) / self.size[:, None]

    @property
    def beyond(self) -> np.ndarray:  # (n, 17) outside the window, shares of the size
        low, high = (
            self.window[:, None, :2] - self.true[..., :2],
            self.true[..., :2] - self.window[:, None, 2:],
        )
        return np.maximum(low, high).max(-1) / self.size[:, None]


def samples(people: list[Person], name: str, windows: list[np.ndarray]) -> tuple[Sample, Sample]:
    """Real and modelled."""
    network = MoveNet(name, threads=1)  # type: ignore[arg-type]
    real: list[tuple] = []
    model: list[tuple] = []
    for person, window in zip(people, windows, strict=True):
        found = reported(person, network, window)
        if found is None:
            continue
        rest = (person.true, person.size_px, window, person.whole)
        real.append((found, *rest))
        model += [(copy, *rest) for copy in modelled(person, NETWORKS[name], window)]
    return Sample(*map(np.array, zip(*real, strict=True))), Sample(*map(np.array, zip(*model, strict=True)))


def quantiles(values: np.ndarray, *shares: float, percent: bool = True) -> str:
    if len(values) < 8:
        return "-"
    numbers = np.quantile(values, shares) * (100 if percent else 1)
    return " ".join(f"{number:.1f}" if percent else f"{number:.2f}" for number in numbers)


def by_group(real: Sample, model: Sample, title: str) -> Table:
    table = Table(title=title)
    for column in (
        "",
        "keypoints",
        "error 25 50 75 90 %",
        "model",
        "off .1",
        "model",
        "confidence 10 50 90",
        "model",
    ):
        table.add_column(column)
    for group, name in enumerate(NAMES):
        for visibility, word in ((2, "seen"), (1, "guessed")):
            parts = []
            for sample in (real, model):
                chosen = (sample.true[..., 2] == visibility) & (group == GROUP)
                error, confidence = sample.error[chosen], sample.keypoints[chosen, 2]
                parts.append(
                    (
                        quantiles(error, 0.25, 0.5, 0.75, 0.9),
                        f"{(error > 0.1).mean():.3f}",
                        quantiles(confidence, 0.1, 0.5, 0.9, percent=False),
                    )
                )
            count = int(((real.true[..., 2] == visibility) & (group == GROUP)).sum())
            table.add_row(
                f"{name}, {word}", str(count), *(cell for pair in zip(*parts, strict=True) for cell in pair)
            )
    return table


def by_confidence(real: Sample, model: Sample, title: str) -> Table:
    table = Table(title=title)
    for column in (
        "confidence",
        "share",
        "model",
        "error 25 50 75 90 %",
        "model",
        "right at .1",
        "model",
        "within 1 2 3 std",
    ):
        table.add_column(column)
    for low, high in pairwise(CONFIDENCES):
        parts, within = [], ""
        for sample in (real, model):
            known = sample.true[..., 2] > 0
            confidence = sample.keypoints[..., 2]
            chosen = known & (confidence >= low) & (confidence < high)
            error = sample.error[chosen]
            right = f"{(error < 0.1).mean():.2f}" if len(error) else "-"
            parts.append((f"{chosen.sum() / known.sum():.3f}", quantiles(error, 0.25, 0.5, 0.75, 0.9), right))
            if sample is real:
                off = error / keypoint_std(confidence)[chosen]
                within = " ".join(f"{(off < stds).mean():.2f}" for stds in (1, 2, 3))
        table.add_row(
            f"{low} to {high}", *(cell for pair in zip(*parts, strict=True) for cell in pair), within
        )
    table.caption = "Gaussian errors are within 1, 2, 3 standard deviations per axis in .39 .86 .99"
    return table


def sides(real: Sample, model: Sample, title: str) -> Table:
    """Pairs nearer to each other's truth than to their own by half, and pairs that lie on one place; percent."""
    table = Table(title=title)
    for column in ("whole people", "swapped", "model", "on one place", "model"):
        table.add_column(column)
    for left, name in zip(range(5, 17, 2), NAMES[1:], strict=True):
        cells = []
        for sample in (real, model):
            pair = [left, left + 1]
            whole = sample.whole & (sample.true[:, pair, 2] > 0).all(-1)
            k, t = sample.keypoints[whole][:, pair, :2], sample.true[whole][:, pair, :2]
            size = sample.size[whole]
            own = np.sqrt(((k - t) ** 2).sum((-1, -2))) / size
            other = np.sqrt(((k - t[:, ::-1]) ** 2).sum((-1, -2))) / size
            apart = np.linalg.norm(t[:, 0] - t[:, 1], axis=-1) / size
            found = np.linalg.norm(k[:, 0] - k[:, 1], axis=-1) / size
            swapped, one = (apart > 0.05) & (other < 0.5 * own), (apart > 0.1) & (found < 0.04)
            cells.append((f"{100 * swapped.mean():.1f}", f"{100 * one.mean():.1f}"))
        table.add_row(name, *(cell for pair in zip(*cells, strict=True) for cell in pair))
    failed = []
    for sample in (real, model):
        error = np.where(sample.true[..., 2] > 0, sample.error, np.nan)[sample.whole]
        failed.append(f"{100 * (np.nanmedian(error, 1) > 0.1).mean():.1f}")
    table.caption = f"People with half of their keypoints off by .1: {failed[0]} %, model {failed[1]} %"
    return table


def cut_off(real: Sample, model: Sample, title: str) -> Table:
    """What is reported for keypoints outside the picture."""
    table = Table(title=title)
    for column in ("outside by", "keypoints", "error 50 90 %", "model", "confidence 10 50 90", "model"):
        table.add_column(column)
    for low, high in pairwise(BEYOND):
        parts = []
        for sample in (real, model):
            chosen = (sample.true[..., 2] > 0) & (sample.beyond > low) & (sample.beyond <= high)
            confidence = quantiles(sample.keypoints[chosen, 2], 0.1, 0.5, 0.9, percent=False)
            parts.append((quantiles(sample.error[chosen], 0.5, 0.9), confidence))
        count = int(((real.true[..., 2] > 0) & (real.beyond > low) & (real.beyond <= high)).sum())
        table.add_row(
            f"{low} to {high}", str(count), *(cell for pair in zip(*parts, strict=True) for cell in pair)
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("footage", type=Path)
    parser.add_argument("--people", type=int, default=10_000, help="at most so many")
    options = parser.parse_args()
    people = annotated_people(options.footage)[: options.people]
    if not people:
        raise SystemExit(f"No annotated people with pictures below {options.footage}.")
    console = Console(width=150)
    everywhere = np.array([-1e6, -1e6, 1e6, 1e6])
    rng = np.random.default_rng(0)
    whole = [person for person in people if person.whole]
    windows = [cut(person, rng) for person in whole]
    console.print(f"{len(people)} people, {len(whole)} of them whole")
    for name in NETWORKS:
        pair = samples(people, name, [everywhere] * len(people))
        console.print(by_group(*pair, f"{name}: errors and confidences"))
        console.print(by_confidence(*pair, f"{name}: error given confidence"))
        console.print(sides(*pair, f"{name}: sides, percent of people"))
        console.print(cut_off(*samples(whole, name, windows), f"{name}: people of whom a part is cut off"))


if __name__ == "__main__":
    main()
