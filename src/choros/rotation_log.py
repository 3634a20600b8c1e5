"""The logarithm of rotations, compiled: ``rotation.rotmat_to_rotvec_unchecked``, and inside other compiled loops.

A file of its own, as numba takes long to load. Compiled loops are kept on disk with what they call: after a change
here, those of ``body/least_squares.py`` are stale until that file changes too.
"""

from __future__ import annotations

import math

from choros.compiled import compiled, inner


@inner
def logarithm(rotation):  # type: ignore[no-untyped-def]
    """Axis-angle x, y, z, rad, of a rotation matrix (3, 3)."""
    x = 0.5 * (rotation[2, 1] - rotation[1, 2])
    y = 0.5 * (rotation[0, 2] - rotation[2, 0])
    z = 0.5 * (rotation[1, 0] - rotation[0, 1])
    trace = rotation[0, 0] + rotation[1, 1] + rotation[2, 2]
    sine = math.sqrt(x * x + y * y + z * z)
    angle = math.atan2(sine, 0.5 * (trace - 1))
    if angle <= 3.0:
        scale = angle / sine if sine > 1e-6 else 1.0
        return scale * x, scale * y, scale * z
    # Near half a turn the sine says little of the axis, so by way of the quaternion and its greatest part.
    if rotation[0, 0] >= rotation[1, 1] and rotation[0, 0] >= rotation[2, 2]:
        twice = math.sqrt(1 + 2 * rotation[0, 0] - trace)
        w, x = x / twice, 0.5 * twice
        y, z = (
            0.5 * (rotation[0, 1] + rotation[1, 0]) / twice,
            0.5 * (rotation[0, 2] + rotation[2, 0]) / twice,
        )
    elif rotation[1, 1] >= rotation[2, 2]:
        twice = math.sqrt(1 + 2 * rotation[1, 1] - trace)
        w, y = y / twice, 0.5 * twice
        x, z = (
            0.5 * (rotation[0, 1] + rotation[1, 0]) / twice,
            0.5 * (rotation[1, 2] + rotation[2, 1]) / twice,
        )
    else:
        twice = math.sqrt(1 + 2 * rotation[2, 2] - trace)
        w, z = z / twice, 0.5 * twice
        x, y = (
            0.5 * (rotation[0, 2] + rotation[2, 0]) / twice,
            0.5 * (rotation[1, 2] + rotation[2, 1]) / twice,
        )
    size = math.sqrt(x * x + y * y + z * z)
    scale = 2 * math.atan2(size, abs(w)) / size
    if w < 0:
        scale = -scale
    return scale * x, scale * y, scale * z


@compiled
def logarithms(rotations, out):  # type: ignore[no-untyped-def]
    """``logarithm`` of each of (n, 3, 3) into (n, 3)."""
    for row in range(len(rotations)):
        out[row, 0], out[row, 1], out[row, 2] = logarithm(rotations[row])
