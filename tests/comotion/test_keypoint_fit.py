"""Known people, seen without error, are where their keypoints are after the fit, whatever the network said."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from choros.body import BodyModel
from choros.body.before import Before
from choros.body.fit import HEIGHT_M, fit_to_keypoints
from choros.body.gauss_newton import PosePrior
from choros.body.onto_keypoints import KeypointFitRules
from choros.camera import project
from choros.comotion.keypoint_fit import put_on_keypoints
from choros.comotion.person_states import PersonStates
from tests.comotion.test_alignment import K as K_OF_FRAMES
from tests.comotion.test_alignment import people_at, shifted

K = K_OF_FRAMES[0].double().numpy()


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


def keypoints_of(body, people, confidence=0.95):
    """COCO's keypoints of people (1, n), (n, 17, 3)."""
    points_px = project(body.keypoints(people.params(body))[0].double().numpy(), K)
    return np.concatenate([points_px, np.full((*points_px.shape[:2], 1), confidence)], -1)


def fitted(body, people, keypoints_px, rules=None):
    return put_on_keypoints(body, PosePrior.none(), people, keypoints_px, K, rules or KeypointFitRules())


def off_px(body, people, keypoints_px):
    return np.linalg.norm(keypoints_of(body, people)[..., :2] - keypoints_px[..., :2], axis=-1)


@pytest.mark.parametrize("way", [(0.1, -0.05, 0.0), (-0.6, 0.2, 0.3), (0.0, 0.0, -1.0)])
def test_a_body_goes_to_its_keypoints(body, way):
    truth = people_at((0.2, 0.1, 4.0), (-0.8, 0.0, 5.0))
    keypoints_px = keypoints_of(body, truth)
    begun = shifted(truth, turn=0.2, way=way)
    ended = fitted(body, begun, keypoints_px)
    before, after = off_px(body, begun, keypoints_px).mean(), off_px(body, ended, keypoints_px)
    assert before > 10
    assert after.mean() < 1.5
    for part in ("betas", "hidden", "present"):
        assert torch.equal(getattr(ended, part), getattr(begun, part))


def test_who_is_on_their_keypoints_stays(body):
    truth = people_at((0.2, 0.1, 4.0))
    ended = fitted(body, truth, keypoints_of(body, truth))
    assert (
        ended.pelvis_cam - truth.pelvis_cam
    ).norm() < 0.03  # the fit leaves out how skin gives as joints bend
    assert (ended.rotations - truth.rotations).abs().max() < 0.15


def test_who_shows_too_little_stays_as_the_network_says(body):
    truth = people_at((0.2, 0.1, 4.0), (-0.8, 0.0, 5.0))
    begun, keypoints_px = shifted(truth), keypoints_of(body, truth)
    keypoints_px[0, 4:, 2] = 0.1
    ended = fitted(body, begun, keypoints_px)
    for part in PersonStates._fields:
        assert torch.equal(getattr(ended, part)[:, 0], getattr(begun, part)[:, 0])
    assert not torch.equal(ended.rotations[:, 1], begun.rotations[:, 1])
    keypoints_px[1, 4:, 2] = 0.1
    assert fitted(body, begun, keypoints_px) is begun


def test_nobody_knows_of_another(body):
    truth = people_at((0.2, 0.1, 4.0), (0.3, 0.1, 4.4))
    begun, keypoints_px = shifted(truth), keypoints_of(body, truth)
    both = fitted(body, begun, keypoints_px)
    for person in (0, 1):
        alone = fitted(body, begun.chosen(torch.tensor([person])), keypoints_px[[person]])
        torch.testing.assert_close(alone.rotations[0, 0], both.rotations[0, person], rtol=0, atol=1e-6)
        torch.testing.assert_close(alone.pelvis_cam[0, 0], both.pelvis_cam[0, person], rtol=0, atol=1e-6)


def test_who_is_said_to_be_behind_the_camera_comes_before_it(body):
    truth = people_at((0.2, 0.1, 2.0))
    begun = truth._replace(pelvis_cam=torch.tensor([[[0.2, 0.1, -1.0]]]))
    ended = fitted(body, begun, keypoints_of(body, truth))
    assert ended.pelvis_cam[0, 0, 2] > 0.3
    assert torch.isfinite(ended.rotations).all()


def test_a_body_that_lies_on_its_keypoints_keeps_the_pose_that_the_network_says(body):
    """One arm is seen bent a little; the same look moves it if the body as a whole lies beside its keypoints."""
    truth = people_at((0.2, 0.1, 4.0))
    keypoints_px = keypoints_of(body, truth)
    keypoints_px[0, [7, 9], 0] += [10, 20]  # left elbow and wrist, px, of a person of some 250
    near = (truth.rotations - fitted(body, truth, keypoints_px).rotations).abs().max()
    doubting = replace(KeypointFitRules(), agree=(-2.0, -1.0))
    far = (truth.rotations - fitted(body, truth, keypoints_px, doubting).rotations).abs().max()
    assert near < 0.5 * far


def test_of_agreement_the_median_decides_and_between_trust_is_shared_out(body):
    truth = people_at((0.2, 0.1, 4.0), (-0.8, 0.0, 5.0))
    keypoints_px = keypoints_of(body, truth)
    keypoints_px[0, [9, 10], 0] += 80  # wrists alone
    keypoints_px[1, :, 0] += 0.03 * HEIGHT_M * K[0, 0] / float(truth.params(body).transl[0, 1, 2])
    told = {}

    def asked(body, start, keypoints, K, prior, config, pose_std_rad, before):
        told["std"] = pose_std_rad
        return fit_to_keypoints(body, start, keypoints, K, prior, config, pose_std_rad)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("choros.body.onto_keypoints.fit_to_keypoints", asked)
        fitted(
            body, truth, keypoints_px, replace(KeypointFitRules(), agree=(0.02, 0.04), agreeing_std_rad=0.1)
        )
    loose = KeypointFitRules().fit.pose_std_rad
    assert told["std"].tolist() == pytest.approx([0.1, (0.1 + loose) / 2], abs=0.01)


def test_a_past_holds_a_body_between_it_and_its_keypoints(body):
    """One that keypoints move by themselves to where they are moves less, the nearer in time it was elsewhere."""
    truth = people_at((0.2, 0.1, 4.0))
    keypoints_px = keypoints_of(body, shifted(truth, way=(0.3, 0.0, 0.0)))
    rotations = truth.rotations[0].double().numpy()

    def moved_m(dt_s):
        before = Before(np.full(1, dt_s), rotations, truth.pelvis_cam[0].double().numpy())
        rules = KeypointFitRules()
        ended = put_on_keypoints(body, PosePrior.none(), truth, keypoints_px, K, rules, before)
        return float(ended.pelvis_cam[0, 0, 0] - truth.pelvis_cam[0, 0, 0])

    free, late, soon = moved_m(0.0), moved_m(0.5), moved_m(0.001)
    assert free == pytest.approx(0.3, abs=0.03)
    assert late == pytest.approx(free, abs=0.02)
    assert soon < 0.8 * free
