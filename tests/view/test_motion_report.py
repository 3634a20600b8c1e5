"""The report: angles against turns that are known, and what the page says and draws."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body.cast import cast_of
from choros.errors import ChorosError
from choros.mesh.colours import colour_of
from choros.skeleton import JOINT_NAMES
from choros.view.grounding import shown_options
from choros.view.motion_report import angle_curves, joint_angles, paths_from_above, write_report
from tests.exporters.walkers import (
    AWAY_M,
    CUT,
    FPS,
    FRAMES,
    LOST,
    walkers,
    walkers_after_a_cut,
    walkers_whose_camera_is_lost,
)


def angles(joint: str, turn: Rotation) -> np.ndarray:
    rotvec = np.zeros((1, 24, 3))
    rotvec[:, JOINT_NAMES.index(joint)] = turn.as_rotvec()
    return joint_angles(rotvec, joint)[0]


#: In SMPL's axes (x left, y up, z forward): where a bone points at rest, and where after each positive angle.
LEFT, UP, FORWARD = np.eye(3)
WAYS = [
    ("left_hip", -UP, FORWARD, LEFT),
    ("right_hip", -UP, FORWARD, -LEFT),
    ("left_knee", -UP, -FORWARD, LEFT),
    ("right_knee", -UP, -FORWARD, -LEFT),
    ("left_shoulder", LEFT, FORWARD, UP),
    ("right_shoulder", -LEFT, FORWARD, UP),
    ("left_elbow", LEFT, FORWARD, UP),
    ("right_wrist", -LEFT, FORWARD, UP),
    ("spine2", UP, FORWARD, LEFT),
    ("head", UP, FORWARD, LEFT),
]


@pytest.mark.parametrize(("joint", "bone", "flexed", "aside"), WAYS)
def test_flexion_and_sideways_move_the_bone_where_they_say(joint, bone, flexed, aside):
    for number, towards in enumerate((flexed, aside)):
        turn = Rotation.from_rotvec(np.radians(30) * np.cross(bone, towards))
        np.testing.assert_allclose(turn.apply(bone) @ towards, 0.5)  # 30 degrees, towards there
        np.testing.assert_allclose(angles(joint, turn), 30 * np.eye(3)[number], atol=1e-9)


@pytest.mark.parametrize(
    ("joint", "axis"),
    [
        ("left_hip", -UP),  # toes point forward, and turn to the right
        ("right_hip", UP),
        ("left_shoulder", LEFT),  # a forearm held forward goes down
        ("right_shoulder", LEFT),
        ("neck", UP),  # to the left
    ],
)
def test_twist_is_inwards(joint, axis):
    for degrees in (-170, -20, 65, 179):
        np.testing.assert_allclose(
            angles(joint, Rotation.from_rotvec(np.radians(degrees) * axis)), [0, 0, degrees], atol=1e-9
        )


def test_ankle_flexes_with_toes_up():
    turn = Rotation.from_rotvec(np.radians(-20) * LEFT)
    assert turn.apply(FORWARD) @ UP > 0
    np.testing.assert_allclose(angles("left_ankle", turn), [20, 0, 0], atol=1e-9)


@pytest.mark.parametrize("kind", ["hip", "shoulder", "wrist"])
def test_mirrored_turns_have_the_same_angles(kind):
    turn = Rotation.random(random_state=3)
    mirrored = Rotation.from_rotvec(turn.as_rotvec() * [1, -1, -1])
    np.testing.assert_allclose(angles(f"left_{kind}", turn), angles(f"right_{kind}", mirrored), atol=1e-9)


def test_a_bone_turned_right_round_has_finite_angles():
    found = angles("left_knee", Rotation.from_rotvec(np.pi * LEFT))
    np.testing.assert_allclose(np.abs(found), [180, 0, 0], atol=1e-6)


def test_report_has_everybody_and_needs_nothing_else(tmp_path):
    write_report(walkers(), tmp_path / "r.html", "<walkers>")
    page = (tmp_path / "r.html").read_text()
    assert "<h1>&lt;walkers&gt;</h1>" in page
    assert "in the world" in page
    assert re.findall(r"</span>Person (\d+)</h2>", page) == ["1", "2", "5"]
    figures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(figures) == 2 + 3
    for figure in figures:
        ET.fromstring(re.sub(r"xlink:", "", figure))
    for person in (1, 2, 5):
        assert figures[0].count("#{:02x}{:02x}{:02x}".format(*colour_of(person))) >= 1
    assert not re.search(r'(src|href)="http', page)


def test_report_of_some_people_and_joints(tmp_path):
    write_report(walkers(camera_moves=False), tmp_path / "r.html", "m", ["neck", "ankle"], [2])
    page = (tmp_path / "r.html").read_text()
    assert re.findall(r"</span>Person (\d+)</h2>", page) == ["2"]
    for word, there in (("neck", True), ("ankle", True), ("knee<", False)):
        assert (f">{word}" in page) is there
    assert "looks up the page" in page


@pytest.mark.parametrize(
    ("joints", "people", "says"),
    [(["tail"], [], "no angles of a joint tail; choose from hip, knee"), (["hip"], [9], "no person 9")],
)
def test_what_is_not_there_is_said(tmp_path, joints, people, says):
    with pytest.raises(ChorosError, match=says):
        write_report(walkers(), tmp_path / "r.html", "m", joints, people)
    assert list(tmp_path.iterdir()) == []


def test_lines_end_at_a_cut():
    motion = walkers_after_a_cut()
    cast = cast_of(motion, shown_options(motion))
    (ax,) = paths_from_above(cast).axes
    widest_m = max(float(np.ptp(line.get_xdata())) for line in ax.lines)
    assert widest_m < 10 < AWAY_M
    over = (CUT - 0.5) / FPS
    for ax in angle_curves(cast.people[0], cast, ["knee"]).axes:
        curves = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) > 2]
        assert len(curves) == 4  # two knees in two shots
        assert not any(times.min() < over < times.max() for times in curves)


def test_where_the_camera_is_not_known_no_path_is_drawn_and_it_is_said(tmp_path):
    motion = walkers_whose_camera_is_lost()
    cast = cast_of(motion, shown_options(motion))
    (ax,) = paths_from_above(cast).axes
    lengths = [len(line.get_xdata()) for line in ax.lines]
    assert {LOST.start, FRAMES - LOST.stop} <= set(lengths)  # the camera's path in two pieces
    assert max(np.abs(line.get_xdata()).max() for line in ax.lines) < 10 < AWAY_M
    write_report(motion, tmp_path / "r.html", "m")
    said = f"The camera is not known in {len(LOST)} of {FRAMES} frames."
    assert said in (tmp_path / "r.html").read_text()
    write_report(walkers(), tmp_path / "r.html", "m")
    assert "not known" not in (tmp_path / "r.html").read_text()


def test_a_camera_that_is_known_late_begins_there():
    motion = walkers_whose_camera_is_lost()
    motion.frames["camera_known"][: LOST.start] = False
    cast = cast_of(motion, shown_options(motion))
    (ax,) = paths_from_above(cast).axes
    (square,) = (line for line in ax.lines if line.get_marker() == "s")
    T = motion.T_world_camera[LOST.stop]
    np.testing.assert_allclose((square.get_xdata()[0], square.get_ydata()[0]), T[:2, 3])
