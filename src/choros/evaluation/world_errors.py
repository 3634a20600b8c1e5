"""Errors in the world and between people, of those of one clip who were found, as sums that clips add to.

A mean is kept as its sum and its weight. Which frames belong together is decided here: alignments start anew
every window, and what needs neighbouring frames stays within runs in which a person keeps their match.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from choros.evaluation.metrics.motion_quality import (
    foot_contact,
    foot_sliding_cm_s,
    ground_penetration_mm,
    jitter_m_s3,
)
from choros.evaluation.metrics.world import (
    global_errors_mm,
    relative_errors,
    root_translation_error_percent,
    w_mpjpe_mm,
    wa_mpjpe_mm,
)
from choros.skeleton import FEET

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Rows = NDArray[np.void]
Mean = tuple[float, float]  # sum, weight

#: Scores that need a world, or two people.
WORLD_MEANS = (
    "g_mpjpe_mm", "g_pve_mm", "w_mpjpe_mm", "wa_mpjpe_mm", "rte_percent",
    "foot_slide_cm_s", "ground_penetration_mm", "jitter_m_s3",
    "relative_translation_mm", "relative_rotation_deg",
)  # fmt: skip

WINDOW_S = 10.0  # of G-MPJPE and G-PVE (GLAMR, section 4)
CHUNK = 100  # frames of W-MPJPE and WA-MPJPE (WHAM, section 4)
SKIN_STEP = 5  # vertices are compared in every fifth frame: they cost a hundred times the joints


def mean_of(values: ArrayLike, where: ArrayLike = True) -> Mean:
    """Sum and number of the values in the places marked in where."""
    values, where = np.broadcast_arrays(np.asarray(values, dtype=float), where)
    return float(values[where].sum()), float(where.sum())


def added(parts: Sequence[Mapping[str, Mean]]) -> dict[str, Mean]:
    """Sums and weights of all parts together; one that lacks a name has nothing to add to it."""
    sums: dict[str, Mean] = {}
    for part in parts:
        for name, (total, weight) in part.items():
            before = sums.get(name, (0.0, 0.0))
            sums[name] = before[0] + total, before[1] + weight
    return sums


def windows(true: Rows, length: int) -> list[Ints]:
    """Indices of found rows in order of time, one array for each true person and ``length`` frames.

    The first begins when the person is first found. Frames in which they are not found are left out, and a new
    predicted identity begins no new window: being lost is not rewarded with an alignment.
    """
    order = np.lexsort((true["frame"], true["person"]))
    person, frame = true["person"][order].astype(np.int64), true["frame"][order].astype(np.int64)
    _, first, number = np.unique(person, return_index=True, return_inverse=True)
    window = (frame - frame[first][number]) // length
    return _split(order, (np.diff(number) != 0) | (np.diff(window) != 0))


def unbroken_runs(true: Rows, said: Rows) -> list[Ints]:
    """Indices of matched rows cut into runs: one true person, one predicted, every frame."""
    order = np.lexsort((true["frame"], true["person"]))
    return _split(
        order,
        (np.diff(true["person"][order]) != 0)
        | (np.diff(said["person"][order]) != 0)
        | (np.diff(true["frame"][order]) != 1),
    )


def in_shots(true: Rows, shot: Ints) -> Rows:
    """True rows (k,) in which everybody is somebody else in each ``shot``, (k,): nothing is measured over a cut."""
    rows = true.copy()
    each = np.stack([true["person"].astype(np.int64), shot], axis=-1)
    rows["person"] = np.unique(each, axis=0, return_inverse=True)[1].reshape(-1)
    return rows


def _split(order: Ints, breaks: NDArray[np.bool_]) -> list[Ints]:
    return np.split(order, np.flatnonzero(breaks) + 1) if len(order) else []


def window_frames(fps: float) -> int:
    """How many frames ``WINDOW_S`` spans at ``fps`` frames a second, at least 1."""
    return max(1, round(WINDOW_S * fps))


def world_means(
    true: Rows,  # (k,) who was found ...
    said: Rows,  # (k,) ... and as whom
    true_joints_m: Floats,  # (k, 24, 3) in a world with z up and the floor at 0
    said_joints_m: Floats,  # (k, 24, 3) in the prediction's
    true_T_root: Floats,  # (k, 4, 4) pelvis in the same worlds
    said_T_root: Floats,
    fps: float,
) -> dict[str, Mean]:
    """The scores of joints in the world; those of the skin are in `skin_means`.

    ``g_mpjpe_mm``: aligned at the start of windows of 10 s (`global_errors_mm`). ``w_mpjpe_mm``,
    ``wa_mpjpe_mm``: chunks of 100 frames aligned on their first two, or whole. All over the frames in which a
    person was found, gaps left out. ``rte_percent``: error of the pelvis' path over the length of the true one,
    people weighted by that length. ``foot_slide_cm_s``: speed of ankles and feet while the true ones rest.
    ``jitter_m_s3``: size of the predicted joints' jerk, which has no truth in it.
    """
    g, w, wa, rte, slide, jitter = ([] for _ in range(6))
    for part in windows(true, window_frames(fps)):
        g.append(
            global_errors_mm(
                said_joints_m[part], true_joints_m[part], said_T_root[part], true_T_root[part], fps, WINDOW_S
            )
        )
    for part in windows(true, CHUNK):
        w.append(w_mpjpe_mm(said_joints_m[part], true_joints_m[part], CHUNK))
        wa.append(wa_mpjpe_mm(said_joints_m[part], true_joints_m[part], CHUNK))
    for part in windows(true, 2**31):
        path = true_joints_m[part, 0]
        length = float(np.linalg.norm(np.diff(path, axis=0), axis=-1).sum())
        if length:
            rte.append((length * root_translation_error_percent(said_joints_m[part, 0], path), length))
    for run in unbroken_runs(true, said):
        resting = foot_contact(true_joints_m[run][:, FEET], fps)
        if resting.any():
            speed = foot_sliding_cm_s(said_joints_m[run][:, FEET], resting, fps)
            slide.append((speed * resting.sum(), resting.sum()))
        jitter.append(jitter_m_s3(said_joints_m[run], fps))
    return {
        "g_mpjpe_mm": _joined(g),
        "w_mpjpe_mm": _joined(w),
        "wa_mpjpe_mm": _joined(wa),
        "rte_percent": _summed(rte),
        "foot_slide_cm_s": _summed(slide),
        "jitter_m_s3": _joined(jitter),
    }


def skin_means(
    true_skin_m: Floats,  # (s, V, 3) of one window, in a world with z up and the floor at 0
    said_skin_m: Floats,  # (s, V, 3)
    true_T_root: Floats,  # (s, 4, 4)
    said_T_root: Floats,
    fps: float,
) -> dict[str, Mean]:
    """``g_pve_mm``, as ``g_mpjpe_mm``; ``ground_penetration_mm``: mean depth of what is below the floor."""
    errors_mm = global_errors_mm(said_skin_m, true_skin_m, said_T_root, true_T_root, fps, WINDOW_S)
    return {
        "g_pve_mm": mean_of(errors_mm),
        "ground_penetration_mm": mean_of(ground_penetration_mm(said_skin_m)),
    }


def relative_means(found: Rows, true_T_root: Floats, said_T_root: Floats) -> dict[str, Mean]:
    """GLAMR F over all pairs of people found in the same frame: ``relative_translation_mm`` and ``..._rotation_deg``.

    Roots (k, 4, 4) in any space that a frame's people share.
    """
    ids, person = np.unique(found["person"], return_inverse=True)
    times, frame = np.unique(found["frame"], return_inverse=True)
    there = np.zeros((len(ids), len(times)), dtype=bool)
    there[person, frame] = True
    people = there.sum(axis=0)
    pairs = float((people * (people - 1)).sum())
    if not pairs:
        return {}
    said, true = np.tile(np.eye(4), (2, *there.shape, 1, 1))
    said[person, frame], true[person, frame] = said_T_root, true_T_root
    translation_m, rotation_rad = relative_errors(said, true, there)
    return {
        "relative_translation_mm": (1000 * translation_m * pairs, pairs),
        "relative_rotation_deg": (np.rad2deg(rotation_rad) * pairs, pairs),
    }


def _joined(parts: list[Floats]) -> Mean:
    return mean_of(np.concatenate([np.zeros(0), *parts]))


def _summed(parts: list[tuple[float, float]]) -> Mean:
    total, weight = np.sum([(0.0, 0.0), *parts], axis=0)
    return float(total), float(weight)
