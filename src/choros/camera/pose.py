"""Where a camera that stands still is, if somebody knows: from numbers, a file, or its height and tilt.

A pose is ``T_world_camera``: from OpenCV camera axes (x right, y down, z ahead) to a world with z up and the floor at
0, metres.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from choros.camera.calibration import Calibration, rows_of
from choros.errors import ChorosError
from choros.npz import load_npy

Floats = NDArray[np.float64]
Row = tuple[float, float, float, float]
Pose: TypeAlias = tuple[Row, Row, Row, Row]

HIGHEST_M = 300.0  # above it, metres are taken for millimetres
STEEPEST_UP = np.sin(np.deg2rad(60))  # a camera that sees people does not look further up
MOST_TURNED = -0.2  # world's up along the camera's own: below it the picture would be upside down


def checked_pose(T_world_camera: Any) -> Pose:
    """A pose as it is kept, from anything like a 4 x 4 (or 3 x 4) matrix.

    Raises ``ChorosError`` that says what is odd where it is no camera's, and what to give instead.
    """
    try:
        T = np.array(T_world_camera, np.float64)
    except (TypeError, ValueError):
        raise ChorosError(f"a camera's pose is {SHAPE}, numbers throughout.") from None
    if T.shape == (3, 4):
        T = np.concatenate([T, [[0, 0, 0, 1]]])
    if T.shape != (4, 4) or not np.isfinite(T).all():
        raise ChorosError(f"a camera's pose is {SHAPE}, of finite numbers; this has shape {T.shape}.")
    if not np.allclose(T[3], [0, 0, 0, 1], atol=1e-6):
        transposed = np.allclose(T[:3, 3], 0, atol=1e-6) and np.isclose(T[3, 3], 1)
        mend = "it looks transposed; give it row by row" if transposed else f"give {SHAPE}"
        raise ChorosError(f"the last row of a camera's pose must be 0 0 0 1; {mend}.")
    U, _, V = np.linalg.svd(T[:3, :3])
    if np.abs(U @ V - T[:3, :3]).max() > 1e-3 or np.linalg.det(U @ V) < 0:
        raise ChorosError(
            "the camera's pose does not rotate only: its first three columns must be at right angles, of length 1 "
            "and not mirrored; give T_world_camera without scale."
        )
    T[:3, :3] = U @ V
    if (odd := _odd(T)) is not None:
        inverse = np.linalg.inv(T)
        mend = "it looks like T_camera_world; give its inverse" if _odd(inverse) is None else f"give {SHAPE}"
        raise ChorosError(f"by the pose given the camera {odd}; {mend}.")
    pose: Pose = rows_of(T)
    return pose


SHAPE = "T_world_camera, four rows of four, from x right, y down, z ahead to z up with the floor at 0, metres"


def _odd(T: NDArray[np.floating[Any]]) -> str | None:
    """What no camera that films people does; None if there is nothing."""
    height_m = T[2, 3]
    if height_m <= 0:
        return f"is at {height_m:.4g} m, not above the floor"
    if height_m > HIGHEST_M:
        return f"is {height_m:.6g} m above the floor, which may be millimetres"
    if T[2, 2] > STEEPEST_UP:
        return "looks up into the sky"
    if -T[2, 1] < MOST_TURNED:
        return "is upside down"
    return None


def level_pose(height_m: float, tilt_deg: float = 0.0) -> Pose:
    """Of a camera so high above the floor, tilted down by so much, level from left to right.

    It stands above the world's origin and looks along y. Raises ``ChorosError`` on a height or tilt of no camera.
    """
    if not (np.isfinite(height_m) and 0 < height_m <= HIGHEST_M):
        raise ChorosError(f"a camera {height_m} m above the floor is none; give metres, up to {HIGHEST_M:g}.")
    if not (np.isfinite(tilt_deg) and -60 <= tilt_deg <= 90):
        raise ChorosError(f"a tilt of {tilt_deg} degrees is none; give 0 for level, 90 for straight down.")
    sin, cos = np.sin(np.deg2rad(tilt_deg)), np.cos(np.deg2rad(tilt_deg))
    return checked_pose([[1, 0, 0, 0], [0, -sin, cos, 0], [0, -cos, -sin, height_m], [0, 0, 0, 1]])


def read_pose(path: str | Path, camera: str | None = None) -> Pose:
    """A pose in a file: JSON with ``T_world_camera``, sixteen numbers as text, a .npy, or a calibration with one.

    ``camera`` names one of several of a calibration (whose rotation and translation are camera from world). Raises
    ``ChorosError`` if there is none.
    """
    path = Path(path)
    if not path.exists():
        raise ChorosError(
            f"{path} does not exist; give the file with the camera's pose, or its sixteen numbers."
        )
    T: Any = None
    try:
        if path.suffix.lower() == ".npy":
            T = load_npy(path)
        elif path.suffix.lower() == ".json":
            said = json.loads(path.read_text(encoding="utf-8"))
            T = said.get("T_world_camera") if isinstance(said, dict) else said
        elif path.suffix.lower() == ".txt":
            T = np.array(path.read_text(encoding="utf-8").replace(",", " ").split(), np.float64)
    except (OSError, ValueError, EOFError) as error:
        raise ChorosError(f"{path} is no file with a camera's pose; give {SHAPE}.") from error
    if T is None:
        T = Calibration.load(path, camera).T_world_camera
    if T is None:
        raise ChorosError(f"{path} tells nothing of where the camera stood; give {SHAPE}.")
    try:
        array = np.array(T, np.float64)
        array = array[0] if array.ndim == 3 and len(array) == 1 else array
        if array.ndim == 3:
            raise ChorosError(
                f"{path} has {len(array)} poses, of a camera that moves; track without it, then "
                f"choros world MOTION --camera {path}."
            )
        return checked_pose(array.reshape(-1, 4) if array.size in (12, 16) else array)
    except (ValueError, TypeError):
        raise ChorosError(f"{path} has a pose that is no matrix; give {SHAPE}.") from None
    except ChorosError as error:
        raise ChorosError(f"{path}: {error}") from None
