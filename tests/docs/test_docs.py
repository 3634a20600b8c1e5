"""The documentation is true: its commands and programs run as they stand, in the order of the page.

Each page has a folder to itself with what pages assume: ``clip.mp4`` and a folder ``mocap``. Blocks that say in a
comment why they are not run are held against the real command line, or have their imports looked up.
"""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import choros
from choros import systems
from choros.cli.commands import COMMANDS, command_named
from choros.cli.main import main
from choros.exporters.bvh import write_bvh
from choros.exporters.formats import table
from choros.exporters.rigs import rig_table
from choros.motion import FRAME, ROW, Header, Motion

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(
    r"^(?:<!-- not run: (?P<why>[^\n]+) -->\n)?```(?P<language>sh|python)\n(?P<text>.*?)^```$", re.M | re.S
)
NAMES = [page.name for page in PAGES]
CHOROS = ("choros", ".venv/bin/choros")


class Block(NamedTuple):
    """What stands between two fences. ``why`` it is not run; None if it is."""

    language: str
    text: str
    why: str | None


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [Block(m["language"], m["text"], m["why"]) for m in BLOCK.finditer(text)]
    assert len(found) == len(re.findall(r"^```(?:sh|python)\b", text, re.M)), (
        f"a fence of {page} is not closed"
    )
    return found


def commands(text: str) -> Iterator[list[str]]:
    """The words of each command, without what the shell does with its output."""
    for line in text.splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=True)
        words.whitespace_split = True
        for between, command in groupby(words, lambda word: word == "&&"):
            if not between:
                command = list(command)
                yield command[: command.index(">")] if ">" in command else command


def of_choros(command: list[str]) -> list[str] | None:
    """What choros is given; None if it is another program."""
    if command[0] in CHOROS:
        return command[1:]
    if command[0] == "torchrun":
        return command[command.index("choros.cli.main") + 1 :]
    return None


# Nothing stands there that is not so ----------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_option_exists(page, monkeypatch):
    for name in COMMANDS:
        monkeypatch.setattr(command_named(name), "run", lambda _: None)
    for block in blocks(page):
        for command in commands(block.text) if block.language == "sh" else ():
            arguments = of_choros(command)
            assert block.why or arguments is not None, (
                f"{command[0]} is run by nobody; say why before the block"
            )
            if arguments is not None:
                main(arguments)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_what_programs_that_are_not_run_import_exists(page):
    for block in blocks(page):
        if block.language == "python" and block.why:
            for node in ast.walk(ast.parse(block.text)):
                if isinstance(node, ast.ImportFrom) and str(node.module).startswith("choros"):
                    assert all(hasattr(import_module(node.module), name.name) for name in node.names)


def test_the_tables_of_formats_are_those_of_the_program():
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8").replace("`", "")
    tables = [
        [[cell.strip() for cell in line.strip("|").split("|")] for line in lines.splitlines()]
        for lines in re.findall(r"^\| format \|.*\n(?:\|.*\n)+", page, re.M)
    ]
    shown = [{} for _ in table()]
    for headings, _, *rows in tables:
        for told, row in zip(shown, rows, strict=True):
            told |= dict(zip(headings, row, strict=True))
    assert shown == [{name: text.replace("`", "") for name, text in row.items()} for row in table()]


def test_the_tables_of_rigs_are_those_of_the_program():
    page = (ROOT / "docs" / "export.md").read_text(encoding="utf-8").replace("`", "")
    shown = [{} for _ in rig_table()]
    for lines in re.findall(r"^\| rig \|.*\n(?:\|.*\n)+", page, re.M):
        headings, _, *rows = [
            [cell.strip() for cell in line.strip("|").split("|")] for line in lines.splitlines()
        ]
        for told, row in zip(shown, rows, strict=True):
            told |= dict(zip(headings, row, strict=True))
    assert shown == rig_table()


def test_links_lead_somewhere():
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(((?!https?:)[^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).is_file(), f"{page.name} points to {target}"


def test_the_citation_is_of_this_version():
    yaml = pytest.importorskip("yaml")
    said = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert said["cff-version"] == "1.2.0"
    assert said["version"] == choros.__version__
    assert said["license"] == re.search(r'^license = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    assert all(said[key] for key in ("message", "title", "authors"))


def test_the_site_builds_without_a_warning(tmp_path):
    pytest.importorskip("mkdocs")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path / "site"]
    done = subprocess.run(list(map(str, build)), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (
        "choros.track_video.track"
        in (tmp_path / "site" / "reference" / "tracking" / "index.html").read_text()
    )


# It runs --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def assumed(scene, tmp_path_factory):
    """``clip.mp4``: two made-up people, 1.2 s; ``mocap``: somebody who waves, and walks on the spot."""
    folder = tmp_path_factory.mktemp("assumed")
    (folder / "clip.mp4").symlink_to(scene.video)
    write_bvh(waving(), folder / "mocap" / "waving.bvh")
    return folder


def waving() -> Motion:
    frames, rows = np.zeros(150, FRAME), np.zeros(150, ROW)
    frames["number"] = np.arange(150)
    time_s = np.arange(150) / 30
    frames["pts"] = np.stack([np.arange(150), np.full(150, 30)], axis=1)
    frames["K"], frames["T_world_camera"] = np.eye(3), np.eye(4)
    rows["frame"], rows["person"], rows["visible"] = np.arange(150), 1, True
    rows["global_orient"], rows["transl"] = (np.pi / 2, 0, 0), (0, 0.22, 0.95)
    pose = rows["body_pose"].reshape(150, 23, 3)
    pose[:, 15, 2], pose[:, 16, 2] = -1 + 0.4 * np.sin(3 * time_s), 1 + 0.3 * np.sin(2 * time_s)
    pose[:, 0, 0], pose[:, 1, 0] = 0.3 * np.sin(6 * time_s), -0.3 * np.sin(6 * time_s)
    rows["body_pose"] = pose.reshape(150, 69)
    return Motion(Header(Fraction(30), 640, 480, space="world"), frames, rows)


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_blocks_run_as_written(page, assumed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("clip.mp4", "mocap"):
        Path(path).symlink_to(assumed / path)
    monkeypatch.setattr(systems, "_ENTRIES", dict(systems._ENTRIES))  # a page may register its own
    names = {"__name__": "__main__", "image": np.full((270, 480, 3), 90, np.uint8), "time_s": 0.0}
    for block in blocks(page):
        if block.why:
            continue
        if block.language == "python":
            exec(compile(block.text, f"{page.name}, a block of Python", "exec"), names)
        for command in commands(block.text) if block.language == "sh" else ():
            main(of_choros(command))
