"""Files of many kinds: every frame, in order, upright, at its exact time."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from making import FPS, KINDS, X264, Kind, number_in, numbered, steady, write_sound, write_video

from choros.errors import ChorosError
from choros.video import Frame, open_video

H264 = KINDS[0]
TS = next(kind for kind in KINDS if kind.suffix == "ts")


def read(path: Path, *args: float | None, **options: int) -> list[Frame]:
    with open_video(path, *args, **options) as reader:
        return list(reader)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_frame_at_its_time(kind: Kind, tmp_path: Path) -> None:
    path = write_video(tmp_path / f"film.{kind.suffix}", kind, steady(40))
    with open_video(path) as reader:
        frames = list(reader)
    assert [number_in(frame.image) for frame in frames] == list(range(40))
    assert [frame.pts for frame in frames] == steady(40)
    assert [frame.index for frame in frames] == list(range(40))
    assert all(frame.pts_s == float(frame.pts) for frame in frames)
    assert reader.gaps == []
    assert not any(frame.gap_before for frame in frames)
    assert reader.info.fps == FPS
    assert not reader.info.is_live
    for frame in frames:
        assert frame.image.shape == (reader.info.height, reader.info.width, 3) == (48, 64, 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_variable_rate_keeps_its_times(suffix: str, tmp_path: Path) -> None:
    base = Fraction(1, 1000)
    times = [Fraction(t, 1000) for t in (0, 40, 41, 97, 250, 251, 300, 460, 461, 500, 640)]
    path = write_video(
        tmp_path / f"vfr.{suffix}", Kind(suffix, "libx264", options=X264), times, time_base=base
    )
    frames = read(path)
    assert [frame.pts for frame in frames] == times
    assert [number_in(frame.image) for frame in frames] == list(range(len(times)))


def test_a_picture_held_for_long_is_no_gap(tmp_path: Path) -> None:
    base = Fraction(1, 1000)
    times = [Fraction(t, 1000) for t in (0, 40, 80, 5000, 5040, 5080)]
    path = write_video(tmp_path / "slides.mp4", H264, times, time_base=base)
    with open_video(path) as reader:
        assert [frame.pts for frame in reader] == times
    assert reader.gaps == []


def test_ntsc_rate_is_a_fraction_and_does_not_drift(tmp_path: Path) -> None:
    rate = Fraction(30000, 1001)
    path = write_video(tmp_path / "ntsc.mp4", H264, steady(90, rate), fps=rate)
    with open_video(path) as reader:
        assert [frame.pts for frame in reader] == steady(90, rate)
    assert reader.info.fps == rate
    assert reader.info.n_frames_hint == 90


@pytest.mark.parametrize(
    ("degrees", "mirrored"),
    [(0, False), (90, False), (180, False), (-90, False), (0, True), (90, True), (-90, True)],
)
def test_display_matrix_is_applied(degrees: int, mirrored: bool, tmp_path: Path) -> None:
    path = write_video(tmp_path / "turned.mp4", H264, steady(2), display=(degrees, mirrored, False))
    with open_video(path) as reader:
        image = next(iter(reader)).image
    stored = read(write_video(tmp_path / "plain.mp4", H264, steady(2)))[0].image
    expected = np.rot90(stored, degrees // 90)  # counterclockwise, as FFmpeg turns
    expected = expected[:, ::-1] if mirrored else expected
    np.testing.assert_array_equal(image, expected)
    assert (reader.info.height, reader.info.width) == expected.shape[:2]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (63, 47), (1, 48), (17, 2)])
def test_odd_sizes(width: int, height: int, tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "odd.mov", Kind("mov", "png", "rgb24"), steady(3), width=width, height=height
    )
    frames = read(path)
    for index, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.image, numbered(index, width, height))


def test_lossless_colours_come_back_exactly(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mkv", Kind("mkv", "ffv1", "bgra"), steady(3))
    for index, frame in enumerate(read(path)):
        np.testing.assert_array_equal(frame.image, numbered(index))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize(("start", "end"), [(0.4, 0.8), (0.81, None), (None, 0.5), (1.599, None)])
def test_a_range_is_the_same_frames(
    kind: Kind, start: float | None, end: float | None, tmp_path: Path
) -> None:
    path = write_video(tmp_path / f"film.{kind.suffix}", kind, steady(50))
    first, last = start or 0.0, 99.0 if end is None else end
    expected = [frame for frame in read(path) if first <= frame.pts_s < last]
    got = read(path, start, end)
    assert [frame.pts for frame in got] == [frame.pts for frame in expected]
    assert [frame.index for frame in got] == list(range(len(expected)))
    for frame, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(frame.image, other.image)


def test_reading_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", H264, steady(30))
    for frame, other, ahead in zip(read(path), read(path), read(path, prefetch=3), strict=True):
        assert frame.pts == other.pts == ahead.pts
        np.testing.assert_array_equal(frame.image, other.image)
        np.testing.assert_array_equal(frame.image, ahead.image)


def test_a_reader_is_iterated_once(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", H264, steady(5))
    with open_video(path) as reader:
        assert len(list(reader)) == 5
        assert list(reader) == []


def test_frames_stay_as_they_are_while_reading_goes_on(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", H264, steady(20))
    with open_video(path) as reader:
        kept = [(frame.image, frame.image.copy()) for frame in reader]
    for image, copy in kept:
        np.testing.assert_array_equal(image, copy)


def test_time_zero_is_the_start_of_the_video(tmp_path: Path) -> None:
    """MPEG-TS starts its clock anywhere; here it starts at an hour."""
    times = [3600 + index / FPS for index in range(20)]
    path = write_video(tmp_path / "film.ts", Kind("ts", "libx264", options=X264), times)
    assert [frame.pts for frame in read(path)] == steady(20)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder / "missing.mp4", "no such file"),
        (lambda folder: _with(folder / "empty.mp4", b""), "is empty"),
        (lambda folder: _with(folder / "noise.mp4", bytes(range(256)) * 40), "not a video"),
        (lambda folder: _with(folder / "notes.txt", b"a line of text\n" * 99), "text file"),
        (lambda folder: write_sound(folder / "song.wav", "pcm_s16le"), "only sound"),
        (lambda folder: write_sound(folder / "song.mp4", "aac"), "only sound"),
        (lambda folder: folder, "holds no images"),
    ],
    ids=["missing", "empty", "noise", "text", "wav", "aac", "folder"],
)
def test_what_is_no_video_is_refused_in_one_sentence(make: object, message: str, tmp_path: Path) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    with pytest.raises(ChorosError, match=message) as caught:
        open_video(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def _with(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_cover_art_is_not_a_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    picture = cv2.imencode(".png", numbered(3))[1].tobytes()
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=8000, layout="mono")
        cover = container.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "rgb24"
        cover.disposition = cover.disposition.__class__.attached_pic
        packet = av.Packet(picture)
        packet.stream = cover
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), "s16", "mono")
        frame.sample_rate = 8000
        container.mux(sound.encode(frame))
        container.mux(packet)
        container.mux(sound.encode(None))
    with pytest.raises(ChorosError, match="only sound"):
        open_video(path)


def test_a_range_past_the_end_says_where_the_end_is(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", H264, steady(25))
    with pytest.raises(ChorosError, match=r"last frame seen is at 0\.96 s"):
        open_video(path, start_s=5.0)
    with pytest.raises(ChorosError, match="after the start"):
        open_video(path, start_s=0.5, end_s=0.5)


def test_names_that_look_like_patterns_or_protocols(tmp_path: Path) -> None:
    for name in ("take%03d.mp4", "concat:a.mp4", "tést ☃.mp4"):
        if os.name == "nt" and ":" in name:
            continue
        source = write_video(tmp_path / "film.mp4", H264, steady(3))
        assert len(read(source.rename(tmp_path / name))) == 3


@pytest.mark.parametrize("protocol", ["http", "rtsp", "tcp"])
def test_a_silent_stream_is_given_up_after_the_timeout(protocol: str) -> None:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"{protocol}://127.0.0.1:{server.getsockname()[1]}/live.ts"
        with pytest.raises(ChorosError, match=r"no answer within 0\.5 s"):
            open_video(url, timeout_s=0.5)


HTTP = b"HTTP/1.0 200 OK\r\nContent-Type: video/mp2t\r\n\r\n"


@contextmanager
def served(*pieces: bytes | threading.Event) -> Iterator[str]:
    """URL of a server that answers once with ``pieces``, and waits where an event stands until that is set."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):  # whoever asked may be gone
            connection.recv(4096)
            for piece in pieces:
                if isinstance(piece, bytes):
                    connection.sendall(piece)
                else:
                    piece.wait(20)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/live.ts"
        thread.join(5)


@pytest.mark.parametrize("ends", [True, False], ids=["ends", "breaks off"])
def test_a_live_stream_is_read_until_it_ends(ends: bool, tmp_path: Path) -> None:
    data = write_video(tmp_path / "film.ts", TS, steady(50)).read_bytes()
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n"
    if ends:
        answer += (
            b"Transfer-Encoding: chunked\r\n\r\n" + f"{len(data):x}\r\n".encode() + data + b"\r\n0\r\n\r\n"
        )
    else:
        answer += b"\r\n" + data
    with served(answer) as url, open_video(url, timeout_s=5) as reader:
        frames = list(reader)
    assert reader.info.is_live
    assert [number_in(frame.image) for frame in frames] == list(range(50))
    assert [gap.end_s for gap in reader.gaps] == ([] if ends else [None])


def test_a_frame_of_a_stream_comes_with_the_first_bytes_of_the_next(tmp_path: Path) -> None:
    """MPEG-TS does not say where a frame ends but by the next one's beginning, so it cannot come sooner."""
    film = Kind("ts", "libx264", options=(*X264, ("bf", "0")))
    data = write_video(tmp_path / "film.ts", film, steady(60)).read_bytes()
    begins = [at for at in range(0, len(data), 188) if b"\0\0\1\xe0" in data[at : at + 188]]  # of each frame
    assert len(begins) == 60
    early, late = begins[50] + 188, begins[51] + 188
    more, rest = threading.Event(), threading.Event()
    with (
        served(HTTP, data[:early], more, data[early:late], rest, data[late:]) as url,
        open_video(url, timeout_s=10) as reader,
    ):
        frames = iter(reader)
        assert [number_in(next(frames).image) for _ in range(50)] == list(range(50))
        more.set()
        assert number_in(next(frames).image) == 50
        rest.set()
        assert [number_in(frame.image) for frame in frames] == list(range(51, 60))


def test_a_stream_that_pauses_has_a_gap_there(tmp_path: Path) -> None:
    times = [*steady(50), *(Fraction(100 + index, 25) for index in range(10))]
    data = write_video(tmp_path / "film.ts", TS, times).read_bytes()
    with served(HTTP, data) as url, open_video(url, timeout_s=5) as reader:
        assert [frame.index for frame in reader if frame.gap_before] == [50]


def test_a_film_over_http_is_read_like_its_file(tmp_path: Path) -> None:
    """Not every stream's packets hold whole frames: it is opened again as FFmpeg would."""
    path = write_video(tmp_path / "film.mpg", Kind("mpg", "mpeg2video", options=(("bf", "2"),)), steady(30))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with open_video(f"http://127.0.0.1:{server.server_port}/film.mpg", timeout_s=5) as reader:
        streamed = list(reader)
    server.shutdown()
    server.server_close()
    assert [(f.pts, number_in(f.image)) for f in streamed] == [
        (f.pts, number_in(f.image)) for f in read(path)
    ]


def test_a_stream_that_falls_silent_ends_with_a_gap(tmp_path: Path) -> None:
    data = write_video(tmp_path / "film.ts", TS, steady(50)).read_bytes()
    done = threading.Event()
    with served(HTTP, data, done) as url:
        with open_video(url, timeout_s=1.5, prefetch=4) as reader:
            frames = list(reader)
        done.set()
    assert len(frames) >= 48  # the last packet has no successor that says it is complete
    assert reader.gaps[-1].end_s is None
    assert "silent for 1.5 s" in reader.gaps[-1].reason


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files by /proc")
def test_opening_and_closing_leaks_nothing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", H264, steady(3))

    def open_and_close(count: int) -> tuple[int, int, int]:
        for _ in range(count):
            with open_video(path, prefetch=2) as reader:
                next(iter(reader))
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return len(os.listdir("/proc/self/fd")), threading.active_count(), pages * os.sysconf("SC_PAGE_SIZE")

    files, threads, memory = open_and_close(50)
    files_after, threads_after, memory_after = open_and_close(150)
    assert files_after == files
    assert threads_after == threads
    assert memory_after < memory + 8e6
