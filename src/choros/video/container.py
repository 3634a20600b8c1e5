"""Frames of a video file, camera or stream, read through PyAV one packet at a time.

A packet that cannot be decoded costs what it held and nothing more. Decoding runs in one thread on purpose:
frame threads move errors to later packets and lose frames at the end of a damaged file, so that the frames
would depend on the number of threads; decoding runs beside the caller's work with ``prefetch`` instead.
What counts as a frame is FFmpeg's default: pictures that miss their reference are withheld; pictures that
it delivers but marks corrupt are delivered with ``gap_before``.
"""

import math
import re
import struct
import time
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from choros.errors import ChorosError
from choros.video.frame import Frame, Gap, VideoInfo, VideoReader
from choros.video.limits import MAX_PIXELS, MAX_SIDE_PX
from choros.video.spool import is_pipe
from choros.video.timestamps import AviCount, Clock

# A broken file may make a demuxer hand out junk for ever. So many packets in a row without one frame (an
# hour of video), or failed reads in a row without one packet, are taken for the end.
_MAX_BARREN_PACKETS = 100_000
_MAX_FAILED_READS = 100
# Formats in which a seek leads to packets that carry their times. In the others (MPEG program streams, bare
# codecs, GIF) times after a seek are guesses, so reading starts at the beginning.
_SEEKABLE = frozenset({"avi", "flv", "matroska", "mov", "mpegts", "webm"})
_DEFAULT_FPS = Fraction(30)
# What MPEG-TS and JPEG streams come by, whose packets may hold whole frames.
_CARRIES_FRAMES = re.compile(r"(https?|udp|tcp|srt)://", re.IGNORECASE)
# Less time without a picture than this is not called a gap, whatever the frame rate.
_MIN_SILENCE_S = Fraction(1, 5)


class ContainerReader(VideoReader):
    """Frames of ``url`` with ``start_s <= pts < end_s``.

    ``name`` is what messages call the source; ``timeout_s`` bounds opening and the wait for each packet.
    Raises ChorosError if nothing can be decoded.
    """

    def __init__(
        self,
        url: str,
        name: str,
        start_s: float = 0.0,
        end_s: float | None = None,
        timeout_s: float = 15.0,
        container_format: str | None = None,
    ) -> None:
        self._url, self._name, self._format = url, name, container_format
        self._timeout_s = timeout_s
        self._start_s, self._end_s = max(0.0, start_s), end_s
        self._reformatter = VideoReformatter()
        self.gaps: list[Gap] = []

        self._open()
        try:
            self._frames = self._frames_in_range()
            try:
                self._waiting: tuple[Fraction, VideoFrame, str | None] | None = next(self._frames)
            except StopIteration:
                raise ChorosError(self._why_no_frame()) from None
            self._orientation = _orientation(self._waiting[1])
            self.info = self._describe(self._waiting[1])
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Frame]:
        last_s, index = self._start_s, 0
        while self._waiting is not None:
            pts, picture, reason = self._waiting
            if reason:
                self.gaps.append(Gap(last_s, float(pts), reason))
            yield Frame(index, float(pts), pts, self._to_rgb(picture), reason is not None, number=index)
            last_s, index = float(pts), index + 1
            self._waiting = next(self._frames, None)
        lost = self._missing_end()
        if lost:
            self.gaps.append(Gap(last_s, None, lost))

    def close(self) -> None:
        self._waiting = None
        self._frames = iter(())
        self._container.close()

    # Opening ------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._damage: str | None = None  # what went wrong since the last frame
        self._last_pts: Fraction | None = None  # of the last frame decoded, delivered or not
        self._packet_ticks = deque([0], maxlen=32)  # how long the last packets claim to be shown
        whole = _CARRIES_FRAMES.match(self._url) is not None
        self._connect(whole)
        # Only an open stream tells what it is; if it needs its parser after all, it is opened again.
        if whole and not self._comes_whole():
            self._container.close()
            self._connect(whole=False)
        decoder = self._stream.codec_context
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(MAX_PIXELS)}
        fps = self._average_fps()
        self._clock = Clock(self._origin(), 1 / fps, self._duration())
        self._avi_count = AviCount(self._stream) if self._container.format.name == "avi" else None

    def _connect(self, whole: bool) -> None:
        """Open the container. ``whole``: take its packets for frames as they are.

        Else FFmpeg's parser cuts the data into frames, and finds the end of one where the next begins: a live
        stream is a frame late then.
        """
        options = {"max_pixels": str(MAX_PIXELS)}
        if whole:
            options["fflags"] = "noparse"
        if self._url.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"  # a lost UDP packet smears every frame until the next key frame
        began = time.monotonic()
        try:
            self._container: InputContainer = av.open(
                self._url,
                format=self._format,
                options=options,
                metadata_errors="replace",
                timeout=self._timeout_s,
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise ChorosError(self._why_not_opened(error, time.monotonic() - began)) from None
        try:
            self._stream = self._pick_stream()
        except BaseException:
            self._container.close()
            raise

    def _comes_whole(self) -> bool:
        """Whether each packet of the container holds a frame, by the rules of its format."""
        format_name, codec = self._container.format.name, self._stream.codec_context.name
        live_ts = format_name == "mpegts" and codec in ("h264", "hevc") and self._duration() is None
        return live_ts or format_name == "mpjpeg"

    def _pick_stream(self) -> VideoStream:
        if self._container.format.name == "tty":  # FFmpeg would show text as a film of a terminal
            raise ChorosError(f"{self._name}: this is a text file; name a video.")
        pictures = [s for s in self._container.streams.video if not _is_cover(s)]
        if not pictures:
            what = "only sound" if self._container.streams.audio else "no video stream"
            raise ChorosError(f"{self._name}: the file holds {what}; name a file with video in it.")
        readable = [s for s in pictures if s.codec_context is not None]
        if not readable:
            raise ChorosError(
                f"{self._name}: this build of PyAV has no decoder for the video in it; convert it to H.264."
            )
        return max(readable, key=lambda s: s.codec_context.width * s.codec_context.height)

    def _why_not_opened(self, error: Exception, waited_s: float) -> str:
        if waited_s >= self._timeout_s:
            return f"{self._name}: no answer within {self._timeout_s:g} s; check that the source is running."
        text = getattr(error, "strerror", None) or str(error)
        if isinstance(error, (av.error.InvalidDataError, av.error.EOFError)):
            return (
                f"{self._name}: not a video, or its header is damaged or was never written; "
                "play it elsewhere to check, or record or copy it again."
            )
        return f"{self._name}: cannot be opened ({text}); check the path or address and the permissions."

    def _why_no_frame(self) -> str:
        if self._last_pts is not None:
            return (
                f"{self._name}: no frame between {self._start_s:g} s and "
                f"{'the end' if self._end_s is None else f'{self._end_s:g} s'}; "
                f"the last frame seen is at {float(self._last_pts):.2f} s, so start earlier."
            )
        decoder = self._stream.codec_context
        width, height = decoder.width, decoder.height
        if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
            return (
                f"{self._name}: declares pictures of {width}x{height} px, more than is read "
                f"({MAX_SIDE_PX} px a side, {MAX_PIXELS >> 20} Mpx); scale the video down."
            )
        why = f" ({self._damage})" if self._damage else ""
        return f"{self._name}: no frame can be decoded{why}; the file is damaged, copy or record it again."

    # What the file says of itself ---------------------------------------------------------------------

    def _average_fps(self) -> Fraction:
        stream = self._stream
        claims = [stream.average_rate, stream.guessed_rate, stream.base_rate]
        if stream.frames and stream.duration and stream.time_base:
            claims.insert(0, stream.frames / (stream.duration * stream.time_base))
        sane = (rate for rate in claims if rate and Fraction(1, 3600) <= rate <= 1000)
        return next(sane, _DEFAULT_FPS)

    def _origin(self) -> Fraction | None:
        stream = self._stream
        if stream.start_time is None or not stream.time_base:
            return None
        return stream.start_time * stream.time_base

    def _duration(self) -> Fraction | None:
        claims = [self._stream_duration() or Fraction(0)]
        if self._container.duration:
            claims.append(Fraction(self._container.duration, av.time_base))
        return max(claims) or None

    def _stream_duration(self) -> Fraction | None:
        stream = self._stream
        return stream.duration * stream.time_base if stream.duration and stream.time_base else None

    def _describe(self, picture: VideoFrame) -> VideoInfo:
        width, height = picture.width, picture.height
        if max(width, height) > MAX_SIDE_PX:
            raise ChorosError(
                f"{self._name}: its pictures are {width}x{height} px, more than {MAX_SIDE_PX} px a side; "
                "scale the video down."
            )
        if self._orientation[0]:
            width, height = height, width
        fps, duration = self._average_fps(), self._duration()
        is_live = duration is None and (self._format is not None or "://" in self._url)
        hint = None
        if duration is not None:
            end = duration if self._end_s is None else min(Fraction(self._end_s), duration)
            hint = max(1, math.ceil((end - Fraction(self._start_s)) * fps))
        elif self._stream.frames and self._end_s is None and not self._start_s:
            hint = self._stream.frames
        return VideoInfo(width, height, fps, hint, self._name, is_live)

    # Reading ------------------------------------------------------------------------------------------

    def _frames_in_range(self) -> Iterator[tuple[Fraction, VideoFrame, str | None]]:
        """(time, picture, what was lost before it) with start <= time < end."""
        for pts, picture in self._frames_from_start():
            lost = self._loss_before(pts, picture)
            self._last_pts = pts
            if self._end_s is not None and float(pts) >= self._end_s:
                self._damage = None
                return
            if float(pts) >= self._start_s:
                yield pts, picture, lost

    def _frames_from_start(self) -> Iterator[tuple[Fraction, VideoFrame]]:
        """Decoded frames from the start time or earlier: by seeking where the file's index is honest.

        What has been read of a pipe cannot be read again.
        """
        if not self._start_s or self._url == "pipe:0" or is_pipe(self._url.removeprefix("file:")):
            yield from self._timed()
            return
        if self._seek():
            frames = self._timed()
            first = next(frames, None)
            if first is not None and float(first[0]) <= self._start_s:
                yield first
                yield from frames
                return
        self._container.close()
        self._open()
        yield from self._timed()

    def _seek(self) -> bool:
        origin, time_base = self._origin(), self._stream.time_base
        formats = set(self._container.format.name.split(","))
        if origin is None or not time_base or not formats & _SEEKABLE:
            return False
        try:
            self._container.seek(
                math.floor((origin + Fraction(self._start_s)) / time_base), stream=self._stream
            )
        except (av.error.FFmpegError, OverflowError):
            return False
        return True

    def _timed(self) -> Iterator[tuple[Fraction, VideoFrame]]:
        for picture in self._decoded():
            ticks = picture.pts if picture.pts is not None else picture.dts
            time_base = picture.time_base or self._stream.time_base
            stamp = None if ticks is None or not time_base else ticks * time_base
            pts, jumped = self._clock.time_of(stamp)
            if jumped:
                self._damage = self._damage or "the time stamps jump"
            yield pts, picture

    def _loss_before(self, pts: Fraction, picture: VideoFrame) -> str | None:
        """What was lost or damaged just before this picture, or in it; None if all is well."""
        lost, self._damage = self._damage, None
        if lost is None and picture.is_corrupt:
            lost = "the picture is damaged"
        if lost is None and self._last_pts is not None:
            silence = pts - self._last_pts
            if max(self._packet_ticks) and silence > self._longest_pause():
                lost = f"no picture for {float(silence):.2f} s"
        return lost

    def _longest_pause(self) -> Fraction:
        """Seconds from one picture to the next that need no explanation.

        Of several packets, since with B-frames the length of a picture stands in a packet beside its own.
        """
        return max(_MIN_SILENCE_S, 3 * max(self._packet_ticks) * (self._stream.time_base or Fraction(0)))

    def _missing_end(self) -> str | None:
        """What was lost after the last frame; None if the video lasts as long as it claims."""
        if self._damage or self._last_pts is None:
            return self._damage
        duration = self._stream_duration()
        if duration is None and len(self._container.streams) == 1:
            duration = self._duration()
        if duration is None or (self._end_s is not None and self._end_s < duration):
            return None
        silence = duration - self._last_pts
        if silence > self._longest_pause():
            return f"no picture in the last {float(silence):.2f} s"
        return None

    def _decoded(self) -> Iterator[VideoFrame]:
        """Every picture that the decoder can make, over all damage; what failed goes to ``_damage``."""
        barren = failed_reads = 0
        end = None
        while end is None:
            try:
                for packet in self._container.demux(self._stream):
                    failed_reads = 0
                    pictures = self._decode(packet)
                    barren = 0 if pictures else barren + 1
                    yield from pictures
                    if barren == _MAX_BARREN_PACKETS:
                        self._damage = f"nothing could be decoded in {barren} packets"
                        return
                return
            except av.error.ExitError:
                end = f"the source was silent for {self._timeout_s:g} s"
            except av.error.FFmpegError as error:
                failed_reads += 1
                self._damage = self._damage or f"reading failed: {_text(error)}"
                if failed_reads == _MAX_FAILED_READS:
                    end = self._damage
        # The demuxer did not reach its end, so the decoder was not asked yet for what it holds back.
        self._damage = None
        yield from self._decode(None)
        self._damage = end

    def _decode(self, packet: Packet | None) -> list[VideoFrame]:
        if packet is not None and self._avi_count and self._avi_count.correct(packet):
            self._damage = self._damage or "pictures are missing from the file"
        try:
            pictures = self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            pictures = []  # the decoder was emptied before
        except (av.error.FFmpegError, ValueError) as error:
            self._damage = self._damage or f"a packet cannot be decoded: {_text(error)}"
            pictures = []
        if packet is not None:
            self._packet_ticks.append(packet.duration or 0)
            if packet.is_corrupt:
                self._damage = self._damage or "a packet is cut short"
        return pictures

    def _to_rgb(self, picture: VideoFrame) -> np.ndarray:
        """(H, W, 3) uint8 RGB, upright. A stream that changes its size midway keeps its first size."""
        transpose, flip_x, flip_y = self._orientation
        width, height = self.info.width, self.info.height
        if transpose:
            width, height = height, width
        image = self._reformatter.reformat(picture, width, height, "rgb24", threads=1).to_ndarray()
        if transpose:
            image = image.transpose(1, 0, 2)
        if flip_x:
            image = image[:, ::-1]
        if flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


def _is_cover(stream: VideoStream) -> bool:
    """Whether the "video" is the cover picture of a sound file."""
    return bool(stream.disposition & stream.disposition.__class__.attached_pic)


def _text(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _orientation(picture: VideoFrame) -> tuple[bool, bool, bool]:
    """(transpose, flip x, flip y), to be done in this order so that the picture stands upright.

    From FFmpeg's display matrix, which takes (x, y) to (a x + c y, b x + d y), y down; angles other than
    quarter turns are rounded to the nearest one. A matrix that only mirrors top to bottom is not seen.
    """
    if picture.rotation == 0:  # looking at ``side_data`` ties the picture into a cycle that lives until a gc
        return False, False, False
    try:
        matrix = picture.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV does not know every kind of side data, and then names none
        angle_rad = math.radians(picture.rotation)  # counterclockwise
        a = d = math.cos(angle_rad)
        b, c = -math.sin(angle_rad), math.sin(angle_rad)
    else:
        if matrix is None:
            return False, False, False
        a, b, _, c, d = struct.unpack_from("=5i", cast(bytes, matrix))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return True, c < 0, b < 0
    return False, a < 0, d < 0
