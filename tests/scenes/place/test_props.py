"""Things that pass by: closed and outward, straight and clear of everybody, and in the way of what is behind them."""

import numpy as np
import pytest

from choros.scenes.place.props import CLEAR_M, Mover, car, cart, footprints, robot, sample_movers, van
from choros.scenes.place.solids import BOX, CYLINDER, Solid

TIMES = np.arange(0, 4, 0.1)
MAKERS = [car, van, cart, robot]


@pytest.mark.parametrize("make", MAKERS)
def test_props_stand_on_the_floor_and_their_faces_look_out(make):
    prop = make(np.random.default_rng(3))
    assert abs(prop.points[:, 2].min()) < 1e-6
    assert 0.3 < prop.size_m.min() < prop.size_m.max() < 6
    assert prop.texture.max() < len(prop.textures)
    assert len(prop.uv) == len(prop.points)
    # Of closed blocks whose faces look out, the signed volume is positive.
    a, b, c = prop.points[prop.faces].astype(np.float64).transpose(1, 0, 2)
    assert np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6 > 0.05
    assert prop.points.tobytes() == make(np.random.default_rng(3)).points.tobytes()


def test_movers_drive_straight_at_their_speed():
    mover = Mover(car(np.random.default_rng(0)), (1.0, 5.0), 2.0, 0.3, 6.0)
    np.testing.assert_allclose(mover.at(2.0), [1, 5])
    np.testing.assert_allclose(mover.at(3.0), [1 + 6 * np.cos(0.3), 5 + 6 * np.sin(0.3)])
    np.testing.assert_allclose(
        mover.posed(3.0) - mover.posed(2.0),
        np.broadcast_to([6 * np.cos(0.3), 6 * np.sin(0.3), 0], mover.prop.points.shape),
        atol=1e-5,
    )


def test_clearance_is_the_distance_from_a_box():
    prop = car(np.random.default_rng(0))
    mover = Mover(prop, (0.0, 0.0), 0.0, np.pi / 2, 0.0)  # along y
    length, width, _ = prop.size_m
    at = np.array([[[width / 2 + 0.4, 0.0]]])
    assert mover.clear_m(at, np.zeros(1)) == pytest.approx(0.4, abs=0.02)
    assert mover.clear_m(np.array([[[0.0, length / 2 + 1]]]), np.zeros(1)) == pytest.approx(1, abs=0.02)
    assert mover.clear_m(np.zeros((1, 1, 2)), np.zeros(1)) < -0.5


def test_nobody_is_run_over():
    people = np.zeros((len(TIMES), 6, 2))
    people[..., 0] = np.linspace(-2, 2, 6) + 0.5 * TIMES[:, None]
    people[..., 1] = np.linspace(5, 9, 6)
    pole = footprints([Solid(CYLINDER, (0.5, 4.0, 1.0), (0.2, 0.2, 1.0), 0.0, 0, 1.0)])
    camera, drawn = np.zeros((len(TIMES), 2)), 0
    for seed in range(40):
        movers = sample_movers(
            np.random.default_rng(seed), 2, seed % 2 == 0, (3.5, 10.0), people, pole, camera, TIMES
        )
        drawn += len(movers)
        for mover in movers:
            assert mover.clear_m(people, TIMES) > CLEAR_M
            assert mover.clear_m(np.broadcast_to(pole, (len(TIMES), *pole.shape)), TIMES) > CLEAR_M
            assert mover.clear_m(camera[:, None], TIMES) > CLEAR_M
    assert 5 < drawn < 60
    nobody = np.random.default_rng(0)
    assert sample_movers(nobody, 0, False, (3.5, 10.0), people, pole, camera, TIMES) == ()


def test_footprints_fill_what_stands():
    points = footprints([Solid(BOX, (1.0, 2.0, 0.5), (0.5, 1.0, 0.5), np.pi / 2, 0, 1.0)])
    np.testing.assert_allclose(points.min(axis=0), [0.0, 1.5])
    np.testing.assert_allclose(points.max(axis=0), [2.0, 2.5])
    assert footprints([]).shape == (0, 2)


def test_what_passes_by_hides_people_from_truth_and_masks(monkeypatch):
    from choros.scenes import SceneConfig, make_scene, scene

    config = SceneConfig(
        width=160, height=90, seconds=0.2, people=1, damage=0.0, camera="static", device="cpu"
    )
    free = make_scene("easy", 4, config)
    x, y = free.actors[0].places[2, 0, :2]
    box = van(np.random.default_rng(0))
    van_before = Mover(box, (float(x) / 2, float(y) / 2), 2 / 25, 0.0, 0.0)
    monkeypatch.setattr(scene, "sample_movers", lambda *arguments: (van_before,))
    hidden = make_scene("easy", 4, config)
    assert free.visible_fraction[2] > 0.5
    assert hidden.visible_fraction[2] < 0.5 * free.visible_fraction[2]
    assert 0 < (free.masks(2) == 1).sum() > 2 * (hidden.masks(2) == 1).sum()
    assert hidden.masks(2).max() <= 1  # a van is nobody
    assert hidden.truth.rows["keypoints_px"][..., 2].sum() < free.truth.rows["keypoints_px"][..., 2].sum()
