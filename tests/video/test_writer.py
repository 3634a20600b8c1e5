"""What is written comes back: every frame, at its exact time, whatever ends the writing."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from making import number_in, numbered

from choros.errors import ChorosError
from choros.video import VideoWriter, check_video_name, open_video

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


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("name", ["out.mp4", "out.mov", "out.webm", "out.gif", "out.webp"])
def test_an_interrupted_video_leaves_the_one_that_was_there(
    name: str, error: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(b"the video of yesterday")

    def interrupted() -> None:
        with VideoWriter(path, 64, 48, FPS) as writer:
            for index in range(17):
                writer.write(numbered(index))
            raise error

    with pytest.raises(error) as raised:
        interrupted()
    assert path.read_bytes() == b"the video of yesterday"
    assert list(tmp_path.iterdir()) == [path]
    assert raised.value.__notes__ == [f"{path} is as it was before"]


def test_what_closed_before_the_error_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"the video of yesterday")

    def closed() -> None:
        with VideoWriter(path, 64, 48, FPS) as writer:
            writer.write(numbered(3))
            writer.close()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        closed()
    assert read_back(path)[0] == [3]


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


# Other kinds than MP4 ------------------------------------------------------------------------------------


def pictures_in(path: Path) -> list[tuple[int, int, np.ndarray]]:
    """Numbers, durations in ms and first pixels of an animation's frames, by another library."""
    image_of = pytest.importorskip("PIL.Image")
    found = []
    with image_of.open(path) as film:
        assert film.info["loop"] == 0  # for ever
        for index in range(film.n_frames):
            film.seek(index)
            film.load()
            image = np.asarray(film.convert("RGB"))
            found.append((number_in(image), film.info["duration"], image))
    return found


@pytest.mark.parametrize(
    ("name", "container", "codec"),
    [("a.mov", "mov", "h264"), ("a.webm", "webm", "vp9"), ("A.MP4", "mp4", "h264")],
)
def test_the_suffix_tells_the_container(name: str, container: str, codec: str, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / name, 63, 48, Fraction(24)) as writer:
        for index in range(20):
            writer.write(numbered(index)[:, :63])
    with av.open(str(tmp_path / name)) as film:
        assert container in film.format.name
        assert film.streams.video[0].codec_context.name in (codec, f"lib{codec}")
    numbers, times = read_back(tmp_path / name)
    assert numbers == list(range(20))
    assert max(abs(time - Fraction(index, 24)) for index, time in enumerate(times)) <= Fraction(1, 2000)
    assert list(tmp_path.iterdir()) == [tmp_path / name]


@pytest.mark.parametrize("name", ["a.gif", "a.webp"])
def test_animations_last_as_long_as_the_video(name: str, tmp_path: Path) -> None:
    times = [Fraction(index, 24) for index in range(20)] + [Fraction(3, 2), Fraction(7, 2)]
    with VideoWriter(tmp_path / name, 64, 48, Fraction(24)) as writer:
        for index, time in enumerate(times):
            writer.write(numbered(index), 10 + time)
    found = pictures_in(tmp_path / name)
    assert [number for number, _, _ in found] == list(range(22))
    starts_ms = np.cumsum([0, *(duration for _, duration, _ in found)])
    unit_ms = {"a.gif": 10, "a.webp": 1}[name]
    ends_ms = [1000 * float(time) for time in (*times, times[-1] + Fraction(1, 24))]
    assert np.abs(starts_ms - ends_ms).max() <= unit_ms
    assert list(tmp_path.iterdir()) == [tmp_path / name]


def test_a_gif_leaves_out_what_browsers_would_slow_down(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.gif", 64, 48, Fraction(120)) as writer:
        for index in range(60):
            writer.write(numbered(index))
    found = pictures_in(tmp_path / "a.gif")
    assert min(duration for _, duration, _ in found) >= 20
    assert abs(sum(duration for _, duration, _ in found) - 500) <= 20
    assert [number for number, _, _ in found] == sorted({number for number, _, _ in found})


@pytest.mark.parametrize(("name", "most"), [("a.gif", 6), ("a.webp", 6)])
def test_animations_have_the_videos_colours(name: str, most: float, tmp_path: Path) -> None:
    """A picture of smooth colours: each of far more than 256, and another in each frame."""
    y, x = np.mgrid[:48, :64]
    pictures = [
        np.stack([255 * x / 63, 255 * y / 47, np.full(x.shape, blue)], axis=-1).astype(np.uint8)
        for blue in (0, 120, 250)
    ]
    with VideoWriter(tmp_path / name, 64, 48, FPS) as writer:
        for picture in pictures:
            writer.write(picture)
    for (_, _, said), true in zip(pictures_in(tmp_path / name), pictures, strict=True):
        assert np.abs(said.astype(int) - true).mean() < most


@pytest.mark.parametrize(("pattern", "first"), [("%06d.png", "000007.png"), ("pic_%d.jpg", "pic_7.jpg")])
def test_numbered_pictures(pattern: str, first: str, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with VideoWriter(folder / pattern, 64, 48, FPS) as writer:
        for index in range(12):
            writer.write(numbered(index), number=7 + index)
    assert len(list(folder.iterdir())) == 12
    assert (folder / first).is_file()
    with open_video(folder) as reader:
        assert [number_in(frame.image) for frame in reader] == list(range(12))


@pytest.mark.parametrize(
    "name",
    ["a.jpg", "a.png", "a.avi", "a", "a.foo", "%06d.gif", "%s.png", "%06d_%06d.png", "%06d", "100%.png"],
)
def test_other_names_are_refused_before_anything_is_written(name: str, tmp_path: Path) -> None:
    check_video_name(tmp_path / "100%.mp4")
    with pytest.raises(
        ChorosError, match=r"\.mp4, \.mov, \.webm, \.gif, \.webp, or give numbered pictures, as"
    ):
        VideoWriter(tmp_path / name, 64, 48, FPS)
    assert list(tmp_path.iterdir()) == []
