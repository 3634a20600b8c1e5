"""K, heights and floors that somebody knows: pictures stay, bodies and distances follow."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.cast import stature_m
from choros.body.posed import Skeleton
from choros.camera import project
from choros.editing.measures import with_floor, with_height, with_K
from choros.errors import ChorosError
from tests.exporters.walkers import walkers

NEW_K = np.array([[900.0, 0, 330], [0, 880, 230], [0, 0, 1]])


def pelvises(motion):
    return Skeleton.of().rest(motion.rows)[:, 0] + motion.rows["transl"]


def test_another_K_leaves_people_where_they_are_in_the_picture():
    motion = walkers()
    changed = with_K(motion, NEW_K)
    before, after = pelvises(motion), pelvises(changed)
    old = motion.K[0]
    np.testing.assert_allclose(project(after, NEW_K), project(before, old), atol=1e-3)
    np.testing.assert_allclose(after[:, 2] / before[:, 2], np.sqrt(900 * 880) / 600, rtol=1e-6)
    # Seen from its pelvis's ray, the body is turned as it was.
    for a, b, row, other in zip(before, after, motion.rows, changed.rows, strict=True):
        turn = Rotation.from_rotvec(other["global_orient"]) * Rotation.from_rotvec(row["global_orient"]).inv()
        np.testing.assert_allclose(turn.apply(a / np.linalg.norm(a)), b / np.linalg.norm(b), atol=1e-6)
    np.testing.assert_array_equal(changed.K, np.tile(NEW_K, (len(motion), 1, 1)))
    np.testing.assert_array_equal(changed.frames["pts"], motion.frames["pts"])


def test_K_and_back_changes_nothing():
    motion = walkers()
    again = with_K(with_K(motion, NEW_K), motion.K[0])
    for name in ("transl", "global_orient", "body_pose", "betas"):
        np.testing.assert_allclose(again.rows[name], motion.rows[name], atol=2e-5)


@pytest.mark.parametrize("space", ["camera", "world"])
@pytest.mark.parametrize("height_m", [1.5, 1.7, 1.95])
def test_somebody_is_as_tall_as_said_and_looks_as_large(space, height_m):
    motion = walkers(space)
    changed = with_height(motion, 2, height_m)
    body = BodyModel.load()
    assert stature_m(changed.people[2], body) == pytest.approx(height_m, abs=2e-3)
    mine = motion.row_person == 2
    np.testing.assert_array_equal(changed.rows[~mine], motion.rows[~mine])
    scale = height_m / stature_m(motion.people[2], body)
    before, after = pelvises(motion)[mine], pelvises(changed)[mine]
    if space == "camera":
        np.testing.assert_allclose(after, scale * before, atol=1e-4)
    else:
        np.testing.assert_allclose(after[:, :2], before[:, :2], atol=1e-5)
        np.testing.assert_allclose(after[:, 2], scale * before[:, 2], atol=1e-4)


def test_the_floor_is_moved_with_camera_and_people():
    motion = walkers("world")
    changed = with_floor(motion, 0.12)
    np.testing.assert_allclose(changed.rows["transl"], motion.rows["transl"] - [0, 0, 0.12], atol=1e-6)
    np.testing.assert_allclose(changed.T_world_camera[:, 2, 3], motion.T_world_camera[:, 2, 3] - 0.12)
    back = with_floor(changed, -0.12)
    np.testing.assert_allclose(back.rows["transl"], motion.rows["transl"], atol=1e-6)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda: with_floor(walkers(), 0.1), "in camera space, which has no floor"),
        (lambda: with_K(walkers("world"), NEW_K), "in world space, which was made with its K"),
        (lambda: with_K(walkers(), NEW_K.T), "transposed"),
        (lambda: with_height(walkers(), 2, 5.0), "nobody's height"),
        (lambda: with_height(walkers(), 3, 1.7), "there is no person 3"),
    ],
)
def test_what_cannot_be_is_said(edit, says):
    with pytest.raises(ChorosError, match=says):
        edit()
