"""Batches hold who is found and nobody else, frames of all clips together."""

from dataclasses import replace

import numpy as np
import torch

from choros.training.comotion.batch import EncodedClip, batch_of, some_people
from tests.training.comotion.drawn import drawn_clip

NOTHING = (torch.zeros(3, 1),)


def test_batches_hold_who_is_found_and_nobody_else():
    clips = [drawn_clip(1, people=4, hidden_at_first=1), drawn_clip(2, people=2), drawn_clip(3, people=5)]
    rng = np.random.default_rng(0)
    who = [some_people(clip, rng, 3) for clip in clips]
    assert 3 not in who[0]
    assert [len(some) for some in who] == [3, 2, 3]
    batch = batch_of([EncodedClip(clip, NOTHING) for clip in clips], who, rng, None)
    assert batch.present.sum(1).tolist() == [3, 2, 3]
    for b, clip in enumerate(clips):
        for slot, person in enumerate(who[b]):
            np.testing.assert_array_equal(batch.truth.points_px[:, b, slot], clip.points_px[:, person])
            np.testing.assert_array_equal(batch.truth.betas[b, slot], clip.betas[person])
            np.testing.assert_array_equal(batch.boxes_px[b, slot], clip.first_box_px[person])
    assert not batch.truth.pointed[:, 1, 2].any()
    assert not batch.truth.shaped[1, 2]


def test_frames_lie_together_and_heatmaps_know_their_frames():
    clips = [drawn_clip(1), replace(drawn_clip(2), everyone=False), drawn_clip(3, people=1)]
    maps = [(torch.full((3, 2), float(b)) + torch.arange(3)[:, None] * 10,) for b in range(3)]
    who = [np.array([], np.int64)] * 3
    batch = batch_of(
        [EncodedClip(c, m) for c, m in zip(clips, maps, strict=True)], who, np.random.default_rng(0), None
    )
    assert batch.maps[0][:, 0].tolist() == [0, 1, 2, 10, 11, 12, 20, 21, 22]
    assert batch.labelled.tolist() == [0, 2, 3, 5, 6, 8]
    np.testing.assert_array_equal(batch.keypoints_px[2, :2], clips[0].keypoints_px[1])
    np.testing.assert_array_equal(batch.keypoints_px[3, :1], clips[2].keypoints_px[1])
    assert not batch.present.any()
