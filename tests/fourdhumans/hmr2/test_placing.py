"""From a crop to the camera of the picture: the same pixels whatever K is; for the release's K its own formula."""

import numpy as np
import pytest
import torch

from choros.body import BodyModel, BodyParams
from choros.body.standing import standing_rotations
from choros.camera import intrinsics, project
from choros.fourdhumans.hmr2.config import CROP
from choros.fourdhumans.hmr2.decoder import CropBodies
from choros.fourdhumans.hmr2.placing import (
    crop_pixels,
    crop_translation,
    placed,
    places_on_pixels,
    rays_of,
    released_K,
)
from choros.rotation import rotmat_to_rotvec, rotvec_to_rotmat

WIDTH, HEIGHT = 1920, 1080
BOXES = np.array(
    [[900, 500, 1000, 700], [100, 100, 200, 400], [600, 300, 700, 650], [1500, 600, 1900, 1080.0]]
)
CROPS = CROP.around(BOXES)


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


@pytest.fixture(scope="module")
def bodies():
    generator = torch.Generator().manual_seed(0)
    turns = rotvec_to_rotmat(0.3 * torch.randn(4, 24, 3, generator=generator))
    camera = torch.tensor([0.9, 0.02, 0.1]) + 0.05 * torch.randn(4, 3, generator=generator)
    return CropBodies(standing_rotations() @ turns, 0.5 * torch.randn(4, 10, generator=generator), camera)


def seen_px(bodies, body):
    """Where the network saw the joints, px of the picture."""
    pose = rotmat_to_rotvec(bodies.rotations)
    params = BodyParams(pose[:, 0], pose[:, 1:].flatten(-2), bodies.betas, torch.zeros(4, 3))
    return CROPS.from_crop(crop_pixels(body.joints(params), bodies.camera).double())


def misses(found, K, pixels):
    """Distances of the joints by K from those pixels, as shares of the crop, (4, 24)."""
    away = (project(found.joints_cam.double(), torch.from_numpy(K)) - pixels).norm(dim=-1)
    return away / torch.from_numpy(CROPS.extent_px[:, :1])


def test_a_weak_camera_is_metres_and_shares_of_the_crop():
    """A scale of 1 shows two metres on 256 px, whatever the depth."""
    camera = torch.tensor([[1.0, 0.25, -0.5]])
    assert crop_translation(camera).tolist() == [[0.25, -0.5, pytest.approx(5000 / 128)]]
    pixels = crop_pixels(torch.tensor([[[0, 0, 0], [0.5, 0.5, 0]]]), camera)
    torch.testing.assert_close(pixels, torch.tensor([[[160.0, 64], [224, 128]]]))


@pytest.mark.parametrize("focal_px", [37_500, 5_000, 1_920, 1_200])
def test_the_same_crop_under_another_K_lands_on_the_same_pixels(bodies, body, focal_px):
    """But for perspective, of which the crop's camera has next to none: less, the longer the lens."""
    K = intrinsics(WIDTH, HEIGHT, focal_px=focal_px)
    found = placed(bodies, CROPS, K, body)
    away = misses(found, K, seen_px(bodies, body))
    assert away.mean() < 12 / focal_px + 0.0005
    assert away.max() < 60 / focal_px + 0.003


def test_depth_grows_with_the_focal_length(bodies, body):
    near, far = (
        placed(bodies, CROPS, intrinsics(WIDTH, HEIGHT, focal_px=f), body).transl for f in (3_000, 30_000)
    )
    torch.testing.assert_close(far[:, 2], 10 * near[:, 2], rtol=0.02, atol=0)


def test_the_releases_K_gives_the_releases_formula(bodies, body):
    """Its full-frame camera: t_z = 2 f / (b s), t_x = x + 2 (c_x - w / 2) / (b s), but for perspective."""
    found = placed(bodies, CROPS, released_K(WIDTH, HEIGHT), body)
    side, scale = CROPS.extent_px[:, 0], bodies.camera[:, 0].numpy()
    focal = 5000 / 256 * WIDTH
    depth = 2 * focal / (side * scale)
    middle = (BOXES[:, :2] + BOXES[:, 2:]) / 2 - [WIDTH / 2, HEIGHT / 2]
    across = bodies.camera[:, 1:].numpy() + 2 * middle / (side * scale)[:, None]
    np.testing.assert_allclose(found.transl[:, 2], depth, rtol=5e-3)
    np.testing.assert_allclose(found.transl[:, :2], across, atol=0.02)


def test_bodies_are_turned_to_the_ray_on_which_their_crop_lies(bodies, body):
    """In the middle of the picture a body stays as it was seen; at its side it is seen so only if it turns."""
    K = intrinsics(WIDTH, HEIGHT, focal_px=1_200)
    rays = rays_of(CROPS, K)
    ahead = torch.tensor([0.0, 0, 1], dtype=torch.float64)
    middles = project(rays @ ahead, torch.from_numpy(K))
    np.testing.assert_allclose(middles, (BOXES[:, :2] + BOXES[:, 2:]) / 2)
    found = placed(bodies, CROPS, K, body)
    torch.testing.assert_close(found.rotations[:, 0], rays.float() @ bodies.rotations[:, 0])
    assert torch.equal(found.rotations[:, 1:], bodies.rotations[:, 1:])
    pixels = seen_px(bodies, body)
    unturned = found.joints_cam - found.joints_cam[:, :1]
    unturned = (unturned.double() @ rays).float()
    moved = places_on_pixels(unturned.double(), pixels, torch.from_numpy(K)).float()
    stiff = found._replace(joints_cam=unturned + moved[:, None])
    assert (misses(found, K, pixels).mean(1)[1:] < misses(stiff, K, pixels).mean(1)[1:]).all()


def test_the_joints_are_those_of_the_parameters(bodies, body):
    found = placed(bodies, CROPS, intrinsics(WIDTH, HEIGHT), body)
    pose = rotmat_to_rotvec(found.rotations)
    params = BodyParams(pose[:, 0], pose[:, 1:].flatten(-2), found.betas, found.transl)
    torch.testing.assert_close(body.joints(params), found.joints_cam, atol=1e-4, rtol=1e-5)


def test_a_place_that_fits_all_pixels_is_found():
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(3, 9, 3, generator=generator, dtype=torch.float64)
    places = torch.tensor([[0.5, -1, 6], [2, 0.3, 9], [-3, 1, 20.0]], dtype=torch.float64)
    K = torch.tensor([[900, 3, 640], [0, 950, 350], [0, 0, 1.0]], dtype=torch.float64)
    pixels = project(points + places[:, None], K)
    torch.testing.assert_close(places_on_pixels(points, pixels, K), places)
