"""Up, floor and feet from the past alone: made walks before tilted cameras, and what a stream makes of them."""

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.body.posed import joints_of
from choros.cli.main import main
from choros.errors import ChorosError
from choros.glamr.live_world import WORLD_IS_GUESS, LiveWorld
from choros.glamr.running_floor import SAMPLE, RunningFloor
from choros.motion import FrameResult, Motion
from choros.options import TrackOptions
from choros.track_video import track_to_file
from choros.video import VideoWriter

from .walkers import about_z, camera_path, climber, seen_motion, standing

WALK, PELVIS, _, STANDS = climber(180, floor_steps=99, flight=0)  # on the level
BALL_M = (
    standing().joints_rest[10, 1] - standing().sole_m
)  # of the ball of a foot over the floor it stands on


def walking(people=1, frames=180, camera=None, turned_m=3.0):
    """Rows of people who walk about, each with a way of their own, before a camera; and that camera (4, 4)."""
    T = np.tile(np.eye(4), (people, frames, 1, 1))
    for p in range(people):
        turn = about_z(np.array(2.4 * p))
        T[p, :, :3, :3] = turn @ WALK[:frames, 0]
        T[p, :, :3, 3] = (PELVIS[:frames] - [1.5, 6, 0]) @ turn.T + [0.8 * p, 6 + turned_m * (p % 2), 0]
    camera = tilted(frames) if camera is None else camera
    poses = {p: WALK[:frames, 1:] for p in range(people)}
    return seen_motion(T, camera, poses=poses), camera


def tilted(frames, height_m=2.2):
    """A camera that looks down by 25 degrees and leans by 2."""
    camera = camera_path(frames)
    camera[:, :3, :3] = camera[:, :3, :3] @ Rotation.from_euler("zx", [2, -20], degrees=True).as_matrix()
    camera[:, 2, 3] = height_m
    return camera


@cache
def run(people):
    """So many walkers, the camera, and what comes of each frame."""
    motion, camera = walking(people)
    return motion, camera, told(motion, LiveWorld())


def told(motion, live, frames=None, T_still_camera=None):
    """What comes of each frame."""
    results = []
    for frame in range(frames or len(motion)):
        T = None if T_still_camera is None else T_still_camera[frame]
        results.append(live.step(FrameResult(motion.in_frame(frame), T), float(motion.pts_s[frame])))
    return results


def tilt_deg(T, true):
    """Angle between up as it is told and as it is, in camera axes."""
    return np.degrees(np.arccos(np.clip(T[2, :3] @ true[2, :3], -1, 1)))


def test_a_walk_tells_up_and_floor_within_two_seconds():
    """The floor where somebody walks: at the camera, metres away, the tilt counts too."""
    motion, camera, results = run(1)
    for frame in range(60, 180):
        T = results[frame].T_world_camera
        assert tilt_deg(T, camera[frame]) < 2
        balls = joints_of(motion.in_frame(frame))[0, [10, 11]] @ T[2, :3] + T[2, 3]
        assert balls.min() == pytest.approx(BALL_M, abs=0.05)
        assert T[2, 3] == pytest.approx(camera[frame, 2, 3], abs=0.25)
    T = results[-1].T_world_camera
    np.testing.assert_allclose(T[:2, 3], 0, atol=1e-12)  # above the origin, looking along y
    assert T[0, 2] == pytest.approx(0, abs=1e-12)
    assert T[1, 2] > 0


def test_the_first_is_a_guess_and_says_so():
    alone, crowd = (run(people)[2] for people in (1, 4))
    first = [
        [bool(r.extras[WORLD_IS_GUESS].all()) for r in results].index(False) / 30
        for results in (alone, crowd)
    ]
    assert first[1] < first[0] / 2
    assert first[1] > 0.3
    assert not alone[-1].extras[WORLD_IS_GUESS].any()


def test_feet_that_stand_are_told():
    contact = np.stack([result.extras["foot_contact"][0] for result in run(1)[2]])
    settled = np.arange(len(contact)) > 60
    for k in range(2):
        said = contact[:, 2 * k : 2 * k + 2].max(1) > 0.5
        assert said[settled & STANDS[:, k]].mean() > 0.85
        assert said[settled & ~STANDS[:, k]].mean() < 0.45  # told of a lift when it is seen, not before


def test_nothing_hangs_on_what_comes_later():
    motion, _, whole = run(2)
    other, _ = walking(2, camera=tilted(180, 1.0))
    rows = np.concatenate([motion[:60].rows, other.rows[len(motion[:60].rows) :]])
    mixed = told(Motion(motion.header, motion.frames, rows), LiveWorld(), 90)
    for a, b in zip(whole[:60], mixed, strict=False):
        np.testing.assert_array_equal(a.T_world_camera, b.T_world_camera)
        for name in a.extras:
            np.testing.assert_array_equal(a.extras[name], b.extras[name])
    assert (whole[89].T_world_camera != mixed[89].T_world_camera).any()


def test_it_goes_on_from_its_state_to_the_same_bits():
    motion, _, whole = run(2)
    begun, later = LiveWorld(), LiveWorld()
    told(motion, begun, 40)
    later.restore({name: np.array(array) for name, array in begun.state().items()})
    for frame in range(40, 80):
        result = later.step(FrameResult(motion.in_frame(frame)), float(motion.pts_s[frame]))
        np.testing.assert_array_equal(result.T_world_camera, whole[frame].T_world_camera)
        np.testing.assert_array_equal(result.extras["foot_contact"], whole[frame].extras["foot_contact"])


def test_memory_stays_flat():
    """Two hours of ten people; and somebody new in every frame."""
    floor, rng = RunningFloor(np.eye(3)), np.random.default_rng(5)
    sizes = []
    for _ in range(60):
        samples = np.zeros(400, SAMPLE)
        samples["up"] = [0, -1, 0] + 0.05 * rng.normal(size=(400, 3))
        samples["upright"] = samples["stand"] = True
        samples["feet"] = rng.normal([0, 1.6, 5], [3, 0.05, 2], (400, 2, 3))
        floor.add(samples)
        sizes.append(sum(np.asarray(array).nbytes for array in floor.state().values()))
    assert max(sizes) == sizes[-1] == sizes[5]
    assert floor.ground.height_m == pytest.approx(1.6, abs=0.03)
    live, people = LiveWorld(), []
    for frame in range(60):
        rows = run(1)[0].in_frame(frame)
        rows["person"] = frame + 1
        live.step(FrameResult(rows), frame / 10)
        people.append(len(live.state()["people"]))
    assert max(people) <= 21


def test_who_is_on_a_balcony_does_not_lift_the_floor():
    motion, camera, _ = run(4)
    rows = motion.rows.copy()
    rows["transl"][rows["person"] == 4] += (3 * camera[0, 2, :3]).astype(np.float32)
    T = told(Motion(motion.header, motion.frames, rows), LiveWorld(), 120)[-1].T_world_camera
    assert T[2, 3] == pytest.approx(2.2, abs=0.05)
    assert tilt_deg(T, camera[-1]) < 2


def test_a_camera_that_its_system_tells_may_go_about():
    """In a world of the system's own that leans and has no floor."""
    camera = tilted(120)
    camera[:, 0, 3] += np.linspace(0, 2, 120)
    camera[:, :3, :3] = about_z(np.linspace(0, 0.5, 120)) @ camera[:, :3, :3]
    motion, _ = walking(3, 120, camera)
    own = np.eye(4)
    own[:3, :3], own[:3, 3] = Rotation.from_euler("xyz", [0.3, 0.2, 1]).as_matrix(), [3, -2, 0.7]
    T_first = np.linalg.inv(own @ camera[0])
    live = LiveWorld()
    results = told(motion, live, T_still_camera=T_first @ own @ camera)
    for result, true in zip(results[90:], camera[90:], strict=True):
        assert tilt_deg(result.T_world_camera, true) < 2
        assert result.T_world_camera[2, 3] == pytest.approx(2.2, abs=0.1)
    way = results[-1].T_world_camera[:3, 3] - results[90].T_world_camera[:3, 3]
    assert np.linalg.norm(way) == pytest.approx(
        np.linalg.norm(camera[-1, :3, 3] - camera[90, :3, 3]), abs=0.1
    )
    untold = live.step(
        FrameResult(motion.in_frame(119)), 4.0
    ).T_world_camera  # it stays where it was told last
    np.testing.assert_allclose(untold, results[-1].T_world_camera, atol=0.02)


def test_every_shot_is_a_world_of_its_own():
    motion, camera, _ = run(2)
    live = LiveWorld()
    told(walking(2, camera=tilted(180, 1.2))[0], live, 40)
    first = live.step(FrameResult(motion.in_frame(0)), 6.1, begins_shot=True)
    assert first.extras[WORLD_IS_GUESS].all()
    for frame in range(1, 100):
        last = live.step(FrameResult(motion.in_frame(frame)), 6.1 + frame / 30)
    assert last.T_world_camera[2, 3] == pytest.approx(camera[0, 2, 3], abs=0.1)


class Walks:
    """A system that says a made motion, whatever it is shown; nobody is there in the first frames."""

    name = "walks"

    def __init__(self, motion, stop_at=None):
        self.motion, self.stop_at, self.frame = motion, stop_at, -1

    def stream(self, K=None):
        return Walks(self.motion, self.stop_at)

    def identity(self):
        return {}

    def encode(self, image):
        return None

    def step(self, features, time_s):
        self.frame += 1
        if self.frame == self.stop_at:
            raise KeyboardInterrupt
        return FrameResult(self.motion.in_frame(self.frame)[: 0 if self.frame < 3 else None])

    def update(self, image, time_s):
        return self.step(self.encode(image), time_s)

    def state(self):
        return {"frame": np.array(self.frame)}

    def restore(self, state):
        assert set(state) == {"frame"}
        self.frame = int(state["frame"])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with VideoWriter(path, 64, 48, Fraction(30)) as writer:
        for frame in range(120):
            writer.write(np.full((48, 64, 3), 90, np.uint8), Fraction(frame, 30))
    return path


def test_a_run_records_the_world_and_resumes_to_the_same_bytes(clip, tmp_path):
    motion, _, _ = run(2)
    options = TrackOptions(live_world=True)
    track_to_file(clip, tmp_path / "whole.npz", Walks(motion), options)
    made = Motion.load(tmp_path / "whole.npz")
    assert (made.space, len(made)) == ("world", 120)
    assert made.header.provenance["live_world"] is True
    assert made.camera_known.tolist() == [frame >= 3 for frame in range(120)]
    assert set(made.extras) == {"foot_contact", WORLD_IS_GUESS}
    balls = joints_of(made.rows[made.row_frame > 60])[:, [10, 11], 2].min(1)
    assert np.median(balls) == pytest.approx(BALL_M, abs=0.03)
    with pytest.raises(KeyboardInterrupt):
        track_to_file(clip, tmp_path / "motion.npz", Walks(motion, stop_at=80), options)
    with pytest.raises(ChorosError, match="begun with --live-world, this run is without it"):
        track_to_file(clip, tmp_path / "motion.npz", Walks(motion), resume=True)
    track_to_file(clip, tmp_path / "motion.npz", Walks(motion), options, resume=True)
    assert (tmp_path / "motion.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


@pytest.mark.parametrize(
    ("command", "flags", "says"),
    [
        ("track", ["--camera-height", "2"], "leave out the live world"),
        ("live", ["--camera-height", "2"], "leave out the live world"),
        ("track", ["--world"], "leave --world out"),
    ],
)
def test_what_does_not_go_together_is_refused(clip, tmp_path, capsys, command, flags, says):
    with pytest.raises(SystemExit) as stopped:
        main([command, str(clip), "-o", str(tmp_path / "out"), "--live-world", *flags])
    assert stopped.value.code == 2
    assert says in capsys.readouterr().err
