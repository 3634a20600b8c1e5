"""``choros bench``: the table, the JSON file, and bad input. The systems are told what to say."""

import json
import sys

import pytest

from choros import systems
from choros.body import BodyModel
from choros.cli.main import main
from choros.errors import ChorosError

from ..evaluation.truths import FRAMES, Told, standing, swapped, write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    truth = standing(2, BodyModel.load())
    return write_clip(tmp_path_factory.mktemp("bench") / "clip", truth, 90), truth


@pytest.fixture(autouse=True)
def _known_systems(monkeypatch, clip):
    truth = clip[1]
    known = {"truth": Told({90: truth}), "swapped": Told({90: swapped(truth)})}

    def load(name, **_):
        if name not in known:
            raise ChorosError(f"there is no system called {name!r}; choose another.")
        return known[name]

    monkeypatch.setattr(systems, "load", load)
    monkeypatch.setenv("COLUMNS", "160")


def run(*arguments: object) -> int:
    try:
        main(["bench", *map(str, arguments)])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_systems_side_by_side(clip, tmp_path, capsys):
    output = tmp_path / "new" / "table.json"
    assert run("tracking", "--system", "truth", "swapped", "--data", clip[0], "-o", output) == 0
    known, table = ("truth", "swapped"), capsys.readouterr().out
    lines = {name: line for line in table.splitlines() for name in line.split() if name in known}
    assert "100.0" in lines["truth"]
    assert "91.7" in lines["swapped"]  # MOTA, 1 - 2 / 24
    assert "57.7" in lines["swapped"]  # HOTA, the root of a third
    records = json.loads(output.read_text())
    assert [(r["system"], r["clips"], r["frames"]) for r in records] == [
        ("truth", 1, FRAMES),
        ("swapped", 1, FRAMES),
    ]
    assert records[1]["metrics"]["IDF1"] == 0.5
    assert records[0]["metrics"]["mpjpe_mm"] < 0.01


@pytest.mark.parametrize(("what", "heading"), [("pose", "MPJPE"), ("world", "RTE"), ("runtime", "a frame")])
def test_other_tables(clip, capsys, what, heading):
    assert run(what, "--system", "truth", "--data", clip[0]) == 0
    assert heading in capsys.readouterr().out


def test_pictures_and_kept_motions_which_another_run_reads(clip, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    kept, plots = tmp_path / "kept", tmp_path / "plots"
    assert run("tracking", "--system", "swapped", "--data", clip[0], "--keep", kept, "--plots", plots) == 0
    first = capsys.readouterr().out
    assert sorted(path.name for path in plots.iterdir()) == [
        "errors_clip_clip.png", "identities_clip_clip.png", "pck_clip.png",
    ]  # fmt: skip
    assert run("tracking", "--system", f"motion:{kept / 'swapped'}", "--data", clip[0]) == 0
    again = capsys.readouterr().out
    (line,) = (line for line in first.splitlines() if "57.7" in line)
    assert line in again.splitlines()


def test_plots_without_matplotlib_are_refused_before_anything_is_tracked(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    assert run("pose", "--system", "truth", "--data", clip[0], "--plots", tmp_path, "--keep", tmp_path) == 2
    assert "choros[plots]" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_accurate_network_is_named(clip, tmp_path):
    assert (
        run("runtime", "--accurate", "--system", "truth", "--data", clip[0], "-o", tmp_path / "t.json") == 0
    )
    assert json.loads((tmp_path / "t.json").read_text())[0]["system"] == "truth, accurate"


def test_a_system_that_takes_no_boxes_cannot_be_unrolled(clip, capsys, monkeypatch):
    from choros.evaluation import benchmark

    monkeypatch.setitem(benchmark.PROTOCOLS, "oracle16", FRAMES)
    assert run("pose", "--protocol", "oracle16", "--system", "truth", "--data", clip[0]) == 2
    assert "cannot be given the boxes" in capsys.readouterr().err


def test_any_video_is_timed(clip, capsys):
    video = clip[0] / "video.mp4"
    assert run("runtime", "--system", "truth", "--data", video) == 0
    assert str(FRAMES) in capsys.readouterr().out
    assert run("pose", "--system", "truth", "--data", video) == 2
    assert "without truth" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--system", "oracle", "--data", "easy"), "oracle"),
        (("--system", "truth", "--data", "scene:circus:1"), "scene:circus:1"),
        (("--system", "truth", "--data", "nowhere.mp4"), "nowhere.mp4"),
        (("--system", "truth", "--data"), "--data"),
        (("--system", "truth", "truth", "--data", "easy"), "truth, truth"),
    ],
)
def test_what_cannot_be_measured_is_said_in_one_sentence(capsys, arguments, says):
    assert run("tracking", *arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.startswith("choros: ")
    assert said.count("\n") == 1
