"""The newest frame of a camera, a stream, or a file that plays at its own pace; older ones are dropped.

A thread reads all the time and keeps one frame, so that no work on frames can ever run behind. A stream that
breaks is opened again, and its times go on across the break; pictures of another size are fitted into the first.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from choros.camera.calibration import Calibration
from choros.crops import in_bars
from choros.errors import ChorosError
from choros.video import Frame, VideoReader, open_video

_POLL_S = 0.2  # how soon a wait for frames notices Ctrl-C
_MOMENT = Fraction(1, 1000)  # seconds; frames that arrived together are set this far apart
_LATE_S = Fraction(1, 2)  # a stream whose stamps fall this far behind our clock counts time in another way


@dataclass(frozen=True)
class LiveOptions:
    """When a stream counts as broken, and how it is opened again."""

    timeout_s: float = 10.0  # of silence; to find out what a stream is, FFmpeg listens for up to 7 s
    retry_s: float = 0.5  # wait before the first try; each further one waits twice as long
    retry_at_most_s: float = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame(Frame):
    """A frame and when it was there; ``index`` counts those that were dropped too."""

    arrived_s: float  # ``time.monotonic()`` when it was decoded


class LiveSource:
    """Frames of ``source``, always the newest; a context manager.

    ``source`` is the number of a camera (0 is ``/dev/video0``) or whatever ``open_video`` takes, turned clockwise
    by ``rotate`` degrees and made straight by its ``calibration``. A file plays once, in real time; a stream goes on
    until it is closed.

    >>> with LiveSource("rtsp://camera/stream") as source:
    ...     for frame in source:                       # LiveFrame
    ...         rows = tracker.update(frame.image, frame.pts_s).rows

    ``n_captured``, ``n_taken`` and ``n_dropped`` count frames, ``n_breaks`` how often a stream broke, and
    ``connection`` says in words how it stands. Raises ``ChorosError`` if the source cannot be opened.
    """

    def __init__(
        self,
        source: int | str | Path = 0,
        options: LiveOptions | None = None,
        *,
        rotate: int = 0,
        calibration: Calibration | None = None,
    ) -> None:
        self.name = f"/dev/video{source}" if isinstance(source, int) else str(source)
        self.options = options or LiveOptions()
        self._rotate, self._calibration = rotate, calibration
        self.n_captured = self.n_taken = self.n_dropped = self.n_breaks = 0
        self.connection = "connecting"
        reader = self._opened()
        self.info = reader.info
        self._news = threading.Condition()
        self._newest: LiveFrame | None = None
        self._began_s: float | None = None  # time.monotonic() at time zero of the frames
        self._last_pts = -_MOMENT
        self._broken = False  # since the last frame
        self._over = False
        self._error: BaseException | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(reader,), name="choros-live", daemon=True)
        self._thread.start()

    def take(self, wait_s: float) -> LiveFrame | None:
        """The newest frame that was not taken yet, waiting for one at most ``wait_s``; None if none came."""
        with self._news:
            self._news.wait_for(lambda: self._newest is not None or self._over, wait_s)
            frame, self._newest = self._newest, None
            if frame is not None:
                self.n_taken += 1
            elif self._error is not None:
                raise self._error
            return frame

    @property
    def over(self) -> bool:
        """No frame will come any more: the file has ended, or the source was closed."""
        with self._news:
            return self._over and self._newest is None and self._error is None

    def __iter__(self) -> Iterator[LiveFrame]:
        while not self.over:
            frame = self.take(_POLL_S)
            if frame is not None:
                yield frame

    def close(self) -> None:
        """Stop reading. The thread lets go of the source by itself once its last read returns."""
        self._stopping.set()
        self._thread.join(_POLL_S)

    def __enter__(self) -> LiveSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> VideoReader:
        return open_video(
            self.name, rotate=self._rotate, timeout_s=self.options.timeout_s, calibration=self._calibration
        )

    # In the thread ------------------------------------------------------------------------------------

    def _run(self, reader: VideoReader | None) -> None:
        try:
            while reader is not None:
                why = self._play(reader)
                if not self.info.is_live or self._stopping.is_set():
                    break
                self.n_breaks, self._broken = self.n_breaks + 1, True
                reader = self._opened_again(why)
        except BaseException as error:  # it is raised again where frames are taken
            self._error = error
        finally:
            with self._news:
                self._over, self.connection = True, "ended"
                self._news.notify_all()

    def _play(self, reader: VideoReader) -> str:
        """Hand on the frames of one connection; returns why it ended."""
        clock = _Clock()
        with reader:
            for frame in reader:
                if self._began_s is None:
                    self._began_s = time.monotonic() - (0 if self.info.is_live else frame.pts_s)
                if not self.info.is_live:
                    self._stopping.wait(self._began_s + frame.pts_s - time.monotonic())
                if self._stopping.is_set():
                    break
                arrived_s = time.monotonic()
                pts = frame.pts
                if self.info.is_live:
                    pts = clock.time_of(pts, Fraction(round((arrived_s - self._began_s) * 1000), 1000))
                    pts = max(pts, self._last_pts + _MOMENT)
                self._put(frame, pts, arrived_s)
                reader.gaps.clear()  # one a damaged frame; a camera may run for months
        return reader.gaps[-1].reason if reader.gaps else "the stream ended"

    def _put(self, frame: Frame, pts: Fraction, arrived_s: float) -> None:
        with self._news:
            gap = frame.gap_before or self._broken
            if self._newest is not None:
                self.n_dropped += 1
                gap |= self._newest.gap_before
            image = frame.image
            if image.shape[:2] != (self.info.height, self.info.width):  # as the stream came back
                image = in_bars(image, self.info.width, self.info.height)
            self._last_pts = pts
            self._newest = LiveFrame(self.n_captured, float(pts), pts, image, gap, self.n_captured, arrived_s)
            self.n_captured, self._broken, self.connection = self.n_captured + 1, False, "streaming"
            self._news.notify()

    def _opened_again(self, why: str) -> VideoReader | None:
        """The source once it answers again; None if it is closed before."""
        wait_s = self.options.retry_s
        while True:
            self.connection = f"{why}; next try in {wait_s:g} s"
            if self._stopping.wait(wait_s):
                return None
            self.connection = "connecting again"
            try:
                return self._opened()
            except ChorosError as error:
                why, wait_s = str(error), min(2 * wait_s, self.options.retry_at_most_s)


class _Clock:
    """Times of one connection's frames, on the clock of this machine.

    A stream's own stamps tell better than arrival how long after each other frames were taken. They are moved
    by the shortest delay seen, so that a backlog sent at once does not pass for the future. Streams without
    stamps (JPEG over HTTP) are numbered by FFmpeg at a rate that it makes up: where stamps fall behind, the
    time of arrival is taken from then on.
    """

    def __init__(self) -> None:
        self._shortest: Fraction | None = None
        self._stamped = True

    def time_of(self, stamp: Fraction, arrived: Fraction) -> Fraction:
        """Seconds at which the frame was taken; both arguments are seconds, each on its own clock."""
        delay = arrived - stamp
        self._shortest = delay if self._shortest is None else min(self._shortest, delay)
        self._stamped &= delay - self._shortest <= _LATE_S
        return stamp + self._shortest if self._stamped else arrived
