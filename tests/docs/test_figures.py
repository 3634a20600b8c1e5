"""Figures that the documentation tells are the program's own, and each is told in one place.

A sentence with a figure is written here from the constant and looked up in its page: whoever changes the constant
finds the sentence. Sentences that may stand in several places, also in ``--help``, are looked up everywhere.
"""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from safetensors import safe_open

from choros import weights
from choros.body.smpl_file import MAX_BYTES
from choros.cli.progress import EVERY_S
from choros.cli.scenes import SceneOptions
from choros.cli.train import Infiller, Lifter, MotionModel, Trajectory
from choros.cli.train_options import EVERY_MINUTES
from choros.comotion.tracker import TrackerConfig
from choros.detection import FinderOptions
from choros.evaluation.real.fixtures import _MIN_HEIGHT_PX
from choros.evaluation.sources import TEST_SETS
from choros.lifter.config import LifterSystemConfig
from choros.live.live_source import LiveOptions
from choros.live.recording import LATENCIES
from choros.motion.settling import TENTATIVE_S
from choros.scenes import KINDS, TEST_SEEDS, SceneConfig
from choros.scenes.motion.directing import KINDS as DIRECTED
from choros.systems import DEFAULT, PARTS, entries, entry_of, names
from choros.training.comotion.recipe import SMALL

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = sorted((ROOT / "src" / "choros" / "cli").glob("*.py"))
FPS_OF_MOCAP = 30  # of the frames that the weights say they learned from
WORDS = {0.5: "half a second", 1.0: "a second", 2.0: "two seconds", 3.0: "three seconds"}


def flat(path):
    """A text with the ends of its lines taken for spaces."""
    return re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))


def words(seconds):
    return WORDS.get(seconds, f"{seconds:g} s")


def metadata(name):
    with safe_open(weights.shipped(name), "pt") as file:
        return file.metadata()


def minutes(name):
    return round(int(metadata(name)["frames"]) / FPS_OF_MOCAP / 60)


lifter, comotion = LifterSystemConfig().life, TrackerConfig().life
live = LiveOptions()

#: A sentence and the one page that tells it.
TOLD_ONCE = [
    (
        "limits.md",
        f"One who is lost for over {words(comotion.lost_s)} (to the lifter system: {words(lifter.lost_s)}), or out of "
        f"the picture for over {words(comotion.outside_s)}, comes back as somebody new.",
    ),
    ("limits.md", f"under {FinderOptions().min_height_px:g} px tall, a person is not found"),
    ("limits.md", f"is {minutes('lifter')} minutes of motion capture"),
    ("benchmarks.md", f"{minutes('infiller')} minutes of motion capture to learn from"),
    (
        "live.md",
        f"first after {words(live.retry_s)}, then ever more patiently, up to every {live.retry_at_most_s:g} seconds",
    ),
    ("live.md", f"of the last {LATENCIES:,} frames"),
    ("scenes.md", f"never takes a seed from {TEST_SEEDS.start} to {TEST_SEEDS.stop - 1}"),
    (
        "evaluate.md",
        f"scenes are {SceneConfig().width}x{SceneConfig().height} px and {SceneConfig().seconds:g} s",
    ),
    ("body.md", f"Files over {MAX_BYTES >> 20} MB are refused"),
    ("train.md", f"prints a line at once and then every {EVERY_S:g} s"),
    ("train.md", f"the first before the first step, then every {SMALL.held_out_every} steps"),
    ("train.md", f"`--real DIR`, `--real-every {EVERY_MINUTES:g}`"),
    ("train.md", f"that ship took {int(metadata('infiller')['steps']):,}"),
]


@pytest.mark.parametrize(("page", "sentence"), TOLD_ONCE, ids=[sentence[:40] for _, sentence in TOLD_ONCE])
def test_a_figure_is_the_programs(page, sentence):
    told = [path.name for path in PAGES if sentence in flat(path)]
    assert told == [page]


#: What must not be told elsewhere in other words: a pattern, and the page that tells it.
ONE_HOME = [
    (r"(lost|out of sight|unseen) for over", "limits.md"),
    (r"px tall", "limits.md"),
    (r"1\.70 m", "numbers.md"),
    (r"lifter learned from \d|learned from\*\* is \d", "limits.md"),
]


@pytest.mark.parametrize(("pattern", "home"), ONE_HOME)
def test_a_rule_has_one_home(pattern, home):
    assert [path.name for path in PAGES if re.search(pattern, flat(path))] == [home]


#: What may be told in several places: the same figure in all of them.
EVERYWHERE = [
    (r"in sight for less than ([\d.]+) s", f"{TENTATIVE_S:g}".lstrip("0")),
    (r"people of ([\d.]+) px and more", f"{_MIN_HEIGHT_PX:g}"),
    (
        r"Python (3\.\d+) or newer",
        re.search(r'requires-python = ">=([\d.]+)"', flat(ROOT / "pyproject.toml"))[1],
    ),
    (
        r"(\w+) numbered scripts",
        ["five", "six", "seven", "eight", "nine"][len(list((ROOT / "examples").glob("[0-9]*.py"))) - 5],
    ),
]


@pytest.mark.parametrize(("pattern", "figure"), EVERYWHERE)
def test_what_is_told_in_several_places_is_the_same_in_all(pattern, figure):
    told = [found for path in [*PAGES, *COMMANDS] for found in re.findall(pattern, flat(path))]
    assert told
    assert set(told) == {figure}


def test_both_systems_let_people_leave_alike():
    """The sentence above says one time for both."""
    assert lifter.outside_s == comotion.outside_s
    assert TrackerConfig().min_height_px == FinderOptions().min_height_px
    assert metadata("infiller")["steps"] == metadata("trajectory")["steps"]


def test_the_table_of_test_sets():
    page = (ROOT / "docs" / "scenes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d+)(?: to (\d+))? \|", page, re.M)
    told = {name: (int(least), int(most or least)) for name, least, most in rows}
    assert told == {name: DIRECTED[name].people for name in KINDS if name in TEST_SETS}


def test_the_readmes_table_of_systems():
    """Every system is in it, the default first and marked, with speeds of the benchmarks and its weights' licence."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)`(, the default)? \| .+ \| (.+) \| (.+) \|$", readme, re.M)
    assert [(name, bool(marked)) for name, marked, _, _ in rows] == [
        (name, name == DEFAULT) for name in names()
    ]
    licences = {shipped.name: shipped.licence for shipped in weights.SHIPPED}
    benchmarks = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for name, _, speeds, licence in rows:
        weights_of = name if name in licences else "pose-transformer"  # of 4DHumans, beside its engine's
        assert licence == licences[weights_of] == entry_of(name).licence
        if speeds == "not measured":
            continue
        (measured,) = re.findall(
            rf"^\| {name}, .*`vtest.avi`.* \| (.+ frames/s.*) \| .+ \|$", benchmarks, re.M | re.I
        )
        assert set(re.findall(r"\d+\.\d+", speeds)) <= set(re.findall(r"\d+\.\d+", measured)), measured


def test_the_table_of_parts_is_that_of_the_registry():
    page = (ROOT / "docs" / "detector.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| `(\w+)` \| .+ \| ([a-z0-9, ]+) \|$", page, re.M))
    assert told == {
        part: ", ".join(entry.name for entry in entries() if part in entry.parts) for part in PARTS
    }


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 110
    assert (ROOT / "docs" / "pictures" / "demo.webp").stat().st_size < 3e6


def test_training_takes_as_long_in_the_help_as_in_the_documentation():
    page = (ROOT / "docs" / "train.md").read_text(encoding="utf-8")
    for command in (Lifter, MotionModel, Infiller, Trajectory):
        told = re.search(rf"^\| `choros train {command.network}` \|.*\| ([^|]+) \|$", page, re.M)[1]
        assert command.__doc__.endswith(f": {told}.")


def test_the_defaults_of_scenes_are_one():
    config = SceneConfig()
    mine = {field.name: field.default for field in fields(SceneOptions)}
    assert (mine["width"], mine["height"], mine["seconds"], mine["fps"]) == (
        config.width,
        config.height,
        config.seconds,
        str(config.fps),
    )
