"""What the commands that track ask alike: which system, with which networks, camera and body."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

from tyro.conf import OmitArgPrefixes, arg

from choros.cli.arguments import (
    Degrees,
    FileOrNumbers,
    Flag,
    Metres,
    Name,
    Numbers,
    OptionalFile,
    Pixels,
    Turn,
    matrix_of,
    pose_of,
)
from choros.cli.networks import Networks, with_flags
from choros.errors import ChorosError

if TYPE_CHECKING:
    from fractions import Fraction

    from choros.options import TrackOptions


@dataclass
class Tracking(Networks):
    """Who tracks, and what is known of camera and people."""

    fov: Degrees = None
    """Field of view across the longer side."""
    focal: Pixels = None
    """Focal length. Without it, --fov, --K or --calibration: the longer side of the image."""
    K: Numbers = ()
    """Intrinsics, px: the nine numbers of the matrix row by row, or fx fy cx cy."""
    rotate: Turn = 0
    """Degrees to turn the picture clockwise, for a camera that was held on its side without saying so."""
    calibration: OptionalFile = None
    """Intrinsics and lens from a file of OpenCV, ROS, COLMAP, Pose2Sim, Caliscope, EasyMocap or Kalibr."""
    camera_name: Name = None
    """Which camera of a calibration file that has several."""
    camera_pose: FileOrNumbers = ()
    """T_world_camera of a camera that stands still: a file, or sixteen numbers; people are then in the world."""
    camera_height: Metres = None
    """In place of --camera-pose: how far above the floor the camera is, level from left to right."""
    camera_tilt: Degrees = None
    """How far that camera is tilted down; 0 is level."""

    live_world: Flag = False
    """Put people into a world as they come, z up and the floor at 0, told from them so far; the camera must stand."""

    def check(self) -> None:
        """As of ``Networks``; also no heights, no matrix, no camera."""
        super().check()
        self.options()

    def options(
        self,
        start_s: float | None = None,
        end_s: float | None = None,
        image_fps: Fraction | None = None,
        photos: bool = False,
    ) -> TrackOptions:
        """The flags as ``TrackOptions``, with the times, rate and kind of the input that a command has of its own.

        Raises ``ChorosError`` for flags that do not go together, and files that cannot be read.
        """
        from choros.options import TrackOptions

        if photos and "heights_m" in self.given():
            raise ChorosError(
                "--height names people of one video, and photographs have people of their own each."
            )
        calibration = None
        if self.calibration is not None:
            from choros.camera.calibration import Calibration

            calibration = Calibration.load(self.calibration, self.camera_name)
        elif self.camera_name is not None and not self.camera_pose:
            raise ChorosError(
                "--camera-name is one of the cameras of --calibration; give that, or leave it out."
            )
        return TrackOptions(
            start_s,
            end_s,
            self.focal,
            self.fov,
            matrix_of(self.K),
            rotate=self.rotate,
            image_fps=image_fps,
            photos=photos,
            calibration=calibration,
            camera_pose=pose_of(self.camera_pose, self.camera_height, self.camera_tilt, self.camera_name),
            live_world=self.live_world,
        )

    @property
    def in_world(self) -> bool:
        """Whether the flags put people into the world: they say where the camera stands, or ask for it."""
        return bool(self.camera_pose) or self.camera_height is not None or self.live_world


#: The field of a command that holds it, with the flags of all systems.
whole_tracking = partial(with_flags, Tracking)
TrackingFlags = Annotated[Tracking, OmitArgPrefixes, arg(constructor_factory=whole_tracking)]
