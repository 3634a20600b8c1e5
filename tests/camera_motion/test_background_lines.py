"""Lines of a picture that is drawn, and where they point."""

import cv2
import numpy as np

from choros.camera import intrinsics
from choros.camera_motion.background_lines import Lines, angles_off, lines_of

NOBODY = np.zeros((0, 4))


def drawn(*ends, size=(540, 960)):
    image = np.full((*size, 3), 220, np.uint8)
    for a, b in ends:
        cv2.line(image, a, b, (30, 30, 30), 5, cv2.LINE_AA)
    return image


def test_lines_are_found_where_they_are():
    lines = lines_of(drawn(((200, 100), (230, 400))), NOBODY)
    assert len(lines) >= 2  # both sides of the stroke
    along = lines.ends_px[:, 1] - lines.ends_px[:, 0]
    angle = np.degrees(np.arctan2(along[:, 0], along[:, 1]) + np.pi / 2) % 180 - 90
    long = lines.weight > 0.5
    assert long.any()
    np.testing.assert_allclose(angle[long], np.degrees(np.arctan2(30, 300)), atol=0.5)
    np.testing.assert_allclose(lines.ends_px[long].mean(1), [[215, 250]] * long.sum(), atol=8)
    np.testing.assert_allclose(lines.weight[long], 4 * 300 / 960, atol=0.1)


def test_a_large_picture_gives_the_same_lines():
    """Twice as large, in which lines are looked for at half the size."""
    ends = ((100, 100), (160, 420))
    small = lines_of(drawn(ends), NOBODY)
    large = lines_of(drawn(*[tuple((2 * x, 2 * y) for x, y in ends)], size=(1080, 1920)), NOBODY)
    longest = [lines.ends_px[lines.weight.argmax()].mean(0) for lines in (small, large)]
    np.testing.assert_allclose(longest[1], 2 * longest[0], atol=14)


def test_lines_on_people_do_not_count():
    image = drawn(((200, 100), (230, 400)), ((700, 100), (700, 400)))
    lines = lines_of(image, np.array([[650.0, 80, 750, 420]]))
    assert len(lines)
    assert lines.ends_px[..., 0].max() < 400


def test_a_blank_picture_has_none():
    assert len(lines_of(drawn(), NOBODY)) == 0


def test_angles_are_those_to_the_vanishing_point():
    """Straight ahead is the middle of the picture; right of it at the same height lie the level ones of 45 degrees."""
    K = intrinsics(960, 540, focal_px=400)
    lines = Lines(
        np.array([[[100.0, 270], [200, 270]], [[480, 100], [480, 200]], [[380, 170], [430, 220]]]), np.ones(3)
    )
    ahead, right, down = (
        np.degrees(angles_off(lines, K, np.array(way))) for way in ([0.0, 0, 1], [1, 0, 1], [0, 1, 0])
    )
    np.testing.assert_allclose(ahead, 0, atol=1e-9)  # all point to the middle
    np.testing.assert_allclose(right[0], 0, atol=1e-9)
    np.testing.assert_allclose(np.abs(down[2]), 45, atol=1e-9)
    np.testing.assert_allclose(down[1], 0, atol=1e-9)
    turned = Lines(lines.ends_px[:, ::-1], lines.weight)  # from the other end
    np.testing.assert_allclose(angles_off(turned, K, np.array([0.0, 0, 1])), 0, atol=1e-9)
