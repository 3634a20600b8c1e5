"""What the commands that track ask alike: which system, with which networks, camera and body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

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
    Turn,
    heights_of,
    matrix_of,
    pose_of,
)
from choros.errors import ChorosError

if TYPE_CHECKING:
    from fractions import Fraction

    from choros.options import TrackOptions
    from choros.tracking.stream import System


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
    rotate: Turn = 0
    """Degrees to turn the picture clockwise, for a camera that was held on its side without saying so."""
    calibration: OptionalFile = None
    """Intrinsics and lens from a file of OpenCV, ROS, COLMAP, Pose2Sim, Caliscope, EasyMocap or Kalibr."""
    camera: Name = None
    """Which camera of a calibration file that has several."""
    camera_pose: FileOrNumbers = ()
    """T_world_camera of a camera that stands still: a file, or sixteen numbers; people are then in the world."""
    camera_height: Metres = None
    """In place of --camera-pose: how far above the floor the camera is, level from left to right."""
    camera_tilt: Degrees = None
    """How far that camera is tilted down; 0 is level."""
    height: Heights = ()
    """How tall somebody is: 1.82 the first person, 3=1.82 person 3; their floor then tells the others (lifter)."""
    same_people: Flag = False
    """After a cut, whoever is clearly dressed like somebody before it keeps their number (lifter); else all are new."""
    body: OptionalFile = None
    """Your own SMPL file (.pkl or .npz) instead of the open body."""
    weights: OptionalFile = None
    """Your own weights of the system, as choros train writes them."""

    def check(self) -> None:
        """Refuse before any work what needs no network to be seen: files that are not there, no heights, no matrix."""
        for file in (self.body, self.weights):
            if file is not None and not file.is_file():
                raise ChorosError(f"{file}: no such file; check the path.")
        heights_of(self.height)
        self.options()

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

    def options(
        self,
        start_s: float | None = None,
        end_s: float | None = None,
        image_fps: Fraction | None = None,
        photos: bool = False,
    ) -> TrackOptions:
        from choros.options import TrackOptions

        if photos and self.height:
            raise ChorosError(
                "--height names people of one video, and photographs have people of their own each."
            )
        calibration = None
        if self.calibration is not None:
            from choros.camera.calibration import Calibration

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
            rotate=self.rotate,
            image_fps=image_fps,
            photos=photos,
            calibration=calibration,
            camera_pose=pose_of(self.camera_pose, self.camera_height, self.camera_tilt, self.camera),
        )

    @property
    def knows_camera_pose(self) -> bool:
        return bool(self.camera_pose) or self.camera_height is not None
