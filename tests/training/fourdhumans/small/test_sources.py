"""Whom the small HMR 2.0 learns from: what is kept of scenes is true, and marked people stand on their marks."""

import numpy as np
import pytest

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.body.kinematics import posed_joints
from choros.training.fourdhumans.small.crops import Looker
from choros.training.fourdhumans.small.recipe import CropRecipe
from choros.training.fourdhumans.small.sources import Marked, Scenes, lifter
from choros.training.keypoints.people import People, Person

RECIPE = CropRecipe(
    fps=2, seconds=1.0, people=(1, 2), visible=0.1, least_px=12, side_px=96, rounds=3, pictures=2
)


@pytest.fixture(scope="module")
def look():
    return Looker()


@pytest.fixture(scope="module")
def points():
    return Points.of(BodyModel.load(detail="light"))


def keypoints_off(points, seen):
    """How far the truth's bodies are from the true keypoints on the plane z = 1, (N, 17)."""
    betas, rotations = seen.betas.astype(np.float64), seen.rotations.astype(np.float64)
    rest = points.shaped(betas)[0]
    transl = seen.joints_cam[:, 0] - rest[:, 0]
    body = points.keypoints(betas, rotations, transl)
    return np.linalg.norm(body[..., :2] / body[..., 2:] - seen.true_keypoints[..., :2], axis=-1)


@pytest.mark.slow
def test_what_is_kept_of_a_scene_is_true(look, points):
    scenes = Scenes(RECIPE, 1, None)
    seen = scenes.seen(0, look)
    assert seen.people
    size = np.ptp(seen.true_keypoints[..., :2], axis=1).max(-1)[:, None]
    assert (
        keypoints_off(points, seen) / size
    ).max() < 0.06  # mirrored bodies are not quite those of the other side
    again = scenes.seen(0, look)
    for one, other in zip(seen, again, strict=True):
        np.testing.assert_array_equal(one, other)
    held_out = Scenes(RECIPE, 1, None, held_out=True).seen(0, look)
    assert held_out.people != seen.people or not np.array_equal(held_out.betas, seen.betas)


def test_marked_people_stand_on_their_marks(look, points):
    rng = np.random.default_rng(0)
    body = points.keypoints(np.zeros((1, 10)), _standing(), np.array([[0.0, 0, 4]]))[0]
    marks = np.c_[300 * body[:, :2] / body[:, 2:] + 150, np.ones(17)]
    marks[9, 2] = 0  # the left wrist is not marked
    box = np.r_[marks[:, :2].min(0), marks[:, :2].max(0)]
    person = Person(0, box, marks, np.zeros(17, bool), np.zeros((0, 17, 3)))
    sets = [People([rng.integers(0, 255, (300, 300, 3), np.uint8)], [person]) for _ in range(3)]
    marked = Marked(RECIPE, 1, sets, lifter())
    assert len(marked) == 6
    first, later = marked.seen(0, look), marked.seen(2, look)
    assert first.people == later.people == 2
    assert (
        np.abs(first.true_keypoints - later.true_keypoints).max() > 0.01
    )  # another round, cut in another way
    known = first.true_keypoints[..., 2] > 0
    assert known.sum(-1).tolist() == [16, 16]
    off = keypoints_off(points, first)[known]
    assert np.median(off) < 0.03 * np.ptp(marks[:, 1]) / 300
    (held,) = {len(Marked(RECIPE, 1, sets, lifter(), held_out=True))}
    assert held == 2


def _standing():
    rotations = np.broadcast_to(np.eye(3), (1, 24, 3, 3)).copy()
    rotations[:, 0] = np.diag([1.0, -1, -1])
    assert posed_joints(rotations, np.zeros((1, 24, 3)))[1].shape == (1, 24, 3)
    return rotations
