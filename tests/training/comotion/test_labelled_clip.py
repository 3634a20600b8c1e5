"""Clips for CoMotion: picture, K and truth stay together whatever is done to them."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from choros.training.comotion.labelled_clip import in_square, mirrored, windowed
from choros.training.comotion.losses import points_about_pelvis
from tests.training.comotion.drawn import drawn_clip, reprojected


@pytest.mark.parametrize(
    "change",
    [
        lambda clip: clip,
        mirrored,
        lambda clip: in_square(clip, 64),
        lambda clip: windowed(clip, (10, -20, 90, 60), 128),
        lambda clip: mirrored(windowed(clip, (30, 10, 75, 90), 64)),
    ],
)
def test_truth_stays_one(clip, body, change):
    changed = change(clip)
    known = changed.pointed > 0
    assert known.any()
    np.testing.assert_allclose(reprojected(changed)[known], changed.points_px[known], atol=1e-3)
    about = points_about_pelvis(
        torch.from_numpy(changed.rotations), torch.from_numpy(changed.betas).expand(3, -1, -1), body
    )
    if not np.array_equal(changed.rotations, clip.rotations):  # the body is symmetric to a hair's breadth
        np.testing.assert_allclose(about[:, :, :24], changed.about_pelvis[:, :, :24], atol=5e-3)


@pytest.mark.parametrize("change", [mirrored, lambda clip: windowed(clip, (24, 16, 88, 80), 96)])
def test_pictures_move_as_points_do(change):
    """A disc in the picture is where its point is."""
    clip = drawn_clip(2, frames=1, people=1, size=96)
    image = np.zeros_like(clip.images)
    x, y = clip.points_px[0, 0, 24 + 9]  # a wrist
    cv2.circle(image[0], (int(x), int(y)), 2, (255, 0, 0), -1)
    changed = change(replace(clip, images=image))
    lit = changed.images[0, :, :, 0].astype(float)
    rows, columns = np.indices(lit.shape)
    middle = np.array([(lit * columns).sum(), (lit * rows).sum()]) / lit.sum() + 0.5
    now = changed.points_px[0, 0, 24 + (10 if change is mirrored else 9)]
    assert np.abs(middle - now).max() < 1.5


def test_mirroring_twice_changes_nothing(clip):
    twice = mirrored(mirrored(clip))
    for name in (
        "images",
        "K",
        "first_box_px",
        "keypoints_px",
        "rotations",
        "about_pelvis",
        "points_px",
        "pointed",
    ):
        np.testing.assert_allclose(getattr(twice, name), getattr(clip, name), atol=1e-4, err_msg=name)


def test_who_is_out_of_the_window_is_not_there(clip):
    left = clip.points_px[..., 0].max((0, 2)).argmin()  # the person at the left
    x = int(clip.points_px[:, left, :, 0].max()) + 2
    cut = windowed(clip, (x, 0, 96, 96), 64)
    assert not cut.found[left]
    assert not cut.pointed[:, left].any()
    assert not cut.posed[:, left].any()
