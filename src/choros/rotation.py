"""Rotations, the one place where they change form: NumPy arrays by SciPy, torch tensors by RoMa.

Names are those of RoMa where it has one. A ``rotmat`` is (..., 3, 3), a ``rotvec`` (..., 3) an axis times an angle in
radians, a quaternion says ``wxyz``, and ``columns`` are the six numbers that networks say rotations by. What takes both
kinds of array gives back the kind it was given; NumPy computes in float64. Matrices are taken to be rotations, but
for rounding, unless a function says otherwise. torch is loaded by its tensors alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
Array = TypeVar("Array", NDArray[np.float64], "Tensor")

_XYZW, _WXYZ = [1, 2, 3, 0], [3, 0, 1, 2]


# --- matrices and rotation vectors ------------------------------------------------------------------


def rotvec_to_rotmat(rotvec: Array) -> Array:
    """Rotation vectors (..., 3), rad, as matrices (..., 3, 3); tensors' gradients are finite at zero too."""
    if isinstance(rotvec, np.ndarray):
        return Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_matrix().reshape(*rotvec.shape, 3)
    import roma

    return roma.rotvec_to_rotmat(rotvec)


def rotmat_to_rotvec(rotmat: Array) -> Array:
    """Matrices (..., 3, 3) as rotation vectors (..., 3), rad, none longer than half a turn.

    Of an array that is not quite a rotation, that of the nearest one.
    """
    if isinstance(rotmat, np.ndarray):
        return Rotation.from_matrix(rotmat.reshape(-1, 3, 3)).as_rotvec().reshape(rotmat.shape[:-1])
    import roma

    return roma.rotmat_to_rotvec(rotmat)


def rotmat_to_rotvec_unchecked(rotmat: Floats) -> Floats:
    """The same of arrays (..., 3, 3) that are known to be rotations, compiled: for what runs on every frame.

    SciPy's singular values, and its conversions, take 25 to 50 times as long as this.
    """
    from choros.rotation_log import logarithms

    out = np.empty((rotmat.size // 9, 3))
    logarithms(np.require(rotmat, np.float64, ["C", "W"]).reshape(-1, 3, 3), out)
    return out.reshape(rotmat.shape[:-1])


def rotvec_composition(second: Floats, first: Floats) -> Floats:
    """Rotation vectors (..., 3) of turning by ``first`` and then by ``second``, as matrices multiply; broadcast."""
    shape = np.broadcast_shapes(second.shape, first.shape)
    turns = (
        Rotation.from_rotvec(np.array(np.broadcast_to(v, shape)).reshape(-1, 3)) for v in (second, first)
    )
    return (next(turns) * next(turns)).as_rotvec().reshape(shape)


# --- quaternions ------------------------------------------------------------------------------------


def rotvec_to_quat_wxyz(rotvec: Floats) -> Floats:
    """Rotation vectors (..., 3) as unit quaternions (..., 4), real part first."""
    return Rotation.from_rotvec(rotvec.reshape(-1, 3)).as_quat()[:, _WXYZ].reshape(*rotvec.shape[:-1], 4)


def rotmat_to_quat_wxyz(rotmat: Floats) -> Floats:
    """Matrices (..., 3, 3) as unit quaternions (..., 4), real part first."""
    return Rotation.from_matrix(rotmat.reshape(-1, 3, 3)).as_quat()[:, _WXYZ].reshape(*rotmat.shape[:-2], 4)


def quat_wxyz_to_rotvec(wxyz: Floats) -> Floats:
    """Quaternions (..., 4), real part first, of any length but zero, as rotation vectors (..., 3)."""
    return Rotation.from_quat(wxyz[..., _XYZW].reshape(-1, 4)).as_rotvec().reshape(*wxyz.shape[:-1], 3)


def quat_wxyz_to_rotmat(wxyz: Floats) -> Floats:
    """Quaternions (..., 4), real part first, of any length but zero, as matrices (..., 3, 3)."""
    return Rotation.from_quat(wxyz[..., _XYZW].reshape(-1, 4)).as_matrix().reshape(*wxyz.shape[:-1], 3, 3)


# --- six numbers ------------------------------------------------------------------------------------


def columns_to_rotmat(columns: Array) -> Array:
    """(..., 6), first and second column, of any length and angle, as matrices (..., 3, 3).

    Zhou et al. 2019, section 4.2: the map is continuous, which rotation vectors are not (people upright in a camera's
    axes are half a turn from zero). Exactly the rotation whose columns they are; else Gram and Schmidt's, which
    keeps the first's direction.
    """
    if isinstance(columns, np.ndarray):
        first, second = columns[..., :3], columns[..., 3:]
        first = first / np.linalg.norm(first, axis=-1, keepdims=True)
        second = second - np.sum(first * second, axis=-1, keepdims=True) * first
        second /= np.linalg.norm(second, axis=-1, keepdims=True)
        return np.stack([first, second, np.cross(first, second)], axis=-1)
    import roma

    return roma.special_gramschmidt(columns.unflatten(-1, (2, 3)).mT)


def rotmat_to_columns(rotmat: Array) -> Array:
    """Matrices (..., 3, 3) as their first two columns (..., 6)."""
    module: Any = np
    if not isinstance(rotmat, np.ndarray):
        import torch as module
    return module.concatenate([rotmat[..., 0], rotmat[..., 1]], -1)


# --- between rotations ------------------------------------------------------------------------------


def rotmat_geodesic_distance(a: Floats, b: Floats) -> Floats:
    """The angle of the turn from a to b, (..., 3, 3) each -> (...) rad in 0 .. pi, exact near both ends."""
    R = np.swapaxes(a, -1, -2) @ b
    twist = np.stack(
        [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], axis=-1
    )
    return np.arctan2(np.linalg.norm(twist, axis=-1), np.trace(R, axis1=-2, axis2=-1) - 1)


def rotmat_slerp(a: Array, b: Array, share: Array) -> Array:
    """Rotations ``share`` (n,) of the shortest way from a to b, (n, ..., 3, 3); 0 gives a, and 1 gives b."""
    way = rotmat_to_rotvec(a.mT @ b)
    if not isinstance(share, np.ndarray):
        share = share.to(way)
    return a @ rotvec_to_rotmat(share.reshape(-1, *[1] * (way.ndim - 1)) * way)


def rotvec_slerp(a: Floats, b: Floats, share: Floats) -> Floats:
    """Rotation vectors ``share`` (n,) of the shortest way from a to b, (n, ..., 3); 0 gives a, and 1 gives b."""
    start, end = (Rotation.from_rotvec(v.reshape(-1, 3)) for v in (a, b))
    way = (start.inv() * end).as_rotvec().reshape(a.shape)
    part = share.reshape(-1, *[1] * (a.ndim - 1)) * way
    return (start * Rotation.from_rotvec(part.reshape(-1, 3))).as_rotvec().reshape(a.shape)


def rotmat_between(a: Floats, b: Floats) -> Floats:
    """The shortest turn (3, 3) that brings the direction a (3,) to b, of any lengths; of opposite ones, one of them."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis)
    if sine < 1e-12 and a @ b < 0:
        return rotvec_to_rotmat(np.pi * np.linalg.svd(a[None])[2][1])
    return rotvec_to_rotmat(axis * (np.arctan2(sine, a @ b) / max(sine, 1e-12)))


def rotvec_between_directions(before: Floats, after: Floats) -> Floats:
    """The shortest turns (..., 3), rad, from directions (..., 3) of any length to others less than half a turn off."""
    axis = np.cross(before, after)
    length = np.linalg.norm(axis, axis=-1)
    angle = np.arctan2(length, (before * after).sum(-1))
    return np.asarray(axis * (angle / np.maximum(length, 1e-300))[..., None])


def special_procrustes(matrix: Floats) -> Floats:
    """The rotations nearest to any matrices (..., 3, 3), by the sum of squares."""
    import roma
    import torch

    return roma.special_procrustes(torch.from_numpy(matrix)).numpy()


@overload
def rotmat_about(axis: str, angle_rad: Tensor) -> Tensor: ...


@overload
def rotmat_about(axis: str, angle_rad: Floats | float) -> Floats: ...


def rotmat_about(axis: str, angle_rad: Any) -> Any:
    """Rotations about the axis "x", "y" or "z", counter-clockwise where it points at you: (...) -> (..., 3, 3)."""
    module: Any = np
    if not isinstance(angle_rad, (np.ndarray, np.number, float)):
        import torch as module
    cos, sin = module.cos(angle_rad), module.sin(angle_rad)
    this = "xyz".index(axis)
    following, last = (this + 1) % 3, (this + 2) % 3
    rotmat = module.zeros((*cos.shape, 3, 3), dtype=cos.dtype, device=cos.device)
    rotmat[..., this, this] = 1
    rotmat[..., following, following] = rotmat[..., last, last] = cos
    rotmat[..., last, following], rotmat[..., following, last] = sin, -sin
    return rotmat


# --- small turns ------------------------------------------------------------------------------------


def cross_matrix(v: Floats) -> Floats:
    """(..., 3) -> (..., 3, 3), the matrix [v] with [v] u = v x u."""
    matrix = np.zeros((*v.shape, 3))
    matrix[..., 2, 1], matrix[..., 0, 2], matrix[..., 1, 0] = np.moveaxis(v, -1, 0)
    return matrix - np.swapaxes(matrix, -1, -2)


def left_jacobian_inverse(rotvec: Floats) -> Floats:
    """J (..., 3, 3) with log(Exp(e) Exp(v)) = v + J e for rotation vectors v (..., 3) and small turns e.

    The transpose is that of log(Exp(v) Exp(e)). Solà et al. 2018, "A micro Lie theory", equations 144 and 146.
    """
    angle = np.linalg.norm(rotvec, axis=-1)
    small = angle < 1e-4
    safe = np.where(small, 1.0, angle)
    # 1 / a² - cot(a / 2) / (2 a), which is 1/12 at zero
    square = np.where(small, 1 / 12, 1 / safe**2 - 1 / (2 * safe * np.tan(safe / 2)))
    K = cross_matrix(rotvec)
    return np.eye(3) - K / 2 + square[..., None, None] * (K @ K)


# --- where people face ------------------------------------------------------------------------------


def heading_rad(R_world_root: Array) -> Array:
    """Where people face: SMPL's roots (..., 3, 3) in a world with z up -> (...), the turn about z from +y.

    Counter-clockwise, -pi to pi. The body's up axis (SMPL's y) is first brought upright along the shortest way, so
    bending and lying do not matter (GLAMR, appendix D). No heading is continuous everywhere; this one jumps only
    where a person is exactly upside down, and is 0 there.
    """
    up, facing = R_world_root[..., 1], R_world_root[..., 2]
    # The shortest turn from `up` to z takes the facing f, at right angles to it, to f - (up + z) f_z / (1 + up_z).
    flat = facing[..., :2] * (1 + up[..., 2:]) - up[..., :2] * facing[..., 2:]
    module: Any = np
    if not isinstance(flat, np.ndarray):
        import torch as module
    lost = (flat**2).sum(-1) < module.finfo(flat.dtype).tiny
    return module.arctan2(-module.where(lost, 0, flat[..., 0]), module.where(lost, 1, flat[..., 1]))


def heading_rotmat(R_world_root: Array) -> Array:
    """The turn about z (..., 3, 3) from the axes of people's heading, of which y is ahead, to the world's."""
    return rotmat_about("z", heading_rad(R_world_root))


def heading_gradient(R_world_root: Floats) -> Floats:
    """How the heading of roots (..., 3, 3) grows with a small turn in the world, (..., 3)."""
    # Rolling an axis without spinning it leaves the heading; what remains is the turn about the half-way axis.
    up = R_world_root[..., :, 1]
    # bounded near head down, where headings mean nothing
    return (np.array([0.0, 0.0, 1.0]) + up) / np.maximum(1 + up[..., 2:], 0.05)


def interleaved_to_rotmat(interleaved: Array) -> Array:
    """(..., 6), first and second column row by row, as matrices (..., 3, 3): the layout of ROMP, BEV and TRACE.

    Made orthogonal as by `columns_to_rotmat`.
    """
    shape = interleaved.shape
    return columns_to_rotmat(interleaved.reshape(*shape[:-1], 3, 2).swapaxes(-1, -2).reshape(shape))


def rotmat_to_interleaved(rotmat: Array) -> Array:
    """Matrices (..., 3, 3) as their first two columns row by row (..., 6): the layout of ROMP, BEV and TRACE."""
    return rotmat[..., :2].reshape(*rotmat.shape[:-2], 6)
