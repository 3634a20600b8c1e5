"""A motion at a constant rate, for files and tools that count frames and have no times.

Frame k of the grid is at ``k / fps`` since the motion's first frame. Where a motion's frames all lie nearer than a
quarter of a frame to different places of the grid, they are taken as they are; any other motion is sampled between its
frames. Turns go the shortest way and places straight on, evidence and extras are those of the nearest frame; nothing
is led over a cut.

A person is led from one frame to the next where nothing was lost in between. Over lost frames, and while nobody
followed them, they are only where ``filled`` asks for it, and then not visible, with confidence 0.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError

Floats = NDArray[np.float64]
Tables = tuple[NDArray[np.void], NDArray[np.void]]  # motion.FRAME and motion.ROW

SNAP = 0.25  # of a frame: no frame of a motion that is taken as it is lies further from its place
EXACT = 1e-3  # the same where a motion gets another rate
FASTEST_FPS = 10_000  # beyond it, a rate is a mistake
MOST_DENOMINATOR = 10**9  # of time stamps, so that they fit whole numbers of 64 bits


def rate_of(fps: Fraction | float | str) -> Fraction:
    """Frames a second as a fraction. Raises ``ChorosError`` for what is none."""
    try:
        rate = Fraction(fps).limit_denominator(100_000)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        rate = Fraction(0)
    if not 0 < rate <= FASTEST_FPS:
        raise ChorosError(f"{fps!r} is no number of frames a second; give one such as 25 or 30000/1001.")
    return rate


def places(frames: NDArray[np.void], fps: Fraction, snap: float = SNAP) -> Floats:
    """Where each frame (T,) lies on the grid: whole numbers where frames are taken as they are."""
    if not len(frames):
        return np.zeros(0)
    time_s = frames["pts"][:, 0] / np.maximum(frames["pts"][:, 1], 1)
    if (np.diff(time_s) <= 0).any():  # made by hand, without times
        return np.arange(len(frames), dtype=np.float64)
    at = (time_s - time_s[0]) * float(fps)
    whole = np.rint(at)
    near = np.abs(at - whole).max() <= snap and bool((np.diff(whole) > 0).all())
    return whole if near else at


def evened(
    frames: NDArray[np.void], rows: NDArray[np.void], fps: Fraction, filled: bool, snap: float = SNAP
) -> Tables:
    """Both tables at the constant rate ``fps``; the very same ones where nothing is to be done."""
    if not len(frames):
        return frames, rows
    at = places(frames, fps, snap)
    steady = np.array_equal(at, np.arange(len(frames)))
    if steady and not filled:
        return frames, rows
    even_rows = _rows(frames, rows, at, filled)
    if steady:
        return frames, rows if len(even_rows) == len(rows) else even_rows
    return _frames(frames, at, fps), even_rows


def _frames(frames: NDArray[np.void], at: Floats, fps: Fraction) -> NDArray[np.void]:
    grid = np.arange(round(at[-1]) + 1)
    before, after, share = frames_around(at, grid)
    crossing = (after > before) & frames["cut_before"][after]
    share[crossing] = np.rint(share[crossing])
    nearest = np.where(share > 0.5, after, before)
    even = frames[nearest]
    for name in ("gap_before", "cut_before"):
        even[name] = False
        first = np.searchsorted(nearest, np.flatnonzero(frames[name]))  # sample of the frame or one after it
        even[name][first[first < len(grid)]] = True
    number = frames["number"]
    even["number"] = number[before] + np.rint(share * (number[after] - number[before])).astype(np.int64)
    start = Fraction(*frames["pts"][0].tolist())
    for k in grid.tolist():
        pts = (start + k / fps).limit_denominator(MOST_DENOMINATOR)
        even["pts"][k] = pts.numerator, pts.denominator
    between = (share > 0) & (share < 1)
    known = frames["camera_known"]
    goes_on = known[before] == known[after]  # nothing lies between a pose and none
    for name, mixed, may in (("K", _mix, between), ("T_world_camera", _mixed_poses, between & goes_on)):
        a, b = frames[name][before], frames[name][after]
        moved = np.flatnonzero(may & (a != b).any((1, 2)))
        if len(moved):
            even[name][moved] = mixed(a[moved], b[moved], share[moved])
    return even


def _rows(frames: NDArray[np.void], rows: NDArray[np.void], at: Floats, filled: bool) -> NDArray[np.void]:
    made = [
        _person(frames, rows[rows["person"] == person], at, filled) for person in np.unique(rows["person"])
    ]
    even = np.concatenate(made) if made else rows
    return even[np.lexsort((even["person"], even["frame"]))]


def _person(frames: NDArray[np.void], rows: NDArray[np.void], at: Floats, filled: bool) -> NDArray[np.void]:
    """One person's rows on the grid, from their first to their last."""
    from choros.rotation import rotvec_slerp

    frame, place = rows["frame"], at[rows["frame"]]
    grid = np.arange(round(place[0]), round(place[-1]) + 1)
    before, after, share = frames_around(place, grid)
    shot = np.cumsum(frames["cut_before"])[frame]
    lost = np.cumsum(frames["gap_before"])[frame]
    same_shot = shot[before] == shot[after]
    followed = same_shot & (frame[after] - frame[before] <= 1) & (lost[before] == lost[after])
    led = followed | (same_shot & filled)
    share[~led] = np.rint(share[~led])
    nearest = np.where(share > 0.5, after, before)
    near = np.abs(grid - place[nearest]) <= 0.5
    keep = near | led
    before, after, share, nearest, grid = (x[keep] for x in (before, after, share, nearest, grid))
    known = (followed | near)[keep]

    even = rows[nearest]
    even["frame"] = grid
    moved = np.flatnonzero((share > 0) & (share < 1))
    a, b, w = rows[before[moved]], rows[after[moved]], share[moved]
    for name in ("transl", "betas", "kid", "box_px", "confidence"):
        even[name][moved] = _mix(a[name], b[name], w)
    for name in ("global_orient", "body_pose"):
        start, end = (
            side[name].astype(np.float64).reshape(len(w), a[name].shape[1] // 3, 3) for side in (a, b)
        )
        even[name][moved] = rotvec_slerp(start, end, w).reshape(a[name].shape)
    even["visible"] &= known
    even["confidence"][~known] = 0
    return even


def frames_around(at: Floats, grid: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Frames before and after each place of a grid, and how much of the way from one to the other it is, 0 to 1.

    ``at`` (T,) are rising, ``grid`` (n,) in the same unit; beyond the ends the last is held.
    """
    before = np.clip(np.searchsorted(at, grid, side="right") - 1, 0, len(at) - 1)
    after = np.minimum(before + 1, len(at) - 1)
    step = at[after] - at[before]
    return before, after, np.clip((grid - at[before]) / np.where(step > 0, step, 1), 0, 1)


def _mix(a: NDArray[Any], b: NDArray[Any], share: Floats) -> NDArray[Any]:  # (n, ...), (n, ...), (n,)
    share = share.reshape(-1, *[1] * (a.ndim - 1))
    return (1 - share) * a + share * b


def _mixed_poses(a: Floats, b: Floats, share: Floats) -> Floats:  # (n, 4, 4)
    from choros.rotation import rotmat_to_rotvec, rotvec_slerp, rotvec_to_rotmat

    mixed = _mix(a, b, share)
    start, end = (rotmat_to_rotvec(T[:, :3, :3]) for T in (a, b))
    mixed[:, :3, :3] = rotvec_to_rotmat(rotvec_slerp(start, end, share))
    return mixed
