"""Variation: follows from the generator, alike in all frames, within its ranges."""

from dataclasses import replace

import numpy as np
import torch

from choros.training.comotion.variation import (
    Variation,
    assumed_focal,
    detected_boxes,
    disturbed,
    erased,
    recoloured,
    varied,
)
from choros.training.comotion.views import PER_FRAME
from tests.training.comotion.drawn import drawn_clip, reprojected


def test_varied_clips_follow_from_the_generator(clip):
    one, same, other = (varied(clip, np.random.default_rng(seed), 64, Variation()) for seed in (1, 1, 2))
    assert one.images.shape == (3, 64, 64, 3)
    np.testing.assert_array_equal(one.images, same.images)
    np.testing.assert_array_equal(one.points_px, same.points_px)
    assert not np.array_equal(one.images, other.images)
    known = one.pointed > 0
    np.testing.assert_allclose(reprojected(one)[known], one.points_px[known], atol=1e-3)


def test_all_frames_get_the_same_colours(clip):
    still = np.repeat(clip.images[:1], 3, 0)
    out = recoloured(still, np.random.default_rng(0), Variation())
    assert np.array_equal(out[0], out[2])
    assert not np.array_equal(out[0], still[0])


def test_detected_boxes_are_near_and_tighter_around_what_is_seen():
    clip = drawn_clip(3, people=1, size=128)
    low, high = clip.first_box_px[0, :2], clip.first_box_px[0, 2:]
    legs_hidden = clip.keypoints_px.copy()
    legs_hidden[:, :, 11:, 2] = 0
    half = replace(clip, keypoints_px=legs_hidden)
    rng = np.random.default_rng(0)
    boxes = np.stack([detected_boxes(half, rng, Variation())[0] for _ in range(200)])
    assert boxes.min() >= 0
    assert boxes.max() <= 128
    assert (boxes[:, 2:] > boxes[:, :2]).all()
    assert np.abs(boxes[:, 1] - low[1]).mean() < 0.15 * (high - low)[1]
    assert boxes[:, 3].mean() < high[1] - 0.1 * (high - low)[1]  # the feet are in half of the boxes at most


def test_a_known_focal_length_is_varied_a_little_an_unknown_one_made_up(clip):
    rng, variation = np.random.default_rng(0), Variation()
    known = np.array([assumed_focal(clip, rng, variation)[0, 0, 0] for _ in range(100)]) / clip.K[0, 0, 0]
    assert known.min() >= variation.focal[0]
    assert known.max() <= variation.focal[1]
    assert 20 < np.isclose(known, 1).sum() < 80
    unknown = replace(clip, camera_known=False)
    made_up = np.stack([assumed_focal(unknown, rng, variation)[0] for _ in range(100)])
    assert made_up[:, 0, 0].min() >= 0.6 * 96 * 0.999
    assert made_up[:, 0, 0].max() > 1.5 * 96
    np.testing.assert_array_equal(made_up[:, :2, 2], np.tile(clip.K[0, :2, 2], (100, 1)))


def test_a_close_up_shows_its_people_under_their_points_and_makes_a_clip_of_a_picture():
    variation = Variation(close_rate=1, moving_rate=1, erased_rate=0)
    picture = drawn_clip(4, frames=1, people=2, size=96)
    for seed in range(5):
        seen = varied(picture, np.random.default_rng(seed), 64, variation, 16 / 9, 4)
        assert seen.images.shape == (4, 64, 64, 3)
        known = seen.pointed > 0
        np.testing.assert_allclose(reprojected(seen)[known], seen.points_px[known], atol=2e-3)
    still = varied(picture, np.random.default_rng(0), 64, replace(variation, moving_rate=0), 16 / 9, 4)
    assert (still.images == still.images[:1]).all()


def test_nobody_found_means_a_window_of_everything(clip):
    nobody = replace(clip, images=clip.images[:1], found=np.zeros(3, bool))
    nobody = replace(nobody, **{name: getattr(clip, name)[:1] for name in PER_FRAME if name != "images"})
    seen = varied(nobody, np.random.default_rng(0), 64, Variation(close_rate=1), 1.0, 3)
    assert seen.images.shape == (3, 64, 64, 3)


def test_what_is_painted_over_is_not_seen_but_known(clip):
    one = erased(clip, np.random.default_rng(3), Variation(erased_most=1, erased_share=(0.6, 0.6)))
    gone = (clip.keypoints_px[..., 2] > 0) & (one.keypoints_px[..., 2] == 0)
    assert gone.any()
    assert (one.keypoints_px[..., 2] > 0).any()
    np.testing.assert_array_equal(one.pointed, clip.pointed)
    x, y = clip.keypoints_px[gone][0, :2].astype(int)
    assert not np.array_equal(one.images[0, y, x], clip.images[0, y, x])
    assert not np.array_equal(one.images, clip.images)
    assert clip.keypoints_px[..., 2].all()  # the clip itself is left alone


def test_maps_are_disturbed_alike_in_all_frames():
    maps = torch.ones(3, 2, 4, 5, 6, dtype=torch.float16)  # frames, clips, channels
    out = disturbed(maps, np.random.default_rng(0), Variation())
    assert out.dtype == torch.float16
    assert torch.equal(out[0], out[2])
    assert (out[0].std((-2, -1)) == 0).all()
    assert len(out[0, :, :, 0, 0].unique()) > 4  # of 8, in half precision
    calm = Variation(map_gain=0, map_shift=0)
    assert torch.equal(disturbed(maps, np.random.default_rng(0), calm), maps)
