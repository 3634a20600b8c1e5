"""From a captured skeleton to SMPL's 24 joints.

Each SMPL joint turns as its counterpart does since the source's reference pose, after a fixed alignment
that carries our T-pose onto that reference pose: limbs along their bones, elbows about their hinge. Limb
directions are then the source's own, whatever the proportions; spine and neck are sampled along the
source's chains, and the hips' path is scaled by the legs.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from choros.body.kinematics import joint_places
from choros.datasets.mocap.mocap_clip import MocapClip
from choros.datasets.mocap.source_motion import REQUIRED_ROLES, SourceMotion
from choros.errors import ChorosError
from choros.rotation import (
    rotmat_between,
    rotmat_slerp,
    rotmat_to_quat_wxyz,
    rotmat_to_rotvec,
    rotvec_to_rotmat,
)
from choros.skeleton import JOINT_NAMES, PARENTS

#: Bones whose directions the retargeted motion takes over exactly: SMPL joint at each end.
LIMBS = tuple(
    (f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for start, end in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
)

#: Share of a clip's frames that may dip below the floor: stumbles of the capture, not ground.
FLOOR_SHARE = 0.02

#: Share of the arm's swing from the T-pose that the collar takes: the clavicle rises by some 25 to 30 of the
#: arm's 180 degrees (Inman et al., "Observations on the function of the shoulder joint", 1944).
COLLAR_SHARE = 0.15

#: The elbows' flexion axes in our T-pose, in which the palms look down.
_OUR_HINGES = {"left_elbow": np.array([0.0, -1.0, 0.0]), "right_elbow": np.array([0.0, 1.0, 0.0])}


def retarget(
    motion: SourceMotion,
    rest_joints: np.ndarray,
    sole_m: float,
    *,
    source: str,
    licence: str,
    shippable: bool,
) -> MocapClip:
    """The same motion on SMPL's joints, at the source's frame rate.

    Args:
        motion: what a reader of this package returns.
        rest_joints: (24, 3) metres, our T-pose (x left, y up, z forward) for mean betas.
        sole_m: height (y) of our soles in that T-pose, in metres.
        source: as in `MocapClip`.
        licence: as in `MocapClip`.
        shippable: as in `MocapClip`.

    Returns:
        A clip in a y-up world whose floor is y = 0; rotations are radians.

    Raises:
        ChorosError: a limb is missing, or the reference pose is not a standing person.
    """
    motion = upright(motion)
    rotations = _world_rotations(motion, rest_joints)  # (T, 24, 3, 3)
    transl = _translation(motion, rest_joints, rotations, sole_m)
    local = rotations.copy()
    local[:, 1:] = rotations[:, PARENTS[1:]].mT @ rotations[:, 1:]
    vectors = rotmat_to_rotvec(local).reshape(len(local), 72)
    return MocapClip(
        name=motion.name,
        source=source,
        shippable=shippable,
        licence=licence,
        fps=motion.fps,
        global_orient=vectors[:, :3].astype(np.float32),
        body_pose=vectors[:, 3:].astype(np.float32),
        transl=transl.astype(np.float32),
    )


def upright(motion: SourceMotion) -> SourceMotion:
    """The motion in our axes: x to the left, y up, z forward of the person in the reference pose."""
    if lacking := [role for role in REQUIRED_ROLES if motion.roles.get(role) not in motion.joints]:
        raise ChorosError(
            f"{motion.name}: its skeleton has no joint for {', '.join(lacking)}; name it in roles"
        )
    at = {role: motion.reference[motion.index(role)] for role in REQUIRED_ROLES}
    hips = (at["left_hip"] + at["right_hip"]) / 2
    up = nearest_axis(at["head"] - hips)
    left = nearest_axis(at["left_hip"] - at["right_hip"])
    knees = (at["left_knee"] + at["right_knee"]) / 2
    legs = [at[f"{side}_knee"] - at[f"{side}_hip"] for side in ("left", "right")]
    standing = all(np.dot(leg, up) < -0.5 * np.linalg.norm(leg) for leg in legs)
    if abs(np.dot(up, left)) > 0 or not standing or np.dot(knees - hips, up) >= 0:
        raise ChorosError(
            f"{motion.name}: its rest pose is not a standing person; pass reference_frame=N, "
            "a frame in which the subject stands upright with straight arms and legs"
        )
    to_ours = np.stack([left, up, np.cross(left, up)])
    return replace(
        motion,
        reference=motion.reference @ to_ours.T,
        rotations=to_ours @ motion.rotations @ to_ours.T,
        positions=motion.positions @ to_ours.T,
        hinges={joint: to_ours @ axis for joint, axis in motion.hinges.items()},
    )


def nearest_axis(direction: np.ndarray) -> np.ndarray:
    """The coordinate axis, or its opposite, (3,) that a direction (3,) is nearest to."""
    axis = np.zeros(3)
    axis[np.argmax(np.abs(direction))] = np.sign(direction[np.argmax(np.abs(direction))])
    return axis


def _world_rotations(motion: SourceMotion, rest_joints: np.ndarray) -> np.ndarray:  # (T, 24, 3, 3)
    turns = motion.rotations
    ours: dict[str, np.ndarray] = {"pelvis": turns[:, motion.index("pelvis")]}

    pelvis, head = motion.index("pelvis"), motion.index("head")
    shoulders = set(motion.ancestors(motion.index("left_shoulder")))
    chest = next(joint for joint in motion.ancestors(head) if joint in shoulders)
    spine = [pelvis, *motion.chain(pelvis, chest)]
    neck = [chest, *motion.chain(chest, head)]
    for k, joint in enumerate(("spine1", "spine2", "spine3"), start=1):
        ours[joint] = _along(turns, spine, k / 3)
    ours["neck"] = _along(turns, neck, 0.5)
    ours["head"] = turns[:, head]

    for side in ("left", "right"):
        for joint, alignment in _limb_alignments(motion, rest_joints, side).items():
            ours[joint] = turns[:, motion.index(joint)] @ alignment
        ours[f"{side}_elbow"] = _share_twist(
            ours[f"{side}_elbow"], ours[f"{side}_wrist"], _bone(rest_joints, f"{side}_elbow", f"{side}_wrist")
        )
        collar = turns[:, motion.parents[motion.index(f"{side}_shoulder")]]
        arm = ours[f"{side}_shoulder"] @ _bone(rest_joints, f"{side}_shoulder", f"{side}_elbow")
        ours[f"{side}_collar"] = _follow_arm(ours["spine3"], collar, arm, 1.0 if side == "left" else -1.0)
        ours.setdefault(f"{side}_foot", ours[f"{side}_ankle"])
        ours[f"{side}_hand"] = ours[f"{side}_wrist"]
    return np.stack([ours[joint] for joint in JOINT_NAMES], axis=1)


def _limb_alignments(motion: SourceMotion, rest_joints: np.ndarray, side: str) -> dict[str, np.ndarray]:
    """For each limb joint the rotation (3, 3) that carries our T-pose onto the reference pose."""

    def theirs(start: str, end: str) -> np.ndarray:
        return _bone_of(motion.reference, motion.index(f"{side}_{start}"), motion.index(f"{side}_{end}"))

    def our(start: str, end: str) -> np.ndarray:
        return _bone(rest_joints, f"{side}_{start}", f"{side}_{end}")

    # Thumbs and toes keep the heading they have in the reference pose, so hands and feet only swing.
    hand = rotmat_between(our("shoulder", "wrist"), theirs("shoulder", "wrist"))
    shoulder = rotmat_between(our("shoulder", "elbow"), theirs("shoulder", "elbow"))
    hinge = motion.hinges.get(f"{side}_elbow")
    if hinge is not None:
        shoulder = (
            _twist(shoulder @ _OUR_HINGES[f"{side}_elbow"], hinge, theirs("shoulder", "elbow")) @ shoulder
        )
    hip = rotmat_between(our("hip", "knee"), theirs("hip", "knee"))
    foot = rotmat_between(our("hip", "ankle"), theirs("hip", "ankle"))
    alignments = {
        "shoulder": shoulder,
        "elbow": rotmat_between(shoulder @ our("elbow", "wrist"), theirs("elbow", "wrist")) @ shoulder,
        "wrist": hand,
        "hip": hip,
        "knee": rotmat_between(hip @ our("knee", "ankle"), theirs("knee", "ankle")) @ hip,
        "ankle": foot,
    }
    if f"{side}_foot" in motion.roles:
        # Soles are flat in both poses: the foot is turned about its leg only, never pitched.
        leg = theirs("hip", "ankle")
        alignments["ankle"] = alignments["foot"] = (
            _twist(foot @ our("ankle", "foot"), theirs("ankle", "foot"), leg) @ foot
        )
    return {f"{side}_{joint}": alignment for joint, alignment in alignments.items()}


def _follow_arm(chest: np.ndarray, collar: np.ndarray, arm: np.ndarray, side: float) -> np.ndarray:
    """The collar (T, 3, 3), moved with the arm (T, 3) where the source holds it still.

    Many captures fix the clavicle to the chest, and a body whose shoulders stay where the T-pose has them
    looks shrugged with its arms down.
    """
    relative = chest.swapaxes(-1, -2) @ collar
    if np.abs(relative - relative[0]).max() > 1e-3:
        return collar
    outward = np.array([side, 0.0, 0.0])
    arm = np.einsum("tji,tj->ti", collar, arm)
    axis = np.cross(outward, arm)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    swing = axis / np.maximum(sine, 1e-9) * np.arctan2(sine, (arm @ outward)[:, None])
    return collar @ rotvec_to_rotmat(COLLAR_SHARE * swing)


def _share_twist(forearm: np.ndarray, hand: np.ndarray, bone: np.ndarray) -> np.ndarray:
    """The forearm (T, 3, 3) after taking half of the hand's turn about the bone.

    Radius and ulna cross when the palm turns: about half of the turn has happened by mid-forearm, and
    skin that takes all of it at the wrist looks wrung.
    """
    relative = rotmat_to_quat_wxyz(forearm.swapaxes(-1, -2) @ hand)
    angle = 2 * np.arctan2(relative[:, 1:] @ bone, relative[:, 0])
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    return forearm @ rotvec_to_rotmat(0.5 * angle[:, None] * bone)


def _translation(
    motion: SourceMotion, rest_joints: np.ndarray, rotations: np.ndarray, sole_m: float
) -> np.ndarray:  # (T, 3) metres
    def leg_m(joint: Sequence[np.ndarray]) -> float:
        hip, knee, ankle = joint
        return float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))

    def ours(name: str) -> np.ndarray:
        return rest_joints[JOINT_NAMES.index(name)]

    names = ("left_hip", "left_knee", "left_ankle")
    scale = leg_m([ours(name) for name in names]) / leg_m([motion.reference[motion.index(n)] for n in names])
    hips = (
        motion.positions[:, motion.index("left_hip")] + motion.positions[:, motion.index("right_hip")]
    ) / 2
    between_hips = (ours("left_hip") + ours("right_hip")) / 2 - rest_joints[0]
    transl = scale * hips - rotations[:, 0] @ between_hips - rest_joints[0]

    # The floor is where the feet come down: soles hang as far below each foot's joints as in the T-pose.
    joints = joint_places(rotations, rest_joints, rest_joints[0] + transl)
    feet = [JOINT_NAMES.index(f"{side}_{part}") for side in ("left", "right") for part in ("ankle", "foot")]
    soles = joints[:, feet, 1] - (rest_joints[feet, 1] - sole_m)
    transl[:, 1] -= np.quantile(soles.min(axis=1), FLOOR_SHARE)
    return transl


def _along(turns: np.ndarray, chain: list[int], share: float) -> np.ndarray:  # (T, 3, 3)
    """Rotation at a share of the way along a chain of joints, between the two nearest."""
    place = share * (len(chain) - 1)
    before = min(int(place + 1e-9), len(chain) - 1)
    after = min(before + 1, len(chain) - 1)
    return rotmat_slerp(turns[:, chain[before]], turns[:, chain[after]], np.array([place - before]))


def _bone(rest_joints: np.ndarray, start: str, end: str) -> np.ndarray:
    return _bone_of(rest_joints, JOINT_NAMES.index(start), JOINT_NAMES.index(end))


def _bone_of(joints: np.ndarray, start: int, end: int) -> np.ndarray:  # (3,) unit vector
    bone = joints[end] - joints[start]
    return bone / np.linalg.norm(bone)


def _twist(start: np.ndarray, end: np.ndarray, axis: np.ndarray) -> np.ndarray:  # (3, 3)
    """The rotation about a unit `axis` that brings `start` into the half-plane of `end`."""
    start, end = start - (start @ axis) * axis, end - (end @ axis) * axis
    angle = np.arctan2(np.cross(start, end) @ axis, start @ end)
    return rotvec_to_rotmat(angle * axis)
