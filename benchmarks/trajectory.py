"""The trajectory predictor on motion it never saw: G-MPJPE and Accel (GLAMR, table 4).

    python benchmarks/trajectory.py --mocap ../shared/assets/mocap --work /tmp/trajectory

Against the same network with attention instead of LSTMs and without the egocentric form, all three trained here
on the same windows for as many steps and kept in ``--work``, and the one that ships. The bodies are the true
ones, on held-out clips of people on the floor; G-MPJPE aligns place and heading every 10 s, Accel is of joints
in the world.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from choros import weights
from choros.datasets.mocap import learned_and_held_out, load_packed
from choros.evaluation.metrics.motion_quality import acceleration_error_mm_s2
from choros.evaluation.metrics.world import global_errors_mm
from choros.glamr.config import FPS, TRAJECTORY_PRESETS
from choros.glamr.egocentric import ego_to_global
from choros.glamr.released.trajectory import ReleasedPredictor
from choros.glamr.trajectory import SYSTEM, TrajectoryPredictor
from choros.training.glamr.mocap_windows import Walk, versions, walks_of
from choros.training.glamr.recipe import TrajectoryRecipe
from choros.training.glamr.task import TrajectoryTask
from choros.training.mocap import train_from_mocap

SAMPLES = 5
SMALL = TRAJECTORY_PRESETS["small"]
VARIANTS = {
    "LSTMs, egocentric (GLAMR)": SMALL,
    "transformer, egocentric": replace(SMALL, transformer=True),
    "LSTMs, not egocentric": replace(SMALL, egocentric=False),
}


def in_the_world(walk: Walk, ego: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Joints (..., T, 24, 3) metres and pelvis poses (..., T, 4, 4) of a body that goes along ``ego`` (..., T, 11)."""
    places, rotations = ego_to_global(ego)
    joints = walk.joints @ rotations.mT + places[..., None, :]
    T_world_root = torch.eye(4).repeat(*ego.shape[:-1], 1, 1)
    T_world_root[..., :3, :3], T_world_root[..., :3, 3] = rotations, places
    return joints.double().numpy(), T_world_root.double().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mocap", type=Path, required=True, help="folder, or a packed .npz to train on")
    parser.add_argument(
        "--test", type=Path, help="packed .npz to test on instead of what the folder holds out"
    )
    parser.add_argument("--work", type=Path, required=True, help="where the trained networks are kept")
    parser.add_argument(
        "--steps", type=int, help="of each network trained here; as the one that ships if not given"
    )
    parser.add_argument("--released", type=Path, help="the checkpoint of GLAMR's authors, as another row")
    parser.add_argument("--clips", type=int, help="at most so many clips")
    options = parser.parse_args()
    torch.set_num_threads(1)
    learned, held_out = learned_and_held_out(options.mocap)
    if options.test:
        held_out = load_packed(options.test)
    options.work.mkdir(parents=True, exist_ok=True)
    recipe = TrajectoryRecipe()
    recipe = replace(recipe, steps=options.steps or recipe.steps)
    networks = {}
    for k, (name, config) in enumerate(VARIANTS.items()):
        path = options.work / f"{k}.safetensors"
        if not path.is_file():
            how = recipe if config.egocentric else replace(recipe, per_frame=0.0)
            train_from_mocap(TrajectoryTask(learned, how, config), path, {})
        networks[f"{name}, {weights.load(path, SYSTEM)[1]['steps']} steps"] = TrajectoryPredictor.load(path)
    steps = weights.load(weights.shipped(SYSTEM), SYSTEM)[1]["steps"]
    networks[f"the one that ships, {steps} steps"] = TrajectoryPredictor.load()

    walks = [
        walk
        for walk in walks_of(versions(held_out[: options.clips], (1.0,), mirrored=False))
        if len(walk.ego) >= 60
    ]
    truth = [in_the_world(walk, walk.ego) for walk in walks]
    seconds = sum(len(walk.ego) for walk in walks) / FPS
    table = Table(
        "", "G-MPJPE mm", f"best of {SAMPLES}", "Accel mm/frame²",
        title=f"trajectory predictor: {len(walks)} held-out walks, {seconds:.0f} s", title_justify="left",
    )  # fmt: skip
    still = [in_the_world(walk, stood(walk.ego)) for walk in walks]
    table.add_row("stays where they were", *figures(still, truth, samples=None))
    for name, network in networks.items():
        said = [in_the_world(walk, network.predict(walk.joints)) for walk in walks]
        samples = [
            in_the_world(walk, network.sample(walk.joints, SAMPLES, seed=k)) for k, walk in enumerate(walks)
        ]
        table.add_row(name, *figures(said, truth, samples))
    if options.released:
        released = ReleasedPredictor.load(options.released)
        said = [in_the_world(walk, *released.predict_all([walk.joints])) for walk in walks]
        table.add_row("GLAMR as released", *figures(said, truth, None))
    Console(width=120).print(table)


def stood(ego: Tensor) -> Tensor:
    """The first frame's place, heading and tilt, for ever."""
    still = ego[:1].repeat(len(ego), 1)
    still[1:, :2], still[1:, 3], still[1:, 4] = 0, 1, 0
    return still


Placed = tuple[np.ndarray, np.ndarray]


def figures(said: list[Placed], truth: list[Placed], samples: list[Placed] | None) -> list[str]:
    errors = [global_errors_mm(j, tj, T, tT, FPS) for (j, T), (tj, tT) in zip(said, truth, strict=True)]
    jerky = [
        acceleration_error_mm_s2(j, tj, FPS) / FPS**2 for (j, _), (tj, _) in zip(said, truth, strict=True)
    ]
    best = "-"
    if samples is not None:
        all_errors = [
            min((global_errors_mm(j, tj, T, tT, FPS) for j, T in zip(*many, strict=True)), key=np.mean)
            for many, (tj, tT) in zip(samples, truth, strict=True)
        ]
        best = f"{np.concatenate(all_errors).mean():.0f}"
    return [f"{np.concatenate(errors).mean():.0f}", best, f"{np.concatenate(jerky).mean():.1f}"]


if __name__ == "__main__":
    main()
