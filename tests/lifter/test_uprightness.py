"""Up, from people on a floor: the camera's pitch is found, and nothing is claimed without evidence."""

import numpy as np
import pytest

from choros.camera import intrinsics, project
from choros.lifter.uprightness import UprightRules, nothing_seen, observe, up

K, RULES = intrinsics(960, 540), UprightRules()


def standing(pitch, heights=(1.0, 1.0, 1.0), depths=(5.0, 8.0, 12.0), camera_m=2.5):
    """Keypoints of people who stand on a floor ``camera_m`` below a camera that looks down by ``pitch``."""
    up_cam = np.array([0, -np.cos(pitch), -np.sin(pitch)])
    ahead = np.array([0, -np.sin(pitch), np.cos(pitch)])
    keypoints = np.zeros((len(depths), 17, 3))
    keypoints[..., 2] = 0.9
    for i, (size, depth) in enumerate(zip(heights, depths, strict=True)):
        foot = depth * ahead - camera_m * up_cam + np.array([0.7 * i - 0.7, 0, 0])
        for pair, height in (((5, 6), 1.32), ((11, 12), 0.82), ((13, 14), 0.4), ((15, 16), 0.0)):
            keypoints[i, pair, :2] = project(foot + size * height * up_cam, K)
    return keypoints


def seen(keypoints, seconds=60, dt_s=0.1):
    memory = nothing_seen()
    for _ in range(int(seconds / dt_s)):
        memory = observe(memory, keypoints, K, dt_s, RULES)
    return memory


def pitch_of(memory):
    up_cam, _ = up(memory, RULES)
    assert np.linalg.norm(up_cam) == pytest.approx(1)
    return np.rad2deg(np.arctan2(-up_cam[2], -up_cam[1]))


@pytest.mark.parametrize("degrees", [0, 8, 20, 35])
def test_the_pitch_is_found(degrees):
    assert pitch_of(seen(standing(np.deg2rad(degrees)))) == pytest.approx(degrees, abs=3)


def test_children_among_adults_do_little_harm():
    memory = seen(standing(np.deg2rad(20), heights=(1.05, 0.8, 0.95, 1.1), depths=(4, 6, 9, 12)))
    assert pitch_of(memory) == pytest.approx(20, abs=8)


def test_before_anybody_is_seen_only_what_is_usual_is_known():
    up_cam, std = up(nothing_seen(), RULES)
    assert pitch_of(nothing_seen()) == pytest.approx(8, abs=0.5)
    assert std > RULES.pitch_std_rad * 0.9
    np.testing.assert_allclose(up_cam[0], 0)


def test_one_person_in_one_place_says_little():
    """Only that the feet are below the horizon."""
    memory = seen(standing(np.deg2rad(30), heights=(1.0,), depths=(6.0,)), seconds=5)
    many = seen(standing(np.deg2rad(30)), seconds=5)
    doubt = [up(m, RULES)[1] for m in (nothing_seen(), memory, many)]
    assert doubt[1] > 0.65 * doubt[0]
    assert doubt[2] < 0.8 * doubt[1]


def test_who_sits_or_is_cut_off_is_no_evidence():
    keypoints = standing(0.3)
    keypoints[0, [15, 16], 2] = 0.1  # no feet
    keypoints[1, [13, 14], 1] = keypoints[1, [11, 12], 1] + 1  # thighs towards the camera
    keypoints[2, [5, 6], 0] += 300  # lying
    assert not seen(keypoints, seconds=1)[0].any()
