"""Not everybody is on the floor: stands, stairs, jumps and people cut off at the waist."""

import numpy as np
import pytest

from choros.body import BodyModel
from choros.evaluation.bodies import joints_m
from choros.glamr.options import WorldOptions
from choros.glamr.pipeline import world_of

from .walkers import Held, Known, camera_path, seen_motion, walkers


def placed(T, motion, predictor=None, **options):
    options = {"camera": "static", "smooth_s": 0, "feet": "free"} | options
    made = world_of(motion, WorldOptions(**options), Held(), predictor or Known(T))
    pelvis = joints_m(made.rows, BodyModel.load())[:, 0].reshape(T.shape[1], len(T), 3).swapaxes(0, 1)
    camera = made.T_world_camera[0]
    return made, pelvis, camera


def test_a_spectator_in_the_stands_stays_there_and_does_not_tilt_the_floor():
    T, camera = walkers(40, people=4), camera_path(40)
    floor = Known(T)
    up = T.copy()
    up[3, :, :3, 3] += [0, 14, 4.0]  # far behind the others and higher than the camera
    made, pelvis, eye = placed(up, seen_motion(up, camera), floor)
    assert eye[2, 3] == pytest.approx(1.6, abs=0.05)
    assert (
        np.linalg.norm(pelvis[:3] - up[:3, :, :3, 3] - (eye[:3, 3] - camera[0, :3, 3]), axis=-1).mean() < 0.15
    )
    away = np.linalg.norm(pelvis[3] - eye[:3, 3], axis=-1)
    true = np.linalg.norm(up[3, :, :3, 3] - camera[0, :3, 3], axis=-1)
    assert away == pytest.approx(true, rel=0.1)
    assert np.median(pelvis[3, :, 2] - up[3, :, 2, 3]) == pytest.approx(0, abs=0.3)
    locked, planted, _ = placed(up, seen_motion(up, camera), floor, feet="locked")
    assert np.median(planted[3, :, 2] - pelvis[3, :, 2]) == pytest.approx(0, abs=0.1)
    assert "foot_contact" in locked.extras
    assert made.header.space == "world"


def test_jumps_stay_jumps():
    """Two hops of .45 m that nothing but the picture tells of: the path that is predicted is level."""
    T, camera = walkers(60), camera_path(60)
    level = Known(T)
    t = np.arange(60) / 30
    jump = T.copy()
    for start in (0.3, 1.2):
        air = t - start
        jump[0, :, 2, 3] += np.maximum(9.81 / 2 * air * (0.6 - air), 0) * ((air > 0) & (air < 0.6))
    for feet in ("free", "locked"):
        _, pelvis, _ = placed(jump, seen_motion(jump, camera), level, feet=feet)
        height = pelvis[0, :, 2] - np.median(pelvis[1, :, 2])
        assert height.max() == pytest.approx(0.44, abs=0.07)
        flying = slice(int(0.4 * 30), int(0.8 * 30))
        assert np.diff(height[flying], 2).mean() * 900 == pytest.approx(-9.81, abs=2.5)


def test_who_is_cut_off_at_the_waist_is_where_they_are_seen():
    """Somebody sits behind a desk: the system says standing legs, whose keypoints nobody saw."""
    T, camera = walkers(40, people=3), camera_path(40)
    low = T.copy()
    low[2, :, 2, 3] -= 0.45
    motion = seen_motion(low, camera)
    errors = {}
    for hidden in (False, True):
        rows = motion.rows.copy()
        if hidden:
            rows["keypoints_px"][rows["person"] == 3, 11:, 2] = 0
        said = type(motion)(motion.header, motion.frames, rows)
        _, pelvis, _ = placed(low, said, Known(T))
        errors[hidden] = np.abs(pelvis[2, :, 2] - low[2, :, 2, 3]).mean()
    assert errors[True] < 0.6 * errors[False]
    assert errors[True] < 0.2
