"""Errors of single poses: 3D joints and vertices, and keypoints in the image.

Definitions of 4DHumans (supplement S.5) and CoMotion (section 5). Functions return one number per person,
so that visible and occluded people, frames and samples can be told apart before anything is averaged.
Leading axes are free: (J, 3), (people, J, 3), (samples, people, J, 3) all mean what they look like.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from choros.errors import ChorosError

Floats = NDArray[np.float64]

#: PCK-3D thresholds of MPI-INF-3DHP's area under the curve, mm (Mehta et al. 2017).
AUC_THRESHOLDS_MM = np.arange(0, 151, 5)


def joint_errors_mm(
    predicted_m: ArrayLike,  # (..., J, 3) metres, any frame
    truth_m: ArrayLike,  # (..., J, 3) metres, the same frame
    root: Sequence[int] | None = (0,),
) -> Floats:  # (..., J) mm
    """Distance of every joint after both poses are moved so that their root is at 0.

    root: joints whose mean is the root; (0,) is SMPL's pelvis, 3DPW's 14 joints use the two hips. None
    compares where the joints are, without moving anything.
    """
    predicted, truth = _points(predicted_m, truth_m)
    if root is not None:
        predicted, truth = (
            p - p[..., list(root), :].mean(axis=-2, keepdims=True) for p in (predicted, truth)
        )
    return 1000 * np.linalg.norm(predicted - truth, axis=-1)


def mpjpe_mm(predicted_m: ArrayLike, truth_m: ArrayLike, root: Sequence[int] | None = (0,)) -> Floats:
    """Mean per joint position error after aligning the root, (..., J, 3) metres -> (...) mm.

    Protocol 1 of Human3.6M (Ionescu et al. 2014). Joints that are NaN make their pose NaN; leave them out before.
    """
    return joint_errors_mm(predicted_m, truth_m, root).mean(axis=-1)


def pa_mpjpe_mm(predicted_m: ArrayLike, truth_m: ArrayLike) -> Floats:
    """MPJPE after the best scale, rotation and translation (Procrustes), (..., J, 3) metres -> (...) mm.

    Each pose is aligned by itself, never mirrored (Human3.6M's protocol 2; Umeyama 1991).
    """
    return joint_errors_mm(procrustes(predicted_m, truth_m), truth_m, root=None).mean(axis=-1)


def pve_mm(
    predicted_m: ArrayLike,  # (..., V, 3) metres
    truth_m: ArrayLike,  # (..., V, 3) metres
    predicted_root_m: ArrayLike,  # (..., 3) metres, the pelvis
    truth_root_m: ArrayLike,  # (..., 3) metres
) -> Floats:  # (...) mm
    """Mean error of the vertices after aligning the pelvis, known as PVE, MPVE or V2V (3DPW, AGORA)."""
    predicted, truth = _points(predicted_m, truth_m)
    predicted = predicted - np.asarray(predicted_root_m, dtype=float)[..., None, :]
    truth = truth - np.asarray(truth_root_m, dtype=float)[..., None, :]
    return 1000 * np.linalg.norm(predicted - truth, axis=-1).mean(axis=-1)


def similarity_transform(
    source: ArrayLike,  # (..., N, 3)
    target: ArrayLike,  # (..., N, 3)
    with_scale: bool = True,
) -> tuple[Floats, Floats, Floats]:  # scale (...), rotation (..., 3, 3), translation (..., 3)
    """The s, R, t that bring source closest to target, ``s R x + t`` (Umeyama 1991).

    Never a reflection. Points that all coincide get scale 1. The last axis is always x, y, z and the one
    before it the points: code that guesses from the sizes took batches of 2 or 3 people for points, which
    made published figures of TRACE too good by a third.
    """
    x, y = _points(source, target)
    x_mean, y_mean = x.mean(axis=-2), y.mean(axis=-2)
    x, y = x - x_mean[..., None, :], y - y_mean[..., None, :]
    left, stretch, right = np.linalg.svd(np.swapaxes(y, -1, -2) @ x)
    handed = np.ones_like(stretch)
    handed[..., 2] = np.sign(np.linalg.det(left @ right))
    rotation = (left * handed[..., None, :]) @ right
    spread = (x**2).sum(axis=(-1, -2))
    scale = np.ones_like(spread)
    if with_scale:
        np.divide((stretch * handed).sum(axis=-1), spread, out=scale, where=spread > 0)
    return scale, rotation, y_mean - scale[..., None] * (rotation @ x_mean[..., None])[..., 0]


def apply_similarity(transform: tuple[Floats, Floats, Floats], points: ArrayLike) -> Floats:
    """``s R x + t`` for points (..., N, 3)."""
    scale, rotation, translation = transform
    turned = np.asarray(points, dtype=float) @ np.swapaxes(rotation, -1, -2)
    return scale[..., None, None] * turned + translation[..., None, :]


def procrustes(predicted_m: ArrayLike, truth_m: ArrayLike) -> Floats:
    """predicted (..., J, 3), scaled, turned and moved onto truth (..., J, 3), each pose by itself."""
    return apply_similarity(similarity_transform(predicted_m, truth_m), predicted_m)


def pck(
    predicted_px: ArrayLike,  # (..., K, 2) px
    truth_px: ArrayLike,  # (..., K, 2) px
    present: ArrayLike,  # (..., K) bool, keypoints that are annotated
    size_px: ArrayLike,  # (...) px, what the threshold is a share of
    threshold: float,
) -> Floats:  # (...) share of the annotated keypoints in 0..1, NaN without any
    """Share of keypoints nearer to the truth than threshold x size_px.

    4DHumans and CoMotion report thresholds 0.05 and 0.1 of the image size, the image being the square
    crop around the person: `crop_size_px` of the box. For a data set's figure average over keypoints
    (``np.nansum(pck * present.sum(-1)) / present.sum()``), not over people.
    """
    distance = np.linalg.norm(np.asarray(predicted_px, float) - np.asarray(truth_px, float), axis=-1)
    near = distance < threshold * np.asarray(size_px, dtype=float)[..., None]
    return _share(near, np.asarray(present, dtype=bool))


def crop_size_px(box_px: ArrayLike) -> Floats:
    """Side of the square crop around boxes (..., 4), xyxy px: their longer side, unpadded."""
    box = np.asarray(box_px, dtype=float)
    return (box[..., 2:] - box[..., :2]).max(axis=-1)


def pck_3d(
    predicted_m: ArrayLike,  # (..., J, 3) metres
    truth_m: ArrayLike,  # (..., J, 3) metres
    threshold_mm: float = 150.0,
    root: Sequence[int] | None = (0,),
) -> Floats:  # (...) in 0..1
    """Share of joints within threshold_mm after aligning the root (MPI-INF-3DHP, Mehta et al. 2017)."""
    return (joint_errors_mm(predicted_m, truth_m, root) <= threshold_mm).mean(axis=-1)


def auc_3d(predicted_m: ArrayLike, truth_m: ArrayLike, root: Sequence[int] | None = (0,)) -> Floats:
    """Mean of PCK-3D over 0, 5, .. 150 mm, (..., J, 3) metres -> (...) in 0..1 (Mehta et al. 2017)."""
    errors = joint_errors_mm(predicted_m, truth_m, root)
    return (errors[..., None] <= AUC_THRESHOLDS_MM).mean(axis=(-1, -2))


def mean_where(errors: ArrayLike, where: ArrayLike) -> float:
    """Mean of errors (...) over the places marked in where (...), such as visible or not; NaN if none is."""
    chosen = np.asarray(errors, dtype=float)[np.asarray(where, dtype=bool)]
    return float(chosen.mean()) if chosen.size else float("nan")


def best_of_samples(errors: ArrayLike) -> Floats:
    """The smallest error of several samples, (samples, frames...) -> (frames...).

    GLAMR (section 4) scores invisible poses so, since many poses are plausible behind an occluder: each
    frame takes its own best sample. ``errors.mean(-1).min(0)`` is the stricter best whole sample.
    """
    return np.asarray(errors, dtype=float).min(axis=0)


def _share(hits: NDArray[np.bool_], counted: NDArray[np.bool_]) -> Floats:
    total = counted.sum(axis=-1)
    share = np.full(total.shape, np.nan)
    return np.divide((hits & counted).sum(axis=-1), total, out=share, where=total > 0)


def _points(predicted: ArrayLike, truth: ArrayLike) -> tuple[Floats, Floats]:
    """Both as (..., N, 3) float64. Raises ChorosError if they are not the same points in 3D."""
    a, b = np.asarray(predicted, dtype=float), np.asarray(truth, dtype=float)
    if a.ndim < 2 or a.shape[-1] != 3 or a.shape[-2:] != b.shape[-2:]:
        raise ChorosError(f"Points to compare are (..., N, 3) on both sides, not {a.shape} and {b.shape}.")
    return a, b
