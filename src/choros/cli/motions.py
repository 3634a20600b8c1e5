"""Reading motions for commands that show them or pass them on."""

from __future__ import annotations

import zipfile
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


def is_motion(path: Path) -> bool:
    """Whether that is a motion by what is in it, or a folder with one, whatever its name."""
    try:
        path = path / "motion.npz" if path.is_dir() else path
        if not path.is_file():
            return False
        with zipfile.ZipFile(path) as archive:
            return {"header.npy", "pts.npy"} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def loaded(path: Path, tentative: bool) -> Motion:
    """A motion.npz or the folder with it, without people who were hardly in sight unless ``tentative``."""
    from choros.motion import Motion

    motion = Motion.load(motion_file(path))
    return motion if tentative else motion.settled()
