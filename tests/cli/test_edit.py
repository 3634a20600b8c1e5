"""``choros edit``: commands in their order, lists that are kept and replayed, and one sentence for what cannot be."""

import shlex

import numpy as np
import pytest

from choros.cli.edit_words import in_order, numbered
from choros.cli.main import main
from choros.editing import Edit, read_list, replay
from choros.motion import Motion
from tests.exporters.walkers import walkers


@pytest.fixture
def motion(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    walkers().save(tmp_path / "motion.npz")
    return walkers()


def test_edits_are_done_as_they_are_written(motion, capsys):
    main(
        shlex.split(
            "edit motion.npz --split 1@2.5 --swap 2,5@2.4-2.8 --split=2@2.9 --merge 2,6 --merge 2,7 -o fixed.npz"
        )
    )
    edits = [
        Edit("split", (1,), 2.5), Edit("swap", (2, 5), 2.4, 2.8), Edit("split", (2,), 2.9), Edit("merge", (2, 6)),
        Edit("merge", (2, 7)),
    ]  # fmt: skip
    expected = replay(motion, edits)
    np.testing.assert_array_equal(Motion.load("fixed.npz").rows, expected.motion.rows)
    said = capsys.readouterr().out.splitlines()
    assert said[:5] == expected.notes
    assert said[5:] == ["fixed.npz: 30 frames, 3 people"]


def test_a_saved_list_does_the_same_again(motion, capsys):
    main(
        shlex.split(
            "edit motion.npz --rename 5=8 --cut 2@2.4-2.5 --height 8=1.82 --K 700 700 320 240 --save-list a.toml"
        )
    )
    main(shlex.split("edit motion.npz --list a.toml -o again.npz"))
    assert [edit.do for edit in read_list("a.toml")] == ["rename", "cut", "height", "K"]
    assert Motion.load("edited.npz").ids.tolist() == [1, 2, 8]
    first, again = Motion.load("edited.npz"), Motion.load("again.npz")
    np.testing.assert_array_equal(first.rows, again.rows)
    assert first.header == again.header
    main(shlex.split("edit motion.npz --list a.toml --delete 8 --save-list b.toml"))
    assert [edit.do for edit in read_list("b.toml")] == ["rename", "cut", "height", "K", "delete"]
    assert "a.toml: 4 edits" in capsys.readouterr().out


def test_the_place_of_words_is_kept():
    line = ["edit", "m.npz", "--merge", "3,7", "--K", "1", "2", "--swap=2,5", "--merge", "1,2", "-o", "x.npz"]
    told = numbered(line)
    assert told == [
        "edit",
        "m.npz",
        "--merge",
        "3,7#2",
        "--K",
        "1",
        "2",
        "--swap=2,5#7",
        "--merge",
        "1,2#8",
        "-o",
        "x.npz",
    ]
    words = {"merge": ["3,7#2", "1,2#8"], "swap": ["2,5#7"]}
    assert in_order(words) == [("merge", "3,7"), ("swap", "2,5"), ("merge", "1,2")]
    assert numbered(["track", "--merge", "3,7"]) == ["track", "--merge", "3,7"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("edit motion.npz", "say what to mend in motion.npz: --merge 3,7"),
        ("edit motion.npz --merge 3", "merge takes 2 people or more"),
        (
            "edit motion.npz --merge 2,3",
            "edit 1, merge 2,3: there is no person 3 in this motion; it has 1, 2, 5",
        ),
        ("edit motion.npz --list none.toml", "none.toml does not exist"),
        ("edit motion.npz --floor 0.1", "in camera space, which has no floor"),
        ("edit motion.npz --suggest --accept 2", "--accept 2 is no probability"),
        ("edit motion.npz --suggest --pictures pairs", "pictures need the video"),
        ("edit motion.npz --merge 1,2 -o motion.npz", "motion.npz"),
        ("edit none.npz --merge 1,2", "none.npz does not exist"),
        ("edit motion.npz motion.npz --merge 1,2", "is a motion and no video"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(line, says, motion, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(shlex.split(line))
    said = capsys.readouterr().err
    assert (end.value.code, said.count("\n")) == (2, 1)
    assert said.startswith("choros: ")
    assert says in said
    assert [path.name for path in tmp_path.iterdir()] == ["motion.npz"]
