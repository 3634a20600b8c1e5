"""What the motion model learns from: people on their feet and in place, rare motions more often."""

import numpy as np
import pytest

from choros.scenes.motion.motion_features import FPS
from choros.scenes.motion.motion_model import MotionModelConfig
from choros.training.motion_model.recipe import MotionModelRecipe
from choros.training.motion_model.windows import open_skeleton, rows_of, windows_of
from tests.training.captured import clip

SMALL = MotionModelConfig(window=12, past=4, codes=16, past_codes=8, width=16, blocks=1)


def test_only_people_on_their_feet_and_in_place_are_learned_from():
    run = MotionModelRecipe(tempos=(1.0,))
    good = windows_of([clip()], SMALL, run)
    assert len(good.rows) == 2 * (4 * FPS - 1 - SMALL.window + 1)
    everybody = [
        clip(), clip("lying_1", lying=True), clip("running_1", speed_m_s=4.0), clip("hanging_1", height_m=0.5)
    ]  # fmt: skip
    assert len(windows_of(everybody, SMALL, run).rows) == len(good.rows)


def test_long_activities_are_drawn_by_the_root_of_their_length():
    windows = windows_of(
        [clip("a_1", 2.0), clip("b_1", 6.0), clip("b_2", 6.0)], SMALL, MotionModelRecipe(tempos=(1.0,))
    )
    sizes = [2 * (int(s * FPS) - SMALL.window) for s in (2, 6, 6)]
    first = windows.chance[: sizes[0]].sum()
    assert windows.chance.sum() == pytest.approx(1)
    assert (1 - first) / first == pytest.approx(np.sqrt((sizes[1] + sizes[2]) / sizes[0]))


def test_tempo_slows_what_is_seen():
    body = open_skeleton()
    walker = clip(speed_m_s=0.5)
    slow, usual = rows_of(walker, body, 0.5), rows_of(walker, body)
    np.testing.assert_allclose(usual[:, 1] * body.leg_m, 0.5, atol=1e-4)
    np.testing.assert_allclose(slow[:, 1] * body.leg_m, 0.25, atol=1e-4)
    np.testing.assert_allclose(slow[::2][: len(usual)][:, 10:-2], usual[:, 10:-2], atol=1e-4)
