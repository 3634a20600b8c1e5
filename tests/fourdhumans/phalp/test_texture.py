"""What is seen of people, in pictures that are known."""

import cv2
import numpy as np
import pytest

from choros.body import BodyModel
from choros.fourdhumans.phalp.texture import (
    DRESSED,
    PATCHES,
    Skin,
    Texture,
    TextureRules,
    remember,
    unlikeness,
)
from choros.lifter.pose_engine import LiftedPeople
from choros.rotation import rotvec_to_rotmat

WIDTH, HEIGHT = 320, 240
K = np.array([[300.0, 0, 160], [0, 300.0, 120], [0, 0, 1]])


@pytest.fixture(scope="module")
def skin():
    return Skin(BodyModel.load(detail="light"))


def people(*places, facing=True):
    """People who stand upright at these places, metres, towards the camera or away from it."""
    n = len(places)
    rotations = np.broadcast_to(np.eye(3), (n, 24, 3, 3)).copy()
    turn = rotvec_to_rotmat(np.array([np.pi, 0, 0]))
    rotations[:, 0] = turn if facing else turn @ rotvec_to_rotmat(np.array([0, np.pi, 0]))
    return LiftedPeople(rotations, np.zeros((n, 10)), np.array(places, float), np.zeros((n, 24, 3)))


def sure(n):
    return np.concatenate([np.zeros((n, 17, 2)), np.ones((n, 17, 1))], -1)


def test_one_side_is_seen_and_has_the_pictures_colour(skin):
    image = np.full((HEIGHT, WIDTH, 3), [200, 60, 30], np.uint8)
    lab = cv2.cvtColor(image[:1, :1].astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
    for facing in (True, False):
        texture = skin.read(image, people((0, 0, 4), facing=facing), sure(1), K)
        fronts, backs = np.split(texture.weight[0], 2)
        seen, hidden = (fronts, backs) if facing else (backs, fronts)
        chest = list(DRESSED).index("chest")
        assert seen[chest] == 1
        assert hidden[chest] < 0.2
        known = texture.weight[0] > 0
        np.testing.assert_allclose(texture.lab[0, known], np.broadcast_to(lab, (known.sum(), 3)), atol=1e-3)


def test_points_are_seen_where_a_ray_meets_nothing_before(skin):
    """Against all triangles, one by one."""
    vertices = skin.vertices(people((0, 0, 4)))
    seen = skin.visible(vertices, WIDTH, HEIGHT, K)[0]
    some = np.random.default_rng(0).choice(np.flatnonzero(skin.patches % len(DRESSED) != 0), 150, False)
    corners = vertices[0][skin.faces]
    hidden = np.array([_is_hidden(vertices[0][v], corners) for v in some])
    assert (seen[some] & hidden).mean() < 0.05  # within the test's tolerance, and a pixel
    assert seen[some].sum() > 30
    assert (~seen[some] & hidden).sum() > 30


def _is_hidden(point, corners):
    """Whether a triangle lies more than 6 cm before a point on the way to the camera (Möller and Trumbore)."""
    ray = point / np.linalg.norm(point)
    a, b, c = corners.transpose(1, 0, 2)
    across = np.cross(ray, c - a)
    scale = ((b - a) * across).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (-a * across).sum(-1) / scale
        v = (ray * np.cross(-a, b - a)).sum(-1) / scale
        away = ((c - a) * np.cross(-a, b - a)).sum(-1) / scale
    u, v, away = (np.nan_to_num(part, posinf=-1, neginf=-1) for part in (u, v, away))
    hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (away > 0) & (away < np.linalg.norm(point) - 0.06)
    return hit.any()


def test_who_stands_before_hides(skin):
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    texture = skin.read(image, people((0, 0, 4), (0, 0, 6)), sure(2), K)
    alone = skin.read(image, people((0, 0, 6)), sure(1), K)
    chest = list(DRESSED).index("chest")
    assert texture.weight[0, chest] == alone.weight[0, chest] == 1
    assert texture.weight[1, chest] == 0


def test_nothing_is_read_beyond_the_picture_behind_the_camera_or_without_keypoints(skin):
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert not skin.read(image, people((0, 0, -4), (9, 0, 4)), sure(2), K).weight.any()
    assert not skin.read(image, people((0, 0, 4)), 0 * sure(1), K).weight.any()


def test_unlikeness_and_memory():
    rules = TextureRules()
    red, blue = np.full((1, PATCHES, 3), 50.0), np.full((1, PATCHES, 3), 60.0)
    all_of_it, front = np.ones((1, PATCHES)), np.arange(PATCHES)[None] < len(DRESSED)
    a, b = Texture(red, all_of_it), Texture(blue, front.astype(float))
    assert unlikeness(a, a, rules)[0, 0] == 0
    assert unlikeness(a, b, rules)[0, 0] == pytest.approx(
        1
    )  # ten units in each of three, in deviations of ten
    back = Texture(red, 1.0 - front)
    assert np.isnan(unlikeness(b, back, rules)[0, 0])
    both = remember(b, back, np.array([0.1]))
    np.testing.assert_array_equal(both.lab[0, :, 0], np.where(front[0], 60, 50))
    np.testing.assert_allclose(remember(a, b, np.array([0.1])).lab[0, :, 0], np.where(front[0], 51, 50))
