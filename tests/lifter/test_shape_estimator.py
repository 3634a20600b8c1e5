"""Shape over a track: known bodies seen in many poses, on a floor, in outline; and what stays unknown."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.gauss_newton import Points, PosePrior
from choros.body.shape_filter import (
    Measurement,
    PoseDoubt,
    ShapePrior,
    Shapes,
    believe,
    on_plane,
    without_pose,
)
from choros.camera import intrinsics, project
from choros.crops import Crop
from choros.detection.silhouette import CROP_PX, Segmenter, Silhouette
from choros.errors import ChorosError
from choros.lifter import shared_floor
from choros.lifter.outline import OutlineRules, measure_outline
from choros.lifter.shape_estimator import FIELDS, ShapeEstimator, ShapeRules
from choros.mesh.rasteriser import Canvas

WIDTH, HEIGHT = 960, 540
K = intrinsics(WIDTH, HEIGHT)
ARMS_DOWN = 1.1  # rad
TRACK = np.dtype([("id", "i4"), ("rotations", "f8", (24, 3, 3)), ("transl", "f8", (3,)), *FIELDS], align=True)


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(detail="light")


@pytest.fixture(scope="module")
def shapes(body):
    return Shapes.of(body)


def standing(heading=0.0, pitch=0.0):
    """Somebody upright with arms down, turned by ``heading``, before a camera that looks down by ``pitch``, rad."""
    rotvec = np.zeros((24, 3))
    rotvec[16, 2], rotvec[17, 2] = -ARMS_DOWN, ARMS_DOWN
    rotations = Rotation.from_rotvec(rotvec).as_matrix()
    world = Rotation.from_euler("y", heading).as_matrix()  # y up
    rotations[0] = Rotation.from_euler("x", pitch).as_matrix() @ np.diag([1.0, -1, -1]) @ world
    return rotations


def poses(n, seed=0):
    """Rotations (n, 24, 3, 3) of people who move about before a camera, and where they are (n, 3)."""
    rng = np.random.default_rng(seed)
    bends = rng.normal(0, 0.25, (n, 24, 3))
    bends[:, 10:12], bends[:, 22:] = 0, 0
    rotations = Rotation.from_rotvec(bends.reshape(-1, 3)).as_matrix().reshape(n, 24, 3, 3)
    for i in range(n):
        rotations[i] = standing(rng.uniform(-np.pi, np.pi)) @ rotations[i]
    return rotations, np.stack([rng.uniform(-1, 1, n), rng.uniform(-0.1, 0.3, n), rng.uniform(3, 6, n)], 1)


def sights(shapes, shape, n=40, std=0.002):
    """Information and pull of exact keypoints of a body of ``shape`` in n known poses, looked at as the mean."""
    information, pull = np.zeros((11, 11)), np.zeros(11)
    for rotations, transl in zip(*poses(n), strict=True):
        seen = shapes.posed(shapes.coco17, shape, rotations, transl)
        believed = shapes.posed(shapes.coco17, np.zeros(11), rotations, transl)
        plane = on_plane(seen.places, seen.by_shape)[0]
        one = Measurement.of_keypoints(plane, np.full(17, std), believed, 100.0)
        a, b = without_pose([one], rotations, PosePrior.none(), PoseDoubt())
        information, pull = information + a, pull + b
    return information, pull


def test_points_and_derivatives_are_the_bodys_own(body, shapes):
    rng = np.random.default_rng(1)
    shape = np.r_[rng.normal(size=10), 0.4]
    rotations, transl = (part[0] for part in poses(1))
    found = shapes.posed(shapes.coco17, shape, rotations, transl)
    again = Points.of(body).keypoints(shape[None], rotations[None], transl[None])[0]
    np.testing.assert_allclose(found.places, again, atol=1e-9)
    step = np.zeros(11)
    step[10] = step[3] = 0.1
    moved = shapes.posed(shapes.coco17, shape + step, rotations, transl).places
    np.testing.assert_allclose(moved, found.places + found.by_shape @ step, atol=1e-9)
    turn = 1e-5 * rng.normal(size=3)
    bent = rotations.copy()
    bent[1] = bent[1] @ Rotation.from_rotvec(turn).as_matrix()  # the second of the free joints: the left hip
    moved = shapes.posed(shapes.coco17, shape, bent, transl).places
    np.testing.assert_allclose(moved - found.places, found.by_pose[:, :, 3:6] @ turn, atol=1e-9)


def test_proportions_come_from_keypoints_in_many_poses(shapes):
    true = np.r_[0, 2.0, -1.5, 1.5, -1.0, np.zeros(6)]
    belief = believe(*sights(shapes, true), ShapePrior(), child=False)

    def lengths(shape):  # of limbs, as shares of the stature
        joints = shapes.joints @ np.r_[1, shape]
        pairs = [(1, 4), (4, 7), (16, 18), (18, 20), (16, 17), (12, 0)]
        return np.array([np.linalg.norm(joints[a] - joints[b]) for a, b in pairs]) / (
            shapes.stature @ np.r_[1, shape]
        )

    error = np.abs(lengths(belief.shape) - lengths(true)).mean()
    assert error < 0.35 * np.abs(lengths(np.zeros(11)) - lengths(true)).mean()


def test_keypoints_of_one_camera_do_not_tell_size(shapes):
    """A stature of which nothing but proportions is known stays nearly as doubtful as it was."""
    belief = believe(*sights(shapes, np.zeros(11), 10, std=0.02), ShapePrior(), child=False)
    mean, std = belief.length(shapes.stature)
    assert abs(mean - shapes.stature[0]) < 0.02
    assert std > 0.06


def test_a_child_is_known_by_proportions(shapes):
    odds = np.log(ShapePrior().child_rate / (1 - ShapePrior().child_rate))
    for kid in (0.0, 0.9):
        account = sights(shapes, np.r_[np.zeros(10), kid], std=0.004)
        adult, child = (believe(*account, ShapePrior(), child=which) for which in (False, True))
        assert (child.evidence + odds > adult.evidence) == (kid > 0.5)
    assert child.shape[10] > 0.5


def test_girth_comes_from_the_outline(body, shapes):
    """A heavy body's silhouette, looked at as that of the mean: weight, and no stature from it."""
    true = np.zeros(11)
    true[5] = 2.0
    information, pull = sights(shapes, true, 10)
    for heading in (0.0, 0.8, 1.6, 2.4):
        rotations, transl = standing(heading), np.array([0.0, 0.2, 3.0])
        corner_px, side_px = np.array([WIDTH / 2 - 200, HEIGHT / 2 - 200]), np.full(2, 400.0)
        crop = Crop(corner_px, side_px, (CROP_PX, CROP_PX))
        canvas = Canvas(CROP_PX, CROP_PX)
        canvas.draw(0, shapes.vertices_of(true, rotations, transl), body.faces.numpy(), crop.K(K))
        seen = Silhouette((canvas.mesh >= 0).astype(np.float32), crop)
        rules = OutlineRules(cloth_m=0.0, std_m=0.005, independent=1.0)
        nobody, mean = np.zeros((0, 4)), np.zeros(11)
        outline = measure_outline(shapes, body.faces.numpy(), seen, K, mean, rotations, transl, nobody, rules)
        keypoints = shapes.posed(shapes.coco17, true, rotations, transl)
        believed = shapes.posed(shapes.coco17, mean, rotations, transl)
        plane = on_plane(keypoints.places, keypoints.by_shape)[0]
        measured = [Measurement.of_keypoints(plane, np.full(17, 0.003), believed, 100.0), outline]
        a, b = without_pose(measured, rotations, PosePrior.none(), PoseDoubt())
        information, pull = information + a, pull + b
    belief = believe(information, pull, ShapePrior(), child=False)
    assert belief.shape[5] > 1.2
    assert abs(belief.length(shapes.stature)[0] - shapes.stature @ np.r_[1, true]) < 0.04


def people_on_a_floor(shapes, bodies, places, pitch, height, steps=10):
    """Exact keypoints (T, n, 17, 3) of bodies (n, 11) who glide away over a floor, two metres, under a camera."""
    turn = Rotation.from_euler("x", pitch).as_matrix()
    out = np.ones((steps, len(bodies), 17, 3))
    for i, (shape, (side, away)) in enumerate(zip(bodies, places, strict=True)):
        sole = (shapes.vertices @ np.r_[1, shape])[:, 1].min()
        for t, further in enumerate(np.linspace(0, 2, steps)):
            transl = turn @ np.array([side, height + sole, away + further])
            points = shapes.posed(shapes.coco17, np.asarray(shape), standing(0.3, pitch), transl)
            out[t, i, :, :2] = project(points.places, K)
    return out


def followed(body, keypoints, heights_m=None):
    """Tracks of people seen every .4 s as ``keypoints`` (T, n, 17, 3), their stature settled; no fit is needed."""
    estimator = ShapeEstimator(body, PosePrior.none(), ShapeRules(min_keypoints=99), heights_m)
    tracks = np.zeros(keypoints.shape[1], TRACK)
    tracks["id"] = 1 + np.arange(len(tracks))
    tracks["rotations"], tracks["transl"] = standing(), [0, 0, 4]
    estimator.begin(tracks, 0.0)
    boxes = np.tile([0.0, 0, 10, 10], (len(tracks), 1))
    for step, seen in enumerate(keypoints):
        estimator.see(tracks, seen, boxes, boxes, K, 0.4 * (step + 1))
        estimator.settle(tracks, shared_floor.nobody_gone())
    return tracks


PLACES = [(-1.5, 5.0), (0.0, 7.0), (1.2, 4.6), (2.0, 9.0), (-2.5, 8.0)]


@pytest.mark.parametrize(("pitch", "height"), [(0.05, 1.6), (0.35, 3.0)])
def test_people_are_compared_by_their_floor(body, shapes, pitch, height):
    bodies = np.zeros((5, 11))
    bodies[:, 0] = [-1.5, 0.5, 0.0, 1.5, -0.5]
    true = shapes.stature[0] + bodies @ shapes.stature[1:]
    keypoints = people_on_a_floor(shapes, bodies, PLACES, pitch, height)
    tracks = followed(body, keypoints)
    error = tracks["stature_m"] - true
    assert np.corrcoef(tracks["stature_m"], true)[0, 1] > 0.97
    assert np.abs(error).mean() < 0.035
    assert (np.abs(error) < 3 * tracks["stature_std_m"]).all()
    assert (tracks["stature_std_m"] < 0.065).all()


def test_one_known_height_is_everybodys_ruler(body, shapes):
    bodies = np.zeros((3, 11))
    bodies[:, 0] = [1.0, 1.5, 0.5]  # all taller than most
    true = shapes.stature[0] + bodies @ shapes.stature[1:]
    keypoints = people_on_a_floor(shapes, bodies, PLACES[:3], 0.2, 2.2)
    tracks = followed(body, keypoints, {2: float(true[1])})
    assert abs(tracks["stature_m"][1] - true[1]) < 0.01
    assert np.abs(tracks["stature_m"] - true).max() < 0.04
    assert tracks["stature_std_m"][1] < 0.012
    assert (tracks["stature_std_m"] < 0.06).all()


def test_a_child_among_adults_is_known_by_size(body, shapes):
    bodies = np.zeros((5, 11))
    bodies[2, 10] = 0.9
    tracks = followed(body, people_on_a_floor(shapes, bodies, PLACES, 0.2, 2.2))
    assert tracks["kid"][2] > 0.5
    assert not tracks["kid"][[0, 1, 3, 4]].any()
    assert tracks["stature_m"][2] < 1.5


def test_somebody_alone_is_as_tall_as_people_are(body, shapes):
    bodies = np.zeros((1, 11))
    bodies[0, 0] = 1.5
    tracks = followed(body, people_on_a_floor(shapes, bodies, PLACES[:1], 0.2, 2.2))
    population = np.linalg.norm(shapes.stature[1:11])
    assert abs(tracks["stature_m"][0] - shapes.stature[0]) < 0.05
    assert 0.8 * population < tracks["stature_std_m"][0] <= 1.01 * population


def test_those_who_left_are_still_rulers(body, shapes):
    bodies = np.zeros((2, 11))
    bodies[:, 0] = [1.0, -1.0]
    keypoints = people_on_a_floor(shapes, bodies, PLACES[:2], 0.2, 2.2)
    together = followed(body, keypoints)
    estimator = ShapeEstimator(body, PosePrior.none(), ShapeRules(min_keypoints=99))
    gone = estimator.retire(shared_floor.nobody_gone(), together[:1])
    alone = together[1:].copy()
    estimator.settle(alone, gone)
    assert alone["stature_m"][0] == pytest.approx(together["stature_m"][1], abs=1e-6)


def test_a_new_shape_leaves_people_where_they_are_seen(body, shapes):
    bodies = np.zeros((1, 11))
    tracks = followed(body, people_on_a_floor(shapes, bodies, PLACES[:1], 0.2, 2.2, 1), {1: 1.9})
    pelvis = tracks["transl"][0] + shapes.joints[0] @ np.r_[1, tracks["betas"][0], tracks["kid"][0]]
    before = np.array([0, 0, 4]) + shapes.joints[0, :, 0]
    np.testing.assert_allclose(pelvis / pelvis[2], before / before[2], atol=1e-9)
    assert pelvis[2] / before[2] == pytest.approx(tracks["stature_m"][0] / shapes.stature[0])


def test_the_segmenter_tells_a_person_from_a_wall():
    """Answers have the crop's form; an empty wall is no person."""
    wall = np.full((300, 200, 3), 180, np.uint8)
    seen = Segmenter().silhouette(wall, np.array([50.0, 20, 150, 280]))
    assert seen.person.shape == (CROP_PX, CROP_PX)
    assert seen.person.min() >= 0
    assert seen.person.max() <= 1
    assert (seen.person > 0.5).mean() < 0.05
    corner = seen.crop.K(K) @ [*(seen.crop.corner_px - K[:2, 2]) / K[0, 0], 1]
    np.testing.assert_allclose(corner[:2], 0, atol=1e-9)


def test_heights_as_they_are_typed():
    from choros.options import heights_of

    assert heights_of(["1.82"]) == {1: 1.82}
    assert heights_of(["3=1.7", "1.6"]) == {3: 1.7, 1: 1.6}
    for wrong in (["tall"], ["0=1.8"], ["182"], ["1.8", "1=1.7"]):
        with pytest.raises(ChorosError, match="--height"):
            heights_of(wrong)
