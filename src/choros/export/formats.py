"""The formats that a ``Motion`` can be exported to, as one table: who writes each, and what its numbers mean.

The command line, the documentation and the tests all read ``FORMATS``. A format's module is imported when it
is first used, so that one that needs an extra package costs nothing until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.body import BodyModel
    from choros.motion import Motion


@dataclass(frozen=True)
class ExportOptions:
    """What is exported; a format takes no notice of what it has no place for."""

    space: Literal["camera", "world"] | None = None  # None: the motion's own
    people: tuple[int, ...] = ()  # identities; none means everybody
    body: BodyModel | None = None  # the motion's, if that was not the open body
    frame: int = 0  # of the motion, from 0; for formats that hold one moment
    quantised: bool = False  # whole numbers of 8 and 16 bits where the format allows them


@dataclass(frozen=True)
class Format:
    """One format. ``writer`` is ``module:function`` in this room, called with motion, path and options.

    The function writes one file at ``path``, or one for each person beside it (``person_path``), and returns
    what it wrote.
    """

    name: str
    file: str  # what motion.npz becomes, for example
    writer: str
    what: str
    units: str
    axes: str
    times: str  # frame rate, and when people are there
    unseen: str  # how frames are marked in which a person was predicted and not seen
    extra: str = ""  # of choros that installs the package it needs

    @property
    def suffix(self) -> str:
        """Of the path that ``write`` takes."""
        return Path(self.file).suffix

    def write(self, motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
        """Write a motion; returns the files written.

        Raises ``ChorosError`` where the format's package is not installed or the motion has not what it needs.
        """
        module, function = self.writer.split(":")
        try:
            writer = getattr(import_module(f"choros.export.{module}"), function)
        except ModuleNotFoundError as error:
            if not self.extra or (error.name or "").startswith("choros"):
                raise
            raise ChorosError(
                f"{path} cannot be written without the package {error.name}; "
                f"run `pip install choros[{self.extra}]`."
            ) from error
        files: list[Path] = writer(motion, path, options or ExportOptions())
        return files


def person_path(path: Path, person: int) -> Path:
    """One person's file: motion.bvh -> motion_person_3.bvh."""
    return path.with_name(f"{path.stem}_{person_name(person)}{path.suffix}")


def person_name(person: int) -> str:
    """What an identity is called inside files."""
    return f"person_{person}"


_ALL = (
    Format(
        name="glb",
        file="motion.glb",
        writer="glb:write_glb",
        what="glTF 2.0: everybody's skinned mesh and skeleton, animated, and the camera, in one file",
        units="metres, seconds, rad",
        axes="y up, z forward",
        times="exact times from the first frame; people have scale 0 while they are not there",
        unseen="`unseen_s` in the extras of a person's node: start, end, start, end ... of each stretch",
    ),
    Format(
        name="bvh",
        file="motion_person_1_from_0.bvh",
        writer="bvh:write_bvh",
        what="Biovision hierarchy: one skeleton of 24 joints and its motion",
        units="metres, degrees",
        axes="y up, z forward",
        times="the nominal frame rate; from the person's first frame, which the file's name tells",
        unseen="not marked",
    ),
)

#: Every format by name.
FORMATS = {format.name: format for format in _ALL}


def table() -> list[dict[str, str]]:
    """The formats for people to read: one row each, its columns by heading."""
    return [
        {
            "format": format.name,
            "what": format.what,
            "file": format.file,
            "units": format.units,
            "axes": format.axes,
            "times": format.times,
            "not seen": format.unseen,
            "needs": f"choros[{format.extra}]" if format.extra else "",
        }
        for format in FORMATS.values()
    ]
