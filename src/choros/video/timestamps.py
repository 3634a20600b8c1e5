"""From the time stamps that containers carry to times that only grow.

Files come with stamps that are missing, doubled, out of order, or that start anew in the middle (joined
recordings, broken clusters). ``Clock`` keeps every sound stamp exactly and mends only the others. AVI has
no stamps at all, only an index: ``AviCount`` reads the times of packets from it. ``FrameNumbers`` counts
frames, those that were lost included.
"""

import heapq
from collections import deque
from fractions import Fraction
from math import ceil

from av.packet import Packet
from av.video.stream import VideoStream

# A step back of this much is a clock that was set anew; a smaller one is two frames out of order.
RESTART_S = Fraction(1)
# A step ahead of this much that also leads past the declared end of the video is a broken stamp. Either
# sign alone proves nothing: declared ends are often wrong, and recordings do pause.
LEAP_S = Fraction(10)


class Clock:
    """Turns the stamps of successive frames into strictly increasing times.

    ``origin``: stamp of time zero in seconds (None: the first stamp seen). ``interval``: seconds from
    frame to frame where stamps do not tell. ``duration``: seconds that the file claims to last, if any.
    """

    def __init__(self, origin: Fraction | None, interval: Fraction, duration: Fraction | None = None) -> None:
        self._origin = origin
        self._interval = interval
        self._end = duration
        self._shift = Fraction(0)
        self._last: Fraction | None = None

    def time_of(self, stamp: Fraction | None) -> tuple[Fraction, bool]:
        """Time in seconds of the next frame, and whether the stamps jumped (were set anew) before it."""
        if self._last is None:
            return self._first(stamp), False
        if stamp is None or self._origin is None:
            return self._advance(self._last + self._interval), False

        expected = self._last + self._interval
        plain = stamp - self._origin
        # While the stamps are shifted they may become sound again: take the reading nearer to what is due.
        time = min(plain + self._shift, plain, key=lambda reading: abs(reading - expected))
        if not self._plausible(time):
            time = expected
        jumped = time - plain != self._shift
        self._shift = time - plain
        # Doubled or swapped: half a frame on, so that a run of such stamps is caught up with.
        return self._advance(time if time > self._last else self._last + self._interval / 2), jumped

    def _first(self, stamp: Fraction | None) -> Fraction:
        if stamp is None:
            return self._advance(Fraction(0))
        if self._origin is None or stamp < self._origin or not self._plausible(stamp - self._origin):
            self._origin = stamp
        return self._advance(stamp - self._origin)

    def _plausible(self, time: Fraction) -> bool:
        last = self._last or Fraction(0)
        leaps_past_end = self._end is not None and time > max(self._end, last + LEAP_S)
        return time > last - RESTART_S and not leaps_past_end

    def _advance(self, time: Fraction) -> Fraction:
        self._last = time
        return time


class AviCount:
    """Gives the packets of an AVI file the times that the index at its end has for them.

    FFmpeg numbers the packets as it meets them, so behind a damaged stretch all later ones would come too
    early by as many frames as were lost.
    """

    _HEADER_BYTES = 8  # the index points at a chunk's header, a packet at what follows

    def __init__(self, stream: VideoStream) -> None:
        self._entries = stream.index_entries
        self._next = 0
        self._lost = 0  # ticks by which FFmpeg's count has fallen behind

    def correct(self, packet: Packet) -> bool:
        """Mend the stamps of the packet in place; True if packets before it are missing."""
        if packet.pos is None or packet.dts is None:
            return False
        lost_before = self._lost
        start = packet.pos - self._HEADER_BYTES
        while self._next < len(self._entries) and self._entries[self._next].pos < start:
            self._next += 1
        if self._next < len(self._entries) and self._entries[self._next].pos == start:
            self._lost = max(self._lost, self._entries[self._next].timestamp - packet.dts)
        packet.dts += self._lost
        if packet.pts is not None:
            packet.pts += self._lost
        return self._lost > lost_before


class FrameNumbers:
    """The place of each picture in its container, from 0, in the order in which pictures are shown.

    As long as all is well pictures are counted. Once something was lost, a step of more than one ``interval``
    (seconds from frame to frame, if they come steadily) counts as the frames that fill it; where frames come
    unevenly (None), packets are counted that gave no picture, by their stamps. ``tick``: what stamps count, seconds.

    A damaged stream may show a picture too late: it keeps its own number then, below that of the one before.
    """

    _MOST_WAITING = 4096  # stamps of packets whose pictures have not come; broken ones never do
    _RECENT = 64  # numbers that are remembered, so that none is given twice

    def __init__(self, interval: Fraction | None, tick: Fraction) -> None:
        self._interval, self._tick = interval, tick
        self._stamps: list[int] = []  # a heap
        self._begun = self._damaged = False
        self._given: deque[int] = deque([-1], maxlen=self._RECENT)
        self._highest = -1
        # Time, stamp and number of the last picture whose number is beyond doubt.
        self._sure: tuple[Fraction, int, int] = Fraction(0), 0, 0
        self._last_pts: Fraction | None = None

    def fed(self, packet: Packet) -> None:
        """A packet goes into the decoder. Those before the first key frame give no pictures and do not count."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        self._begun |= packet.is_keyframe
        if stamp is not None and self._begun and packet.size and not packet.is_discard:
            heapq.heappush(self._stamps, stamp)
            if len(self._stamps) > self._MOST_WAITING:
                heapq.heappop(self._stamps)

    def begin_at(self, number: int, stamp: int | None = None) -> None:
        """The next picture has this number; or with its ``stamp``, one more for each packet to be shown before it."""
        self._highest = number + self._passed(stamp) - 1

    def number_of(self, pts: Fraction, stamp: int | None, lost: bool) -> int:
        """The number of the next picture, at ``pts`` seconds; ``lost``: something is damaged since the one before."""
        passed = self._passed(stamp)
        self._damaged |= lost
        number, sure = self._highest + 1, not self._damaged
        if self._damaged and self._interval is not None:
            sure = not lost and self._is_one_step(pts)
            if not sure:
                number = self._by_time(pts, stamp, self._interval)
        elif self._damaged:
            number += passed
        if sure:
            self._sure = pts, stamp or 0, number
        self._given.append(number)
        self._highest, self._last_pts = max(self._highest, number), pts
        return number

    def restart(self) -> None:
        """Stamps were set anew: those before say nothing of what follows."""
        self._stamps.clear()

    def _passed(self, stamp: int | None) -> int:
        """Packets to be shown before ``stamp`` that gave no picture."""
        passed = 0
        while stamp is not None and self._stamps and self._stamps[0] <= stamp:
            passed += heapq.heappop(self._stamps) < stamp
        return passed

    def _is_one_step(self, pts: Fraction) -> bool:
        if self._last_pts is None or self._interval is None:
            return False
        return abs((pts - self._last_pts) / self._interval - 1) < Fraction(1, 4)

    def _by_time(self, pts: Fraction, stamp: int | None, interval: Fraction) -> int:
        since, sure_stamp, counted = self._sure
        number = counted + ceil((pts - since) / interval - Fraction(1, 2))  # halves down: out of place
        if number > self._highest:
            return number
        if stamp is not None:
            number = counted + round((stamp - sure_stamp) * self._tick / interval)
            if (
                0 <= number < self._highest
                and number not in self._given
                and number > self._highest - self._RECENT
            ):
                return number
        return self._highest + 1
