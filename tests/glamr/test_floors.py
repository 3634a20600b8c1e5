"""Not everybody is on the floor: stands, stairs, jumps and people cut off at the waist."""

import numpy as np
import pytest

from choros.body import BodyModel
from choros.camera_motion.camera_path import CameraPath
from choros.evaluation.bodies import joints_m
from choros.glamr.floors import FloorRules, with_floors
from choros.glamr.initial_world import first_world
from choros.glamr.observations import observations_of
from choros.glamr.options import WorldOptions
from choros.glamr.person_trajectories import person_trajectories
from choros.glamr.pipeline import world_of
from choros.rotation import rotmat_about
from choros.skeleton import JOINT_NAMES

from .walkers import FPS, Held, Known, camera_path, climber, seen_motion, standing, walkers

SIDES = ("left", "right")


def joints_of(made, people):
    """Everybody's joints (P, T, 24, 3) in the world."""
    joints = joints_m(made.rows, BodyModel.load())
    return joints.reshape(-1, people, 24, 3).swapaxes(0, 1)


def placed(T, motion, predictor=None, **options):
    options = {"camera": "static", "smooth_s": 0, "feet": "free"} | options
    made = world_of(motion, WorldOptions(**options), Held(), predictor or Known(T))
    return made, joints_of(made, len(T))[:, :, 0], made.T_world_camera[0]


def hops(frames, starts_s, air_s=0.6):
    """Height (T,) of somebody who falls freely between take-off and landing."""
    t = np.arange(frames) / 30
    return sum(np.maximum(9.81 / 2 * (t - a) * (a + air_s - t), 0) for a in starts_s)


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
    jump = T.copy()
    jump[0, :, 2, 3] += hops(60, (0.3, 1.2))
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


@pytest.mark.parametrize("upstairs", [1, 2])
def test_everybody_stays_on_the_floor_that_is_theirs(upstairs):
    """Four people; some of them are on a balcony, as many as below or fewer. The floor at 0 is the lower one."""
    T, camera = walkers(40, people=4), camera_path(40)
    floor, up = Known(T), T.copy()
    up[:upstairs, :, :3, 3] += [0, 3, 2.8]
    _, pelvis, eye = placed(up, seen_motion(up, camera), floor)
    assert eye[2, 3] == pytest.approx(1.6, abs=0.06)
    for one, true in zip(pelvis, up, strict=True):
        assert np.median(one[:, 2] - true[:, 2, 3]) == pytest.approx(0, abs=0.25)


def test_who_gets_on_a_box_is_on_it_and_then_on_the_floor_again():
    """Half a metre: of somebody who was there all along that might be an error of their size."""
    T, camera = walkers(90), camera_path(90)
    level, boxed = Known(T), T.copy()
    t = np.arange(90) / 30
    boxed[0, :, 2, 3] += 0.5 * np.clip(np.minimum(t - 0.7, 2.3 - t) / 0.3, 0, 1)
    for feet in ("free", "locked"):
        _, pelvis, _ = placed(boxed, seen_motion(boxed, camera), level, feet=feet)
        height = pelvis[0, :, 2] - np.median(pelvis[1, :, 2])
        assert np.median(height[(t > 1.1) & (t < 1.9)]) == pytest.approx(0.5, abs=0.03)
        assert np.median(height[(t < 0.6) | (t > 2.4)]) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("feet", ["free", "locked"])
def test_feet_on_stairs_are_on_their_steps(feet):
    """Somebody walks to a flight of nine steps and up, beside one who stays below; the predicted path is level."""
    T, camera = walkers(150), camera_path(150)
    R, pelvis, step_m, stands = climber(150, floor_steps=2, flight=9)
    T[0, :, :3, :3], T[0, :, :3, 3] = R[:, 0], pelvis - [0.6, 0, 0]
    level = T.copy()
    level[0, :, 2, 3] = T[0, 0, 2, 3]
    made, _, _ = placed(T, seen_motion(T, camera, poses={0: R[:, 1:]}), Known(level), feet=feet)
    joints, skeleton = joints_of(made, 2)[0], standing()
    for k, side in enumerate(SIDES):
        ball = JOINT_NAMES.index(f"{side}_foot")
        above = joints[:, ball, 2] - (skeleton.joints_rest[ball, 1] - skeleton.sole_m) - step_m[:, k]
        assert np.abs(above[stands[:, k]]).mean() < 0.015
        assert np.abs(above[stands[:, k]]).max() < (0.1 if feet == "free" else 0.05)
        if feet == "locked":
            rests = stands[1:, k] & stands[:-1, k]
            assert np.linalg.norm(np.diff(joints[:, ball], axis=0), axis=-1)[rests].mean() < 0.001
    assert np.ptp(joints[:, 0, 2]) == pytest.approx(np.ptp(pelvis[:, 2]), abs=0.1)


@pytest.mark.parametrize(
    ("off", "eye_m"), [((0, 55, 18.0), 0.06), ((0, 12, -3.0), 0.06), ((20, 30, 1.4), 0.35)]
)
def test_nobody_far_above_or_below_the_floor_is_sent_far_away(off, eye_m):
    """High up and far away; in a pit; at the camera's own height, where no floor is in sight of their feet.

    The last is so far that a camera tilted by two degrees would explain it: he counts, and lifts the camera.
    """
    T, camera = walkers(40, people=4), camera_path(40)
    floor, up = Known(T), T.copy()
    up[3, :, :3, 3] += off
    for feet in ("free", "locked"):
        _, pelvis, eye = placed(up, seen_motion(up, camera), floor, feet=feet)
        away = np.linalg.norm(pelvis[3] - eye[:3, 3], axis=-1)
        true = np.linalg.norm(up[3, :, :3, 3] - camera[0, :3, 3], axis=-1)
        assert away == pytest.approx(true, rel=0.1)
        assert eye[2, 3] == pytest.approx(1.6, abs=eye_m)


def test_who_jumps_in_the_stands_is_not_held_there():
    T, camera = walkers(60, people=3), camera_path(60)
    floor, up = Known(T), T.copy()
    up[2, :, :3, 3] += [0, 8, 4.0]
    up[2, :, 2, 3] += hops(60, (0.3, 1.2))
    _, pelvis, _ = placed(up, seen_motion(up, camera), floor, feet="locked")
    assert np.ptp(pelvis[2, :, 2]) == pytest.approx(0.44, abs=0.1)


def test_feet_that_nobody_saw_are_not_held_to_the_floor():
    """Cut off at the waist and sitting: locked feet leave them where they are seen, as free ones do."""
    T, camera = walkers(40, people=3), camera_path(40)
    low = T.copy()
    low[2, :, 2, 3] -= 0.45
    motion = seen_motion(low, camera)
    motion.rows["keypoints_px"][motion.rows["person"] == 3, 11:, 2] = 0
    (_, free, _), (_, locked, _) = (placed(low, motion, Known(T), feet=feet) for feet in ("free", "locked"))
    assert np.abs(locked[2] - free[2]).max() < 0.05


def grounded_from(eye_m, T, poses=None, nearer=None):
    """How much somebody, T (1, n, 4, 4), counts for the floor in the world as it begins: seen from ``eye_m`` above it.

    The camera is 10 m away and looks down at them; ``nearer`` (n,) is by how much too small, and so too near, they are
    said to be: what a system errs in.
    """
    frames = T.shape[1]
    camera = camera_path(frames)
    camera[:, :3, 3] = 0, -4, eye_m
    down = np.arctan2(eye_m - 1, 10)
    camera[:, :3, :3] = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]) @ rotmat_about("x", -down)
    motion = seen_motion(T, camera, poses=poses)
    if nearer is not None:
        pelvis = standing().pelvis_rest + motion.transl
        motion.rows["transl"] -= (nearer[:, None] * pelvis).astype(np.float32)
    people = person_trajectories(motion, BodyModel.load(), Held(), Known(T))
    observations = observations_of(motion, people)
    given = CameraPath(camera[:, :3, :3], camera[:, :3, 3])
    return with_floors(observations, first_world(people, observations, "given", None, given)).grounded[:, 0]


@pytest.mark.parametrize(("eye_m", "told"), [(1.6, True), (3.0, True), (8.0, False)])
def test_who_climbs_is_off_the_floor_from_the_second_step_unless_seen_from_far_above(eye_m, told):
    """Up nine steps to another floor. From so far above that a size a tenth off hides the climb, nobody does."""
    assert (FloorRules().climb_size * eye_m > FloorRules().climb_m) != told
    R, pelvis, step_m, _ = climber(210, floor_steps=3, flight=9)
    T = np.tile(np.eye(4), (1, 210, 1, 1))
    T[0, :, :3, :3], T[0, :, :3, 3] = R[:, 0], pelvis - [1.5, 0, 0]
    grounded = grounded_from(eye_m, T, poses={0: R[:, 1:]})
    low = step_m.min(1)  # of the foot that is lower
    about = int(0.6 * FPS)  # heights are medians of a second
    below, above = (np.flatnonzero(where) for where in (low < 0.01, low > 0.3))
    np.testing.assert_array_equal(grounded[: below[-1] - about], 1)
    np.testing.assert_array_equal(grounded[above[0] + about :], 0 if told else 1)


@pytest.mark.parametrize("eye_m", [1.6, 3.0, 8.0])
def test_a_size_that_errs_more_and_more_is_no_climb(eye_m):
    """Somebody on the level who is said to be smaller and smaller, by a tenth in the end, comes up along their ray."""
    T = walkers(120, people=1)
    grounded = grounded_from(eye_m, T, nearer=np.linspace(0, 0.1, 120))
    np.testing.assert_array_equal(grounded, 1)
