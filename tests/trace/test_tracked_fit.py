"""Fits of one frame after another: where nothing is shown that is new, people stay as they were."""

import numpy as np
import pytest
import torch

from choros.body import BodyModel, BodyParams
from choros.camera import project
from choros.rotation import rotvec_to_rotmat
from choros.trace.people import nobody
from choros.trace.tracked_fit import fit_people, fit_rules
from choros.trace.tracks import FIELDS
from choros.tracking.online import track_type

K = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]])


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


def person(body, bend=0.0, away_m=0.0, confidence=0.9):
    """Somebody 4 m away, as the maps say with an elbow ``bend`` and ``away_m`` farther, with true keypoints."""
    rotvec = np.zeros((1, 24, 3))
    rotvec[:, 0, 0] = np.pi
    pelvis = np.array([[0.1, 0.0, 4.0]])
    rest = body.rest_joints(torch.zeros(10))[0].double().numpy()
    numbers = [
        torch.from_numpy(a).float() for a in (rotvec[:, 0], rotvec[:, 1:].reshape(1, 69), pelvis - rest)
    ]
    points = (
        body.keypoints(BodyParams(numbers[0], numbers[1], torch.zeros(1, 10), numbers[2])).double().numpy()
    )
    seen = nobody()
    rotvec[:, 18, 1] = bend
    keypoints = np.concatenate([project(points, K), np.full((1, 17, 1), confidence)], -1)
    return seen._replace(
        rotations=np.asarray(rotvec_to_rotmat(rotvec)),
        betas=np.zeros((1, 10)),
        pelvis=pelvis * (1 + away_m / 4),
        keypoints_px=keypoints,
    )


def track():
    some = np.zeros(1, track_type(FIELDS))
    some["fitted_s"] = -np.inf
    return some


def test_a_fit_goes_on_from_the_frame_before(body):
    """The maps of the second frame say another distance; who was 4 m away a frame ago still is."""
    some, rules = track(), fit_rules()
    _, first = fit_people(some, person(body), body, K, 0.0, rules)
    _, alone = fit_people(track(), person(body, away_m=1.0), body, K, 0.04, rules)
    _, after = fit_people(some, person(body, away_m=1.0), body, K, 0.04, rules)
    assert first[0, 2] == pytest.approx(4, abs=0.1)
    assert abs(after[0, 2] - first[0, 2]) < 0.3 * abs(alone[0, 2] - first[0, 2])
    assert some["fitted_s"].tolist() == [0.04]


def test_who_shows_too_little_stays_as_the_maps_say_and_is_not_remembered(body):
    some = track()
    rotations, pelvis = fit_people(some, person(body, bend=0.3, confidence=0.1), body, K, 0.0, fit_rules())
    np.testing.assert_array_equal(pelvis, [[0.1, 0, 4]])
    np.testing.assert_array_equal(rotations, person(body, bend=0.3).rotations)
    assert some["fitted_s"].tolist() == [-np.inf]
