"""Frames of scenes: damaged as drawn, and the same in any order."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from choros.scenes import SceneConfig, make_scene
from choros.scenes.camera.damage import CHUNK, Damage

SMALL = SceneConfig(width=160, height=96, fps=Fraction(25), seconds=0.48, people=2, device="cpu")


def coded(scene, crf):
    scene.damage = Damage(0.0, np.ones(scene.n_frames), None, crf)
    return scene


@pytest.fixture(scope="module")
def easy():
    return make_scene("easy", 6, SMALL)


def test_any_order_of_frames_gives_the_same_bytes(easy):
    coded(easy, 30)
    assert easy.n_frames == 12 > CHUNK
    alone = [make_scene("easy", 6, SMALL) for _ in range(2)]
    for scene in alone:
        coded(scene, 30)
    images = list(easy.frames())
    for frame in (9, 3, 11, 0):
        assert alone[0].frame(frame).tobytes() == images[frame].tobytes()
    assert alone[1].frame(3).tobytes() == images[3].tobytes()
    assert images[3].tobytes() != easy.taken(3).tobytes()
    apart = np.abs(images[3].astype(int) - easy.taken(3)).mean()
    assert apart < 12


def test_blur_comes_out_the_same_in_any_order():
    config = replace(SMALL, camera="pan")
    one, other = (make_scene("moving", 2, config) for _ in range(2))
    for scene in (one, other):
        scene.damage = Damage(1 / 30, np.ones(scene.n_frames), None, None)
    forward = [one.frame(f).tobytes() for f in range(12)]
    assert [other.frame(f).tobytes() for f in reversed(range(12))] == forward[::-1]


def test_exposure_makes_the_picture_brighter(easy):
    means = []
    for gain in (0.5, 1.0, 1.6):
        easy.damage = Damage(0.0, np.full(easy.n_frames, gain), None, None)
        means.append(easy.frame(0).mean())
    assert means[0] < means[1] < means[2]
    # Far from the shoulder a picture in gamma 2 goes with the root of the light.
    assert means[0] / means[1] == pytest.approx(np.sqrt(0.5), abs=0.08)


def test_a_perfect_camera_takes_the_same_picture_twice_of_what_stands_still():
    scene = make_scene("easy", 6, replace(SMALL, damage=0.0))
    still = scene.masks(0) == 0
    for frame in range(3):
        still &= scene.masks(frame) == 0
    first, second = scene.frame(0).astype(int), scene.frame(2).astype(int)
    top = still.copy()
    top[16:] = False  # above everybody and their shadows
    assert np.abs(first - second)[top].max() <= 1
