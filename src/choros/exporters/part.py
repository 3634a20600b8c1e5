"""The part of a motion that is exported: cropped, filtered, and at another rate, in that order."""

from __future__ import annotations

from fractions import Fraction

from choros.errors import ChorosError
from choros.motion import Motion
from choros.tracking.lowpass import lowpass_motion


def part_of(
    motion: Motion,
    start_s: float | None = None,
    end_s: float | None = None,
    fps: Fraction | float | str | None = None,
    lowpass_hz: float | None = None,
) -> Motion:
    """The frames with ``start_s <= time < end_s``, low-passed and at another rate.

    Times are seconds of the source; ``lowpass_hz`` as of ``lowpass_motion``, ``fps`` as of ``Motion.at_rate``. The
    filter sees what lies before and after the part too. Raises ``ChorosError`` if nothing lies in it, and for a rate or
    a low pass that is none.
    """
    if lowpass_hz is not None:
        motion = lowpass_motion(motion, lowpass_hz)
    if start_s is not None or end_s is not None:
        first_s, last_s = (float(motion.pts_s[0]), float(motion.pts_s[-1])) if len(motion) else (0.0, 0.0)
        after_s = last_s + (float(1 / motion.fps) if motion.fps else 0.0)
        begin_s, stop_s = first_s if start_s is None else start_s, after_s if end_s is None else end_s
        motion = motion.between(begin_s, stop_s)
        if not len(motion):
            raise ChorosError(
                f"nothing lies between {begin_s:g} and {stop_s:g} s; this motion goes from {first_s:.2f} to "
                f"{last_s:.2f} s."
            )
    return motion if fps is None else motion.at_rate(fps)
