"""Boxes of whole bodies: around mesh and joints, near and far, and of people who are partly hidden."""

import numpy as np
import torch

from choros.body import BodyModel
from choros.body.boxes import boxes_of_bodies, whole_boxes
from choros.camera import project

K = np.array([[800.0, 0, 480], [0, 800.0, 270], [0, 0, 1]])


def test_a_box_holds_the_mesh_and_little_more():
    body = BodyModel.load()
    rng = np.random.default_rng(0)
    n = 12
    params = body.neutral()._replace(
        global_orient=torch.tensor(rng.normal([np.pi, 0, 0], 0.3, (n, 3)), dtype=body.dtype),
        body_pose=torch.tensor(rng.normal(0, 0.2, (n, 69)), dtype=body.dtype),
        betas=torch.tensor(rng.normal(0, 1, (n, 10)), dtype=body.dtype),
        transl=torch.tensor(rng.uniform([-1, -0.3, 4], [1, 0.3, 9], (n, 3)), dtype=body.dtype),
        kid=torch.zeros(n, dtype=body.dtype),
    )
    with torch.inference_mode():
        mesh, joints = (part.double().numpy() for part in (body.vertices(params), body.joints(params)))
    at_px = project(mesh, K)
    mesh_px = np.concatenate([at_px.min(1), at_px.max(1)], -1)
    metre_px = K[0, 0] / joints[:, :1, 2]
    room_m = (boxes_of_bodies(joints, K) - mesh_px) * [-1, -1, 1, 1] / metre_px
    assert room_m.min() > -0.03
    assert room_m.max() < 0.2
    assert abs(room_m.mean(0)).max() < 0.15


def test_twice_as_far_is_half_as_large():
    joints = np.random.default_rng(1).uniform(-0.5, 0.5, (1, 24, 3)) * [1, 1, 0]
    near, far = boxes_of_bodies(
        np.concatenate([joints + np.array([0, 0, z]) for z in (4.0, 8.0)]), np.stack([K, K])
    )
    np.testing.assert_allclose(far[2:] - far[:2], (near[2:] - near[:2]) / 2)


def test_who_stands_at_the_camera_has_a_box_all_the_same():
    assert np.isfinite(boxes_of_bodies(np.zeros((1, 24, 3)), K)).all()


def test_of_who_is_half_hidden_the_box_is_half_the_bodys():
    detected, whole = np.array([[10.0, 10, 20, 40]] * 3), np.array([[10.0, 10, 20, 90]] * 3)
    found = whole_boxes(detected, whole, np.array([1.0, 0.5, 0.0]))
    assert found[:, 3].tolist() == [40, 65, 90]
