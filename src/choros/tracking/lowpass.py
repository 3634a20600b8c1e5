"""A low pass without lag, for motions that are complete: Butterworth's filter forwards and then backwards.

As in biomechanics (Winter, Biomechanics and Motor Control of Human Movement, 2.2.4.4): second order, twice, so fourth
in all, and its cut-off raised so that after both passes half of the power is left at the frequency that was asked for.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfiltfilt

from choros.errors import ChorosError
from choros.motion import Motion
from choros.rotation import quat_wxyz_to_rotvec, rotvec_to_quat_wxyz

Floats = NDArray[np.float64]

ORDER, PASSES = 2, 2


def lowpass(values: Floats, cutoff_hz: float, rate_hz: float) -> Floats:
    """Each component of ``values`` (n, ...), samples at a constant rate, without what is faster than ``cutoff_hz``.

    What is filtered is how far they are from the straight way between their ends, which go on mirrored about the last
    point. Raises ``ChorosError`` for a cut-off that samples at
    this rate do not tell.
    """
    if not 0 < cutoff_hz < 0.5 * rate_hz:
        raise ChorosError(
            f"a low pass of {cutoff_hz:g} Hz is none for {rate_hz:g} frames/s; give more than 0 and less than "
            f"{0.5 * rate_hz:g} Hz."
        )
    if len(values) < 2:
        return values.copy()
    wider = (2 ** (1 / PASSES) - 1) ** (-1 / (2 * ORDER))  # of one pass, on the bilinear transform's axis
    angle = np.arctan(np.tan(np.pi * cutoff_hz / rate_hz) * wider)
    sections = butter(ORDER, angle / (0.5 * np.pi), output="sos")
    reach = min(int(np.ceil(3 * rate_hz / cutoff_hz)), len(values) - 1)
    share = np.linspace(0, 1, len(values)).reshape(-1, *[1] * (values.ndim - 1))
    straight = (1 - share) * values[0] + share * values[-1]
    filtered: Floats = straight + sosfiltfilt(sections, values - straight, axis=0, padlen=reach)
    return filtered


def lowpass_rotations(rotvec: Floats, cutoff_hz: float, rate_hz: float) -> Floats:
    """Turns (n, J, 3), axis-angle, rad, filtered as quaternions, which are brought to length 1 again."""
    wxyz = rotvec_to_quat_wxyz(rotvec.reshape(-1, 3)).reshape(*rotvec.shape[:-1], 4)
    turned_over = (wxyz[1:] * wxyz[:-1]).sum(-1) < 0  # q and -q are one turn
    sign = np.cumprod(np.where(turned_over, -1.0, 1.0), axis=0)
    wxyz[1:] *= sign[..., None]
    filtered = lowpass(wxyz, cutoff_hz, rate_hz)
    filtered /= np.linalg.norm(filtered, axis=-1, keepdims=True)
    return quat_wxyz_to_rotvec(filtered.reshape(-1, 4)).reshape(rotvec.shape)


def lowpass_motion(motion: Motion, cutoff_hz: float) -> Motion:
    """Everyone's place and pose without what is faster than ``cutoff_hz``, at the constant rate of ``Motion.evenly``.

    Each stretch of a person in which no frame is missing is filtered by itself; nothing is led over a gap or a cut.
    Shape, boxes and keypoints stay. Raises ``ChorosError`` as ``lowpass`` does.
    """
    even = motion.evenly()
    rows, rate_hz = even.rows.copy(), float(even.fps)
    lowpass(np.zeros((0, 1)), cutoff_hz, rate_hz)  # refuses a cut-off of a motion of nobody too
    part = np.cumsum(even.cut_before | even.gap_before)[rows["frame"]]
    for person in even.ids:
        mine = np.flatnonzero(rows["person"] == person)
        apart = (np.diff(rows["frame"][mine]) > 1) | (np.diff(part[mine]) > 0)
        for stretch in np.split(mine, np.flatnonzero(apart) + 1):
            turns = np.concatenate([rows["global_orient"][stretch], rows["body_pose"][stretch]], -1)
            turns = lowpass_rotations(turns.astype(np.float64).reshape(-1, 24, 3), cutoff_hz, rate_hz)
            turns = turns.reshape(-1, 72)
            rows["global_orient"][stretch], rows["body_pose"][stretch] = turns[:, :3], turns[:, 3:]
            rows["transl"][stretch] = lowpass(rows["transl"][stretch].astype(np.float64), cutoff_hz, rate_hz)
    header = replace(even.header, provenance=even.header.provenance | {"lowpass_hz": cutoff_hz})
    return replace(even, header=header, rows=rows)
