"""Knees as they most likely are: what nobody can tell is straight, what is plainly bent stays so."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.body.kinematics import posed_joints
from choros.body.knees import LEGS, likeliest_bend, stand_on_likely_knees
from choros.body.likely import LiftConfig
from choros.rotation import rotmat_geodesic_distance, rotmat_to_rotvec_unchecked

SCALE_RAD = LiftConfig().straight_rad


def test_plainly_bent_stays_bent_and_what_may_as_well_be_straight_is():
    said, std = np.array([1.2, 0.25, 0.0]), np.array([0.1, 0.2, 0.2])
    bent, straight, never_was = likeliest_bend(said, std, SCALE_RAD)
    assert bent > 1.1
    # Where the cost's slope is nothing: b³ - said b² + (scale² + 2 std²) b - said scale² = 0.
    least = np.roots([1, -0.25, SCALE_RAD**2 + 2 * 0.2**2, -0.25 * SCALE_RAD**2])
    least = least[np.abs(least.imag) < 1e-12].real.item()
    assert straight == pytest.approx(least, abs=0.25 / 40)  # tried in fortieths of what was said
    assert straight < 0.085  # a third of what was said
    assert never_was == 0


def test_no_bend_is_likelier_than_the_one_found_nor_any_larger_than_said():
    rng = np.random.default_rng(0)
    said, std = rng.uniform(0, 2.5, (40, 5)), rng.uniform(0.05, 0.5, (40, 5))
    found = likeliest_bend(said, std, SCALE_RAD)
    assert (found >= 0).all()
    assert (found <= said).all()

    def cost(bend):
        return (bend - said) ** 2 / (2 * std**2) + np.log(1 + (bend / SCALE_RAD) ** 2)

    finely = np.stack([cost(share * said) for share in np.linspace(0, 1, 4001)]).min(0)
    next_to_it = [cost(np.clip(found + step * said / 40, 0, said)) for step in (-1, 1)]
    assert (cost(found) <= np.minimum(*next_to_it)).all()
    assert (cost(found) - finely < 0.1).all()  # tried in fortieths of what was said


@pytest.fixture
def standing():
    """People with knees from next to straight to plainly bent, the right leg ahead, the network's doubt, the bends."""
    bends = np.array([0.05, 0.2, 0.35, 0.5, 1.3])
    rotations = np.tile(np.eye(3), (5, 24, 1, 1))
    rotations[:, 0] = Rotation.from_rotvec([0.1, 0.6, 0.1]).as_matrix()
    for (hip, knee, ankle), ahead in zip(LEGS, (0.0, 0.4), strict=True):
        bend = np.outer(bends, [1, 0, 0])
        for joint, share, rest in (
            (hip, -0.5, [-ahead, -0.05, -0.1]),
            (knee, 1, [0, 0.03, -0.03]),
            (ankle, -0.5, [0, 0.05, 0]),
        ):
            rotations[:, joint] = Rotation.from_rotvec(share * bend + rest).as_matrix()
    return rotations, np.full((5, 24), 0.25), bends


def test_knees_straighten_but_feet_stay_in_line_and_as_level(standing):
    rotations, std, bends = standing
    likely = stand_on_likely_knees(rotations, std, SCALE_RAD)
    rest = Points.of(BodyModel.load(detail="light")).shaped(np.zeros((5, 10)))[0]
    (was_turned, was), (turned, places) = posed_joints(rotations, rest), posed_joints(likely, rest)
    for hip, knee, ankle in LEGS:
        bend = rotmat_to_rotvec_unchecked(likely[:, knee])[:, 0]
        np.testing.assert_allclose(bend, likeliest_bend(bends, std[:, knee], SCALE_RAD), atol=1e-9)
        assert bends[2] - bend[2] > 0.25  # or the rest would say nothing
        assert bend[4] > 1.1
        before, after = was[:, ankle] - was[:, hip], places[:, ankle] - places[:, hip]
        cosine = (before * after).sum(-1) / np.linalg.norm(before, axis=-1) / np.linalg.norm(after, axis=-1)
        assert np.degrees(np.arccos(cosine)).max() < 3
        tilted = rotmat_geodesic_distance(was_turned[:, ankle], turned[:, ankle])
        assert tilted.max() < 0.02


def test_all_but_legs_are_left_alone_and_what_is_given_stays_as_it_was(standing):
    rotations, std, _ = standing
    before = rotations.copy()
    likely = stand_on_likely_knees(rotations, std, SCALE_RAD)
    np.testing.assert_array_equal(rotations, before)
    others = [joint for joint in range(24) if joint not in np.ravel(LEGS)]
    np.testing.assert_array_equal(likely[:, others], before[:, others])
