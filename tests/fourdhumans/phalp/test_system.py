"""4DHumans as a system: made by name with any engine, its parts left out, its memory bounded."""

import numpy as np
import pytest

from choros import systems
from choros.body.before import Before
from choros.body.posed import joints_of
from choros.detection import Detections, PersonFinder
from choros.errors import ChorosError
from choros.fourdhumans.phalp.config import SIGHTS, PhalpConfig
from choros.fourdhumans.phalp.system import FourDHumans
from choros.lifter.pose_engine import make as lift_engine
from choros.rotation import rotmat_to_rotvec
from choros.tracking.pose_engine import FollowingEngine, PoseEngine
from tests.tracking.every_system import Standing, Told, walkers

K = np.array([[160.0, 0, 80], [0, 160.0, 60], [0, 0, 1]])


def test_the_name_tells_the_engine():
    assert systems.spelled("phalp:comotion") == ("phalp", "comotion")
    assert systems.spelled("4dhumans") == ("4dhumans", None)
    assert systems.spelled("lifter:comotion") == ("lifter:comotion", None)  # which takes none
    assert systems.entry_of("phalp:hmr2").name == systems.entry_of("phalp").name == "4dhumans"
    assert {"4dhumans", "phalp", "phalp:lifter"} < set(systems.spellings(systems.entry_of("4dhumans")))


def test_any_engine_fits():
    class Far:
        """Everybody stands ten metres away."""

        body = lift_engine(None, None).body

        def pose(self, image, people, K):
            posed = lift_engine(None, None).pose(image, people, K)
            ahead = posed.joints_cam[:, :1, 2:] / 10
            return posed._replace(transl=posed.transl / ahead[:, 0], joints_cam=posed.joints_cam / ahead)

    assert isinstance(Far(), PoseEngine)
    assert isinstance(lift_engine(None, None), PoseEngine)
    system = systems.load("phalp", engine=Far(), detector=Told((20, 20, 60, 110)), keypoints=Standing())
    rows = system.stream(K).update(walkers(0), 0.0).rows
    np.testing.assert_allclose(joints_of(rows)[:, 0, 2], 10, rtol=1e-3)


def test_what_does_not_go_together_is_refused():
    with pytest.raises(ChorosError, match="your own SMPL file"):
        systems.load("phalp:hmr2", weights_path="epoch=35.ckpt")
    with pytest.raises(ChorosError, match="no pose engine 'crystal'"):
        systems.load("4dhumans", engine="crystal")
    with pytest.raises(ChorosError, match="names its pose engine"):
        systems.load("phalp:lifter", engine="lifter")
    with pytest.raises(ChorosError, match="lifter has no"):
        systems.load("lifter", engine="comotion")


@pytest.mark.parametrize("name", ["lifter", "comotion", "hmr2"])
def test_engines_put_people_on_their_keypoints(name):
    """A person's joints are where their keypoints are, in one look."""
    make = systems._found(systems.ENGINES[name])
    engine = make(None, None)
    boxes = np.array([[20.0, 10, 60, 115], [100, 20, 140, 110]], np.float32)
    keypoints = Standing().estimate(walkers(0), boxes)
    people = Detections(boxes, np.ones(2, np.float32), keypoints)
    posed = engine.pose(walkers(0), people, K)
    hips_px = posed.joints_cam[:, 1:3] @ K.T
    hips_px = (hips_px[..., :2] / hips_px[..., 2:]).mean(1)
    np.testing.assert_allclose(hips_px, keypoints[:, 11:13, :2].mean(1), atol=8)
    assert len(engine.pose(walkers(0), people[:0], K).joints_cam) == 0
    assert engine.identity()["weights"]["sha256"]


def test_an_engine_that_follows_is_told_how_people_were():
    """By their own last sight and what it remembered of them, whatever their order in the picture."""
    plain = lift_engine(None, None)
    told = []

    class Counting:
        """Remembers of everybody how often it was asked, and where they stood at first."""

        body, pose, memory_width = plain.body, plain.pose, 2

        def again(self, posed, which, people, K, before, memory):
            told.append((before, memory.copy()))
            some = type(posed)(*(part[which] for part in posed))
            first = np.where(memory[:, :1] == 0, people.boxes_px[which, :1], memory[:, 1:])
            return some, np.concatenate([memory[:, :1] + 1, first], -1)

    assert isinstance(Counting(), FollowingEngine)
    assert isinstance(plain, FollowingEngine)
    finder = PersonFinder(Told((15, 25, 42, 105), (100, 30, 125, 100)), Standing())
    stream = FourDHumans(Counting(), finder=finder).stream(K)
    stream.update(walkers(0), 0.0)
    began, _ = told.pop()
    assert began.dt_s.tolist() == [0, 0]
    finder.detector.boxes = finder.detector.boxes[::-1]
    rows = stream.update(walkers(1), 0.1).rows
    before, memory = told.pop()
    np.testing.assert_allclose(before.dt_s, 0.1)
    assert memory.tolist() == [[1, 15], [1, 100]]  # tracks in the order of their birth
    assert before.transl[0, 0] < before.transl[1, 0]
    assert rows["person"].tolist() == [1, 2]


@pytest.mark.parametrize("name", ["lifter", "hmr2"])
def test_people_who_are_followed_move_less(name):
    """Keypoints that jump from frame to frame turn limbs less if it is known how they were."""
    engine = systems._found(systems.ENGINES[name])(None, None)
    box = np.array([[20.0, 10, 60, 115]], np.float32)
    K_far = np.array([[160.0, 0, 80], [0, 160.0, 60], [0, 0, 1]])
    still = Standing().estimate(walkers(0), box)
    shaken = still.copy()
    shaken[0, [9, 10], :2] += [[9, -6], [-9, 6]]  # wrists
    who = np.arange(1)

    def of(keypoints, before, memory):
        people = Detections(box, np.ones(1, np.float32), keypoints)
        posed = engine.pose(walkers(0), people, K_far)
        return engine.again(posed, who, people, K_far, before, memory)

    first, memory = of(still, Before.none(1), np.zeros((1, engine.memory_width), np.float32))
    anew, _ = of(shaken, Before.none(1), np.zeros((1, engine.memory_width), np.float32))
    on, _ = of(shaken, Before(np.full(1, 1 / 60), first.rotations, first.transl), memory)

    def turned(posed):
        return np.linalg.norm(
            rotmat_to_rotvec(first.rotations.swapaxes(-1, -2) @ posed.rotations), axis=-1
        ).sum()

    assert turned(on) < 0.7 * turned(anew)


def small(config, *boxes):
    finder = PersonFinder(Told(*boxes), Standing())
    return FourDHumans(lift_engine(None, None), config, finder=finder)


@pytest.mark.parametrize("left_out", ["use_pose", "use_place", "use_appearance", "constant_velocity"])
def test_a_part_that_is_left_out_leaves_a_system(left_out):
    config = PhalpConfig(**{left_out: left_out == "constant_velocity"})
    system = small(config, (15, 25, 42, 105), (100, 30, 125, 100))
    stream = system.stream(K)
    for i in range(4):
        rows = stream.update(walkers(0), i / 15).rows
    assert rows["person"].tolist() == [1, 2]
    assert system.identity()["options"] == {left_out: left_out == "constant_velocity"}


def test_memory_is_of_those_who_are_there():
    """Not of how long they were, nor of how many there ever were."""
    system = small(None, (15, 25, 42, 105))
    stream, told = system.stream(K), system.finder.detector
    sizes = []
    for i in range(120):
        told.boxes = [] if i % 12 > 8 else [(15 + i % 7, 25, 42, 105)]
        stream.update(walkers(0), i / 3)
        sizes.append(sum(np.asarray(part).nbytes for part in stream.state().values()))
    assert max(sizes[60:]) <= max(sizes[:60])
    assert stream.state()["tracks"]["sight_s"].shape[1:] == (SIGHTS,)
