"""The camera: intrinsics K, projection and its inverse.

Axes are OpenCV's: x right, y down, z forward, metres. Image coordinates are continuous and in pixels, with
(0, 0) at the outer corner of the first pixel, so that scaling an image by s scales coordinates by s. The
functions take NumPy arrays and torch tensors alike.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from choros.camera.plausible import NARROWEST_DEG, WIDEST_DEG, checked_K, field_deg
from choros.errors import ChorosError

Array: TypeAlias = Any  # np.ndarray or torch.Tensor, the same kind out as in


def default_focal_px(width: int, height: int) -> float:
    """Focal length to assume when nothing is known, px.

    The longer side of the image: a field of view of 53 degrees across it, near that of a phone or a street
    camera. HMR-style systems use 5000 / 256 times the longer side instead (3 degrees, nearly orthographic:
    depths come out some twenty times too large), CoMotion's release uses twice the longer side (28 degrees).
    A wrong focal length stretches depth and leaves what is seen in the image alone.
    """
    return float(max(width, height))


def focal_px_of_35mm(focal_mm: float, width: int, height: int) -> float:
    """Focal length, px, of an image that shows as much as a lens of ``focal_mm`` on 35 mm film.

    By the diagonal, as phones and cameras count (CIPA DCG-001): the film's is 43.27 mm. A film's picture is cut from a
    camera's by some tenth, of which this number may know or not.
    """
    return float(focal_mm / np.hypot(36.0, 24.0) * np.hypot(width, height))


def intrinsics(
    width: int,
    height: int,
    *,
    focal_px: float | None = None,
    fov_deg: float | None = None,
    K: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """K (3, 3) of an image, px, from at most one of: focal length, field of view, a whole matrix.

    ``fov_deg`` is across the longer side. The principal point is the middle of the image unless K says
    otherwise. Raises ``ChorosError`` on more than one choice or values that no camera has (``checked_K``).
    """
    if sum(choice is not None for choice in (focal_px, fov_deg, K)) > 1:
        raise ChorosError("give only one of focal length, field of view and K.")
    if K is not None:
        return checked_K(K, width, height)
    if fov_deg is not None:
        if not 0 < fov_deg < 180:
            raise ChorosError(f"a field of view of {fov_deg} degrees is not between 0 and 180.")
        focal_px = 0.5 * max(width, height) / np.tan(np.deg2rad(fov_deg) / 2)
    if focal_px is None:
        focal_px = default_focal_px(width, height)
    if not (np.isfinite(focal_px) and focal_px > 0):
        raise ChorosError(f"a focal length of {focal_px} px is not positive.")
    field = field_deg(max(width, height), focal_px)
    if not NARROWEST_DEG <= field <= WIDEST_DEG:
        raise ChorosError(
            f"a focal length of {focal_px:.4g} px sees {field:.3g} degrees of a picture of {width}x{height} px, "
            f"which no camera does; give it in pixels, not millimetres (the longer side is usual)."
        )
    return np.array([[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]], np.float64)


def project(points_cam: Array, K: Array) -> Array:
    """Points (..., 3) in camera axes, metres, to the image, (..., 2) px. K (3, 3) or (..., 3, 3).

    For points that are known to be in front of the camera: others come out mirrored or infinite. Where that is not
    known, ``project_in_front``.
    """
    homogeneous = (K @ points_cam[..., None])[..., 0]
    return homogeneous[..., :2] / homogeneous[..., 2:]


def project_in_front(
    points_cam: NDArray[np.floating[Any]], K: NDArray[np.floating[Any]], near_m: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Points (..., 3) in camera axes to the image, (..., 2) px, NaN for those that have none; and which have, (...).

    Those are farther than ``near_m`` in front of the camera. K (3, 3) or (..., 3, 3).
    """
    in_front = points_cam[..., 2] > near_m
    points_px = project(np.where(in_front[..., None], points_cam, [0.0, 0.0, 1.0]), K)
    return np.where(in_front[..., None], points_px, np.nan), in_front


def projection_jacobian(points_cam: NDArray[np.float64], K: NDArray[np.float64]) -> NDArray[np.float64]:
    """How the image of points (..., 3) in front of the camera moves with them, (..., 2, 3) px per metre."""
    z = points_cam[..., 2, None, None]
    slope = K[..., :2, :] / z  # but for the part by depth, which follows
    slope[..., 2] = -(K[..., :2, :2] @ points_cam[..., :2, None])[..., 0] / z[..., 0] ** 2
    return slope


def unproject(points_px: Array, depth_m: Array, K: Array) -> Array:
    """Image points (..., 2) px at depths (...,) metres along z to camera axes, (..., 3) metres."""
    fx, fy, skew = K[..., 0, 0], K[..., 1, 1], K[..., 0, 1]
    y = (points_px[..., 1] - K[..., 1, 2]) / fy
    x = (points_px[..., 0] - K[..., 0, 2] - skew * y) / fx
    if isinstance(depth_m, np.ndarray):
        return np.stack([x * depth_m, y * depth_m, depth_m + 0 * x], axis=-1)
    import torch

    return torch.stack([x * depth_m, y * depth_m, depth_m + 0 * x], dim=-1)
