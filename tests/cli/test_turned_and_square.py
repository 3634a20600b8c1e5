"""What was tracked in a picture that was turned, or whose pixels were made square, is drawn where it was seen."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from choros import systems, track_video
from choros.cli.main import main
from choros.glamr.odometry import camera_evidence
from choros.live import LiveSource
from choros.motion import ROW, FrameResult, Motion
from choros.options import TrackOptions
from choros.video import open_video
from choros.view.film import Film

FPS = Fraction(25)
FRAMES = 6
WHITE = 200
DISTANCE_M = 6


class Spot:
    """A system that finds a white spot in the picture, and stands a person there."""

    name = "spot"

    def stream(self, K=None):
        return SpotStream(K)


class SpotStream:
    cut_before = False

    def __init__(self, K):
        self.K, self.frame = K, -1

    def encode(self, image):
        y, x = np.nonzero(image.min(-1) > WHITE)
        return np.array([x.mean() + 0.5, y.mean() + 0.5, 1.0])

    def step(self, spot, time_s):
        self.frame += 1
        rows = np.zeros(1, ROW)
        rows["frame"], rows["person"], rows["visible"] = self.frame, 1, True
        rows["transl"] = DISTANCE_M * np.linalg.inv(self.K) @ spot
        return FrameResult(rows)

    def state(self):
        return {"frame": np.array(self.frame)}


def write_spot(path: Path, width: int, height: int, sar: Fraction | None = None) -> Path:
    """Grey, with a white spot at a quarter of the width that goes down."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "10", "x264-params": "threads=1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        if sar:
            stream.codec_context.sample_aspect_ratio = sar
        for index in range(FRAMES):
            image = np.full((height, width, 3), 90, np.uint8)
            y, x = height // 3 + 4 * index, width // 4
            image[y - 4 : y + 4, x - 4 : x + 4] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("sar", "rotate", "size"),
    [
        (None, 0, (320, 240)),
        (Fraction(2), 0, (320, 240)),
        (Fraction(1, 2), 0, (320, 240)),
        (None, 90, (240, 320)),
        (Fraction(2), 270, (240, 320)),
        (None, 180, (320, 240)),
    ],
)
def test_the_overlay_lies_over_what_was_tracked(
    sar: Fraction | None, rotate: int, size: tuple[int, int], tmp_path: Path
) -> None:
    stored = {None: (320, 240), Fraction(2): (160, 240), Fraction(1, 2): (320, 120)}[sar]
    clip = write_spot(tmp_path / "clip.mp4", *stored, sar)
    motion_path, out = tmp_path / "motion.npz", tmp_path / "overlay.mp4"
    track_video.track_to_file(clip, motion_path, Spot(), TrackOptions(rotate=rotate))
    motion = Motion.load(motion_path)
    assert (motion.width, motion.height, motion.header.rotate) == (*size, rotate)
    assert motion.K[0].tolist() == [[320, 0, size[0] / 2], [0, 320, size[1] / 2], [0, 0, 1]]

    main(["show", str(motion_path), str(clip), "-o", str(out)])
    with open_video(out) as drawn, open_video(clip, rotate=rotate) as plain:
        assert (drawn.info.width, drawn.info.height) == size
        for frame, other, row in zip(drawn, plain, motion.rows, strict=True):
            spot = motion.K[0] @ row["transl"] / DISTANCE_M
            y, x = np.nonzero(other.image.min(-1) > WHITE)
            assert np.hypot(x.mean() + 0.5 - spot[0], y.mean() + 0.5 - spot[1]) < 1
            changed = (
                np.abs(frame.image.astype(int) - other.image).max(-1) > 60
            )  # the body, drawn over the spot
            at_y, at_x = int(spot[1]), int(spot[0])
            assert changed[at_y - 4 : at_y + 4, at_x - 4 : at_x + 4].mean() > 0.9
            ys, xs = np.nonzero(changed)
            # Arms spread about as wide as the body is tall, and a number above it: nothing is stretched.
            assert 0.85 < np.ptp(ys) / np.ptp(xs) < 1.25


def test_whatever_reads_the_video_again_turns_it_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, out = write_spot(tmp_path / "clip.mp4", 320, 240), tmp_path / "out"
    monkeypatch.setattr(systems, "load", lambda *_, **__: Spot())
    main(["track", str(clip), "-o", str(out), "--rotate", "90"])
    motion = Motion.load(out / "motion.npz")
    assert (motion.width, motion.height, motion.header.rotate) == (240, 320, 90)
    film = Film.of(clip, motion)
    with open_video(clip, rotate=90) as reader:
        for index, frame in enumerate(reader):
            spot = np.argwhere(frame.image.min(-1) > WHITE).mean(0)
            seen = np.argwhere(film.image(film.at(frame.pts_s)).min(-1) > WHITE).mean(0)
            assert np.abs(seen - spot).max() < 12  # a tenth of a second of its way
            assert (
                np.abs(
                    motion.K[index] @ motion.rows["transl"][index] / DISTANCE_M - [*spot[::-1] + 0.5, 1]
                ).max()
                < 1
            )
    assert len(camera_evidence(motion, clip).weight) == FRAMES - 1
    world = replace(motion.header, space="world", provenance=motion.header.provenance | {"world": {}})
    assert world.rotate == 90


def test_a_live_source_is_turned(tmp_path: Path) -> None:
    clip = write_spot(tmp_path / "clip.mp4", 320, 240)
    with LiveSource(clip, rotate=270) as live, open_video(clip, rotate=270) as plain:
        frames, others = list(live), {frame.pts: frame.image for frame in plain}
    assert (live.info.width, live.info.height) == (240, 320)
    assert frames
    for frame in frames:
        np.testing.assert_array_equal(frame.image, others[frame.pts])
