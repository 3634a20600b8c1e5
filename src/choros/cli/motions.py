"""Reading motions for commands that show them or pass them on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.motion import Motion


def motion_file(path: Path) -> Path:
    """The file of a motion: ``path`` itself, or the motion.npz in it if it is a folder."""
    if not path.is_dir():
        return path
    if (path / "motion.npz").is_file():
        return path / "motion.npz"
    raise ChorosError(
        f"{path} is a folder without a motion.npz; give one that `choros track` wrote, or a file."
    )


def loaded(path: Path, tentative: bool) -> Motion:
    """A motion.npz or the folder with it, without people who were hardly in sight unless ``tentative``."""
    from choros.motion import Motion

    motion = Motion.load(motion_file(path))
    return motion if tentative else motion.settled()
