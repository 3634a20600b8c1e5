"""Inverse kinematics of a robot over time, by mink's quadratic programs: each frame goes on from the one before.

Ankles weigh most, so that feet stand where they should; knees only say to which side a leg bends. Limits of joints
are constraints of every step. Frames where the feet would still be in the floor are lifted out of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mink
import mujoco
import numpy as np
from numpy.typing import NDArray

from choros.exporters.robot.bodies import SIDES
from choros.exporters.robot.model import Robot, lowest_m
from choros.exporters.robot.targets import Targets

Floats = NDArray[np.float64]

ENDS = tuple(f"{side}_{joint}" for side in SIDES for joint in ("ankle", "wrist"))


@dataclass(frozen=True)
class Weights:
    """Our choice, by what must be right first; a metre of an ankle costs as much as two radians of it."""

    ankle: tuple[float, float] = (10.0, 3.0)  # of metres, of radians
    pelvis: tuple[float, float] = (2.0, 2.0)
    knee: float = 0.5
    torso: float = 1.0
    arm: float = 3.0
    head: float = 0.3
    rest: float = 0.01  # what nothing speaks of stays as at rest
    damping: float = 0.05  # Levenberg and Marquardt's, of each task
    most_steps: int = 12  # a frame, and ten times that of the first
    enough: float = 1e-3  # metres and radians of the last step


@dataclass(frozen=True)
class RobotMotion:
    """What was found for n frames."""

    qpos: Floats  # (n, nq) of the model; the base's place in metres and quaternion wxyz first
    errors_m: dict[str, Floats]  # (n,) by end: ankles in the world, wrists in the torso
    foot_turn_rad: Floats  # (n,) the worse of both feet
    lifted_m: Floats  # (n,) how far the base was lifted


def solve(
    robot: Robot, bodies: dict[str, int], targets: Targets, weights: Weights | None = None
) -> RobotMotion:
    """Angles that bring the robot's bodies to their targets, within the limits of its joints."""
    weights = weights or Weights()
    names = {joint: robot.model.body(body).name for joint, body in bodies.items()}
    tasks = _tasks(robot, names, targets, weights)
    start = np.array(robot.model.qpos0)
    low, high = _limits(robot)
    start[7:] = np.clip(start[7:], low[7:], high[7:])
    start[:3] = targets.place["pelvis"][0]
    facing = targets.turn["pelvis"][0] @ robot.rest_turn[bodies["pelvis"]].T
    mujoco.mju_mat2Quat(start[3:7], np.ascontiguousarray(facing).ravel())
    configuration = mink.Configuration(robot.model, q=start)
    limits = [mink.ConfigurationLimit(robot.model)]
    frames = []
    for i in range(len(targets.place["pelvis"])):
        for task, place, turn in tasks:
            task.set_target(
                _pose(place[i] if place is not None else None, turn[i] if turn is not None else None)
            )
        every = [task for task, _, _ in tasks]
        rest = mink.PostureTask(robot.model, cost=weights.rest)
        rest.set_target(robot.model.qpos0)
        for _ in range(weights.most_steps * (1 if i else 10)):
            step = mink.solve_ik(configuration, [*every, rest], 1.0, "daqp", limits=limits)
            configuration.integrate_inplace(step, 1.0)
            if np.abs(step).max() < weights.enough:
                break
        frames.append(np.clip(configuration.q, low, high))
    return _measured(robot, bodies, targets, np.array(frames))


def _tasks(
    robot: Robot, names: dict[str, str], targets: Targets, weights: Weights
) -> list[tuple[Any, Floats | None, Floats | None]]:
    """Tasks with the places (n, 3) and turns (n, 3, 3) that they are to reach."""
    costs = {
        "pelvis": weights.pelvis, "spine3": (0.0, weights.torso), "head": (0.0, weights.head),
        **{f"{side}_ankle": weights.ankle for side in SIDES}, **{f"{side}_knee": (weights.knee, 0.0) for side in SIDES},
    }  # fmt: skip
    tasks: list[tuple[Any, Floats | None, Floats | None]] = []
    for joint, (of_place, of_turn) in costs.items():
        if joint in names:
            task = mink.FrameTask(names[joint], "body", of_place, of_turn, lm_damping=weights.damping)
            tasks.append((task, targets.place.get(joint), targets.turn.get(joint)))
    for joint, place in targets.in_torso.items():
        relative = mink.RelativeFrameTask(
            names[joint], "body", names["spine3"], "body", weights.arm, 0.0, lm_damping=weights.damping
        )
        tasks.append((relative, place, None))
    return tasks


def _pose(place: Floats | None, turn: Floats | None) -> mink.SE3:
    rotation = mink.SO3.identity() if turn is None else mink.SO3.from_matrix(turn)
    return mink.SE3.from_rotation_and_translation(rotation, np.zeros(3) if place is None else place)


def _limits(robot: Robot) -> tuple[Floats, Floats]:
    low, high = np.full(robot.model.nq, -np.inf), np.full(robot.model.nq, np.inf)
    for _, place, _, limits in robot.joints():
        low[place], high[place] = limits
    return low, high


def _measured(robot: Robot, bodies: dict[str, int], targets: Targets, qpos: Floats) -> RobotMotion:
    """Lift feet out of the floor, and see how far ends are from where they ought to be."""
    data = mujoco.MjData(robot.model)
    soles = [body for side in SIDES for body in robot.below(bodies[f"{side}_ankle"])]
    ends = [end for end in ENDS if end in targets.place or end in targets.in_torso]
    errors: dict[str, Floats] = {end: np.zeros(len(qpos)) for end in ends}
    turned, lifted = np.zeros(len(qpos)), np.zeros(len(qpos))
    for i in range(len(qpos)):
        data.qpos[:] = qpos[i]
        mujoco.mj_kinematics(robot.model, data)
        lifted[i] = max(0.0, -(lowest_m(robot, data, soles) or 0.0))
        qpos[i, 2] += lifted[i]
        places, turns = data.xpos + np.array([0, 0, lifted[i]]), data.xmat.reshape(-1, 3, 3)
        for end in ends:
            at, target = places[bodies[end]], targets.place.get(end)
            if target is None:
                torso = bodies["spine3"]
                at, target = turns[torso].T @ (at - places[torso]), targets.in_torso[end]
            errors[end][i] = np.linalg.norm(at - target[i])
        for side in SIDES:
            R = turns[bodies[f"{side}_ankle"]].T @ targets.turn[f"{side}_ankle"][i]
            turned[i] = max(turned[i], np.arccos(np.clip((np.trace(R) - 1) / 2, -1, 1)))
    return RobotMotion(qpos, errors, turned, lifted)
