"""Cuts between shots, and all that is none."""

import numpy as np
import pytest

from choros.video.cuts import CutRules, change, layout

LIMIT = CutRules().recoloured_far


def scenery(seed: int, width: int = 320, height: int = 180) -> np.ndarray:
    """A picture of large and small patches, each of its own colour."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.uint8)
    for size in (90, 30, 10):
        for _ in range(30):
            x, y = rng.integers(-size, width), rng.integers(-size, height)
            image[max(y, 0) : y + size, max(x, 0) : x + size] = rng.integers(0, 256, 3)
    return image


def moved(before: np.ndarray, after: np.ndarray) -> float:
    return change(layout(before), layout(after))


@pytest.mark.parametrize("seed", range(5))
def test_another_place_is_a_cut(seed):
    assert moved(scenery(seed), scenery(seed + 100)) > LIMIT


@pytest.mark.parametrize("gain", [0.6, 0.9, 1.3])
def test_exposure_is_none(gain):
    image = scenery(1) // 2
    assert moved(image, (image * gain).astype(np.uint8)) < LIMIT


def test_noise_a_pan_and_somebody_passing_are_none():
    wide = scenery(2, width=360)
    before = wide[:, :320]
    noise = np.random.default_rng(0).normal(0, 12, before.shape)
    assert moved(before, np.clip(before + noise, 0, 255).astype(np.uint8)) < LIMIT
    assert moved(before, wide[:, 10:330]) < LIMIT  # half the width in a second at 15 frames/s
    passing = before.copy()
    passing[40:, 100:140] = [200, 30, 30]
    assert moved(before, passing) < LIMIT


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 300), (1920, 1080), (47, 48)])
def test_any_size_has_a_layout(width, height):
    image = np.full((height, width, 3), 40, np.uint8)
    assert layout(image).shape == (27, 32)
    assert moved(image, image) == 0


def test_the_change_is_how_far_colours_move():
    grey = np.full((64, 64, 3), 96, np.uint8)
    split = grey.copy()
    split[:, :, 0], split[:, :, 2] = 96 + 32, 96 - 32  # as bright: red up by 4 of 32 levels, blue down by 4
    assert moved(grey, split) == pytest.approx((4 + 0 + 4) / 3 / 32, abs=1e-6)
