"""Windows of takes: what is drawn, and that what is known goes with it."""

from dataclasses import replace

import numpy as np
import torch

from choros.fourdhumans.actions.config import ACTION_PRESETS
from choros.training.actions import made_windows
from choros.training.actions.by_construction import WHICH
from choros.training.actions.lifted_takes import lifted
from choros.training.actions.made_windows import MadeWindows
from choros.training.actions.small import SmallActionRecipe, SmallActionTask
from choros.training.actions.takes import captured
from tests.training.captured import clip

CLIPS = [clip("humanoid3d_walk", 6.0, speed_m_s=1.2), clip("humanoid3d_stand", 6.0), clip("roll", lying=True)]
QUICK = replace(
    SmallActionRecipe(),
    steps=120,
    views=8,
    staged=1,
    batch=12,
    warmup=8,
    lr=5e-3,
    masked=0.0,
    held_out_windows=24,
)
TINY = replace(
    ACTION_PRESETS["small"], frames=10, fps=5.0, depth=1, pose_hidden=32, pose=32, feedforward=32, dropout=0.0,
    drop_path=0.0,
)  # fmt: skip


def windows():
    config = ACTION_PRESETS["small"]
    return MadeWindows(lifted(list(captured(CLIPS)), config.fps, 2, seed=1), config, seed=1)


def test_actions_are_drawn_alike_often():
    _, truth = windows().draw(60, np.random.default_rng(0))
    someone = truth.labels[:, :, 0].amax(1)
    shares = {name: float(someone[:, WHICH[name]].mean()) for name in ("stand", "walk", "lie")}
    assert min(shares.values()) > 0.15, shares
    assert not (truth.labels.bool() & ~truth.labelled).any()


def test_tokens_have_no_place_but_from_the_first_person():
    """The first person is where the window is told from, and nobody's numbers are far from the usual ones."""
    made = windows()
    tokens, _ = made.draw(12, np.random.default_rng(1))
    T = tokens.detected.shape[1]
    for row in range(12):
        seen = tokens.detected[row, :, 0].nonzero()[:, 0]
        middle = seen[(seen - T // 2).abs().argmin()]
        place = tokens.pose_shape[row, middle, 0, -3:] * made.std[-3:] + made.mean[-3:]
        torch.testing.assert_close(place, torch.zeros(3), atol=1e-5, rtol=0)
    shown = tokens.pose_shape[tokens.detected]
    assert shown.mean(0).abs().max() < 1.0


def test_it_learns_to_tell_who_walks_from_who_lies(monkeypatch):
    monkeypatch.setitem(ACTION_PRESETS, "small", TINY)
    monkeypatch.setattr(made_windows, "MEASURED", 40)
    task = SmallActionTask(CLIPS, QUICK)
    task.show(CLIPS, True)
    before, _ = task.look(task.network)
    for step in range(QUICK.steps):
        plan = task.prepare(step)
        batch = task.batch(step, 0)
        loss, _ = task.losses(task.predict(batch), batch, step)
        for group in task.optimiser.param_groups:
            group["lr"] = plan.lr
        task.optimiser.zero_grad()
        loss.backward()
        task.optimiser.step()
    after, _ = task.look(task.network)
    assert after["ap_lie"] > max(0.9, before["ap_lie"])
    assert after["map"] > before["map"]
    assert set(task.tensors(task.network)) >= {"mean", "std", "action_head.weight"}
