"""TRACE as a system, around maps that show what a detector finds."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from choros.errors import ChorosError
from choros.trace.memory import MemoryRules
from choros.trace.options import TraceOptions
from choros.trace.tracker import TrackerConfig
from tests.scenery import scenery
from tests.trace.told import told_trace
from tests.tracking.every_system import Told

PLACE = scenery(3, 160, 120)
NEAR, FAR = (20, 10, 60, 110), (110, 40, 130, 80)


def run(system, frames, K=None, fps=10):
    """Results where a detector is told the boxes of each of the ``frames``."""
    detector, stream, results = system.encoder.detector, system.stream(K), []
    for i, boxes in enumerate(frames):
        detector.boxes = boxes
        results.append(stream.update(PLACE, i / fps))
    return results


def people(results):
    return [result.rows["person"].tolist() for result in results]


@pytest.mark.parametrize(("hidden_s", "remembered"), [(1.0, True), (3.0, True), (3.6, False)])
def test_whoever_is_hidden_is_remembered_for_a_hundred_frames(hidden_s, remembered):
    frames = [[NEAR]] * 4 + [[]] * round(10 * hidden_s) + [[NEAR]] * 4
    after = people(run(told_trace(Told()), frames))[-1]
    assert after == ([1] if remembered else [2])


def test_without_memory_whoever_is_hidden_is_somebody_else():
    system = told_trace(Told())
    system.config = system.config.forgetful()
    seen = people(run(system, [[NEAR]] * 4 + [[]] * 2 + [[NEAR]] * 4))
    assert seen[3] == [1]
    assert seen[5] == []
    assert seen[-1] == [2]


def test_subjects_are_chosen_in_the_first_frame_and_nobody_is_added():
    frames = [[NEAR, FAR]] * 3 + [[NEAR, FAR, (70, 10, 105, 110)]] * 9
    assert people(run(told_trace(Told(), subjects=1), frames))[-1] == [1]
    assert len(people(run(told_trace(Told()), frames))[-1]) == 3
    one = run(told_trace(Told(), subjects=1), frames)[0].rows
    assert one["transl"][0, 0] < 0  # the nearer, at the left


def test_nobody_is_as_many_subjects_as_nobody():
    with pytest.raises(ChorosError, match="give 1 or more"):
        TraceOptions(subjects=0)


def test_the_camera_is_known_once_somebody_is_there():
    results = run(told_trace(Told()), [[], [], [NEAR], [NEAR]])
    assert [result.T_world_camera is not None for result in results] == [False, False, True, True]
    # The first camera stands level in a world with z up: what is ahead of it is along y, what is below it along -z.
    T = results[-1].T_world_camera
    assert T[:3, 3] == pytest.approx(np.zeros(3))
    assert T[:3, :3] @ [0, 0, 1] == pytest.approx([0, 1, 0])
    assert T[:3, :3] @ [0, 1, 0] == pytest.approx([0, 0, -1])


@pytest.mark.parametrize("focal", [100.0, 300.0])
def test_another_focal_length_lands_on_the_same_pixels(focal):
    K = np.array([[focal, 0, 80], [0, focal, 60], [0, 0, 1]])
    system = told_trace(Told())
    rows = run(system, [[NEAR, FAR]] * 3, K)[-1].rows
    pelvis = rows["transl"] + system.body.rest_joints(torch.zeros(1, 10))[:, 0].numpy()
    at = pelvis @ K.T
    middle = np.array([[40, 60], [120, 60]])
    assert at[:, :2] / at[:, 2:] == pytest.approx(middle, abs=0.5)
    assert pelvis[0, 2] / focal == pytest.approx(1 / (1.1 * 50), rel=0.02)


def test_times_are_the_papers():
    assert TrackerConfig().life.lost_s == pytest.approx(100 / 30)
    assert TrackerConfig().forgetful().life.lost_s == 0


def test_without_flow_none_is_looked_for():
    system, asked = told_trace(Told(), flow=False), []
    system.encoder.flow = lambda before, now: asked.append(now)
    run(system, [[NEAR]] * 3)
    assert asked == []


def test_who_is_in_the_same_place_is_the_same_though_the_maps_say_another_distance():
    """The later marks are lower about the same middle: farther away, far beyond this memory's gate."""
    system = told_trace(Told())
    frames = [[NEAR]] * 3 + [[(20, 22, 60, 98)]] * 3
    system.config = replace(system.config, memory=MemoryRules(weights=(1.2, 2.5, 400.0)))
    assert run(system, frames)[-1].rows["visible"].tolist() == [True]
    system.config = replace(system.config, same_box_iou=2.0)
    assert run(system, frames)[-1].rows["visible"].tolist() == [
        False
    ]  # remembered, and somebody new not yet sure
