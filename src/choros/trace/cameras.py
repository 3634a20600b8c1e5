"""Where people stand, in the numbers that TRACE's maps have for it, and the way between them and any camera.

A person's camera is (s, y, x): y and x are where the pelvis is in the padded square, -1 to 1 from edge to edge, and
s = 1 / (z tan(fov / 2)) of its distance z in metres before a camera that takes in 50 degrees of the square (TRACE,
supplement 5; release). The paper has no other camera. Here a K of any kind is met by saying the same picture in its
words: the same pixels, and a distance longer by as much as the focal length is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from choros.trace.config import TraceConfig

#: Scales below this are as good as nobody: 1 / (z tan 25 degrees) at some 200 m.
LEAST_SCALE = 0.01


def camera_of(transl_cam: Tensor, K: Tensor, config: TraceConfig) -> Tensor:
    """Places (..., 3) m before a camera, OpenCV axes, to (s, y, x), (..., 3).

    ``K`` (..., 3, 3) is of the padded square, of the same leading axes or fewer to be broadcast.
    """
    half = config.image_size_px / 2
    x_px = K[..., 0, 0] * transl_cam[..., 0] / transl_cam[..., 2] + K[..., 0, 2]
    y_px = K[..., 1, 1] * transl_cam[..., 1] / transl_cam[..., 2] + K[..., 1, 2]
    scale = _focal(K) / (half * transl_cam[..., 2])
    return torch.stack([scale, y_px / half - 1, x_px / half - 1], -1)


def transl_of(camera: Tensor, K: Tensor, config: TraceConfig) -> Tensor:
    """(s, y, x), (..., 3), to places before the camera ``K`` of the padded square: the way back of `camera_of`."""
    half = config.image_size_px / 2
    scale, y, x = camera.unbind(-1)
    z = _focal(K) / (half * scale.clamp_min(LEAST_SCALE))
    x_px, y_px = (x + 1) * half, (y + 1) * half
    return torch.stack(
        [(x_px - K[..., 0, 2]) * z / K[..., 0, 0], (y_px - K[..., 1, 2]) * z / K[..., 1, 1], z], -1
    )


def own_K(config: TraceConfig, like: Tensor) -> Tensor:
    """The K (3, 3) of the paper's camera in the padded square, of the type and device of ``like``."""
    half, focal = config.image_size_px / 2, config.focal_px
    return like.new_tensor([[focal, 0.0, half], [0.0, focal, half], [0.0, 0.0, 1.0]])


def _focal(K: Tensor) -> Tensor:
    return (K[..., 0, 0] * K[..., 1, 1]).sqrt()


def ray_turn(camera: Tensor, K: Tensor, config: TraceConfig) -> Tensor:
    """The shortest turn (..., 3, 3) of the camera's forward axis to the ray that people at (s, y, x) are seen along.

    No turn at all where the network tells the pelvis before the camera's axes (`TraceConfig.root_about_ray`).
    """
    if not config.root_about_ray:
        return torch.eye(3, dtype=camera.dtype, device=camera.device).expand(*camera.shape[:-1], 3, 3)
    half = config.image_size_px / 2
    x = ((camera[..., 2] + 1) * half - K[..., 0, 2]) / K[..., 0, 0]
    y = ((camera[..., 1] + 1) * half - K[..., 1, 2]) / K[..., 1, 1]
    length = (x * x + y * y + 1).sqrt()
    x, y, z = x / length, y / length, 1 / length
    share = 1 / (1 + z)
    rows = [1 - x * x * share, -x * y * share, x, -x * y * share, 1 - y * y * share, y, -x, -y, z]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))
