"""Clips: resampling, mirroring, cutting out failed capture, duplicates, splits and packed files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from choros.datasets.mocap import (
    MocapClip,
    load_packed,
    mirror,
    pack,
    plausible_parts,
    resample,
    split,
    without_duplicates,
)
from choros.datasets.mocap.mocap_clip import activity
from choros.errors import ChorosError
from choros.skeleton import JOINT_NAMES

KNEE = JOINT_NAMES.index("left_knee") - 1


def clip_of(pose: np.ndarray, fps: float = 30.0, name: str = "clip", source: str = "bvh") -> MocapClip:
    """A clip from the left knee's vectors (T, 3); the person walks along x."""
    body_pose = np.zeros((len(pose), 23, 3), np.float32)
    body_pose[:, KNEE] = pose
    transl = np.arange(len(pose))[:, None] * np.array([[1.0, 0.0, 0.0]]) / fps
    return MocapClip(
        name=name, source=source, shippable=True, licence="none", fps=fps,
        global_orient=np.zeros((len(pose), 3), np.float32), body_pose=body_pose.reshape(-1, 69),
        transl=transl.astype(np.float32),
    )  # fmt: skip


def noise(seed: int, frames: int = 60, **kwargs) -> MocapClip:
    rng = np.random.default_rng(seed)
    steady = rng.normal(0, 0.3, (1, 69)) + np.linspace(0, 0.3, frames)[:, None]
    clip = clip_of(np.zeros((frames, 3)), **kwargs)
    return replace(clip, body_pose=steady.astype(np.float32))


@pytest.mark.parametrize(("from_fps", "to_fps"), [(120, 30), (16, 30), (60, 30), (24, 30), (30, 30)])
def test_even_motion_is_resampled_exactly(from_fps, to_fps):
    axis = np.array([2.0, -1.0, 2.0]) / 3
    frames = 4 * from_fps + 1
    turn = 0.6 * np.arange(frames) / from_fps  # radians at 0.6 rad/s
    out = resample(clip_of(turn[:, None] * axis, from_fps), to_fps)
    seconds = np.arange(4 * to_fps + 1) / to_fps
    assert out.fps == to_fps
    assert len(out) == len(seconds)
    np.testing.assert_allclose(out.transl[:, 0], seconds, atol=1e-5)
    knee = out.body_pose.reshape(-1, 23, 3)[:, KNEE]
    np.testing.assert_allclose(knee, 0.6 * seconds[:, None] * axis, atol=1e-5)


def test_resampling_takes_the_short_way_round():
    out = resample(clip_of(np.array([[np.pi - 0.1, 0, 0], [-np.pi + 0.1, 0, 0]]), 1), 2)
    middle = Rotation.from_rotvec(out.body_pose.reshape(-1, 23, 3)[1, KNEE]).as_matrix()
    np.testing.assert_allclose(middle, Rotation.from_rotvec([np.pi, 0, 0]).as_matrix(), atol=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000))
def test_mirroring_twice_changes_nothing(seed):
    clip = noise(seed)
    twice = mirror(mirror(clip))
    np.testing.assert_array_equal(twice.body_pose, clip.body_pose)
    np.testing.assert_array_equal(twice.transl, clip.transl)


def test_mirroring_exchanges_the_knees():
    once = mirror(clip_of(np.array([[0.5, 0.1, 0.2]]))).body_pose.reshape(23, 3)
    np.testing.assert_allclose(once[JOINT_NAMES.index("right_knee") - 1], [0.5, -0.1, -0.2])
    assert not once[KNEE].any()


def test_failed_capture_is_cut_out():
    bend = np.zeros((120, 3))
    bend[40, 0] = 3.0  # no knee bends so far
    bend[90:, 1] = 1.5  # 1.5 rad within a frame: 45 rad/s
    whole = clip_of(np.zeros((120, 3)))
    assert plausible_parts(whole) == [whole]
    parts = plausible_parts(clip_of(bend))
    assert [part.name for part in parts] == ["clip#1", "clip#2", "clip#3"]
    np.testing.assert_allclose([part.transl[0, 0] * 30 for part in parts], [0, 41, 90], atol=1e-4)
    assert [len(part) for part in parts] == [40, 49, 30]


def test_copies_and_mirrored_copies_are_dropped():
    clips = [noise(1), noise(2), replace(noise(1), name="copy"), mirror(noise(2)), noise(3, frames=61)]
    almost = replace(noise(1), name="other hands", body_pose=noise(1).body_pose.copy())
    almost.body_pose[:, 3 * (JOINT_NAMES.index("left_wrist") - 1)] += 0.3
    assert [clip.name for clip in without_duplicates([*clips, almost])] == ["clip", "clip", "clip"]


def test_split_holds_out_whole_activities_whatever_the_order():
    clips = [
        noise(10 * kind + take, name=f"a/{activity}_{take:02d}", source="jump")
        for kind, activity in enumerate("abcdefghijklmnopqrst")
        for take in range(3)
    ]
    train, held_out = split(clips)
    names = lambda some: {clip.name for clip in some}  # noqa: E731
    assert names(train) | names(held_out) == names(clips)
    assert not {activity(name) for name in names(train)} & {activity(name) for name in names(held_out)}
    share = sum(clip.seconds for clip in held_out) / sum(clip.seconds for clip in clips)
    assert 0.1 <= share <= 0.2
    _, again = split(clips[::-1])
    assert names(again) == names(held_out)


def test_activity_of_known_names():
    assert activity("deepmimic/motions/long/humanoid3d_long_walk1_mirror") == "humanoid3d_walk"
    assert activity("cmu/test/walking_extra/walking_12#2") == "walking"
    assert activity("cmu/subjects/02/02_03#1") == "02_03"
    assert activity("dance_03~mirrored") == "dance"


def test_packed_clips_come_back(tmp_path: Path):
    clips = [noise(1, name="a"), noise(2, frames=7, name="b", fps=25.0), replace(noise(3), shippable=False)]
    pack(clips, tmp_path / "clips.npz")
    for clip, back in zip(clips, load_packed(tmp_path / "clips.npz"), strict=True):
        for field in ("name", "source", "shippable", "licence", "fps"):
            assert getattr(back, field) == getattr(clip, field)
        for field in ("global_orient", "body_pose", "transl"):
            np.testing.assert_array_equal(getattr(back, field), getattr(clip, field))
            assert getattr(back, field).dtype == np.float32


def test_packed_files_that_are_none_are_refused(tmp_path: Path):
    with pytest.raises(ChorosError, match=r"gone\.npz"):
        load_packed(tmp_path / "gone.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ChorosError, match=r"text\.npz"):
        load_packed(tmp_path / "text.npz")
    with pytest.raises(ChorosError, match="no clip"):
        pack([], tmp_path / "none.npz")
