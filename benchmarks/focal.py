"""How far off the focal length is that people and upright edges tell, beside the one that is assumed.

    python benchmarks/focal.py --keep DIR [--scenes crossing:950001:4 world:950001:4] [--worlds]

Scenes of seeds that no test set and no training has, before a camera that stands, lenses of 35 to 85 degrees drawn by
the scene, 7 seconds at 25/3 frames/s; filmed and tracked into ``--keep``, or taken from there. "True bodies" are what a
system would say that errs in nothing but the lens; "lifter" is what the default system says of the film. ``--worlds``
also brings everyone into one world with either lens, which takes a minute or two a clip.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

import choros
from choros.body import BodyModel
from choros.camera import intrinsics
from choros.editing.measures import with_K
from choros.evaluation.compare import compare, pooled_scores
from choros.glamr.estimated_lens import lens_of
from choros.glamr.networks import load_infiller, load_predictor
from choros.glamr.options import WorldOptions
from choros.glamr.person_trajectories import trajectories_of_shots
from choros.motion import Motion
from choros.scenes import SceneConfig, make_scene
from choros.track_video import track_to_file

SCENES = ["crossing:950001:4", "world:950001:4"]
CONFIG = SceneConfig(fps=Fraction(25, 3), seconds=7.0, camera="static", device="cpu")
WORLDS = (("g_mpjpe_mm", "G-MPJPE mm"), ("wa_mpjpe_mm", "WA-MPJPE mm"), ("rte_percent", "RTE %"))


class Case(NamedTuple):
    """A clip, what the lifter says of it, and the truth in the world."""

    name: str
    video: Path
    said: Motion
    truth: Motion


def cases(texts: list[str], keep: Path) -> Iterator[Case]:
    """Made and tracked where that was not done yet."""
    for text in texts:
        kind, first, count = text.split(":")
        for seed in range(int(first), int(first) + int(count)):
            folder = keep / f"{kind}_{seed:06d}"
            if not (folder / "motion.npz").is_file():
                make_scene(kind, seed, CONFIG).write(folder)
            if not (folder / "tracked" / "motion.npz").is_file():
                track_to_file(folder / "video.mp4", folder / "tracked" / "motion.npz", choros.load)
            said = Motion.load(folder / "tracked" / "motion.npz")
            yield Case(folder.name, folder / "video.mp4", said, Motion.load(folder / "motion.npz"))


def true_bodies(truth: Motion) -> Motion:
    """Those who can be seen, before a camera of the assumed lens that stands nobody knows where."""
    frames = truth.frames.copy()
    frames["T_world_camera"], frames["camera_known"] = np.eye(4), False
    seen = replace(truth, frames=frames, rows=truth.rows[truth.visible])
    return with_K(seen, intrinsics(truth.width, truth.height))


def lenses(case: Case, parts: tuple) -> dict[str, tuple[float, float, bool]]:
    """By way: log of the focal length over the true one, its spread, and whether it takes the assumption's place."""
    true = case.truth.K[0, 0, 0]
    assumed = np.log(case.said.K[0, 0, 0] / true)
    found = {"assumed": (assumed, np.nan, False)}
    for name, motion, video in (
        ("true bodies", true_bodies(case.truth), None),
        ("lifter", case.said, None),
        ("lifter, and upright edges", case.said, case.video),
    ):
        people = trajectories_of_shots(motion, *parts, smooth_s=WorldOptions().smooth_s)
        lens = lens_of(motion, people, video)
        if lens is not None:
            found[name] = (assumed + np.log(lens.estimate.times), lens.estimate.spread, lens.better)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", nargs="+", default=SCENES, metavar="KIND:SEED:COUNT")
    parser.add_argument("--keep", type=Path, required=True, help="folder for films and what was tracked")
    parser.add_argument("--worlds", action="store_true", help="also errors in one world")
    args = parser.parse_args()
    torch.set_num_threads(1)
    parts = BodyModel.load(), load_infiller(), load_predictor()
    rows, worlds = {}, {}
    for case in cases(args.scenes, args.keep):
        true = np.degrees(2 * np.arctan(case.truth.width / 2 / case.truth.K[0, 0, 0]))
        tilt = np.degrees(np.arcsin(-case.truth.T_world_camera[0, 2, 2]))
        print(
            f"{case.name}: {len(case.truth.ids)} people, {true:.0f} degrees, tilted by {tilt:.0f};", end=" "
        )
        found = lenses(case, parts)
        print(", ".join(f"{name} {np.expm1(off):+.0%}" for name, (off, _, _) in found.items()), flush=True)
        for name, one in found.items():
            rows.setdefault(name, []).append(one)
        if args.worlds:
            for way in ("assumed", "people"):
                made = choros.world(case.said, case.video, focal_from=way)
                worlds.setdefault(way, []).append(compare(case.truth, made, parts[0]))
    table = Table(
        "focal length", "median error", "mean", "worst", "rms of error by spread", "taken", title="lens"
    )
    for name, found in rows.items():
        off, spread, better = np.array(found).T
        error = np.abs(np.expm1(off))
        table.add_row(
            name, f"{np.median(error):.1%}", f"{error.mean():.1%}", f"{error.max():.0%}",
            "-" if name == "assumed" else f"{np.sqrt(np.mean((off / spread) ** 2)):.2f}",
            "-" if name == "assumed" else f"{better.sum():.0f} of {len(off)}",
        )  # fmt: skip
    Console(width=120).print(table)
    for way, comparisons in worlds.items():
        scores = pooled_scores(comparisons)
        print(f"world, lens {way}: " + ", ".join(f"{title} {scores[key]:.4g}" for key, title in WORLDS))


if __name__ == "__main__":
    main()
