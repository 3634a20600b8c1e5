"""The pose transformer on motion it never saw: predictions and gaps, against what needs no learning and the infiller.

    python benchmarks/pose_transformer.py --mocap ../shared/assets/mocap

Held-out clips at 30 frames/s before a camera 5 m away. From up to 128 frames the pose 1, 5, 10 and 25 frames later is
said, and gaps of 5 to 60 frames are filled, from observations as they are and with the errors of tracking on them.
Mean distance of the 24 joints to the truth, mm: about the pelvis in its own axes ("body", which is all that GLAMR's
infiller says), about the pelvis in the camera's ("turned"), and of the pelvis ("place").
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from choros.datasets.mocap import MocapClip, learned_and_held_out, load_packed
from choros.fourdhumans.pose_tracks import PoseTrack
from choros.fourdhumans.pose_transformer import PoseTransformer
from choros.glamr.infiller import MotionInfiller
from choros.rotation import rotmat_slerp, rotmat_to_columns
from choros.training.pose_transformer.losses import joints_of
from choros.training.pose_transformer.track_noise import TYPICAL
from choros.training.pose_transformer.track_windows import Track, captured, tracked

AHEAD = (1, 5, 10, 25)  # frames
GAPS = (5, 10, 20, 40, 60)
HISTORY, SHORTEST_HISTORY, AFTER = 128, 10, 30  # frames before, at least, and after a gap
EVERY = 20  # frames from one case to the next
CAMERA_M = torch.tensor([0.0, 0.0, 5.0])
STEP_S = 1 / 30


class Case(NamedTuple):
    """A track of which some frames were seen, and those that are asked for."""

    truth: PoseTrack
    shown: PoseTrack  # with errors
    seen: Tensor  # (T,) bool
    asked: Tensor  # (A,) frame numbers


class Answer(NamedTuple):
    """Joints and places in the asked frames, metres; what a method does not say is None."""

    body: Tensor  # (A, 24, 3)
    turned: Tensor | None  # (A, 24, 3)
    place: Tensor | None  # (A, 3)


def cases_of(tracks: list[Track], gap: int, noisy: bool) -> list[Case]:
    """Predictions (``gap`` 0) or gaps of so many frames, every so often."""
    found = []
    for number, track in enumerate(tracks):
        after = AFTER if gap else max(AHEAD)
        for begin in range(SHORTEST_HISTORY, len(track.rotations) - max(gap, 1) - 1, EVERY):
            first, last = max(0, begin - HISTORY + gap + 1), min(len(track.rotations), begin + gap + after)
            if gap and last < begin + gap + 2:
                continue
            part = slice(first, last)
            rotations, pelvis = track.rotations[part], track.pelvis[part] - track.pelvis[begin] + CAMERA_M
            n = last - first
            times, betas = torch.arange(n) * STEP_S, torch.zeros(n, 10)
            seen = torch.ones(n, dtype=torch.bool)
            seen[begin - first : begin - first + gap if gap else None] = False
            asked = torch.arange(n)[~seen]
            if not gap:
                asked = torch.tensor([begin - first + h - 1 for h in AHEAD if begin - first + h - 1 < n])
            shown = (rotations, pelvis, betas)
            if noisy:
                rng = np.random.default_rng([number, begin, gap])
                shown = tracked(rotations, pelvis, betas, STEP_S, TYPICAL, rng)
            truth = PoseTrack(times, rotations, pelvis, betas)
            found.append(Case(truth, PoseTrack(times, shown[0], shown[1], shown[2]), seen, asked))
    return found


def answer_of(rotations: Tensor, pelvis: Tensor) -> Answer:
    body, turned = joints_of(rotmat_to_columns(rotations).flatten(-2))
    return Answer(body, turned, pelvis)


def ends(case: Case) -> tuple[Tensor, Tensor]:
    """Frames last seen before each one that is asked for and next seen after it; the former if there is none."""
    frame = torch.arange(len(case.seen))
    before = torch.where(case.seen, frame, 0).cummax(0).values
    after = torch.where(case.seen, frame, len(frame)).flip(0).cummin(0).values.flip(0)
    after = torch.where(after == len(frame), before, after)
    return before[case.asked], after[case.asked]


def last_pose(case: Case) -> Answer:
    before, _ = ends(case)
    return answer_of(case.shown.rotations[before], case.shown.pelvis[before])


def constant_velocity(case: Case) -> Answer:
    """Every joint goes on along a line."""
    before, _ = ends(case)
    steps = (case.asked - before).float()
    said = answer_of(case.shown.rotations, case.shown.pelvis)

    def onward(what: Tensor) -> Tensor:
        velocity = what[before] - what[before - 1]
        return what[before] + steps.reshape(-1, *[1] * (what.ndim - 1)) * velocity

    return Answer(*(onward(what) for what in said if what is not None))


def interpolated(case: Case) -> Answer:
    before, after = ends(case)
    share = (case.asked - before) / (after - before).clamp_min(1)
    rotations = rotmat_slerp(case.shown.rotations[before], case.shown.rotations[after], share)
    return answer_of(
        rotations, torch.lerp(case.shown.pelvis[before], case.shown.pelvis[after], share[:, None])
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mocap", type=Path, help="folder of motion capture, of which a part is held out")
    parser.add_argument("--test", type=Path, help="packed .npz to test on instead")
    parser.add_argument("--weights", type=Path, help="of the pose transformer; those that ship if not given")
    parser.add_argument("--clips", type=int, help="at most so many clips")
    parser.add_argument("--no-infiller", action="store_true", help="without GLAMR's, which takes a while")
    options = parser.parse_args()
    torch.set_num_threads(1)
    clips = load_packed(options.test) if options.test else learned_and_held_out(options.mocap)[1]
    tracks = tracks_of(clips[: options.clips])
    transformer = PoseTransformer.load(options.weights)
    infiller = None if options.no_infiller else MotionInfiller.load()

    def filled(case: Case) -> Answer:
        rotations = infiller.infill(case.shown.rotations[:, 1:], case.seen)[0][case.asked]
        root = torch.eye(3).expand(len(rotations), 1, 3, 3)
        return Answer(answer_of(torch.cat([root, rotations], 1), torch.zeros(3)).body, None, None)

    simple: dict[str, Callable[[Case], Answer]] = {
        "last pose": last_pose,
        "constant velocity of joints": constant_velocity,
        "linear interpolation": interpolated,
    }
    for noisy in (False, True):
        errors: dict[tuple[str, str], dict[str, float]] = {}
        for gap in (0, *GAPS):
            cases = cases_of(tracks, gap, noisy)
            answers = {
                name: [way(case) for case in cases]
                for name, way in simple.items()
                if gap or way is not interpolated
            }
            if infiller:
                answers["GLAMR's infiller"] = [filled(case) for case in cases]
            answers["pose transformer"] = transformed(transformer, cases)
            for name, said in answers.items():
                for column, measure, mm in measured(cases, said, gap):
                    errors.setdefault((measure, name), {})[column] = mm
        show(errors, f"{'with errors of tracking' if noisy else 'exact observations'}, mm")


def tracks_of(clips: list[MocapClip]) -> list[Track]:
    return list(captured(clips, paces=((30.0, 1.0),)))


def transformed(transformer: PoseTransformer, cases: list[Case]) -> list[Answer]:
    observed = [PoseTrack(*(part[case.seen] for part in case.shown)) for case in cases]
    said = transformer.complete(observed, [case.truth.times_s[case.asked] for case in cases])
    return [answer_of(track.rotations, track.pelvis) for track in said]


def measured(cases: list[Case], said: list[Answer], gap: int) -> list[tuple[str, str, float]]:
    """(column, measure, mm) of one way."""
    found: dict[tuple[str, str], list[Tensor]] = {}
    for case, answer in zip(cases, said, strict=True):
        truth = answer_of(case.truth.rotations[case.asked], case.truth.pelvis[case.asked])
        for measure, a, b in zip(Answer._fields, answer, truth, strict=True):
            if a is not None and b is not None:
                off = 1000 * (a - b).norm(dim=-1)
                off = off.mean(-1) if off.ndim == 2 else off
                for k, one in enumerate(off if not gap else [off.mean()]):
                    column = f"gap {gap}" if gap else f"+{AHEAD[k]}"
                    found.setdefault((column, measure), []).append(one)
    return [(column, measure, float(torch.stack(all_).mean())) for (column, measure), all_ in found.items()]


def show(errors: dict[tuple[str, str], dict[str, float]], title: str) -> None:
    columns = [f"+{h}" for h in AHEAD] + [f"gap {g}" for g in GAPS]
    table = Table("", "", *columns, title=title, title_justify="left")
    for measure in Answer._fields:
        for (what, name), row in errors.items():
            if what == measure:
                table.add_row(measure, name, *(f"{row[c]:.1f}" if c in row else "-" for c in columns))
        table.add_section()
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
