"""GLAMR's losses: nought when they should be."""

import numpy as np
import pytest
import torch

from choros.glamr.config import TrajectoryConfig
from choros.glamr.trajectory import TrajectoryPredictor
from choros.training.glamr.losses import Reconstruction, pose_error, trajectory_loss
from choros.training.glamr.mocap_windows import pose_columns, stretches, versions, walks_of
from choros.training.glamr.recipe import TrajectoryRecipe
from tests.training.captured import clip

TINY_PATH = TrajectoryConfig(lstm=16, mlp=(16,), latent=4)


def test_a_perfect_pose_costs_nothing_and_what_does_not_exist_does_not_count():
    truth = pose_columns(versions([clip()], (1.0,)))[0][None, :30]
    exists = torch.ones(1, 30, dtype=torch.bool)
    assert pose_error(truth, truth, exists, 6.0) < 1e-8
    said = truth.clone()
    said[:, 20:] += 0.3
    assert pose_error(said, truth, exists, 6.0) > 0.1
    exists[:, 20:] = False
    assert pose_error(said, truth, exists, 6.0) < 1e-8


def test_a_perfect_path_costs_nothing_but_its_divergence():
    walks = walks_of(versions([clip(speed_m_s=1.0)], (1.0,)))
    batch = stretches(walks, 4, 50, 0.0, np.random.default_rng(0))
    spread = TrajectoryPredictor(TINY_PATH).spread

    def cost(motion, divergence=0.0):
        found = Reconstruction(motion, torch.tensor(divergence))
        return trajectory_loss(found, batch, TrajectoryRecipe(divergence=0.5), spread).item()

    assert cost(batch.ego) < 1e-8
    assert cost(batch.ego * 1.01) > 1e-6
    assert cost(batch.ego, 3.0) == pytest.approx(1.5, abs=1e-6)
