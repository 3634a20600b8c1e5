"""Bodies are put on the keypoints of heatmaps that are drawn of known people."""

import pytest
import torch

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.camera import project
from choros.comotion.alignment import AlignmentConfig, align
from choros.comotion.encoder import ImageTokens
from choros.comotion.person_states import PersonStates, standing_rotations
from choros.rotation import columns_to_rotmat, rotmat_to_columns

STRIDE, SIDE_PX, HEIGHT_M = 8, 512, 1.7
CELL_PX = torch.full((1,), float(STRIDE))
K = torch.tensor([[[600.0, 0, 256], [0, 600, 256], [0, 0, 1]]])


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


@pytest.fixture(scope="module")
def points(body):
    return Points.of(body)


def people_at(*pelvis_cam, seed=0) -> PersonStates:
    """People who stand about, each a little differently."""
    n = len(pelvis_cam)
    g = torch.Generator().manual_seed(seed)
    columns = rotmat_to_columns(standing_rotations()).expand(1, n, -1, -1)
    columns = columns + 0.15 * torch.randn(1, n, 24, 6, generator=g)
    return PersonStates(
        columns_to_rotmat(columns),
        0.5 * torch.randn(1, n, 10, generator=g),
        torch.tensor([pelvis_cam]),
        torch.randn(1, n, 4, generator=g),
        torch.ones(1, n, dtype=torch.bool),
    )


def keypoints_px(people, body):
    return project(body.keypoints(people.params(body)), K[:, None, None])


def image_of(places_px) -> ImageTokens:
    """Heatmaps with a blob for each keypoint of people (1, N, 17, 2) px."""
    cells = (torch.arange(SIDE_PX // STRIDE) + 0.5) * STRIDE
    y, x = torch.meshgrid(cells, cells, indexing="ij")
    away = (torch.stack([x, y], -1) - places_px[0, :, :, None, None]).square().sum(-1)  # (N, 17, h, w)
    maps = (14 * (-away / (2 * 9.0**2)).exp() - 7).amax(0)
    nothing = torch.zeros(1, 0, 1)
    return ImageTokens(nothing, nothing, maps[None], torch.zeros(1, 2), CELL_PX)


def shifted(people: PersonStates, turn=0.1, way=(0.06, -0.04, 0.0), seed=1) -> PersonStates:
    g = torch.Generator().manual_seed(seed)
    columns = rotmat_to_columns(people.rotations)
    columns = columns + turn * torch.randn(columns.shape, generator=g)
    return people._replace(
        rotations=columns_to_rotmat(columns), pelvis_cam=people.pelvis_cam + torch.tensor(way)
    )


def aligned(points, image, people, **changes):
    return align(points, image, people, K, HEIGHT_M, AlignmentConfig(**changes))


def test_a_body_goes_to_where_its_keypoints_are_seen(body, points):
    truth = people_at((0.2, 0.1, 4.0))
    begun = shifted(truth)
    image = image_of(keypoints_px(truth, body))
    ended = aligned(points, image, begun)
    before, after = (
        (keypoints_px(p, body) - keypoints_px(truth, body)).norm(dim=-1).mean() for p in (begun, ended)
    )
    assert before > 10
    assert after < 0.3 * before
    # What pixels cannot tell stays near what was said, and the rest as it was.
    assert abs(float(ended.pelvis_cam[0, 0, 2]) - 4.0) < 0.1
    for same in ("betas", "hidden", "present"):
        assert torch.equal(getattr(ended, same), getattr(begun, same))


def test_who_shows_nothing_stays(points):
    begun = people_at((0.2, 0.1, 4.0), (-0.5, 0.0, 5.0))
    nothing, faint = torch.zeros(1, 0, 1), torch.full((1, 17, 64, 64), -7.0)
    image = ImageTokens(nothing, nothing, faint, torch.zeros(1, 2), CELL_PX)
    ended = aligned(points, image, begun)
    torch.testing.assert_close(ended.rotations, begun.rotations, atol=1e-6, rtol=0)
    torch.testing.assert_close(ended.pelvis_cam, begun.pelvis_cam, atol=1e-6, rtol=0)


def test_nobody_goes_to_where_somebody_else_stands(body, points):
    """Two people side by side, both seen; whoever looks alone is drawn to the nearer half of each."""
    truth = people_at((0.0, 0.1, 4.0), (0.35, 0.1, 4.0))
    image = image_of(keypoints_px(truth, body))
    begun = shifted(truth, way=(0.05, 0.0, 0.0))
    together = aligned(points, image, begun)
    alone = torch.cat(
        [keypoints_px(aligned(points, image, begun.chosen(torch.tensor([i]))), body) for i in range(2)],
        1,
    )
    wrong_together, wrong_alone = (
        (px - keypoints_px(truth, body)).norm(dim=-1).mean() for px in (keypoints_px(together, body), alone)
    )
    assert wrong_together < 0.6 * wrong_alone


def test_nothing_of_padding_or_behind_the_camera(body, points):
    truth = people_at((0.2, 0.1, 4.0), (0.2, 0.1, 4.0), (0.0, 0.0, -2.0))
    image = image_of(keypoints_px(truth, body)[:, :1])
    begun = shifted(truth)._replace(present=torch.tensor([[True, False, True]]))
    spoilt = begun._replace(rotations=begun.rotations.clone())
    spoilt.rotations[:, 1] = float("nan")
    ended, alone = aligned(points, image, spoilt), aligned(points, image, begun.chosen(torch.tensor([0])))
    torch.testing.assert_close(ended.rotations[:, :1], alone.rotations, atol=1e-6, rtol=0)
    assert torch.equal(ended.pelvis_cam[:, 1:], begun.pelvis_cam[:, 1:])
    assert torch.equal(ended.rotations[:, 2], begun.rotations[:, 2])


def test_people_of_several_frames_and_cameras(body, points):
    truth = people_at((0.2, 0.1, 4.0))
    wide = K.clone()
    wide[:, :2, :2] *= 0.7
    far = truth._replace(pelvis_cam=truth.pelvis_cam * torch.tensor([1.0, 1.0, 0.7]))
    begun = [shifted(truth), shifted(far, seed=2)]
    images = [
        image_of(project(body.keypoints(p.params(body)), k[:, None, None]))
        for p, k in ((truth, K), (far, wide))
    ]
    each = [
        align(points, image, p, k, HEIGHT_M, AlignmentConfig())
        for image, p, k in zip(images, begun, (K, wide), strict=True)
    ]
    both = align(
        points,
        ImageTokens(*(torch.cat(parts) for parts in zip(*images, strict=True))),
        PersonStates(*(torch.cat(parts) for parts in zip(*begun, strict=True))),
        torch.cat([K, wide]),
        HEIGHT_M,
        AlignmentConfig(),
    )
    for one, whole in zip(zip(*each, strict=True), both, strict=True):
        torch.testing.assert_close(whole, torch.cat(one), atol=1e-5, rtol=0)
