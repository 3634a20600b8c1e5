"""Video out, with the frame times of the source: a film or numbered pictures, by the name that is asked for.

A film appears under its name only when it is complete: see ``outputs.PartialFile``.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import numpy as np
from av.filter import Graph
from av.video.format import VideoFormat
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream

from choros.errors import ChorosError
from choros.outputs import PartialFile, atomic_write

# Ticks per second in which the time stamps of nearly every container are whole: the least common multiple
# of 90000 (MPEG), 1000 (Matroska), 600 (QuickTime), 15360, 12800, 16000 and 24000 (FFmpeg's MP4).
_COMMON_TICKS = 5_760_000
_MAX_TICKS = 2**31 - 1  # of an MP4 track


@dataclass(frozen=True)
class _Kind:
    """How a film of one suffix is coded."""

    format: str
    codec: str
    pix_fmt: str
    ticks: int | None = None  # a second, if the format has them fixed
    shortest: int = 1  # ticks that a frame must last
    muxer: dict[str, str] = field(default_factory=dict)


_H264 = ("libx264", "yuv420p")
_KINDS = {
    ".mp4": _Kind("mp4", *_H264),
    ".mov": _Kind("mov", *_H264),
    ".webm": _Kind("webm", "libvpx-vp9", "yuv420p", ticks=1000),
    # What asks for less than 2 hundredths of a second a frame, browsers show ten times slower.
    ".gif": _Kind("gif", "gif", "pal8", ticks=100, shortest=2, muxer={"loop": "0"}),
    ".webp": _Kind("webp", "libwebp_anim", "bgra", ticks=1000, muxer={"loop": "0"}),
}
_PICTURES = (".png", ".jpg", ".jpeg")
_NUMBER = re.compile(r"%0?\d*d")


def check_video_name(path: str | Path) -> None:
    """Raises ChorosError unless ``VideoWriter`` writes what is called so."""
    path = Path(path)
    suffix = path.suffix.lower()
    numbers = len(_NUMBER.findall(path.name))
    pictures = suffix in _PICTURES and path.name.count("%") == numbers == 1
    if not pictures and (suffix not in _KINDS or numbers):
        raise ChorosError(
            f"{path}: video is not written under such a name; end it in {', '.join(_KINDS)}, or give numbered "
            "pictures, as frames/%06d.png or frames/%06d.jpg."
        )


class VideoWriter:
    """Writes frames of ``width`` x ``height`` px to ``path``, whose suffix tells as what.

    ``.mp4`` and ``.mov`` are H.264 of x264's CRF ``crf``, ``.webm`` VP9 about as fine; an odd width or height is
    padded by one repeated column or row, which they need. ``.gif`` has a palette of 256 colours for each frame, times
    in hundredths of a second and at most 50 frames/s, so that of a faster video some are left out; ``.webp`` is
    animated WebP. Time starts at zero with the first frame. ``frames/%06d.png``, or ``.jpg``, are pictures without
    times, one a frame, in a folder that is made.

    A context manager: on leaving it, by an exception or Ctrl-C too, the film is finished and playable; but where one
    of that name was there before, an exception leaves that one as it was. With no frame written there is no file.
    Raises ChorosError for another suffix, or if a film's folder does not exist or a frame has another size.
    """

    def __init__(self, path: str | Path, width: int, height: int, fps: Fraction, *, crf: int = 20) -> None:
        self.path = Path(path)
        check_video_name(self.path)
        self._shape = (height, width, 3)
        self._interval = 1 / Fraction(fps)
        self._first: Fraction | None = None
        self._last_pts = Fraction(0)
        self._written = 0
        kind = _KINDS.get(self.path.suffix.lower())
        self._out = (
            _Film(self.path, kind, width, height, Fraction(fps), crf) if kind else _Pictures(self.path)
        )

    def write(self, image: np.ndarray, pts: Fraction | None = None, number: int | None = None) -> None:
        """Add ``image``, (H, W, 3) uint8 RGB, shown at ``pts`` seconds (None: an interval after the last).

        ``number`` is what numbered pictures are called by (None: one after another, from 0).
        """
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ChorosError(
                f"{self.path}: a frame is {image.dtype} {image.shape}, the video uint8 {self._shape}; "
                "write frames of one size."
            )
        if pts is None:
            pts = Fraction(0) if self._first is None else self._last_pts + self._interval
        if self._first is None:
            self._first = pts
        self._last_pts = pts
        self._out.add(image, pts - self._first, self._written if number is None else number)
        self._written += 1

    def close(self) -> None:
        """Finish the file and give it its name. More calls do nothing."""
        self._out.close()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self._out.replaces:
            self._out.close(keep=False)
            error.add_note(f"{self.path} is as it was before")
        self.close()


class _Pictures:
    """One picture a frame; each is there whole or not at all."""

    replaces = False  # what is written is there already

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _not_writable(path, error) from None

    def add(self, image: np.ndarray, time: Fraction, number: int) -> None:
        import cv2

        path = self.path.with_name(self.path.name % number)
        quality = [cv2.IMWRITE_JPEG_QUALITY, 95] if path.suffix.lower() != ".png" else []
        # Not by cv2.imwrite, which cannot open every name on Windows.
        encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)[1]
        try:
            with atomic_write(path) as file:
                file.write(encoded.tobytes())
        except OSError as error:
            raise _not_writable(path, error) from None

    def close(self, keep: bool = True) -> None:
        pass


class _Film:
    """One file that FFmpeg writes."""

    def __init__(self, path: Path, kind: _Kind, width: int, height: int, fps: Fraction, crf: int) -> None:
        self.path, self._kind = path, kind
        ticks = kind.ticks or math.lcm(_COMMON_TICKS, fps.numerator)
        self._time_base = Fraction(1, ticks if ticks <= _MAX_TICKS else _COMMON_TICKS)
        self._last_ticks: int | None = None
        self._last_frame_ticks = max(round(1 / (fps * self._time_base)), kind.shortest)
        self._closed = False
        try:
            self._part = PartialFile(path)  # FFmpeg would complain at the first frame only
        except OSError as error:
            raise _not_writable(path, error) from None
        muxer = dict(kind.muxer)
        if kind.format == "gif":
            muxer["final_delay"] = str(self._last_frame_ticks)
        self._container = av.open(str(self._part.path), "w", format=kind.format, options=muxer)
        try:
            self._stream = cast(VideoStream, self._container.add_stream(kind.codec, rate=fps))
        except ValueError:
            self._container.close()
            self._part.drop()
            raise ChorosError(
                f"{path}: this build of PyAV has no encoder {kind.codec}; install av from its wheels."
            ) from None
        self._even = kind.pix_fmt == "yuv420p"
        self._stream.width = width + width % 2 * self._even
        self._stream.height = height + height % 2 * self._even
        self._stream.pix_fmt = kind.pix_fmt
        encoder = self._stream.codec_context
        encoder.options = _options(kind.codec, crf)
        if self._even:
            encoder.colorspace, encoder.color_range = Colorspace.ITU709, ColorRange.MPEG
            encoder.color_primaries, encoder.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        self._reformatter = VideoReformatter()
        self._palette = _palette(width, height, self._time_base) if kind.pix_fmt == "pal8" else None
        self._stream.time_base = self._time_base
        encoder.time_base = self._time_base

    def add(self, image: np.ndarray, time: Fraction, number: int) -> None:
        ticks = round(time / self._time_base)
        if self._last_ticks is not None and ticks < self._last_ticks + self._kind.shortest:
            if self._kind.shortest > 1:
                return
            ticks = self._last_ticks + 1
        self._last_ticks = ticks
        odd_rows, odd_columns = image.shape[0] % 2, image.shape[1] % 2
        if self._even and (odd_rows or odd_columns):
            image = np.pad(image, ((0, odd_rows), (0, odd_columns), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        picture.pts, picture.time_base = ticks, self._time_base
        for frame in self._coloured(picture):
            self._container.mux(self._stream.encode(frame))

    def _coloured(self, picture: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        """As the codec takes it. A palette may come one picture late; None asks for those left."""
        if self._palette is not None:
            self._palette.vpush(picture)
            while True:
                try:
                    yield self._palette.vpull()
                except (BlockingIOError, EOFError):
                    return
        elif picture is not None:
            colours = Colorspace.ITU709 if self._even else None
            frame = self._reformatter.reformat(picture, format=self._kind.pix_fmt, dst_colorspace=colours)
            frame.pts, frame.time_base = picture.pts, picture.time_base
            yield frame

    @property
    def replaces(self) -> bool:
        """Whether there is a film of this name that the new one is to replace."""
        return not self._closed and self.path.exists()

    def close(self, keep: bool = True) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            try:
                if keep and self._last_ticks is not None:
                    for frame in self._coloured(None):
                        self._container.mux(self._stream.encode(frame))
                    self._container.mux(self._stream.encode(None))
            finally:
                self._container.close()
            if keep and self._last_ticks is not None:
                if self._kind.format == "webp":
                    _end_webp(self._part.path, self._last_frame_ticks)
                self._part.keep()
        finally:
            self._part.drop()


def _options(codec: str, crf: int) -> dict[str, str]:
    return {
        # No B-frames: an MP4 that reorders frames needs an edit list to start at zero, which is inexact.
        "libx264": {"crf": str(crf), "preset": "veryfast", "bf": "0"},
        "libvpx-vp9": {
            "crf": str(min(crf + 8, 63)),
            "b": "0",
            "deadline": "realtime",
            "cpu-used": "6",
            "row-mt": "1",
        },
        "libwebp_anim": {"quality": "85", "lossless": "0"},
    }.get(codec, {})


def _end_webp(path: Path, last_ms: int) -> None:
    """Let the last picture of an animation last so long; the encoder takes the mean of the others."""
    data = bytearray(path.read_bytes())
    at, last = (
        12,
        None,
    )  # behind RIFF, its length and WEBP; chunks are a name, a length, an even number of bytes
    while at + 8 <= len(data):
        if data[at : at + 4] == b"ANMF":
            last = at
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        at += 8 + length + length % 2
    if last is not None:
        data[last + 20 : last + 23] = min(last_ms, 2**24 - 1).to_bytes(3, "little")
        path.write_bytes(data)


def _palette(width: int, height: int, time_base: Fraction) -> Graph:
    """Pictures to pictures of 256 colours, which are chosen for each."""
    graph = Graph()
    source = graph.add_buffer(width=width, height=height, format=VideoFormat("rgb24"), time_base=time_base)
    split, chosen = graph.add("split"), graph.add("palettegen", "stats_mode=single:reserve_transparent=0")
    used, sink = graph.add("paletteuse", "new=1:dither=sierra2_4a"), graph.add("buffersink")
    source.link_to(split)
    split.link_to(used, 0, 0)
    split.link_to(chosen, 1, 0)
    chosen.link_to(used, 0, 1)
    used.link_to(sink)
    graph.configure()
    return graph


def _not_writable(path: Path, error: OSError) -> ChorosError:
    return ChorosError(
        f"{path}: cannot be written ({error.strerror}); name a folder that exists and is yours."
    )
