"""What is no next frame gets the same answer from every system, and leaves its stream as it was."""

import warnings
from fractions import Fraction

import numpy as np
import pytest

from choros import systems
from choros.body import BodyModel
from choros.camera import intrinsics
from choros.comotion.network import ComotionNetwork
from choros.comotion.system import Comotion
from choros.detection import PersonFinder
from choros.errors import ChorosError
from choros.lifter.system import LifterSystem
from tests.comotion.test_tracker import TINY, Glance, Told

WIDTH, HEIGHT = 320, 240
PICTURE = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
BOX = (40, 30, 110, 200)


class Standing:
    """Keypoints of somebody who stands in each box."""

    def estimate(self, image, boxes_px):
        pose = np.array([
            [.5, .08], [.53, .06], [.47, .06], [.57, .08], [.43, .08], [.65, .2], [.35, .2], [.72, .36], [.28, .36],
            [.74, .5], [.26, .5], [.6, .52], [.4, .52], [.6, .75], [.4, .75], [.6, .96], [.4, .96],
        ])  # fmt: skip
        points = boxes_px[:, None, :2] + pose * (boxes_px[:, None, 2:] - boxes_px[:, None, :2])
        return np.concatenate([points, np.full((*points.shape[:2], 1), 0.9)], -1).astype(np.float32)


def comotion():
    return Comotion(
        detector=Told(BOX), network=ComotionNetwork(TINY, BodyModel.load(detail="light"), trunk=Glance())
    )


def lifter():
    return LifterSystem(finder=PersonFinder(Told(BOX), Standing()))


MAKERS = {"comotion": comotion, "lifter": lifter}


@pytest.fixture(scope="module", params=systems.names())
def system(request):
    return MAKERS[request.param]()


NO_FRAMES = {
    "nan": (PICTURE, float("nan"), "finite number of seconds"),
    "inf": (PICTURE, float("inf"), "finite number of seconds"),
    "-inf": (PICTURE, -float("inf"), "finite number of seconds"),
    "no time": (PICTURE, None, "must be a number of seconds"),
    "words": (PICTURE, "soon", "must be a number of seconds"),
    "back": (PICTURE, 0.5, r"must not go back, but 0.500 s follows 1.000 s"),
    "smaller": (PICTURE[::2, ::2], 2.0, "160x120 px follows pictures of 320x240 px"),
    "turned": (PICTURE.transpose(1, 0, 2), 2.0, "240x320 px follows pictures of 320x240 px"),
    "grey": (PICTURE[..., 0], 2.0, "uint8 RGB"),
    "one channel": (PICTURE[..., :1], 2.0, "uint8 RGB"),
    "RGBA": (np.concatenate([PICTURE, PICTURE[..., :1]], -1), 2.0, "uint8 RGB"),
    "float": (PICTURE / 255, 2.0, "uint8 RGB"),
    "16 bits": (PICTURE.astype(np.uint16), 2.0, "uint8 RGB"),
    "channels first": (PICTURE.transpose(2, 0, 1), 2.0, "uint8 RGB"),
    "empty": (PICTURE[:0], 2.0, "must have pixels"),
    "a list": (PICTURE.tolist(), 2.0, "uint8 RGB"),
    "nothing": (None, 2.0, "uint8 RGB"),
}


@pytest.mark.parametrize("name", NO_FRAMES)
def test_no_next_frame(system, name):
    image, time_s, says = NO_FRAMES[name]
    stream = system.stream()
    stream.update(PICTURE, 1.0)
    before = stream.state()
    with pytest.raises(ChorosError, match=says):
        stream.update(image, time_s)
    after = stream.state()
    for key in before:
        np.testing.assert_array_equal(before[key], after[key])
    stream.update(PICTURE, 1.1)


@pytest.mark.parametrize("name", [name for name, (_, _, says) in NO_FRAMES.items() if "follow" not in says])
def test_no_first_frame(system, name):
    image, time_s, says = NO_FRAMES[name]
    stream = system.stream()
    for call in (lambda: stream.update(image, time_s), lambda: stream.begin(image, np.array([BOX]), time_s)):
        with pytest.raises(ChorosError, match=says):
            call()
    assert len(stream.begin(PICTURE, np.array([BOX]), 0.0)) == 1


def test_frames_that_are_only_unusual(system):
    stream = system.stream()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stream.update(PICTURE[:, ::-1], -3.0)  # not contiguous; times may begin anywhere
        stream.update(np.asfortranarray(PICTURE), Fraction(-29, 10))
        stream.update(PICTURE, np.float32(-2.0))
        stream.update(PICTURE, -2)  # two frames at one time


def test_a_stream_that_goes_on_knows_its_size(system):
    stream = system.stream()
    stream.update(PICTURE, 1.0)
    other = system.stream()
    other.restore(stream.state())
    with pytest.raises(ChorosError, match="160x120 px follows"):
        other.update(PICTURE[::2, ::2], 2.0)


def test_cameras_that_are_none(system):
    with pytest.raises(ChorosError, match="transposed"):
        system.stream(intrinsics(WIDTH, HEIGHT).T)
    with pytest.raises(ChorosError, match="normalised"):
        system.stream(np.array([[1.0, 0, 0.5], [0, 1.3, 0.5], [0, 0, 1]]))
    stream = system.stream(intrinsics(1280, 960))  # what it is of is told by the first picture
    with pytest.raises(ChorosError, match="1280x960 px, but this one has 320x240"):
        stream.update(PICTURE, 0.0)
    K = intrinsics(WIDTH, HEIGHT, fov_deg=40)
    stream = system.stream(K)
    stream.update(PICTURE, 0.0)
    np.testing.assert_array_equal(stream.K, K)


def test_every_system_is_tried():
    assert set(MAKERS) == set(systems.names())
