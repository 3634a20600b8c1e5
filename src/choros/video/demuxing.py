"""Packets of a video file, camera or stream, through PyAV, and what its container says of itself.

Some packets are read ahead when a source is opened, to see by their stamps at which rate its frames come; this
works for pipes as well, which cannot be read twice.
"""

import math
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from choros.errors import ChorosError
from choros.video.heif import BRANDS
from choros.video.limits import MAX_PIXELS
from choros.video.rates import Rate, rate_of, sane, steps_of
from choros.video.spool import is_pipe

# A broken file may make a demuxer fail for ever. So many failed reads in a row without one packet are its end.
_MAX_FAILED_READS = 100
# Formats in which a seek leads to packets that carry their times. In the others (MPEG program streams, bare
# codecs, GIF) times after a seek are guesses, so reading starts at the beginning.
_SEEKABLE = frozenset({"avi", "flv", "matroska", "mov", "mpegts", "webm"})
# What MPEG-TS and JPEG streams come by, whose packets may hold whole frames.
_CARRIES_FRAMES = re.compile(r"(https?|udp|tcp|srt)://", re.IGNORECASE)
# Packets that are read ahead to see the rate, and their bytes. Each one of a stream is waited for, perhaps also of a
# pipe; of a stream some are read only if its claims make no sense.
_AHEAD, _AHEAD_PIPE, _AHEAD_LIVE = 256, 64, 12
_AHEAD_BYTES = 1 << 24
# Of an index that is there anyway, so many entries are looked at, in so many stretches.
_INDEX_ENTRIES, _INDEX_STRETCHES = 4000, 8
# To number the frames behind a seek, so many bytes before it are read at most; then the rate has to do.
_COUNTED_BYTES, _COUNTED_PACKETS = 1 << 31, 4_000_000
_REORDERED = 64  # packets in a row with later stamps, and no earlier ones follow


@dataclass(frozen=True)
class Trouble:
    """What went wrong between two packets; nothing follows on a ``final`` one."""

    reason: str
    final: bool = False


class Demuxer:
    """The best video stream of ``url``: its packets once, from the beginning or from where ``seek`` leads.

    ``name`` is what messages call the source; ``timeout_s`` bounds opening and the wait for each packet.
    Raises ChorosError if it cannot be opened or holds no video.
    """

    def __init__(self, url: str, name: str, timeout_s: float, container_format: str | None) -> None:
        self._url, self._name, self._timeout_s, self._format = url, name, timeout_s, container_format
        whole = _CARRIES_FRAMES.match(url) is not None
        self._connect(whole)
        # Only an open stream tells what it is; if it needs its parser after all, it is opened again.
        if whole and not self._comes_whole():
            self.container.close()
            self._connect(whole=False)
        self._ended = False  # all packets were read
        self._first_dts: int | None = None  # of the packets since opening or seeking
        self._ahead: deque[Packet | Trouble] = deque()
        self._rest = self._read()
        try:
            self.rate = self._rate()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Release the source; nothing is read after that."""
        self._ahead.clear()
        self.container.close()

    # Opening ------------------------------------------------------------------------------------------

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
            self.container: InputContainer = av.open(
                self._url,
                format=self._format,
                options=options,
                metadata_errors="replace",
                timeout=self._timeout_s,
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise ChorosError(self._why_not_opened(error, time.monotonic() - began)) from None
        try:
            self.stream = self._pick_stream()
        except BaseException:
            self.container.close()
            raise

    def _comes_whole(self) -> bool:
        """Whether each packet of the container holds a frame, by the rules of its format."""
        format_name, codec = self.container.format.name, self.stream.codec_context.name
        live_ts = format_name == "mpegts" and codec in ("h264", "hevc") and self.duration is None
        return live_ts or format_name == "mpjpeg"

    def _pick_stream(self) -> VideoStream:
        if self.container.format.name == "tty":  # FFmpeg would show text as a film of a terminal
            raise ChorosError(f"{self._name}: this is a text file; name a video.")
        pictures = [s for s in self.container.streams.video if not _is_cover(s)]
        if not pictures:
            what = "only sound" if self.container.streams.audio else "no video stream"
            raise ChorosError(f"{self._name}: the file holds {what}; name a file with video in it.")
        readable = [s for s in pictures if s.codec_context is not None]
        if not readable:
            raise ChorosError(
                f"{self._name}: this build of PyAV has no decoder for the video in it; convert it to H.264."
            )
        if self.container.metadata.get("major_brand", "").encode() in BRANDS and all(
            s.frames == 1 for s in readable
        ):
            raise ChorosError(
                f"{self._name}: this is a photo, whose tiles come one by one here; save it as a file and name that."
            )
        # An animated AVIF has a still beside its track.
        return max(readable, key=lambda s: (s.frames != 1, s.codec_context.width * s.codec_context.height))

    def _why_not_opened(self, error: Exception, waited_s: float) -> str:
        if waited_s >= self._timeout_s:
            return f"{self._name}: no answer within {self._timeout_s:g} s; check that the source is running."
        if isinstance(error, (av.error.InvalidDataError, av.error.EOFError)):
            return (
                f"{self._name}: not a video, or its header is damaged or was never written; "
                "play it elsewhere to check, or record or copy it again."
            )
        return f"{self._name}: cannot be opened ({text_of(error)}); check the path or address and the permissions."

    # What the container says of itself ----------------------------------------------------------------

    @property
    def formats(self) -> set[str]:
        """FFmpeg's names of the container's format, such as mov, mp4 and m4a."""
        return set(self.container.format.name.split(","))

    @property
    def tick(self) -> Fraction:
        """Seconds; what stamps count."""
        return self.stream.time_base or Fraction(0)

    @property
    def origin(self) -> Fraction | None:
        """Stamp of time zero, seconds."""
        start = self.stream.start_time
        return None if start is None or not self.tick else start * self.tick

    @property
    def duration(self) -> Fraction | None:
        """Seconds that the container or the stream claims to last."""
        claims = [self.stream_duration or Fraction(0)]
        if self.container.duration:
            claims.append(Fraction(self.container.duration, av.time_base))
        return max(claims) or None

    @property
    def stream_duration(self) -> Fraction | None:
        """Seconds that the container says of the stream itself, if it says anything."""
        return self.stream.duration * self.tick if self.stream.duration and self.tick else None

    @property
    def is_live(self) -> bool:
        """Whether it is a camera or a broadcast, which has no end to be known."""
        return self.duration is None and (self._format is not None or "://" in self._url)

    @property
    def _has_index(self) -> bool:
        """Whether the header lists every frame."""
        return "mov" in self.formats and 0 < self.stream.frames <= len(self.stream.index_entries)

    @property
    def _among_pictures(self) -> int:
        return [s.index for s in self.container.streams.video].index(self.stream.index)

    @property
    def _is_pipe(self) -> bool:
        """What can be read once, from its beginning."""
        if self._url == "pipe:0":  # standard input, where it is a socket
            return True
        return self._url.startswith("file:") and is_pipe(Path(self._url.removeprefix("file:")))

    @property
    def claimed_rates(self) -> list[Fraction | None]:
        """Frames per second as container and stream claim them, which need not be true; the likelier first."""
        stream = self.stream
        claims = [stream.average_rate, stream.guessed_rate, stream.base_rate]
        if stream.frames and self.stream_duration:
            claims.insert(0, stream.frames / self.stream_duration)
        return claims

    def _rate(self) -> Rate:
        claims = self.claimed_rates
        steps = self._steps_of_index()
        if not steps:
            if self.is_live:
                self._read_ahead(0 if sane(claims) else _AHEAD_LIVE)
            else:
                self._read_ahead(_AHEAD_PIPE if self._is_pipe else _AHEAD)
            steps = self._steps_ahead()
        return rate_of(steps, claims, float(self.tick))

    def _steps_of_index(self) -> list[float]:
        """MP4 and MOV have the times of all frames in their header; only fragments do not."""
        entries = self.stream.index_entries
        if not self._has_index or len(entries) < 2:
            return []
        size = _INDEX_ENTRIES // _INDEX_STRETCHES
        starts = (
            [0]
            if len(entries) <= _INDEX_ENTRIES
            else range(0, len(entries), len(entries) // _INDEX_STRETCHES)
        )
        steps = []
        for start in starts:
            stop = start + (size if len(entries) > _INDEX_ENTRIES else _INDEX_ENTRIES)
            stamps = [entry.timestamp for entry in entries[start:stop] if not entry.is_discard]
            steps += steps_of(stamps, float(self.tick), complete=True)
        return steps

    def _steps_ahead(self) -> list[float]:
        packets = [p for p in self._ahead if isinstance(p, Packet) and p.size and not p.is_discard]
        for stamps in ([p.pts for p in packets], [p.dts for p in packets]):
            known = [stamp for stamp in stamps if stamp is not None]
            if len(known) == len(packets):
                return steps_of(known, float(self.tick), complete=self._ended)
        return [float(p.duration * self.tick) for p in packets if p.duration]  # bare H.264

    # Reading ------------------------------------------------------------------------------------------

    def packets(self) -> Iterator[Packet | Trouble]:
        """All packets in the order of the file, and what went wrong between them."""
        while self._ahead:
            yield self._ahead.popleft()
        yield from self._rest

    def _read_ahead(self, count: int) -> None:
        size = 0
        while len(self._ahead) < count and size < _AHEAD_BYTES:
            item = next(self._rest, None)
            if item is None:
                return
            self._ahead.append(item)
            size += item.size if isinstance(item, Packet) else 0

    def _read(self) -> Iterator[Packet | Trouble]:
        """The last packet of a stream that is read to its end is empty: it asks the decoder for what it holds."""
        failed = 0
        while True:
            try:
                for packet in _demuxed(self.container, self.stream):
                    failed = 0
                    self._first_dts = packet.dts if self._first_dts is None else self._first_dts
                    yield packet
                self._ended = True
                return
            except av.error.ExitError:
                yield Trouble(f"the source was silent for {self._timeout_s:g} s", final=True)
                return
            except av.error.FFmpegError as error:
                failed += 1
                yield Trouble(f"reading failed: {text_of(error)}", final=failed == _MAX_FAILED_READS)
                if failed == _MAX_FAILED_READS:
                    return

    def seek(self, time_s: float) -> bool:
        """Go to the key frame before ``time_s``; False, and nothing is lost, where that cannot be."""
        if self.origin is None or not self.formats & _SEEKABLE or self._is_pipe:
            return False
        try:
            self.container.seek(math.floor((self.origin + Fraction(time_s)) / self.tick), stream=self.stream)
        except (av.error.FFmpegError, OverflowError):
            return False
        self._ahead.clear()
        self._first_dts, self._rest = None, self._read()
        return True

    # Counting -----------------------------------------------------------------------------------------

    def place_by_index(self) -> int | None:
        """How many frames the header lists before the first packet since seeking; None if it has no such list."""
        if not self._has_index or self._first_dts is None:
            return None
        entries = self.stream.index_entries
        at = entries.search_timestamp(self._first_dts, any_frame=True)
        if at < 0 or entries[at].timestamp != self._first_dts:
            return None
        return at - sum(entry.is_discard for entry in entries[:at])

    def stamps_before(self, stamp: int) -> list[int] | None:
        """Stamps of the frames from the first key frame on that are shown before ``stamp``, ascending.

        Reads the file a second time up to there, without decoding; None if that cannot be had, or takes too long.
        """
        size, duration = self.container.size, self.duration
        if self.is_live or self._is_pipe or size <= 0:
            return None
        begins = self.stream.start_time or 0
        share = float((stamp - begins) * self.tick / duration) if duration else 1.0
        if size * share > _COUNTED_BYTES:
            return None
        found: list[int] = []
        later = 0
        try:
            with av.open(self._url, metadata_errors="replace", timeout=self._timeout_s) as container:
                for packet in _demuxed(container, container.streams.video[self._among_pictures]):
                    at = packet.pts if packet.pts is not None else packet.dts
                    if at is None or packet.is_discard or not (found or packet.is_keyframe):
                        continue
                    found.append(at)
                    later = later + 1 if at > stamp else 0
                    if later == _REORDERED:
                        break
                    if len(found) == _COUNTED_PACKETS:
                        return None
        except (av.error.FFmpegError, ValueError, IndexError):
            return None
        return sorted(at for at in found if found[0] <= at < stamp)


def _demuxed(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """Its packets, and an empty one at the end.

    Of a container in which streams turned up on the way, PyAV raises IndexError behind that end.
    """
    with suppress(IndexError):
        yield from container.demux(stream)


def _is_cover(stream: VideoStream) -> bool:
    """Whether the "video" is the cover picture of a sound file."""
    return bool(stream.disposition & stream.disposition.__class__.attached_pic)


def text_of(error: Exception) -> str:
    """What FFmpeg or the system says of an error, without its number."""
    return getattr(error, "strerror", None) or str(error)
