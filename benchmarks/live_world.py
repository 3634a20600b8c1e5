"""``--live-world`` with a system's own bodies, beside `choros world` of the same clips.

    python benchmarks/live_world.py --keep DIR [--scenes crossing:940001:2 ...] [--footage DIR] [--system lifter]

Films scenes of seeds that no test set has, before a camera that stands, and runs `choros track --live-world` on them
and, with ``--footage`` (see docs/benchmarks.md), on vtest; what takes long is kept in ``--keep`` and taken from there
the next time. Each clip is told as it was recorded, with the lens that is assumed; live with a better lens, the true
one of scenes, and of vtest the one that `choros world` finds; and by `choros world`, which looks back, and is told, as
live has to take it, that the camera stands. Of scenes, true bodies where they can be seen are a row too.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

import choros
from choros.body import BodyModel
from choros.body.posed import Skeleton
from choros.editing.measures import with_K
from choros.evaluation.compare import compare, pooled_scores
from choros.evaluation.real.tracking import VIDEO, vtest_row
from choros.glamr.live_world import LiveWorld
from choros.motion import ROW, FrameResult, Motion
from choros.options import TrackOptions
from choros.scenes import SceneConfig, make_scene
from choros.track_video import track_to_file

SCENES = ["crossing:940001:2", "world:940001:1"]
CONFIG = SceneConfig(fps=Fraction(25), seconds=8.0, camera="static", device="cpu")
SETTLED_S = 1.0  # after which up and floor are asked for a second time

SHOWN = (
    ("up_deg", "up, deg", 1), ("up_late_deg", f"after {SETTLED_S:g} s", 1),
    ("floor_m", "floor, m", 2), ("floor_late_m", f"after {SETTLED_S:g} s", 2),
    ("foot_slide_cm_s", "foot slide, cm/s", 0), ("g_mpjpe_mm", "G-MPJPE, mm", 0),
)  # fmt: skip
ON_THE_GROUND = (
    ("ground_error_m", "on the ground, m (median)", 2), ("ground_mean_m", "mean", 2), ("ground_scale", "scale", 2)
)  # fmt: skip


class Case(NamedTuple):
    """A clip, what the system recorded of it in its live world, and the truth of a scene."""

    name: str
    video: Path
    lived: Motion
    truth: Motion | None


def cases(scenes: list[str], footage: Path | None, system: str, keep: Path) -> Iterator[Case]:
    """Filmed and tracked where that was not done yet."""
    for text in scenes:
        kind, first, count = text.split(":")
        for seed in range(int(first), int(first) + int(count)):
            folder = keep / f"{kind}_{seed:06d}"
            if not (folder / "motion.npz").is_file():
                make_scene(kind, seed, CONFIG).write(folder)
            video = folder / "video.mp4"
            yield Case(folder.name, video, tracked(video, folder, system), Motion.load(folder / "motion.npz"))
    if footage:
        yield Case("vtest", footage / VIDEO, tracked(footage / VIDEO, keep / "vtest", system), None)


def tracked(video: Path, folder: Path, system: str) -> Motion:
    """What `choros track --live-world` records of a video."""
    path = folder / f"{system}_live.npz"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        track_to_file(video, path, choros.load(system), TrackOptions(live_world=True))
    return Motion.load(path)


def before_the_camera(lived: Motion) -> Motion:
    """The same people in camera axes, as the system told them: what `choros track` records without ``--live-world``."""
    skeleton, tables = Skeleton.of(), []
    for frame, T_world_camera in enumerate(lived.T_world_camera):
        tables.append(skeleton.moved(plain(lived.in_frame(frame)), np.linalg.inv(T_world_camera)))
    frames = lived.frames.copy()
    frames["T_world_camera"], frames["camera_known"] = np.eye(4), False
    return Motion(replace(lived.header, space="camera"), frames, np.concatenate([np.zeros(0, ROW), *tables]))


def lived_through(said: Motion) -> Motion:
    """The world that ``--live-world`` makes of what a system said in camera axes, frame by frame."""
    live, skeleton, frames, tables = LiveWorld(), Skeleton.of(), said.frames.copy(), []
    for frame, time_s in enumerate(said.pts_s):
        rows = plain(said.in_frame(frame))
        T = live.step(FrameResult(rows), float(time_s), bool(said.cut_before[frame])).T_world_camera
        frames["camera_known"][frame] = T is not None
        frames["T_world_camera"][frame] = np.eye(4) if T is None else T
        tables.append(skeleton.moved(rows, frames["T_world_camera"][frame]))
    header = replace(said.header, space="world")
    return Motion(header, frames, np.concatenate([np.zeros(0, ROW), *tables]))


def plain(rows: np.ndarray) -> np.ndarray:
    """Rows (n,) without extras."""
    out = np.zeros(len(rows), ROW)
    for name in ROW.names:
        out[name] = rows[name]
    return out


def true_bodies(truth: Motion) -> Motion:
    """Those who can be seen, before a camera that stands nobody knows where."""
    frames = truth.frames.copy()
    frames["T_world_camera"], frames["camera_known"] = np.eye(4), False
    rows = plain(truth.rows[truth.visible])
    return Motion(replace(truth.header, space="camera"), frames, rows)


def ways(case: Case) -> dict[str, Motion]:
    """Name -> everybody in one world."""
    said = before_the_camera(case.lived)
    world = partial(choros.world, video=case.video, camera="static")
    offline = world(said)
    lens = offline.K[0] if case.truth is None else case.truth.K[0]
    named = "the lens of choros world" if case.truth is None else "the true lens"
    made = {
        "live": case.lived,
        f"live, {named}": lived_through(with_K(said, lens)),
        "choros world": offline,
        "choros world, lens as assumed": world(said, focal_from="assumed"),
    }
    if case.truth is not None:
        made["choros world, the true lens"] = world(with_K(said, lens))
        made["live, true bodies"] = lived_through(true_bodies(case.truth))
    return made


def up_and_floor(truth: Motion, made: Motion) -> dict[str, float]:
    """How far up is off, degrees, and how far the floor is where people stand, metres; mean over frames.

    The floor: how high the world has the true floor below each person, seen from the camera where they are.
    """
    said, true = made.T_world_camera, truth.T_world_camera
    cosine = (said[:, 2, :3] * true[:, 2, :3]).sum(1)
    tilt = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    rows = truth.rows[truth.visible & made.camera_known[truth.row_frame]]
    frame = rows["frame"]
    feet = Skeleton.of().joints(rows)[:, 0]
    if truth.space == "camera":
        feet = (true[frame, :3, :3] @ feet[..., None])[..., 0] + true[frame, :3, 3]
    feet[:, 2] = 0
    T = said[frame] @ np.linalg.inv(true)[frame]
    off = np.abs((T[:, 2, :3] * feet).sum(1) + T[:, 2, 3])
    late, known = truth.pts_s >= SETTLED_S, made.camera_known
    return {
        "up_deg": tilt[known].mean(),
        "up_late_deg": tilt[late & known].mean(),
        "floor_m": off.mean(),
        "floor_late_m": off[late[frame]].mean(),
    }


def row_of(name: str, numbers: dict[str, float], shown: tuple) -> list[str]:
    return [name, *(f"{numbers[key]:.{digits}f}" for key, _, digits in shown)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", nargs="*", default=SCENES, metavar="KIND:SEED:COUNT")
    parser.add_argument("--footage", type=Path, metavar="DIR", help="the folder of real footage, for vtest")
    parser.add_argument("--system", default="lifter")
    parser.add_argument(
        "--keep", type=Path, required=True, metavar="DIR", help="for films and what was tracked"
    )
    args = parser.parse_args()
    body = BodyModel.load()
    compared, angles = {}, {}
    console = Console(width=140)
    for case in cases(args.scenes, args.footage, args.system, args.keep):
        if case.truth is None:
            table = Table("", *(title for _, title, _ in ON_THE_GROUND), title=case.name)
            for name, made in ways(case).items():
                table.add_row(*row_of(name, vtest_row(made, args.footage), ON_THE_GROUND))
            console.print(table)
            continue
        for name, made in ways(case).items():
            one, comparison = up_and_floor(case.truth, made), compare(case.truth, made, body)
            print(
                f"{case.name}, {', '.join(row_of(name, one | pooled_scores([comparison]), SHOWN))}",
                flush=True,
            )
            angles.setdefault(name, []).append(one)
            compared.setdefault(name, []).append(comparison)
    table = Table(
        "", *(title for _, title, _ in SHOWN), title=f"{len(next(iter(angles.values()), []))} scenes"
    )
    for name, parts in angles.items():
        mean = {key: float(np.mean([part[key] for part in parts])) for key in parts[0]}
        table.add_row(*row_of(name, mean | pooled_scores(compared[name]), SHOWN))
    if angles:
        console.print(table)


if __name__ == "__main__":
    main()
