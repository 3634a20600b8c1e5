"""The motion infiller on motion it never saw: PA-MPJPE and FID of the frames nobody saw (GLAMR, table 3).

    python benchmarks/infiller.py --mocap ../shared/assets/mocap --work /tmp/infiller

Held-out clips are cut to at most 10 s, in which 5 to 200 frames at a time are hidden. Against interpolation of the
joints' rotations, the last pose, the pose transformer of 4DHumans, and, with ``--work``, a convolutional autoencoder
(after Kaufmann et al. 2020, "Convolutional Autoencoders for Human Motion Infilling") that is trained here on the same
windows for as many steps, and kept there. FID is of ``kinetic_features`` of the joints about the pelvis over each
hidden stretch, one sample each.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from choros import weights
from choros.datasets.mocap import MocapClip, learned_and_held_out, load_packed
from choros.evaluation.metrics.motion_quality import frechet_distance, kinetic_features
from choros.evaluation.metrics.pose import best_of_samples, pa_mpjpe_mm
from choros.fourdhumans.pose_tracks import R_UP_CAMERA, PoseTrack
from choros.fourdhumans.pose_transformer import PoseTransformer
from choros.glamr.config import FPS, InfillerConfig
from choros.glamr.cvae import Gaussian
from choros.glamr.infiller import POSE, SYSTEM, MotionInfiller, Window
from choros.glamr.network_inputs import joints_about_pelvis, known_neighbours, rotations_at
from choros.glamr.released.infiller import ReleasedInfiller
from choros.training.glamr.losses import pose_error
from choros.training.glamr.mocap_windows import (
    GappedPoses,
    PersonMotion,
    rest_joints,
)
from choros.training.glamr.recipe import InfillerRecipe
from choros.training.glamr.task import InfillerTask
from choros.training.mocap import MocapTask, train_from_mocap

LONGEST, SHORTEST = 300, 60  # frames of a piece
SAMPLES = 5
BINS_S = (1.0, 3.0)


class Gap(NamedTuple):
    """A piece of motion and what of it was seen."""

    rotations: Tensor  # (T, 23, 3, 3)
    visible: Tensor  # (T,) bool
    R_world_root: Tensor  # (T, 3, 3) z up; only where visible is it anybody's to know
    pelvis: Tensor  # (T, 3) metres, the same


class ConvAutoencoder(MotionInfiller):
    """Convolutions over a window whose missing frames are zeros; slides along as the infiller does."""

    def __init__(self, config: InfillerConfig, width: int = 96) -> None:
        super().__init__(config)
        self.encoder = nn.Sequential(
            *[nn.Conv1d(POSE + 1, width, 5, 1, 2), nn.ReLU()],
            *[nn.Conv1d(width, width, 5, 2, 2), nn.ReLU()],
            *[nn.Conv1d(width, width, 5, 2, 2), nn.ReLU()],
        )
        self.decoded = nn.Sequential(
            *[nn.Upsample(scale_factor=2), nn.Conv1d(width, width, 5, 1, 2), nn.ReLU()],
            *[nn.Upsample(scale_factor=2), nn.Conv1d(width, width, 5, 1, 2), nn.ReLU()],
            nn.Conv1d(width, POSE, 5, 1, 2),
        )
        self.mean_pose = nn.Buffer(torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(23))

    def see(self, window: Window) -> Tensor:
        shown = window.seen[..., None].to(window.poses)
        return self.encoder(torch.cat([(window.poses - self.mean_pose) * shown, shown], -1).mT)

    def prior(self, context: Tensor, window: Window) -> Gaussian:
        nothing = torch.zeros(len(context), self.config.latent)
        return Gaussian(nothing, nothing - 20)

    def fill(self, context: Tensor, window: Window, z: Tensor) -> Tensor:
        told = self.decoded(context).mT[:, self.config.context : self.config.window]
        return told + self.mean_pose


class AutoencoderTask(MocapTask):
    """The autoencoder learns from the infiller's windows, by the error of its poses alone."""

    system = "autoencoder"
    network: ConvAutoencoder

    def __init__(self, clips: list[MocapClip], recipe: InfillerRecipe, config: InfillerConfig) -> None:
        super().__init__(recipe, {"system": self.system}, lambda: ConvAutoencoder(config))
        self.windows = InfillerTask(clips, recipe, config)
        self.optimiser = torch.optim.Adam(self.network.parameters(), lr=recipe.lr)

    def batch(self, step: int, part: int) -> GappedPoses:
        return self.windows.batch(step, part)

    def predict(self, batch: GappedPoses) -> Tensor:
        return self.network.fill(self.network.see(batch.window), batch.window, torch.zeros(0))

    def losses(self, predicted: Tensor, batch: GappedPoses, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        after = slice(self.network.config.context, None)
        joints = self.windows.recipe.joints
        return pose_error(predicted, batch.truth[:, after], batch.exists[:, after], joints), {}


def trained_autoencoder(
    clips: list[MocapClip], config: InfillerConfig, steps: int, path: Path
) -> MotionInfiller:
    """The autoencoder of ``path``, trained for so many steps if it is not there."""
    if path.is_file():
        network = ConvAutoencoder(config)
        network.load_state_dict(weights.load(path, "autoencoder")[0])
        return network.eval()
    recipe = InfillerRecipe(steps=steps, lr=1e-3)
    average = train_from_mocap(AutoencoderTask(clips, recipe, config), path, {}).average
    assert isinstance(average, MotionInfiller)
    return average


def gaps_of(clips: list[MocapClip], per_piece: int) -> list[Gap]:
    """Pieces of the clips, each with ``per_piece`` different gaps."""
    rng = np.random.default_rng(0)
    found = []
    for clip in clips:
        motion = PersonMotion.of(clip)
        for start in range(0, len(motion.rotations) - SHORTEST + 1, LONGEST):
            piece, *where = (part[start : start + LONGEST] for part in motion)
            for _ in range(per_piece):
                gap = int(rng.integers(5, min(200, len(piece) - 20) + 1))
                begin = int(rng.integers(10, len(piece) - gap - 10 + 1))
                visible = torch.ones(len(piece), dtype=torch.bool)
                visible[begin : begin + gap] = False
                found.append(Gap(piece, visible, *where))
    return found


def interpolated(gap: Gap, k: int) -> Tensor:
    frames = torch.arange(len(gap.visible)).double()
    return rotations_at(gap.rotations[gap.visible], frames[gap.visible], frames)[None]


def last_pose(gap: Gap, k: int) -> Tensor:
    before, _ = known_neighbours(gap.visible)
    return gap.rotations[before][None]


def completed(transformer: PoseTransformer, gap: Gap) -> Tensor:
    """By the pose transformer of 4DHumans, which is told where the person was seen to stand and turn, 5 m away."""
    times_s = torch.arange(len(gap.visible)).double() / FPS
    turn, v = R_UP_CAMERA.T, gap.visible
    rotations = torch.cat([(turn @ gap.R_world_root)[:, None], gap.rotations], 1)
    pelvis = (gap.pelvis - gap.pelvis[0]) @ turn.T + torch.tensor([0.0, 0.0, 5.0])
    track = PoseTrack(times_s[v], rotations[v], pelvis[v], torch.zeros(int(v.sum()), 10))
    with torch.inference_mode():
        (found,) = transformer.complete([track], [times_s[~v]])
    whole = gap.rotations.clone()
    whole[~v] = found.rotations[:, 1:].to(whole)
    return whole[None]


def hidden_joints(rotations: Tensor, gap: Gap) -> np.ndarray:  # (..., hidden, 24, 3) metres, z up
    joints = joints_about_pelvis(rotations[..., ~gap.visible, :, :, :], rest_joints())
    return joints[..., [2, 0, 1]].double().numpy()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mocap", type=Path, required=True, help="folder, or a packed .npz to train on")
    parser.add_argument(
        "--test", type=Path, help="packed .npz to test on instead of what the folder holds out"
    )
    parser.add_argument(
        "--work", type=Path, help="where the trained autoencoder is kept; without it there is none"
    )
    parser.add_argument("--weights", type=Path, help="of the infiller; those that ship if not given")
    parser.add_argument("--released", type=Path, help="the checkpoint of GLAMR's authors, as another row")
    parser.add_argument("--gaps", type=int, default=3, help="per piece")
    parser.add_argument("--clips", type=int, help="at most so many clips")
    options = parser.parse_args()
    torch.set_num_threads(1)
    learned, held_out = learned_and_held_out(options.mocap)
    if options.test:
        held_out = load_packed(options.test)
    path = options.weights or weights.shipped(SYSTEM)
    infiller, about = MotionInfiller.load(path), weights.load(path, SYSTEM)[1]
    ways: dict[str, Callable[[Gap, int], Tensor]] = {
        "linear interpolation": interpolated,
        "last pose": last_pose,
        "infiller, the likeliest": lambda gap, k: infiller.infill(gap.rotations, gap.visible),
        f"infiller, best of {SAMPLES}": lambda gap, k: infiller.infill(
            gap.rotations, gap.visible, SAMPLES, seed=k
        ),
        "infiller, reconstructed": lambda gap, k: infiller.reconstruct(gap.rotations, gap.visible)[None],
    }
    if options.work:
        options.work.mkdir(parents=True, exist_ok=True)
        autoencoder = trained_autoencoder(
            learned, infiller.config, about["steps"], options.work / "autoencoder.safetensors"
        )
        ways["convolutional autoencoder"] = lambda gap, k: autoencoder.infill(gap.rotations, gap.visible)
    transformer = PoseTransformer.load()
    ways["pose transformer of 4DHumans"] = lambda gap, k: completed(transformer, gap)
    if options.released:
        released = ReleasedInfiller.load(options.released)
        ways["GLAMR as released"] = lambda gap, k: released.infill(gap.rotations, gap.visible)
    gaps = gaps_of(held_out[: options.clips], options.gaps)
    truth = [hidden_joints(gap.rotations, gap) for gap in gaps]
    true_features = [kinetic_features(joints, FPS) for joints in truth]
    lengths_s = np.array([len(joints) for joints in truth]) / FPS
    size = sum(map(len, truth))
    table = Table(
        "", "PA-MPJPE mm", "up to 1 s", "1 to 3 s", "over 3 s", "FID",
        title=f"infiller ({about['steps']} steps): {len(gaps)} gaps, {size} hidden frames", title_justify="left",
    )  # fmt: skip
    for name, way in ways.items():
        errors, features = [], []
        for k, gap in enumerate(gaps):
            joints = hidden_joints(way(gap, k), gap)
            errors.append(best_of_samples(pa_mpjpe_mm(joints, truth[k][None])))
            features.append(kinetic_features(joints[-1], FPS))
        which = np.digitize(lengths_s, BINS_S)
        bins = [mean([e for e, b in zip(errors, which, strict=True) if b == number]) for number in range(3)]
        fid = f"{frechet_distance(features, true_features):.2f}"
        table.add_row(name, mean(errors), *bins, fid)
    Console(width=120).print(table)


def mean(errors: list[Any]) -> str:
    return f"{np.concatenate(errors).mean():.1f}" if errors else "-"


if __name__ == "__main__":
    main()
