"""Where people stand, in TRACE's numbers: the release's formula, the way back, and cameras of any kind."""

import math

import numpy as np
import pytest
import torch

from choros.body import BodyModel, BodyParams
from choros.trace.backbone_encoder import PaddedSquare
from choros.trace.cameras import camera_of, own_K, transl_of
from choros.trace.config import TraceConfig

CONFIG = TraceConfig()
PLACES = torch.tensor([[0.3, -0.2, 4.0], [-1.5, 0.4, 8.0], [2.0, 1.0, 30.0]], dtype=torch.float64)
#: Of a phone held far off and of a wide one, both off the middle; of pixels that are not square.
CAMERAS = {
    "long": [[1400.0, 0, 270], [0, 1400, 240], [0, 0, 1]],
    "wide": [[300.0, 0, 256], [0, 300, 230], [0, 0, 1]],
    "oblong": [[700.0, 0, 250], [0, 620, 260], [0, 0, 1]],
}


def project(points, K):
    seen = points @ K.mT
    return seen[..., :2] / seen[..., 2:]


def test_its_own_camera_is_the_releases():
    """FOV 50: s = 1 / (z tan 25 degrees); y and x are the picture's, -1 to 1."""
    camera = camera_of(PLACES, own_K(CONFIG, PLACES), CONFIG)
    tangent = math.tan(math.radians(25))
    for (x, y, z), (scale, up, across) in zip(PLACES.tolist(), camera.tolist(), strict=True):
        assert scale == pytest.approx(1 / (z * tangent))
        assert up == pytest.approx(y / (z * tangent))
        assert across == pytest.approx(x / (z * tangent))
    assert CONFIG.focal_px == pytest.approx(549, abs=0.1)  # 548 in the release, which rounds


@pytest.mark.parametrize("name", CAMERAS)
def test_there_and_back(name):
    K = torch.tensor(CAMERAS[name], dtype=torch.float64)
    torch.testing.assert_close(transl_of(camera_of(PLACES, K, CONFIG), K, CONFIG), PLACES)
    many = K.expand(3, 3, 3)
    torch.testing.assert_close(camera_of(PLACES, many, CONFIG), camera_of(PLACES, K, CONFIG))


@pytest.mark.parametrize("name", CAMERAS)
def test_another_camera_lands_on_the_same_pixels(name):
    """What the network tells in its own camera, seen through another: the pelvis there exactly, the body nearly."""
    body = BodyModel.load(detail="light")
    rng = np.random.default_rng(0)
    turned = torch.tensor([[np.pi, 0, 0]] * 3) + torch.from_numpy(rng.normal(0, 0.2, (3, 3)))
    pose = torch.from_numpy(rng.normal(0, 0.3, (3, 69)))
    params = BodyParams(
        betas=torch.zeros(3, 10),
        global_orient=turned.float(),
        body_pose=pose.float(),
        transl=torch.zeros(3, 3),
    )
    joints = body.joints(params).double()
    joints = joints - joints[:, :1]
    own, K = own_K(CONFIG, PLACES), torch.tensor(CAMERAS[name], dtype=torch.float64)
    camera = camera_of(PLACES, own, CONFIG)
    other = transl_of(camera, K, CONFIG)
    first, second = project(joints + PLACES[:, None], own), project(joints + other[:, None], K)
    torch.testing.assert_close(second[:, 0], first[:, 0], atol=1e-6, rtol=0)
    height_px = np.ptp(first[..., 1].numpy(), axis=1)
    apart_px = (second - first).norm(dim=-1).amax(-1).numpy()
    assert (apart_px < 0.12 * height_px).all()
    # Without the distance that the focal length asks for, people would be larger or smaller.
    naive_px = np.ptp(project(joints + PLACES[:, None], K)[..., 1].numpy(), axis=1)
    assert (np.abs(naive_px / height_px - 1) > 0.1).all()


@pytest.mark.parametrize(("width", "height"), [(7, 4), (64, 37), (30, 61), (512, 512), (1920, 1080)])
def test_the_padded_square_puts_pixels_where_it_says(width, height):
    box = PaddedSquare(width, height, 512)
    image = np.full((height, width, 3), 40, np.uint8)
    square = box.cut(image)
    assert square.shape == (512, 512, 3)
    margin = 3 * max(box.scale, 1)  # cubic interpolation mixes what lies so near to the frame
    x0, y0 = box.to_crop(np.array([0.0, 0.0]))
    x1, y1 = box.to_crop(np.array([float(width), float(height)]))
    inner = square[
        math.ceil(y0 + margin) : math.floor(y1 - margin), math.ceil(x0 + margin) : math.floor(x1 - margin)
    ]
    assert (inner == 40).all()
    assert inner.size > 0 or width < 10
    assert (square[: max(math.floor(y0 - margin), 0)] == 255).all()
    assert (square[:, : max(math.floor(x0 - margin), 0)] == 255).all()
    np.testing.assert_allclose(box.from_crop(box.to_crop(np.array([[3.0, 2.5]]))), [[3.0, 2.5]])


def test_a_bright_spot_is_seen_where_the_placement_puts_it():
    image = np.zeros((300, 500, 3), np.uint8)
    image[100:110, 400:410] = 255
    box = PaddedSquare(500, 300, 512)
    square = box.cut(image, border=0).astype(float).sum(-1)
    y, x = (
        (np.arange(512) + 0.5) @ square.sum(1) / square.sum(),
        (np.arange(512) + 0.5) @ square.sum(0) / square.sum(),
    )
    np.testing.assert_allclose(box.to_crop(np.array([405.0, 105.0])), [x, y], atol=0.1)


def test_the_intrinsics_of_the_square_are_those_of_the_image_in_it():
    K = np.array([[900.0, 0, 240], [0, 950, 155], [0, 0, 1]])
    box, point = PaddedSquare(500, 301, 512), np.array([0.4, -0.3, 5.0])
    in_image, in_square = (k @ point / point[2] for k in (K, box.K(K)))
    np.testing.assert_allclose(in_square[:2], box.to_crop(in_image[:2]))
