"""Where boxes are that nobody detected: around the keypoints, as they were before."""

import numpy as np

from choros.lifter.tracks import FEWEST, OUTERMOST, STRETCH, boxes_around, hidden_share
from choros.tracking.likelihood import shape_of

BOX = np.array([[100.0, 50.0, 160.0, 250.0]])


def keypoints_in_it():
    points = np.random.default_rng(0).uniform(BOX[0, :2] + 10, BOX[0, 2:] - 10, (1, 17, 2))
    return np.concatenate([points, np.full((1, 17, 1), 0.9)], -1)


def around(now, then=None, expected_px=BOX):
    then = keypoints_in_it() if then is None else then
    return boxes_around(now, shape_of(BOX, then), expected_px, 0.3)


def test_a_box_goes_with_its_keypoints():
    now = keypoints_in_it()
    now[..., :2] += 7, -3
    np.testing.assert_allclose(around(now), np.add(BOX, [7, -3, 7, -3]), atol=1e-4)
    # Wherever it was expected, and as large as that.
    np.testing.assert_allclose(around(now, expected_px=BOX + 20), np.add(BOX, [7, -3, 7, -3]), atol=1e-4)


def test_an_arm_that_is_raised_raises_one_side():
    now = keypoints_in_it()
    top = now[0, :, 1].argmin()
    now[0, top, 1] -= 25
    np.testing.assert_allclose(around(now), BOX - [0, 25 * OUTERMOST, 0, 0], atol=1e-4)


def test_nobody_grows_or_shrinks_at_once():
    now = keypoints_in_it()
    now[..., :2] = BOX[:, None, :2] + 2 * (now[..., :2] - BOX[:, None, :2])
    size = around(now)[0, 2:] - around(now)[0, :2]
    np.testing.assert_allclose(size, STRETCH * (BOX[0, 2:] - BOX[0, :2]), rtol=1e-6)


def test_keypoints_that_are_not_sure_move_nothing():
    """Now or then; with too few others the box stays as expected."""
    moved = keypoints_in_it()
    moved[..., :2] += 7
    faint = np.arange(17) >= FEWEST - 1
    for now_faint in (True, False):
        now, then = moved.copy(), keypoints_in_it()
        (now if now_faint else then)[0, faint, 2] = 0.1
        np.testing.assert_allclose(around(now, then), BOX)
        (now if now_faint else then)[0, FEWEST - 1, 2] = 0.9
        np.testing.assert_allclose(around(now, then), BOX + 7, atol=1e-4)
    assert boxes_around(np.zeros((0, 17, 3)), np.zeros((0, 17, 3)), np.zeros((0, 4)), 0.3).shape == (0, 4)


def test_how_much_of_people_is_hidden():
    """Of the smaller of two, whichever is before the other."""
    boxes = np.array([[0, 0, 10, 40], [5, 0, 45, 80], [100, 0, 110, 10]], float)
    np.testing.assert_allclose(hidden_share(boxes), [0.5, 0.5, 0])
    assert hidden_share(np.zeros((2, 4))).tolist() == [0, 0]
    assert hidden_share(np.zeros((0, 4))).shape == (0,)
