"""Cuts between shots, and all that is none."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from choros.video.cuts import CutDetector, CutRules, change, is_cut, layout, sketch
from tests.scenery import scenery

FRAME_S = 0.04


def cut(before: np.ndarray, after: np.ndarray, apart_s: float = FRAME_S) -> bool:
    return is_cut(sketch(before), sketch(after), apart_s)


def cuts_of(pictures: list[np.ndarray], fps: float = 25.0) -> list[int]:
    detector = CutDetector()
    return [n for n, picture in enumerate(pictures) if detector.step(sketch(picture), n / fps)]


def lit(image: np.ndarray, gain: float, more: float = 0.0) -> np.ndarray:
    return np.clip(gain * image.astype(float) + more, 0, 255).astype(np.uint8)


def filmed(wide: np.ndarray, x: float, roll_deg: float = 0.0, zoom: float = 1.0) -> np.ndarray:
    """A view of 320 x 180 px in the middle of a wide picture, ``x`` px to the right."""
    height, width = wide.shape[:2]
    warp = cv2.getRotationMatrix2D((width / 2 + x, height / 2), roll_deg, zoom)
    warp[:, 2] += [160 - width / 2 - x, 90 - height / 2]
    return np.ascontiguousarray(cv2.warpAffine(wide, warp, (320, 180), flags=cv2.INTER_LINEAR))


WIDE = scenery(2, 640, 320)


@pytest.mark.parametrize("seed", range(8))
def test_another_place_is_a_cut(seed):
    assert cut(scenery(seed), scenery(seed + 100))
    assert cut(scenery(seed), scenery(seed + 100), apart_s=0.5)


@pytest.mark.parametrize("seed", range(8))
def test_another_camera_in_a_room_of_the_same_colours_is_a_cut(seed):
    """Every ninth of the picture has the colours it had, a little warmer, in other places."""
    before, after = scenery(seed), scenery(seed)
    for part in [part for rows in np.split(after, 3) for part in np.array_split(rows, 3, axis=1)]:
        part[:] = part[::-1, ::-1] * np.array([1.0, 0.95, 0.85])
    assert change(layout(before), layout(after)) < CutRules().recoloured_far
    assert cut(before, after)


@pytest.mark.parametrize("zoom", [1.4, 1.7, 2.1])
@pytest.mark.parametrize("seed", range(4))
def test_a_closer_view_of_the_same_is_a_cut(zoom, seed):
    wide = scenery(seed, 640, 320)
    far, near = filmed(wide, 0), filmed(wide, 10, zoom=zoom)
    assert cut(far, near)
    assert cut(near, far)


@pytest.mark.parametrize("gain", [0.3, 0.6, 1.5])
def test_exposure_is_none(gain):
    image = scenery(1) // 2
    assert not cut(image, lit(image, gain))


def test_a_flash_a_blur_and_noise_are_none():
    image = filmed(WIDE, 0)
    assert cuts_of([image, lit(image, 1.4, 90), np.full_like(image, 255), image]) == []
    assert cuts_of([image, cv2.blur(image, (25, 3)), image]) == []
    rng = np.random.default_rng(0)
    assert cuts_of([lit(image + rng.normal(0, 15, image.shape), 1) for _ in range(4)]) == []


@pytest.mark.parametrize("step_px", [13, 32, 100])
def test_a_pan_is_none(step_px):
    """60 degrees a second through a lens of 60 degrees, at 25 and 10 frames/s; and with eight of 25 frames lost."""
    assert cuts_of([filmed(WIDE, x) for x in range(-150, 151, step_px)], 320 / step_px) == []


def test_a_shaking_hand_is_none():
    rng = np.random.default_rng(1)
    hand = [filmed(WIDE, *rng.normal(0, (8, 1.5)), zoom=1 + rng.normal(0, 0.01)) for _ in range(12)]
    assert cuts_of(hand) == []


def test_somebody_who_passes_close_by_is_none():
    """From the right, as wide as half the picture, in steps of a sixth of it."""
    image, somebody = filmed(WIDE, 0), scenery(50, 160, 180)
    pictures = []
    for x in range(320, -161, -53):
        picture = image.copy()
        left, right = max(x, 0), min(x + 160, 320)
        picture[:, left:right] = somebody[:, left - x : right - x]
        pictures.append(picture)
    assert cuts_of(pictures) == []


def test_a_zoom_is_none_and_neither_is_a_picture_that_stays():
    assert cuts_of([filmed(WIDE, 0, zoom=1.06**n) for n in range(12)]) == []
    assert cuts_of([WIDE, WIDE, WIDE], fps=0.1) == []


@pytest.mark.parametrize(("after", "begins"), [(2, []), (9, [10])])
def test_black_between_two_shots_is_a_cut_and_black_within_one_is_none(after, begins):
    first, then = scenery(2), scenery(after)
    fades = [*(lit(first, 1 - n / 5) for n in range(5)), *[np.zeros_like(first)] * 5, *[then] * 3]
    assert cuts_of(fades) == begins


def test_a_film_that_begins_black_begins_with_its_first_frame():
    assert cuts_of([np.zeros((180, 320, 3), np.uint8), scenery(1), scenery(1)]) == []


def test_pictures_far_apart_in_time_must_have_other_colours():
    """Two frames a second: the camera turned right about, and saw the same walls."""
    before, after = scenery(3), scenery(103)
    rules = replace(CutRules(), recoloured_far=change(layout(before), layout(after)) + 0.01)
    assert is_cut(sketch(before), sketch(after), 0.04, rules)
    assert not is_cut(sketch(before), sketch(after), 0.5, rules)


def test_each_shot_is_compared_with_the_frame_before_it():
    a, b = scenery(1), scenery(9)
    assert cuts_of([a, a, b, b, b, a, b, a, a]) == [2, 5, 6, 7]


def test_a_restored_detector_goes_on_bit_for_bit(tmp_path):
    pictures = [scenery(1), np.zeros((180, 320, 3), np.uint8), scenery(9), scenery(9), scenery(1)]
    whole = cuts_of(pictures)
    for stop in range(5):
        first, second = CutDetector(), CutDetector()
        begins = [n for n in range(stop) if first.step(sketch(pictures[n]), n / 25)]
        np.savez(tmp_path / "state.npz", **first.state())
        with np.load(tmp_path / "state.npz", allow_pickle=False) as state:
            second.restore(dict(state))
        begins += [n for n in range(stop, 5) if second.step(sketch(pictures[n]), n / 25)]
        assert begins == whole == [2, 4]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 300), (1920, 1080), (47, 48)])
def test_any_size_has_a_sketch(width, height):
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert layout(image).shape == (27, 32)
    assert not cut(image, image)
    assert cut(image, 255 - image // 2) in (False, True)  # whatever it says, it can be said


def test_the_change_is_how_far_colours_move():
    grey = np.full((64, 64, 3), 96, np.uint8)
    split = grey.copy()
    split[:, :, 0], split[:, :, 2] = 96 + 32, 96 - 32  # as bright: red up by 4 of 32 levels, blue down by 4
    assert change(layout(grey), layout(split)) == pytest.approx((4 + 0 + 4) / 3 / 32, abs=1e-6)
