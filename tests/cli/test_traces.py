"""Nothing is sent and nothing is left: every command under a home folder of its own, with look-ups trapped."""

import os
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import choros
from choros.cli.main import main
from choros.video import VideoWriter
from tests.exporters.walkers import walkers

#: Libraries look names up below Python, where only the C library sees all of it.
TRAP = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void note(const char *what, const char *name) {
  int file = open(getenv("TRAPPED"), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (file < 0) return;
  dprintf(file, "%s %s\n", what, name ? name : "");
  close(file);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  if (node && strcmp(node, "127.0.0.1") && strcmp(node, "localhost")) note("looked up", node);
  int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  real = dlsym(RTLD_NEXT, "getaddrinfo");
  return real(node, service, hints, found);
}

int connect(int socket, const struct sockaddr *to, socklen_t length) {
  char name[64] = "";
  if (to->sa_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)to)->sin_addr, name, sizeof name);
  if (to->sa_family == AF_INET6) inet_ntop(AF_INET6, &((struct sockaddr_in6 *)to)->sin6_addr, name, sizeof name);
  if (*name && strncmp(name, "127.", 4) && strcmp(name, "::1")) note("connected to", name);
  int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");
  return real(socket, to, length);
}
"""


@pytest.fixture(scope="module")
def trap(tmp_path_factory):
    """A library that notes what is looked up and connected to; None where there is no compiler to make it."""
    if not sys.platform.startswith("linux") or not shutil.which("cc"):
        return None
    folder = tmp_path_factory.mktemp("trap")
    (folder / "trap.c").write_text(TRAP)
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", folder / "trap.so", folder / "trap.c", "-ldl"], check=True
    )
    return folder / "trap.so"


#: The command line, but for scenes that are small where nothing is said of their size.
CHOROS = """
import sys
from fractions import Fraction
from functools import partial
from choros.cli.main import main

if sys.argv[1] == "bench":
    from choros.evaluation import sources
    sources.SceneConfig = partial(sources.SceneConfig, 480, 270, Fraction(10), 0.4, people=2)
main(sys.argv[1:])
"""


class Home:
    """A fresh home folder, temporary folder and working folder, for one command."""

    def __init__(self, folder, trap):
        self.folder, self.trap = folder, trap
        for name in ("home", "tmp", "work"):
            (folder / name).mkdir()

    def run(self, *command, seconds=120):
        # Not the tests' own environment, whose ORT_DISABLE_TELEMETRY comes from their import of choros.
        kept = ("PATH", "LANG", "SSL_CERT_FILE", "NUMBA_CACHE_DIR", "LD_LIBRARY_PATH")
        env = {name: os.environ[name] for name in kept if name in os.environ}
        env["PYTHONPATH"] = str(Path(choros.__file__).parents[1])
        env |= {"HOME": str(self.folder / "home"), "TMPDIR": str(self.folder / "tmp"), "OMP_NUM_THREADS": "1"}
        if self.trap:
            env |= {"LD_PRELOAD": str(self.trap), "TRAPPED": str(self.folder / "trapped")}
        return subprocess.run(
            [sys.executable, *map(str, command)],
            cwd=self.folder / "work", env=env, capture_output=True, text=True, timeout=seconds,
        )  # fmt: skip

    def choros(self, *words):
        done = self.run("-c", CHOROS, *words)
        assert done.returncode == 0, done.stderr

    def left(self):
        files = [path for name in ("home", "tmp", "work") for path in (self.folder / name).rglob("*")]
        return [str(path.relative_to(self.folder)) for path in files if path.is_file()]

    def trapped(self):
        notes = self.folder / "trapped"
        return notes.read_text() if notes.exists() else ""


@pytest.fixture
def home(tmp_path, trap):
    return Home(tmp_path, trap)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A clip of nobody, and a motion of three people."""
    folder = tmp_path_factory.mktemp("inputs")
    with VideoWriter(folder / "clip.mp4", 128, 96, Fraction(10)) as writer:
        for i in range(4):
            picture = np.random.default_rng(i).integers(0, 255, (96, 128, 3), np.uint8)
            writer.write(picture, Fraction(i, 10))
    walkers(camera_moves=False).save(folder / "motion.npz")
    return folder


def test_the_trap_sees_what_a_library_looks_up(home):
    if home.trap is None:
        pytest.skip("no C compiler to make the trap with: only files are looked for")
    home.run("-c", "import socket\ntry: socket.getaddrinfo('choros.invalid', 80)\nexcept OSError: pass")
    assert home.trapped() == "looked up choros.invalid\n"


COMMANDS = {
    "track": ("track", "CLIP", "-o", "OUT/track", "--overlay"),
    "comotion": ("track", "CLIP", "-o", "OUT/track", "--system", "comotion"),
    "live": ("live", "CLIP", "-o", "OUT/live.npz"),
    "world": ("world", "MOTION", "-o", "OUT/world.npz"),
    "plot": ("plot", "MOTION", "-o", "OUT/report.html"),
    "view": ("view", "MOTION", "--html", "OUT/page.html"),
    "bench": ("bench", "tracking", "--data", "scene:easy:1:1", "-o", "OUT/b.json", "--plots", "OUT/plots"),
    "doctor": ("doctor",),
    "doctor of a clip": ("doctor", "CLIP"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_leave_nothing_and_ask_nobody(home, inputs, command):
    names = {"CLIP": inputs / "clip.mp4", "MOTION": inputs / "motion.npz"}
    out = home.folder / "out"
    out.mkdir()
    home.choros(*(names.get(word, word.replace("OUT/", f"{out}/")) for word in COMMANDS[command]))
    assert home.left() == []
    assert home.trapped() == ""


#: Reports begin some ten seconds after a library was loaded.
LIBRARY = """
import multiprocessing, sys, time
import choros

def tracked(clip):
    return len(choros.track(clip))

if __name__ == "__main__":
    assert tracked(sys.argv[1]) == 4
    loaded_s = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(tracked, [sys.argv[1]]) == [4]
    time.sleep(max(0, loaded_s + 20 - time.monotonic()))
"""


@pytest.mark.slow
def test_the_library_and_its_children_leave_nothing_and_ask_nobody_later_either(home, inputs):
    script = home.folder / "script.py"
    script.write_text(LIBRARY)
    done = home.run(script, inputs / "clip.mp4")
    assert done.returncode == 0, done.stderr
    assert home.left() == []
    assert home.trapped() == ""


def test_doctor_says_what_is_written_where_and_that_nothing_is_sent(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")
    main(["doctor"])
    said = capsys.readouterr().out
    assert "nothing is sent" in said
    lines = [line.split("│")[1:-1] for line in said.splitlines() if line.startswith("│")]
    written = {cells[0].strip(): cells[2].strip() for cells in lines if len(cells) == 3}
    assert written["onnxruntime"].startswith("neither")
    assert Path(written["numba"]).is_dir()
    assert "temporary" in written["matplotlib"]
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY")
    main(["doctor"])
    assert "both: somebody took" in capsys.readouterr().out


def test_every_process_of_the_tests_keeps_quiet():
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
    assert Path(__file__).parents[1].joinpath("conftest.py").read_text().count("import choros") == 1
