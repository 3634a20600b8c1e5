"""A person on a rig's bones, at rest and over time, in the axes and units of a file: what writers of skeletons write.

A bone turns as its joint does, from the axes that it has at rest. With G the joint's turn in the file, D its turn in
the rig's pose at rest (none in T-pose) and B the bone's axes there, the bone's axes in the file are G D^T B.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.cast import Cast, CastPerson, Floats
from choros.body.kinematics import posed_joints
from choros.exporters.formats import ExportOptions
from choros.exporters.rigs import ARM, LEG, METRES, SPINE, RestPose, Rig, Units, Up, rig_named
from choros.rotation import rotmat_about, rotmat_to_rotvec, rotvec_to_rotmat
from choros.skeleton import JOINT_NAMES, PARENTS

A_POSE_RAD = np.deg2rad(45)  # how far arms hang in A-pose
#: From the axes of the body at rest (x left, y up, z forward) to those of a file.
TO_FILE: dict[Up, Floats] = {"y": np.eye(3), "z": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])}
UP_AXIS = {"y": 1, "z": 2}


@dataclass(frozen=True)
class RiggedPerson:
    """B bones in n frames; places in the file's units, turns (3, 3) whose columns are a bone's axes."""

    person: CastPerson
    names: tuple[str, ...]
    parents: tuple[int, ...]  # -1 of the first
    rest_turn: Floats  # (B, 3, 3) in the file, feet on the ground
    rest_place: Floats  # (B, 3) in the file
    world_turn: Floats  # (n, B, 3, 3) in the file
    world_place: Floats  # (n, B, 3) in the file
    moving: tuple[int, ...]  # bones whose place in their parent is not that at rest
    vertices: Floats  # (V, 3) at rest
    skin_weights: Floats  # (V, B)

    def local(self) -> tuple[Floats, Floats]:
        """Turns (n, B, 3, 3) and places (n, B, 3) of bones in their parents, those of the first in the file."""
        return in_parents(self.world_turn, self.world_place, self.parents)

    def rest_local(self) -> tuple[Floats, Floats]:
        """The same at rest, (B, 3, 3) and (B, 3)."""
        turn, place = in_parents(self.rest_turn[None], self.rest_place[None], self.parents)
        return turn[0], place[0]

    def children(self, bone: int) -> list[int]:
        """The bones that hang on it."""
        return [i for i, parent in enumerate(self.parents) if parent == bone]

    def tips(self) -> dict[int, Floats]:
        """Ends (3,) of the last bones at rest (toes, crown, fingertips): the skin farthest from where each begins."""
        owner = self.skin_weights.argmax(1)
        tips = {}
        for bone in set(range(len(self.names))) - set(self.parents):
            own = self.vertices[owner == bone]
            far = np.linalg.norm(own - self.rest_place[bone], axis=1)
            tips[bone] = own[far.argmax()]
        return tips


def in_parents(turn: Floats, place: Floats, parents: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Turns (n, B, 3, 3) and places (n, B, 3) in the file as those in parents."""
    above = list(parents)
    to_parent = np.swapaxes(turn[:, above], -1, -2)
    local_turn = to_parent @ turn
    local_place = (to_parent @ (place - place[:, above])[..., None])[..., 0]
    for bone in np.flatnonzero(np.array(parents) < 0):
        local_turn[:, bone], local_place[:, bone] = turn[:, bone], place[:, bone]
    return local_turn, local_place


def axes_and_units(options: ExportOptions) -> tuple[Up, Units]:
    """Those of a format that leaves them to the file: as asked for, else as the rig has them."""
    rig = rig_named(options.rig)
    return options.up or rig.up, options.units or rig.units


def rigged_of(
    cast: Cast,  # of ``up``
    person: CastPerson,
    options: ExportOptions,
    up: Up = "y",
    units: Units = "m",
    *,
    alone: bool | None = None,  # in the file; None: as ``cast`` has it
    first_bone_alone_moves: bool = False,  # of formats that place no other: a root then goes up and down too
) -> RiggedPerson:
    """The person on the bones of ``options.rig``.

    At rest they stand on the ground, the pelvis above the origin. A root bone lies below the pelvis, at the floor of
    the world; in camera space, which knows no floor, where it would be if they stood upright half of the time.
    ``options.in_place`` takes the way across the ground out: people stay where they first stood, alone in a file
    over its origin. Raises ``ChorosError`` for an unknown rig.
    """
    rig, to_file, scale = rig_named(options.rig), TO_FILE[up], METRES[units]
    at_rest = _AtRest.of(cast.body, person, options.rest_pose or rig.rest)
    bones = _Bones(rig)
    axes = np.stack([_axes(rig, bone, at_rest.joints, to_file) for bone in range(len(rig.bones))])
    G, joints = posed_joints(
        rotvec_to_rotmat(person.rotvec), np.tile(person.rest_joints, (len(person.frame), 1, 1))
    )
    joints = joints - joints[:, :1] + person.pelvis[:, None]
    world_turn = G[:, bones.joints] @ np.swapaxes(at_rest.turns, -1, -2)[bones.joints] @ axes
    world_place = bones.places(joints)
    rest_place = bones.places(at_rest.joints) @ to_file.T
    height = at_rest.joints[0, 1]
    ground, path = _ground_and_path(cast, person, up, height)
    if options.in_place:
        alone = len(cast.people) == 1 if alone is None else alone
        away = path if alone else path - path[:1]
        world_place, path = world_place - away[:, None], path - away
    names, parents = tuple(bone.name for bone in rig.bones), rig.parents()
    rest_turn, weights = to_file @ axes, bones.skin_weights(cast.body)
    if rig.root:
        root = path + ground if not first_bone_alone_moves else world_place[:, 0] - rest_place[0]
        names, parents = (rig.root, *names), (-1, *(parent + 1 for parent in parents))
        rest_turn = np.concatenate([np.eye(3)[None], rest_turn])
        rest_place = np.concatenate([np.zeros((1, 3)), rest_place])
        world_turn = np.concatenate([np.broadcast_to(np.eye(3), (len(root), 1, 3, 3)), world_turn], 1)
        world_place = np.concatenate([root[:, None], world_place], 1)
        weights = np.concatenate([np.zeros((len(weights), 1)), weights], 1)
    return RiggedPerson(
        person,
        names,
        parents,
        rest_turn,
        scale * rest_place,
        world_turn,
        scale * world_place,
        (0, 1) if rig.root and not first_bone_alone_moves else (0,),
        scale * at_rest.vertices @ to_file.T,
        weights,
    )


def _ground_and_path(cast: Cast, person: CastPerson, up: Up, height_m: float) -> tuple[Floats, Floats]:
    """The ground below the person (3,), upwards alone, and the pelvis's way across it (n, 3)."""
    ground, path = np.zeros(3), person.pelvis.copy()
    if cast.space == "camera":
        ground[UP_AXIS[up]] = np.median(path[:, UP_AXIS[up]]) - height_m
    path[:, UP_AXIS[up]] = 0
    return ground, path


@dataclass(frozen=True)
class _AtRest:
    """The person in a rig's pose at rest; x left, y up, z forward; soles at 0, the pelvis above the origin."""

    turns: Floats  # (24, 3, 3) of joints from T-pose
    joints: Floats  # (24, 3)
    vertices: Floats  # (V, 3)

    @classmethod
    def of(cls, body: BodyModel, person: CastPerson, pose: RestPose) -> _AtRest:
        local = np.tile(np.eye(3), (24, 1, 1))
        if pose == "A":
            for side, sign in (("left", -1), ("right", 1)):
                local[JOINT_NAMES.index(f"{side}_shoulder")] = rotmat_about("z", sign * A_POSE_RAD)
        turns, joints = posed_joints(local[None], person.rest_joints[None])
        given = {"betas": person.betas, "kid": person.kid, "body_pose": rotmat_to_rotvec(local)[1:].ravel()}
        params = body.neutral()._replace(
            **{k: torch.as_tensor(v, dtype=body.dtype, device=body.device) for k, v in given.items()}
        )
        with torch.inference_mode():
            vertices = body.vertices(params).numpy().astype(np.float64)
        vertices = vertices + (joints[0, 0] - person.rest_joints[0])
        shift = np.array([-joints[0, 0, 0], -vertices[:, 1].min(), -joints[0, 0, 2]])
        return cls(turns[0], joints[0] + shift, vertices + shift)


class _Bones:
    """Which joint each bone of a rig follows, and between which it lies."""

    def __init__(self, rig: Rig) -> None:
        self.joints = [JOINT_NAMES.index(bone.joint) for bone in rig.bones]
        ends = [JOINT_NAMES.index(bone.toward or bone.joint) for bone in rig.bones]
        self.ends = np.array(ends)
        self.first = {}  # the bone that begins at a joint
        for i, bone in enumerate(rig.bones):
            if not bone.toward:
                self.first[self.joints[i]] = i

    def places(self, joints: Floats) -> Floats:
        """Of joints (..., 24, 3), where bones begin (..., B, 3)."""
        return (joints[..., self.joints, :] + joints[..., self.ends, :]) / 2

    def skin_weights(self, body: BodyModel) -> Floats:
        """(V, B): joints that the rig has not are stiff, and move with those that they hang on."""
        weights = body.skin_weights.numpy().astype(np.float64)
        shared = np.zeros((len(weights), len(self.joints)))
        for joint in range(len(PARENTS)):
            kept = joint
            while kept not in self.first:
                kept = PARENTS[kept]
            shared[:, self.first[kept]] += weights[:, joint]
        return shared


#: The joint to which the bone of each points; hands end in fingers, which SMPL has one joint for.
_NEXT = dict(pairwise(SPINE)) | {
    f"{side}_{joint}": f"{side}_{after}"
    for side in ("left", "right")
    for joint, after in (*pairwise((*ARM, "hand")), *pairwise(LEG))
}
UPRIGHT, FORWARD = np.array([0.0, 1, 0]), np.array([0.0, 0, 1])


def _axes(rig: Rig, bone: int, joints: Floats, to_file: Floats) -> Floats:
    """A bone's axes at rest (3, 3), as columns, in the body's: ``rig.along`` along the limb, z to a side that bends.

    That side is ahead of trunk and legs, below arms, above feet, as Mixamo has it; the hips stand upright.
    """
    if rig.along is None:
        return np.asarray(to_file.T)
    joint = rig.bones[bone].joint
    part = joint.split("_")[-1]
    if part == "foot":
        along = FORWARD
    elif part in ("pelvis", "head"):
        along = UPRIGHT
    else:
        along = joints[JOINT_NAMES.index(_NEXT[joint])] - joints[JOINT_NAMES.index(joint)]
    side = UPRIGHT if part in ("ankle", "foot") else -UPRIGHT if part in ARM else FORWARD
    along = along / np.linalg.norm(along)
    z = side - side @ along * along
    z /= np.linalg.norm(z)
    third = np.cross(along, z) if rig.along == "y" else np.cross(z, along)
    columns: list[NDArray[Any]] = [third, along, z] if rig.along == "y" else [along, third, z]
    return np.stack(columns, axis=1)
