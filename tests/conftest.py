"""What all tests share: a made-up scene, and property tests that draw the same cases every time, by no clock."""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import settings

import choros  # before a test imports onnxruntime, which is to send nothing

if TYPE_CHECKING:
    from choros.scenes.truth.scene_truth import SceneTruth

settings.register_profile("choros", deadline=None, derandomize=True)
settings.load_profile("choros")


class Filmed(NamedTuple):
    """A scene as ``choros scenes make`` writes it, and all that is known of it."""

    folder: Path
    video: Path
    truth: choros.Motion
    arrays: "SceneTruth"


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """Two people who walk before a camera that stands still: 12 frames of 480x270 px at 10 a second."""
    from choros.scenes import SceneConfig, make_scene

    folder = tmp_path_factory.mktemp("scene")
    scene = make_scene("easy", 2, SceneConfig(480, 270, Fraction(10), 1.2, people=2))
    scene.write(folder)
    return Filmed(folder, folder / "video.mp4", scene.truth, scene.arrays)
