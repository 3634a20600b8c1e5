"""A robot from its MJCF or URDF: the tree of bodies, the pose at rest, limits of joints, and where its soles are.

Only kinematics are asked for: meshes that cannot be found are left out, and whoever hangs on the world gets a
floating base. At rest all joints stand at the file's reference (zeros in URDF), where a humanoid stands upright.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Robot:
    """A model with a floating base, compiled; bodies are named by numbers of the model."""

    path: Path
    model: Any  # mujoco.MjModel
    base: int  # the body that floats
    rest_place: Floats  # (B, 3) metres, base at the origin, z up
    rest_turn: Floats  # (B, 3, 3)

    @property
    def bodies(self) -> dict[str, int]:
        """Numbers of bodies by name, parents first; the world is none."""
        return {self.model.body(i).name: i for i in range(1, self.model.nbody)}

    def above(self, body: int) -> list[int]:
        """The body and all that it hangs on, up to the base."""
        chain = [body]
        while chain[-1] != self.base and self.model.body_parentid[chain[-1]] > 0:
            chain.append(int(self.model.body_parentid[chain[-1]]))
        return chain

    def below(self, body: int) -> list[int]:
        """The body and all that hangs on it."""
        return [i for i in range(1, self.model.nbody) if body in self.above(i)]

    def joints(self) -> list[tuple[str, int, bool, Floats]]:
        """Of each joint but the base's: name, place in ``qpos``, whether it turns (else it slides), limits (2,)."""
        model, found = self.model, []
        for i in range(model.njnt):
            if model.jnt_type[i] == mujoco.mjtJoint.mjJNT_FREE:
                continue
            limits = model.jnt_range[i] if model.jnt_limited[i] else np.array([-np.inf, np.inf])
            turns = bool(model.jnt_type[i] == mujoco.mjtJoint.mjJNT_HINGE)
            found.append((model.joint(i).name, int(model.jnt_qposadr[i]), turns, limits))
        return found


def load_robot(path: str | Path) -> Robot:
    """Read an MJCF or URDF file. Raises ``ChorosError`` if it is none, or has other joints than hinges and slides."""
    path = Path(path)
    if not path.is_file():
        raise ChorosError(f"{path} is no file; after --robot name an MJCF (.xml) or URDF (.urdf) file.")
    try:
        spec = mujoco.MjSpec.from_file(str(path))
    except Exception as error:  # mujoco raises ValueError, and plain errors of its own
        raise ChorosError(f"{path} is no MJCF or URDF that MuJoCo reads ({_first_line(error)}).") from None
    spec.compiler.fusestatic = False  # a URDF's first link would become the world
    spec.compiler.boundmass, spec.compiler.boundinertia = 1e-3, 1e-6  # kinematics ask for none
    _let_float(spec, path)
    model = _compiled(spec, path)
    strange = [
        model.joint(i).name
        for i in range(model.njnt)
        if model.jnt_type[i] == mujoco.mjtJoint.mjJNT_BALL
        or (model.jnt_type[i] == mujoco.mjtJoint.mjJNT_FREE and model.jnt_qposadr[i] != 0)
    ]
    if strange:
        raise ChorosError(
            f"joint {strange[0]} of {path} is neither a hinge nor a slide, which have no limits to keep; "
            "make hinges of it, or take it out."
        )
    base = int(model.jnt_bodyid[0])
    data = mujoco.MjData(model)
    data.qpos[:] = model.qpos0
    data.qpos[:7] = 0, 0, 0, 1, 0, 0, 0
    mujoco.mj_kinematics(model, data)
    return Robot(path, model, base, data.xpos.copy(), data.xmat.reshape(-1, 3, 3).copy())


def _let_float(spec: Any, path: Path) -> None:
    """Give the largest tree of the file a free joint, and take everything else out."""
    trees = {}
    body = spec.worldbody.first_body()
    while body is not None:
        trees[body.name] = (len(list(body.find_all("joint"))), body)
        body = spec.worldbody.next_body(body)
    if not trees or not max(count for count, _ in trees.values()):
        raise ChorosError(f"{path} has no body with joints; after --robot give the model of a humanoid.")
    _, base = max(trees.values(), key=lambda tree: tree[0])
    for _, other in trees.values():
        if other is not base:
            spec.delete(other)
    kinds = [joint.type for joint in base.joints]
    if mujoco.mjtJoint.mjJNT_FREE not in kinds:
        if kinds:
            raise ChorosError(
                f"{base.name}, the first body of {path}, hangs on the world; give it a freejoint."
            )
        base.add_freejoint()
    for key in list(spec.keys):  # poses of the file may be of another number of joints
        spec.delete(key)


def _compiled(spec: Any, path: Path) -> Any:
    try:
        return spec.compile()
    except ValueError:
        for geom in list(spec.geoms):
            if geom.meshname:
                spec.delete(geom)
        for group in (spec.skins, spec.meshes, spec.materials, spec.textures, spec.hfields):
            for one in list(group):
                spec.delete(one)
    try:
        return spec.compile()
    except ValueError as error:
        raise ChorosError(f"{path} cannot be compiled by MuJoCo ({_first_line(error)}).") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__


def lowest_m(robot: Robot, data: Any, bodies: list[int]) -> float | None:
    """How high the lowest point of the bodies' shapes is in a pose, metres; None if they have none."""
    model = robot.model
    heights = [
        _lowest_of(model, data, geom) for geom in range(model.ngeom) if model.geom_bodyid[geom] in bodies
    ]
    return min(heights, default=None)


def _lowest_of(model: Any, data: Any, geom: int) -> float:
    kind, size = model.geom_type[geom], model.geom_size[geom]
    z, up = float(data.geom_xpos[geom][2]), data.geom_xmat[geom].reshape(3, 3)[2]  # heights of its axes
    kinds = mujoco.mjtGeom
    if kind == kinds.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        first, count = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
        return z + float((model.mesh_vert[first : first + count] @ up).min())
    if kind == kinds.mjGEOM_SPHERE:
        return z - float(size[0])
    if kind == kinds.mjGEOM_CAPSULE:
        return z - float(size[0] + size[1] * abs(up[2]))
    if kind == kinds.mjGEOM_CYLINDER:
        return z - float(size[0] * np.hypot(up[0], up[1]) + size[1] * abs(up[2]))
    if kind == kinds.mjGEOM_ELLIPSOID:
        return z - float(np.linalg.norm(size * up))
    return z - float(size @ np.abs(up))  # boxes
