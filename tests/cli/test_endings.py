"""However a command ends, it says so in a sentence and an exit code: in processes of their own, as shells run them."""

import ast
import itertools
import os
import shlex
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import choros
from choros.cli.main import main
from choros.video import VideoWriter
from tests.exporters.walkers import walkers

SOURCE = Path(choros.__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE.parent), "OMP_NUM_THREADS": "1"}
CHOROS = (sys.executable, "-m", "choros")


def ran(*arguments, **options):
    options = {"env": ENVIRONMENT, "capture_output": True, "timeout": 120} | options
    return subprocess.run([*CHOROS, *map(str, arguments)], **options)


def shell(line):
    return subprocess.run(["bash", "-c", line], env=ENVIRONMENT, capture_output=True, timeout=120)


def test_version_alone_and_in_the_help():
    assert ran("--version").stdout.decode() == f"choros {choros.__version__}\n"
    assert b"choros --version" in ran("--help").stdout


@pytest.mark.parametrize(
    "line", ["nosuch", "track", "track x.mp4 --nosuch", "export", "train nosuch", "--nosuch"]
)
def test_what_is_no_command_ends_with_2(line, capsys):
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err


@pytest.mark.parametrize("arguments", ["export --list", "--version"])
def test_a_reader_that_leaves_and_a_full_disk(arguments):
    line = f"{shlex.quote(sys.executable)} -m choros {arguments}"
    left = shell(f"set -o pipefail; {line} | true")
    assert (left.returncode, left.stderr) == (0, b"")
    closed = shell(f"{line} >&-")
    assert (closed.returncode, closed.stderr) == (0, b"")
    full = shell(f"{line} > /dev/full")
    assert full.returncode == 2
    assert full.stderr.decode().startswith("choros: standard output: No space left on device; ")
    assert full.stderr.count(b"\n") == 1


def test_work_goes_on_when_whoever_read_along_has_left(tmp_path):
    """A command that prints, then writes more: the printing must not end it."""
    code = (
        "import sys; from choros.cli.output import safe_output\nwith safe_output():\n"
        "    for k in range(3):\n        print('x' * 100000)\n        sys.stdout.flush()\n"
        f"    open({str(tmp_path / 'after')!r}, 'w').close()\n"
    )
    done = shell(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} | true")
    assert done.stderr == b""
    assert (tmp_path / "after").exists()


FEW = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # a terminal that shows few characters


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminals_that_show_few_characters(encoding):
    environment = ENVIRONMENT | FEW | {"PYTHONIOENCODING": encoding}
    for arguments in (["--help"], ["export", "--list"]):
        done = ran(*arguments, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
    code = "from choros.cli.output import safe_output\nwith safe_output(): print(chr(177), chr(0x2460), chr(0xDCFF))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.stdout in (b"\\xb1 \\u2460 \\udcff\n", b"\xb1 \\u2460 \\udcff\n")


NAMES = [
    "ümläut",
    "two words",
    "line\nbreak",
    "100%s %d{}",
    "a:b=c",
    "[bold]x[/bold]",
    "-dash",
    "x" * 300,
    "①",
]


@pytest.mark.parametrize("name", NAMES)
def test_odd_names_are_named(name, tmp_path, capsys):
    for command in (["export", "--to", "csv", "--"], ["plot", "--"], ["world", "--"]):
        with pytest.raises(SystemExit) as ended:
            main([*command, str(tmp_path / f"{name}.npz")])
        said = capsys.readouterr().err
        assert (ended.value.code, said[:8]) == (2, "choros: ")
        assert name in said


def test_odd_names_where_the_locale_has_none_of_their_letters(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xfc\xc3\xa4.npz"
    done = subprocess.run(
        [*CHOROS, "export", path, "--to", "csv"], env=ENVIRONMENT | FEW, capture_output=True
    )
    assert (done.returncode, done.stderr[:8]) == (2, b"choros: ")


NONSENSE = [
    ("train infiller --mocap . --seed -1", "--seed is 0 or more"),
    ("train lifter --mocap . --steps 0", "--steps and --until are 1 or more"),
    ("train motion-model --mocap . --minutes 0", "--minutes 0.0 trains nothing"),
    ("train trajectory --mocap . --until 0", "--steps and --until are 1 or more"),
    ("train lifter --mocap . --real . --real-every 0", "--real-every 0.0 is no time between measurements"),
    ("train lifter --mocap . --real .", "holds none of the real footage"),
    ("train comotion -o run --seed -1", "--seed is 0 or more"),
    ("train comotion -o run --workers -1", "--workers is 0 or more"),
    ("train comotion -o run --until 0", "--steps and --until are 1 or more"),
    ("train comotion -o run --frames 0", "--frames is 1 or more"),
    ("train comotion -o run --minutes nan", "--minutes nan trains nothing"),
    ("train comotion -o run --steps 2", "2 steps are too few for 3 stages"),
    ("train comotion -o run --steps 20 --share 0.1", "--steps and --share say the same in two ways"),
    ("train comotion -o run --share nan", "--share is more than 0"),
    ("scenes make --people 0 -o made", "a scene of 0 people has nothing to show"),
    ("scenes sheet --people -1 -o made.png", "a scene of -1 people has nothing to show"),
    ("scenes make --width 99999999 -o made", "is too large; no side may be over 16384 px"),
    ("scenes make --children 7 -o made", "children are a share from 0 to 1"),
    ("scenes make --damage nan -o made", "damage is 0 or more, not nan"),
    ("view m.npz --port -1", "--port -1 is no port"),
    ("live clip.mp4 --show --port 99999 -o m.npz", "--port 99999 is no port"),
    ("plot m.npz -o report.txt", "is not a page; name a file such as report.html"),
    ("plot m.npz -o .", "is not a page; name a file such as report.html"),
    ("demo --seed -1 -o made", "there is no scene of seed -1"),
    ("world m.npz -o .", "is a folder; name the file"),
]


@pytest.mark.parametrize(("line", "said"), NONSENSE)
def test_numbers_and_places_that_make_no_sense_are_refused_before_any_work(
    line, said, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    error = capsys.readouterr().err
    assert (ended.value.code, error[:8]) == (2, "choros: ")
    assert said in error
    assert list(tmp_path.iterdir()) == []


def test_help_of_an_option_is_one_text():
    """A break inside of it would be kept and leave a ragged line."""
    for path in (SOURCE / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            body = node.body if isinstance(node, ast.ClassDef) else []
            for field, after in itertools.pairwise(body):
                if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr):
                    assert "\n" not in after.value.value, f"{path.name}, line {after.lineno}"


# Ctrl-C ---------------------------------------------------------------------------------------------------


def interrupted(arguments, ready, number=signal.SIGINT, **options):
    """Ctrl-C, or another signal, as soon as ``ready`` is so; gives exit code and what was said."""
    process = subprocess.Popen(
        [*CHOROS, *map(str, arguments)],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )
    until = time.monotonic() + 90
    while not ready() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(number)
    said, error = process.communicate(timeout=60)
    return process.returncode, said.decode(), error.decode()


def test_ctrl_c_while_loading():
    began = time.monotonic()
    code, _, error = interrupted(["doctor"], lambda: time.monotonic() - began > 0.25)
    assert code in (130, -signal.SIGINT)  # the latter in Python's own start, before there is any choros
    assert error.startswith("choros: stopped") or code < 0


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ctrl_c_while_tracking_leaves_what_resume_goes_on_with(tmp_path, number):
    clip, out = tmp_path / "clip.mp4", tmp_path / "out"
    with VideoWriter(clip, 320, 240, Fraction(25)) as film:
        for shade in range(400):
            film.write(np.full((240, 320, 3), shade % 200, np.uint8))
    code, said, error = interrupted(
        ["track", clip, "-o", out], lambda: (out / "motion.npz.journal").is_dir(), number
    )
    assert (code, said) == (130, "")
    assert error == "choros: stopped; what was done until now is written.\n"
    assert (out / "motion.npz.journal").is_dir()


@pytest.mark.parametrize(
    ("line", "work", "written"),
    [
        ("view m.npz --html new/m.html", "choros.view.html_page.write_glb", "new/m.html"),
        ("plot m.npz -o r.html", "choros.view.motion_report.timeline", "r.html"),
        ("world m.npz -o w.npz", "choros.glamr.pipeline.world_of", "w.npz"),
    ],
)
def test_ctrl_c_leaves_what_is_written_at_once_as_it_was(line, work, written, tmp_path, monkeypatch, capsys):
    def ctrl_c(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    walkers().save("m.npz")
    monkeypatch.setattr(work, ctrl_c)
    for there, said in ((False, "is not written"), (True, "is as it was")):
        if there:
            Path(written).parent.mkdir(exist_ok=True)
            Path(written).write_text("mine")
        with pytest.raises(SystemExit) as ended:
            main(line.split())
        assert ended.value.code == 130
        assert capsys.readouterr().err == f"choros: stopped; {written} {said}.\n"
        assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {
            "m.npz",
            *[Path(written).name] * there,
        }
    assert Path(written).read_text() == "mine"


def test_ctrl_c_is_how_a_served_view_ends(tmp_path, monkeypatch, capsys):
    pytest.importorskip("viser")

    def ctrl_c(self):
        raise KeyboardInterrupt

    monkeypatch.setattr("choros.view.browser.Browser.run", ctrl_c)
    walkers().save(tmp_path / "m.npz")
    main(["view", str(tmp_path / "m.npz"), "--port", "0"])
    said = capsys.readouterr()
    assert said.out.startswith("http://127.0.0.1:")
    assert said.err == ""
