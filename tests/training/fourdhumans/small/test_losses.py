"""The small HMR 2.0's loss against values worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from choros.body import BodyModel
from choros.body.hypotheses import Hypotheses
from choros.training.fourdhumans.small.losses import SmallTargets, losses, misses, mixture
from choros.training.fourdhumans.small.recipe import SmallRecipe

RECIPE = SmallRecipe()


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


@pytest.fixture(scope="module")
def coco(body):
    return body.skinned_points("coco17")


def people(body, coco, hypotheses=2):
    """Somebody who stands 4 m away, told exactly by each of the hypotheses, and the truth."""
    rotations = torch.eye(3).repeat(1, 24, 1, 1)
    rotations[:, 0] = torch.diag(torch.tensor([1.0, -1, -1]))
    betas, pelvis = torch.zeros(1, 10), torch.tensor([[0.2, 0.0, 4.0]])
    joints, keypoints = body.about_pelvis(rotations, betas, coco)
    seen = keypoints + pelvis[:, None]
    plane = torch.cat([seen[..., :2] / seen[..., 2:], torch.ones(1, 17, 1)], -1)
    truth = SmallTargets(
        rotations, betas, joints + pelvis[:, None], plane, torch.ones(1), torch.full((1,), 0.1)
    )
    found = Hypotheses(
        rotations[:, None].repeat(1, hypotheses, 1, 1, 1),
        betas,
        pelvis[:, None].repeat(1, hypotheses, 1),
        torch.full((1, hypotheses, 24), 0.1),
        torch.full((1, hypotheses, 24), 0.05),
        torch.full((1, hypotheses), 0.1),
        torch.full((1, hypotheses), -float(np.log(hypotheses))),
    )
    return found, truth


def test_who_is_right_misses_nothing(body, coco):
    missed = misses(*people(body, coco), body, coco, RECIPE)
    # But for the root of 1e-4 that keeps the gradient of turns finite: 24 joints, the root three times, hands a tenth.
    least = 0.5 * 0.01 * (21 + 3 + 2 * 0.1) / 24
    np.testing.assert_allclose(missed.error, least, atol=1e-5)
    assert missed.joint.abs().max() < 1e-6


def test_a_body_too_far_away_misses_its_depth_and_its_size_in_the_picture(body, coco):
    found, truth = people(body, coco)
    found.pelvis_cam[0, 1] *= 1.1
    missed = misses(found, truth, body, coco, replace(RECIPE, reprojection=0.0))
    np.testing.assert_allclose(missed.log_depth[0], [0, np.log(1.1)], atol=1e-6)
    np.testing.assert_allclose(missed.error[0, 1] - missed.error[0, 0], np.log(1.1), atol=1e-5)
    smaller = misses(found, truth, body, coco, replace(RECIPE, place=0.0)).error[0]
    points = truth.keypoints[0, :, :2] - torch.tensor([0.05, 0])
    # About the pelvis all shrinks by 1.1, but for perspective; errors are shares of the spread, .1.
    expected = (points * (1 - 1 / 1.1)).abs().mean() / 0.1
    assert float(smaller[1] - smaller[0]) == pytest.approx(float(expected), rel=0.05)


def test_of_whom_only_the_picture_is_known_only_the_picture_counts(body, coco):
    found, truth = people(body, coco)
    found.rotations[0, 1, 3] = torch.diag(torch.tensor([-1.0, -1, 1]))  # no keypoint of coco moves by itself
    unposed = truth._replace(posed=torch.zeros(1), joints_cam=truth.joints_cam + 5)
    off = truth.keypoints.clone()
    off[..., :2] += 0.02
    off[0, :9, 2] = 0
    missed = misses(found, unposed._replace(keypoints=off), body, coco, RECIPE)
    np.testing.assert_allclose(missed.error[0, 0], 0.02 / 0.1, atol=1e-5)
    some = losses(found, unposed, body, coco, RECIPE)
    assert some["shape"] == 0
    assert some["doubt"] == 0


def test_the_mixture_by_hand():
    chance, error = torch.tensor([[0.25, 0.75]]), torch.tensor([[0.1, 0.3]])
    total, blame = mixture(chance.log(), error, 0.2, 0.1)
    weights = np.array([0.25 * np.exp(-0.5), 0.75 * np.exp(-1.5)])
    np.testing.assert_allclose(total, 0.9 * -0.2 * np.log(weights.sum()) + 0.1 * 0.2, rtol=1e-5)
    np.testing.assert_allclose(blame[0], weights / weights.sum(), rtol=1e-5)
