"""Sketches: peaks where keypoints are reported, no trace of the hidden, truth that fits, and clips by their number."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from choros.comotion.config import PRESETS
from choros.comotion.network import ComotionNetwork
from choros.errors import ChorosError
from choros.scenes import SceneConfig
from choros.training.comotion import feed
from choros.training.comotion.batch import batch_of, some_people
from choros.training.comotion.feed import Options, encoded_clips
from choros.training.comotion.recipe import RECIPES, ClipSource
from choros.training.comotion.sketched import UNSEEN, answers, sketched_clips
from choros.training.comotion.unroll import clip_losses, unroll_batch
from choros.training.comotion.variation import Variation
from choros.training.lifter.poses import PoseClip
from tests.training.comotion.drawn import reprojected


@pytest.fixture(scope="module")
def motions():
    rng = np.random.default_rng(0)
    turns = np.tile(np.eye(3, dtype=np.float32), (40, 24, 1, 1))
    return [PoseClip(turns, np.cumsum(rng.normal(0, 0.01, (40, 3)), 0).astype(np.float32))]


def cells(people, confidence=0.9):
    """Keypoints of people who stand at (x, y), in cells, 20 high."""
    points = np.zeros((1, len(people), 17, 3))
    points[..., 2] = confidence
    for n, (x, y) in enumerate(people):
        points[0, n, :, 0], points[0, n, :, 1] = x + np.linspace(-4, 4, 17), y + np.linspace(-10, 10, 17)
    return points


def test_heatmaps_peak_where_keypoints_are_reported():
    points = cells([(20.5, 30.5)])
    maps = answers(points, (64, 96), np.random.default_rng(0))
    assert (maps.shape, maps.dtype) == ((1, 51, 64, 96), torch.float16)
    own = [maps[0, k, int(y), int(x)].item() for k, (x, y, _) in enumerate(points[0, 0])]
    assert np.mean(own) > 0.2
    assert maps[0, :17].float().median() < -2.5
    tops = maps[0, :17].flatten(1).argmax(-1).numpy()
    away = np.hypot(tops % 96 + 0.5 - points[0, 0, :, 0], tops // 96 + 0.5 - points[0, 0, :, 1])
    assert np.median(away) < 2


def test_ways_lead_from_the_middle_to_the_keypoints_of_the_nearer_person():
    points = cells([(20.5, 30.5), (70.5, 30.5)])
    maps = answers(points, (64, 96), np.random.default_rng(0)).float()
    for n, x in enumerate((20, 70)):
        down, across = maps[0, 17::2, 30, x].numpy(), maps[0, 18::2, 30, x].numpy()
        assert np.corrcoef(down, points[0, n, :, 1])[0, 1] > 0.9
        assert np.corrcoef(across, points[0, n, :, 0])[0, 1] > 0.9


def test_the_hidden_leave_no_trace():
    there, gone = cells([(20.5, 30.5)]), cells([(20.5, 30.5)])
    gone[..., 2] = 0
    with_them, without = (answers(points, (64, 96), np.random.default_rng(0)) for points in (there, gone))
    x, y = there[0, 0, :, :2].astype(int).T
    heights = without[0, np.arange(17), y, x].float()
    assert heights.max() < 0.1
    assert heights.mean() < with_them[0, np.arange(17), y, x].float().mean() - 2
    assert UNSEEN < -20
    assert without[0, 17:].abs().mean() < with_them[0, 17:].abs().mean()


def test_clips_follow_from_their_number_and_their_truth_fits(motions, body):
    def clips(start):
        return sketched_clips(motions, body, 256, 16 / 9, 4, (1, 3), (1, 2), start)

    first = list(islice(clips(0), 4))
    again = next(clips(3))
    assert torch.equal(first[3].maps[0], again.maps[0])
    np.testing.assert_array_equal(first[3].clip.points_px, again.clip.points_px)
    assert {len(one.clip.found) for one in first} <= {1, 2, 3}
    for one in first:
        x0, y0, x1, y1 = one.clip.content_px
        assert one.origin_px == (x0, y0)
        assert one.maps[0].shape == (4, 51, (y1 - y0) // 4, (x1 - x0) // 4)
        assert one.clip.images.shape == (0, 256, 256, 3)
        known = (one.clip.pointed > 0) & one.clip.posed[..., None]
        np.testing.assert_allclose(reprojected(one.clip)[known], one.clip.points_px[known], atol=0.05)


def test_a_network_of_answers_learns_from_them_and_another_is_refused(motions, monkeypatch):
    monkeypatch.setattr(feed, "motions_of", lambda mocap: tuple(motions))
    network = ComotionNetwork(PRESETS["answers"])
    options = Options(scene=SceneConfig(mocap=Path("mocap")))
    source, stage = ClipSource("sketched", 2, people=(1, 2), aspect=16 / 9), RECIPES["answers"].stages[0]

    def clips(network, options):
        return encoded_clips(network, options, stage, source, (1, 2), 0)

    seen = list(islice(clips(network, options), 2))
    rng = np.random.default_rng(0)
    batch = batch_of(seen, [some_people(one.clip, rng, 2) for one in seen], rng, Variation())
    losses = clip_losses(network, unroll_batch(network, batch), batch)
    assert "heatmaps" not in losses  # sketches teach none
    assert all(torch.isfinite(loss) for loss in losses.values())
    losses["points_2d"].backward()
    assert network.encoder.fusion.projections[0].weight.grad.abs().max() > 0

    with pytest.raises(ChorosError, match="--mocap"):
        next(clips(network, Options()))
    every_map = ComotionNetwork(PRESETS["answers"].__class__(**{**vars(PRESETS["answers"]), "maps": ()}))
    with pytest.raises(ChorosError, match="its own trunk"):
        next(clips(every_map, options))
