"""Errors of motion in the world, where a system chooses its own origin, heading and sometimes scale.

GLAMR's G-MPJPE aligns the start of 10 s windows, WHAM's W-/WA-MPJPE the start or all of 100 frames and its
RTE the whole path; GLAMR's appendix F compares people with each other. World positions, z up; one person
over time unless a function says otherwise.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from choros.errors import ChorosError
from choros.evaluation.metrics.pose import apply_similarity, joint_errors_mm, similarity_transform
from choros.rotation import heading_rad, rotmat_geodesic_distance

Floats = NDArray[np.float64]


def global_errors_mm(
    predicted_world_m: ArrayLike,  # (T, N, 3) joints for G-MPJPE, vertices for G-PVE
    truth_world_m: ArrayLike,  # (T, N, 3)
    predicted_T_world_root: ArrayLike,  # (T, 4, 4) pose of the pelvis, SMPL's axes
    truth_T_world_root: ArrayLike,  # (T, 4, 4)
    fps: float,
    window_s: float = 10.0,
) -> Floats:  # (T,) mm
    """G-MPJPE of joints, G-PVE of vertices (GLAMR, section 4): drift since the window's start counts.

    The video is cut into windows of window_s; at the first frame of each the prediction is moved
    horizontally and turned about the vertical so that root and heading agree with the truth. Height and
    tilt are not forgiven, as in the authors' evaluation: the floor is known. (Their code aligns later windows
    one frame before they start.)
    """
    predicted, truth = np.asarray(predicted_world_m, dtype=float), np.asarray(truth_world_m, dtype=float)
    predicted_root, truth_root = (
        np.asarray(T, dtype=float) for T in (predicted_T_world_root, truth_T_world_root)
    )
    errors = np.empty(len(predicted))
    length = max(1, round(window_s * fps))
    for start in range(0, len(predicted), length):
        window = slice(start, start + length)
        turn = heading_rad(truth_root[start, :3, :3]) - heading_rad(predicted_root[start, :3, :3])
        cos, sin = np.cos(turn), np.sin(turn)
        turned = predicted[window] @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        origin = np.array([[cos, -sin], [sin, cos]]) @ predicted_root[start, :2, 3]
        turned[..., :2] += truth_root[start, :2, 3] - origin
        errors[window] = joint_errors_mm(turned, truth[window], root=None).mean(axis=-1)
    return errors


def w_mpjpe_mm(predicted_world_m: ArrayLike, truth_world_m: ArrayLike, chunk: int = 100) -> Floats:
    """W-MPJPE (WHAM, section 4): chunks of 100 frames aligned on their first two, (T, J, 3) m -> (T,) mm.

    The alignment is a similarity, as in the published code: scale is forgiven. A last chunk may be short.
    """
    return _chunked(predicted_world_m, truth_world_m, chunk, aligned=2)


def wa_mpjpe_mm(predicted_world_m: ArrayLike, truth_world_m: ArrayLike, chunk: int = 100) -> Floats:
    """WA-MPJPE (WHAM, section 4): each chunk of 100 frames aligned as a whole, (T, J, 3) m -> (T,) mm."""
    return _chunked(predicted_world_m, truth_world_m, chunk, aligned=chunk)


def _chunked(predicted_world_m: ArrayLike, truth_world_m: ArrayLike, chunk: int, aligned: int) -> Floats:
    predicted, truth = np.asarray(predicted_world_m, dtype=float), np.asarray(truth_world_m, dtype=float)
    errors = np.empty(len(predicted))
    for start in range(0, len(predicted), chunk):
        window, shown = slice(start, start + chunk), slice(start, start + aligned)
        transform = similarity_transform(predicted[shown].reshape(-1, 3), truth[shown].reshape(-1, 3))
        moved = apply_similarity(transform, predicted[window].reshape(-1, 3)).reshape(truth[window].shape)
        errors[window] = joint_errors_mm(moved, truth[window], root=None).mean(axis=-1)
    return errors


def root_translation_error_percent(predicted_world_m: ArrayLike, truth_world_m: ArrayLike) -> float:
    """RTE (WHAM, section 4): error of the root's path (T, 3) m, in % of the length of the true path.

    The whole path is aligned by rotation and translation, never scaled. NaN for someone who never moves.
    """
    predicted, truth = np.asarray(predicted_world_m, dtype=float), np.asarray(truth_world_m, dtype=float)
    length = np.linalg.norm(np.diff(truth, axis=0), axis=-1).sum()
    moved = apply_similarity(similarity_transform(predicted, truth, with_scale=False), predicted)
    return float(100 * np.linalg.norm(moved - truth, axis=-1).mean() / length) if length else float("nan")


def relative_errors(
    predicted_T_world_root: ArrayLike,  # (P, T, 4, 4) pelvis of P people in the same T frames
    truth_T_world_root: ArrayLike,  # (P, T, 4, 4)
    present: ArrayLike,  # (P, T) bool, who can be compared when
) -> tuple[float, float]:  # metres, rad; NaN without a pair
    """How wrong people stand to each other (GLAMR, appendix F): mean over pairs and frames.

    The pose of the second person's root in the axes of the first's is compared: the distance between where
    it is said to be and where it is, and the angle between how it is said to be turned and how it is. Free
    of the choice of world, the same in camera space. Every ordered pair counts, so nobody is special.
    """
    predicted, truth = (np.asarray(T, dtype=float) for T in (predicted_T_world_root, truth_T_world_root))
    there = np.asarray(present, dtype=bool)
    if predicted.shape != truth.shape or predicted.shape[:2] != there.shape:
        raise ChorosError(
            f"Relative errors take the same people and frames on both sides, not {predicted.shape}, "
            f"{truth.shape} and present {there.shape}."
        )
    first, second = (pair.ravel() for pair in np.nonzero(~np.eye(len(there), dtype=bool)))
    both = there[first] & there[second]
    if not both.any():
        return float("nan"), float("nan")
    said, true = (np.linalg.inv(T[first][both]) @ T[second][both] for T in (predicted, truth))
    translation = np.linalg.norm(said[..., :3, 3] - true[..., :3, 3], axis=-1)
    rotation = rotmat_geodesic_distance(said[..., :3, :3], true[..., :3, :3])
    return float(translation.mean()), float(rotation.mean())
