"""What several commands share: kinds of options, with the words that ``--help`` and errors use, and the commit.

An option that may be left out is None then; its constructor keeps that None out of the help and of messages.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.camera.pose import Pose
    from choros.options import Matrix

Flag = Annotated[bool, arg(help_behavior_hint="")]
OptionalFile = Annotated[Path | None, arg(metavar="FILE", constructor=Path, help_behavior_hint="")]
OptionalFolder = Annotated[Path | None, arg(metavar="DIR", constructor=Path, help_behavior_hint="")]
Degrees = Annotated[float | None, arg(metavar="DEGREES", constructor=float, help_behavior_hint="")]
Pixels = Annotated[float | None, arg(metavar="PX", constructor=float, help_behavior_hint="")]
Seconds = Annotated[float | None, arg(metavar="SECONDS", constructor=float, help_behavior_hint="")]
Hertz = Annotated[float | None, arg(metavar="HZ", constructor=float, help_behavior_hint="")]
Rate = Annotated[str | None, arg(metavar="RATE", constructor=str, help_behavior_hint="")]
Turn = Annotated[int, arg(metavar="90|180|270")]
Heights = Annotated[tuple[str, ...], arg(metavar="[PERSON=]METRES...", help_behavior_hint="")]
Numbers = Annotated[tuple[float, ...], arg(metavar="NUMBER...", help_behavior_hint="")]
Metres = Annotated[float | None, arg(metavar="METRES", constructor=float, help_behavior_hint="")]
Name = Annotated[str | None, arg(metavar="NAME", constructor=str, help_behavior_hint="")]
Port = Annotated[int, arg(metavar="NUMBER")]
Device = Annotated[str, arg(metavar="DEVICE")]
FileOrNumbers = Annotated[tuple[str, ...], arg(metavar="FILE|NUMBER...", help_behavior_hint="")]


PORT = 8080  # of pages that are served, or the next free one


def check_port(port: int) -> None:
    """Raises ``ChorosError`` where no machine has such a port."""
    if not 0 <= port < 1 << 16:
        raise ChorosError(f"--port {port} is no port; give a number from 0 (a free one) to 65535.")


def matrix_of(numbers: Sequence[float]) -> Matrix | None:
    """What follows ``--K``, px, as a matrix; None if nothing does."""
    if not numbers:
        return None
    if len(numbers) == 4:
        fx, fy, cx, cy = numbers
        return (fx, 0.0, cx), (0.0, fy, cy), (0.0, 0.0, 1.0)
    if len(numbers) == 9:
        a, b, c, d, e, f, g, h, i = numbers
        return (a, b, c), (d, e, f), (g, h, i)
    raise ChorosError(f"--K takes nine numbers or fx fy cx cy, not {len(numbers)} numbers.")


def rate_of(text: str | None) -> Fraction | None:
    """What follows ``--fps``: 25, 29.97 or 30000/1001."""
    if text is None:
        return None
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ChorosError(f"--fps takes frames per second, such as 25 or 30000/1001, not {text!r}.") from None


def pose_of(
    words: Sequence[str], height_m: float | None, tilt_deg: float | None, camera: str | None
) -> Pose | None:
    """What ``--camera-pose``, or ``--camera-height`` and ``--camera-tilt``, say; None if nothing does.

    ``camera`` names one of several in a calibration file.
    """
    from choros.camera.pose import checked_pose, level_pose, read_pose

    if not words:
        if height_m is not None:
            return level_pose(height_m, tilt_deg or 0.0)
        if tilt_deg is not None:
            raise ChorosError(
                "--camera-tilt needs --camera-height: how far above the floor the camera is, metres."
            )
        return None
    if height_m is not None or tilt_deg is not None:
        raise ChorosError("give --camera-pose, or --camera-height and --camera-tilt, one of the two.")
    if len(words) == 1:
        return read_pose(words[0], camera)
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise ChorosError(f"--camera-pose takes a file or sixteen numbers, not {' '.join(words)}.") from None
    if len(numbers) not in (12, 16):
        raise ChorosError(
            f"--camera-pose takes a file or sixteen numbers, row by row, not {len(numbers)} numbers."
        )
    return checked_pose([numbers[i : i + 4] for i in range(0, len(numbers), 4)])


def commit() -> str:
    """The commit of a source tree, for what is written to say it; an installed package has none."""
    try:
        out = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607 - wherever the user's git is
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
        return out.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
