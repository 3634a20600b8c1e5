"""The model of the keypoint networks: the rates and sizes that it was asked for come out, frame after frame."""

import dataclasses

import numpy as np
import pytest

from choros.training.lifter.keypoint_noise import (
    CLEAN,
    LIGHTNING,
    OTHER_SIDE,
    THUNDER,
    KeypointNoise,
    corrupt,
)
from choros.training.lifter.network_errors import GROUP

#: A person upright, 1 high, left of the body on the right of the image, as COCO's order has it.
STANDING = np.array([
    [0.0, -0.5], [0.02, -0.52], [-0.02, -0.52], [0.04, -0.5], [-0.04, -0.5], [0.1, -0.36], [-0.1, -0.36],
    [0.16, -0.2], [-0.16, -0.2], [0.18, -0.04], [-0.18, -0.04], [0.07, 0.0], [-0.07, 0.0], [0.08, 0.24],
    [-0.08, 0.24], [0.09, 0.48], [-0.09, 0.48],
])  # fmt: skip
EVERYWHERE = np.array([-9.0, -9, 9, 9])


def seen(noise, B=400, T=6, window=EVERYWHERE, seed=0, dt_s=0.1, depth=5.0):
    true = np.broadcast_to(STANDING, (B, T, 17, 2)).copy()
    depths = np.broadcast_to(depth, (B, T, 17)).astype(float)
    rng = np.random.default_rng(seed)
    return true, corrupt(rng, true, depths, np.tile(window, (B, 1)), np.full(B, dt_s), noise)


def only(preset, **changes):
    """One network of which nothing but what is asked for goes wrong."""
    errors = dataclasses.replace(CLEAN.networks[0], **changes)
    return dataclasses.replace(preset, networks=(errors,))


def error_of(true, reported):
    return np.linalg.norm(reported[..., :2] - true, axis=-1)  # the person's longer side is 1.04


def test_the_same_seed_gives_the_same_noise_and_the_truth_is_left_alone():
    true, one = seen(KeypointNoise())
    _, same = seen(KeypointNoise())
    _, other = seen(KeypointNoise(), seed=1)
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01
    np.testing.assert_array_equal(true, np.broadcast_to(STANDING, true.shape))


def test_a_clean_network_reports_the_truth():
    true, reported = seen(CLEAN)
    np.testing.assert_allclose(reported[..., :2], true, atol=1e-12)
    np.testing.assert_allclose(reported[..., 2], 1 / (1 + np.exp(-3)), atol=1e-3)


def test_the_core_is_a_share_of_the_person():
    noise = only(CLEAN, core=(0.02,) * 7)
    true, reported = seen(noise, B=2000)
    assert error_of(true, reported).std() > 0
    np.testing.assert_allclose(
        np.sqrt(((reported[..., :2] - true) ** 2).mean((0, 1))), 0.02 * 1.04, rtol=0.12
    )


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_the_less_sure_the_less_exact(slope):
    low, high = (only(CLEAN, core=(0.02,) * 7, core_slope=(slope,) * 7, visible=(v,) * 7) for v in (0.5, 2.5))
    spread = [error_of(*seen(noise)).std() for noise in (low, high)]
    assert spread[0] / spread[1] == pytest.approx(np.exp(2 * slope), rel=0.1)


def test_small_people_have_pixels_for_errors():
    noise = dataclasses.replace(only(CLEAN, core_px=1.0), person_px=(50.0, 50.0))
    true, reported = seen(noise, B=1000)
    assert np.sqrt(((reported[..., :2] - true) ** 2).mean()) == pytest.approx(1.04 / 50, rel=0.1)


def test_misses_come_as_often_as_asked():
    chance = 0.1
    noise = only(CLEAN, miss=(np.log(chance / (1 - chance)),) * 7, miss_share=(0.2,) * 7)
    true, reported = seen(noise, B=3000)
    assert (error_of(true, reported) > 0).mean() == pytest.approx(chance, abs=0.015)


def test_sides_change_as_often_as_asked():
    true, reported = seen(only(CLEAN, swap_whole=0.2), B=3000)
    whole = np.abs(reported[..., :2] - true[..., OTHER_SIDE, :]).max((-1, -2)) < 1e-9
    assert whole.mean() == pytest.approx(0.2, abs=0.03)
    true, reported = seen(only(CLEAN, swap_legs=0.1), B=3000)
    legs = (np.abs(reported[..., 13:, :2] - true[..., OTHER_SIDE[13:], :]) < 1e-9).all((-1, -2))
    assert legs.mean() == pytest.approx(0.1, abs=0.02)
    np.testing.assert_allclose(reported[..., :13, :2], true[..., :13, :], atol=1e-12)


def test_both_limbs_on_one_as_often_as_asked():
    rates = (0.0, 0.0, 0.0, 0.12, 0.0, 0.0, 0.04)
    _, reported = seen(only(CLEAN, collapse=rates), B=3000)
    apart = np.linalg.norm(reported[..., 1::2, :2] - reported[..., 2::2, :2], axis=-1)
    together = (apart < 1e-9).mean((0, 1))  # eyes, ears, shoulders, ..., ankles
    np.testing.assert_allclose(together, [0, 0, *rates[1:]], atol=0.02)


def test_errors_last_and_fade():
    """Neighbouring frames err alike, the more the less time lies between them; a part never changes."""
    noise = only(CLEAN, core=(0.02,) * 7)
    likeness = []
    for dt_s in (0.02, 0.2, 20.0):
        true, reported = seen(noise, B=3000, T=2, dt_s=dt_s)
        error = (reported[..., :2] - true).reshape(-1, 2, 34)
        likeness.append((error[:, 0] * error[:, 1]).mean() / (error**2).mean())
    # Half of it stays and .02 is new in every frame, whatever the time; Matérn's covariance between.
    age = np.sqrt(3) * np.array([0.02, 0.2, 20.0]) / noise.lasting_s
    expected = 0.5 + 0.48 * (1 + age) * np.exp(-age)
    np.testing.assert_allclose(likeness, expected, atol=0.03)


@pytest.mark.parametrize("preset", [LIGHTNING, THUNDER, KeypointNoise()])
def test_cut_off_people_end_at_the_edge(preset):
    """Legs outside the image are reported at most a little outside, and mostly without confidence."""
    noise = dataclasses.replace(preset, occluder_rate=0.0)
    _, reported = seen(noise, B=1000, window=np.array([-9.0, -9, 9, 0.05]))
    legs = reported[..., 13:, :]
    assert legs[..., 1].max() <= 0.05 + 0.04 * 1.04 + 1e-9
    assert np.quantile(legs[..., 1], 0.25) > -0.1
    assert np.median(legs[..., 2]) < 0.35 < 0.8 < np.median(reported[..., 5:7, 2])
    assert np.quantile(legs[..., 2], 0.97) > 0.6  # and now and then with: measured


def test_the_side_that_looks_away_is_less_sure():
    depth = np.full(17, 5.0)
    depth[1::2] = 5.3  # the left side is behind
    _, reported = seen(dataclasses.replace(THUNDER, occluder_rate=0.0), B=2000, depth=depth)
    confidence = reported[..., 2].mean((0, 1))
    assert (confidence[1::2] < confidence[2::2]).all()


def test_the_networks_are_as_they_were_measured():
    """Median errors of visible keypoints of people of 250 px, by group, and confidences: on annotated people
    Thunder's were 1, 2, 2, 2, 3.4, 2.4, 2.2 % and .94, .96, .91, .86, .96, .94, .92; Lightning's larger."""
    medians, sure = {}, {}
    for name, preset in (("thunder", THUNDER), ("lightning", LIGHTNING)):
        noise = dataclasses.replace(preset, occluder_rate=0.0, bias_share=0.0, person_px=(250.0, 250.0))
        noise = dataclasses.replace(noise, hidden_rate=(0.0,) * 7)
        error, confidence = error_of(*(pair := seen(noise, B=1500))) / 1.04, pair[1][..., 2]
        medians[name] = np.array([np.median(error[..., g == GROUP]) for g in range(7)])
        sure[name] = np.array([np.median(confidence[..., g == GROUP]) for g in range(7)])
    np.testing.assert_allclose(
        medians["thunder"], [0.010, 0.020, 0.019, 0.018, 0.032, 0.023, 0.021], atol=0.004
    )
    np.testing.assert_allclose(sure["thunder"], [0.95, 0.97, 0.93, 0.9, 0.96, 0.95, 0.94], atol=0.03)
    assert (medians["lightning"] > medians["thunder"]).all()
    assert (sure["lightning"] < sure["thunder"]).all()
