"""Training of the trajectory predictor (GLAMR, section 3.2, appendix D) on captured motion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from choros.datasets.mocap import MocapClip
from choros.glamr.config import TrajectoryConfig
from choros.glamr.ego import ego_to_global
from choros.glamr.trajectory import TrajectoryPredictor, look, network_metadata
from choros.training.glamr.cvae import Pace, train
from choros.training.glamr.mocap_windows import WalkBatch, stretches, versions, walks_of


@dataclass(frozen=True)
class TrajectoryTraining:
    """A run. The losses are means over frames."""

    pace: Pace = field(default_factory=partial(Pace, steps=2500))
    batch: int = 16  # the paper's is 256
    frames: tuple[int, ...] = (
        50,
        100,
    )  # appendix D: 100; the shorter ones come cheap, and from short clips too
    tempos: tuple[float, ...] = (0.85, 1.0, 1.18)
    noise_m: float = 0.005  # at most, of the joints seen
    divergence: float = 1e-3  # appendix D
    per_frame: float = 0.1  # the authors' code, of the change of heading; ours of all eleven numbers


def train_trajectory(
    clips: Sequence[MocapClip],
    output: Path,
    run: TrajectoryTraining,
    config: TrajectoryConfig,
    metadata: dict[str, Any],
    report: Callable[[dict[str, Any]], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> TrajectoryPredictor:
    """Train on clips and write ``output``; goes on from its checkpoint if there is one, see `cvae.train`."""
    torch.manual_seed(run.pace.seed)
    network = TrajectoryPredictor(config)
    walks = walks_of(versions(clips, run.tempos))

    def loss_of(rng: np.random.Generator, share: float) -> Tensor:
        frames = int(rng.choice(run.frames))
        return loss(network, stretches(walks, run.batch, frames, run.noise_m, rng), run)

    average = train(network, loss_of, output, run.pace, network_metadata(config) | metadata, report, stop)
    assert isinstance(average, TrajectoryPredictor)
    return average


def loss(network: TrajectoryPredictor, batch: WalkBatch, run: TrajectoryTraining) -> Tensor:
    """Equation 8, both paths from the origin; rotations by their chord, which is their angle where they agree."""
    context = network.context(look(batch.joints), batch.lengths)
    posterior = network.posterior(context, batch.ego, batch.lengths)
    divergence = posterior.divergence(network.prior(context, batch.lengths)).mean()
    said = network.decode(context, posterior.draw(torch.randn_like(posterior.mean)))
    origin = torch.zeros_like(said[:, 0, :3])
    (places, turned), (true_places, true_turned) = (ego_to_global(e, origin) for e in (said, batch.ego))
    error = (places - true_places).square().sum(-1) + 0.5 * (turned - true_turned).square().sum((-1, -2))
    change = ((said - batch.ego)[:, 1:] / network.spread).square().sum(-1)
    return error.mean() + run.per_frame * change.mean() + run.divergence * divergence
