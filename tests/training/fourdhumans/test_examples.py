"""From labels to crops: filters as published, and augmentations under which label and picture stay together."""

from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from choros.body import BodyModel
from choros.camera import project
from choros.crops import Crop, turned_square
from choros.datasets.hmr_npz import HMR44
from choros.datasets.sample import PersonLabel, Sample, Samples, SmplPose
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.config import CROP
from choros.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from choros.skeleton import COCO17
from choros.training.fourdhumans.augmentation import PARTS, WHOLE_SHARES, augmented, in_crop, part_box
from choros.training.fourdhumans.feed import Feed
from choros.training.fourdhumans.keypoints44 import points44
from choros.training.fourdhumans.labels import Label, bounds, label_of
from choros.training.fourdhumans.plausibility import PosePlausibility, wrapped
from choros.training.fourdhumans.recipe import HMR2A, HMR2B, Augmentation, Filters

BODY = BodyModel.load(detail="light")
POINTS = points44(BODY)
FILTERS = Filters()
STANDING = rotmat_to_rotvec(np.diag([1.0, -1.0, -1.0]))
FAR = np.array([0, 0, 500.0])
K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])


def person(**known):
    return PersonLabel(
        box_px=np.array([10.0, 20, 110, 220]), keypoints_px=np.column_stack([np.full((17, 2), 50.0), np.ones(17)]),
        keypoint_names=COCO17, smpl=SmplPose(STANDING, np.zeros(69), np.zeros(10)), **known,
    )  # fmt: skip


# Filters ------------------------------------------------------------------------------------------------------


def test_faint_keypoints_do_not_count_and_five_are_enough():
    faint = person()
    faint.keypoints_px[5:, 2] = 0.29
    label = label_of(Sample(), faint, FILTERS)
    assert (label.keypoints[:, 2] > 0).sum() == 5
    faint.keypoints_px[4, 2] = 0.29
    assert label_of(Sample(), faint, FILTERS) is None


@pytest.mark.parametrize(
    ("smpl", "posed"),
    [
        (SmplPose(STANDING, np.zeros(69), np.full(10, 2.9)), True),
        (SmplPose(STANDING, np.zeros(69), np.array([0, 3.1] + 8 * [0.0])), False),  # unnatural shapes
        (SmplPose(STANDING, np.zeros(69), None), True),
        (SmplPose(STANDING, np.zeros(69), np.zeros(10), model="smplx"), False),
        (None, False),
    ],
)
def test_pose_and_shape_count_together(smpl, posed):
    label = label_of(Sample(), replace(person(), smpl=smpl), FILTERS)
    assert label.posed == posed
    told = posed and smpl.betas is not None
    np.testing.assert_array_equal(label.betas, smpl.betas if told else np.zeros(10))
    if not posed:
        np.testing.assert_array_equal(label.rotations, np.broadcast_to(np.eye(3), (24, 3, 3)))


def test_what_is_told_in_a_world_does_not_count():
    label = label_of(
        Sample(space="world"), replace(person(), joints_m=np.ones((17, 3)), joint_names=COCO17), FILTERS
    )
    assert not label.posed
    assert not label.joints[:, 3].any()


def test_openposes_limbs_in_space_do_not_count():
    joints = np.ones((44, 3))
    joints[30] = np.nan
    label = label_of(Sample(), replace(person(), joints_m=joints, joint_names=HMR44), FILTERS)
    assert np.flatnonzero(label.joints[:, 3] == 0).tolist() == [*range(1, 15), 30]


def test_a_box_is_around_the_keypoints_where_there_is_none():
    keypoints = np.zeros((44, 3))
    keypoints[[3, 8]] = [[10, 20, 1], [30, 120, 1]]
    assert bounds(keypoints).tolist() == [8, 10, 32, 130]


def test_betas_of_another_body_are_left_out():
    label = label_of(Sample(), replace(person(), smpl=SmplPose(STANDING, np.zeros(69), np.ones(10))), FILTERS,
                     smpl_shapes=False)  # fmt: skip
    assert label.posed
    assert not label.betas.any()


# Plausible poses ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plausible():
    rng = np.random.default_rng(0)
    return PosePlausibility(rng.normal(0, 0.3, (20_000, 69)))


def test_poses_like_those_that_were_captured_pass_and_others_do_not(plausible):
    usual = np.random.default_rng(1).normal(0, 0.1, (50, 69))
    assert plausible(usual).all()
    for joint, turn, passes in (
        (0, 2.5, False),
        (0, 0.5, True),
        (8, 1.2, False),
        (9, 2.5, True),
        (22, 2.5, True),
    ):
        odd = np.zeros((1, 69))
        odd[0, 3 * joint] = (
            turn  # ankles and feet apart; a foot's every turn passes, and hands are not asked about
        )
        assert plausible(odd)[0] == passes, (joint, turn)


def test_a_density_is_one_over_all_rotations(plausible):
    volume = (2 * np.pi / 100) ** 3
    np.testing.assert_allclose(plausible._density.sum((1, 2, 3), np.float64) * volume, 1, atol=1e-3)
    # In the middle of a Gaussian of .3 rad, smoothed by two bins.
    width = np.hypot(0.3, 2 * 2 * np.pi / 100)
    middle = plausible._density[:, 49:51, 49:51, 49:51].mean()
    assert middle == pytest.approx((2 * np.pi) ** -1.5 / width**3, rel=0.05)


@given(st.lists(st.floats(-12, 12), min_size=3, max_size=3))
def test_turns_by_more_than_half_are_told_the_short_way(rotvec):
    pose = np.zeros((1, 69))
    pose[0, :3] = rotvec
    short = wrapped(pose)[0, 0]
    assert np.linalg.norm(short) <= np.pi + 1e-9
    np.testing.assert_allclose(rotvec_to_rotmat(short), rotvec_to_rotmat(np.array(rotvec)), atol=1e-9)


# Crops --------------------------------------------------------------------------------------------------------


def points_of(rotations):
    """The 44 of somebody of mean shape, (44, 3) metres about the pelvis."""
    joints = BODY.about_pelvis(torch.from_numpy(rotations).float()[None], torch.zeros(1, 10), POINTS)[1][0]
    return joints.double().numpy()


def spotted(points_px):
    """A dark picture with a bright spot at each point."""
    image = np.zeros((480, 640, 3), np.float32)
    y, x = np.mgrid[:480, :640] + 0.5
    for px, py in points_px:
        image += 255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8)[..., None].astype(np.float32)
    return image


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("turn", "side"), [(0.0, 200.0), (0.7, 300.0), (-1.9, 700.0)])
def test_a_turned_square_shows_points_where_it_says(mirrored, turn, side):
    points = np.array([[300.0, 200], [340, 260]])
    for point in points:
        cut, affine = turned_square(spotted([point]), np.array([310.0, 215]), side, turn, mirrored, 256)
        expected = affine[:, :2] @ point + affine[:, 2]
        y, x = np.mgrid[:256, :256] + 0.5
        weight = cut[..., 0] / cut[..., 0].sum()
        np.testing.assert_allclose([(weight * x).sum(), (weight * y).sum()], expected, atol=0.05)
    assert np.sign(np.linalg.det(affine[:, :2])) == (-1 if mirrored else 1)


def test_an_upright_square_is_the_crop_that_is_answered_from():
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    image = cv2.GaussianBlur(image, (0, 0), 1.5)
    for side in (200.0, 700.0):
        corner = np.array([311.5, 207.25]) - side / 2
        expected = Crop(corner, np.full(2, side), (256, 256), "gaussian").cut(image)
        cut, _ = turned_square(image, np.array([311.5, 207.25]), side, 0.0, False, 256)
        assert np.abs(cut.astype(int) - expected).max() <= 1


@given(st.floats(-1, 1), st.booleans(), st.integers(0, 5))
def test_a_label_stays_with_its_picture(turn, mirrored, seed):
    """What a camera sees of a body, turned and mirrored, is what it sees of the turned and mirrored body."""
    rng = np.random.default_rng(seed)
    rotations = np.diag([1.0, -1, -1]) @ rotvec_to_rotmat(rng.normal(0, 0.4, (24, 3)))
    rotations[1:] = rotvec_to_rotmat(rng.normal(0, 0.4, (23, 3)))

    joints = points_of(rotations)
    pixels = project(joints + FAR, np.diag([5e4, 5e4, 1]))  # from afar, in the middle
    sure = np.ones((44, 1))
    label = Label(
        np.zeros(4), np.hstack([pixels, sure]), np.hstack([joints, sure]), rotations, np.zeros(10), True
    )
    cos, sin = np.cos(turn), np.sin(turn)
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1, 1])
    there = in_crop(label, np.column_stack([linear, [128, 128]]), turn, mirrored)
    again = points_of(there.rotations)
    np.testing.assert_allclose(again, there.joints[:, :3], atol=0.02)  # the body is not quite symmetric
    pixels_again = project(there.joints[:, :3] + FAR, np.diag([5e4, 5e4, 1]))
    np.testing.assert_allclose((there.keypoints[:, :2] + 0.5) * 256 - 128, pixels_again, atol=1e-6)


def standing_label():
    """Somebody whole, 200 px high."""
    rotations = np.broadcast_to(np.eye(3), (24, 3, 3)).copy()
    rotations[0] = np.diag([1.0, -1, -1])
    joints = points_of(rotations)
    pixels = project(joints + FAR / 100, K)
    sure = np.ones((44, 1))
    keypoints = np.hstack([pixels, sure])
    return Label(
        bounds(keypoints), keypoints, np.hstack([joints, sure]), rotations, np.zeros(10), True
    )  # fmt: skip


def test_without_variation_a_crop_is_that_which_is_answered_from():
    still = Augmentation(shift=0, scale=0, turn_rate=0, mirror_rate=0, gain=0, extreme_rate=0)
    image = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    label = standing_label()
    example = augmented(image, label, np.random.default_rng(1), still)
    crop = CROP.around(label.box_px)
    assert np.abs(example.crop - crop.cut(image)).max() <= 1
    shares = crop.to_crop(label.keypoints[:, :2]) / 256 - 0.5
    np.testing.assert_allclose(example.label.keypoints[:, :2], shares, atol=1e-9)
    np.testing.assert_array_equal(example.label.rotations, label.rotations)


def test_variations_have_their_spreads():
    config = Augmentation(extreme_rate=0)
    label, image = standing_label(), np.full((480, 640, 3), 100, np.uint8)
    side = float(CROP.around(label.box_px).extent_px[0])
    spans, turns, shifts, greys = [], [], [], []
    for seed in range(250):
        there = augmented(image, label, np.random.default_rng(seed), config)
        points = there.label.keypoints[:, :2] * 256
        head, pelvis = HMR44.index("lsp_head_top"), HMR44.index("mpii_pelvis")
        up = points[head] - points[pelvis]
        was = label.keypoints[head, :2] - label.keypoints[pelvis, :2]
        spans.append(256 / (np.linalg.norm(up) / np.linalg.norm(was)) / side)
        turns.append(np.degrees(np.arctan2(up[0], -up[1])))
        shifts.append(np.linalg.norm(points[head] / 256))
        greys.append(there.crop[128, 128])
    assert 0.69 < min(spans) < 0.75
    assert 1.25 < max(spans) < 1.31
    assert (np.abs(turns) < 0.5).mean() == pytest.approx(0.4, abs=0.09)
    assert 55 < np.max(np.abs(turns)) < 62
    assert np.min(greys) > 79.9
    assert np.max(greys) < 120.1
    assert np.std(np.array(greys)[:, 0] - np.array(greys)[:, 1]) > 5  # each colour by itself


def test_parts_of_people_are_cut_as_often_as_published():
    label = standing_label()
    shapes = Counter()
    for seed in range(1000):
        box = part_box(label.keypoints, np.random.default_rng(seed))
        shapes[tuple(np.round(box, 6))] += 1
    assert len(shapes) == len(PARTS)
    assert sum(WHOLE_SHARES.values()) == pytest.approx(1)
    assert max(shapes.values()) == pytest.approx(200, abs=45)  # above the hips
    legless = label.keypoints.copy()
    legless[[("knee" in n or "ankle" in n) for n in HMR44], 2] = 0
    upper = {tuple(np.round(part_box(legless, np.random.default_rng(s)), 6)) for s in range(200)}
    assert len(upper) == 5
    nobody = label.keypoints.copy()
    nobody[:, 2] = 0
    assert part_box(nobody, np.random.default_rng(0)) is None


def test_a_part_has_its_keypoints_and_room_around_them():
    label = standing_label()
    names = [k for k, name in enumerate(HMR44) if name in ("right_shoulder", "right_elbow", "right_wrist")]
    arm = label.keypoints[names, :2]
    side = (arm.max(0) - arm.min(0)).max() * 1.2 * 1.1
    middle = (arm.max(0) + arm.min(0)) / 2
    boxes = [part_box(label.keypoints, np.random.default_rng(seed)) for seed in range(200)]
    expected = np.concatenate([middle - side / 2, middle + side / 2])
    assert any(np.allclose(box, expected) for box in boxes)


# Batches ------------------------------------------------------------------------------------------------------


@pytest.fixture
def sets(tmp_path):
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    one = Sample(image=tmp_path / "a.png", people=(person(),))
    nobody = Sample(image=tmp_path / "a.png")
    return {name: [Samples(4, lambda k: [one, nobody][k % 2], name)] for name in HMR2B.shares}


def feed_of(sets, recipe, plausible, threads=1):
    poses = np.random.default_rng(2).normal(0, 0.2, (30, 69))
    return Feed(recipe, sets, poses, plausible, width_px=192, smpl_shapes=True, threads=threads)


def test_batches_follow_from_their_seed(sets, plausible):
    feed = feed_of(sets, replace(HMR2B, batch=3), plausible, threads=2)
    one, again, other = feed.draw([1, 0, 0, 0]), feed.draw([1, 0, 0, 0]), feed.draw([1, 0, 0, 1])
    feed.close()
    assert one.crops.shape == (3, 3, 256, 192)
    assert one.truth.keypoints.shape == (3, 44, 3)
    assert one.truth.posed.shape == (3,)
    assert one.real_pose.shape == (3, 23, 3, 3)
    assert torch.equal(one.crops, again.crops)
    assert torch.equal(one.real_betas, again.real_betas)
    assert not torch.equal(one.crops, other.crops)


def test_a_set_that_is_not_there_is_named(sets, plausible):
    del sets["ava"]
    with pytest.raises(ChorosError, match="this recipe learns from ava; say where"):
        feed_of(sets, HMR2B, plausible)


def test_a_set_without_people_says_so(sets, plausible):
    sets["coco"] = [Samples(2, lambda k: Sample(), "coco")]
    feed = feed_of(sets, replace(HMR2A, shares={"coco": 1.0}), plausible)
    with pytest.raises(ChorosError, match="hardly anybody in coco has five keypoints"):
        feed.example([0])
    feed.close()
