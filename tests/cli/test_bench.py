"""``choros bench``: the table, the JSON file, and bad input. The systems are told what to say."""

import json

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


@pytest.mark.parametrize(("what", "heading"), [("pose", "MPJPE"), ("world", "WA-MP"), ("runtime", "a frame")])
def test_other_tables(clip, capsys, what, heading):
    assert run(what, "--system", "truth", "--data", clip[0]) == 0
    assert heading in capsys.readouterr().out


def test_the_accurate_network_is_named(clip, tmp_path):
    assert (
        run("runtime", "--accurate", "--system", "truth", "--data", clip[0], "-o", tmp_path / "t.json") == 0
    )
    assert json.loads((tmp_path / "t.json").read_text())[0]["system"] == "truth, accurate"


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
    ],
)
def test_what_cannot_be_measured_is_said_in_one_sentence(capsys, arguments, says):
    assert run("tracking", *arguments) == 2
    said = capsys.readouterr().err
    assert says in said
    assert said.startswith("choros: ")
    assert said.count("\n") == 1
