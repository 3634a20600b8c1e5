"""Tiny videos whose every frame says in big blocks which frame it is, and ways to damage their files."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WIDTH, HEIGHT = 64, 48
BLOCK = 16  # px; 4 x 3 blocks hold 12 bits
FPS = Fraction(25)


def numbered(index: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """(height, width, 3) uint8: ``index`` in binary blocks, lowest bit at the top left, and some noise."""
    bits = [(index >> bit) & 1 for bit in range(12)]
    blocks = np.where(np.array(bits).reshape(3, 4), 220, 35)
    image = np.repeat(np.repeat(blocks, BLOCK, 0), BLOCK, 1)
    rows, columns = np.arange(height) * HEIGHT // height, np.arange(width) * WIDTH // width
    noise = np.random.default_rng(index).integers(-20, 21, (height, width, 3))
    return (image[rows][:, columns, None] + noise).astype(np.uint8)


def number_in(image: np.ndarray) -> int:
    """What ``numbered`` wrote, read from the middles of the blocks."""
    height, width = image.shape[:2]
    bits = [
        image[int((row + 0.5) * height / 3), int((column + 0.5) * width / 4)].mean() > 128
        for row in range(3)
        for column in range(4)
    ]
    return sum(bool(bit) << position for position, bit in enumerate(bits))


@dataclass(frozen=True)
class Kind:
    """One way to store a video."""

    suffix: str
    codec: str
    pix_fmt: str = "yuv420p"
    options: tuple[tuple[str, str], ...] = ()
    movflags: str = ""  # where an MP4 has its header: at the end, at the start, or in fragments

    @property
    def name(self) -> str:
        return "-".join(filter(None, [self.suffix, self.movflags, self.codec, self.pix_fmt]))


X264 = (("preset", "ultrafast"), ("g", "12"), ("bf", "2"), ("x264-params", "threads=1"))
VPX = (("deadline", "realtime"), ("cpu-used", "8"), ("g", "12"), ("threads", "1"))
KINDS = [
    Kind("mp4", "libx264", options=X264),
    Kind("mp4", "libx264", options=X264, movflags="faststart"),
    Kind("mp4", "libx264", options=X264, movflags="frag_keyframe+empty_moov"),
    Kind("mkv", "libx264", options=X264),
    Kind("ts", "libx264", options=X264),
    Kind("flv", "libx264", options=X264),
    Kind("mp4", "libx264", "yuv420p10le", options=X264),
    Kind("mov", "mpeg4", options=(("g", "12"), ("bf", "2"))),
    Kind("avi", "mpeg4", options=(("g", "12"),)),
    Kind("avi", "mjpeg", "yuvj420p"),
    Kind("mkv", "ffv1", "gray"),
    Kind("mkv", "ffv1", "bgra"),
    Kind("mpg", "mpeg2video", options=(("g", "12"), ("bf", "2"))),
    Kind("webm", "libvpx-vp9", options=VPX),
    Kind("webm", "libvpx", options=VPX),
    Kind("gif", "gif", "rgb8"),
]


def write_video(
    path: Path,
    kind: Kind,
    times: Sequence[Fraction | None],
    *,
    fps: Fraction = FPS,
    time_base: Fraction | None = None,
    width: int = WIDTH,
    height: int = HEIGHT,
    display: tuple[int, bool, bool] | None = None,
    sar: Fraction | None = None,
) -> Path:
    """Write ``numbered`` frames at ``times``; ``display`` is (degrees counterclockwise, hflip, vflip)."""
    time_base = time_base or 1 / fps
    container_options = {"movflags": kind.movflags} if kind.movflags else {}
    with av.open(str(path), "w", container_options=container_options) as container:
        stream = container.add_stream(kind.codec, rate=fps, options=dict(kind.options))
        stream.width, stream.height, stream.pix_fmt = width, height, kind.pix_fmt
        stream.time_base = stream.codec_context.time_base = time_base
        if sar:
            stream.codec_context.sample_aspect_ratio = sar
        if display:
            stream.set_display_rotation(display[0], hflip=display[1], vflip=display[2])
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(numbered(index, width, height))
            frame.time_base = time_base
            frame.pts = None if time is None else int(time / time_base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def steady(count: int, fps: Fraction = FPS) -> list[Fraction | None]:
    return [index / fps for index in range(count)]


def write_sound(path: Path, codec: str, seconds: float = 0.5) -> Path:
    """A file with silence and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=8000, layout="mono")
        for start in range(0, int(8000 * seconds), 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 8000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def plain_decode(path: Path) -> list[np.ndarray]:
    """What the simplest forgiving loop gets out of a file: the frames that a reader owes its user."""
    images = []
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.video or container.streams.video[0].codec_context is None:
                return []
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            packets = container.demux(stream)
            while True:
                try:
                    packet = next(packets)
                except (
                    StopIteration,
                    IndexError,
                ):  # the latter behind the end, if streams turned up on the way
                    break
                except av.error.FFmpegError:
                    break
                try:
                    frames = packet.decode()
                except (av.error.FFmpegError, ValueError):
                    continue
                images += [frame.to_ndarray(format="rgb24") for frame in frames]
    except (av.error.FFmpegError, ValueError):
        pass
    return images


# Damage ---------------------------------------------------------------------------------------------------


def truncations(data: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    for part in range(1, count + 1):
        yield f"truncated at {100 * part // (count + 1)} %", data[: len(data) * part // (count + 1)]


def bit_flips(data: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """From a single flipped bit to one in a hundred bytes."""
    for seed in range(count):
        chance = random.Random(seed)
        damaged = bytearray(data)
        for _ in range(max(1, len(data) * (seed + 1) // (100 * count))):
            damaged[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        yield f"bits flipped, seed {seed}", bytes(damaged)


def zeroed_blocks(data: bytes, count: int, size: int) -> Iterator[tuple[str, bytes]]:
    for part in range(count):
        start = (len(data) - size) * part // max(1, count - 1)
        yield f"zeros from byte {start}", data[:start] + bytes(size) + data[start + size :]


def broken_boxes(data: bytes) -> Iterator[tuple[str, bytes]]:
    """MP4 and MOV: each box of the header in turn with a wrong size, and with a wrong name."""
    for name in (b"moov", b"trak", b"mdhd", b"stbl", b"stsd", b"stts", b"stsz", b"stsc", b"stco", b"avcC"):
        at = data.find(name)
        if at < 4:
            continue
        for size in (0, 1, 0x7FFFFFFF):
            yield f"{name.decode()} of size {size}", data[: at - 4] + size.to_bytes(4, "big") + data[at:]
        yield f"{name.decode()} renamed", data[:at] + b"skip" + data[at + 4 :]
        yield f"{name.decode()} counts 2^31", data[: at + 8] + b"\x7f\xff\xff\xff" + data[at + 12 :]


def damaged_corpus(folder: Path, frames: int = 30) -> Iterator[tuple[str, str, Path]]:
    """(kind, what was done, path) of some hundreds of damaged and strange files, written one at a time."""
    for kind in KINDS:
        intact = write_video(folder / f"intact.{kind.suffix}", kind, steady(frames)).read_bytes()
        damages = [
            *truncations(intact, 12),
            *bit_flips(intact, 8),
            *zeroed_blocks(intact, 6, min(4096, len(intact) // 8)),
        ]
        if kind.suffix in ("mp4", "mov"):
            damages += broken_boxes(intact)
        for what, data in damages:
            path = folder / f"damaged.{kind.suffix}"
            path.write_bytes(data)
            yield kind.name, what, path
    yield from _strange_files(folder)


def _strange_files(folder: Path) -> Iterator[tuple[str, str, Path]]:
    for suffix in ("mp4", "avi", "mkv", "png"):
        for what, data in (
            ("empty", b""),
            ("one byte", b"\0"),
            ("text", b"not a video\n" * 50),
            ("noise", random.Random(1).randbytes(20_000)),
            ("zeros", bytes(20_000)),
        ):
            path = folder / f"strange.{suffix}"
            path.write_bytes(data)
            yield "strange", f"{what}.{suffix}", path
    yield "strange", "sound only, wav", write_sound(folder / "sound.wav", "pcm_s16le")
    yield "strange", "sound only, mp4", write_sound(folder / "sound.mp4", "aac")
    for width, height in ((1, 1), (1, 48), (63, 47), (17, 2)):
        path = write_video(
            folder / "size.mov", Kind("mov", "png", "rgb24"), steady(5), width=width, height=height
        )
        yield "strange", f"{width}x{height}", path
        path = write_video(
            folder / "size.avi", Kind("avi", "mjpeg", "yuvj420p"), steady(5), width=width, height=height
        )
        yield "strange", f"{width}x{height} mjpeg", path
