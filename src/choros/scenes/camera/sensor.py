"""From light to a picture: tone, lens and sensor of a scene's camera."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled


@dataclass(frozen=True)
class Sensor:
    """What lens and sensor do to a picture."""

    blur_px: float = 0.55  # deviation of the lens's blur
    noise: float = 0.012  # deviation, of full scale, at mid grey
    exposure: float = 1.0


def develop(
    light: NDArray[np.float32], mesh: NDArray[np.int32], sensor: Sensor, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Linear light (H, W, 3) to a picture in sRGB: shoulder and gamma of film, lens blur, noise.

    ``mesh`` (H, W) says who is in each pixel: outlines, which were drawn with hard stairs, are blended.
    """
    _tone(light, sensor.exposure)
    soft = blended_outlines(light, mesh)
    shown = cv2.GaussianBlur(soft, (0, 0), sensor.blur_px) if sensor.blur_px > 0 else soft
    # Drawn afresh for every frame noise would cost more than people: a sheet of it is laid on askew.
    grain = _grain()
    row, column = rng.integers(len(grain), size=2)
    return _quantised(np.asarray(shown, np.float32), grain, row, column, sensor.noise * 255)


@lru_cache(maxsize=1)
def _grain() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((509, 509, 3), np.float32)


@compiled
def _tone(light, exposure):  # type: ignore[no-untyped-def]
    flat = light.reshape(-1)
    for i in range(flat.shape[0]):
        x = flat[i] * np.float32(exposure)
        flat[i] = min(np.sqrt(x / (np.float32(1) + np.float32(0.22) * x * x)), np.float32(1))


def blended_outlines(light: NDArray[np.float32], owner: NDArray[np.integer]) -> NDArray[np.float32]:
    """A picture (H, W, 3) smoothed where neighbours belong to different things, numbered in ``owner`` (H, W)."""
    return np.asarray(_blended(light, owner), np.float32)


@compiled
def _blended(shown, mesh):  # type: ignore[no-untyped-def]
    height, width = mesh.shape
    out = shown.copy()
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            m = mesh[i, j]
            if m == mesh[i, j + 1] and m == mesh[i + 1, j] and m == mesh[i, j - 1] and m == mesh[i - 1, j]:
                continue
            for c in range(3):
                around = shown[i, j - 1, c] + shown[i, j + 1, c] + shown[i - 1, j, c] + shown[i + 1, j, c]
                out[i, j, c] = np.float32(0.4) * shown[i, j, c] + np.float32(0.15) * around
    return out


@compiled
def _quantised(shown, grain, row, column, strength):  # type: ignore[no-untyped-def]
    height, width = shown.shape[:2]
    out = np.empty((height, width, 3), np.uint8)
    n = grain.shape[0]
    for i in range(height):
        a = (i + row) % n
        b = column
        for j in range(width):
            for c in range(3):
                value = (
                    shown[i, j, c] * np.float32(255) + grain[a, b, c] * np.float32(strength) + np.float32(0.5)
                )
                out[i, j, c] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
            b = b + 1 if b + 1 < n else 0
    return out
