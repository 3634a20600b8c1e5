"""What several commands share: kinds of options, with the words that ``--help`` and errors use, and the commit.

An option that may be left out is None then; its constructor keeps that None out of the help and of messages.
"""

import subprocess
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

Flag = Annotated[bool, arg(help_behavior_hint="")]
OptionalFile = Annotated[Path | None, arg(metavar="FILE", constructor=Path, help_behavior_hint="")]
OptionalFolder = Annotated[Path | None, arg(metavar="DIR", constructor=Path, help_behavior_hint="")]
Degrees = Annotated[float | None, arg(metavar="DEGREES", constructor=float, help_behavior_hint="")]
Pixels = Annotated[float | None, arg(metavar="PX", constructor=float, help_behavior_hint="")]
Seconds = Annotated[float | None, arg(metavar="SECONDS", constructor=float, help_behavior_hint="")]
Numbers = Annotated[tuple[float, ...], arg(metavar="NUMBER...", help_behavior_hint="")]


def commit() -> str:
    """The commit of a source tree, for what is written to say it; an installed package has none."""
    try:
        out = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
        return out.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
