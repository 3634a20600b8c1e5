"""Files appear whole or not at all, one run writes them at a time, and nothing that is read is written over."""

import os
import stat
import subprocess
import sys
import threading

import pytest

from choros.errors import ChorosError
from choros.outputs import PartialFile, atomic_path, atomic_write, check_output, claimed


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# Whole or not at all ------------------------------------------------------------------------------------


def test_the_file_appears_under_its_name(tmp_path):
    with atomic_path(tmp_path / "new" / "m.c3d") as part:
        assert part.suffix == ".c3d"
        part.write_bytes(b"all of it")
        assert not (tmp_path / "new" / "m.c3d").exists()
    assert names(tmp_path / "new") == ["m.c3d"]


def test_what_failed_leaves_the_old_file(tmp_path):
    (tmp_path / "m.c3d").write_bytes(b"old")

    def fail():
        with atomic_path(tmp_path / "m.c3d") as part:
            part.write_bytes(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_two_writers_of_one_file_leave_that_of_the_last(tmp_path):
    with atomic_write(tmp_path / "m.npz") as first:
        first.write(b"first, " * 1000)
        with atomic_write(tmp_path / "m.npz") as second:
            second.write(b"second")
        assert (tmp_path / "m.npz").read_bytes() == b"second"
        first.write(b"and whole")
    assert (tmp_path / "m.npz").read_bytes() == b"first, " * 1000 + b"and whole"
    assert names(tmp_path) == ["m.npz"]


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
@pytest.mark.parametrize("mask", [0o022, 0o002, 0o077])
def test_files_have_the_permissions_that_the_umask_leaves(tmp_path, mask):
    before = os.umask(mask)
    try:
        with atomic_write(tmp_path / "m.npz"), atomic_path(tmp_path / "m.c3d"):
            pass
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o666 & ~mask}


def test_a_name_as_long_as_names_may_be(tmp_path):
    longest = tmp_path / ("m" * 251 + ".npz")
    with atomic_write(longest) as file:
        file.write(b"whole")
    assert longest.read_bytes() == b"whole"


def test_the_error_names_the_file_that_was_asked_for(tmp_path):
    (tmp_path / "m.npz").mkdir()
    with pytest.raises(OSError, match=r"m\.npz'$"), atomic_write(tmp_path / "m.npz"):
        pass
    assert names(tmp_path) == ["m.npz"]


def killed(code, *arguments):
    """Run Python ``code`` until it says that it is ready, then kill it."""
    command = [
        sys.executable,
        "-c",
        code + "\nprint(flush=True); import time; time.sleep(60)",
        *map(str, arguments),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        process.kill()


def test_parts_of_a_killed_run_go_with_the_next_and_those_of_a_running_one_stay(tmp_path):
    killed(
        "import sys; from choros.outputs import *; p = PartialFile(Path(sys.argv[1]))",
        tmp_path / "overlay.mp4",
    )
    assert len(names(tmp_path)) == 1
    running = PartialFile(tmp_path / "other.mp4")
    with atomic_write(tmp_path / "m.npz"):
        pass
    assert names(tmp_path) == sorted([running.path.name, "m.npz"])
    running.drop()


# One run at a time --------------------------------------------------------------------------------------


def refused(output):
    """Whether another thread is refused to write ``output``; threads are kept apart as processes are."""
    said = []

    def claim():
        try:
            with claimed(output):
                said.append("")
        except ChorosError as error:
            said.append(str(error))

    thread = threading.Thread(target=claim)
    thread.start()
    thread.join()
    return said[0]


def test_one_claim_at_a_time_which_may_be_nested(tmp_path):
    output = tmp_path / "motion.npz"
    with claimed(output):
        with claimed(output):
            pass
        assert "motion.npz is being written by another run" in refused(output)
        assert not refused(tmp_path / "other.npz")
    assert not refused(output)
    assert names(tmp_path) == []


def test_another_process_is_refused_until_the_first_dies(tmp_path):
    output = tmp_path / "motion.npz"
    code = "import sys; from choros.outputs import claimed; c = claimed(sys.argv[1]); c.__enter__()"
    command = [sys.executable, "-c", code + "\nprint(flush=True); sys.stdin.read()", str(output)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE) as other:
        other.stdout.readline()
        with pytest.raises(ChorosError, match="another run"), claimed(output):
            pass
        other.kill()
        other.wait()
        assert names(tmp_path) == ["motion.npz.lock"]  # what the killed one leaves
        with claimed(output):
            pass
    assert names(tmp_path) == []


def test_one_folder_by_two_names_is_one_claim(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    with claimed(tmp_path / "out" / "m.npz"):
        for other in (tmp_path / "link" / "m.npz", "out/m.npz", "out/../link/m.npz"):
            assert refused(other)


def test_a_lock_file_that_nobody_holds_is_no_lock(tmp_path):
    (tmp_path / "m.npz.lock").write_text("1")  # the process ID of everything in a container
    with claimed(tmp_path / "m.npz"):
        assert refused(tmp_path / "m.npz")
    assert names(tmp_path) == []


def test_many_threads_never_hold_a_claim_at_once(tmp_path):
    inside, most, entered = 0, 0, 0
    lock = threading.Lock()

    def run():
        nonlocal inside, most, entered
        for _ in range(200):
            try:
                with claimed(tmp_path / "m.npz"):
                    with lock:
                        inside += 1
                        most, entered = max(most, inside), entered + 1
                    with lock:
                        inside -= 1
            except ChorosError:
                pass

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert entered > 200
    assert names(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is POSIX's")
def test_a_forked_child_neither_holds_nor_ends_a_claim(tmp_path):
    output = tmp_path / "m.npz"
    code = """
import os, sys
from choros.outputs import claimed
with claimed(sys.argv[1]):
    child = os.fork()
    if child == 0:
        sys.stdin.read()
if child == 0:
    os._exit(0)
print(os.path.exists(sys.argv[1] + ".lock"), flush=True)
os.waitpid(child, 0)
"""
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", code, str(output)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # fmt: skip
        assert process.stdout.readline() == b"False\n"  # the parent is done, the child goes on
        with claimed(output):
            process.stdin.close()
            assert process.wait() == 0
            assert names(tmp_path) == ["m.npz.lock"]


def test_folders_made_for_a_claim_go_if_nothing_comes(tmp_path):
    with pytest.raises(ChorosError, match="no video"), claimed(tmp_path / "a" / "b" / "m.npz"):
        raise ChorosError("no video")
    assert names(tmp_path) == []
    with claimed(tmp_path / "a" / "b" / "m.npz"):
        (tmp_path / "a" / "b" / "m.npz").touch()
    assert names(tmp_path / "a" / "b") == ["m.npz"]


def test_a_file_system_without_locks_says_so_and_is_written_to(tmp_path, monkeypatch):
    def none(*_, **__):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("choros.outputs.lock_descriptor", none)
    output = tmp_path / "m.npz"
    with pytest.warns(UserWarning, match="has no locks"), claimed(output), atomic_write(output) as file:
        file.write(b"whole")
    assert names(tmp_path) == ["m.npz"]


# What may be written ------------------------------------------------------------------------------------


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    (tmp_path / "pictures" / "deep").mkdir(parents=True)
    (tmp_path / "pictures" / "1.png").touch()
    (tmp_path / "clip.mp4").touch()
    (tmp_path / "same.mp4").hardlink_to(tmp_path / "clip.mp4")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "clip.mp4")
    (tmp_path / "linked").symlink_to(tmp_path / "pictures")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("output", ["clip.mp4", "same.mp4", "link.mp4", "pictures/../clip.mp4"])
@pytest.mark.parametrize("read", ["clip.mp4", "link.mp4", "./same.mp4"])
def test_a_file_is_never_written_over_itself(inputs, output, read):
    for name in (output, inputs / output):
        with pytest.raises(ChorosError, match="over itself"):
            check_output(name, None, "rtsp://camera/stream", read)


@pytest.mark.parametrize(
    "output", ["pictures/m.npz", "pictures/deep/new/m.npz", "linked/m.npz", "linked/new/m.npz"]
)
@pytest.mark.parametrize("read", ["pictures", "linked", "pictures/deep/.."])
def test_nothing_is_written_into_pictures_that_are_read(inputs, output, read):
    with pytest.raises(ChorosError, match=r"into .*, which is read"):
        check_output(output, read)
    assert names(inputs / "pictures") == ["1.png", "deep"]


def test_beside_what_is_read_is_no_harm(inputs):
    for output in ("m.npz", "new/deep/m.npz", "pictures.npz", "clip.mp4.npz"):
        check_output(output, "clip.mp4", "pictures", "missing.mp4", "https://host/clip.mp4")
    assert not (inputs / "new").exists()


@pytest.mark.parametrize("output", ["pictures", "clip.mp4/m.npz", "clip.mp4/new/m.npz", os.devnull])
def test_outputs_that_are_no_files_to_be(inputs, output):
    with pytest.raises(ChorosError, match=r"is a folder|is a file|is not a file"):
        check_output(output)


def test_a_folder_that_is_not_ours_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(
        os, "access", lambda folder, _: folder != tmp_path
    )  # root, of the tests, may write everywhere
    with pytest.raises(ChorosError, match="cannot be written to"):
        check_output(tmp_path / "new" / "m.npz")
