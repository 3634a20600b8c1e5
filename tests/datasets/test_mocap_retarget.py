"""Retargeting: what is already SMPL comes back, limb directions survive any skeleton, mirrors commute."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from choros.body.kinematics import joint_places
from choros.datasets.mocap import SourceMotion, mirror, retarget
from choros.datasets.mocap.retarget import LIMBS
from choros.datasets.mocap.source_motion import REQUIRED_ROLES, forward
from choros.errors import ChorosError
from choros.skeleton import JOINT_NAMES, MIRROR_JOINTS, PARENTS

#: A plain T-pose in metres: x left, y up, z forward; symmetric.
REST = {
    "pelvis": (0, -0.22, 0.03), "spine1": (0, -0.11, 0), "spine2": (0, 0.02, 0.01), "spine3": (0, 0.07, 0.03),
    "neck": (0, 0.29, -0.01), "head": (0, 0.36, 0.04), "left_hip": (0.08, -0.31, 0.02),
    "left_knee": (0.11, -0.69, 0.02), "left_ankle": (0.10, -1.11, -0.03), "left_foot": (0.12, -1.16, 0.10),
    "left_collar": (0.08, 0.20, 0), "left_shoulder": (0.17, 0.22, -0.01), "left_elbow": (0.43, 0.22, -0.01),
    "left_wrist": (0.66, 0.22, -0.01), "left_hand": (0.74, 0.22, -0.01),
}  # fmt: skip
REST_JOINTS = np.array(
    [
        np.array(REST[name.replace("right", "left")])
        * ([-1, 1, 1] if name.startswith("right") else [1, 1, 1])
        for name in JOINT_NAMES
    ],
    dtype=float,
)
SOLE_M = -1.19
OFFSETS = np.array([REST_JOINTS[j] - REST_JOINTS[max(p, 0)] for j, p in enumerate(PARENTS)])
ROLES = {name: name for name in (*REQUIRED_ROLES, "left_foot", "right_foot")}
TERMS = {"source": "bvh", "licence": "its owner's", "shippable": False}


def random_pose(rng: np.random.Generator, frames: int, spread_rad: float = 0.5) -> np.ndarray:
    vectors = rng.normal(0, spread_rad, (frames, 24, 3))
    return Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(frames, 24, 3, 3)


def smpl_source(local: np.ndarray, root_m: np.ndarray) -> SourceMotion:
    """A source whose skeleton is our own T-pose."""
    rotations, positions = forward(PARENTS, OFFSETS, local, root_m)
    return SourceMotion(
        name="ours", fps=30.0, joints=JOINT_NAMES, parents=PARENTS, reference=REST_JOINTS,
        rotations=rotations, positions=positions, roles=ROLES,
    )  # fmt: skip


def world_rotations(clip) -> np.ndarray:
    vectors = np.concatenate([clip.global_orient, clip.body_pose], axis=1).reshape(-1, 3)
    local = Rotation.from_rotvec(vectors).as_matrix().reshape(len(clip), 24, 3, 3)
    return forward(PARENTS, OFFSETS, local, np.zeros((len(clip), 3)))[0]


def joints_of(clip) -> np.ndarray:
    return joint_places(world_rotations(clip), REST_JOINTS, REST_JOINTS[0] + clip.transl)


def test_motion_of_our_own_skeleton_comes_back():
    rng = np.random.default_rng(0)
    local = random_pose(rng, 20)
    wrists = [JOINT_NAMES.index(name) for name in ("left_wrist", "right_wrist", "left_hand", "right_hand")]
    local[:, wrists] = np.eye(3)  # a turned hand would share its twist with the forearm
    local[:, JOINT_NAMES.index("neck")] = np.eye(3)
    root = rng.normal(0, 1, (20, 3))
    clip = retarget(smpl_source(local, root), REST_JOINTS, SOLE_M, **TERMS)
    ours = Rotation.from_rotvec(
        np.concatenate([clip.global_orient, clip.body_pose], axis=1).reshape(-1, 3)
    ).as_matrix().reshape(20, 24, 3, 3)  # fmt: skip
    neck, head = JOINT_NAMES.index("neck"), JOINT_NAMES.index("head")
    halves = ours[:, neck] @ ours[:, head]  # the neck's turn is drawn from the head's
    same = [j for j in range(24) if j not in (neck, head)]
    np.testing.assert_allclose(ours[:, same], local[:, same], atol=1e-5)
    np.testing.assert_allclose(halves, local[:, head], atol=1e-5)
    moved = joints_of(clip)[:, 0] - root
    np.testing.assert_allclose(moved - moved[0], 0, atol=1e-5)  # the same path, but for the floor's height
    np.testing.assert_allclose(moved[:, [0, 2]], 0, atol=1e-5)


def other_skeleton(rng: np.random.Generator, frames: int) -> SourceMotion:
    """Someone else's proportions and rest pose: arms down or out, legs apart, z up, fewer spine joints."""
    lowered, apart = rng.uniform(0, 1.5), rng.uniform(0, 0.3)
    joints, parents, offsets = (
        ["pelvis", "chest", "head"],
        [-1, 0, 1],
        [[0, 0, 0], [0, 0.4, 0], [0, 0.3, 0.05]],
    )
    for side, sign in (("left", 1.0), ("right", -1.0)):
        arm = np.array([sign * np.cos(lowered), -np.sin(lowered), 0])
        leg = np.array([sign * np.sin(apart), -np.cos(apart), 0])
        chain = [
            ("hip", 0, [sign * 0.1, -0.05, 0]), ("knee", None, leg * 0.5), ("ankle", None, leg * 0.4),
            ("shoulder", 1, [sign * 0.2, 0.1, 0]), ("elbow", None, arm * 0.3), ("wrist", None, arm * 0.2),
        ]  # fmt: skip
        for name, parent, offset in chain:
            parents.append(len(joints) - 1 if parent is None else parent)
            joints.append(f"{side}_{name}")
            offsets.append(list(offset))
    to_z_up = np.array([[0, 0, 1.0], [1.0, 0, 0], [0, 1.0, 0]])  # x forward, y left, z up
    offsets_zup = np.array(offsets) @ to_z_up.T
    local = Rotation.from_rotvec(rng.normal(0, 0.6, (frames * len(joints), 3))).as_matrix()
    local = local.reshape(frames, len(joints), 3, 3)
    rotations, positions = forward(parents, offsets_zup, local, rng.normal(0, 1, (frames, 3)))
    rest = forward(
        parents, offsets_zup, np.broadcast_to(np.eye(3), (1, len(joints), 3, 3)), np.zeros((1, 3))
    )[1]
    return SourceMotion(
        name="theirs", fps=30.0, joints=tuple(joints), parents=tuple(parents), reference=rest[0],
        rotations=rotations, positions=positions, roles={name: name for name in REQUIRED_ROLES},
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_limb_directions_are_the_sources(seed):
    motion = other_skeleton(np.random.default_rng(seed), frames=5)
    clip = retarget(motion, REST_JOINTS, SOLE_M, **TERMS)
    ours = joints_of(clip)
    to_ours = np.array([[0, 1.0, 0], [0, 0, 1.0], [1.0, 0, 0]])  # from x forward, y left, z up
    for start, end in LIMBS:
        theirs = (
            motion.positions[:, motion.index(end)] - motion.positions[:, motion.index(start)]
        ) @ to_ours.T
        mine = ours[:, JOINT_NAMES.index(end)] - ours[:, JOINT_NAMES.index(start)]
        theirs, mine = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (theirs, mine))
        np.testing.assert_allclose(mine, theirs, atol=1e-5, err_msg=f"{start} {end}")


def mirrored_source(motion: SourceMotion) -> SourceMotion:
    flip = np.diag([-1.0, 1.0, 1.0])
    order = list(MIRROR_JOINTS)
    return SourceMotion(
        name="mirror", fps=motion.fps, joints=motion.joints, parents=motion.parents, reference=motion.reference,
        rotations=flip @ motion.rotations[:, order] @ flip, positions=motion.positions[:, order] @ flip,
        roles=motion.roles,
    )  # fmt: skip


def test_mirrored_source_gives_the_mirrored_clip():
    rng = np.random.default_rng(3)
    motion = smpl_source(random_pose(rng, 10), rng.normal(0, 1, (10, 3)))
    a = mirror(retarget(motion, REST_JOINTS, SOLE_M, **TERMS))
    b = retarget(mirrored_source(motion), REST_JOINTS, SOLE_M, **TERMS)
    np.testing.assert_allclose(world_rotations(a), world_rotations(b), atol=1e-5)
    np.testing.assert_allclose(a.transl, b.transl, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_elbow_bends_about_its_own_hinge(side):
    # The source's elbow bends towards up-and-forward in its T-pose, as in the CMU skeletons.
    sign = 1.0 if side == "left" else -1.0
    hinge = np.array([0, -np.cos(0.5), np.sin(0.5)]) * sign
    local = np.broadcast_to(np.eye(3), (2, 24, 3, 3)).copy()
    local[:, JOINT_NAMES.index(f"{side}_elbow")] = Rotation.from_rotvec(0.8 * hinge).as_matrix()
    plain = smpl_source(local, np.zeros((2, 3)))
    motion = SourceMotion(**{**vars(plain), "hinges": {f"{side}_elbow": hinge}})
    clip = retarget(motion, REST_JOINTS, SOLE_M, **TERMS)
    elbow = clip.body_pose.reshape(2, 23, 3)[:, JOINT_NAMES.index(f"{side}_elbow") - 1]
    # Half of the 0.5 rad by which the hand lies twisted to that hinge is the forearm's.
    bend = Rotation.from_rotvec([0, -0.8 * sign, 0]) * Rotation.from_rotvec([0.25, 0, 0])
    np.testing.assert_allclose(elbow, [bend.as_rotvec()] * 2, atol=1e-5)


def test_standing_feet_touch_the_floor_whatever_the_height():
    local = np.broadcast_to(np.eye(3), (3, 24, 3, 3)).copy()
    clip = retarget(smpl_source(local, np.full((3, 3), 7.0)), REST_JOINTS, SOLE_M, **TERMS)
    joints = joints_of(clip)
    ankle = JOINT_NAMES.index("left_ankle")
    np.testing.assert_allclose(joints[:, ankle, 1], REST_JOINTS[ankle, 1] - SOLE_M, atol=1e-6)


def test_spine_of_one_joint_is_shared_out_in_thirds():
    rng = np.random.default_rng(5)
    motion = other_skeleton(rng, frames=1)
    to_ours = np.array([[0, 1.0, 0], [0, 0, 1.0], [1.0, 0, 0]])
    bend = to_ours.T @ Rotation.from_rotvec([0.9, 0, 0]).as_matrix() @ to_ours
    rotations = np.broadcast_to(np.eye(3), motion.rotations.shape).copy()
    rotations[:, 1:] = bend  # everything above and beside the pelvis moves with the chest
    clip = retarget(SourceMotion(**{**vars(motion), "rotations": rotations}), REST_JOINTS, SOLE_M, **TERMS)
    spine = clip.body_pose.reshape(1, 23, 3)[0, [JOINT_NAMES.index(f"spine{k}") - 1 for k in (1, 2, 3)]]
    np.testing.assert_allclose(spine, [[0.3, 0, 0]] * 3, atol=1e-6)


def test_rest_pose_that_stands_on_nothing_is_refused():
    motion = other_skeleton(np.random.default_rng(1), frames=1)
    flat = motion.reference.copy()
    flat[motion.index("left_knee")] = flat[motion.index("left_hip")] + [0, 0.5, 0]
    with pytest.raises(ChorosError, match="standing person"):
        retarget(SourceMotion(**{**vars(motion), "reference": flat}), REST_JOINTS, SOLE_M, **TERMS)
    headless = {role: joint for role, joint in motion.roles.items() if role != "head"}
    with pytest.raises(ChorosError, match="no joint for head"):
        retarget(SourceMotion(**{**vars(motion), "roles": headless}), REST_JOINTS, SOLE_M, **TERMS)
