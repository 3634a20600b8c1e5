"""The lifter's losses: joints where the body has them, and one of two likely poses instead of their mean."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.body.hypotheses import person_view
from choros.lifter.network import Lifter, LifterConfig
from choros.training.lifter.losses import LifterTargets, losses, place_joints
from choros.training.lifter.recipe import LifterRecipe


@pytest.fixture(scope="module")
def points():
    return Points.of(BodyModel.load(detail="light"))


def test_joints_of_the_loss_are_those_of_the_body(points):
    rng = np.random.default_rng(0)
    rotations = Rotation.from_rotvec(rng.normal(0, 0.5, (5 * 24, 3))).as_matrix().reshape(5, 24, 3, 3)
    rest, _ = points.shaped(rng.normal(size=(5, 10)))
    from choros.body.kinematics import posed_joints

    _, places = posed_joints(rotations, rest)
    found = place_joints(torch.from_numpy(rotations), torch.from_numpy(rest))
    np.testing.assert_allclose(found.numpy(), places - places[:, :1], atol=1e-12)


def test_of_two_equally_likely_poses_one_is_answered_and_not_their_mean():
    """The same keypoints, knees straight in half of the people and bent by a radian in the other half."""
    torch.manual_seed(0)
    network = Lifter(LifterConfig(width=32, hypotheses=3))
    recipe = LifterRecipe(sharpness=(0.1, 0.1))
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    B = 16
    bend = torch.zeros(B, 1, 24, 3, dtype=torch.float64)
    bend[B // 2 :, :, 4:6, 0] = 1.0
    rotations = torch.from_numpy(Rotation.from_rotvec(bend.reshape(-1, 3).numpy()).as_matrix())
    rotations = rotations.reshape(B, 1, 24, 3, 3).float()
    rotations[:, :, 0] = torch.diag(torch.tensor([1.0, -1, -1]))
    template = torch.from_numpy(Points.of(BodyModel.load(detail="light")).joint_template).float()
    rest = template.expand(B, 1, 24, 3)
    keypoints = torch.rand(1, 1, 17, 3).expand(B, 1, 17, 3) * torch.tensor([0.2, 0.5, 1.0])
    view = person_view(keypoints, torch.eye(3).expand(B, 1, 3, 3), torch.zeros(B, 1))
    joints = place_joints(rotations, rest) + torch.tensor([0.0, 0, 4])
    truth = LifterTargets(rotations, joints, torch.zeros(B, 10), view.spread)
    for _ in range(250):
        found, _ = network(view, torch.zeros(B, 32))
        loss = losses(found, truth, rest, recipe, 0.1)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    found, _ = network(view, torch.zeros(B, 32))
    chance = found.log_chance[0, 0].exp()
    knee = Rotation.from_matrix(found.rotations[0, 0, :, 4].detach().numpy()).magnitude()
    straight, bent = (chance[torch.from_numpy(np.abs(knee - angle) < 0.25)].sum() for angle in (0.0, 1.0))
    assert straight > 0.3
    assert bent > 0.3
    assert straight + bent > 0.9
