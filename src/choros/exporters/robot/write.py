"""A robot's motion as files: a table of its joints over time (CSV), and arrays with what was missed too (npz)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from choros.body.cast import CastPerson, cast_of, shots
from choros.errors import ChorosError
from choros.exporters.formats import ExportOptions
from choros.exporters.robot.bodies import SIDES, bodies_of
from choros.exporters.robot.model import Robot, load_robot, lowest_m
from choros.exporters.robot.solve import RobotMotion, solve
from choros.exporters.robot.targets import targets_of
from choros.motion import Motion
from choros.outputs import atomic_write

ROOT = ("x_m", "y_m", "z_m", "qw", "qx", "qy", "qz")


def write_robot(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """``<name>_person_<id>.robot.csv`` and ``.npz`` of each person and shot, at the constant rate of ``Motion.evenly``.

    z up, the floor at 0, metres, radians; where the motion knows no floor, the lowest soles are on it. The person's
    way is scaled as their legs are to the robot's. Raises ``ChorosError`` as ``load_robot``, ``bodies_of`` and
    ``cast_of`` do, and without ``options.robot``.
    """
    options = options or ExportOptions()
    if options.robot is None:
        raise ChorosError("a robot's motion needs its model; name an MJCF or URDF file after --robot.")
    robot = load_robot(options.robot)
    bodies = bodies_of(robot, options.robot_map)
    sole_m = _sole_m(robot, bodies)
    even = motion.evenly(filled=True)
    cast = cast_of(even, options, up="z")
    files = []
    for person in cast.people:
        parts = shots(person, cast)
        for part in parts:
            name = f"{path.name.removesuffix(path.suffix).removesuffix('.robot')}_{person.name}"
            if len(parts) > 1:
                name += f"_from_{motion.number[part.frame[0]]}"
            targets = targets_of(cast, part, robot, bodies, sole_m)
            found = solve(robot, bodies, targets)
            files += _write(path.with_name(name), robot, found, part, float(cast.fps), targets.scale)
    return files


def _sole_m(robot: Robot, bodies: dict[str, int]) -> float:
    """How high the ankles of a robot at rest are above its lowest sole, metres; 0 where feet have no shape."""
    data = mujoco.MjData(robot.model)
    data.qpos[:] = robot.model.qpos0
    data.qpos[:7] = 0, 0, 0, 1, 0, 0, 0
    mujoco.mj_kinematics(robot.model, data)
    ankles = [bodies[f"{side}_ankle"] for side in SIDES]
    lowest = lowest_m(robot, data, [body for ankle in ankles for body in robot.below(ankle)])
    return 0.0 if lowest is None else float(np.mean(robot.rest_place[ankles, 2])) - lowest


def _write(
    stem: Path, robot: Robot, found: RobotMotion, part: CastPerson, fps: float, scale: float
) -> list[Path]:
    joints = robot.joints()
    places = [place for _, place, _, _ in joints]
    names = [f"{name}_{'rad' if turns else 'm'}" for name, _, turns, _ in joints]
    time_s = part.time_s - part.time_s[0]
    table = np.column_stack([time_s, found.qpos[:, :7], found.qpos[:, places]])
    heading = ",".join(["time_s", *(f"root_{name}" for name in ROOT), *names])
    csv, npz = (stem.with_name(f"{stem.name}.robot.{end}") for end in ("csv", "npz"))
    with atomic_write(csv) as file:
        lines = [heading, *(",".join(f"{value:.6f}" for value in row) for row in table.tolist())]
        file.write("".join(f"{line}\n" for line in lines).encode())
    arrays: dict[str, Any] = {
        "fps": fps,
        "time_s": time_s,
        "start_s": part.time_s[0],
        "root_pos_m": found.qpos[:, :3],
        "root_quat_wxyz": found.qpos[:, 3:7],
        "joint_names": np.array([name for name, _, _, _ in joints]),
        "joint_pos": found.qpos[:, places],
        "joint_limits": np.array([limits for _, _, _, limits in joints]).reshape(-1, 2),
        "qpos": found.qpos,
        "scale": scale,
        "visible": part.visible,
        "lifted_m": found.lifted_m,
        "foot_turn_error_rad": found.foot_turn_rad,
    } | {f"error_m.{end}": error for end, error in found.errors_m.items()}
    with atomic_write(npz) as file:
        np.savez_compressed(file, **arrays)
    return [csv, npz]
