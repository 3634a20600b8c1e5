"""Libraries' threads are limited while choros works and nowhere else; forked children work; a frame is one thread's."""

import multiprocessing
import pickle
import subprocess
import sys
import textwrap
import threading
from fractions import Fraction

import cv2
import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

import choros
from choros.detection import MoveNet, PersonFinder
from choros.errors import ChorosError
from choros.systems import names
from choros.threads import at_most
from choros.video import VideoWriter

IMAGE = np.zeros((96, 128, 3), np.uint8)


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.fixture
def two_threads():
    """Two threads for everything, on a machine of one core too."""
    before, opencv = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    with threadpool_limits(2, user_api="blas"):
        yield
    torch.set_num_threads(before)
    cv2.setNumThreads(opencv)


@pytest.mark.usefixtures("two_threads")
def test_limits_end_with_the_work():
    assert set(blas_threads()) == {2}
    with at_most(1):
        assert torch.get_num_threads() == cv2.getNumThreads() == 1
        assert set(blas_threads()) == {1}
    with at_most(None):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == cv2.getNumThreads() == 2
    assert set(blas_threads()) == {2}


@pytest.mark.usefixtures("two_threads")
def test_pytorch_in_other_threads_keeps_its_own():
    seen = []
    with at_most(1):
        other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        other.start()
        other.join()
    assert seen == [2]


@pytest.mark.usefixtures("two_threads")
def test_two_at_work_put_back_what_the_first_found():
    entered, leave = threading.Event(), threading.Event()

    def stay():
        with at_most(1):
            entered.set()
            leave.wait(10)

    other = threading.Thread(target=stay)
    with at_most(1):
        other.start()
        assert entered.wait(10)
    assert set(blas_threads()) == {1}  # the other is still at work
    leave.set()
    other.join()
    assert set(blas_threads()) == {2}


class Detector:
    """Finds nobody, and says how many threads it was asked with; waits if it is told to."""

    def __init__(self):
        self.threads, self.inside, self.go_on = [], threading.Event(), threading.Event()
        self.go_on.set()

    def detect(self, image):
        self.threads.append(torch.get_num_threads())
        self.inside.set()
        assert self.go_on.wait(30)
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)


def system_with(name, detector, **options):
    if name == "lifter":
        from choros.lifter.system import LifterSystem

        return LifterSystem(finder=PersonFinder(detector, MoveNet("lightning")), **options)
    from choros.comotion.system import Comotion

    return Comotion(detector=detector, **options)


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(("asked", "given"), [({}, 1), ({"threads": None}, 2)])
@pytest.mark.usefixtures("two_threads")
def test_a_stream_works_with_so_many_threads(name, asked, given):
    detector = Detector()
    system_with(name, detector, **asked).stream().update(IMAGE, 0.0)
    assert set(detector.threads) == {given}
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("name", names())
def test_two_threads_cannot_give_one_stream_frames(name):
    detector = Detector()
    stream = system_with(name, detector).stream()
    detector.go_on.clear()
    first = threading.Thread(target=stream.update, args=(IMAGE, 0.0))
    first.start()
    assert detector.inside.wait(30)
    detector.go_on.clear()
    with pytest.raises(ChorosError, match="each thread its own"):
        stream.update(IMAGE, 0.1)
    with pytest.raises(ChorosError, match="each thread its own"):
        stream.state()
    detector.go_on.set()
    stream.encode(IMAGE)  # any thread may, at any time
    first.join()
    stream.update(IMAGE, 0.1)
    assert stream.state()["clock"][0] == 1


def test_no_threads_are_refused():
    with pytest.raises(ChorosError, match="1 or more"):
        choros.load(threads=0)


CHILDREN = """
    import multiprocessing, os, pickle, sys
    import torch
    import choros

    clip, name = sys.argv[1:]
    torch.set_num_threads(2)
    torch.rand(600, 600) @ torch.rand(600, 600)  # whoever uses PyTorch has its threads
    system = choros.load(name)
    choros.track(clip, system)

    def tracked(_):
        return len(choros.track(clip, system))

    class Clips(torch.utils.data.Dataset):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return tracked(i)

    with multiprocessing.get_context("fork").Pool(2) as pool:
        print("pool", pool.map(tracked, [0, 1]))
    loader = torch.utils.data.DataLoader(Clips(), num_workers=2, multiprocessing_context="fork")
    print("loader", [int(n) for n in loader], flush=True)
    child = os.fork()
    if not child:
        torch.rand(600, 600) @ torch.rand(600, 600)
        print("child", tracked(0))
        sys.exit()  # not os._exit: everything is ended as in any program
    print("ended with", os.waitpid(child, 0)[1])
"""


@pytest.mark.parametrize("name", names())
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_forked_children_track(tmp_path, name):
    with VideoWriter(tmp_path / "clip.mp4", 128, 96, Fraction(10)) as writer:
        for i in range(3):
            writer.write(np.random.default_rng(i).integers(0, 255, IMAGE.shape, np.uint8), Fraction(i, 10))
    script = tmp_path / "children.py"
    script.write_text(textwrap.dedent(CHILDREN))
    out = subprocess.run(
        [sys.executable, script, tmp_path / "clip.mp4", name],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert out.stdout.splitlines() == ["pool [3, 3]", "loader [3, 3]", "child 3", "ended with 0"], out.stderr


@pytest.mark.parametrize("name", names())
def test_systems_go_to_processes_that_are_started_anew(name):
    image = np.random.default_rng(0).integers(0, 255, IMAGE.shape, np.uint8)
    system = choros.load(name)
    again = pickle.loads(pickle.dumps(system))
    assert again.name == system.name
    assert (again.stream().update(image, 0.0).rows == system.stream().update(image, 0.0).rows).all()
    stream = pickle.loads(pickle.dumps(system.stream()))
    assert len(stream.update(image, 0.0).rows) == 0
