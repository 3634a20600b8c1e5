"""Recipes of CoMotion: the paper's, and that their clips can be made."""

from dataclasses import replace

import numpy as np
import pytest

from choros.cli.train_comotion import Comotion
from choros.errors import ChorosError
from choros.scenes import StreamConfig, stream
from choros.training.comotion import task
from choros.training.comotion.feed import Options
from choros.training.comotion.recipe import RECIPES, LossWeights, scaled
from tests.training.comotion.drawn import stage


def test_recipes_are_the_papers():
    paper = RECIPES["paper"]
    assert [s.steps for s in paper.stages] == [300_000, 300_000, 150_000]
    assert {source.frames for source in paper.stages[0].sources} == {1}
    assert {(s.data, s.frames) for s in paper.stages[2].sources} == {
        ("bedlam", 16),
        ("posetrack", 8),
        ("jrdb", 16),
    }
    assert not paper.stages[0].freezes("encoder.trunk.stem.0.weight")
    assert all(s.freezes("encoder.key.weight") and not s.freezes("updater.x") for s in paper.stages[1:])
    assert paper.stage_at(0) == (0, 0)
    assert paper.stage_at(300_000) == (1, 300_000)
    assert paper.stage_at(749_999) == (2, 600_000)
    assert LossWeights().betas_norm == 0.005


@pytest.mark.parametrize(
    ("steps", "each"), [(1450, [600, 600, 250]), (14_500, [6000, 6000, 2500]), (3, [1, 1, 1]), (7, [3, 3, 1])]
)
def test_stages_keep_their_shares_of_other_numbers_of_steps(steps, each):
    shorter = scaled(RECIPES["small"], steps)
    assert [stage.steps for stage in shorter.stages] == each
    assert replace(shorter, stages=RECIPES["small"].stages) == RECIPES["small"]


def test_every_number_of_steps_is_kept_to():
    assert all(scaled(RECIPES["paper"], steps).steps == steps for steps in range(3, 200))
    with pytest.raises(ChorosError, match="2 steps are too few for 3 stages"):
        scaled(RECIPES["small"], 2)


def test_clips_of_every_source_fit_into_a_scene():
    stages = [*RECIPES["small"].stages, *RECIPES["answers"].stages]
    sources = [source for stage in stages for source in stage.sources if source.data == "scenes"]
    for source in sources:
        scene = replace(Options().scene, fps=source.fps)
        config = StreamConfig(scene, frames=source.frames, clips_per_scene=source.clips_per_scene)
        stream(1, config).close()  # raises ChorosError where they do not


def test_the_learning_rate_rises_and_falls():
    one = stage(steps=100, warmup=10, lr=1.0)
    rates = [task.learning_rate(one, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(rates[9], rel=0.02)
    assert np.all(np.diff(rates[10:]) <= 0)
    assert rates[-1] == pytest.approx(0.05)


def test_sketches_need_motion_capture_and_the_recipes_own_trunk(tmp_path):
    def kinds(**options):
        recipe = Comotion(output=tmp_path, recipe="answers", **options)._recipe()
        return [{source.data for source in stage.sources} for stage in recipe.stages]

    assert kinds(mocap=tmp_path) == 3 * [{"scenes", "sketched"}]
    assert kinds() == kinds(mocap=tmp_path, trunk="convnextv2-tiny") == 3 * [{"scenes"}]
