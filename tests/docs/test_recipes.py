"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of the sources.

A block of Python that begins with a path is a new file. A block of diff has, behind each ``--- path``, lines of that
file as they are (" ", "-") and as they become (" ", "+"); they must be found there once.
"""

import json
import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from choros.motion import Motion
from choros.video import VideoWriter
from tests.exporters.walkers import FPS, THERE, walkers
from tests.test_house import FLOORS

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = {m[1]: m[2] for m in re.finditer(r"^## Add an? (\w+)\n(.*?)(?=^## |\Z)", TEXT, re.M | re.S)}


def blocks(recipe, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", RECIPES[recipe], re.M | re.S)


def becomes(path, new, old=None):
    """A link to one of our files is not written through."""
    text = path.read_text(encoding="utf-8") if old is not None else ""
    if old is not None:
        assert text.count(old) == 1, f"{path} has {text.count(old)} times: {old}"
        new = text.replace(old, new)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(new, encoding="utf-8")


def follow(recipe, house):
    for text in blocks(recipe, "python"):
        becomes(house / text.splitlines()[0].removeprefix("# "), text)
    for text in blocks(recipe, "diff"):
        for part in text.split("--- ")[1:]:
            path, *lines = part.splitlines()
            old, new = ("".join(f"{line[1:]}\n" for line in lines if line[:1] != sign) for sign in "+-")
            becomes(house / path, new, old)


def test_the_table_of_rooms_is_that_of_the_layout():
    rows = re.findall(r"^\| (\d) \| (.+?) \|", TEXT, re.M)
    told = {
        room.replace("/", "."): int(floor) for floor, rooms in rows for room in re.findall(r"`(.+?)`", rooms)
    }
    assert told == {room: FLOORS[room] for room in told}
    source = ROOT / "src" / "choros"
    assert {path.parent.name for path in source.glob("*/__init__.py")} <= set(told)


@pytest.fixture
def house(tmp_path):
    """A copy of the sources in which every file is a link, and the test of the layout."""
    for path in [*(ROOT / "src" / "choros").rglob("*"), ROOT / "tests" / "test_house.py"]:
        if path.is_file() and path.suffix != ".pyc":
            link = tmp_path / "house" / path.relative_to(ROOT)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)
    return tmp_path / "house"


def run(house, *arguments):
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=house,
        env=os.environ | {"PYTHONPATH": str(house / "src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_is_short(recipe):
    lines = "".join(blocks(recipe, "python") + blocks(recipe, "diff")).splitlines()
    assert sum(bool(line.strip("+ ")) and not line.startswith(("---", '"""')) for line in lines) < 20


def test_an_exporter(house):
    follow("exporter", house)
    walkers().save(house / "motion.npz")
    run(house, "-m", "choros", "export", "motion.npz", "--to", "paths", "-o", "out")
    paths = json.loads((house / "out" / "motion.paths.json").read_text())
    assert {int(person): [round(row[0] * FPS) for row in rows] for person, rows in paths.items()} == {
        person: list(frames) for person, frames in THERE.items()
    }
    assert "everybody's path" in " ".join(run(house, "-m", "choros", "export", "--list").split())


def test_a_metric(house):
    follow("metric", house)
    motion = walkers()
    motion.rows["box_px"] = motion.row_person[:, None] * 100 + np.array(
        [0, 10, 80, 200]
    )  # apart: all are found
    motion.save(house / "motion.npz")
    said = run(
        house,
        "-c",
        "import numpy as np, choros\n"
        "from choros.evaluation.compare import evaluate_motion\n"
        "from choros.evaluation.metrics.bones import bone_length_error_mm\n"
        "motion = choros.Motion.load('motion.npz')\n"
        "star = np.zeros((24, 3)); star[1:, 0] = 1\n"  # a metre for each of the root's 3 bones, nought for the others
        "print(evaluate_motion(motion, motion)['bone_length_mm'], bone_length_error_mm(2 * star, star))",
    )
    assert [float(word) for word in said.split()] == [0, pytest.approx(1000 * 3 / 23)]


def test_a_system(house, tmp_path):
    follow("system", house)
    page = (ROOT / "docs" / "detector.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```python\n([^`]*^class Statue:.*?)^print\(", page, re.M | re.S)
    becomes(house / "src" / "choros" / "statue" / "tracker.py", text)
    becomes(house / "src" / "choros" / "statue" / "__init__.py", "")
    with VideoWriter(tmp_path / "clip.mp4", 64, 48, Fraction(25)) as writer:
        for _ in range(5):
            writer.write(np.zeros((48, 64, 3), np.uint8))
    run(house, "-m", "choros", "track", tmp_path / "clip.mp4", "-o", "out", "--system", "statue", "--marble")
    motion = Motion.load(house / "out" / "motion.npz")
    assert motion.header.system == "statue"
    assert motion.header.provenance["system"]["options"] == {"marble": True}
    assert motion.row_frame.tolist() == [0, 1, 2, 3, 4]
    more = ("--system", "statue", "--marble", "--resume")
    words = ["track", str(tmp_path / "clip.mp4"), "-o", "out", *more]
    said = run(house, "-c", f"from choros.cli.main import main; main({words}); main(['track', '--help'])")
    assert "Of marble, and heavier (statue)." in " ".join(said.replace("│", " ").split())
    run(
        house,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/test_house.py",
        "-k",
        "room or wings or registry",
    )
