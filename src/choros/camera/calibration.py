"""A calibrated camera: the intrinsics and the lens that somebody measured, for pictures of one size.

Files of other programs come in through ``calibration_files``; pictures are made straight while they are read
(``video/undistorted.py``), so that every system sees a pinhole; a motion's header keeps the calibration, so that
whoever reads its video again sees the same pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.camera.lens import Lens
from choros.camera.plausible import checked_K
from choros.errors import ChorosError

Floats = NDArray[np.float64]
Row = tuple[float, float, float]

#: Codecs fill up pictures at the right and below to multiples of so many px.
BLOCK_PX = 16
#: Rounding, px, that two sizes of one shape may differ by.
ROUNDING_PX = 2.0


@dataclass(frozen=True)
class Calibration:
    """One camera as it was calibrated; ``Calibration.load`` reads it from a file.

    ``K`` is three rows, px, in our image coordinates ((0, 0) at the outer corner of the first pixel); ``width`` and
    ``height`` are those of the pictures it holds for, None where the file does not tell; ``lens`` None is a pinhole.
    ``T_world_camera`` is where the camera stood, four rows, if the file tells.
    """

    name: str
    K: tuple[Row, Row, Row]
    width: int | None = None
    height: int | None = None
    lens: Lens | None = None
    T_world_camera: tuple[tuple[float, ...], ...] | None = None

    @classmethod
    def load(cls, path: str | Path, camera: str | None = None) -> Calibration:
        """A camera of a calibration file: OpenCV, ROS, COLMAP, Pose2Sim, Caliscope, EasyMocap, Kalibr or plain JSON.

        ``camera`` names one of several. Raises ``ChorosError`` if the file cannot be read, does not say which
        camera, or has a lens that cannot be undone.
        """
        from choros.camera.calibration_files import read_cameras

        cameras = read_cameras(Path(path))
        names = ", ".join(cameras)
        if camera is None and len(cameras) > 1:
            raise ChorosError(f"{path} has {len(cameras)} cameras; name one with --camera-name: {names}.")
        if camera is not None and camera not in cameras:
            raise ChorosError(f"{path} has no camera {camera!r}; it has: {names}.")
        return cameras[next(iter(cameras)) if camera is None else camera]()

    def fitted(self, width: int, height: int) -> Calibration:
        """The same camera for pictures of this size, scaled.

        Raises ``ChorosError`` if the pictures have another shape, or K is no camera's.
        """
        scale_x, scale_y = width / (self.width or width), height / (self.height or height)
        if self.width is None or self.height is None or _padded((self.width, self.height), (width, height)):
            scale_x = scale_y = 1.0
        else:
            off = max(abs(self.width * scale_y - width), abs(self.height * scale_x - height))
            if off > ROUNDING_PX:
                turned = abs(self.height / width - self.width / height) < 0.01 and width != height
                raise ChorosError(
                    f"the calibration of camera {self.name} is of {self.width}x{self.height} px and the video has "
                    f"{width}x{height} px, "
                    + (
                        "on its side; turn the video or calibrate it as it is."
                        if turned
                        else "another shape; calibrate with pictures that are cut as the video is."
                    )
                )
        K = np.diag([scale_x, scale_y, 1.0]) @ np.array(self.K)
        try:
            checked_K(K, width, height)
        except ChorosError as error:
            raise ChorosError(f"the calibration of camera {self.name}: {error}") from None
        return replace(self, K=rows_of(K), width=width, height=height)

    @property
    def matrix(self) -> Floats:
        """K, (3, 3) px."""
        return np.array(self.K, np.float64)

    def record(self) -> dict[str, Any]:
        """As it stands in a motion's header."""
        lens = (
            None
            if self.lens is None
            else {"model": self.lens.model, "coefficients": list(self.lens.coefficients)}
        )
        return {
            "camera": self.name, "K": self.matrix.tolist(), "width": self.width, "height": self.height, "lens": lens,
            "pictures": "as filmed" if lens is None else "undistorted",
        }  # fmt: skip


def calibration_of(provenance: Mapping[str, Any]) -> Calibration | None:
    """The calibration that a motion's header tells of, from its ``provenance``; None if there was none."""
    said = provenance.get("calibration")
    if said is None:
        return None
    try:
        lens = said["lens"]
        lens = None if lens is None else Lens(lens["model"], tuple(map(float, lens["coefficients"])))
        return Calibration(
            str(said["camera"]), rows_of(said["K"]), int(said["width"]), int(said["height"]), lens
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ChorosError(
            f"the motion's header tells of a calibration that cannot be read ({error}); track it again."
        ) from error


def _padded(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes are of the same pixels, one with the rows and columns that codecs add (1080, 1088)."""
    sides = [sorted(pair) for pair in zip(one, other, strict=True)]
    return all(less == more or -(-less // BLOCK_PX) * BLOCK_PX == more for less, more in sides)


def rows_of(matrix: Any) -> Any:
    """A matrix as a tuple of rows, which compare and cannot be written to."""
    return tuple(tuple(float(value) for value in row) for row in matrix)
