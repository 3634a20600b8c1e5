"""Folders of motion capture: what is found, under which licence; and the real archives where they are there."""

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from test_mocap_readers import AMC, asf_text, bvh_text, deepmimic_frame

from choros.datasets.mocap import learned_and_held_out, load_folder, pack
from choros.datasets.mocap.folder import LICENCES
from choros.errors import ChorosError
from choros.skeleton import JOINT_NAMES

SHARED = Path(__file__).parents[3] / "shared" / "assets" / "mocap"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the shared motion capture is not here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    clip = json.dumps({"Loop": "none", "Frames": [deepmimic_frame()] * 40})
    with zipfile.ZipFile(tmp_path / "deepmimic.zip", "w") as archive:
        archive.writestr("motions/walk.txt", clip)
        archive.writestr("motions/sie/hop.txt", clip)
        archive.writestr("README.txt", "not a motion")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "wave.bvh").write_text(bvh_text([{}] * 60))
    return tmp_path


def test_only_what_may_shape_published_weights_unless_asked(folder: Path):
    assert [clip.name for clip in load_folder(folder)] == ["deepmimic/motions/walk"]
    clips = {clip.name: clip for clip in load_folder(folder, shippable_only=False)}
    assert set(clips) == {"deepmimic/motions/walk", "deepmimic/motions/sie/hop", "own/wave"}
    assert [clip.shippable for clip in clips.values()] == [False, True, False]
    assert clips["deepmimic/motions/sie/hop"].licence == "CC BY-NC 4.0"
    assert clips["own/wave"].source == "bvh"
    assert not LICENCES["bandai-namco"][1]


def test_clips_come_at_the_rate_asked_for(folder: Path):
    (clip,) = load_folder(folder, sources=["bvh"], shippable_only=False, fps=20)
    assert clip.fps == 20
    assert len(clip) == 20  # 60 frames of 1/60 s end at 59/60 s


def test_a_packed_file_is_all_to_learn_and_a_folder_is_split(folder: Path, tmp_path: Path):
    clips = list(load_folder(folder, shippable_only=False))
    read = []
    learned, held_out = learned_and_held_out(folder, shippable_only=False, tell=read.append)
    assert read == list(range(1, len(clips) + 1))
    assert {clip.name for clip in learned + held_out} < {clip.name for clip in clips}  # copies count once
    pack(clips, tmp_path / "clips.npz")
    learned, held_out = learned_and_held_out(tmp_path / "clips.npz")
    assert [clip.name for clip in learned] == [clip.name for clip in clips]
    assert held_out == []


def test_standing_still_in_the_rest_pose_is_our_t_pose(folder: Path):
    (clip,) = load_folder(folder, sources=["bvh"], shippable_only=False)
    spine = [JOINT_NAMES.index(name) - 1 for name in ("spine1", "spine2", "spine3", "neck", "head")]
    pose = clip.body_pose.reshape(-1, 23, 3)
    np.testing.assert_allclose(pose[:, spine], 0, atol=1e-6)
    assert np.abs(pose).max() < 0.3  # the open body's limbs are not quite straight, the source's are


def test_mistakes_are_named(folder: Path, tmp_path: Path):
    with pytest.raises(ChorosError, match="no such folder"):
        list(load_folder(tmp_path / "nowhere"))
    with pytest.raises(ChorosError, match="unknown motion source amass"):
        list(load_folder(folder, sources=["amass"]))
    with pytest.raises(ChorosError, match="no motion"):
        list(load_folder(folder, sources=["jump"]))
    (folder / "own" / "01_01.amc").write_text(AMC)
    with pytest.raises(ChorosError, match=r"01_01\.amc: no \.asf"):
        list(load_folder(folder, sources=["cmu-asf"]))
    (folder / "own" / "01.asf").write_text(asf_text())
    with pytest.raises(ChorosError, match="no joint for head"):
        list(load_folder(folder, sources=["cmu-asf"]))
    (folder / "maps.txt").write_text(",".join(["0"] * 117) + "\n")
    with pytest.raises(ChorosError, match=r"cmu_expmap_skeleton\.json"):
        list(load_folder(folder, sources=["cmu-expmap"]))
    (folder / "broken.zip").write_bytes(b"PK not really")
    with pytest.raises(ChorosError, match=r"broken\.zip"):
        list(load_folder(folder))


@needs_shared
def test_one_capture_read_from_two_formats_is_one_motion(tmp_path: Path):
    # CMU 02_01 is also the first walk of the exponential maps: two readers, one truth.
    subject = "data/CMU/asfamc/subjects/02/02"
    with zipfile.ZipFile(SHARED / "cmu_asf_amc.zip") as archive:
        for name in (f"{subject}.asf", f"{subject}_01.amc"):
            archive.extract(name, tmp_path)
    with zipfile.ZipFile(SHARED / "cmu_expmap.zip") as archive:
        archive.extract("cmu_mocap/train/walking/walking_1.txt", tmp_path)
    shutil.copy(SHARED / "cmu_expmap_skeleton.json", tmp_path)
    asf, expmap = load_folder(tmp_path)
    np.testing.assert_allclose(asf.transl, expmap.transl, atol=2e-3)
    for field in ("global_orient", "body_pose"):
        a, b = (Rotation.from_rotvec(getattr(clip, field).reshape(-1, 3)) for clip in (asf, expmap))
        assert np.degrees((a.inv() * b).magnitude().max()) < 0.01


@needs_shared
def test_knees_and_elbows_bend_the_human_way():
    knees = [JOINT_NAMES.index(f"{side}_knee") - 1 for side in ("left", "right")]
    elbows = [JOINT_NAMES.index(f"{side}_elbow") - 1 for side in ("left", "right")]
    for source in ("deepmimic", "jump"):  # their knees and elbows are hinges
        pose = np.concatenate([clip.body_pose for clip in load_folder(SHARED, sources=[source])]).reshape(
            -1, 23, 3
        )
        assert np.all(np.quantile(pose[:, knees, 0], 0.01, axis=0) > -0.15)
        assert np.all(np.abs(pose[:, knees, 1:]) < 0.25)
        flexion = pose[:, elbows, 1] * [-1, 1]
        assert np.all(np.quantile(flexion, 0.01, axis=0) > -0.1)
        assert np.all(flexion.mean(axis=0) > 0.5)
