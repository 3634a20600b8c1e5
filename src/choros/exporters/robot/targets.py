"""Where a robot's bodies ought to be, frame by frame: a person's motion in the robot's proportions.

Everything is scaled by one number, the length of the robot's legs by the person's, about the floor: ankles that
stand still do so for the robot too. Limbs keep the person's directions and get the robot's lengths; arms are told
in the torso, so that they go on doing the same where a waist cannot bend as a back does.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from choros.body.cast import Cast, CastPerson, rest_vertices
from choros.body.kinematics import posed_joints
from choros.exporters.robot.bodies import SIDES
from choros.exporters.robot.model import Robot
from choros.rotation import rotvec_to_rotmat
from choros.skeleton import JOINT_NAMES, joint_index

Floats = NDArray[np.float64]

#: From a robot's axes (x forward, y left, z up) to the body's at rest (x left, y up, z forward).
TO_BODY = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
FLOOR_SHARE = 5  # percentile of the heights of soles that is taken for the floor where the motion knows none


@dataclass(frozen=True)
class Targets:
    """Of each joint that a robot's body stands for, in n frames; metres, z up, floor at 0."""

    scale: float
    place: dict[str, Floats]  # (n, 3) of pelvis, knees, ankles
    turn: dict[str, Floats]  # (n, 3, 3) of the bodies of pelvis, torso, ankles, head
    in_torso: dict[str, Floats]  # (n, 3) of elbows and wrists in the torso's body


def targets_of(
    cast: Cast,  # z up
    person: CastPerson,
    robot: Robot,
    bodies: dict[str, int],
    sole_m: float,  # of the robot's ankles at rest above its soles
) -> Targets:
    """What the robot should do in the person's frames."""
    turns, joints = posed_joints(
        rotvec_to_rotmat(person.rotvec), np.tile(person.rest_joints, (len(person.frame), 1, 1))
    )
    joints = joints - joints[:, :1] + person.pelvis[:, None]
    rest = {name: robot.rest_place[body] for name, body in bodies.items()}
    human = {name: person.rest_joints[joint_index(name)] for name in bodies}
    scale = _leg_m(rest) / _leg_m(human)
    human_sole = _mean_height(person.rest_joints) - float(rest_vertices(cast.body, person)[:, 1].min())
    joints[..., 2] -= human_sole + (0 if cast.space == "world" else _floor(joints, human_sole))
    joints = scale * joints
    joints[..., 2] += sole_m  # ankles of who stands flat are at the robot's height of ankles

    A = TO_BODY @ _axes_at_rest(rest).T
    turn: dict[str, Floats] = {
        name: turns[:, joint_index(name)] @ A @ robot.rest_turn[bodies[name]]
        for name in ("pelvis", "spine3", "left_ankle", "right_ankle", "head")
        if name in bodies
    }
    place = {f"{side}_ankle": joints[:, joint_index(f"{side}_ankle")] for side in SIDES}
    mid_hip = joints[:, [joint_index(f"{side}_hip") for side in SIDES]].mean(1)
    robot_mid_hip = (rest["left_hip"] + rest["right_hip"]) / 2
    upright = turns[:, 0] @ A  # of the base's axes

    def on_pelvis(point: Floats) -> Floats:
        return mid_hip + (upright @ (point - robot_mid_hip)[:, None])[..., 0]

    place["pelvis"] = on_pelvis(rest["pelvis"])
    for side in SIDES:
        hip, knee = f"{side}_hip", f"{side}_knee"
        place[knee] = on_pelvis(rest[hip]) + _length(rest, hip, knee) * _direction(joints, hip, knee)
    return Targets(scale, place, turn, _arms(turns, joints, rest, robot, bodies, A))


def _arms(
    turns: Floats, joints: Floats, rest: dict[str, Floats], robot: Robot, bodies: dict[str, int], A: Floats
) -> dict[str, Floats]:
    """Elbows and wrists (n, 3) in the torso's body."""
    if "spine3" not in bodies:
        return {}
    to_torso = robot.rest_turn[bodies["spine3"]].T
    back = np.swapaxes(turns[:, joint_index("spine3")], -1, -2)
    found = {}
    for side in SIDES:
        chain = [f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist")]
        if chain[0] not in bodies or chain[1] not in bodies:
            continue
        at = np.tile(to_torso @ (rest[chain[0]] - rest["spine3"]), (len(turns), 1))
        for start, end in pairwise(chain):
            if end not in bodies:
                break
            way = (back @ _direction(joints, start, end)[..., None])[..., 0]  # in the body's axes at rest
            at = at + _length(rest, start, end) * way @ A @ to_torso.T
            found[end] = at
    return found


def _axes_at_rest(rest: dict[str, Floats]) -> Floats:
    """Forward, left and up of a robot at rest, as columns: left is where its left hip is."""
    left = rest["left_hip"] - rest["right_hip"]
    left = np.array([left[0], left[1], 0]) / np.hypot(left[0], left[1])
    up = np.array([0.0, 0, 1])
    return np.stack([np.cross(left, up), left, up], axis=1)


def _length(points: dict[str, Floats], start: str, end: str) -> float:
    return float(np.linalg.norm(points[end] - points[start]))


def _direction(joints: Floats, start: str, end: str) -> Floats:
    way = joints[:, joint_index(end)] - joints[:, joint_index(start)]
    return np.asarray(way / np.linalg.norm(way, axis=-1, keepdims=True))


def _leg_m(points: dict[str, Floats]) -> float:
    """Thigh and shin, the mean of both sides."""
    legs = [
        _length(points, f"{side}_hip", f"{side}_knee") + _length(points, f"{side}_knee", f"{side}_ankle")
        for side in SIDES
    ]
    return sum(legs) / 2


def _mean_height(rest_joints: Floats) -> float:
    return float(np.mean([rest_joints[JOINT_NAMES.index(f"{side}_ankle")][1] for side in SIDES]))


def _floor(joints: Floats, sole_m: float) -> float:
    ankles = joints[:, [joint_index(f"{side}_ankle") for side in SIDES], 2]
    return float(np.percentile(ankles.min(1) - sole_m, FLOOR_SHARE))
