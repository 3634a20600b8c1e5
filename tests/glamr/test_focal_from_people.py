"""The lens from how people stand: closed forms with sticks before a camera that is known."""

from dataclasses import replace

import numpy as np
import pytest

from choros.camera import intrinsics, project
from choros.camera_motion.background_lines import Lines
from choros.glamr.focal_from_people import FocalRules, combined, focal_from_looks, level_axes
from choros.glamr.looks_at_people import Looks, with_focal

LENS, ASSUMED = 700.0, 960.0
K = intrinsics(960, 540, focal_px=LENS)
SURE = FocalRules(
    size=1e-3, size_person=1e-3, lean_rad=1e-3, lean_person=1e-3, upright_rad=1e-3, upright_person=1e-3,
    upright_all=1e-3, edge_rad=1e-3,
)  # fmt: skip


def sticks(tilt_rad=0.2, roll_rad=0.02, height_m=2.2, noise=0.0, seed=0):
    """Six people, each five times, upright on a floor, as whoever took the lens for ``ASSUMED`` saw them."""
    rng = np.random.default_rng(seed)
    R = level_axes(tilt_rad, roll_rad)  # world from camera
    person = np.repeat(np.arange(6), 5)
    n = len(person)
    floor = np.stack([rng.uniform(-2.5, 2.5, n), rng.uniform(4, 11, n)], -1)
    tall = 1 + noise * (0.05 * rng.normal(size=6)[person] + 0.04 * rng.normal(size=n))

    def seen(height):
        world = np.concatenate([floor, np.full((n, 1), height - height_m)], -1)
        return world @ R

    lean = noise * np.stack([0.04 * rng.normal(size=6)[person] + 0.05 * rng.normal(size=n) for _ in range(2)])
    turn = rng.uniform(0, 2 * np.pi, n)
    up = R[2] + lean[0][:, None] * R[0] + lean[1][:, None] * R[1]
    up /= np.linalg.norm(up, axis=-1, keepdims=True)
    ahead = np.cos(turn)[:, None] * R[0] + np.sin(turn)[:, None] * R[1]
    ahead -= (ahead * up).sum(-1, keepdims=True) * up
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    root = np.stack([np.cross(up, ahead), up, ahead], -1)  # SMPL's: y up, z ahead
    ends = np.stack([project(seen(0.1), K), project(seen(1.4), K)], 1)
    ends[:, 1, 0] += noise * (ends[:, 0, 1] - ends[:, 1, 1]) * 0.05 * rng.normal(size=n)
    up_root = np.tile([0.0, 1.0, 0.0], (n, 1))
    looks = Looks(
        K,
        person,
        np.full(n, 1.0),
        seen(0.9) * tall[:, None],
        root,
        up_root,
        -0.9 * tall[:, None] * up_root,
        ends,
    )
    return with_focal(looks, ASSUMED / LENS)


def nobody():
    return Looks(*(part if part.shape == (3, 3) else part[:0] for part in vars(sticks()).values()))


def edges(tilt_rad, roll_rad=0.0, n=20):
    """Upright edges about the picture."""
    rng = np.random.default_rng(1)
    R = level_axes(tilt_rad, roll_rad)
    foot = np.stack([rng.uniform(-4, 4, n), rng.uniform(8, 12, n), np.full(n, -2.0)], -1)
    ends = np.stack([project(foot @ R, K), project((foot + np.array([0, 0, 3.0])) @ R, K)], 1)
    return Lines(ends, np.full(n, 1.0))


def test_looks_are_those_of_another_lens_and_back():
    looks = sticks()
    assert looks.K[0, 0] == pytest.approx(ASSUMED)
    true = with_focal(looks, LENS / ASSUMED)
    np.testing.assert_allclose(
        project(looks.pelvis, looks.K), project(true.pelvis, true.K), atol=1e-9
    )  # pictures stay
    soles = true.pelvis + (true.R_camera_root @ true.sole_root[..., None])[..., 0]
    np.testing.assert_allclose(soles @ level_axes(0.2, 0.02)[2], -2.2, atol=1e-9)


@pytest.mark.parametrize("tilt_rad", [0.1, 0.2, 0.5])
def test_without_noise_the_lens_is_found(tilt_rad):
    found = focal_from_looks(sticks(tilt_rad), SURE)
    assert found.times * ASSUMED == pytest.approx(LENS, rel=1e-3)
    assert found.tilt_rad == pytest.approx(tilt_rad, abs=1e-3)
    assert found.height_m == pytest.approx(2.2, rel=1e-3)
    assert found.n_people == 6
    assert found.better(SURE)


def test_the_spread_is_that_of_the_errors():
    found = [focal_from_looks(sticks(0.25, noise=1.0, seed=seed)) for seed in range(20)]
    off = np.array([np.log(one.times * ASSUMED / LENS) / one.spread for one in found])
    assert 0.4 < np.sqrt(np.mean(off**2)) < 1.6
    assert np.mean(np.abs(off) < 2) > 0.9
    assert all(one.spread < 0.5 * FocalRules().log_focal for one in found)


def test_a_level_camera_leaves_what_was_assumed():
    """Without the third measure: bodies so uncertain that only feet and lean are left, which say nothing of f."""
    rules = replace(FocalRules(), upright_rad=100.0)
    looks = sticks(0.0, 0.0)
    found = focal_from_looks(looks, rules)
    assert abs(np.log(found.times)) < 0.15
    assert found.spread > 0.85 * rules.log_focal
    assert not found.better(rules)


def test_nobody_says_nothing():
    found = focal_from_looks(nobody())
    assert (found.times, found.spread, found.n_people) == (1.0, FocalRules().log_focal, 0)
    assert not found.better(FocalRules())


def test_upright_edges_say_it_better():
    looks, rules = sticks(0.25, noise=1.0), FocalRules()
    alone, both = focal_from_looks(looks, rules), focal_from_looks(looks, rules, edges(0.25))
    assert both.spread < 0.8 * alone.spread
    assert both.times * ASSUMED == pytest.approx(LENS, rel=2 * both.spread)


def test_edges_that_point_elsewhere_change_little():
    rng = np.random.default_rng(3)
    anywhere = Lines(rng.uniform(0, 540, (40, 2, 2)), np.full(40, 1.0))
    true = edges(0.25)
    mixed = Lines(np.concatenate([true.ends_px, anywhere.ends_px]), np.ones(60))
    looks = sticks(0.25, noise=1.0)
    clean, found = focal_from_looks(looks, lines=true), focal_from_looks(looks, lines=mixed)
    assert found.times == pytest.approx(clean.times, rel=clean.spread)


def test_shots_are_of_one_lens_and_what_is_believed_counts_once():
    rules = FocalRules()
    one = focal_from_looks(sticks(0.25, noise=1.0, seed=1))
    assert combined([one]) == one
    both = combined([one, one])
    told = one.spread**-2 - rules.log_focal**-2
    assert both.spread == pytest.approx((rules.log_focal**-2 + 2 * told) ** -0.5)
    nothing = focal_from_looks(nobody())
    assert combined([one, nothing]).times == pytest.approx(one.times)
    assert combined([one, nothing]).spread == pytest.approx(one.spread)
