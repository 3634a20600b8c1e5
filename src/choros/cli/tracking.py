"""What the commands that track ask alike: which system, with which networks, camera and body."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from choros.cli.arguments import (
    Degrees,
    FileOrNumbers,
    Flag,
    Heights,
    Metres,
    Name,
    Numbers,
    OptionalFile,
    Pixels,
    heights_of,
    matrix_of,
    pose_of,
)
from choros.errors import ChorosError

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
    """Focal length. Without it, --fov, --K or --calibration: the longer side of the image."""
    K: Numbers = ()
    """Intrinsics, px: the nine numbers of the matrix row by row, or fx fy cx cy."""
    calibration: OptionalFile = None
    """Intrinsics and lens from a calibration file: OpenCV, ROS, COLMAP, Pose2Sim, Caliscope, EasyMocap or Kalibr.
    Pictures are made straight before they are looked at."""
    camera: Name = None
    """Which camera of a calibration file that has several."""
    camera_pose: FileOrNumbers = ()
    """Where a camera that stands still is: a file with T_world_camera, or its sixteen numbers row by row. People
    are then in the world, z up, the floor at 0."""
    camera_height: Metres = None
    """In place of --camera-pose: how far above the floor the camera is, level from left to right."""
    camera_tilt: Degrees = None
    """How far that camera is tilted down; 0 is level."""
    height: Heights = ()
    """How tall people are who were measured: 1.82 for the first person, 3=1.82 for person 3. The others are then
    measured against them by the floor they share (lifter)."""
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
        )

    def options(self, start_s: float | None = None, end_s: float | None = None) -> TrackOptions:
        from choros.systems import TrackOptions

        calibration = None
        if self.calibration is not None:
            from choros.calibration import Calibration

            calibration = Calibration.load(self.calibration, self.camera)
        elif self.camera is not None and not self.camera_pose:
            raise ChorosError(
                "--camera names one of the cameras of --calibration; give that, or leave it out."
            )
        return TrackOptions(
            start_s,
            end_s,
            self.focal,
            self.fov,
            matrix_of(self.K),
            calibration=calibration,
            camera_pose=pose_of(self.camera_pose, self.camera_height, self.camera_tilt, self.camera),
        )

    def provenance(self) -> dict[str, Any]:
        """What a motion says of how it was tracked."""
        heights = heights_of(self.height)
        return {
            "system": self.system,
            "accurate": self.accurate,
            "fast": self.fast,
            "strict": self.strict,
            **({"heights_m": {str(who): m for who, m in heights.items()}} if heights else {}),
            "body": str(self.body) if self.body else "open",
            "weights": str(self.weights) if self.weights else "shipped",
        }


def check_camera(source: str, options: TrackOptions) -> None:
    """Refuse a camera that is none of this video's before any network is loaded; streams can be opened but once."""
    from choros.video import open_video

    if Path(source).is_file() or Path(source).is_dir():
        with open_video(source, options.start_s, options.end_s) as reader:
            options.intrinsics(reader.info.width, reader.info.height)
