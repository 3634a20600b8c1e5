"""What is true of a whole video: the header of a motion."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.motion.tables import VERSION

#: What ``Header.K_source`` may be, the surest first.
K_SOURCES = ("given", "metadata", "estimated", "assumed")
#: Of the options of a run (``provenance``): what gives a lens.
_LENS_OPTIONS = ("K", "focal_px", "fov_deg")


@dataclass(frozen=True)
class Header:
    """What is true of the whole video.

    ``fps`` is the nominal rate; exact times are in the frames. ``source`` is the input as it was named.
    ``numbers`` tells where the frames' ``number`` comes from: "named", the names of pictures, or "counted", from
    0 at the start of the source.
    """

    fps: Fraction
    width: int
    height: int
    source: str = ""
    system: str = ""
    body: str = "open"
    space: str = "camera"
    numbers: str = "counted"
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def rotate(self) -> int:
        """Degrees by which the video was turned clockwise to be tracked, beyond what it says of itself."""
        return int(self.provenance.get("rotate", 0))

    @property
    def K_source(self) -> str:
        """Where the focal length is from, one of ``K_SOURCES``.

        "given" by the user, "metadata" of the source, "estimated" from the people (``choros.world``), or "assumed". A
        motion from before this was kept was assumed to be of some lens if its options name none, and else is given.
        """
        told = self.provenance
        if "K_source" in told:
            return str(told["K_source"])
        options = told.get("options")
        if options is None or "calibration" in told or any(options.get(name) for name in _LENS_OPTIONS):
            return "given"
        return "assumed"

    @property
    def focal_spread(self) -> float | None:
        """How far the focal length may be off, a standard deviation as a share of it; None if nobody looked."""
        spread = self.provenance.get("focal_spread")
        return None if spread is None else float(spread)

    @property
    def photos(self) -> bool:
        """Each frame is a photograph of its own; see ``Motion.pictures``."""
        return "pictures" in self.provenance

    def told(self, **more: Any) -> Header:
        """The same, with more in its provenance."""
        return replace(self, provenance=self.provenance | more)

    def to_json(self) -> str:
        """One line of JSON, with the version of the schema."""
        record = asdict(self) | {"fps": str(self.fps), "version": VERSION}
        return json.dumps(record, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Header:
        """Read what ``to_json`` wrote. Raises ``ChorosError`` for a version that this choros does not know."""
        record = json.loads(text)
        version = record.pop("version", None)
        if version not in (1, VERSION):
            raise ChorosError(f"it has schema version {version}, this choros reads versions 1 and {VERSION}")
        return cls(**(record | {"fps": Fraction(record["fps"])}))


def numbers_from_1(header: Header, frames: NDArray[np.void]) -> NDArray[np.int64]:
    """See ``Motion.number_from_1``; of some frames, (n,) FRAME."""
    numbers: NDArray[np.int64] = frames["number"]
    return numbers if header.numbers == "named" else numbers + 1
