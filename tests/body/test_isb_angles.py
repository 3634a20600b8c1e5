"""ISB angles of poses that are told in words: bent knees, raised arms, turned forearms; the same on both sides."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body.isb_angles import ANGLES, NAMES, isb_angles
from choros.skeleton import JOINT_NAMES, MIRROR_JOINTS


def posed(**turns):
    """(1, 24, 3) of turns by joint: axis of SMPL's body (x left, y up, z forward) or a rotation, and degrees."""
    rotvec = np.zeros((1, 24, 3))
    for joint, turn in turns.items():
        if not isinstance(turn, Rotation):
            axis, degrees = turn
            turn = Rotation.from_euler(axis, degrees, degrees=True)
        rotvec[0, JOINT_NAMES.index(joint)] = turn.as_rotvec()
    return rotvec


def angles(**turns):
    return dict(zip(NAMES, isb_angles(posed(**turns))[0], strict=True))


#: Turns in SMPL's axes at rest, whose sense is that of a right-handed screw, and what they are called.
KNOWN = [
    ({"right_hip": ("x", -30)}, {"right_hip_flexion": 30}),  # y down goes to z forward: about -x
    ({"left_hip": ("x", -30)}, {"left_hip_flexion": 30}),
    ({"right_hip": ("z", -10)}, {"right_hip_adduction": -10}),  # the right leg to its right
    ({"right_hip": ("z", 10)}, {"right_hip_adduction": 10}),
    ({"left_hip": ("z", 10)}, {"left_hip_adduction": -10}),
    ({"right_hip": ("y", 20)}, {"right_hip_internal_rotation": 20}),  # its toes to the left
    ({"left_hip": ("y", -20)}, {"left_hip_internal_rotation": 20}),
    ({"right_knee": ("x", 60)}, {"right_knee_flexion": 60}),  # the shin goes back
    ({"left_knee": ("x", 60)}, {"left_knee_flexion": 60}),
    ({"left_ankle": ("x", -15)}, {"left_ankle_dorsiflexion": 15}),  # toes up
    ({"right_ankle": ("z", 8)}, {"right_ankle_inversion": 8}),  # the sole to the left
    ({"left_ankle": ("z", -8)}, {"left_ankle_inversion": 8}),
    ({"right_elbow": ("y", 90)}, {"right_elbow_flexion": 90}),  # the forearm from pointing right to forward
    ({"left_elbow": ("y", -90)}, {"left_elbow_flexion": 90}),
    ({"right_elbow": ("x", -90)}, {"right_elbow_pronation": 0}),  # the palm from down to forward
    ({"left_elbow": ("x", -90)}, {"left_elbow_pronation": 0}),
    ({"right_shoulder": ("z", 60)}, {"right_shoulder_elevation": 30}),  # down from the T
    ({"left_shoulder": ("z", -60)}, {"left_shoulder_elevation": 30}),
    ({"right_shoulder": ("z", -45)}, {"right_shoulder_elevation": 135}),
    ({"right_shoulder": ("y", 90)}, {"right_shoulder_plane_of_elevation": 90}),  # arm forward, level
    ({"left_shoulder": ("y", -90)}, {"left_shoulder_plane_of_elevation": 90}),
    (
        {"right_shoulder": ("x", 25)},
        {"right_shoulder_internal_rotation": 25},
    ),  # the crook of the arm turns down
    ({"left_shoulder": ("x", 25)}, {"left_shoulder_internal_rotation": 25}),
]
IN_THE_T = {f"{side}_shoulder_elevation": 90 for side in ("right", "left")} | {
    f"{side}_elbow_pronation": 90 for side in ("right", "left")
}


@pytest.mark.parametrize(("turns", "expected"), KNOWN)
def test_poses_in_words(turns, expected):
    told = angles(**turns)
    for name in NAMES:
        assert told[name] == pytest.approx((IN_THE_T | expected).get(name, 0), abs=1e-9), name


def test_the_collar_is_part_of_the_arm_against_the_thorax():
    told = angles(right_collar=("z", 20), right_shoulder=("z", 40))
    assert told["right_shoulder_elevation"] == pytest.approx(30)


def test_plane_and_rotation_of_an_arm_that_hangs_are_not_told():
    told = angles(right_shoulder=("z", 88), left_shoulder=("z", -80))
    assert told["right_shoulder_elevation"] == pytest.approx(2)
    assert np.isnan(
        [told["right_shoulder_plane_of_elevation"], told["right_shoulder_internal_rotation"]]
    ).all()
    assert np.isfinite([value for name, value in told.items() if not name.startswith("right_shoulder")]).all()


def test_angles_put_together_again_are_the_turn():
    """The definitions of Wu et al. in scipy's words: ZXY of hips, knees and ankles, YXY of arms, moved axes."""
    rng = np.random.default_rng(3)
    to_isb = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    rotvec = rng.normal(0, 0.5, (40, 24, 3))
    told = dict(zip(NAMES, isb_angles(rotvec).T, strict=True))

    def turn(joint):
        R = Rotation.from_rotvec(rotvec[:, JOINT_NAMES.index(f"right_{joint}")]).as_matrix()
        return Rotation.from_matrix(to_isb @ R @ to_isb.T)

    for joint, sign in (("hip", 1), ("knee", -1), ("ankle", 1)):
        z, x, y = (told[f"right_{joint}_{angle}"] for angle in ANGLES[joint])
        again = Rotation.from_euler("ZXY", np.stack([sign * z, x, y], 1), degrees=True)
        assert (again.inv() * turn(joint)).magnitude().max() < 1e-9
    plane, elevation, rotation = (told[f"right_shoulder_{angle}"] for angle in ANGLES["shoulder"])
    arm = turn("collar") * turn("shoulder") * Rotation.from_euler("x", -90, degrees=True)
    again = Rotation.from_euler("YXY", np.stack([plane, -elevation, rotation], 1), degrees=True)
    known = np.isfinite(plane)
    assert known.mean() > 0.8
    assert (again.inv() * arm)[known].magnitude().max() < 1e-9


def test_left_and_right_are_called_alike():
    rng = np.random.default_rng(4)
    rotvec = rng.normal(0, 0.4, (10, 24, 3))
    mirrored = rotvec[:, list(MIRROR_JOINTS)] * [1, -1, -1]
    told, other = isb_angles(rotvec), isb_angles(mirrored)
    swapped = [
        NAMES.index(name.replace("right", "L").replace("left", "right").replace("L", "left"))
        for name in NAMES
    ]
    np.testing.assert_allclose(other[:, swapped], told, atol=1e-9)
