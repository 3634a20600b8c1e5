"""A video and what is true of it: what benchmarks track and compare with."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from choros.evaluation.labelled import LabelledVideo
from choros.motion import Motion


@dataclass(frozen=True)
class Clip:
    """A video and its truth: a motion, what a public set labels, or nothing."""

    video: Path
    truth: Motion | LabelledVideo | None
    image_fps: Fraction | None = None  # of a folder of pictures


#: Told of work under way: what it is, frames done, frames in all if known.
ProgressCall = Callable[[str, int, int | None], None]
