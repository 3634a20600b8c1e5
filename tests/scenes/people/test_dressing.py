"""People dressed in our own clothes: what covers what, on bodies of all sizes."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from scipy.spatial import cKDTree

from choros.scenes.people.actors import BodyMaker
from choros.scenes.people.dressing import Closet, dress
from choros.scenes.people.fitting import Fitting, Measures
from choros.scenes.people.garments import TOPS, wear_bottom, wear_shoes, wear_top
from choros.scenes.people.person_appearance import sample_appearance
from choros.scenes.place.photo_album import Album

LOOK = replace(
    sample_appearance(np.random.default_rng(0)), scarf=False, bag=False, hat="none", hair_style="short"
)


@pytest.fixture(scope="module")
def body_maker():
    return BodyMaker()


def bodies(body_maker):
    yield body_maker.rest(np.zeros(10))
    yield body_maker.rest(np.array([1.5, -1, 1, 0, 0, 1.5, 0, 0, 0, 0]))
    yield body_maker.rest(np.array([-1, 1, 0, 0, 0, -1, 0, 0, 0, 0.0]), 0.9)


def height_over_skin(skin, points):
    """Signed metres of points (M, 3) over the nearest face of the skin, by its plane."""
    corners = skin.points[skin.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    middle = corners.mean(axis=1)
    face = cKDTree(middle).query(points)[1]
    return np.sum((points - middle[face]) * normals[face], axis=1)


@pytest.mark.parametrize("top", sorted(TOPS))
def test_tops_lie_over_the_skin_and_replace_it(body_maker, top):
    for rest in bodies(body_maker):
        f = Fitting(rest, replace(LOOK, top=top, bottom="trousers"))
        wear_bottom(f)
        wear_top(f, 0, [])
        height = height_over_skin(rest.skin, np.concatenate([piece.points for piece in f.pieces]))
        assert np.quantile(height, 0.01) > -0.004
        assert (height < -0.015).mean() < 0.005
        # Nothing of the belly is left to show through.
        bare, m = f.bare.points, f.m
        belly = (np.abs(bare[:, 0]) < 0.08) & (bare[:, 1] < m.waist + 0.05) & (bare[:, 1] > m.crotch + 0.05)
        assert not belly.any()


@pytest.mark.parametrize("bottom", ["trousers", "jeans", "shorts", "skirt", "long skirt", "leggings"])
def test_bottoms_reach_from_waist_to_hem(body_maker, bottom):
    for rest in bodies(body_maker):
        f = Fitting(rest, replace(LOOK, bottom=bottom))
        wear_bottom(f)
        points = np.concatenate([p.points for p in f.pieces])
        assert abs(points[:, 1].max() - f.m.waist) < 0.05
        hem = points[:, 1].min()
        assert (f.m.ankle - 0.06 if bottom != "shorts" else f.m.knee - 0.1) < hem < f.m.crotch


def test_shoes_hold_the_feet_and_stand_flat(body_maker):
    for rest in bodies(body_maker):
        f = Fitting(rest, LOOK)
        wear_shoes(f)
        assert not np.any(f.bare.points[:, 1] < f.m.ankle - 0.06 * f.m.size)
        points = np.concatenate([p.points for p in f.pieces])
        sole = points[:, 1].min()
        assert f.m.floor - 0.03 < sole < f.m.floor
        feet = rest.skin.points[rest.skin.points[:, 1] < f.m.floor + 0.04]
        for axis in (0, 2):
            assert points[:, axis].min() <= feet[:, axis].min()
            assert points[:, axis].max() >= feet[:, axis].max()


def test_lengths_scale_with_children(body_maker):
    adult, child = (Measures(body_maker.rest(np.zeros(10), kid)) for kid in (0.0, 1.0))
    assert abs(adult.size - 1) < 0.02
    assert child.size < 0.85
    assert child.size < child.head < 1.05  # children's heads are large


def test_everybody_is_dressed_alike_each_time(body_maker):
    rest = body_maker.rest(np.zeros(10))
    for seed in range(4):
        appearance = sample_appearance(np.random.default_rng(seed))
        one, two = dress(rest, appearance), dress(rest, appearance)
        np.testing.assert_array_equal(one.points, two.points)
        np.testing.assert_array_equal(one.textures, two.textures)
        assert one.faces.max() < len(one.points)
        assert one.texture.max() < len(one.textures)
        np.testing.assert_allclose(one.skin_weights.sum(axis=1), 1, atol=1e-5)


def test_prints_are_cut_from_photographs_alike_each_time(body_maker, tmp_path):
    rng = np.random.default_rng(0)
    for n in range(3):
        cv2.imwrite(str(tmp_path / f"{n}.png"), rng.integers(0, 256, (90, 120, 3)).astype(np.uint8))
    rest, closet = body_maker.rest(np.zeros(10)), Closet(album=Album(tmp_path))
    changed = 0
    for seed in range(4):
        appearance = replace(LOOK, top="tshirt", bottom="skirt", seed=seed)
        one, two, plain = (
            dress(rest, appearance, closet),
            dress(rest, appearance, closet),
            dress(rest, appearance),
        )
        np.testing.assert_array_equal(one.textures, two.textures)
        changed += not np.array_equal(one.textures, plain.textures)
    assert changed >= 1


def test_a_print_stands_upright_on_the_chest(body_maker):
    """Seen from the front, where the wearer's left is on the right, a picture is neither mirrored nor upside down."""
    f = Fitting(body_maker.rest(np.zeros(10)), replace(LOOK, top="tshirt"))
    wear_top(f, 0, [])
    f.stamp(7, f.m.armpit - 0.05, (0.1, 0.1), front=True)
    printed = next(p for p in f.pieces if p.texture == 7)
    assert printed.points[:, 2].min() > f.m.middle_z
    across = np.corrcoef(printed.points[:, 0], printed.uv[:, 0])[0, 1]
    up = np.corrcoef(printed.points[:, 1], printed.uv[:, 1])[0, 1]
    assert across > 0.99
    assert up > 0.99
    assert printed.uv.min() >= -1e-9
    assert printed.uv.max() <= 1 + 1e-9
