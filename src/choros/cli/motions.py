"""Reading motions for commands that show them or pass them on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from choros.motion import Motion


def loaded(path: Path, tentative: bool) -> Motion:
    """A motion.npz, without people who were hardly in sight unless ``tentative``."""
    from choros.motion import Motion

    motion = Motion.load(path)
    return motion if tentative else motion.settled()
