"""What it is worth to accept the suggestions of `choros edit`: IDF1 before and after, and how many merges are right.

On made-up scenes, filmed and tracked here or kept from before, and on vtest.avi with the truth of PETS09-S2L1:

    python benchmarks/suggestions.py --scenes longgone:930001:5 --keep DIR
    python benchmarks/suggestions.py --footage DIR [--motion vtest/motion.npz]

Each track belongs to the true person whom it shows most (IoU of .5); a merge is right if both belong to one. The
ceiling is IDF1 if everything that belongs to one person were merged. How often suggestions of a probability are right,
on true tracks of scenes that nobody filmed, torn where people are hidden, with clothes that are drawn:

    python benchmarks/suggestions.py --calibration longgone:940001:10 crossing:940101:6 crowd:940201:4 --keep DIR
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from choros import load
from choros.editing.replay import replay
from choros.editing.suggestions import SuggestionRules, accepted, among
from choros.editing.tracks import tracks_of
from choros.evaluation.real.tracking import TRUTH, VIDEO, Boxes, boxes_of, read_truth, rows_of_file, scores
from choros.keypoints import box_iou
from choros.motion import Motion
from choros.scenes import SceneConfig, make_scene
from choros.track_video import track_to_file
from choros.tracking.appearance import PARTS, Colours

SECONDS = {"longgone": 11.0, "crossing": 6.0, "crowd": 5.0}  # as the test sets of these kinds
TORN_S, SHORTEST_S = 0.6, 0.3  # hidden for longer is another track; shorter ones are none
BOX_NOISE = 0.03  # of the height
DRAWS = 5
TWINS = 0.3  # chance to be dressed as somebody else is


class Case(NamedTuple):
    """A tracked clip and its truth."""

    name: str
    motion: Motion
    video: Path
    truth: Boxes


def scenes(texts: list[str]) -> Iterator[tuple[str, int, float]]:
    for text in texts:
        kind, seed, count = text.split(":")
        for number in range(int(seed), int(seed) + int(count)):
            yield kind, number, SECONDS[kind]


def config(seconds: float) -> SceneConfig:
    return SceneConfig(960, 540, Fraction(25), seconds, device="cpu")


def filmed(kind: str, seed: int, seconds: float, keep: Path) -> Case:
    """As ``choros scenes make`` and ``choros track`` leave it; what is there already is not made again."""
    folder = keep / f"{kind}_{seed:06d}"
    video = folder / "video.mp4"
    if not (folder / "motion.npz").is_file():
        make_scene(kind, seed, config(seconds)).write(folder)
    if not (folder / "tracked" / "motion.npz").is_file():
        track_to_file(video, folder / "tracked" / "motion.npz", load)
    true = Motion.load(folder / "motion.npz")
    inside = true.where(
        (true.box_px[:, 2:] > 0).all(1) & (true.box_px[:, :2] < [true.width, true.height]).all(1)
    )
    return Case(folder.name, Motion.load(folder / "tracked"), video, boxes_of(inside.rows))


def vtest(footage: Path, motion: Path | None, keep: Path) -> Case:
    if motion is None:
        motion = keep / "vtest" / "motion.npz"
        if not motion.is_file():
            track_to_file(footage / VIDEO, motion, load)
    return Case(TRUTH.stem, Motion.load(motion), footage / VIDEO, read_truth(footage).boxes)


def owners(motion: Motion, truth: Boxes) -> dict[int, int]:
    """The true person of each track that shows somebody."""
    shown: dict[int, list[int]] = {}
    for frame in range(len(motion)):
        rows = motion.in_frame(frame)
        rows, true = rows[rows["visible"]], np.flatnonzero(truth.frame == frame)
        overlap = box_iou(rows["box_px"].astype(float), truth.box_px[true])
        for i, j in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[i, j] >= 0.5:
                shown.setdefault(int(rows["person"][i]), []).append(int(truth.person[true[j]]))
    return {track: max(set(people), key=people.count) for track, people in shown.items()}


def idf1(motion: Motion, truth: Boxes) -> float:
    return 100 * scores(truth, boxes_of(rows_of_file(motion)))["IDF1"]


def ceiling(motion: Motion, of: dict[int, int]) -> Motion:
    """Everything merged that belongs to one person."""
    from choros.editing.identities import merge

    for person in set(of.values()):
        tracks = [track for track, owner in of.items() if owner == person]
        if len(tracks) > 1:
            motion = merge(motion, tracks)
    return motion


def measure(cases: Iterator[Case], least: float) -> None:
    print(f"accepted from {least} on")
    print(
        f"{'clip':24} {'tracks':>6} {'IDF1':>6} {'after':>6} {'ceiling':>7} {'merges':>6} {'right':>5} {'wrong':>5}"
    )
    totals, gains = np.zeros(2, int), []
    for case in cases:
        motion = case.motion.settled()
        found = accepted(among(tracks_of(motion, case.video), SuggestionRules()), least, motion)
        of = owners(motion, case.truth)
        right = [of.get(each.earlier, -1) == of.get(each.later, -2) for each in found]
        after = replay(motion, [each.edit for each in found]).motion
        before, now, most = (idf1(one, case.truth) for one in (motion, after, ceiling(motion, of)))
        totals += [sum(right), len(right) - sum(right)]
        gains.append((before, now, most))
        print(
            f"{case.name:24} {len(motion.ids):6} {before:6.1f} {now:6.1f} {most:7.1f} {len(found):6} "
            f"{sum(right):5} {len(right) - sum(right):5}", flush=True,
        )  # fmt: skip
        for each, good in zip(found, right, strict=True):
            print(f"    {'right' if good else 'WRONG'}: {each}")
    before, now, most = np.mean(gains, axis=0)
    precision = f"{100 * totals[0] / totals.sum():.0f} %" if totals.sum() else "of nothing"
    print(
        f"mean IDF1 {before:.1f} -> {now:.1f} (ceiling {most:.1f}); precision {precision} of {totals.sum()} merges"
    )


# --- how often they are right --------------------------------------------------------------------------------------


def torn(truth: Motion, rng: np.random.Generator) -> tuple[Motion, dict[int, int]]:
    """True people in as many tracks as they are seen in one go, with noise on boxes; and whose each track is."""
    of, parts = {}, []
    for person in truth.people:
        rows, times_s = person.rows[person.visible], person.pts_s[person.visible]
        for part in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(times_s) > TORN_S) + 1):
            if len(part) and times_s[part[-1]] - times_s[part[0]] >= SHORTEST_S:
                of[len(of) + 1] = person.id
                track = rows[part].copy()
                track["person"] = len(of)
                height = track["box_px"][:, 3:] - track["box_px"][:, 1:2]
                track["box_px"] += rng.normal(0, BOX_NOISE, track["box_px"].shape) * height
                parts.append(track)
    rows = np.concatenate(parts)
    return replace(truth, rows=rows[np.lexsort((rows["person"], rows["frame"]))]), of


def clothes(people: set[int], rng: np.random.Generator, rules: SuggestionRules) -> dict[int, np.ndarray]:
    """Colours (parts, 3) of each person; some are dressed as somebody else."""
    drawn: dict[int, np.ndarray] = {}
    for person in sorted(people):
        if drawn and rng.random() < TWINS:
            drawn[person] = drawn[rng.choice(sorted(drawn))]
        else:
            drawn[person] = rng.normal(0, 1, (len(PARTS), 3)) * rules.lab_std_others / np.sqrt(2)
    return drawn


def calibration(texts: list[str], keep: Path) -> None:
    """By probability, how many pairs are told and how many are right; with clothes and without."""
    rules, rng = SuggestionRules(), np.random.default_rng(0)
    told: dict[bool, list[tuple[float, bool]]] = {True: [], False: []}
    for kind, seed, seconds in scenes(texts):
        path = keep / f"{kind}_{seed}.npz"
        if not path.is_file():
            make_scene(kind, seed, config(seconds)).truth.save(path)
        for _ in range(DRAWS):  # of boxes and clothes
            motion, of = torn(Motion.load(path), rng)
            dressed = clothes(set(of.values()), rng, rules)
            tracks = tracks_of(motion)
            for known in (True, False):
                seen = [
                    replace(track, colours=_worn(dressed[of[track.id]], rng, rules) if known else None)
                    for track in tracks
                ]
                told[known] += [
                    (one.probability, of[one.earlier] == of[one.later]) for one in among(seen, rules)
                ]
    for known, pairs in told.items():
        probability, right = (np.array(column) for column in zip(*pairs, strict=True))
        for low, high in ((0.9, 1.01), (0.7, 0.9), (0.5, 0.7), (0.2, 0.5), (0.02, 0.2)):
            here = (probability >= low) & (probability < high)
            share = f"{100 * right[here].mean():.1f} %" if here.any() else "-"
            print(f"{'clothes' if known else 'no clip'}  from {low:.2f}: {here.sum():4} told, {share} right")


def _worn(lab: np.ndarray, rng: np.random.Generator, rules: SuggestionRules) -> Colours:
    return Colours(lab + rng.standard_t(5, (1, len(PARTS), 3)) * rules.lab_std, np.ones((1, len(PARTS))))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", nargs="*", default=[], metavar="KIND:SEED:COUNT")
    parser.add_argument("--footage", type=Path)
    parser.add_argument("--motion", type=Path, help="of vtest.avi, tracked before")
    parser.add_argument("--calibration", nargs="*", default=[], metavar="KIND:SEED:COUNT")
    parser.add_argument("--keep", type=Path, default=Path("suggestions"))
    parser.add_argument("--least", type=float, default=0.9)
    given = parser.parse_args()
    if given.calibration:
        calibration(given.calibration, given.keep)
    if given.scenes:
        measure((filmed(*scene, given.keep) for scene in scenes(given.scenes)), given.least)
    if given.footage:
        measure(iter([vtest(given.footage, given.motion, given.keep)]), given.least)


if __name__ == "__main__":
    main()
