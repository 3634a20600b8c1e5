"""Laws of the body model, and its fast paths against plain ones."""

import subprocess
import sys

import numpy as np
import pytest
import roma
import torch
from random_people import random_params
from torch.func import jvp

from choros.body import BodyModel, BodyParams
from choros.body.kinematics import rotation_matrices
from choros.errors import ChorosError
from choros.skeleton import JOINT_NAMES, KEYPOINT_SETS, MIRROR_JOINTS, PARENTS


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return BodyModel.load(detail="light", dtype=torch.float64)


@pytest.fixture(scope="module", params=["full", "light"])
def any_body(request: pytest.FixtureRequest) -> BodyModel:
    return BodyModel.load(detail=request.param)


def test_zero_pose_is_the_template_exactly(any_body):
    still = any_body.neutral(2)
    assert torch.equal(any_body.vertices(still), any_body.template.expand(2, -1, -1))
    assert torch.equal(any_body.joints(still), any_body.joint_template.expand(2, -1, -1))


def test_zero_pose_is_the_shape_exactly(body):
    shape = torch.linspace(-2, 2, 10, dtype=torch.float64)
    still = body.neutral()._replace(betas=shape, kid=torch.tensor(0.5, dtype=torch.float64))
    expected = body.template + body.shape_dirs @ shape + 0.5 * body.kid_dir
    torch.testing.assert_close(body.vertices(still), expected, atol=1e-14, rtol=0)


def test_skinning_equals_plain_4x4_matrices(body):
    params = random_params(3)
    rotations = rotation_matrices(torch.cat([params.global_orient, params.body_pose], -1))
    for k in range(3):
        shaped = body.template + body.shape_dirs @ params.betas[k] + body.kid_dir * params.kid[k]
        joints = torch.tensor(body._tables.joint_regressor) @ shaped
        transforms = []
        for j, parent in enumerate(PARENTS):
            local = torch.eye(4, dtype=torch.float64)
            local[:3, :3] = rotations[k, j]
            local[:3, 3] = joints[j] - (joints[parent] if parent >= 0 else 0)
            transforms.append(local if parent < 0 else transforms[parent] @ local)
        features = (rotations[k, 1:] - torch.eye(3)).reshape(207)
        corrected = shaped + torch.tensor(body._tables.pose_dirs).double() @ features
        expected = torch.zeros_like(shaped)
        for j, transform in enumerate(transforms):
            from_joint = torch.cat([corrected - joints[j], torch.ones(len(shaped), 1)], 1)
            expected += body.skin_weights[:, j, None] * (from_joint @ transform.T)[:, :3]
        skinned = body.vertices(BodyParams(*(p[k] for p in params)))
        torch.testing.assert_close(skinned, expected + params.transl[k], atol=1e-10, rtol=0)


def test_root_moves_everything_rigidly(body):
    params = random_params(4)
    turn = roma.random_rotmat(dtype=torch.float64)
    orient = roma.rotmat_to_rotvec(turn @ roma.rotvec_to_rotmat(params.global_orient))
    pelvis = body.rest_joints(params.betas, params.kid)[:, :1]
    for points in (body.joints, body.vertices, body.keypoints):
        at_pelvis = points(params._replace(transl=torch.zeros(4, 3, dtype=torch.float64))) - pelvis
        turned = points(params._replace(global_orient=orient))
        expected = at_pelvis @ turn.T + pelvis + params.transl[:, None]
        torch.testing.assert_close(turned, expected, atol=1e-9, rtol=0)


def test_mirrored_pose_gives_mirrored_mesh(any_body):
    params = random_params(3, dtype=torch.float32)
    pose = torch.cat([params.global_orient, params.body_pose], -1).unflatten(-1, (24, 3))
    mirrored = pose[:, list(MIRROR_JOINTS)] * torch.tensor([1.0, -1, -1])
    flip = torch.tensor([-1.0, 1, 1])
    other = params._replace(
        global_orient=mirrored[:, 0], body_pose=mirrored[:, 1:].flatten(-2), transl=params.transl * flip
    )
    expected = any_body.vertices(params)[:, any_body.mirror] * flip
    torch.testing.assert_close(any_body.vertices(other), expected, atol=2e-4, rtol=0)


@pytest.mark.parametrize("name", KEYPOINT_SETS)
@pytest.mark.parametrize("corrected", [True, False])
def test_keypoints_equal_averaged_vertices(body, name, corrected):
    if not corrected:
        body = BodyModel(body._tables.__class__(**{**vars(body._tables), "pose_dirs": None}), torch.float64)
        assert body.skinned_points(name).offset_pose is None
    params = random_params(5)
    on_vertices, on_joints = body.keypoint_weights(name)
    torch.testing.assert_close((on_vertices.sum(1) + on_joints.sum(1)), torch.ones(len(on_joints)).double())
    expected = on_vertices @ body.vertices(params) + on_joints @ body.joints(params)
    torch.testing.assert_close(body.keypoints(params, name), expected, atol=1e-7, rtol=0)


def test_keypoints_of_a_regressor(body):
    regressor = np.random.default_rng(0).dirichlet(np.ones(body.n_vertices), 3)
    params = random_params(2)
    expected = torch.tensor(regressor) @ body.vertices(params)
    torch.testing.assert_close(body.keypoints(params, regressor), expected, atol=1e-7, rtol=0)


def test_regressor_of_another_body_is_refused(body):
    with pytest.raises(ChorosError, match="6890"):
        body.keypoints(body.neutral(), np.zeros((17, 6890)))
    with pytest.raises(ChorosError, match="coco17"):
        body.keypoints(body.neutral(), "coco18")


def test_keypoints_are_where_people_have_them(body):
    points = dict(zip(KEYPOINT_SETS["body25"], body.keypoints(body.neutral(), "body25"), strict=True))
    joints = dict(zip(JOINT_NAMES, body.joint_template, strict=True))
    for limb in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        for side in ("left", "right"):
            assert (points[f"{side}_{limb}"] - joints[f"{side}_{limb}"]).norm() < 0.05
    assert points["left_eye"][0] > 0.02
    assert points["nose"][2] > points["left_ear"][2] + 0.08
    assert points["left_big_toe"][2] > points["left_heel"][2] + 0.18
    assert points["left_small_toe"][0] > points["left_big_toe"][0]


def test_comotions_joints_are_the_skeletons(body):
    params = random_params(2)
    points = body.keypoints(params, "comotion27")
    torch.testing.assert_close(points[:, :22], body.joints(params)[:, :22], atol=1e-12, rtol=0)


def test_leading_dimensions_broadcast(body):
    one, many = random_params(), random_params(2, 3, seed=1)
    mixed = BodyParams(many.global_orient, many.body_pose, one.betas, one.transl, one.kid)
    spread = BodyParams(*(p.expand(2, 3, *p.shape[one_dims:]) for p, one_dims in zip(
        mixed, (2, 2, 0, 0, 0), strict=True)))  # fmt: skip
    for points in (body.joints, body.vertices, body.keypoints):
        torch.testing.assert_close(points(mixed), points(spread), atol=1e-12, rtol=0)
    lone = BodyParams(*(p[1, 2] for p in spread))
    torch.testing.assert_close(body.keypoints(lone), body.keypoints(spread)[1, 2], atol=1e-12, rtol=0)


@pytest.mark.parametrize("points", ["joints", "keypoints"])
@pytest.mark.parametrize("still", [True, False])
def test_gradients(body, points, still):
    params = body.neutral(1) if still else random_params(1)
    inputs = tuple(p.clone().requires_grad_() for p in params)
    compute = getattr(body, points)
    assert torch.autograd.gradcheck(
        lambda *p: compute(BodyParams(*p)), inputs, atol=1e-6, fast_mode=not still
    )


def test_gradient_of_vertices_is_their_velocity(body):
    params = random_params()
    velocity = tuple(torch.randn_like(p) for p in params)
    _, moved = jvp(lambda *p: body.vertices(BodyParams(*p)), tuple(params), velocity)
    step = 1e-6
    ahead, behind = (
        body.vertices(BodyParams(*(p + s * v for p, v in zip(params, velocity, strict=True))))
        for s in (step, -step)
    )
    torch.testing.assert_close(moved, (ahead - behind) / (2 * step), atol=1e-5, rtol=1e-5)


def test_precision_follows_the_body(body):
    half = BodyModel.load(detail="light")
    params = random_params(2)
    single = BodyParams(*(p.float() for p in params))
    for points in ("joints", "vertices", "keypoints"):
        a, b = getattr(half, points)(single), getattr(body, points)(params)
        assert a.dtype == torch.float32
        torch.testing.assert_close(a.double(), b, atol=2e-5, rtol=0)
    half.skinned_points("coco17")
    assert half.to(torch.float64).skinned_points("coco17").offset.dtype == torch.float64
    assert not half.state_dict()  # the body is no weight of anybody's network


def test_lowered_arm_keeps_the_elbow_and_lets_the_shoulder_sink(body):
    pose = torch.zeros(24, 3, dtype=torch.float64)
    pose[JOINT_NAMES.index("left_shoulder"), 2] = -1.3
    lowered = body.neutral()._replace(body_pose=pose[1:].flatten())
    plain = BodyModel(body._tables.__class__(**{**vars(body._tables), "pose_dirs": None}), torch.float64)
    sunk = body.vertices(lowered) - plain.vertices(lowered)
    part = {name: body.parts == i for i, name in enumerate(body.part_names)}
    assert sunk[part["left_collar"], 1].mean() < -0.005
    assert sunk[part["left_wrist"]].norm(dim=-1).max() < 2e-3
    assert sunk[part["right_shoulder"]].norm(dim=-1).max() < 2e-3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_gpu_equals_cpu(body):
    on_gpu = BodyModel.load(detail="light", dtype=torch.float64, device="cuda")
    params = random_params(4)
    moved = BodyParams(*(p.cuda() for p in params))
    for points in ("joints", "vertices", "keypoints"):
        torch.testing.assert_close(
            getattr(on_gpu, points)(moved).cpu(), getattr(body, points)(params), atol=1e-9, rtol=0
        )


def test_names_load_no_torch():
    code = "import sys, choros.body, choros.skeleton; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
