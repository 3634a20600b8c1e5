"""Pictures of scenes: damaged as drawn, the same in any order, lit as the place says."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from choros.camera import intrinsics
from choros.scenes import SceneConfig, make_scene
from choros.scenes.damage import CHUNK, Damage
from choros.scenes.places import sample_world
from choros.scenes.world import BOX, FLOOR, SKY, Light, Solid, World, depth_of, see

SMALL = SceneConfig(width=160, height=96, fps=Fraction(25), seconds=0.48, people=2, device="cpu")


def coded(scene, crf):
    scene.damage = Damage(0.0, np.ones(scene.n_frames), None, crf)
    return scene


@pytest.fixture(scope="module")
def easy():
    return make_scene("easy", 6, SMALL)


def test_any_order_of_frames_gives_the_same_bytes(easy):
    coded(easy, 30)
    assert easy.n_frames == 12 > CHUNK
    alone = [make_scene("easy", 6, SMALL) for _ in range(2)]
    for scene in alone:
        coded(scene, 30)
    images = list(easy.frames())
    for frame in (9, 3, 11, 0):
        assert alone[0].frame(frame).tobytes() == images[frame].tobytes()
    assert alone[1].frame(3).tobytes() == images[3].tobytes()
    assert images[3].tobytes() != easy.taken(3).tobytes()
    apart = np.abs(images[3].astype(int) - easy.taken(3)).mean()
    assert apart < 12


def test_blur_comes_out_the_same_in_any_order():
    config = replace(SMALL, camera="pan")
    one, other = (make_scene("moving", 2, config) for _ in range(2))
    for scene in (one, other):
        scene.damage = Damage(1 / 30, np.ones(scene.n_frames), None, None)
    forward = [one.frame(f).tobytes() for f in range(12)]
    assert [other.frame(f).tobytes() for f in reversed(range(12))] == forward[::-1]


def test_exposure_makes_the_picture_brighter(easy):
    means = []
    for gain in (0.5, 1.0, 1.6):
        easy.damage = Damage(0.0, np.full(easy.n_frames, gain), None, None)
        means.append(easy.frame(0).mean())
    assert means[0] < means[1] < means[2]
    # Far from the shoulder a picture in gamma 2 goes with the root of the light.
    assert means[0] / means[1] == pytest.approx(np.sqrt(0.5), abs=0.08)


def test_a_perfect_camera_takes_the_same_picture_twice_of_what_stands_still():
    scene = make_scene("easy", 6, replace(SMALL, damage=0.0))
    still = scene.masks(0) == 0
    for frame in range(3):
        still &= scene.masks(frame) == 0
    first, second = scene.frame(0).astype(int), scene.frame(2).astype(int)
    top = still.copy()
    top[16:] = False  # above everybody and their shadows
    assert np.abs(first - second)[top].max() <= 1


LIGHT = Light((0.6, 0.0, 0.8), (0.6,) * 3, (0.4,) * 3, (0.3, 0.4, 0.7), (0.7,) * 3, 0.02)


def wall_world(*solids):
    white = np.full((2, 7, 8, 8, 3), 255, np.uint8)
    return World(solids, white, 4.0, LIGHT)


def camera(eye_m=2.0):
    T = np.eye(4)
    T[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    T[2, 3] = eye_m
    return intrinsics(120, 80, fov_deg=60), T


def test_depth_alone_is_the_depth_of_the_picture():
    K, T = camera()
    for seed in range(2):
        world = sample_world(np.random.default_rng(seed), 9.0)
        seen = see(world, K, T, 120, 80)
        np.testing.assert_array_equal(depth_of(world, K, T, 120, 80), seen.depth)
        np.testing.assert_array_equal(see(world, K, T, 120, 80, 3).depth, seen.depth)


def test_floor_and_wall_are_where_they_are():
    K, T = camera()
    seen = see(wall_world(Solid(BOX, (0.0, 10.5, 1.0), (50.0, 0.5, 1.0), 0.0, 1, 1.0)), K, T, 120, 80)
    rows = np.arange(80) + 0.5
    floor = 2.0 * K[1, 1] / np.maximum(rows - 40, 1e-9)
    wall = (floor > 10) & (rows > 40)
    np.testing.assert_allclose(seen.depth[wall], 10, rtol=1e-6)
    near = (floor < 10) & (rows > 40)
    np.testing.assert_allclose(seen.depth[near], floor[near, None].repeat(120, axis=1), rtol=1e-5)
    assert set(np.unique(seen.solid)) == {SKY, FLOOR, 0}


def test_floor_light_is_dark_where_the_sun_is_hidden_and_soft_at_the_edge():
    """A box 2 m high keeps the sun from 1.5 m of floor behind it: the sun stands at a slope of 0.8 to 0.6."""
    world = wall_world(Solid(BOX, (2.0, 8.0, 1.0), (0.5, 3.0, 1.0), 0.0, 1, 1.0))
    light = world.floor_light
    row = round((8.0 - light.corner[1]) / light.texel_m)

    def sun(x_m):
        return light.open_[row, round((x_m - light.corner[0]) / light.texel_m - 0.5), 0]

    assert sun(-2.0) == pytest.approx(1)
    assert sun(4.0) == pytest.approx(1)  # before it
    assert sun(0.8) < 0.01
    assert 0.05 < sun(0.0) < 0.95
    edge = [sun(x) for x in np.arange(-0.3, 0.3, 0.05)]
    assert np.all(np.diff(edge) <= 1e-6)
    sky = light.open_[row, :, 1]
    assert sky.min() < 0.6
    assert sky[0] == pytest.approx(1, abs=0.02)


def test_longer_paths_have_longer_places():
    """Nothing of the place stands on the floor that people use."""
    for seed in range(5):
        world = sample_world(np.random.default_rng(seed), 20.0, half_width_m=15.0)
        for solid in world.solids:
            side_wall = world.indoors and abs(solid.centre[0]) > 12
            assert side_wall or solid.centre[1] + max(solid.half[:2]) > 20.0
            assert side_wall or solid.centre[1] > 20.0


def test_furniture_keeps_clear_of_people():
    people = np.random.default_rng(1).uniform((-3, 4), (3, 9), (40, 2))
    count = 0
    for seed in range(4):
        world = sample_world(np.random.default_rng(seed), 9.0, furniture=4, people=people)
        count += len(world.occluders)
        for solid in world.occluders:
            away = np.linalg.norm(people - solid.centre[:2], axis=1).min()
            assert away - max(solid.half[:2]) > 0.15
    assert count > 3
