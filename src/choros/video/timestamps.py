"""From the time stamps that containers carry to times that only grow.

Files come with stamps that are missing, doubled, out of order, or that start anew in the middle (joined
recordings, broken clusters). ``Clock`` keeps every sound stamp exactly and mends only the others.
"""

from fractions import Fraction

# A step back of this much is a clock that was set anew; a smaller one is two frames out of order.
RESTART_S = Fraction(1)
# How far past the declared end of the video a stamp may lie before it is called wrong.
END_SLACK_S = Fraction(10)


class Clock:
    """Turns the stamps of successive frames into strictly increasing times.

    ``origin``: stamp of time zero in seconds (None: the first stamp seen). ``interval``: seconds from
    frame to frame where stamps do not tell. ``duration``: seconds that the file claims to last, if any.
    """

    def __init__(self, origin: Fraction | None, interval: Fraction, duration: Fraction | None = None) -> None:
        self._origin = origin
        self._interval = interval
        self._end = None if duration is None else duration + END_SLACK_S
        self._shift = Fraction(0)
        self._last: Fraction | None = None

    def time_of(self, stamp: Fraction | None) -> tuple[Fraction, bool]:
        """Time in seconds of the next frame, and whether the stamps jumped (were set anew) before it."""
        if self._last is None:
            return self._first(stamp), False
        if stamp is None or self._origin is None:
            return self._advance(self._last + self._interval), False

        plain = stamp - self._origin
        time = plain + self._shift
        if self._plausible(time):
            # Doubled or swapped: half a frame on, so that a run of such stamps is caught up with.
            return self._advance(time if time > self._last else self._last + self._interval / 2), False
        if self._last < plain and self._plausible(plain):
            self._shift = Fraction(0)  # the stamps are sound again
        else:
            self._shift = self._last + self._interval - plain
        return self._advance(plain + self._shift), True

    def _first(self, stamp: Fraction | None) -> Fraction:
        if stamp is None:
            return self._advance(Fraction(0))
        if self._origin is None or stamp < self._origin or not self._plausible(stamp - self._origin):
            self._origin = stamp
        return self._advance(stamp - self._origin)

    def _plausible(self, time: Fraction) -> bool:
        if self._last is not None and time <= self._last - RESTART_S:
            return False
        return self._end is None or time <= self._end

    def _advance(self, time: Fraction) -> Fraction:
        self._last = time
        return time
