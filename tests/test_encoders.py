"""One video, looked at by several processes: the bytes of one alone; whoever ends is named."""

import os
from concurrent.futures import Future
from functools import partial

import numpy as np
import pytest

from choros import systems
from choros.cli.main import main
from choros.encoders import OnRay, Processes, Threads
from choros.errors import ChorosError
from choros.track_video import encoded_ahead, track_to_file
from choros.video import open_video
from tests.tracking.every_system import Bright, film_of_walkers
from tests.tracking.toy import ToySystem


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return film_of_walkers(tmp_path_factory.mktemp("clips") / "clip.mp4", 24, 15)


def toy():
    return ToySystem(Bright())


class Crashing(Bright):
    def detect(self, image):
        os._exit(3)


def crashing():
    return ToySystem(Crashing())


def test_two_processes_give_the_bytes_of_one(clip, tmp_path):
    alone = track_to_file(clip, tmp_path / "alone" / "motion.npz", toy())
    two = track_to_file(
        clip, tmp_path / "two" / "motion.npz", toy(), encoders=lambda stream, K: Processes(toy, 2, K)
    )
    assert two.n_frames == 24
    assert two.path.read_bytes() == alone.path.read_bytes()


def test_a_process_that_ends_is_named_and_what_was_done_stays(clip, tmp_path):
    with pytest.raises(ChorosError, match="a process that looks at frames has ended"):
        track_to_file(
            clip, tmp_path / "motion.npz", toy(), encoders=lambda stream, K: Processes(crashing, 1, K)
        )
    assert (tmp_path / "motion.npz").is_file()


class Lazy:
    """Answers late, and counts how many frames wait."""

    ahead = 3

    def __init__(self, stream):
        self.stream, self.open, self.most, self.closed = stream, [], 0, False

    def look(self, images, before):
        asked = Future()
        self.open.append(asked)
        self.most = max(self.most, sum(not one.done() for one in self.open))
        if len(self.open) >= self.ahead:
            for one in self.open:
                if not one.done():
                    one.set_result([images[0].sum()])
        return asked

    def close(self):
        self.closed = True


def test_no_more_frames_wait_than_it_says(clip):
    stream = toy().stream()
    lazy = Lazy(stream)
    with open_video(clip) as reader:
        assert len(list(encoded_ahead(reader, stream, 0, lazy))) == 24
    assert lazy.most == lazy.ahead
    assert lazy.closed
    assert Threads(stream).ahead == 2


@pytest.mark.slow
@pytest.mark.parametrize("system", ["lifter", "comotion", "4dhumans"])
def test_every_system_gives_the_bytes_of_one(clip, tmp_path, system):
    load = partial(systems.load, system)
    alone = track_to_file(clip, tmp_path / "alone" / "motion.npz", load)
    two = track_to_file(
        clip, tmp_path / "two" / "motion.npz", load, encoders=lambda stream, K: Processes(load, 2, K)
    )
    assert two.path.read_bytes() == alone.path.read_bytes()


@pytest.mark.slow
def test_the_command(clip, tmp_path, capsys):
    for name, more in (("alone", []), ("two", ["--encoders", "2"])):
        main(["track", str(clip), "-o", str(tmp_path / name), *more])
    assert (tmp_path / "two/motion.npz").read_bytes() == (tmp_path / "alone/motion.npz").read_bytes()


@pytest.mark.parametrize(
    ("more", "said"),
    [(["--encoders", "0"], "--encoders are 1 or more"), (["--ray", "auto"], "--ray is where --encoders run")],
)
def test_what_does_not_go_together(clip, tmp_path, capsys, more, said):
    with pytest.raises(SystemExit) as ended:
        main(["track", str(clip), "-o", str(tmp_path), *more])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_on_ray(clip, tmp_path):
    ray = pytest.importorskip("ray")
    alone = track_to_file(clip, tmp_path / "alone" / "motion.npz", toy())
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        two = track_to_file(
            clip, tmp_path / "two" / "motion.npz", toy(), encoders=lambda stream, K: OnRay(toy, 2, K, "auto")
        )
    finally:
        ray.shutdown()
    assert two.path.read_bytes() == alone.path.read_bytes()
    assert np.isfinite(two.n_people)
