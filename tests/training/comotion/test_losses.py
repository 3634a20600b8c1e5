"""CoMotion's losses in closed form, and what keeps them from counting what is not known."""

import math

import numpy as np
import pytest
import torch

from choros.body import BodyModel, BodyParams
from choros.body.kinematics import rotation_matrices
from choros.comotion.person_states import PersonStates, place_pelvis
from choros.training.comotion.batch import EncodedClip, batch_of
from choros.training.comotion.labelled_clip import narrow_hips
from choros.training.comotion.losses import (
    Targets,
    heatmap_loss,
    heatmaps,
    mean_of,
    people_losses,
    points_about_pelvis,
    weighted,
)  # fmt: skip
from choros.training.comotion.recipe import LossWeights
from tests.training.comotion.drawn import drawn_clip


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


@pytest.fixture(scope="module")
def batch():
    clips = [drawn_clip(1), drawn_clip(2)]
    who = [np.arange(2)] * 2
    return batch_of(
        [EncodedClip(clip, (torch.zeros(3, 1),)) for clip in clips], who, np.random.default_rng(0), None
    )


def told_truly(batch):
    """The truth as the network's answers."""
    truth, T = batch.truth, len(batch.K)
    pelvis = place_pelvis(truth.points_px[..., 0, :], truth.rho, batch.K[:, :, None])
    present = batch.present.expand(T, -1, -1)
    return PersonStates(
        truth.rotations, truth.betas.expand(T, -1, -1, -1), pelvis, truth.betas[..., :0], present
    )


def test_points_are_those_of_the_body(body):
    generator = torch.Generator().manual_seed(0)
    orient, pose, betas = (torch.randn(4, n, generator=generator) * 0.5 for n in (3, 69, 10))
    params = BodyParams(orient, pose, betas, -body.rest_joints(betas)[:, 0])
    points = points_about_pelvis(rotation_matrices(torch.cat([orient, pose], -1)), betas, body)
    torch.testing.assert_close(points[:, :24], body.joints(params), atol=1e-5, rtol=0)
    torch.testing.assert_close(points[:, 24:], body.keypoints(params), atol=1e-5, rtol=0)


def test_the_truth_costs_nothing(batch, body):
    parts = people_losses(told_truly(batch), batch.K, batch.truth, body)
    assert max(part.item() for part in parts.values()) < 1e-5


def test_each_loss_in_closed_form(batch, body):
    people, truth = told_truly(batch), batch.truth

    def loss(name, **changed):
        return people_losses(people, batch.K, truth._replace(**changed), body)[name].item()

    shift = truth.size_px[..., None, None] * torch.tensor([0.03, -0.04])
    assert loss("points_2d", points_px=truth.points_px + shift) == pytest.approx(0.07, abs=1e-5)
    off = truth.about_pelvis + torch.tensor([0.1, -0.2, 0.05])
    assert loss("points_3d", about_pelvis=off) == pytest.approx(0.35, abs=1e-5)
    assert loss("depth", rho=truth.rho - 0.5) == pytest.approx(0.5, abs=1e-5)
    assert loss("betas", betas=truth.betas + 2) == pytest.approx(4, abs=1e-4)
    turn = rotation_matrices(torch.tensor([0.0, 0.6, 0.0]))[0]
    rotations = truth.rotations.clone()
    rotations[..., 5, :, :] = rotations[..., 5, :, :] @ turn
    assert loss("pose", rotations=rotations) == pytest.approx(8 * math.sin(0.3) ** 2 / 24, abs=1e-5)
    norm = truth.betas.square().sum(-1).mean().item()
    assert loss("betas_norm", shaped=torch.zeros_like(truth.shaped)) == pytest.approx(norm, rel=1e-5)
    assert loss("betas", shaped=torch.zeros_like(truth.shaped)) == 0


def test_an_unknown_focal_length_leaves_targets_as_they_are(batch, body):
    """Whoever is placed by the same point and rho under another K is as deep as the targets say (A.4)."""
    K = batch.K.clone()
    K[..., :2, :2] *= 1.7
    truth = batch.truth
    pelvis = place_pelvis(truth.points_px[..., 0, :], truth.rho, K[:, :, None])
    parts = people_losses(told_truly(batch)._replace(pelvis_cam=pelvis), K, truth, body)
    assert parts["depth"].item() < 1e-5
    assert parts["points_2d"].item() < 0.1  # only perspective within the body differs


def test_what_is_not_known_does_not_count(batch, body):
    truth = batch.truth
    masks = {name: getattr(truth, name).clone() for name in ("pointed", "posed", "placed")}
    for mask in masks.values():
        mask[0, 0, 0] = 0
    hidden = truth._replace(**masks)
    spoilt = hidden._replace(
        points_px=hidden.points_px.clone(), about_pelvis=hidden.about_pelvis.clone(), rho=hidden.rho.clone()
    )
    for part in (spoilt.points_px, spoilt.about_pelvis, spoilt.rho):
        part[0, 0, 0] = 1e4
    people = told_truly(batch)
    people = people._replace(pelvis_cam=people.pelvis_cam + 0.1)
    one, two = (people_losses(people, batch.K, t, body) for t in (hidden, spoilt))
    for name in one:
        assert one[name].item() == pytest.approx(two[name].item(), rel=1e-5), name


def test_the_first_frame_is_answered_twice(batch):
    doubled = batch.truth.with_first_twice()
    assert len(doubled.rho) == len(batch.truth.rho) + 1
    assert torch.equal(doubled.rho[0], doubled.rho[1])
    assert torch.equal(doubled.betas, batch.truth.betas)
    assert Targets._fields == doubled._fields


def test_heatmaps_peak_at_seen_keypoints():
    keypoints = torch.zeros(1, 2, 17, 3)
    keypoints[0, 0, 3] = torch.tensor([20.0, 12.0, 1.0])  # the middle of cell (2, 1) of 8 px
    keypoints[0, 1, 3] = torch.tensor([60.0, 60.0, 0.0])  # not seen
    maps = heatmaps(keypoints, 8, 8, 8)
    assert maps.shape == (1, 17, 8, 8)
    assert maps[0, 3, 1, 2] == 1
    assert maps[0, 3].argmax() == 1 * 8 + 2
    assert maps[0, 3, 7, 7] < 1e-4
    assert maps[0, :3].max() == 0


def test_heatmap_loss_of_no_opinion_is_log_two():
    keypoints = torch.rand(2, 3, 17, 3) * 64
    assert heatmap_loss(torch.zeros(2, 17, 8, 8), keypoints, 8).item() == pytest.approx(math.log(2), rel=1e-5)
    blobs = heatmaps(keypoints, 8, 8, 8).clamp(1e-6, 1 - 1e-6)
    at_best = heatmap_loss(blobs.logit(), keypoints, 8).item()
    assert at_best < heatmap_loss((blobs * 0.5 + 0.25).logit(), keypoints, 8).item() < math.log(2)


def test_the_sum_has_the_weights_of_the_stage():
    parts = {"pose": torch.tensor(2.0), "depth": torch.tensor(3.0)}
    assert weighted(parts, LossWeights(pose=0.5, depth=10)).item() == 31


def test_the_mean_of_nothing_is_zero():
    assert mean_of(torch.ones(3), torch.zeros(3)).item() == 0


def test_hips_are_narrowed_about_their_middle():
    keypoints = np.zeros((2, 17, 3))
    keypoints[0, 11], keypoints[0, 12] = (100, 50, 0.9), (60, 58, 0.8)
    keypoints[1, 11] = (100, 50, 0.9)  # the other one is not known
    points, confidence = narrow_hips(keypoints)
    np.testing.assert_allclose(points[0, 11], [90, 52])
    np.testing.assert_allclose(points[0, 12], [70, 56])
    np.testing.assert_allclose(confidence, [0.8, 0])
    np.testing.assert_array_equal(keypoints[0, 11], [100, 50, 0.9])
