"""Windows of captured motion for GLAMR's networks: their world, their tempos, and what gaps hide."""

import numpy as np
import torch

from choros.glamr.config import InfillerConfig
from choros.glamr.egocentric import ego_to_global
from choros.training.glamr.mocap_windows import (
    PersonMotion,
    gapped,
    pose_columns,
    stretches,
    versions,
    walks_of,
)
from tests.training.captured import clip

TINY = InfillerConfig(width=16, heads=2, blocks=1, feedforward=16, mlp=(16,), latent=4)


def test_tracks_stand_in_a_world_with_z_up():
    walking = clip(seconds=3.0, speed_m_s=1.0)
    straight, mirrored = versions([walking], (1.0,))
    assert 0.8 < straight.pelvis[0, 2] < 1.1
    torch.testing.assert_close(straight.pelvis[-1] - straight.pelvis[0], torch.tensor([0, 89 / 30, 0]))
    torch.testing.assert_close(straight.R_world_root[0, :, 2], torch.tensor([0.0, 1, 0]))  # faces +y
    x = torch.tensor([-1.0, 1, 1])
    swap = [0, 2, 1, *range(3, 24)]  # hips
    torch.testing.assert_close(mirrored.joints[:, :3], (straight.joints * x)[:, swap][:, :3])


def test_tracks_are_the_clips_own():
    swinging = clip()
    track = PersonMotion.of(swinging)
    from scipy.spatial.transform import Rotation

    pose = (
        Rotation.from_matrix(track.rotations.reshape(-1, 3, 3).numpy()).as_rotvec().reshape(len(swinging), 69)
    )
    np.testing.assert_allclose(pose, swinging.body_pose, atol=1e-5)


def test_faster_versions_are_shorter_and_walk_as_far():
    walking = clip(seconds=4.0, speed_m_s=1.0)
    slow, normal, fast = versions([walking], (0.8, 1.0, 1.25), mirrored=False)
    assert len(slow.pelvis) > len(normal.pelvis) > len(fast.pelvis)
    for track in (slow, fast):
        assert (track.pelvis[-1] - normal.pelvis[-1]).norm() < 0.05


def test_gaps_hide_what_they_say_and_what_is_seen_is_the_truth():
    tracks = pose_columns(versions([clip(seconds=8.0)], (1.0,)))
    batch = gapped(tracks, TINY, 200, 0.0, np.random.default_rng(0))
    window = batch.window
    assert window.seen.any(1).all()
    assert not (window.seen & ~batch.exists).any()
    assert (window.poses[window.seen] == batch.truth[window.seen]).all()
    assert (window.way[window.seen] == batch.truth[window.seen]).all()
    hidden = (~window.seen & batch.exists)[:, TINY.context :].float().mean()
    assert 0.4 < hidden < 0.9
    whole_context = window.seen[:, : TINY.context].all(1).float().mean()
    assert 0.5 < whole_context < 0.9


def test_mixed_windows_are_bodies_that_nobody_captured():
    tracks = pose_columns(versions([clip(seconds=8.0)], (1.0,)))
    captured, mixed, half = (
        gapped(tracks, TINY, 40, 0.0, np.random.default_rng(0), share).truth.unflatten(-1, (23, 2, 3))
        for share in (0.0, 1.0, 0.5)
    )
    torch.testing.assert_close(
        mixed @ mixed.mT, torch.eye(2).expand(40, TINY.window, 23, 2, 2), atol=1e-5, rtol=0
    )
    changed = (mixed - captured).abs().amax((1, 2, 3, 4)) > 1e-3
    assert changed.all()
    as_captured = (half - captured).abs().amax((1, 2, 3, 4)) < 1e-6
    assert 8 < as_captured.sum() < 32


def test_paths_lead_over_the_floor_only():
    assert walks_of(versions([clip(height_m=1.0)], (1.0,))) == []
    (walk,) = walks_of(versions([clip(speed_m_s=1.0)], (1.0,), mirrored=False))
    places, _ = ego_to_global(walk.ego)
    assert abs(places[-1, 1] - places[0, 1]) > 3.5
    batch = stretches([walk], 5, 50, 0.0, np.random.default_rng(0))
    assert batch.joints.shape == (5, 50, 24, 3)
    assert batch.ego.shape == (5, 50, 11)
