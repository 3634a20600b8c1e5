"""USD: Pixar's own validators find nothing, and UsdSkel poses skin and joints as the body model does."""

from dataclasses import replace

import numpy as np
import pytest

from choros.body import BodyModel
from choros.exporters import ExportOptions
from tests.exporters.twin import BODY, in_world, of_one_shape, points, y_up
from tests.exporters.walkers import FPS, FRAMES, HEIGHT, THERE, UNSEEN, WIDTH, walkers

pytest.importorskip("pxr")
from pxr import Usd, UsdGeom, UsdSkel

from choros.exporters.usd import write_usd

WORLD = ExportOptions(space="world", body=BODY)


@pytest.fixture(scope="module")
def motion():
    motion = of_one_shape(walkers())
    frames = motion.frames.copy()
    frames["K"][:, 0, 2] += 40  # the lens is off the middle, and zooms
    frames["K"][:, 1, 2] -= 25
    frames["K"][:, [0, 1], [0, 1]] *= np.linspace(1, 1.2, FRAMES)[:, None]
    frames["K"][:, 1, 1] *= 1.1
    return replace(motion, frames=frames)


@pytest.fixture(scope="module")
def file(motion, tmp_path_factory):
    return write_usd(motion, tmp_path_factory.mktemp("usd") / "m.usd", WORLD)[0]


@pytest.fixture
def stage(file):
    return Usd.Stage.Open(str(file))


def linear_body():
    """The open body without pose correctives, which linear skinning has not."""
    body = BodyModel.load()
    body.pose_dirs = None
    return body


def problems(stage):
    from pxr import UsdValidation

    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    return [error.GetErrorAsString() for error in UsdValidation.ValidationContext(validators).Validate(stage)]


def test_validators_find_nothing(stage, tmp_path):
    assert problems(stage) == []
    stage.ClearMetadata("upAxis")  # but they do look
    assert any("upAxis" in problem for problem in problems(stage))


def test_stage_says_units_axes_and_rate(stage):
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1
    assert UsdGeom.GetStageUpAxis(stage) == "Y"
    assert (stage.GetTimeCodesPerSecond(), stage.GetFramesPerSecond()) == (FPS, FPS)
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0, FRAMES - 1)
    assert stage.GetDefaultPrim().GetPath() == "/motion"


@pytest.mark.parametrize("person", THERE)
def test_skin_and_joints_are_where_the_body_has_them(stage, motion, person):
    body = linear_body()
    root = UsdSkel.Root.Get(stage, f"/motion/person_{person}")
    cache = UsdSkel.Cache()
    assert cache.Populate(root, Usd.PrimDefaultPredicate)
    (binding,) = cache.ComputeSkelBindings(root, Usd.PrimDefaultPredicate)
    skeleton = cache.GetSkelQuery(binding.GetSkeleton())
    (skin,) = binding.GetSkinningTargets()
    there = list(THERE[person])
    for frame in (there[0], there[len(there) // 2], there[-1]):
        row = there.index(frame)
        true = [
            y_up(in_world(motion, person, points(motion, person, of)))[row]
            for of in (body.joints, body.vertices)
        ]
        joints = skeleton.ComputeJointSkelTransforms(frame)
        np.testing.assert_allclose([joint.ExtractTranslation() for joint in joints], true[0], atol=1e-4)
        rest = UsdGeom.Mesh(skin.GetPrim()).GetPointsAttr().Get()
        assert skin.ComputeSkinnedPoints(skeleton.ComputeSkinningTransforms(frame), rest)
        np.testing.assert_allclose(rest, true[1], atol=1e-3)
        low, high = np.array(root.GetExtentAttr().Get(frame))
        assert (np.array(rest) >= low - 0.02).all()
        assert (np.array(rest) <= high + 0.02).all()


def test_people_are_invisible_while_away_and_unseen_frames_are_told(stage):
    for person, there in THERE.items():
        root = UsdGeom.Imageable.Get(stage, f"/motion/person_{person}")
        shown = [root.ComputeVisibility(frame) == "inherited" for frame in range(FRAMES)]
        assert shown == [frame in there for frame in range(FRAMES)]
        visible = root.GetPrim().GetAttribute("userProperties:visible")
        seen = [visible.Get(frame) for frame in range(FRAMES)]
        assert seen == [frame in there and frame not in UNSEEN.get(person, ()) for frame in range(FRAMES)]


def test_camera_sees_what_the_camera_saw(stage, motion):
    for frame in (0, 17, FRAMES - 1):
        camera = UsdGeom.Camera.Get(stage, "/motion/camera").GetCamera(frame)
        frustum = camera.frustum
        row = list(THERE[1]).index(frame)
        joints_cam = points(motion, 1)[row]
        homogeneous = joints_cam @ motion.K[frame].T
        true_px = homogeneous[:, :2] / homogeneous[:, 2:]
        seen = frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()
        world = y_up(in_world(motion, 1, points(motion, 1))[row]).tolist()
        unit = np.array([seen.Transform(place) for place in world])[:, :2]  # -1..1, y up
        said_px = (unit * [1, -1] + 1) / 2 * [WIDTH, HEIGHT]
        np.testing.assert_allclose(said_px, true_px, atol=0.05)


def test_uneven_times_are_time_codes(motion, tmp_path):
    frames = motion.frames.copy()
    frames["pts"][20:, 0] += frames["pts"][20:, 1]  # a second in which nothing was recorded
    (file,) = write_usd(replace(motion, frames=frames), tmp_path / "m.usd", WORLD)
    stage = Usd.Stage.Open(str(file))
    assert stage.GetEndTimeCode() == FRAMES - 1 + FPS
    animation = UsdSkel.Animation.Get(stage, "/motion/person_1/person_1_motion")
    codes = animation.GetRotationsAttr().GetTimeSamples()
    assert codes == [frame + FPS * (frame >= 20) for frame in range(FRAMES)]


def test_time_codes_count_from_the_sources_number(motion, tmp_path):
    stage = Usd.Stage.Open(str(write_usd(motion[6:], tmp_path / "m.usd", WORLD)[0]))
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (6, FRAMES - 1)
    animation = UsdSkel.Animation.Get(stage, "/motion/person_2/person_2_motion")
    assert animation.GetRotationsAttr().GetTimeSamples() == list(THERE[2])
    root = stage.GetPrimAtPath("/motion/person_2")
    assert UsdGeom.Imageable(root).GetVisibilityAttr().GetTimeSamples() == [6, THERE[2][0]]


def test_nothing_is_led_over_a_cut(motion, tmp_path):
    frames = motion.frames.copy()
    frames["cut_before"][20] = True
    stages = [
        Usd.Stage.Open(str(write_usd(given, tmp_path / f"{name}.usd", WORLD)[0]))
        for name, given in (("plain", motion), ("cut", replace(motion, frames=frames)))
    ]

    def places(stage, code):
        animation = UsdSkel.Animation.Get(stage, "/motion/person_1/person_1_motion")
        camera = UsdGeom.Camera.Get(stage, "/motion/camera").GetLocalTransformation(code)
        return np.array(animation.GetTranslationsAttr().Get(code))[0], np.array(camera)

    for plain, cut in zip(places(stages[0], 20), places(stages[1], 20), strict=True):
        np.testing.assert_array_equal(plain, cut)
    for plain, cut, between in zip(
        places(stages[0], 19), places(stages[1], 19.9), places(stages[0], 19.9), strict=True
    ):
        np.testing.assert_allclose(cut, plain, atol=1e-6)
        assert not np.allclose(between, plain, atol=1e-4)


def test_no_camera_where_nobody_knows_it(tmp_path):
    motion = walkers("world", camera_moves=False)
    stage = Usd.Stage.Open(str(write_usd(motion, tmp_path / "m.usd", replace(WORLD, space=None))[0]))
    assert not stage.GetPrimAtPath("/motion/camera")
    assert stage.GetPrimAtPath("/motion/person_5")
