"""Data names: the named sets are what they were, and everything else is found or refused."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.evaluation.sources import INGREDIENTS, TEST_SETS, SceneSource, open_data
from choros.scenes import KINDS, TEST_SEEDS, SceneConfig

from .named_sets import KNOWN, TOLERANCE, fingerprint

SHARED = Path(__file__).parents[3] / "shared" / "assets"
ASSETS = SHARED if SHARED.is_dir() else None


@pytest.fixture
def assets(tmp_path):
    for path in INGREDIENTS.values():
        (tmp_path / path).mkdir(parents=True)
    return tmp_path


def test_named_sets_are_ten_clips_of_their_own(assets):
    seeds = []
    for name, chosen in TEST_SETS.items():
        sources = open_data(name, assets)
        assert len(sources) == 10
        for source in sources:
            assert 96 <= source.config.seconds * source.config.fps <= 300
            assert source.seed in TEST_SEEDS
            assert source.kind in KINDS
            assert source.config.device == "cpu"
            seeds.append(source.seed)
        given = {getattr(sources[0].config, ingredient) is not None for ingredient in INGREDIENTS}
        assert given == {chosen.ingredients} == {name.endswith("_mocap")}
    assert len(set(seeds)) == len(seeds)
    assert {"easy", "crossing", "crowd", "longgone", "moving", "world"} == {
        name.removesuffix("_mocap") for name in TEST_SETS
    }


@pytest.mark.parametrize(  # the first of these reads all the captured clips
    "name", [pytest.param(n, marks=pytest.mark.slow if n.endswith("_mocap") else []) for n in TEST_SETS]
)
def test_named_sets_are_what_they_were(name):
    """Known answers of the first clip; ``named_sets.py`` tells how to write them anew."""
    known = json.loads(KNOWN.read_text())
    if name not in known or (TEST_SETS[name].ingredients and ASSETS is None):
        pytest.skip("needs photographs, clothes and motion capture that do not ship")
    now = fingerprint(open_data(name, ASSETS)[0])
    assert now.keys() == known[name].keys()
    for key, value in known[name].items():
        np.testing.assert_allclose(now[key], value, atol=TOLERANCE.get(key, 0), err_msg=f"{name}: {key}")


def test_twins_ask_for_their_ingredients(assets):
    with pytest.raises(ChorosError, match=r"--assets"):
        open_data("crossing_mocap")
    (assets / INGREDIENTS["mocap"]).rmdir()
    with pytest.raises(ChorosError, match=r"mocap is no folder"):
        open_data("crossing_mocap", assets)


def test_scenes_by_kind_and_seed():
    assert [s.name for s in open_data("scene:crossing:900001:3")] == [
        f"scene:crossing:{seed}" for seed in (900001, 900002, 900003)
    ]
    assert [s.name for s in open_data("scene:easy:5")] == ["scene:easy:5"]


def test_a_scene_is_filmed_with_its_truth(tmp_path):
    config = SceneConfig(128, 96, Fraction(10), 0.3, people=2)
    clip = SceneSource("easy", 1, config).open(tmp_path, lambda what, done, total: None)
    SceneSource("easy", 1, config).open(tmp_path / "again", lambda what, done, total: None)
    assert clip.video.read_bytes() == (tmp_path / "again" / "video.mp4").read_bytes()
    (source,) = open_data(str(tmp_path / "again"))
    assert source.open(tmp_path, lambda *_: None).truth.rows.tobytes() == clip.truth.rows.tobytes()
    assert len(clip.truth) == 3


@pytest.mark.parametrize(
    "name", ["scene:circus:1", "scene:easy", "scene:easy:-1", "scene:easy:1:0", "circus", "/nowhere/at/all"]
)
def test_names_that_mean_nothing_are_refused(name):
    with pytest.raises(ChorosError, match=name):
        open_data(name)


def test_a_folder_without_clips_is_refused(tmp_path):
    with pytest.raises(ChorosError, match="holds no clip"):
        open_data(str(tmp_path))
