"""Training of the motion infiller (GLAMR, section 3.1, appendix C) on captured motion."""

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
from choros.glamr.config import InfillerConfig
from choros.glamr.infiller import MotionInfiller, network_metadata
from choros.glamr.windows import joints_about_pelvis
from choros.layers.rotation import rotations_from_columns
from choros.training.glamr.cvae import Pace, train
from choros.training.glamr.mocap_windows import GappedPoses, gapped, pose_columns, rest_joints, versions


@dataclass(frozen=True)
class InfillerTraining:
    """A run. The losses are means over frames of sums over joints."""

    pace: Pace = field(default_factory=partial(Pace, steps=1500, lr=2e-3))
    batch: int = 16  # the paper's is 1024
    tempos: tuple[float, ...] = (0.85, 1.0, 1.18)
    noise: float = 0.02  # at most, of the poses seen
    divergence: float = 1e-3  # appendix C
    joints: float = 6.0  # ours: joints' places, m², so that what matters most is learned first


def train_infiller(
    clips: Sequence[MocapClip],
    output: Path,
    run: InfillerTraining,
    config: InfillerConfig,
    metadata: dict[str, Any],
    report: Callable[[dict[str, Any]], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> MotionInfiller:
    """Train on clips and write ``output``; goes on from its checkpoint if there is one, see `cvae.train`."""
    torch.manual_seed(run.pace.seed)
    network = MotionInfiller(config)
    tracks = pose_columns(versions(clips, run.tempos))

    def loss_of(rng: np.random.Generator, share: float) -> Tensor:
        return loss(network, gapped(tracks, config, run.batch, run.noise, rng), run, share)

    average = train(network, loss_of, output, run.pace, network_metadata(config) | metadata, report, stop)
    assert isinstance(average, MotionInfiller)
    return average


def loss(network: MotionInfiller, batch: GappedPoses, run: InfillerTraining, share: float) -> Tensor:
    """Equation 2, with the latent code drawn from the posterior, and the joints' error.

    The divergence counts in full from half of the run on (``share``); before, codes learn to mean something.
    """
    window = batch.window
    context = network.see(window)
    posterior = network.posterior(context, window, batch.truth)
    divergence = posterior.divergence(network.prior(context, window)).mean()
    said = network.fill(context, window, posterior.draw(torch.randn_like(posterior.mean)))
    after = slice(network.config.context, None)
    return pose_error(said, batch.truth[:, after], batch.exists[:, after], run.joints) + (
        min(1.0, 2 * share) * run.divergence * divergence
    )


def pose_error(said: Tensor, truth: Tensor, exists: Tensor, joints: float) -> Tensor:
    """Squared error of columns (B, T, POSE) and, times ``joints``, of joints' places, over frames that ``exists``."""
    turned = (said - truth).square().sum(-1)
    place = partial(joints_about_pelvis, rest_joints=rest_joints())
    at, true_at = (place(rotations_from_columns(p.unflatten(-1, (23, 6)))) for p in (said, truth))
    error = turned + joints * (at - true_at).square().sum((-1, -2))
    return (error * exists).sum() / exists.sum()
