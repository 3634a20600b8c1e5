"""Cameras that users have solved already: a file of poses, or what COLMAP leaves in a folder.

Poses in a file are taken as they are. COLMAP knows neither which way is up nor how long a metre is; both, and
the height of the floor, come from the people (``glamr.camera_from_people.in_metres``).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.camera_motion.camera_path import CameraPath
from choros.errors import ChorosError
from choros.rotation import quat_wxyz_to_rotmat

Floats = NDArray[np.float64]


def read_poses(path: str | Path) -> CameraPath:
    """A JSON file ``{"T_world_camera": [...]}`` with a 4 x 4 matrix for every frame.

    From OpenCV camera axes (x right, y down, z ahead) to a world with z up and the floor at 0, metres.
    Raises ``ChorosError`` if it is something else.
    """
    try:
        T = np.array(json.loads(Path(path).read_text(encoding="utf-8"))["T_world_camera"], np.float64)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ChorosError(
            f'{path} is no file of camera poses; give JSON with "T_world_camera", a 4 x 4 matrix a frame.'
        ) from error
    if T.ndim != 3 or T.shape[1:] != (4, 4) or not np.isfinite(T).all():
        raise ChorosError(f"{path} has T_world_camera of shape {T.shape}; give one 4 x 4 matrix a frame.")
    R = T[:, :3, :3]
    if not np.allclose(R @ np.swapaxes(R, -1, -2), np.eye(3), atol=1e-3) or (np.linalg.det(R) < 0).any():
        raise ChorosError(
            f"{path} has matrices that do not rotate; give T_world_camera without scale or mirror."
        )
    return CameraPath(R, T[:, :3, 3])


def read_colmap(folder: str | Path) -> CameraPath:
    """The poses in COLMAP's ``images.txt`` or ``images.bin``, in the order of the images' names.

    In COLMAP's own world: any scale, any way up. Raises ``ChorosError`` if there is no such file or it is damaged.
    """
    folder = Path(folder)
    text, binary = folder / "images.txt", folder / "images.bin"
    if not (text.is_file() or binary.is_file()):
        raise ChorosError(f"{folder} holds no images.txt or images.bin; give the folder of a COLMAP model.")
    try:
        images = _read_text(text) if text.is_file() else _read_binary(binary)
    except (ValueError, IndexError, struct.error) as error:
        raise ChorosError(
            f"{text if text.is_file() else binary} is damaged; export the model again."
        ) from error
    images.sort()
    wxyz, t = np.array([pose for _, pose in images]).reshape(-1, 7)[:, :4], [pose[4:] for _, pose in images]
    R_camera_world = quat_wxyz_to_rotmat(wxyz)
    R = np.swapaxes(R_camera_world, -1, -2)
    return CameraPath(R, -(R @ np.array(t)[..., None])[..., 0])


def _read_text(path: Path) -> list[tuple[str, list[float]]]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    images = []
    for line in lines[::2]:  # every second line lists the points of the image before it
        if words := line.split(maxsplit=9):
            images.append((words[9], [float(word) for word in words[1:8]]))
    return images


def _read_binary(path: Path) -> list[tuple[str, list[float]]]:
    data = path.read_bytes()
    (count,) = struct.unpack_from("<Q", data)
    at, images = 8, []
    for _ in range(count):
        pose = list(struct.unpack_from("<7d", data, at + 4))
        end = data.index(b"\0", at + 64)
        (points,) = struct.unpack_from("<Q", data, end + 1)
        images.append((data[at + 64 : end].decode(), pose))
        at = end + 9 + 24 * points
    return images
