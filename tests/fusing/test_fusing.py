"""Fusing views: lag and placement of known cameras, everybody's pose, and one sentence for what cannot be."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.camera import intrinsics, project
from choros.cli.main import main
from choros.errors import ChorosError
from choros.fusing import fuse
from choros.motion import FRAME, ROW, Header, Motion
from choros.rotation import rotmat_geodesic_distance, rotmat_to_rotvec, rotvec_to_rotmat

WIDTH, HEIGHT, FPS = 960, 540, 25
LAG_S = 0.46  # of the second camera, no whole number of frames
SECONDS = 3.0
PEOPLE = 2
K = intrinsics(WIDTH, HEIGHT, focal_px=800)


@pytest.fixture(scope="module")
def points():
    return Points.of(BodyModel.load())


def poses(times_s, person):
    """Rotations (n, 24, 3, 3) and transl (n, 3) of somebody who waves and turns, before the first camera."""
    rng = np.random.default_rng(person)
    vectors = np.zeros((len(times_s), 24, 3))
    for joint in (1, 2, 4, 5, 16, 17, 18, 19):
        speed, phase = rng.uniform(2, 5), rng.uniform(0, 6, 3)
        vectors[:, joint] = 0.5 * np.sin(speed * times_s[:, None] + phase)
    vectors[:, 4:6] = np.abs(vectors[:, 4:6]) * [1, 0, 0]
    rotations = rotvec_to_rotmat(vectors)
    turned = rotvec_to_rotmat(np.array([np.pi, 0, 0])) @ rotvec_to_rotmat(
        np.stack([0 * times_s, 0.6 * times_s + 2.0 * person, 0 * times_s], -1)
    )
    rotations[:, 0] = turned
    transl = np.stack([1.6 * person - 0.8 + 0.3 * times_s, 0 * times_s, 5 + 0.2 * np.sin(times_s)], -1)
    return rotations, transl


def camera_motion(points, T_camera_first, first_s, ids=(1, 2), noise_rad=0.0):
    """What a camera shows, by its own clock; turns off by ``noise_rad`` about the ray, as depths are hard to see."""
    times_s = np.arange(int(SECONDS * FPS)) / FPS
    frames = np.zeros(len(times_s), FRAME)
    frames["pts"], frames["number"] = (
        np.stack([np.arange(len(times_s)), np.full(len(times_s), FPS)], -1),
        np.arange(len(times_s)),
    )
    frames["K"], frames["T_world_camera"] = K, np.eye(4)
    parts = []
    pelvis = points.shaped(np.zeros((1, 11)))[0][0, 0]
    R, t = T_camera_first[:3, :3], T_camera_first[:3, 3]
    for person, identity in enumerate(ids):
        rotations, transl = poses(times_s + first_s, person)
        rotations[:, 0] = R @ rotations[:, 0]
        transl = (transl + pelvis) @ R.T + t - pelvis
        keypoints = points.keypoints(np.zeros((len(times_s), 11)), rotations, transl)
        rows = np.zeros(len(times_s), ROW)
        rows["frame"], rows["person"], rows["visible"], rows["confidence"] = (
            np.arange(len(times_s)),
            identity,
            True,
            0.9,
        )
        off = rotvec_to_rotmat(np.array([noise_rad, 0, 0]))
        turns = rotmat_to_rotvec(np.concatenate([rotations[:, :1], rotations[:, 1:] @ off], 1))
        rows["global_orient"], rows["body_pose"] = turns[:, 0], turns[:, 1:].reshape(-1, 69)
        rows["transl"] = transl
        px = project(keypoints, K)
        rows["keypoints_px"][..., :2], rows["keypoints_px"][..., 2] = px, 0.9
        rows["box_px"] = np.concatenate([px.min(1), px.max(1)], -1)
        parts.append(rows)
    rows = np.concatenate(parts)
    header = Header(Fraction(FPS), WIDTH, HEIGHT, "clip.mp4", "lifter")
    return Motion(header, frames, rows[np.lexsort((rows["person"], rows["frame"]))])


@pytest.fixture(scope="module")
def beside():
    """T_first_second of a camera that looks at the same people from their side."""
    T = np.eye(4)
    T[:3, :3] = rotvec_to_rotmat(np.array([0.0, -1.1, 0.0]))
    T[:3, 3] = np.array([0, 0, 5.0]) - T[:3, :3] @ [0, 0, 5.5]
    return T


@pytest.fixture(scope="module")
def views(points, beside):
    return (
        camera_motion(points, np.eye(4), 0.0, noise_rad=0.15),
        camera_motion(points, np.linalg.inv(beside), LAG_S, ids=(7, 4), noise_rad=0.15),
    )


@pytest.fixture(scope="module")
def fusion(views):
    return fuse(views, names=["a", "b"])


def test_lag_place_and_people_are_found(fusion, beside):
    first, second = fusion.views
    assert second.lag_s == pytest.approx(LAG_S, abs=0.005)
    assert rotmat_geodesic_distance(second.T_first_view[:3, :3], beside[:3, :3]) < np.radians(1.5)
    np.testing.assert_allclose(second.T_first_view[:3, 3], beside[:3, 3], atol=0.12)
    assert first.people == {1: 1, 2: 2}
    assert second.people == {7: 1, 4: 2}


def test_bodies_are_nearer_to_the_truth_than_in_either_view(views, fusion, points):
    def error_m(rows, person, identity):
        mine = rows[(rows["person"] == identity)]
        rotations, transl = poses(mine["frame"] / FPS, person)
        truth = points.keypoints(np.zeros((len(mine), 11)), rotations, transl)
        pose = np.concatenate([mine["global_orient"], mine["body_pose"]], -1).astype(float).reshape(-1, 24, 3)
        said = points.keypoints(
            np.zeros((len(mine), 11)), rotvec_to_rotmat(pose), mine["transl"].astype(float)
        )
        return np.linalg.norm(said - truth, axis=-1)[15:60].mean()

    for person, identity in enumerate((1, 2)):
        before, after = (
            error_m(views[0].rows, person, identity),
            error_m(fusion.motion.rows, person, identity),
        )
        assert after < 0.6 * before


def test_frames_and_evidence_are_those_of_the_first(views, fusion):
    np.testing.assert_array_equal(fusion.motion.frames, views[0].frames)
    np.testing.assert_array_equal(fusion.motion.rows["keypoints_px"], views[0].rows["keypoints_px"])
    said = fusion.motion.header.provenance["fused"]
    assert [each["source"] for each in said] == ["a", "b"]
    assert said[1]["people"] == {"7": 1, "4": 2}


def test_whoever_one_view_alone_shows_is_there_as_it_shows_them(views, beside):
    fused = fuse((views[0].select([1]), views[1]), names=["a", "b"]).motion
    assert fused.ids.tolist() == [1, 2]
    times_s, mine = np.arange(75) / FPS, fused.people[2].rows
    assert mine["frame"].min() == np.searchsorted(times_s, LAG_S - 0.01)
    _, transl = poses(times_s[mine["frame"]], 1)
    assert np.linalg.norm(mine["transl"] - transl, axis=1).mean() < 0.15


def still(motion):
    rows = motion.rows.copy()
    for name in ("global_orient", "body_pose", "transl", "keypoints_px"):
        rows[name] = rows[name][0]
    return replace(motion, rows=rows)


def test_what_cannot_be_fused_is_said_in_a_sentence(views, tmp_path, monkeypatch, capsys):
    one, other = views
    with pytest.raises(ChorosError, match="give two motions or more"):
        fuse([one])
    with pytest.raises(ChorosError, match="nobody moves alike in a and b"):
        fuse([one, still(other)], names=["a", "b"])
    with pytest.raises(ChorosError, match="nobody is in b"):
        fuse([one, other.where(np.zeros(len(other.rows), bool))], names=["a", "b"])
    smpl = replace(other, header=replace(other.header, body="smpl"))
    with pytest.raises(ChorosError, match="a was tracked with the body open and b with smpl"):
        fuse([one, smpl], names=["a", "b"])
    monkeypatch.chdir(tmp_path)
    one.save("a.npz")
    with pytest.raises(SystemExit) as end:
        main(["fuse", "a.npz"])
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith("choros: give two motions or more")


def test_command_writes_and_tells(views, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, motion in zip("ab", views, strict=True):
        motion.save(f"{name}.npz")
    main(["fuse", "a.npz", "b.npz", "-o", "both.npz"])
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("b.npz: +0.46")
    assert said[1] == "both.npz: 75 frames, 2 people, camera space"
    assert len(Motion.load("both.npz").rows) == 150
