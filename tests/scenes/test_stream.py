"""The stream: clip k is always the same clip, however it is come by, and is what its scene is."""

import multiprocessing
import os
import signal
from contextlib import closing
from dataclasses import fields, replace
from fractions import Fraction
from itertools import islice, pairwise

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.scenes import TEST_SEEDS, SceneConfig, StreamConfig, make_scene, stream

TINY = StreamConfig(
    scene=SceneConfig(width=96, height=64, fps=Fraction(10), seconds=1.2),
    kinds=("crossing", "moving"),
    frames=4,
    clips_per_scene=3,
    people=(3, 3),
)


def content(clip):
    truth = [getattr(clip.truth, f.name).tobytes() for f in fields(clip.truth)]
    return clip.index, clip.kind, clip.seed, clip.first_frame, clip.images.tobytes(), *truth


@pytest.fixture(scope="module")
def clips():
    with closing(stream(4, TINY)) as running:
        return list(islice(running, 5))


def test_clips_are_numbered_and_differ(clips):
    assert [clip.index for clip in clips] == list(range(5))
    assert len({clip.images.tobytes() for clip in clips}) == 5
    assert len({clip.seed for clip in clips[:3]}) == 1  # of one scene
    assert clips[3].seed != clips[0].seed
    firsts = [clip.first_frame for clip in clips[:3]]
    assert all(a + TINY.frames <= b for a, b in pairwise(firsts))


def test_a_stream_goes_on_from_any_clip(clips):
    with closing(stream(4, TINY, start=1)) as running:
        assert [content(clip) for clip in islice(running, 2)] == [content(clip) for clip in clips[1:3]]


def test_workers_give_the_same_clips_and_end_with_the_stream(clips):
    before = set(multiprocessing.active_children())
    running = stream(4, TINY, start=2, workers=2)
    assert [content(clip) for clip in islice(running, 3)] == [content(clip) for clip in clips[2:]]
    workers = set(multiprocessing.active_children()) - before
    assert len(workers) == 2
    running.close()
    assert not set(multiprocessing.active_children()) & workers


def test_a_worker_that_is_killed_is_told_of():
    running = stream(4, TINY, workers=1)
    before = set(multiprocessing.active_children())
    next(running)
    (worker,) = set(multiprocessing.active_children()) - before
    os.kill(worker.pid, signal.SIGTERM)
    with pytest.raises(ChorosError, match="ended from outside"):
        list(islice(running, 20))


def test_an_error_in_a_worker_is_raised_as_it_is():
    crowded = replace(TINY, scene=replace(TINY.scene, people=90))
    said = []
    for workers in (0, 1):
        with pytest.raises(ChorosError) as caught:
            next(stream(4, crowded, workers=workers))
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_a_clip_is_a_part_of_its_scene(clips):
    clip = clips[1]
    scene = make_scene(clip.kind, clip.seed, replace(TINY.scene, people=3))
    frames = slice(clip.first_frame, clip.first_frame + TINY.frames)
    for frame, image in enumerate(clip.images, start=clip.first_frame):
        np.testing.assert_array_equal(scene.frame(frame), image)
    whole = scene.arrays
    present = whole.in_frame[frames].any(axis=0)
    np.testing.assert_array_equal(clip.truth.person, whole.person[present])
    for name in ("joints_cam", "box_px", "amodal_box_px", "visible_fraction", "keypoints_px", "transl"):
        np.testing.assert_array_equal(
            getattr(clip.truth, name), getattr(whole, name)[frames][:, present], err_msg=name
        )
    np.testing.assert_array_equal(clip.truth.K, whole.K[frames])


def test_another_seed_and_masks_on_request(clips):
    with closing(stream(5, replace(TINY, masks=True))) as running:
        clip = next(running)
    assert clip.images.tobytes() != clips[0].images.tobytes()
    assert clip.masks.shape == clip.images.shape[:3]
    assert set(np.unique(clip.masks)) <= {0, *clip.truth.person}


@pytest.mark.parametrize(
    ("seed", "config", "says"),
    [
        (TEST_SEEDS.start, TINY, "700000"),
        (TEST_SEEDS.stop - 1, TINY, "799999"),
        (-1, TINY, "-1"),
        (1, replace(TINY, kinds=("circus",)), "circus"),
        (1, replace(TINY, kinds=()), "one or more"),
        (1, replace(TINY, frames=5), "3 clips of 5 frames"),
    ],
)
def test_what_cannot_be_streamed_is_said_at_once(seed, config, says):
    with pytest.raises(ChorosError, match=says):
        stream(seed, config)


def test_no_scene_of_a_stream_is_a_test_scene(monkeypatch):
    """Seeds of ten thousand scenes, without making them."""
    import sys

    module, seeds = sys.modules["choros.scenes.stream"], []
    monkeypatch.setattr(module, "make_scene", lambda kind, seed, config: seeds.append(seed))
    monkeypatch.setattr(module, "_clip", lambda scene, index, frames, masks: index)
    assert list(islice(stream(0, replace(TINY, clips_per_scene=1)), 10_000)) == list(range(10_000))
    assert len(set(seeds)) == 10_000
    assert not any(seed in TEST_SEEDS for seed in seeds)
