"""NaN in any network's answer costs one frame and no more, in every system; and it is said."""

import numpy as np
import pytest
import torch

from choros.errors import NotNumbers
from choros.motion import Motion
from choros.track_video import track_to_file
from choros.tracking.steady import Steady, encoded
from tests.tracking.every_system import NAMES, Bright, film_of_walkers, system_of, walkers

FRAMES, FPS = 12, 15


class Faulty:
    """A detector whose boxes are no numbers while ``on``."""

    def __init__(self):
        self.on = False

    def detect(self, image):
        boxes, scores = Bright().detect(image)
        return (boxes * np.nan if self.on else boxes), scores


class Poison:
    """While ``on``, everything that a network's layer gives is NaN."""

    def __init__(self):
        self.on, self.hits = False, 0

    def __call__(self, module, given, output):
        if not self.on or not isinstance(output, torch.Tensor) or not output.is_floating_point():
            return output
        self.hits += 1
        return torch.full_like(output, float("nan"))


@pytest.fixture
def poison():
    hook = Poison()
    handle = torch.nn.modules.module.register_module_forward_hook(hook)
    yield hook
    handle.remove()


def followed(steady, poisoned, turn, part=None):
    """Frames through a stream; ``turn`` switches the fault in those that are ``poisoned``. Gives who was there."""
    people, whys = [], []
    for i in range(FRAMES):
        image, time_s = walkers(2 * i), i / FPS
        turn(i in poisoned and part in (None, "encode"))
        features = encoded(steady.stream, image)
        turn(False)
        turn(i in poisoned and part in (None, "step"))
        result = mended(steady, turn).step(features, image, time_s)
        del steady.stream.restore
        turn(False)
        for name in result.rows.dtype.names:
            assert np.isfinite(result.rows[name]).all(), (i, name)
        people.append(result.rows["person"].tolist())
        whys.append(steady.why)
    return people, whys


def mended(steady, turn):
    """The fault ends when the stream is put back: what is done again goes well."""
    original = steady.stream.restore

    def restore(state):
        turn(False)
        original(state)

    steady.stream.restore = restore
    return steady


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["encode", "step"])
def test_layers_that_give_no_numbers(name, part, poison):
    system = system_of(name, Bright())

    def turn(on):
        poison.on = on

    usual, _ = followed(Steady(system.stream()), (), turn)
    people, whys = followed(Steady(system.stream()), (5,), turn, part)
    assert max(map(len, usual)) >= 2
    assert people == usual
    if poison.hits and any(whys):  # a system may have no network in this part, or not believe it
        assert [i for i, why in enumerate(whys) if why] == [5]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "trace"])  # TRACE has no detector
@pytest.mark.parametrize("poisoned", [(5,), pytest.param((5, 6), marks=pytest.mark.slow)])
def test_a_detector_that_gives_no_numbers(name, poisoned):
    detector = Faulty()
    system = system_of(name, detector)

    def turn(on):
        detector.on = on

    usual, _ = followed(Steady(system.stream()), (), turn)
    steady = Steady(system.stream())
    people, whys = followed(steady, poisoned, turn, "encode")
    assert people == usual
    assert [i for i, why in enumerate(whys) if why] == list(poisoned)
    assert len(steady.notes()) == len(poisoned)
    assert "Detector Faulty returned a box or score that is not a finite number; " in steady.notes()[0]


class Broken:
    def detect(self, image):
        return np.full((1, 4), np.nan, np.float32), np.ones(1, np.float32)


def test_a_network_that_never_gives_numbers():
    steady = Steady(system_of("toy", Broken()).stream())
    with pytest.raises(NotNumbers):
        steady.update(walkers(0), 0.0)
    assert steady.stream.state()["clock"].tolist() == [-1, 0]


def test_a_first_frame_without_numbers_shows_nobody():
    detector = Faulty()
    detector.on = True
    steady = Steady(system_of("toy", detector).stream())
    assert len(steady.update(walkers(0), 0.0).rows) == 0
    assert steady.why
    detector.on = False
    assert len(steady.update(walkers(0), 0.1).rows) == 2
    assert steady.why is None


class Once(Faulty):
    """Bad in the frames in which the red thing stands at one place."""

    def detect(self, image):
        self.on = bool((image[60, 27] > 150).any()) and not (image[60, 25] > 150).any()
        return super().detect(image)


def test_a_file_says_so_and_a_run_that_goes_on_says_the_same(tmp_path):
    clip = film_of_walkers(tmp_path / "clip.mp4", 16, FPS)
    done = track_to_file(clip, tmp_path / "out" / "motion.npz", system_of("lifter", Once()))
    gaps = np.flatnonzero(Motion.load(done.path).frames["gap_before"])
    assert len(gaps) == len(done.notes) > 0
    assert done.n_frames == 16
    assert done.n_people == 2

    class Stopped(KeyboardInterrupt):
        pass

    def stop(now):
        if now.n_frames == int(gaps[0]) + 1:
            raise Stopped

    again = tmp_path / "again" / "motion.npz"
    with pytest.raises(Stopped):
        track_to_file(clip, again, system_of("lifter", Once()), progress=stop)
    track_to_file(clip, again, system_of("lifter", Once()), resume=True)
    assert again.read_bytes() == done.path.read_bytes()
