"""Of several likely bodies the one that the keypoints speak for is taken."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.before import Before
from choros.body.gauss_newton import Points, PosePrior
from choros.body.hypotheses import Hypotheses
from choros.body.likely import LiftConfig, Sight, joint_doubt, likeliest


@pytest.fixture(scope="module")
def points():
    return Points.of(BodyModel.load(detail="light"))


def somebody(bend_rad):
    """Rotations (24, 3, 3) of somebody who faces the camera, with their left elbow bent."""
    turns = np.zeros((24, 3))
    turns[18, 1] = bend_rad
    rotations = Rotation.from_rotvec(turns).as_matrix()
    rotations[0] = np.diag([1.0, -1, -1])
    return rotations


def hypotheses(points, bends, chances):
    """Likely bodies of one person who stands 4 m away."""
    H = len(bends)
    pelvis = points.shaped(np.zeros((1, 10)))[0][0, 0] + [0, 0, 4.0]
    return Hypotheses(
        torch.tensor(np.stack([somebody(bend) for bend in bends]))[None],
        torch.zeros(1, 10),
        torch.tensor(pelvis).expand(1, H, 3),
        torch.full((1, H, 24), 0.15),
        torch.full((1, H, 24), 0.03),
        torch.full((1, H), 0.1),
        torch.tensor([chances]).log(),
    )


def sight(points, bend):
    seen = points.keypoints(np.zeros((1, 10)), somebody(bend)[None], np.array([[0, 0, 4.0]]))
    keypoints = np.concatenate([seen[..., :2] / seen[..., 2:], np.full((1, 17, 1), 0.9)], -1)
    return Sight(keypoints, np.eye(3), np.full(1, 0.12), Before.none(1))


def test_keypoints_choose_against_the_chances(points):
    found = hypotheses(points, (0.0, 1.2), (0.6, 0.4))
    for bend, which in ((0.0, 0), (1.2, 1)):
        chosen = likeliest(
            points, PosePrior.none(), sight(points, bend), found, np.zeros((1, 10)), LiftConfig()
        )
        assert chosen.which.tolist() == [which]
        np.testing.assert_allclose(chosen.rotations[0, 18], somebody(bend)[18], atol=0.05)
        np.testing.assert_allclose(chosen.transl, [[0, 0, 4]], atol=0.05)


def test_unrefined_the_likeliest_is_taken_as_it_is(points):
    found = hypotheses(points, (0.0, 1.2), (0.6, 0.4))
    chosen = likeliest(
        points, PosePrior.none(), sight(points, 1.2), found, np.zeros((1, 10)), LiftConfig(refine=False)
    )
    assert chosen.which.tolist() == [0]
    np.testing.assert_allclose(chosen.rotations[0], somebody(0.0), atol=1e-6)


def test_doubt_is_what_lies_between_weighed_by_chance(points):
    found = hypotheses(points, (0.0, 1.2), (0.75, 0.25))
    doubt = joint_doubt(points, found, np.zeros((1, 10)), np.array([0]))
    np.testing.assert_allclose(doubt[0, 4], 0.03, atol=1e-6)  # the knee is where it is in both
    from choros.body.kinematics import posed_joints

    rest = points.shaped(np.zeros((1, 10)))[0]
    straight, bent = (posed_joints(somebody(bend)[None], rest)[1][0] for bend in (0.0, 1.2))
    apart = np.linalg.norm(straight[20] - bent[20])
    np.testing.assert_allclose(doubt[0, 20], 0.75 * 0.03 + 0.25 * np.hypot(0.03, apart), rtol=1e-5)
