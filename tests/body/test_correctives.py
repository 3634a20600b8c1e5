"""The build tool's dual-quaternion skinning and the correctives fitted to it."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body.open_body import read_open_body
from choros.skeleton import JOINT_NAMES, PARENTS

TOOL = Path(__file__).parents[2] / "tools/body_correctives.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("body_correctives", TOOL)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def random_motions(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return Rotation.random(n, random_state=0).as_matrix(), rng.normal(size=(n, 3))


def test_one_bone_moves_rigidly(tool):
    points = np.random.default_rng(1).normal(size=(50, 3))
    rotations, shifts = random_motions(4)
    for b in range(4):
        skinned = tool.blend_dual_quaternions(points, np.eye(4)[[b] * 50], rotations, shifts)
        np.testing.assert_allclose(skinned, points @ rotations[b].T + shifts[b], atol=1e-12)


def test_halfway_between_two_turns_is_half_the_turn(tool):
    points = np.random.default_rng(1).normal(size=(50, 3))
    turn = np.array([0.3, -1.2, 0.5])
    rotations = Rotation.from_rotvec([np.zeros(3), turn]).as_matrix()
    skinned = tool.blend_dual_quaternions(points, np.full((50, 2), 0.5), rotations, np.zeros((2, 3)))
    np.testing.assert_allclose(skinned, Rotation.from_rotvec(turn / 2).apply(points), atol=1e-12)


def test_blending_commutes_with_moving_the_world(tool):
    rng = np.random.default_rng(2)
    points, weights = rng.normal(size=(50, 3)), rng.dirichlet(np.ones(24), 50)
    rotations, shifts = tool.pose_bones(tool.draw_pose(rng), rng.normal(size=(24, 3)))
    (world,), (offset,) = random_motions(1)
    there = tool.blend_dual_quaternions(points, weights, rotations, shifts, PARENTS) @ world.T + offset
    moved = tool.blend_dual_quaternions(
        points, weights, world @ rotations, shifts @ world.T + offset, PARENTS
    )
    np.testing.assert_allclose(moved, there, atol=1e-9)


def test_shipped_correctives_bring_linear_skinning_to_the_ideal(tool):
    t = read_open_body("light")
    joints = t.joint_regressor @ t.template
    rng = np.random.default_rng(3)
    before, after = [], []
    for _ in range(5):
        pose = tool.draw_pose(rng)
        wanted = tool.rest_offsets(t.template, joints, t.skin_weights, pose)
        given = t.pose_dirs @ (pose[1:] - np.eye(3)).ravel()
        before.append(np.linalg.norm(wanted, axis=1).mean())
        after.append(np.linalg.norm(wanted - given, axis=1).mean())
    assert np.mean(after) < 0.4 * np.mean(before)


def test_correctives_mirror(tool):
    t = read_open_body("light")
    pose_dirs = t.pose_dirs.reshape(-1, 3, 23, 3, 3)
    np.testing.assert_allclose(tool.mirrored(pose_dirs, t.mirror), pose_dirs, atol=1e-6)


def test_a_joint_that_nothing_follows_bends_nothing(tool):
    assert tool.followed_joints((JOINT_NAMES.index("head"),)) == []
    hip, knee = JOINT_NAMES.index("left_hip"), JOINT_NAMES.index("left_knee")
    assert tool.followed_joints((hip, knee)) == [knee]
    assert tool.followed_joints((JOINT_NAMES.index("right_hip"), hip)) == [
        hip,
        JOINT_NAMES.index("right_hip"),
    ]
