"""The losses of HMR 2.0 against sums written out, the adversary, and whom each of them teaches."""

import numpy as np
import pytest
import torch
from torch.func import functional_call

from choros.body import BodyModel, BodyParams
from choros.body.standing import standing_rotations
from choros.datasets.hmr_npz import HMR44
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.decoder import CropBodies
from choros.fourdhumans.hmr2.placing import crop_translation
from choros.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from choros.skeleton import BODY25, COCO17, JOINT_NAMES
from choros.training.fourdhumans.discriminator import PoseDiscriminator
from choros.training.fourdhumans.keypoints44 import MIRROR44, PELVIS, points44, to_44
from choros.training.fourdhumans.losses import Targets, adversarial_losses, body_losses, weighted
from choros.training.fourdhumans.recipe import LossWeights


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


def bodies(n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    turns = rotvec_to_rotmat(0.3 * torch.randn(n, 24, 3, generator=generator))
    camera = torch.tensor([0.9, 0, 0]) + 0.05 * torch.randn(n, 3, generator=generator)
    betas = torch.randn(n, 10, generator=generator)
    return CropBodies(standing_rotations() @ turns, betas, camera)


def truth(n, seed=5):
    generator = torch.Generator().manual_seed(seed)
    other = bodies(n, seed)
    points = torch.rand(n, 44, 3, generator=generator)
    joints = torch.rand(n, 44, 4, generator=generator)
    return Targets(points, joints, other.rotations, other.betas, torch.tensor([1.0, 0.0, 1.0][:n]))


def test_the_sums_are_the_published_ones(body):
    found, wanted, points = bodies(3), truth(3), points44(body)
    losses = body_losses(found, wanted, body, points)
    pose = rotmat_to_rotvec(found.rotations)
    params = BodyParams(pose[:, 0], pose[:, 1:].flatten(-2), found.betas, crop_translation(found.camera))
    body._points["44"] = points  # as a set of its own: the slow way, by axis-angle and whole bodies
    joints_44 = body.keypoints(params, "44")
    sums = dict.fromkeys(losses, 0.0)
    for person in range(3):
        seen = 5000 * joints_44[person, :, :2] / joints_44[person, :, 2:] / 256
        about = joints_44[person] - joints_44[person, PELVIS]
        for k in range(44):
            for axis in range(2):
                miss = abs(seen[k, axis] - wanted.keypoints[person, k, axis])
                sums["keypoints_2d"] += miss * wanted.keypoints[person, k, 2]
            for axis in range(3):
                true = wanted.joints[person, k, axis] - wanted.joints[person, PELVIS, axis]
                sums["keypoints_3d"] += abs(about[k, axis] - true) * wanted.joints[person, k, 3]
        turned = ((found.rotations[person] - wanted.rotations[person]) ** 2).sum((1, 2))
        sums["global_orient"] += wanted.posed[person] * turned[0]
        sums["body_pose"] += wanted.posed[person] * turned[1:].sum()
        sums["betas"] += ((found.betas[person] - wanted.betas[person]) ** 2).sum()
    for name, total in sums.items():
        assert losses[name].item() == pytest.approx(float(total) / 3, rel=1e-3), name


def test_a_right_answer_costs_nothing(body):
    found, points = bodies(2), points44(body)
    _, about = body.about_pelvis(found.rotations, found.betas, points)
    seen = about + body.rest_joints(found.betas)[:, :1] + crop_translation(found.camera)[:, None]
    shares = 5000 / 256 * seen[..., :2] / seen[..., 2:]
    sure = torch.ones(2, 44, 1)
    wanted = Targets(
        torch.cat([shares, sure], -1), torch.cat([about + 3, sure], -1), found.rotations, found.betas, torch.ones(2)
    )  # fmt: skip
    for name, loss in body_losses(found, wanted, body, points).items():
        assert loss.item() == pytest.approx(0, abs=2e-4), name


def test_with_the_published_batch_the_weights_are_of_sums():
    """48 people of the release: its parameter losses are sums, its adversary's is divided by the batch."""
    terms = {"keypoints_2d": torch.tensor(3.0), "betas": torch.tensor(2.0), "adversary": torch.tensor(5.0)}
    expected = 0.01 * 3 * 48 + 0.0005 * 2 * 48 + 0.0005 * 5
    assert weighted(terms, LossWeights()).item() == pytest.approx(expected)


def test_the_discriminator_has_the_released_parameters():
    discriminator = PoseDiscriminator()
    assert sum(p.numel() for p in discriminator.parameters()) == (
        9 * 32 + 32 + 32 * 32 + 32 + 23 * 33  # joints
        + 736 * 1024 + 1024 + 1024 * 1024 + 1024 + 1025  # all together
        + 10 * 10 + 10 + 10 * 5 + 5 + 6  # shape
    )  # fmt: skip
    found = bodies(4)
    told = discriminator(found.rotations[:, 1:], found.betas)
    assert told.shape == (4, 25)
    other = found.rotations[:, 1:].clone()
    other[:, 7] = other[:, 7].mT
    changed = (discriminator(other, found.betas) != told).any(0)
    assert changed.nonzero().flatten().tolist() == [7, 23]
    changed = (discriminator(found.rotations[:, 1:], found.betas + 1) != told).any(0)
    assert changed.nonzero().flatten().tolist() == [24]


def test_adversary_and_discriminator_each_learn_from_their_own_loss():
    found, real = bodies(3), bodies(5, 9)
    rotations = found.rotations.requires_grad_()
    discriminator = PoseDiscriminator()
    losses = adversarial_losses(
        found._replace(rotations=rotations), real.rotations[:, 1:], real.betas, discriminator
    )
    told = functional_call(
        discriminator, dict(discriminator.named_parameters()), (rotations[:, 1:], found.betas)
    )
    assert losses["adversary"].item() == pytest.approx(((told - 1) ** 2).sum().item() / 3, rel=1e-5)
    told_real = discriminator(real.rotations[:, 1:], real.betas)
    expected = (told**2).sum() / 3 + ((told_real - 1) ** 2).sum() / 5
    assert losses["discriminator"].item() == pytest.approx(expected.item(), rel=1e-5)
    losses["adversary"].backward()
    assert rotations.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in discriminator.parameters())
    rotations.grad = None
    losses["discriminator"].backward()
    assert rotations.grad is None
    assert all(parameter.grad is not None for parameter in discriminator.parameters())


# The 44 keypoints ---------------------------------------------------------------------------------------------


def test_limbs_of_the_44_are_joints_first_and_where_people_mark_them_then(body):
    points = points44(body)
    joints, places = body.about_pelvis(torch.eye(3).repeat(1, 24, 1, 1), torch.zeros(1, 10), points)
    pelvis = body.rest_joints(torch.zeros(1, 10))[:, :1]
    coco = body.keypoints(body.neutral(1), "coco17") - pelvis
    for name in ("left_knee", "right_wrist", "left_hip"):
        first, second = (k for k, other in enumerate(HMR44) if other == name)
        torch.testing.assert_close(places[0, first], joints[0, JOINT_NAMES.index(name)])
        torch.testing.assert_close(places[0, second], coco[0, COCO17.index(name)])
    torch.testing.assert_close(places[0, PELVIS], torch.zeros(3))
    top, spine = places[0, HMR44.index("lsp_head_top"), 1], places[0, HMR44.index("h36m_spine"), 1]
    assert top > places[0, :, 1].max() - 0.02 > spine > 0


def test_a_regressor_of_ones_own_tells_the_last_19(body):
    regressor = np.zeros((19, body.n_vertices))
    regressor[:, 100] = 1
    places = body.about_pelvis(
        torch.eye(3).repeat(1, 24, 1, 1), torch.zeros(1, 10), points44(body, regressor)
    )[1]
    pelvis = body.rest_joints(torch.zeros(1, 10))[0, 0]
    torch.testing.assert_close(places[0, 25:], (body.template[100] - pelvis).expand(19, 3), atol=1e-5, rtol=0)
    with pytest.raises(ChorosError, match="give that of this body"):
        points44(body, regressor[:, 1:])


def test_points_of_other_sets_find_their_places():
    points = np.arange(34.0).reshape(17, 2)
    placed = to_44(COCO17, points, np.full(17, 0.7))
    assert placed[HMR44.index("nose")].tolist() == [0, 1, 0.7]  # a face is OpenPose's
    knee = [k for k, name in enumerate(HMR44) if name == "left_knee"]
    assert placed[knee[0]].tolist() == [0, 0, 0]
    assert placed[knee[1]].tolist() == [*points[COCO17.index("left_knee")], 0.7]
    assert (placed[:, 2] > 0).sum() == 17
    whole = np.arange(88.0).reshape(44, 2)
    np.testing.assert_array_equal(to_44(HMR44, whole, np.ones(44))[:, :2], whole)
    np.testing.assert_array_equal(to_44(BODY25, whole[:25], np.ones(25))[:25, :2], whole[:25])


def test_a_mirror_exchanges_sides_within_each_half():
    for k, other in enumerate(MIRROR44):
        assert MIRROR44[other] == k
        assert (k < 25) == (other < 25)
        swapped = HMR44[k].replace("left", "?").replace("right", "left").replace("?", "right")
        assert HMR44[other] == swapped
