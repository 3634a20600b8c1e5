"""``choros eyes``, --eyes and --detector, from the command line."""

import hashlib
import threading
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from choros.cli import eyes as cli_eyes
from choros.cli.bench import Bench
from choros.cli.main import main
from choros.detection.eyes import catalogue
from choros.detection.eyes.catalogue import Offer
from choros.motion import Motion
from choros.video import VideoWriter
from tests.detection import tiny_graphs


def run(capsys, *arguments):
    """Exit code, what was printed, and what was said of errors, on one line."""
    try:
        main([str(word) for word in arguments])
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    said = capsys.readouterr()
    return code, said.out, " ".join(said.err.split())


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    with VideoWriter(path, 256, 256, Fraction(10)) as writer:
        for i in range(4):
            writer.write(np.full((256, 256, 3), 40 * i, np.uint8), Fraction(i, 10))
    return path


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """A folder of a user's own for networks."""
    monkeypatch.setattr(cli_eyes, "eyes_folder", lambda: tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
def offers(tmp_path, monkeypatch):
    """Two networks at a server on this machine: one that somebody checked, one that nobody did."""
    made = {
        "tiny-eyes": tiny_graphs.heatmaps(tmp_path / "served-eyes.onnx"),
        "tiny-boxes": tiny_graphs.suppressed(tmp_path / "served-boxes.onnx"),
    }
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        at = f"http://127.0.0.1:{server.server_address[1]}"
        known = hashlib.sha256(made["tiny-boxes"].read_bytes()).hexdigest()
        table = (
            Offer("tiny-eyes", ("eyes",), "sees brightness", f"{at}/served-eyes.onnx"),
            Offer(
                "tiny-boxes",
                ("detector",),
                "two people",
                f"{at}/served-boxes.onnx",
                "yolox-nms",
                sha256=known,
            ),
        )
        monkeypatch.setattr(catalogue, "OFFERS", table)
        monkeypatch.setattr(catalogue.offer_of, "__defaults__", (table,))
        yield table
        server.shutdown()


def test_networks_are_listed_got_and_named(capsys, clip, own_folder, offers, tmp_path):
    code, out, _ = run(capsys, "eyes", "list")
    assert code == 0
    assert "tiny-eyes: sees brightness (--eyes)\n" in out
    assert "no SHA-256 yet" in out
    code, _, said = run(capsys, "track", clip, "--eyes", "tiny-eyes", "-o", tmp_path / "out")
    assert (code, "run `choros eyes get tiny-eyes`" in said) == (2, True)
    code, out, said = run(capsys, "eyes", "get", "tiny-eyes", "tiny-boxes")
    assert code == 0
    assert f"{own_folder / 'tiny-boxes.onnx'}: 0.0 MB" in out
    assert "nobody could check tiny-eyes" in said
    assert "tiny-boxes" not in said
    assert "on this machine" in run(capsys, "eyes", "list")[1]
    named = ("--eyes", "tiny-eyes", "--detector", "tiny-boxes")
    code, _, said = run(capsys, "track", clip, *named, "-o", tmp_path / "out")
    assert (code, said) == (0, "")
    finder = Motion.load(tmp_path / "out" / "motion.npz").header.provenance["system"]["finder"]
    assert finder["keypoints"]["weights"]["file"] == str(own_folder / "tiny-eyes.onnx")
    assert finder["detector"]["family"] == "yolox-nms"


def test_a_run_goes_on_with_the_same_files_only(capsys, clip, tmp_path):
    eyes, other = (tiny_graphs.heatmaps(tmp_path / f"{n}.onnx", keypoints=n) for n in (17, 26))
    detector = tiny_graphs.yolox(tmp_path / "yolox.onnx")
    command = ("track", clip, "--detector", detector, "-o", tmp_path / "out", "--eyes")
    assert run(capsys, *command, eyes)[0] == 0
    copied = tmp_path / "copied.onnx"
    copied.write_bytes(eyes.read_bytes())
    assert run(capsys, *command, copied, "--resume")[0] == 0
    code, _, said = run(capsys, *command, other, "--resume")
    assert code == 2
    assert f"was begun with --eyes {eyes} (SHA-256" in said
    assert f"this run is with --eyes {other} (SHA-256" in said
    code, _, said = run(capsys, "track", clip, "-o", tmp_path / "out", "--eyes", eyes, "--resume")
    assert code == 2
    assert "a detector of class" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--eyes", "none.onnx"), "none.onnx: no such file"),
        (("--eyes", "simcc:none.onnx"), "none.onnx: no such file"),
        (
            ("--eyes", "yolox-s"),
            "--eyes takes a file (.onnx) or one of lightning, thunder, rtmpose-t",
        ),
        (("--detector", "rtmpose-m"), "--detector takes a file (.onnx) or one of nanodet, rtmo-s"),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(capsys, clip, own_folder, words, sentence):
    code, _, said = run(capsys, "track", clip, *words)
    assert code == 2
    assert sentence in said


def test_an_output_is_not_written_over_the_eyes(capsys, clip, tmp_path):
    eyes = tiny_graphs.heatmaps(tmp_path / "motion.npz.onnx")
    (tmp_path / "motion.npz").hardlink_to(eyes)
    code, _, said = run(capsys, "track", clip, "--eyes", eyes, "-o", tmp_path)
    assert code == 2
    assert "would be written over itself" in said


def test_the_table_of_a_bench_tells_the_eyes(tmp_path):
    bench = Bench("real", system=("lifter",))
    bench.networks.eyes = str(tiny_graphs.heatmaps(tmp_path / "tiny.onnx"))
    assert list(bench._systems()) == ["lifter, eyes tiny"]


def test_the_folder_is_the_systems_for_data_of_programs(monkeypatch, tmp_path):
    monkeypatch.setattr(cli_eyes.sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert cli_eyes.eyes_folder() == tmp_path / "choros/eyes"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cli_eyes.eyes_folder() == tmp_path / ".local/share/choros/eyes"
    monkeypatch.setattr(cli_eyes.sys, "platform", "darwin")
    assert cli_eyes.eyes_folder() == tmp_path / "Library/Application Support/choros/eyes"
