"""The loop around a system: online, constant, and safe against being stopped at any frame."""

import hashlib
from contextlib import nullcontext
from dataclasses import fields, replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest

from choros import track_video, weights
from choros.camera.calibration import Calibration
from choros.detection import PersonFinder
from choros.errors import ChorosError
from choros.journal import folder_of
from choros.lifter.system import LifterSystem
from choros.motion import ROW, FrameResult, Motion
from choros.options import TrackOptions
from choros.run_identity import file_identity, identity_of
from choros.systems import load
from choros.track_video import track, track_to_file
from choros.video import VideoWriter, open_video


class Counter:
    """A system whose answer depends on every frame before: it adds up what it sees."""

    name = "counter"

    def __init__(self, stop_at=None):
        self.stop_at = stop_at

    def stream(self, K=None):
        return CounterStream(self.stop_at, K)


class CounterStream:
    def __init__(self, stop_at, K):
        self.stop_at, self.K = stop_at, K
        self.total, self.frame = np.float64(0), -1
        self.cut_before = False

    def encode(self, image):
        return float(image.mean())

    def step(self, features, time_s):
        self.frame += 1
        if self.frame == self.stop_at:
            raise KeyboardInterrupt
        self.total = 0.9 * self.total + features + time_s
        self.cut_before = self.frame % 7 == 5
        rows = np.zeros(2, ROW)
        rows["frame"], rows["person"], rows["visible"] = self.frame, [1, 2], True
        rows["transl"], rows["box_px"] = self.total, [1, 2, 11, 22]
        return FrameResult(rows)

    def update(self, image, time_s):
        return self.step(self.encode(image), time_s)

    def state(self):
        return {"total": np.array(self.total), "frame": np.array(self.frame)}

    def restore(self, state):
        self.total, self.frame = np.float64(state["total"]), int(state["frame"])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    rng = np.random.default_rng(0)
    with VideoWriter(path, 64, 48, Fraction(10)) as writer:
        for i in range(70):
            writer.write(np.full((48, 64, 3), rng.integers(256), np.uint8), Fraction(i, 10))
    return path


def test_file_call_equals_frame_by_frame(clip, tmp_path):
    track_to_file(clip, tmp_path / "motion.npz", Counter())
    motion = Motion.load(tmp_path / "motion.npz")
    stream = Counter().stream()
    with open_video(clip) as reader:
        rows = np.concatenate([stream.update(frame.image, frame.pts_s).rows for frame in reader])
    np.testing.assert_array_equal(motion.rows, rows)
    assert motion.pts == [Fraction(i, 10) for i in range(70)]
    assert (motion.K == [[64, 0, 32], [0, 64, 24], [0, 0, 1]]).all()
    assert np.flatnonzero(motion.cut_before).tolist() == list(range(5, 70, 7))


@pytest.mark.parametrize("stop_at", [0, 1, 20, 21, 45, 69])
def test_stopped_and_resumed_ends_with_the_same_bytes(clip, tmp_path, stop_at):
    track_to_file(clip, tmp_path / "whole.npz", Counter())
    output = tmp_path / "motion.npz"
    with pytest.raises(KeyboardInterrupt):
        track_to_file(clip, output, Counter(stop_at))
    assert len(Motion.load(output)) == stop_at  # what was done is there, and valid
    done = track_to_file(clip, output, Counter(), resume=True)
    assert done.n_frames == 70
    assert output.read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not folder_of(output).exists()


def test_resume_does_again_at_most_two_seconds(clip, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        track_to_file(clip, tmp_path / "motion.npz", Counter(50))
    resumed = []
    track_to_file(
        clip, tmp_path / "motion.npz", Counter(), resume=True, progress=lambda p: resumed.append(p.n_resumed)
    )
    assert 50 - resumed[0] <= 20  # frames at 10 a second


def test_a_finished_run_is_not_done_again(clip, tmp_path):
    output = tmp_path / "motion.npz"
    track_to_file(clip, output, Counter())
    before = output.read_bytes()
    assert track_to_file(clip, output, Counter(stop_at=0), resume=True).n_frames == 70
    assert output.read_bytes() == before
    with pytest.raises(KeyboardInterrupt):
        track_to_file(clip, output, Counter(stop_at=0))  # without resume it is


@pytest.mark.parametrize("time_s", [float("nan"), float("inf")])
def test_times_that_are_none_are_refused(time_s):
    with pytest.raises(ChorosError, match="seconds"):
        TrackOptions(start_s=time_s)
    with pytest.raises(ChorosError, match="seconds"):
        TrackOptions(end_s=time_s)


class Tuned(Counter):
    """A counter that tells its choices and its files."""

    def __init__(self, stop_at=None, files=None, **choices):
        super().__init__(stop_at)
        self.files, self.choices = files or {}, choices

    def identity(self):
        files = {name: file_identity(path, path) for name, path in self.files.items()}
        return {"options": self.choices, **files}


class Renamed(Counter):
    name = "abacus"


K = ((70.0, 0.0, 32.0), (0.0, 70.0, 24.0), (0.0, 0.0, 1.0))
T = ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, -1.0, 0.0, 1.5), (0.0, 0.0, 0.0, 1.0))


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize(
    ("begun", "now", "says"),
    [
        (Counter, Renamed, "begun with --system counter, this run is with --system abacus"),
        (Counter, Tuned, r"of class tests\.test_systems\.Counter, this run is with .*\.Tuned"),
        (partial(Tuned, accurate=True), Tuned, "begun with --accurate, this run is without it"),
        (Tuned, partial(Tuned, strict=True), "begun without --strict, this run is with --strict"),
        (partial(Tuned, same_people=True), Tuned, "begun with --same-people, this run is without it"),
        (
            partial(Tuned, heights_m={"3": 1.82}),
            partial(Tuned, heights_m={"3": 1.85}),
            "with --height 3=1.82, this run is with --height 3=1.85",
        ),
        (Tuned, partial(Tuned, heights_m={"1": 1.7}), "without --height, this run is with --height 1=1.7"),
        (
            partial(Tuned, **{"life.lost_s": 1.0}),
            partial(Tuned, **{"life.lost_s": 2.0}),
            r"system's option life\.lost_s 1, .* life\.lost_s 2",
        ),
        (Tuned, partial(Tuned, padded=False), "begun without the system's option padded, .* padded False"),
        (
            partial(Tuned, padded=False),
            Tuned,
            "with the system's option padded False, this run is without it",
        ),
        ({}, {"start_s": 1}, "begun without --start, this run is with --start 1"),
        ({"start_s": 1}, {"start_s": 2}, "begun with --start 1, this run is with --start 2"),
        ({"end_s": 5.5}, {}, r"begun with --end 5\.5, this run is without it"),
        ({}, {"K": K}, "begun without --K, this run is with --K 70 0 32 0 70 24 0 0 1"),
        ({"fov_deg": 60}, {"fov_deg": 70}, "with --fov 60, this run is with --fov 70"),
        ({"focal_px": 90}, {"fov_deg": 60}, "with --focal 90, this run is without it"),
        ({"rotate": 90}, {}, "begun with --rotate 90, this run is without it"),
        ({}, {"camera_pose": T}, "begun without --camera-pose"),
        ({}, {"calibration": Calibration("left", K)}, "begun without --calibration"),
    ],
)
def test_another_run_is_not_gone_on_with(clip, tmp_path, begun, now, says, finished):
    """Begun with one system or choice of options, resumed with another: refused, and nothing is lost."""
    output = tmp_path / "motion.npz"
    systems_of, options = ((begun, now), ({}, {})) if callable(begun) else ((Tuned, Tuned), (begun, now))
    with nullcontext() if finished else pytest.raises(KeyboardInterrupt):
        track_to_file(
            clip, output, systems_of[0](stop_at=None if finished else 30), TrackOptions(**options[0])
        )
    before = contents(tmp_path)
    with pytest.raises(ChorosError, match=says) as refused:
        track_to_file(clip, output, systems_of[1](), TrackOptions(**options[1]), resume=True)
    assert str(refused.value).startswith(f"{output} was begun with")
    assert contents(tmp_path) == before

    assert track_to_file(clip, output, systems_of[0](), TrackOptions(**options[0]), resume=True).n_frames
    track_to_file(clip, tmp_path / "whole.npz", systems_of[0](), TrackOptions(**options[0]))
    assert output.read_bytes() == (tmp_path / "whole.npz").read_bytes()


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("what", ["weights", "body"])
def test_other_weights_under_the_same_name_are_others_and_a_copy_is_the_same(clip, tmp_path, what, finished):
    output, file, copy = tmp_path / "out" / "motion.npz", tmp_path / "mine.bin", tmp_path / "copy.bin"
    file.write_bytes(b"one")
    copy.write_bytes(b"one")
    with nullcontext() if finished else pytest.raises(KeyboardInterrupt):
        track_to_file(clip, output, Tuned(None if finished else 30, {what: file}))
    file.write_bytes(b"two")
    says = rf"with --{what} .*mine\.bin \(SHA-256 7692c3ad\), this .*mine\.bin \(SHA-256 3fc4ccfe\)"
    with pytest.raises(ChorosError, match=says):
        track_to_file(clip, output, Tuned(files={what: file}), resume=True)
    with pytest.raises(ChorosError, match="this run is without it"):
        track_to_file(clip, output, Tuned(), resume=True)
    assert track_to_file(clip, output, Tuned(files={what: copy}), resume=True).n_frames == 70


def test_another_version_is_another_run_and_an_older_one_told_nothing(clip, tmp_path, monkeypatch):
    output = tmp_path / "motion.npz"
    track_to_file(clip, output, Counter())
    motion = Motion.load(output)
    monkeypatch.setattr(track_video, "__version__", "99.0")
    with pytest.raises(ChorosError, match=r"begun with choros \S+, this run is with choros 99\.0"):
        track_to_file(clip, output, Counter(), resume=True)
    monkeypatch.undo()
    told = {name: value for name, value in motion.header.provenance.items() if name != "system"}
    replace(motion, header=replace(motion.header, provenance=told)).save(output)
    with pytest.raises(ChorosError, match="does not tell how it was tracked"):
        track_to_file(clip, output, Counter(), resume=True)


def test_the_header_tells_every_option(clip, tmp_path):
    """Each field of ``TrackOptions`` alone makes another header."""
    choices = {
        "start_s": 1, "end_s": 2, "focal_px": 80, "fov_deg": 60, "K": K, "image_fps": 25, "photos": True,
        "calibration": Calibration("left", K), "camera_pose": T, "rotate": 90, "live_world": True, "focal_35mm": 26.0,
    }  # fmt: skip
    assert {*choices, "sandbox"} == {
        field.name for field in fields(TrackOptions)
    }  # which gives the same frames
    with open_video(clip) as reader:

        def told(options):
            K = np.eye(3)  # whatever the options make of it
            return track_video.header_of(reader.info, clip, Counter(), K, options).to_json()

        headers = [told(TrackOptions(**{name: value})) for name, value in choices.items()]
        assert len({told(TrackOptions()), *headers}) == 1 + len(choices)
    assert TrackOptions(image_fps=25).identity() == TrackOptions(image_fps=Fraction(25)).identity()


def test_what_the_systems_are_known_by(tmp_path):
    """Each choice and file of the systems that ship, and a user's parts, by their class."""
    plain = identity_of(load())
    assert plain["name"] == "lifter"
    assert plain["options"] == {}
    sha256 = hashlib.sha256(weights.shipped("lifter").read_bytes()).hexdigest()
    assert plain["weights"] == {"file": "shipped", "sha256": sha256}
    chosen = identity_of(load(accurate=True, heights_m={3: 1.82}, same_people=True))
    assert chosen["options"] == {"accurate": True, "heights_m.3": 1.82, "same_people": True}
    assert chosen["weights"] == plain["weights"]

    tensors, metadata = weights.load(weights.shipped("lifter"), "lifter")
    name = next(iter(tensors))
    weights.save(tmp_path / "w.safetensors", tensors | {name: tensors[name] + 1}, metadata)
    system = load(weights_path=tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").unlink()  # what was loaded counts
    other = identity_of(system)
    assert other["weights"]["file"] == str(tmp_path / "w.safetensors")
    assert other["weights"]["sha256"] != sha256
    assert other | {"weights": None} == plain | {"weights": None}

    class Nobody:
        def detect(self, image):
            return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)

    system = LifterSystem(finder=PersonFinder(Nobody(), PersonFinder.default(fast=True).keypoints))
    assert identity_of(system)["finder"]["detector"] == {"class": f"{__name__}.{Nobody.__qualname__}"}
    assert identity_of(system)["finder"]["keypoints"] == plain["finder"]["keypoints"]

    flags = {"accurate": False, "strict": False, "pixels_alone": False}
    assert identity_of(load("comotion"))["options"] == flags
    strict = identity_of(load("comotion", strict=True, fast=True))
    assert strict["options"] == flags | {"strict": True}
    assert "crop_px" in strict["finder"]["keypoints"]
    bare = identity_of(load("comotion", strict=True, fit_keypoints=False))  # no keypoints have a part in it
    assert bare["options"] == flags | {"strict": True, "pixels_alone": True}
    assert "finder" not in bare
    assert bare["detector"] == strict["finder"]["detector"]


def test_part_of_a_video_keeps_its_times(clip, tmp_path):
    motion = Motion.load(
        track_to_file(clip, tmp_path / "part.npz", Counter(), TrackOptions(start_s=2, end_s=4)).path
    )
    assert motion.pts[0] == 2
    assert motion.pts[-1] == Fraction(39, 10)
    assert motion.row_frame[0] == 0


def test_track_gives_a_motion(clip):
    motion = track(clip, Counter(), TrackOptions(focal_px=100))
    assert motion.ids.tolist() == [1, 2]
    assert motion.header.system == "counter"
    assert motion.K[0, 0, 0] == 100


def test_an_error_of_the_system_reaches_the_caller_and_loses_nothing(clip, tmp_path):
    class Broken(Counter):
        def stream(self, K=None):
            stream = super().stream(K)
            follow = stream.step
            stream.step = lambda features, t: follow(features, t) if t < 3 else 1 / 0
            return stream

    with pytest.raises(ZeroDivisionError):
        track_to_file(clip, tmp_path / "motion.npz", Broken())
    assert len(Motion.load(tmp_path / "motion.npz")) == 30


def test_fast_and_accurate_exclude_each_other():
    with pytest.raises(ChorosError, match="fast and accurate"):
        load(fast=True, accurate=True)


def test_unknown_system_and_missing_video(tmp_path):
    with pytest.raises(ChorosError, match="lifter, comotion"):
        load("clairvoyant")
    with pytest.raises(ChorosError, match=r"nothing\.mp4"):
        track_to_file(tmp_path / "nothing.mp4", tmp_path / "motion.npz", Counter())
    assert not (tmp_path / "motion.npz").exists()


def test_looks_run_ahead_but_never_out_of_order(clip):
    class Late(CounterStream):
        def encode(self, image):
            return super().encode(image)

    with open_video(clip) as reader:
        pairs = list(track_video.encoded_ahead(reader, Late(None, None), 5))
    assert [frame.index for frame, _ in pairs] == list(range(5, 70))
    assert all(features == frame.image.mean() for frame, features in pairs)


def test_the_lifter_system_answers_to_its_old_name():
    assert load("baseline").name == "lifter"
