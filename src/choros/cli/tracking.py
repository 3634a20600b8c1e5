"""What the commands that track ask alike: which system, with which networks, camera and body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from choros.cli.arguments import Degrees, Flag, Heights, Numbers, OptionalFile, Pixels, heights_of, matrix_of

if TYPE_CHECKING:
    from choros.systems import System, TrackOptions


@dataclass
class Tracking:
    """Who tracks, and what is known of camera and people."""

    system: Literal["lifter", "comotion", "baseline"] = "lifter"
    """Which system: lifter (once called baseline) finds and lifts people; comotion updates everyone from pixels."""
    accurate: Flag = False
    """Slower and better networks: a finer detector of people for comotion, keypoints for lifter."""
    fast: Flag = False
    """For comotion: image features in eight bits, a little less exact. The lifter's fast way is its default."""
    strict: Flag = False
    """Only people whom the detector is certain of (comotion)."""
    fov: Degrees = None
    """Field of view across the longer side."""
    focal: Pixels = None
    """Focal length. Without it, --fov or --K: the longer side of the image."""
    K: Numbers = ()
    """Intrinsics, px: the nine numbers of the matrix row by row, or fx fy cx cy."""
    rotate: Literal[0, 90, 180, 270] = 0
    """Degrees to turn the picture clockwise, for a camera that was held on its side without saying so."""
    height: Heights = ()
    """How tall people are who were measured: 1.82 for the first person, 3=1.82 for person 3. The others are then
    measured against them by the floor they share (lifter)."""
    same_people: Flag = False
    """After a cut, whoever is clearly dressed like somebody before it keeps their number (lifter); else all are new."""
    body: OptionalFile = None
    """Your own SMPL file (.pkl or .npz) instead of the open body."""
    weights: OptionalFile = None
    """Your own weights of the system, as choros train writes them."""

    def loaded(self) -> System:
        from choros.systems import load

        return load(
            self.system,
            accurate=self.accurate,
            fast=self.fast,
            strict=self.strict,
            body_path=self.body,
            weights_path=self.weights,
            heights_m=heights_of(self.height),
            same_people=self.same_people,
        )

    def options(self, start_s: float | None = None, end_s: float | None = None) -> TrackOptions:
        from choros.systems import TrackOptions

        return TrackOptions(start_s, end_s, self.focal, self.fov, matrix_of(self.K), rotate=self.rotate)

    def provenance(self) -> dict[str, Any]:
        """What a motion says of how it was tracked."""
        heights = heights_of(self.height)
        return {
            "system": self.system,
            "accurate": self.accurate,
            "fast": self.fast,
            "strict": self.strict,
            **({"heights_m": {str(who): m for who, m in heights.items()}} if heights else {}),
            **({"same_people": True} if self.same_people else {}),
            "body": str(self.body) if self.body else "open",
            "weights": str(self.weights) if self.weights else "shipped",
        }
