"""Painting: coverage of pixels, blending, light, and colours that everybody can tell apart."""

import numpy as np
import pytest

from choros.mesh.colours import PALETTE, colour_of
from choros.mesh.rasteriser import Canvas
from choros.mesh.shading import paint

K = np.array([[40.0, 0, 20], [0, 40.0, 20], [0, 0, 1]])
FACES = np.array([[0, 2, 1], [0, 3, 2]], np.int32)  # counter-clockwise as the camera sees them


def card(x0: float, y0: float, x1: float, y1: float, z: float = 1.0) -> np.ndarray:
    """A flat card that covers these pixels, facing the camera, (4, 3) metres."""
    corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    return np.concatenate([(corners - 20) / 40 * z, np.full((4, 1), z)], 1).astype(np.float32)


def painted(
    cards: list[np.ndarray], colours: list[tuple[int, int, int]], opacity: float = 1.0, samples: int = 2
) -> np.ndarray:
    image = np.zeros((40, 40, 3), np.uint8)
    canvas = Canvas(40 * samples, 40 * samples)
    paint(image, canvas, np.stack(cards), FACES, np.array(colours, np.uint8), K, opacity)
    return image


def test_a_pixel_half_covered_is_half_blended() -> None:
    image = painted([card(10.5, 10, 30, 30)], [(200, 200, 200)]).astype(float)[..., 0]
    full = image[20, 20]
    assert full > 120
    np.testing.assert_allclose(image[12:28, 10], full / 2, atol=3)
    assert (image[:, :10] == 0).all()
    assert (image[:, 30:] == 0).all()
    np.testing.assert_allclose(image[10:30, 11:30], full, atol=3)


def test_opacity_lets_the_picture_through() -> None:
    solid = painted([card(5, 5, 35, 35)], [(180, 120, 60)]).astype(float)
    half = painted([card(5, 5, 35, 35)], [(180, 120, 60)], opacity=0.5).astype(float)
    np.testing.assert_allclose(half, solid / 2, atol=1)


@pytest.mark.parametrize("samples", [1, 2])
def test_the_nearer_card_hides_the_farther(samples: int) -> None:
    near, far = card(5, 5, 25, 25, 2.0), card(15, 15, 35, 35, 3.0)
    red, blue = (200, 0, 0), (0, 0, 200)
    one = painted([near, far], [red, blue], samples=samples)
    np.testing.assert_array_equal(one, painted([far, near], [blue, red], samples=samples))
    assert one[20, 20, 0] > 100 > one[20, 20, 2]
    assert one[30, 30, 2] > 100 > one[30, 30, 0]


def test_a_jump_in_depth_is_drawn_as_a_line() -> None:
    # Two cards of the same colour, one half a metre behind the other: only the line tells them apart.
    image = painted([card(5, 5, 20, 35, 2.0), card(5, 5, 35, 35, 2.5)], [(150, 150, 150)] * 2).astype(int)
    row = image[20, :, 0]
    assert row[19:21].min() < 0.75 * row[10]
    assert abs(row[10] - row[30]) < 12


def test_light_comes_from_above() -> None:
    # A tent's upper side, its face to the camera and its lower side.
    ridge = np.array([[-0.3, -0.3, 1.3], [0.3, -0.3, 1.3], [0.3, 0, 1], [-0.3, 0, 1]], np.float32)
    level = card(8, 12, 32, 28)
    under = ridge * np.array([1, -1, 1], np.float32)
    under = under[[3, 2, 1, 0]]
    brightness = [
        painted([shape], [(150, 150, 150)])[..., 0].max().astype(int) for shape in (ridge, level, under)
    ]
    assert brightness[0] > brightness[1] > brightness[2] > 30


def test_nobody_leaves_the_picture_alone() -> None:
    image = np.arange(4800, dtype=np.uint8).reshape(40, 40, 3)
    before = image.copy()
    canvas = Canvas(80, 80)
    assert (
        paint(image, canvas, np.zeros((0, 4, 3), np.float32), FACES, np.zeros((0, 3), np.uint8), K, 1) == []
    )
    paint(image, canvas, card(5, 5, 9, 9)[None] * [1, 1, -1], FACES, np.zeros((1, 3), np.uint8), K, 1)
    np.testing.assert_array_equal(image, before)


def test_a_colour_belongs_to_its_person() -> None:
    assert colour_of(1) == tuple(PALETTE[0])
    assert colour_of(1 + len(PALETTE)) == colour_of(1)
    assert len({colour_of(i) for i in range(1, 1 + len(PALETTE))}) == len(PALETTE)


def test_the_first_colours_differ_for_the_colour_blind() -> None:
    # Simulated dichromacy in linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.
    protan = [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
    deutan = [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
    colour = PALETTE[:8] / 255.0
    linear = np.where(colour > 0.04045, ((colour + 0.055) / 1.055) ** 2.4, colour / 12.92)
    for matrix in (np.eye(3), np.array(protan), np.array(deutan)):
        lab = _lab(np.clip(linear @ matrix.T, 0, 1))
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1) + 1e3 * np.eye(8)
        assert apart.min() > 9  # CIELAB; 2.3 is just noticeable


def _lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
    t = linear @ np.array(to_xyz).T / [0.95047, 1.0, 1.08883]
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], -1)
