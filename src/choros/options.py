"""What is tracked of a source, and with which camera: the same options for files, folders and streams."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from choros.camera import focal_px_of_35mm, intrinsics
from choros.camera.calibration import Calibration, rows_of
from choros.camera.plausible import checked_K
from choros.camera.pose import Pose, checked_pose
from choros.errors import ChorosError
from choros.video import Spool, VideoInfo, VideoReader, open_video
from choros.video import prefetch as prefetched
from choros.video.opening import IMAGE_FPS, check_range, image_rate, takes_image_fps
from choros.video.sandboxed import SandboxedReader
from choros.video.turning import quarters_of

Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]


@dataclass(frozen=True)
class TrackOptions:
    """What to track and with which camera; at most one of ``focal_px``, ``fov_deg``, ``K`` and ``calibration``.

    ``calibration`` also tells of the lens: pictures are then made straight before anybody sees them.
    ``camera_pose`` is ``T_world_camera`` of a camera that stands still (``camera_pose.level_pose`` makes one from
    height and tilt): people are then in the world, z up and the floor at 0, from the first frame on. Raises
    ``ChorosError`` on what no camera or video has.
    """

    start_s: float | None = None
    end_s: float | None = None
    focal_px: float | None = None
    fov_deg: float | None = None
    K: Matrix | None = None
    image_fps: Fraction | float | None = None  # of pictures, which have no times; None: ``IMAGE_FPS``
    photos: bool = False  # the pictures of a folder have nothing to do with each other; each by itself
    calibration: Calibration | None = None
    camera_pose: Pose | None = None
    sandbox: bool = False  # decoded in a process of its own with few rights; to the same frames
    live_world: bool = (
        False  # up and floor are told from people as they come, and these are put into that world
    )
    focal_35mm: float | None = None  # mm on 35 mm film by the source's metadata, where no lens is chosen
    rotate: int = 0  # degrees clockwise, quarter turns, beyond what the video says of itself

    def __post_init__(self) -> None:
        check_range(self.start_s, self.end_s)
        quarters_of(self.rotate)
        cameras = (self.focal_px, self.fov_deg, self.K, self.calibration)
        if sum(camera is not None for camera in cameras) > 1:
            raise ChorosError("give only one of focal length, field of view, K and calibration.")
        if self.K is not None:
            checked_K(self.K)
        if self.camera_pose is not None:
            object.__setattr__(self, "camera_pose", checked_pose(self.camera_pose))
        if self.live_world and (self.photos or self.camera_pose is not None):
            raise ChorosError(
                "photographs have no world in common, and a camera whose place is known needs none told; "
                "leave out the live world."
            )
        if self.image_fps is not None:
            image_rate(self.image_fps)
        if self.photos and (self.start_s, self.end_s, self.image_fps) != (None, None, None):
            raise ChorosError("photographs have no times; leave out the start, the end and the frame rate.")

    def open(self, source: str | Path, prefetch: int = 0, spool: Spool | None = None) -> VideoReader:
        """The frames to track; ``spool`` keeps what comes through a pipe.

        Raises ``ChorosError`` as ``open_video`` does, and for a frame rate where ``source`` has its own times.
        """
        if self.sandbox:
            alone = SandboxedReader(source, replace(self, sandbox=False))
            return prefetched(alone, prefetch) if prefetch > 0 else alone
        if self.image_fps is not None and not takes_image_fps(source):
            raise ChorosError(
                f"{source} has times of its own; a frame rate can be given for folders of pictures alone."
            )
        fps = IMAGE_FPS if self.image_fps is None else self.image_fps
        return open_video(
            source, self.start_s, self.end_s,
            rotate=self.rotate, prefetch=prefetch, image_fps=fps, photos=self.photos,
            spool=spool, calibration=self.calibration,
        )  # fmt: skip

    def of_source(self, info: VideoInfo) -> TrackOptions:
        """The options with the lens that a source's metadata tells; where one is chosen, that holds."""
        return self if self._lens_chosen else replace(self, focal_35mm=info.focal_35mm)

    @property
    def _lens_chosen(self) -> bool:
        chosen = (self.focal_px, self.fov_deg, self.K, self.calibration)
        return any(choice is not None for choice in chosen)

    def identity(self) -> dict[str, Any]:
        """What was chosen, for JSON: the fields that are not as they come, but those that ``provenance`` tells."""
        numbers = {
            "start_s": self.start_s,
            "end_s": self.end_s,
            "focal_px": self.focal_px,
            "fov_deg": self.fov_deg,
        }
        chosen: dict[str, Any] = {name: float(value) for name, value in numbers.items() if value is not None}
        if self.K is not None:
            chosen["K"] = rows_of(self.K)
        if self.image_fps is not None:
            chosen["image_fps"] = str(image_rate(self.image_fps))
        if self.photos:
            chosen["photos"] = True
        return chosen

    @property
    def space(self) -> Literal["camera", "world"]:
        """Where people are recorded."""
        return "world" if self.live_world or self.camera_pose is not None else "camera"

    @property
    def K_source(self) -> str:
        """Where the focal length is from, as of ``Header.K_source``."""
        if self._lens_chosen:
            return "given"
        return "assumed" if self.focal_35mm is None else "metadata"

    def provenance(self, info: VideoInfo) -> dict[str, Any]:
        """What a header tells of them: what was chosen, how to see the same pictures again, where the camera was."""
        about: dict[str, Any] = {"options": self.identity(), "K_source": self.K_source}
        if self.rotate:
            about["rotate"] = self.rotate
        if self.calibration is not None:
            about["calibration"] = self.calibration.fitted(info.width, info.height).record()
        if self.live_world:
            about["live_world"] = True
        if self.camera_pose is not None:
            about["T_world_camera"] = [list(row) for row in self.camera_pose]
        return about

    def intrinsics(self, width: int, height: int) -> NDArray[np.float64]:
        """K (3, 3) of pictures of this size, px. Raises ``ChorosError`` if the camera is none of such pictures."""
        if self.calibration is not None:
            return self.calibration.fitted(width, height).matrix
        K = None if self.K is None else np.array(self.K, np.float64)
        focal_px = self.focal_px
        if self.focal_35mm is not None and not self._lens_chosen:
            focal_px = focal_px_of_35mm(self.focal_35mm, width, height)
        return intrinsics(width, height, focal_px=focal_px, fov_deg=self.fov_deg, K=K)


def heights_of(texts: Iterable[str], called: str = "--height") -> dict[int, float]:
    """Statures, metres by person: ``1.82`` is person 1's, ``3=1.82`` person 3's.

    Raises ``ChorosError``, naming what they are ``called``, for what is no stature and for a person named twice.
    """
    heights: dict[int, float] = {}
    for text in texts:
        person, _, height = text.rpartition("=")
        try:
            who, metres = int(person or 1), float(height)
        except ValueError:
            raise ChorosError(
                f"{called} takes metres (1.82) or PERSON=METRES (3=1.82), not {text!r}."
            ) from None
        if who < 1 or not 0.4 <= metres <= 2.6:
            raise ChorosError(f"{called} {text} is nobody's height; give metres, from 0.4 to 2.6.")
        if who in heights:
            raise ChorosError(f"{called} names person {who} twice; give one height for each person.")
        heights[who] = metres
    return heights
