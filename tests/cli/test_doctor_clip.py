"""``choros doctor CLIP``: what it says of clips whose every property is known."""

import os
import threading
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import av
import cv2
import numpy as np
import pytest

from choros.cli.doctor_clip import _turn
from choros.cli.main import main
from choros.detection import Detections, FinderOptions, PersonFinder
from choros.video import VideoWriter, open_video
from choros.video.framing import Orientation
from choros.video.report import SAMPLES, report_of
from tests.video.making import X264, Kind, numbered, steady, write_video

H264 = Kind("mp4", "libx264", options=X264)


@pytest.fixture
def told(capsys):
    """What is said of a clip, the texts by the names of their lines."""

    def ask(*words):
        main(["doctor", *map(str, words)])
        lines = [line.split(":", 1) for line in capsys.readouterr().out.splitlines()]
        return {
            name: [text.strip() for other, text in lines if other == name] for name in dict(lines)
        }  # fmt: skip

    return ask


class Nobody:
    """Finds nobody, at once: for what is told of a clip whoever is in it."""

    options = FinderOptions()

    def find(self, image):
        return Detections(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 17, 3)))


@pytest.fixture
def nobody(monkeypatch):
    monkeypatch.setattr(PersonFinder, "default", lambda **_: Nobody())


def place(number, size=(96, 128)):
    """A picture of somewhere, full of texture."""
    coarse = np.random.default_rng(number).integers(0, 255, (12, 16, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def test_a_plain_clip(told, nobody, tmp_path):
    clip = write_video(tmp_path / "clip.mp4", H264, steady(20))
    said = told(clip)
    assert said["kind"][0].startswith("MP4 or MOV, H.264")
    assert said["kind"][0].endswith("yuv420p, no sound")
    assert said["stored"] == ["64x48 px, pixels square"]
    assert said["turned"] == ["no"]
    assert said["claims"] == ["25.00 frames/s on average, 25.00 frames/s at base; 0.80 s, 20 frames"]
    assert said["shown"] == ["64x48 px"]
    assert said["rate"] == ["25.00 frames/s by the times of the frames, constant"]
    assert said["frames"] == ["20 frames, numbers 0 to 19, 0.00 s to 0.76 s"]
    assert said["gaps"] == ["none"]
    assert [text.split(" s")[0] for text in said["people"]] == [
        f"nobody found at {time}" for time in ("0.00", "0.16", "0.32", "0.56", "0.72")
    ]
    assert said["camera"][0].startswith("focal length 64 px (53 degrees across)")
    assert said["time"] == ["25 frames/s are taken, and every frame at its own time"]


def test_uneven_times_are_told_apart_from_the_claim(told, nobody, tmp_path):
    times = [Fraction(t, 1000) for t in (0, 40, 80, 120, 320, 360, 400, 440, 480, 520)]
    said = told(
        write_video(tmp_path / "clip.mkv", replace(H264, suffix="mkv"), times, time_base=Fraction(1, 1000))
    )
    assert said["rate"] == ["25.00 frames/s by the times of the frames, constant"]  # but for one step
    times = [Fraction(t, 1000) for t in (0, 40, 140, 180, 380, 420, 520, 560, 660, 700)]
    said = told(
        write_video(tmp_path / "clip.mkv", replace(H264, suffix="mkv"), times, time_base=Fraction(1, 1000))
    )
    assert "variable: 40 to 200 ms from frame to frame" in said["rate"][0]


def test_cuts_are_listed(told, nobody, tmp_path):
    with VideoWriter(tmp_path / "clip.mp4", 128, 96, Fraction(10)) as writer:
        for i in range(30):
            writer.write(place((i >= 12) + (i >= 20)), Fraction(i, 10))
    said = told(tmp_path / "clip.mp4")
    assert said["cuts"] == ["2, at 1.20 s, 2.00 s"]
    assert said["shots"] == ["3; nobody is followed over a cut"]
    said = told(tmp_path / "clip.mp4", "--seconds", 1.5)
    assert said["cuts"] == ["1, at 1.20 s"]
    assert said["frames"] == ["15 frames, numbers 0 to 14, 0.00 s to 1.40 s; not the whole of it"]
    assert said["looked"] == ["at the beginning only; --seconds says how much"]


def test_shape_of_pixels_and_turn(told, nobody, tmp_path):
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=dict(X264))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.sample_aspect_ratio = Fraction(2)
        stream.set_display_rotation(90)  # counterclockwise, as FFmpeg counts
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(37))))
        container.mux(stream.encode(None))
    said = told(tmp_path / "clip.mp4")
    assert said["stored"] == ["64x48 px, pixels 2:1"]
    assert said["shown"] == ["48x128 px"]
    with open_video(tmp_path / "clip.mp4") as reader:
        upright = next(iter(reader)).image
    # The word in the report is the turn that takes the stored picture to the one that is shown.
    stored = cv2.resize(numbered(37), (128, 48))
    degrees = int(said["turned"][0].split()[1])
    turned = np.rot90(stored, -degrees // 90).astype(int)
    assert np.abs(turned - upright).mean() < 20
    assert np.abs(turned[::-1, ::-1] - upright).mean() > 40


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("transpose", [False, True])
def test_turns_have_the_right_names(transpose, across, down):
    orientation = Orientation(transpose, across, down)
    picture = np.arange(12).reshape(2, 2, 3)
    laid = orientation.applied(picture)
    turns = {90 * q: np.rot90(picture, -q) for q in range(4)}
    names = [degrees for degrees, turned in turns.items() if (turned == laid).all()]
    said = _turn(orientation)
    if names == [0]:
        assert said == "no"
    elif names:
        assert said == f"by {names[0]} degrees clockwise, as its metadata says"
    else:
        assert said.startswith("mirrored")


def test_damage_is_told_and_is_no_failure(told, nobody, tmp_path):
    clip = write_video(tmp_path / "clip.ts", Kind("ts", "mpeg2video", options=(("g", "6"),)), steady(30))
    data = bytearray(clip.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    clip.write_bytes(data)
    said = told(clip)
    assert int(said["gaps"][0]) == len(said["gap"]) > 0
    assert ": " in said["gap"][0]


@pytest.mark.parametrize("content", [b"", b"no video at all\n" * 100, b"\0" * 5000])
def test_where_nothing_can_be_read_it_ends_with_2(told, tmp_path, capsys, content):
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        told(tmp_path / "clip.mp4")
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert "clip.mp4" in said.err
    assert said.err.count("\n") == 1
    assert said.out.startswith("file:")


def test_a_folder(told, nobody, tmp_path):
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"{i:03}.png"), place(0))
    (tmp_path / "002.png").write_bytes(b"damaged")
    said = told(tmp_path)
    assert said["source"] == ["a folder of 4 files"]
    assert said["frames"] == ["3 frames, numbers 0 to 3, 0.00 s to 0.10 s"]
    assert "002.png is not a readable image" in said["gap"][0]
    assert said["time"] == ["30 frames/s are taken, for pictures do not say when they were taken"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
def test_a_pipe(told, nobody, tmp_path):
    clip = write_video(tmp_path / "clip.mkv", replace(H264, suffix="mkv"), steady(10))
    os.mkfifo(tmp_path / "pipe")
    feed = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(clip.read_bytes()))
    feed.start()
    said = told(tmp_path / "pipe")
    feed.join()
    assert "pipe" in said["source"][0]
    assert said["frames"][0].startswith("10 frames")


def test_people_and_which_way_they_stand(told, scene, tmp_path):
    upright = told(scene.video)
    assert "hint" not in upright
    assert len(upright["people"]) == 5
    assert all(text.startswith("2 people at ") for text in upright["people"])
    true_px = np.ptp(scene.truth.rows["box_px"][:, 1::2], axis=1)
    for text in upright["people"]:
        for height_px in text.split(" s, ")[1].removesuffix(" px tall").split(", "):
            assert np.abs(true_px / float(height_px) - 1).min() < 0.15
    for quarters in (1, 2, 3):
        with open_video(scene.video) as reader:
            frames = [np.ascontiguousarray(np.rot90(frame.image, quarters)) for frame in islice(reader, 3)]
        with VideoWriter(tmp_path / "turned.mp4", *frames[0].shape[1::-1], Fraction(10)) as writer:
            for i, frame in enumerate(frames):
                writer.write(frame, Fraction(i, 10))
        # Turned counterclockwise by so much, it has to go back clockwise.
        assert told(tmp_path / "turned.mp4")["hint"][0].endswith(f"--rotate {90 * quarters}")


@pytest.mark.parametrize("n_frames", [1, 3, 11, 12, 400])
def test_samples_are_few_and_spread_over_all(tmp_path, n_frames):
    with VideoWriter(tmp_path / "clip.mp4", 64, 48, Fraction(100)) as writer:
        for i in range(n_frames):
            writer.write(numbered(i), Fraction(i, 100))
    with open_video(tmp_path / "clip.mp4") as reader:
        times = [sample.time_s for sample in report_of(reader, 100).samples]
    assert len(times) == min(n_frames, SAMPLES)
    assert times[0] == 0
    assert times[-1] >= 0.8 * (n_frames - 1) / 100
    assert (np.diff(times) > 0).all()


def test_what_is_no_time_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["doctor", "clip.mp4", "--seconds", "0"])
    assert "--seconds above 0" in capsys.readouterr().err
