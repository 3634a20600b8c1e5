"""The lifter on motion it never saw: MPJPE and PA-MPJPE against two plain alternatives, in one run.

Run ``python benchmarks/lift.py --mocap DIR [--plot calibration.png]`` with a folder of motion capture (or a packed
.npz of held-out clips). Random cameras see the held-out clips as they were captured, keypoints are reported with the
noise of training; the first frame of a clip has no past, the last has eleven frames of it. Mean pose and optimisation
start upright in four headings and keep the one that fits the keypoints best. "varied" mixes and turns the clips as
training does. The second table, and the plot, say how far off joints are that are said to be off by so much.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body import gauss_newton as gn
from choros.body.kinematics import posed_joints
from choros.body.likely import LiftConfig
from choros.datasets.mocap import learned_and_held_out, load_packed
from choros.evaluation.metrics.pose import mpjpe_mm, pa_mpjpe_mm
from choros.lifter.lift import Lifting, Past
from choros.training.lifter.batch import Batch, ClipConfig, as_captured, sample
from choros.training.lifter.keypoint_noise import CLEAN
from choros.training.lifter.poses import PoseClip

UP = np.array([0.0, -1.0, 0.0])


def held_out(path: Path) -> list[PoseClip]:
    found = load_packed(path) if path.is_file() else learned_and_held_out(path)[1]
    return [PoseClip.of(clip) for clip in found]


def lifted_joints(lifting: Lifting, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Joints (B, T, 24, 3) and how far off they are said to be (B, T, 24), metres, camera axes, frame after frame."""
    B, T = batch.dt_s.shape
    past, out, said = lifting.no_past(B), np.zeros((B, T, 24, 3)), np.zeros((B, T, 24))
    for t in range(T):
        past = past._replace(dt_s=batch.dt_s[:, t])
        lifted = lifting(batch.keypoints[:, t], np.eye(3), past)
        out[:, t] = joints(lifting.points, lifted.betas, lifted.rotations, lifted.transl)
        said[:, t] = lifted.joint_std_m
        past = Past(
            past.dt_s, lifted.hidden, lifted.rotations, lifted.betas, lifted.betas_weight, lifted.transl
        )
    return out, said


def optimised_joints(
    lifting: Lifting, batch: Batch, steps: int, *, pose_free: bool
) -> tuple[np.ndarray, None]:
    """Each frame by itself from the mean pose, without the network."""
    keypoints = batch.keypoints.reshape(-1, 17, 3)
    n = len(keypoints)
    mean = np.tile(np.eye(3), (n, 24, 1, 1))
    mean[:, 1:22] = Rotation.from_rotvec(lifting.prior.mean.reshape(21, 3)).as_matrix()
    shown = keypoints[..., 2] > 0.15
    weight = shown / np.maximum(shown.sum(-1, keepdims=True), 1)
    centre = (weight[..., None] * keypoints[..., :2]).sum(1)
    spread = np.sqrt((weight * ((keypoints[..., :2] - centre[:, None]) ** 2).sum(-1)).sum(-1)) + 1e-3
    depth = 0.45 / spread
    transl = np.concatenate([centre * depth[:, None], depth[:, None]], -1) - lifting.points.joint_template[0]
    std = np.where(shown, 0.03 * 3.5 * spread[:, None] / np.clip(keypoints[..., 2], 0.15, 1), np.inf)
    config = gn.FitConfig(steps=steps, damping=1e-2, prior_weight=1.0)
    betas, best, error = np.zeros((n, 10)), np.zeros((n, 24, 3)), np.full(n, np.inf)
    for heading in np.arange(4) * np.pi / 2:
        start = mean.copy()
        start[:, 0] = np.diag([1.0, -1, -1]) @ Rotation.from_rotvec([0, heading, 0]).as_matrix()
        rotation_std = np.full((n, 24), 1e3 if pose_free else 1e-3)
        rotation_std[:, 0] = 1e3
        unknown, nearly_free = np.full(n, np.inf), np.tile(1e-2 * np.eye(3), (n, 1, 1))
        target = gn.Target(
            keypoints[..., :2], std, start, rotation_std, start, unknown, transl, nearly_free, UP, np.inf
        )  # fmt: skip
        fitted = gn.fit(lifting.points, lifting.prior, betas, start, transl, target, config)
        better = fitted.error < error
        error = np.where(better, fitted.error, error)
        found = joints(lifting.points, betas, fitted.rotations, fitted.transl)
        best = np.where(better[:, None, None], found, best)
    return best.reshape(*batch.dt_s.shape, 24, 3), None


def joints(points: gn.Points, betas: np.ndarray, rotations: np.ndarray, transl: np.ndarray) -> np.ndarray:
    return posed_joints(rotations, points.shaped(betas)[0])[1] + transl[:, None]


def calibration(said: np.ndarray, error: np.ndarray, bins: int = 8) -> np.ndarray:  # (bins, 3)
    """Joints in bins by how far off they are said to be: that on average, how far off they are, and their number."""
    edges = np.quantile(said, np.linspace(0, 1, bins + 1))
    which = np.clip(np.searchsorted(edges, said, side="right") - 1, 0, bins - 1)
    return np.array(
        [[said[which == b].mean(), error[which == b].mean(), (which == b).sum()] for b in range(bins)]
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mocap", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--seed", type=int, default=900_001)
    parser.add_argument("--plot", type=Path, help="picture of the calibration")
    options = parser.parse_args()
    clips = held_out(options.mocap)
    body = BodyModel.load()
    full = Lifting(body, options.weights)
    plain = Lifting(body, options.weights, LiftConfig(refine=False))
    ways = {
        "mean pose, turned and placed": lambda b: optimised_joints(full, b, 15, pose_free=False),
        "optimisation from the mean pose": lambda b: optimised_joints(full, b, 30, pose_free=True),
        "network alone": lambda b: lifted_joints(plain, b),
        "network and fit (choros)": lambda b: lifted_joints(full, b),
    }
    captured = as_captured(ClipConfig())
    frames = sum(len(clip.transl) for clip in clips)
    table = Table(title=f"lift: {len(clips)} held-out clips, {frames} frames", title_justify="left")
    for column in (
        "people",
        "way",
        "MPJPE mm",
        "PA-MPJPE mm",
        "first frame",
        "last frame",
        "depth %",
        "ms/person",
    ):
        table.add_column(column)
    claims: list[tuple[np.ndarray, np.ndarray]] = []
    for people, config in (
        ("as captured", captured),
        ("as captured, keypoints clean", dataclasses.replace(captured, noise=CLEAN)),
        ("varied", ClipConfig()),
    ):
        batches = [sample(clips, full.points, config, options.seed, step) for step in range(options.batches)]
        truth = np.concatenate([batch.joints_cam for batch in batches])
        for name, way in ways.items():
            began = time.perf_counter()
            answers = [way(batch) for batch in batches]
            ms = 1e3 * (time.perf_counter() - began) / (len(truth) * truth.shape[1])
            found = np.concatenate([answer[0] for answer in answers])
            error = mpjpe_mm(found, truth)
            depth = np.abs(np.log(np.maximum(found[..., 0, 2], 0.1) / truth[..., 0, 2]))
            figures = error.mean(), pa_mpjpe_mm(found, truth).mean(), error[:, 0].mean(), error[:, -1].mean()
            table.add_row(
                people, name, *(f"{mm:.1f}" for mm in figures), f"{100 * np.median(depth):.1f}", f"{ms:.2f}"
            )
            if people == "as captured" and "fit" in name:
                about_pelvis = (found - found[..., :1, :]) - (truth - truth[..., :1, :])
                said = np.concatenate([answer[1] for answer in answers])
                claims.append(
                    (said[..., 1:22].ravel(), np.linalg.norm(about_pelvis, axis=-1)[..., 1:22].ravel())
                )
    console = Console(width=140)
    console.print(table)
    rows = 1e3 * calibration(*claims[0])
    sureness = Table(title="how sure it says it is of a joint, as captured", title_justify="left")
    for column in ("said mm", "is mm", "joints"):
        sureness.add_column(column, justify="right")
    for said_mm, is_mm, count in rows:
        sureness.add_row(f"{said_mm:.0f}", f"{is_mm:.0f}", f"{count / 1e3:.0f}")
    console.print(sureness)
    if options.plot:
        draw(rows, options.plot)
        print(options.plot)


def draw(rows: np.ndarray, path: Path) -> None:
    """The calibration (bins, 3) mm as a picture, with the diagonal that it should lie on."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4, 4), layout="constrained")
    axes = figure.subplots()
    top = 1.1 * rows[:, :2].max()
    axes.plot([0, top], [0, top], color="0.7")
    axes.plot(rows[:, 0], rows[:, 1], "o-")
    axes.set(
        xlabel="said to be off by, mm", ylabel="off by, mean of the joints, mm", xlim=(0, top), ylim=(0, top)
    )
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
