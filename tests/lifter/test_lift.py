"""The lift: independent of the camera's numbers, exact on its keypoints, sure of what it knows."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.hypotheses import PersonView, person_view
from choros.body.likely import LiftConfig
from choros.camera import intrinsics, project, unproject
from choros.lifter.lift import Lifting, Past
from choros.lifter.network import Lifter, LifterConfig
from choros.training.lifter.batch import ClipConfig, sample
from tests.training.captured import SWINGING


@pytest.fixture(scope="module")
def lifting():
    return Lifting(BodyModel.load(detail="light"))


@pytest.fixture(scope="module")
def people(lifting):
    """Keypoints of people on the plane z = 1, reported with noise."""
    batch = sample([SWINGING], lifting.points, ClipConfig(batch=16, frames=2), 5, 0)
    return batch.keypoints[:, 0]


def seen_by(K, plane):
    """Keypoints (n, 17, 3) on the plane z = 1 as a camera's pixels."""
    points = np.concatenate([plane[..., :2], np.ones_like(plane[..., :1])], -1)
    return np.concatenate([project(points, K), plane[..., 2:]], -1)


def test_another_camera_sees_the_same_people(lifting, people):
    """The same rays through another K: the same bodies in the same places."""
    one = lifting(seen_by(intrinsics(1280, 720, fov_deg=50), people), intrinsics(1280, 720, fov_deg=50))
    other = lifting(
        seen_by(intrinsics(640, 800, focal_px=1500.0), people), intrinsics(640, 800, focal_px=1500.0)
    )
    np.testing.assert_allclose(one.transl, other.transl, atol=0.02)
    np.testing.assert_allclose(one.rotations, other.rotations, atol=0.05)


def test_view_and_camera_are_each_others_inverse(people):
    """The centre of the view, turned back, is the weighted middle of the keypoints' rays."""
    points = torch.tensor(people)
    view = person_view(
        points, torch.eye(3, dtype=torch.float64).expand(len(points), 3, 3), torch.zeros(len(points))
    )
    R = view.R_camera_view
    torch.testing.assert_close(R @ R.mT, torch.eye(3, dtype=R.dtype).expand_as(R))
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(len(R), dtype=R.dtype))
    turned = torch.cat([points[..., :2], torch.ones_like(points[..., :1])], -1) @ R
    again = (turned[..., :2] / turned[..., 2:] - view.centre[:, None]) / view.spread[:, None, None]
    shown = points[..., 2] > 0.05
    expected = view.inputs[:, :34].reshape(-1, 17, 2)
    torch.testing.assert_close(expected[shown], again.clamp(-6, 6)[shown])


def test_the_network_is_causal_and_people_are_apart():
    torch.manual_seed(0)
    network = Lifter(LifterConfig(width=32)).eval()
    keypoints = torch.rand(3, 5, 17, 3)
    view = person_view(keypoints, torch.eye(3).expand(3, 5, 3, 3), torch.full((3, 5), 0.04))
    with torch.no_grad():
        whole, _ = network(view, torch.zeros(3, 32))
        part, hidden = network(PersonView(*(p[:, :3] for p in view)), torch.zeros(3, 32))
        rest, _ = network(PersonView(*(p[:, 3:] for p in view)), hidden)
        alone, _ = network(PersonView(*(p[1:2] for p in view)), torch.zeros(1, 32))
    for one, a, b, c in zip(whole, part, rest, alone, strict=True):
        torch.testing.assert_close(one, torch.cat([a, b], 1), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(one[1:2], c, atol=1e-5, rtol=1e-4)


def test_rotations_are_rotations(lifting, people):
    rotations = lifting(people, np.eye(3)).rotations
    np.testing.assert_allclose(
        rotations @ rotations.swapaxes(-1, -2), np.broadcast_to(np.eye(3), rotations.shape), atol=1e-5
    )
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-5)


def test_a_person_of_known_height_stands_where_they_are(lifting):
    """A standing body seen without error: depth within a tenth, image within a hundredth of their size."""
    K = intrinsics(1280, 720)
    rotations = np.tile(np.eye(3), (3, 24, 1, 1))
    rotations[:, 0] = np.diag([1.0, -1, -1])
    down = 1.2  # arms hanging, rad
    for joint, sign in ((16, -1), (17, 1)):
        c, s = np.cos(down), np.sin(down) * sign
        rotations[:, joint] = [[c, -s, 0], [s, c, 0], [0, 0, 1]]
    places = np.array([[0, 0.2, 3.5], [-1.5, 0.3, 6.0], [4.0, 0.0, 12.0]])
    points = lifting.keypoints_cam(rotations, np.zeros((3, 10)), places)
    keypoints = np.concatenate([project(points, K), np.full((3, 17, 1), 0.95)], -1)
    lifted = lifting(keypoints, K)
    np.testing.assert_allclose(lifted.transl[:, 2], places[:, 2], rtol=0.1)
    again = project(lifting.keypoints_cam(lifted.rotations, lifted.betas, lifted.transl), K)
    size = np.ptp(keypoints[..., 1], axis=1)
    assert (np.linalg.norm(again - keypoints[..., :2], axis=-1).mean(-1) / size < 0.015).all()
    assert (lifted.confidence > 0.4).all()


def test_the_fit_lands_closer_than_the_network(lifting, people):
    plain = Lifting(BodyModel.load(detail="light"), config=LiftConfig(refine=False))
    sure = people[..., 2] > 0.5

    def miss(lifted):
        points = lifting.keypoints_cam(lifted.rotations, lifted.betas, lifted.transl)
        return np.linalg.norm(points[..., :2] / points[..., 2:] - people[..., :2], axis=-1)[sure].mean()

    assert miss(lifting(people, np.eye(3))) < 0.8 * miss(plain(people, np.eye(3)))


def test_less_seen_is_less_sure(lifting, people):
    half = people.copy()
    half[:, 11:, 2] = 0.02  # nothing below the shoulders
    whole, part = lifting(people, np.eye(3)), lifting(half, np.eye(3))
    assert part.joint_std_m[:, [4, 5, 7, 8]].mean() > 1.1 * whole.joint_std_m[:, [4, 5, 7, 8]].mean()
    assert part.confidence.mean() < whole.confidence.mean()


def test_a_shape_is_learned_slowly_and_kept(lifting, people):
    first = lifting(people, np.eye(3))
    past = lifting.no_past(len(people))._replace(
        dt_s=np.full(len(people), 0.04), betas=first.betas, betas_weight=np.full(len(people), 60.0),
        hidden=first.hidden, rotations=first.rotations, transl=first.transl,
    )  # fmt: skip
    again = lifting(people, np.eye(3), past)
    assert np.abs(again.betas - first.betas).max() < 0.1


def test_unproject_is_what_the_network_calls_a_place(lifting, people):
    """The pelvis lies on the ray of the hips, whatever the depth."""
    lifted = lifting(people, np.eye(3))
    pelvis = lifted.transl + lifting.points.shaped(lifted.betas)[0][:, 0]
    hips = people[:, [11, 12], :2].mean(1)
    on_ray = unproject(hips, pelvis[:, 2], np.eye(3))
    sure = (people[:, [11, 12], 2] > 0.7).all(-1)
    assert np.linalg.norm(pelvis - on_ray, axis=-1)[sure].max() < 0.35


HEADINGS_DEG = np.arange(0, 360, 45)  # 0 faces the camera


@pytest.fixture(scope="module")
def knees_of_the_standing(lifting):
    """Somebody standing straight, turned by each heading: flexion (8, 2), degrees, of both knees, lifted and true.

    430 pixels tall in 640x480, seen without error for half a second at 30 frames/s.
    """
    K, n = intrinsics(640, 480), len(HEADINGS_DEG)
    rotations = np.tile(np.eye(3), (n, 24, 1, 1))
    heading = Rotation.from_rotvec(np.radians(HEADINGS_DEG)[:, None] * [0, 1, 0]).as_matrix()
    rotations[:, 0] = np.diag([1.0, -1, -1]) @ heading
    for shoulder, down_deg in ((16, -70), (17, 70)):
        rotations[:, shoulder] = Rotation.from_euler("z", down_deg, degrees=True).as_matrix()
    places = np.tile([0, 0.1, 1.7 * K[0, 0] / 430], (n, 1))
    true = lifting.keypoints_cam(rotations, np.zeros((n, 10)), places)
    keypoints = np.concatenate([project(true, K), np.full((n, 17, 1), 0.9)], -1)
    past = None
    for _ in range(16):
        lifted = lifting(keypoints, K, past)
        past = Past(
            np.full(n, 1 / 30), lifted.hidden, lifted.rotations, lifted.betas, lifted.betas_weight, lifted.transl
        )  # fmt: skip
    found = lifting.keypoints_cam(lifted.rotations, lifted.betas, lifted.transl)
    return flexion_deg(found), flexion_deg(true)


def flexion_deg(keypoints):
    """How far both knees of COCO's keypoints (n, 17, 3) are from straight: (n, 2)."""
    hips, knees, ankles = keypoints[:, [11, 12]], keypoints[:, [13, 14]], keypoints[:, [15, 16]]
    thigh, shank = knees - hips, ankles - knees
    cosine = (thigh * shank).sum(-1) / np.linalg.norm(thigh, axis=-1) / np.linalg.norm(shank, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@pytest.mark.parametrize("which", range(8))
def test_who_stands_on_straight_legs_stays_within_five_degrees(knees_of_the_standing, which):
    lifted, true = knees_of_the_standing
    assert np.abs(lifted - true)[which].max() < 5
