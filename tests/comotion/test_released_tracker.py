"""The released CoMotion as a tracker: births, lives and ends with networks that see what a picture's first row says."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from choros.body import BodyModel
from choros.cli.main import main
from choros.comotion.options import ComotionOptions
from choros.comotion.released import files
from choros.comotion.released.detection import Found
from choros.comotion.released.files import (
    DETECTION,
    REFERENCE,
    REFINEMENT,
    Released,
    is_released,
    load_released,
)
from choros.comotion.released.points import LIMBS, best_of, likeness
from choros.comotion.released.system import ReleasedComotion
from choros.comotion.released.tracker import ReleasedRules, ReleasedTracker
from choros.comotion.released.update import Updated
from choros.comotion.system import make
from choros.devices import CPU
from choros.errors import ChorosError
from choros.motion import Motion
from choros.tracking.online import OnlineStream
from choros.video import VideoWriter

SIDE = 512
DEPTH_M, STEP_M = 5.0, 1 / 32
K = np.array([[600.0, 0, 256], [0, 600, 256], [0, 0, 1]])
MEAN_POSE = torch.zeros(24, 3)
MEAN_POSE[0, 0] = torch.pi


def picture(*people_m):
    """A picture of people who stand at these x; in a row each, so that no two numbers run together."""
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    for row, x in enumerate(people_m):
        image[row, 0, 0] = round(x / STEP_M) + 128
    return image


def places(images):
    rows = (255 * images[0, 0, :, 0]).round()
    x = (rows[rows > 0] - 128) * STEP_M
    return torch.stack([x, torch.zeros_like(x), torch.full_like(x, DEPTH_M)], -1)


class SeesRows(torch.nn.Module):
    """Finds whoever the first column of the picture tells of, twice; its features are their places."""

    def compute_in(self, lower):
        assert lower is None

    def forward(self, images, K):
        transl = places(images).repeat(2, 1)
        n = len(transl)
        sure = torch.cat([torch.full((n // 2,), 3.0), torch.full((n - n // 2,), 1.0)])
        return Found(
            torch.zeros(1, n, 10), torch.zeros(1, n, 3), torch.zeros(1, n, 69), transl[None], sure[None]
        ), transl[None, : n // 2]


class Follows(torch.nn.Module):
    """Puts everybody where the nearest person of the frame is, if that is within a metre; else leaves them."""

    def forward(self, features, K, betas, pose, transl, points, hidden):
        there = transl.clone()
        if features.shape[1]:
            gap = torch.cdist(transl[0], features[0])
            near, whose = gap.min(-1)
            there[0] = torch.where((near < 1)[:, None], features[0][whose], transl[0])
        n = transl.shape[1]
        return Updated(torch.zeros(1, n, 3), torch.zeros(1, n, 69), there, hidden + 1)


@pytest.fixture(scope="module")
def stream():
    released = Released(SeesRows(), Follows(), MEAN_POSE)
    rules = ReleasedRules()
    body = BodyModel.load(detail="light")

    def new(**how):
        tracker = ReleasedTracker(released, body, rules, K)
        return OnlineStream(tracker, K, life=rules.life, cuts=rules.cuts, background=rules.background)

    return new


def run(stream, frames, fps=30):
    return [stream.update(picture(*people), k / fps).rows for k, people in enumerate(frames)]


def test_people_are_shown_at_once_and_keep_their_names(stream):
    seen = run(stream(), [(-1 + k / 20, 1 - k / 40) for k in range(12)])
    assert all(rows["person"].tolist() == [1, 2] for rows in seen)
    np.testing.assert_allclose(seen[-1]["transl"][:, 0], [-1 + 11 / 20, 1 - 11 / 40], atol=STEP_M)
    np.testing.assert_allclose(np.abs(seen[0]["global_orient"]), [[np.pi, 0, 0]] * 2, atol=1e-3)
    assert (seen[0]["confidence"] > 0.9).all()


@pytest.mark.parametrize("fps", [30, 15])
def test_somebody_whom_nobody_detects_ends_after_a_third_of_a_second(stream, fps):
    """The mean falls by a fifth in each thirtieth of a second: from 1 below .15 in 8.5 of them."""
    last = run(stream(), [(0.0,)] * fps + [()] * fps, fps)
    there = [len(rows) for rows in last[fps:]]
    assert there.index(0) == np.ceil(8.5 * fps / 30) - 1
    assert last[fps]["visible"].all()  # not at once


def test_people_of_one_place_are_one(stream):
    seen = run(stream(), [(0.0, 1.5)] * 3 + [(0.0, 0.0)] * 40)
    assert seen[2]["person"].tolist() == [1, 2]
    assert seen[-1]["person"].tolist() == [1]


def test_given_people_stay(stream):
    tracker = stream()
    boxes = np.array([[200.0, 100, 300, 400], [350, 100, 450, 400]], np.float32)
    first = tracker.begin(picture(0.0, 1.2), boxes, 0.0).rows
    assert first["person"].tolist() == [1, 2]
    np.testing.assert_allclose(first["transl"][:, 0], [0, 1.2], atol=STEP_M)
    assert len(tracker.update(picture(), 1.0).rows) == 2


def test_a_stream_goes_on_from_its_state(stream):
    frames = [(-1 + k / 20, 0.5) for k in range(8)]
    whole = run(stream(), frames)
    first = stream()
    run(first, frames[:4])
    second = stream()
    second.restore(first.state())
    for k in range(4, 8):
        np.testing.assert_array_equal(second.update(picture(*frames[k]), k / 30).rows, whole[k])


def test_likeness_by_hand():
    """Two people of 1 m limbs at 1024 px a metre, .08 px units apart: half alike."""
    points = np.zeros((1, 27, 2))
    first, second, length = LIMBS[0]
    points[0, first] = [0, 0]
    points[0, second] = [1024 * length, 0]
    moved = points + np.array([1024 * 0.08, 0])
    assert likeness(points, points)[0, 0] == 1
    assert likeness(points, moved)[0, 0] == pytest.approx(0.5)
    far = points + np.array([1024 * 0.8, 0])
    assert likeness(points, far)[0, 0] == pytest.approx(1 / 101)
    together = np.concatenate([points, moved, far])
    assert best_of(together, np.array([0.3, 0.9, 0.2]), 0.4).tolist() == [1, 2]
    assert len(LIMBS) == 14


def test_files_are_asked_for_by_name(tmp_path):
    with pytest.raises(ChorosError, match="SMPL"):
        ReleasedComotion(tmp_path, None)
    with pytest.raises(ChorosError, match=DETECTION):
        load_released(tmp_path)
    (tmp_path / DETECTION).touch()
    with pytest.raises(ChorosError, match=REFINEMENT):
        load_released(tmp_path)
    (tmp_path / REFINEMENT).touch()
    with pytest.raises(ChorosError, match=REFERENCE):
        load_released(tmp_path)
    torch.save({"mean_pose": torch.zeros(3)}, tmp_path / REFERENCE)
    with pytest.raises(ChorosError, match="72 numbers"):
        load_released(tmp_path)


def test_released_files_come_in_by_the_same_door(tmp_path, monkeypatch, capsys):
    """Small networks in place of theirs, written as theirs are: `--weights` finds, loads and follows."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    monkeypatch.setattr(files, "Detector", SeesRows)
    monkeypatch.setattr(files, "Updater", Follows)
    monkeypatch.setattr(files, "load_into", lambda network, path, key: None)
    names = {DETECTION: ("image_backbone.stem.0.weight", "image_backbone.project_0.weight",
                         "detection_head.enc1.0.layers.0.weight", "fuse_features.dc0.weight"),
             REFINEMENT: ("feedback_gru_update.fz.weight", "tokens_to_hidden.1.weight", "get_px_key.weight",
                          "encode_smpl.l1.weight")}  # fmt: skip
    for file, keys in names.items():
        torch.save({key: torch.zeros(1) for key in keys}, theirs / file)
    torch.save({"mean_pose": MEAN_POSE.flatten()}, theirs / REFERENCE)
    assert is_released(theirs)
    assert is_released(theirs / REFINEMENT)
    system = make(ComotionOptions(weights_path=theirs, body_path="open"), device=CPU, threads=1)
    assert isinstance(system, ReleasedComotion)
    assert system.stream(K).update(picture(0.5), 0.0).rows["person"].tolist() == [1]
    other = make(ComotionOptions(weights_path=theirs, body_path="open"), device=CPU, threads=1)
    assert system.identity() == other.identity()
    with pytest.raises(ChorosError, match="detector"):
        make(ComotionOptions(weights_path=theirs, body_path="open"), device=CPU, threads=1, detector=object())
    write_video(tmp_path / "clip.mp4", picture(0.5))
    main(["track", str(tmp_path / "clip.mp4"), "--system", "comotion", "--weights", str(theirs), "--body", "open",
          "-o", str(tmp_path / "out")])  # fmt: skip
    said = capsys.readouterr().out
    assert said.count("not for commerce") == 2
    assert Motion.load(tmp_path / "out" / "motion.npz").header.system == "comotion"
    with pytest.raises(SystemExit):
        main(["track", str(tmp_path / "clip.mp4"), "--system", "comotion", "--weights", str(theirs)])
    assert "SMPL" in capsys.readouterr().err


def write_video(path, image):
    with VideoWriter(path, SIDE, SIDE, Fraction(5)) as writer:
        for _ in range(2):
            writer.write(image)
