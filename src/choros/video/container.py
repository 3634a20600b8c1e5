"""Frames of a video file, camera or stream, decoded one packet at a time.

A packet that cannot be decoded costs what it held and nothing more. Decoding runs in one thread on purpose:
frame threads move errors to later packets and lose frames at the end of a damaged file, so that the frames
would depend on the number of threads; decoding runs beside the caller's work with ``prefetch`` instead.
What counts as a frame is FFmpeg's default: pictures that miss their reference are withheld; pictures that
it delivers but marks corrupt are delivered with ``gap_before``.
"""

import math
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import av
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from choros.crops import in_bars
from choros.errors import ChorosError
from choros.video.demuxing import Demuxer, text_of
from choros.video.frame import Frame, Gap, VideoInfo, VideoReader
from choros.video.framing import LONGEST_PIXEL, Framing, odd, orientation_of
from choros.video.lens_tags import focal_35mm_of_film
from choros.video.limits import MAX_PIXELS, MAX_SIDE_PX
from choros.video.timestamps import AviCount, Clock, FrameNumbers

# A broken file may make a demuxer hand out junk for ever. So many packets in a row without one frame (an
# hour of video) are taken for the end.
_MAX_BARREN_PACKETS = 100_000
# Less time without a picture than this is not called a gap, whatever the frame rate.
_MIN_SILENCE_S = Fraction(1, 5)
# A claimed rate that is off by more than this part is worth a note.
_FAR_OFF = Fraction(1, 5)


class _Decoded(NamedTuple):
    pts: Fraction
    number: int
    picture: VideoFrame
    lost: str | None  # what was lost before it


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
        self._name = name
        self._source = url, name, timeout_s, container_format
        self._start_s, self._end_s = start_s, end_s
        self._reformatter = VideoReformatter()
        self._framings: dict[tuple[int, int, Fraction | None], Framing] = {}
        self.gaps: list[Gap] = []
        self._demuxer: Demuxer
        self._damage: str | None  # what went wrong since the last frame

        self._open()
        try:
            self._frames = self._frames_in_range()
            try:
                self._waiting: _Decoded | None = next(self._frames)
            except StopIteration:
                raise ChorosError(self._why_no_frame()) from None
            # Of the first picture for all: H.264 says it with key frames and means those between them too.
            self._orientation = orientation_of(self._waiting.picture)
            self._sar = self._demuxer.stream.codec_context.sample_aspect_ratio
            self._size = self._framing(self._waiting.picture).size
            self.info = self._describe(self._waiting.picture)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Frame]:
        last_s, index, size = self._start_s, 0, self._size
        while self._waiting is not None:
            pts, number, picture, lost = self._waiting
            framing = self._framing(picture)
            try:
                image = framing.image(picture, self._reformatter)
            except av.error.FFmpegError:
                self._damage = f"pictures of the format {picture.format.name} cannot be converted"
                self._waiting = next(self._frames, None)
                continue
            if framing.size != size:
                lost = lost or self._other_size(size, framing.size)
                size = framing.size
            if lost:
                self.gaps.append(Gap(last_s, float(pts), lost))
            if framing.shown != self._size:
                image = in_bars(image, *self._size)
            yield Frame(index, float(pts), pts, image, lost is not None, number)
            last_s, index = float(pts), index + 1
            self._waiting = next(self._frames, None)
        if index == 0 and self._damage:
            raise ChorosError(f"{self._name}: {self._damage}; convert the video to H.264.")
        lost = self._missing_end()
        if lost:
            self.gaps.append(Gap(last_s, None, lost))

    def close(self) -> None:
        """Release the source. May be called at any time, and more than once."""
        self._waiting = None
        self._frames = iter(())
        self._demuxer.close()

    # Opening ------------------------------------------------------------------------------------------

    def _open(self) -> None:
        self._damage = None
        self._last_pts: Fraction | None = None  # of the last frame decoded, delivered or not
        self._packet_ticks = deque([0], maxlen=32)  # how long the last packets claim to be shown
        self._demuxer = Demuxer(*self._source)
        decoder = self._demuxer.stream.codec_context
        decoder.thread_count = 1
        decoder.options = {"max_pixels": str(MAX_PIXELS)}
        self._interval = 1 / self._demuxer.rate.fps
        self._clock = Clock(self._demuxer.origin, self._interval, self._demuxer.duration)
        self._numbers = FrameNumbers(
            self._interval if self._demuxer.rate.steady else None, self._demuxer.tick
        )
        self._avi_count = AviCount(self._demuxer.stream) if "avi" in self._demuxer.formats else None

    def _why_no_frame(self) -> str:
        if self._last_pts is not None:
            return (
                f"{self._name}: no frame between {self._start_s:g} s and "
                f"{'the end' if self._end_s is None else f'{self._end_s:g} s'}; "
                f"the last frame seen is at {float(self._last_pts):.2f} s, so start earlier."
            )
        decoder = self._demuxer.stream.codec_context
        width, height = decoder.width, decoder.height
        if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
            return (
                f"{self._name}: declares pictures of {width}x{height} px, more than is read "
                f"({MAX_SIDE_PX} px a side, {MAX_PIXELS >> 20} Mpx); scale the video down."
            )
        why = f" ({self._damage})" if self._damage else ""
        return f"{self._name}: no frame can be decoded{why}; the file is damaged, copy or record it again."

    def _describe(self, picture: VideoFrame) -> VideoInfo:
        if max(picture.width, picture.height) > MAX_SIDE_PX:
            raise ChorosError(
                f"{self._name}: its pictures are {picture.width}x{picture.height} px, more than {MAX_SIDE_PX} "
                "px a side; scale the video down."
            )
        source = self._demuxer
        hint = None
        if source.duration is not None:
            end = source.duration if self._end_s is None else min(Fraction(self._end_s), source.duration)
            hint = max(1, math.ceil((end - Fraction(self._start_s)) * source.rate.mean))
        elif source.stream.frames and self._end_s is None and not self._start_s:
            hint = source.stream.frames
        return VideoInfo(
            *self._size, source.rate.fps, hint, self._name, source.is_live, notes=self._notes(),
            focal_35mm=focal_35mm_of_film((source.container.metadata, source.stream.metadata)),
        )  # fmt: skip

    def _notes(self) -> tuple[str, ...]:
        notes = []
        fps, claims = self._demuxer.rate.fps, [claim for claim in self._demuxer.claimed_rates if claim]
        if claims and all(abs(claim / fps - 1) > _FAR_OFF for claim in claims):
            notes.append(
                f"the container claims {float(claims[0]):g} frames/s; by their stamps they come at {float(fps):.4g}"
            )
        sar = self._demuxer.stream.sample_aspect_ratio
        if odd(sar):
            notes.append(
                f"pixels are declared {sar.numerator}:{sar.denominator}, more than {LONGEST_PIXEL} times as long "
                "one way, which no camera has; they are taken for square"
            )
        return tuple(notes)

    # Framing ------------------------------------------------------------------------------------------

    def _framing(self, picture: VideoFrame) -> Framing:
        """How this picture is shown; looked up anew where its size or the shape of the pixels changes."""
        sar = self._demuxer.stream.codec_context.sample_aspect_ratio
        key = picture.width, picture.height, sar
        if key not in self._framings:
            if sar == self._sar:  # the container has the say, until the stream says something new
                sar = self._demuxer.stream.sample_aspect_ratio
            into = self._size if self._framings else None
            self._framings[key] = Framing.of(picture.width, picture.height, sar, self._orientation, into)
        return self._framings[key]

    def _other_size(self, was: tuple[int, int], now: tuple[int, int]) -> str:
        """K stays as it is: right where the new pictures are the old ones scaled, or without their sides."""
        how = "shown in bars" if now != self._size else "as at first"
        if now != self._size and now[0] * self._size[1] == now[1] * self._size[0]:
            how = "scaled to the first"
        return f"the picture changes from {was[0]}x{was[1]} to {now[0]}x{now[1]} px; {how}"

    # Reading ------------------------------------------------------------------------------------------

    def _frames_in_range(self) -> Iterator[_Decoded]:
        """Those with start <= time < end."""
        for pts, stamp, picture in self._frames_from_start():
            lost = self._loss_before(pts, picture)
            number = self._numbers.number_of(pts, stamp, lost is not None)
            self._last_pts = pts
            if self._end_s is not None and float(pts) >= self._end_s:
                self._damage = None
                return
            if float(pts) >= self._start_s:
                yield _Decoded(pts, number, picture, lost)

    def _frames_from_start(self) -> Iterator[tuple[Fraction, int | None, VideoFrame]]:
        """Decoded frames from the start time or earlier: by seeking where the file's index is honest."""
        if self._start_s and self._demuxer.seek(self._start_s):
            frames = self._timed()
            first = next(frames, None)
            if first is not None and float(first[0]) <= self._start_s:
                self._number_from(first[0], first[1])
                yield first
                yield from frames
                return
            self._demuxer.close()
            self._open()
        yield from self._timed()

    def _timed(self) -> Iterator[tuple[Fraction, int | None, VideoFrame]]:
        """(time, stamp, picture)."""
        for picture in self._decoded():
            ticks = picture.pts if picture.pts is not None else picture.dts
            tick = picture.time_base or self._demuxer.tick
            pts, jumped = self._clock.time_of(None if ticks is None or not tick else ticks * tick)
            if jumped:
                self._damage = self._damage or "the time stamps jump"
                self._numbers.restart()
            yield pts, ticks, picture

    def _number_from(self, pts: Fraction, stamp: int | None) -> None:
        """Number the first picture behind a seek, by all packets before it."""
        listed = self._demuxer.place_by_index()
        if listed is not None:
            self._numbers.begin_at(listed, stamp)
            return
        before = None if self._avi_count or stamp is None else self._demuxer.stamps_before(stamp)
        if before is None:
            self._numbers.begin_at(round(pts * self._demuxer.rate.fps))
            return
        number = len(before)
        if self._demuxer.rate.steady and self._has_durations:
            for earlier, later in pairwise([*before, stamp or 0]):
                span = (later - earlier) * self._demuxer.tick
                if span > self._longest_pause():
                    number += round(span / self._interval) - 1
        self._numbers.begin_at(number)

    def _loss_before(self, pts: Fraction, picture: VideoFrame) -> str | None:
        """What was lost or damaged just before this picture, or in it; None if all is well."""
        lost, self._damage = self._damage, None
        if lost is None and picture.is_corrupt:
            lost = "the picture is damaged"
        if lost is None and self._last_pts is not None:
            silence = pts - self._last_pts
            if self._has_durations and silence > self._longest_pause():
                lost = f"no picture for {float(silence):.2f} s"
        return lost

    @property
    def _has_durations(self) -> bool:
        """Whether packets say how long they are shown; without that no silence needs an explanation."""
        return max(self._packet_ticks) > 0

    def _longest_pause(self) -> Fraction:
        """Seconds from one picture to the next that need no explanation.

        Of several packets, since with B-frames the length of a picture stands in a packet beside its own.
        """
        usual = max(max(self._packet_ticks) * self._demuxer.tick, self._interval)
        return max(_MIN_SILENCE_S, 3 * usual, Fraction(self._demuxer.rate.longest_s))

    def _missing_end(self) -> str | None:
        """What was lost after the last frame; None if the video lasts as long as it claims."""
        if self._damage or self._last_pts is None:
            return self._damage
        duration = self._demuxer.stream_duration
        if duration is None and len(self._demuxer.container.streams) == 1:
            duration = self._demuxer.duration
        if duration is None or (self._end_s is not None and self._end_s < duration):
            return None
        silence = duration - self._last_pts
        if silence > self._longest_pause():
            return f"no picture in the last {float(silence):.2f} s"
        return None

    # Decoding -----------------------------------------------------------------------------------------

    def _decoded(self) -> Iterator[VideoFrame]:
        """Every picture that the decoder can make, over all damage; what failed goes to ``_damage``."""
        barren = 0
        for packet in self._demuxer.packets():
            if isinstance(packet, Packet):
                pictures = self._decode(packet)
                barren = 0 if pictures else barren + 1
                yield from pictures
                if barren == _MAX_BARREN_PACKETS:
                    self._damage = f"nothing could be decoded in {barren} packets"
                    return
            elif packet.final:
                # The demuxer did not reach its end, so the decoder was not asked yet for what it holds back.
                self._damage = None
                yield from self._decode(None)
                self._damage = packet.reason
            else:
                self._damage = self._damage or packet.reason

    def _decode(self, packet: Packet | None) -> list[VideoFrame]:
        if packet is not None:
            if self._avi_count and self._avi_count.correct(packet):
                self._damage = self._damage or "pictures are missing from the file"
            self._numbers.fed(packet)
        try:
            pictures = self._demuxer.stream.codec_context.decode(packet)
        except av.error.EOFError:
            pictures = []  # the decoder was emptied before
        except (av.error.FFmpegError, ValueError) as error:
            self._damage = self._damage or f"a packet cannot be decoded: {text_of(error)}"
            pictures = []
        if packet is not None:
            self._packet_ticks.append(packet.duration or 0)
            if packet.is_corrupt:
                self._damage = self._damage or "a packet is cut short"
        return pictures
