"""The terms of a whole batch: nothing to learn from the truth, and closed forms beside it."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from choros.body import BodyModel
from choros.rotation import rotmat_to_interleaved, rotvec_to_rotmat
from choros.trace.config import PRESETS
from choros.trace.regression import PeopleAnswers
from choros.training.lifter.poses import PoseClip
from choros.training.trace.batch import batch_of
from choros.training.trace.recipe import RELEASED, SMALL, TraceWeights
from choros.training.trace.sketched import SketchRecipe, sketched_clip
from choros.training.trace.targets import CentreKernels
from choros.training.trace.terms import first_view_error, motion_terms

CONFIG = replace(PRESETS["small"], metric_motion=False)
MOVING = SketchRecipe(turns_rate=1.0, goes_rate=1.0, people=(2, 2), blind_rate=0.0, flow_noise=0.0, frames=3)


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


@pytest.fixture(scope="module")
def batch(body):
    rotvec = np.zeros((40, 24, 3))
    rotvec[:, 4, 0] = 0.4
    walk = np.stack([0.02 * np.arange(40), np.full(40, 0.9), np.zeros(40)], -1)
    motions = [PoseClip(rotvec_to_rotmat(rotvec).astype(np.float32), walk.astype(np.float32))]
    return batch_of([sketched_clip(motions, body, MOVING, 512, 64, (1, 2))], CONFIG, CentreKernels())


@pytest.fixture
def told(batch):
    """Answers that are the truth, in the first camera."""
    people, world = batch.people, batch.world
    none = torch.zeros(len(people.camera), 3)
    return PeopleAnswers(
        rotmat_to_interleaved(people.rotations),
        people.betas.clone(),
        people.camera,
        none,
        rotmat_to_interleaved(world.root),
        none,
    )


def test_the_truth_lies_on_itself_in_the_first_view(told, batch, body):
    error = first_view_error(told, batch.world.place, batch, body, CONFIG)
    assert batch.world.known.any()
    assert error.item() < 1e-4


def test_a_place_beside_the_truth_is_as_far_off_as_it_looks(told, batch, body):
    beside = batch.world.place + torch.tensor([0.1, 0, 0])
    error = first_view_error(told, beside, batch, body, CONFIG)
    # Of each joint: the focal length by its depth, in halves of the square.
    local = batch.people.rotations[:, 0].mT @ batch.people.about[:, :24].mT
    depth = (batch.world.root @ local).mT[..., 2] + batch.world.place[:, None, 2]
    expected = (0.1 * batch.people.K[:, None, 0, 0] / depth / 256)[depth > 0.2].mean()
    assert error.item() == pytest.approx(expected.item(), rel=0.02)  # but for who leaves the first view


def test_the_first_view_teaches_places_alone(told, batch, body):
    loose = PeopleAnswers(*(part.clone().requires_grad_() for part in told))
    place = (batch.world.place + 0.05).requires_grad_()
    first_view_error(loose, place, batch, body, CONFIG).backward()
    assert place.grad.abs().sum() > 0
    assert all(part.grad is None for part in loose)


def test_shapes_that_last_cost_nothing_and_others_their_way_to_the_mean(told, batch, body):
    same = told._replace(betas=torch.ones_like(told.betas))
    assert motion_terms(same, batch, body, CONFIG)["steady_shape"].item() < 1e-5
    track = batch.world.track
    betas = torch.zeros_like(told.betas)
    mine = torch.nonzero(track == track[0])[:, 0]
    betas[mine[0], 3] = 1.0  # the mean of a track of n frames is 1 / n off
    n = len(mine)
    expected = ((n - 1) / n + (n - 1) * 1 / n) / len(track)
    drift = motion_terms(told._replace(betas=betas), batch, body, CONFIG)["steady_shape"].item()
    assert drift == pytest.approx(expected, rel=1e-4)


def test_every_term_has_a_weight_and_the_releases_are_its_own(told, batch, body):
    names = set(asdict(TraceWeights()))
    assert motion_terms(told, batch, body, CONFIG).keys() <= names
    assert (RELEASED.steady_shape, RELEASED.world_points) == (5, 80)
    assert (SMALL.steady_shape, SMALL.world_points) == (0, 0)  # what ships did not learn by them
