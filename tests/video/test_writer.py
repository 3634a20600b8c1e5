"""What is written comes back: every frame, at its exact time, whatever ends the writing."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from making import number_in, numbered

from choros.errors import ChorosError
from choros.video import VideoWriter, open_video

FPS = Fraction(30)


def read_back(path: Path) -> tuple[list[int], list[Fraction]]:
    with open_video(path) as reader:
        frames = list(reader)
    assert reader.gaps == []
    return [number_in(frame.image) for frame in frames], [frame.pts for frame in frames]


@pytest.mark.parametrize(
    "fps", [Fraction(25), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(100, 7), Fraction(1)]
)
def test_constant_rate(fps: Fraction, tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 64, 48, fps) as writer:
        for index in range(40):
            writer.write(numbered(index))
    numbers, times = read_back(path)
    assert numbers == list(range(40))
    assert times == [index / fps for index in range(40)]


@pytest.mark.parametrize("base", [1000, 90000, 600, 15360, 12800, 30000, 24000])
def test_variable_rate_in_every_common_time_base(base: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(base)
    ticks = np.cumsum(rng.integers(1, base // 5, 40))
    times = [Fraction(int(tick - ticks[0]), base) for tick in ticks]
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 64, 48, FPS) as writer:
        for index, time in enumerate(times):
            writer.write(numbered(index), time)
    assert read_back(path) == (list(range(40)), times)


def test_a_range_starts_at_zero(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with VideoWriter(path, 64, 48, FPS) as writer:
        for index in range(5):
            writer.write(numbered(index), 3600 + index / FPS)
    assert read_back(path)[1] == [index / FPS for index in range(5)]


@pytest.mark.parametrize(("width", "height"), [(63, 48), (64, 47), (63, 47)])
def test_odd_sizes_are_padded_by_their_edge(width: int, height: int, tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    picture = np.full((height, width, 3), 90, np.uint8)
    with VideoWriter(path, width, height, FPS, crf=1) as writer:
        for _ in range(3):
            writer.write(picture)
    with open_video(path) as reader:
        for frame in reader:
            assert frame.image.shape == (height + height % 2, width + width % 2, 3)
            assert np.abs(frame.image.astype(int) - 90).max() <= 3


def test_colours_survive(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (255, 255, 255), (0, 0, 0), (128, 128, 128)]
    with VideoWriter(path, 64, 48, FPS, crf=1) as writer:
        for colour in colours:
            writer.write(np.full((48, 64, 3), colour, np.uint8))
    with open_video(path) as reader:
        for frame, colour in zip(reader, colours, strict=True):
            assert np.abs(frame.image[24, 32].astype(int) - colour).max() <= 4
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.colorspace == 1  # BT.709, as players assume for HD


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_video_is_complete_up_to_there(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"

    def interrupted() -> None:
        with VideoWriter(path, 64, 48, FPS) as writer:
            for index in range(17):
                writer.write(numbered(index))
            raise error

    with pytest.raises(error):
        interrupted()
    assert read_back(path)[0] == list(range(17))
    assert list(tmp_path.iterdir()) == [path]


def test_the_name_appears_only_when_the_file_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"the video of yesterday")
    writer = VideoWriter(path, 64, 48, FPS)
    writer.write(numbered(0))
    assert path.read_bytes() == b"the video of yesterday"
    writer.close()
    writer.close()
    assert read_back(path)[0] == [0]


def test_nothing_written_leaves_nothing(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", 64, 48, FPS):
        pass
    assert list(tmp_path.iterdir()) == []


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ChorosError, match="missing"):
        VideoWriter(tmp_path / "missing" / "out.mp4", 64, 48, FPS)
    with (
        VideoWriter(tmp_path / "out.mp4", 64, 48, FPS) as writer,
        pytest.raises(ChorosError, match="one size"),
    ):
        writer.write(numbered(0, 32, 32))
