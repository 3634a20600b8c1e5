"""Surroundings: the floor is lit as the sun stands, and what stands leaves room for people."""

import numpy as np
import pytest

from choros.scenes.place.places import sample_surroundings
from choros.scenes.place.solids import BOX, Solid
from choros.scenes.place.surroundings import Light, Surroundings

LIGHT = Light((0.6, 0.0, 0.8), (0.6,) * 3, (0.4,) * 3, (0.3, 0.4, 0.7), (0.7,) * 3, 0.02)


def walls(*solids):
    white = np.full((2, 7, 8, 8, 3), 255, np.uint8)
    return Surroundings(solids, white, 4.0, LIGHT)


def test_floor_light_is_dark_where_the_sun_is_hidden_and_soft_at_the_edge():
    """A box 2 m high keeps the sun from 1.5 m of floor behind it: the sun stands at a slope of 0.8 to 0.6."""
    surroundings = walls(Solid(BOX, (2.0, 8.0, 1.0), (0.5, 3.0, 1.0), 0.0, 1, 1.0))
    light = surroundings.floor_light
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
        surroundings = sample_surroundings(np.random.default_rng(seed), 20.0, half_width_m=15.0)
        for solid in surroundings.solids:
            side_wall = surroundings.indoors and abs(solid.centre[0]) > 12
            assert side_wall or solid.centre[1] + max(solid.half[:2]) > 20.0
            assert side_wall or solid.centre[1] > 20.0


def test_furniture_keeps_clear_of_people():
    people = np.random.default_rng(1).uniform((-3, 4), (3, 9), (40, 2))
    count = 0
    for seed in range(4):
        surroundings = sample_surroundings(np.random.default_rng(seed), 9.0, furniture=4, people=people)
        count += len(surroundings.occluders)
        for solid in surroundings.occluders:
            away = np.linalg.norm(people - solid.centre[:2], axis=1).min()
            assert away - max(solid.half[:2]) > 0.15
    assert count > 3
