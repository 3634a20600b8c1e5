"""Dressed people on the floor of a scene: shoes neither sink nor float."""

from fractions import Fraction

import pytest

from choros.scenes import SceneConfig, make_scene


@pytest.mark.parametrize("seed", [0, 1])
def test_shoes_stand_on_the_floor(seed):
    scene = make_scene("crossing", seed, SceneConfig(width=64, height=48, fps=Fraction(10), seconds=3))
    for frame in range(scene.n_frames):
        for points in scene._posed(frame):
            assert -0.02 < points[:, 2].min() < 0.01
