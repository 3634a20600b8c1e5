"""A folder of photographs that have nothing to do with each other: each by itself, one file, names kept."""

import csv
import json
import re
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from choros import systems
from choros.cli.main import main
from choros.datasets.coco import read_coco
from choros.errors import ChorosError
from choros.exporters import FORMATS
from choros.journal import folder_of
from choros.motion import ROW, FrameResult, Motion
from choros.options import TrackOptions
from choros.track_video import track, track_to_file

SIZES = {"b,10.png": (96, 64), "b,9.JPG": (64, 128), "broken,11.jpg": None, "c,12.webp": (160, 96)}
IN_ORDER = ["b,9.JPG", "b,10.png", "c,12.webp"]


class Crowd:
    """As many people as the picture's width says, numbered from 1 in every stream."""

    name, body = "crowd", None

    def __init__(self, stop_at=None):
        self.stop_at, self.n_streams = stop_at, 0

    def stream(self, K=None):
        self.n_streams += 1
        if self.stop_at is not None and self.n_streams > self.stop_at:
            raise KeyboardInterrupt
        return CrowdStream(K)


class CrowdStream:
    cut_before = False

    def __init__(self, K):
        self.K, self.frame = K, -1

    def encode(self, image):
        return image.shape[1] // 32

    def step(self, features, time_s):
        self.frame += 1
        rows = np.zeros(features, ROW)
        rows["frame"], rows["person"] = self.frame, np.arange(features) + 1
        rows["visible"], rows["confidence"], rows["transl"] = True, 0.9, [0, 0, 5]
        rows["transl"][:, 0] = self.K[0, 2] / 100
        rows["box_px"] = [4, 4, 30, 60]
        rows["keypoints_px"][:, :, :2], rows["keypoints_px"][:, :, 2] = 16, 0.9
        return FrameResult(rows)

    def update(self, image, time_s):
        return self.step(self.encode(image), time_s)

    def state(self):
        return {}

    def restore(self, state):
        raise AssertionError("a photograph's stream has no past")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, size in SIZES.items():
        if size is None:
            (folder / name).write_bytes(b"\xff\xd8\xff\xe0 nothing behind it")
        else:
            width, height = size
            image = np.full((height, width, 3), width, np.uint8)
            assert cv2.imwrite(str(folder / "x.png"), image)
            if name.endswith(".png"):
                (folder / "x.png").rename(folder / name)
            else:
                data = cv2.imencode(f".{name[-4:].strip('.').lower()}", image)[1]
                (folder / name).write_bytes(data.tobytes())
                (folder / "x.png").unlink()
    return folder


@pytest.fixture
def motion(folder):
    return track(folder, Crowd(), TrackOptions(photos=True))


def test_each_photograph_is_by_itself(motion):
    assert len(motion) == 3
    assert [about.name for about in motion.pictures] == IN_ORDER
    assert [(about.width, about.height) for about in motion.pictures] == [SIZES[name] for name in IN_ORDER]
    assert motion.number.tolist() == [9, 10, 12]
    assert motion.row_frame.tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 2, 2]
    assert motion.row_person.tolist() == list(range(1, 11))  # nobody's number is used again
    assert motion.gap_before.all()
    assert motion.cut_before.all()
    assert motion.tentative == []
    assert (motion.width, motion.height, motion.fps) == (160, 128, 1)
    for K, name in zip(motion.K, IN_ORDER, strict=True):
        width, height = SIZES[name]
        np.testing.assert_array_equal(
            K, [[max(width, height), 0, width / 2], [0, max(width, height), height / 2], [0, 0, 1]]
        )
    np.testing.assert_allclose(motion.transl[:, 0], motion.K[motion.row_frame, 0, 2] / 100, rtol=1e-6)


def test_slices_keep_their_names(motion):
    assert [about.name for about in motion[1:].pictures] == IN_ORDER[1:]


@pytest.mark.parametrize("stop_at", [0, 1, 2])
def test_stopped_and_resumed_ends_with_the_same_bytes(folder, tmp_path, stop_at):
    options = TrackOptions(photos=True)
    track_to_file(folder, tmp_path / "whole.npz", Crowd(), options)
    with pytest.raises(KeyboardInterrupt):
        track_to_file(folder, tmp_path / "motion.npz", Crowd(stop_at), options)
    done = track_to_file(folder, tmp_path / "motion.npz", Crowd(), options, resume=True)
    assert done.n_frames == 3
    assert (tmp_path / "motion.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not folder_of(tmp_path / "motion.npz").exists()


def test_what_photographs_do_not_have_is_refused(folder):
    for given in (dict(start_s=1), dict(end_s=1), dict(image_fps=Fraction(25))):
        with pytest.raises(ChorosError, match="photographs have no times"):
            TrackOptions(photos=True, **given)
    with pytest.raises(ChorosError, match=r"--photos"):
        track(folder, Crowd())  # sizes are mixed


def test_a_film_is_no_photographs(tmp_path):
    from choros.video import VideoWriter

    with VideoWriter(tmp_path / "clip.mp4", 64, 48, Fraction(10)) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(ChorosError, match="this is a film, no photographs"):
        track(tmp_path / "clip.mp4", Crowd(), TrackOptions(photos=True))


def test_exports_say_which_picture(motion, folder, tmp_path):
    (table,) = FORMATS["csv"].write(motion, tmp_path / "m.csv")
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["picture"] for row in rows] == [IN_ORDER[frame] for frame in motion.row_frame]
    for name in ("coco", "posetrack"):
        (path,) = FORMATS[name].write(motion, tmp_path / f"m.{name}.json")
        images = json.loads(path.read_text())["images"]
        assert [image["file_name"] for image in images] == IN_ORDER
        assert [(image["width"], image["height"]) for image in images] == [SIZES[name] for name in IN_ORDER]
    samples = read_coco(tmp_path / "m.coco.json", folder)
    assert [sample.image.name for sample in samples] == IN_ORDER
    assert [len(sample.people) for sample in samples] == [2, 3, 5]


def test_keypoints_are_inside_their_own_picture(motion, tmp_path):
    rows = motion.rows.copy()
    rows["keypoints_px"][:, :, :2] = [100, 60]  # in the third picture alone
    (path,) = FORMATS["coco"].write(replace(motion, rows=rows), tmp_path / "m.json")
    labels = json.loads(path.read_text())["annotations"]
    assert [label["num_keypoints"] > 0 for label in labels] == [frame == 2 for frame in motion.row_frame]


# The command line -------------------------------------------------------------------------------------


@pytest.fixture
def crowd(monkeypatch):
    monkeypatch.setattr(systems, "load", lambda *_, **__: Crowd())


def refused(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main([str(word) for word in words])
    assert end.value.code == 2
    return capsys.readouterr().err


def test_track_photos_draws_each_at_its_own_size(crowd, folder, tmp_path, capsys):
    main(["track", str(folder), "--photos", "--overlay", "-o", str(tmp_path / "out")])
    said = capsys.readouterr().out
    assert "left out: broken,11.jpg" in said
    assert re.search(r"motion.npz: 3 pictures, \d+\.\d pictures/s$", said, re.MULTILINE)
    assert "frames" not in said
    written = {path.name: cv2.imread(str(path)) for path in (tmp_path / "out" / "overlay").iterdir()}
    assert set(written) == {"b,9.JPG", "b,10.png", "c,12.webp.png"}
    for name, image in written.items():
        width, height = SIZES[name.removesuffix(".png") if name.startswith("c") else name]
        assert image.shape == (height, width, 3)
        assert np.abs(image.astype(int) - width).max() > 20  # somebody is drawn
    assert len(Motion.load(tmp_path / "out" / "motion.npz")) == 3


def test_commands_that_need_a_video_refuse_photographs_in_a_sentence(crowd, folder, tmp_path, capsys):
    out, motion = tmp_path / "out", tmp_path / "out" / "motion.npz"
    assert "no world" in refused(capsys, "track", folder, "--photos", "--world", "-o", out)
    assert "--height" in refused(capsys, "track", folder, "--photos", "--height", "1.8", "-o", out)
    assert not out.exists()
    main(["track", str(folder), "--photos", "-o", str(out)])
    capsys.readouterr()
    assert "no world" in refused(capsys, "world", motion, folder, "-o", tmp_path / "w.npz")
    assert "photographs" in refused(capsys, "view", motion, folder, "--html", tmp_path / "v.html")
    assert "name a folder" in refused(capsys, "show", motion, folder, "-o", tmp_path / "v.mp4")
    assert "where the photographs are" in refused(capsys, "show", motion, folder, "-o", folder)


# The rate of a folder ---------------------------------------------------------------------------------


@pytest.fixture
def frames(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for k in (*range(1, 5), *range(8, 11)):
        assert cv2.imwrite(str(folder / f"{k:06d}.png"), np.full((64, 96, 3), 20 * k, np.uint8))
    return folder


@pytest.mark.parametrize(
    ("said", "fps"), [("24", 24), ("30000/1001", Fraction(30000, 1001)), ("29.97", Fraction(2997, 100))]
)
def test_fps_is_the_rate_of_a_folder(said, fps, crowd, frames, tmp_path):
    main(["track", str(frames), "--fps", said, "-o", str(tmp_path / "out")])
    motion = Motion.load(tmp_path / "out" / "motion.npz")
    assert motion.fps == fps
    assert motion.number.tolist() == [1, 2, 3, 4, 8, 9, 10]
    assert motion.pts == [Fraction(number - 1) / fps for number in motion.number.tolist()]
    assert motion.gap_before.tolist() == [False, False, False, False, True, False, False]
    lines = np.loadtxt(tmp_path / "out" / "tracks.txt", delimiter=",")
    assert lines[-1, 0] == 10  # MOT's frames are the pictures' own


def test_what_reads_the_folder_again_takes_the_motions_rate(crowd, frames, tmp_path, capsys):
    out = tmp_path / "out"
    main(["track", str(frames), "--fps", "8", "--overlay", "-o", str(out)])
    assert "overlay.mp4: 7 frames" in capsys.readouterr().out
    main(["show", str(out / "motion.npz"), str(frames), "-o", str(tmp_path / "again.mp4")])
    assert "7 frames" in capsys.readouterr().out

    from choros.glamr.odometry import camera_evidence
    from choros.view.film import Film

    motion = Motion.load(out / "motion.npz")
    done = []
    camera_evidence(motion, frames, lambda k, n: done.append(k))
    assert len(done) == 7
    np.testing.assert_allclose(Film.of(frames, motion).time_s, motion.pts_s, atol=1e-9)


@pytest.mark.parametrize("said", ["0", "-25", "nan", "inf", "fast", "1/0", "99999"])
def test_a_rate_that_is_none_is_refused(said, crowd, frames, tmp_path, capsys):
    error = refused(capsys, "track", frames, f"--fps={said}", "-o", tmp_path / "out")
    assert "30000/1001" in error
    assert not (tmp_path / "out").exists()


def test_a_rate_for_what_has_times_is_refused(crowd, tmp_path, capsys):
    from PIL import Image

    from choros.video import VideoWriter

    with VideoWriter(tmp_path / "clip.mp4", 64, 48, Fraction(10)) as writer:
        writer.write(np.zeros((48, 64, 3), np.uint8))
    images = [Image.new("RGB", (64, 48), (80 * k, 0, 0)) for k in range(3)]
    images[0].save(tmp_path / "film.webp", save_all=True, append_images=images[1:], duration=40)
    images[0].save(tmp_path / "film.gif", save_all=True, append_images=images[1:], duration=40)
    for name in ("clip.mp4", "film.webp", "film.gif"):
        error = refused(capsys, "track", tmp_path / name, "--fps", "25", "-o", tmp_path / "out")
        assert f"{name} has times of its own" in error
    images[0].save(tmp_path / "stack.tif", save_all=True, append_images=images[1:])
    main(["track", str(tmp_path / "stack.tif"), "--fps", "5", "-o", str(tmp_path / "out")])
    assert Motion.load(tmp_path / "out" / "motion.npz").pts == [0, Fraction(1, 5), Fraction(2, 5)]
