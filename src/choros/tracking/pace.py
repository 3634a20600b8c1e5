"""Which frames are searched for people. In the others, keypoints of who is known are read where they are expected.

The clock is that of the video, so frame rates do not enter, and pictures neither: whoever runs ahead to search frames
before their turn comes to the same frames. Beside those of the clock, frames are searched in which people are too close
to be told apart by reading.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from choros.errors import ChorosError

#: Times are rounded, in Matroska to milliseconds.
CLOCK_S = 2e-3


@dataclass
class Pace:
    """A frame is searched if the last that was is more than ``every_s`` ago; all are, if that is 0.

    The ``next`` is searched whatever its time, and does not count. So somebody new is found at most ``every_s`` later
    than if every frame was searched, as long as frames come evenly. Of 0.2 s, that is every third frame of 10 a second,
    every sixth of 25, and each of 4.
    """

    every_s: float = 0.0
    searched_s: float = -math.inf  # the last frame that was, by the clock
    next: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.every_s < math.inf:
            raise ChorosError(
                f"people cannot be searched for every {self.every_s:g} s; give seconds, or 0 for every frame."
            )

    def due(self, time_s: float) -> bool:
        """Whether the next frame, at that time, is to be searched; by the clock it counts as searched then."""
        due = not self.every_s or time_s - self.searched_s > self.every_s + CLOCK_S
        if due:
            self.searched_s = time_s
        return due or self.next
