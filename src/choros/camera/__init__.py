"""The camera: intrinsics and projection (``pinhole``), lens, calibration files, and where it stands (``pose``)."""

from choros.camera.pinhole import (
    default_focal_px,
    focal_px_of_35mm,
    intrinsics,
    project,
    project_in_front,
    projection_jacobian,
    unproject,
)

__all__ = [
    "default_focal_px",
    "focal_px_of_35mm",
    "intrinsics",
    "project",
    "project_in_front",
    "projection_jacobian",
    "unproject",
]
