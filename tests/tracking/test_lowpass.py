"""The low pass without lag: what it leaves of sines, by Butterworth's formula, and that nothing is led over gaps."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.errors import ChorosError
from choros.tracking.lowpass import lowpass, lowpass_motion, lowpass_rotations
from tests.exporters.walkers import CUT, THERE, walkers, walkers_after_a_cut

RATE = 100.0
TIMES_S = np.arange(2000) / RATE
INSIDE = slice(500, 1500)


@pytest.mark.parametrize("frequency_hz", [0.5, 3.0, 6.0, 12.0, 30.0])
def test_a_sine_keeps_its_phase_and_as_much_as_the_formula_says(frequency_hz):
    """Twice a second-order filter: gain 1 / (1 + (w / w1)^4), w = tan(pi f / rate), which is 1/sqrt 2 at 6 Hz."""
    sine = np.sin(2 * np.pi * frequency_hz * TIMES_S)
    filtered = lowpass(sine[:, None], 6.0, RATE)[:, 0]
    w, w6 = (np.tan(np.pi * f / RATE) for f in (frequency_hz, 6.0))
    gain = 1 / (1 + (w / w6) ** 4 * (np.sqrt(2) - 1))
    np.testing.assert_allclose(filtered[INSIDE], gain * sine[INSIDE], atol=1e-3)
    if frequency_hz == 6.0:
        assert gain == pytest.approx(np.sqrt(0.5))


def test_what_stands_or_goes_evenly_stays():
    line = np.outer(TIMES_S, [1.0, -2.0]) + 3
    np.testing.assert_allclose(lowpass(line, 4.0, RATE), line, atol=1e-9)
    for few in (0, 1, 2, 5):
        np.testing.assert_allclose(lowpass(line[:few], 4.0, RATE), line[:few], atol=1e-9)


def test_turns_about_an_axis_are_filtered_as_their_angle():
    """Small sines about an axis, past half a turn, where rotation vectors jump and quaternions change their sign."""
    slow, fast = 0.5 * TIMES_S, 0.05 * np.sin(2 * np.pi * 20 * TIMES_S)
    axis = np.array([2.0, -1, 2]) / 3
    turns = Rotation.from_rotvec((slow + fast)[:, None] * axis).as_rotvec()[:, None]
    filtered = Rotation.from_rotvec(lowpass_rotations(turns, 3.0, RATE)[INSIDE, 0])
    off = (filtered.inv() * Rotation.from_rotvec(slow[INSIDE, None] * axis)).magnitude()
    assert off.max() < 0.05 * 1e-2


def test_each_stretch_is_by_itself():
    """Person 5 is away for six frames: what comes after does not change what was before, nor a cut."""
    motion = walkers()
    changed = motion.rows.copy()
    later = (motion.row_person == 5) & (motion.row_frame >= THERE[5][10])
    changed["transl"][later] += 40
    one, other = (
        lowpass_motion(type(motion)(motion.header, motion.frames, rows), 3.0)
        for rows in (motion.rows, changed)
    )
    np.testing.assert_array_equal(one.rows[~later], other.rows[~later])
    cut = walkers_after_a_cut()
    whole = lowpass_motion(cut, 3.0)
    np.testing.assert_array_equal(whole[:CUT].rows, lowpass_motion(cut[:CUT], 3.0).rows)
    assert whole.header.provenance["lowpass_hz"] == 3.0


def test_shape_evidence_frames_and_who_is_there_stay():
    motion, filtered = walkers(), lowpass_motion(walkers(), 1.0)
    np.testing.assert_array_equal(filtered.frames, motion.frames)
    for name in ("frame", "person", "betas", "kid", "visible", "box_px", "keypoints_px", "confidence"):
        np.testing.assert_array_equal(filtered.rows[name], motion.rows[name])
    assert abs(filtered.rows["transl"] - motion.rows["transl"]).max() > 1e-3


@pytest.mark.parametrize("hz", [0.0, -1.0, 12.5, 40.0, np.nan])
def test_a_cutoff_that_is_none_is_refused(hz):
    with pytest.raises(
        ChorosError, match=r"Hz is none for 25 frames/s; give more than 0 and less than 12.5 Hz"
    ):
        lowpass_motion(walkers(), hz)
