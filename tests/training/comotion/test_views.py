"""Views of a clip: points, bodies and K go with the picture, exactly."""

import cv2
import numpy as np
import pytest

from choros.training.comotion.labels import about_pelvis
from choros.training.comotion.views import Views, turned_boxes, viewed
from tests.training.comotion.drawn import drawn_clip, reprojected


def some_views(T):
    time = np.linspace(0, 1, T)
    at = np.tile([30.0, 25.0], (T, 1))
    lands = np.stack([60 + 5 * time, 70 - 8 * time], -1)
    return Views.about(at, lands, 1.5 + 0.4 * time, np.deg2rad(40 + 10 * time))


def test_bodies_stay_under_their_points_through_a_turning_and_zooming_view(body):
    clip = drawn_clip(1, frames=4)
    seen = viewed(clip, some_views(4), 128)
    np.testing.assert_allclose(reprojected(seen), seen.points_px, atol=2e-3)
    about = about_pelvis(seen.rotations.astype(np.float64), seen.betas, body)
    np.testing.assert_allclose(about, seen.about_pelvis, atol=1e-5)  # the poses turn as their joints do
    np.testing.assert_allclose(seen.keypoints_px[..., :2], seen.points_px[:, :, 24:], atol=1e-3)
    np.testing.assert_allclose(
        seen.size_px / clip.size_px, some_views(4).scale[:, None] * np.ones((1, 2)), rtol=1e-5
    )


def test_the_picture_goes_where_its_points_go():
    clip = drawn_clip(1, frames=2)
    clip.images[:] = 0
    for image in clip.images:
        cv2.circle(image, (20, 40), 2, (255, 255, 255), -1)
    seen = viewed(clip, some_views(2), 128)
    there = some_views(2).to_square(np.tile([20.5, 40.5], (2, 1, 1)))[:, 0]  # the middle of that pixel
    for image, point in zip(seen.images, there, strict=True):
        y, x = np.nonzero(image[..., 0] > 100)
        np.testing.assert_allclose([x.mean() + 0.5, y.mean() + 0.5], point, atol=0.5)


def test_one_picture_becomes_a_clip_and_nothing_else_can():
    clip = drawn_clip(1, frames=1)
    seen = viewed(clip, some_views(5), 128)
    assert len(seen) == len(seen.rotations) == len(seen.pointed) == 5
    np.testing.assert_allclose(reprojected(seen), seen.points_px, atol=2e-3)
    with pytest.raises(ValueError, match="5 views of 3 frames"):
        viewed(drawn_clip(1), some_views(5), 128)


def test_who_is_out_of_view_is_not_known():
    clip = drawn_clip(1, frames=2, people=1)
    away = Views.about(np.zeros((2, 2)), np.full((2, 2), 1000.0), np.ones(2), np.zeros(2))
    seen = viewed(clip, away, 128)
    assert not seen.found.any()
    assert not seen.pointed.any()
    assert not (seen.posed | seen.placed).any()
    assert not seen.keypoints_px[..., 2].any()


def test_boxes_are_the_same_upright_and_those_of_ellipses_turned():
    boxes = np.array([[10.0, 20, 30, 80]])
    upright = Views(np.ones(1), np.zeros(1), np.array([[5.0, 7.0]]))
    np.testing.assert_allclose(turned_boxes(boxes, upright), boxes + np.array([5, 7, 5, 7]))
    quarter = Views(np.full(1, 2.0), np.full(1, np.pi / 2), np.zeros((1, 2)))
    np.testing.assert_allclose(turned_boxes(boxes, quarter), [[-160, 20, -40, 60]], atol=1e-9)
    np.testing.assert_allclose(np.ptp(turned_boxes(boxes, quarter).reshape(2, 2), axis=0), [120, 40])
