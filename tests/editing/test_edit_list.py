"""Lists of edits: words and files say the same, and what is replayed is what was meant."""

from math import inf

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choros.editing import Edit, read_list, replay, write_list
from choros.editing.edits import edit_of
from choros.editing.identities import Span, merge, split, swap
from choros.errors import ChorosError
from tests.exporters.walkers import walkers

K = (900.0, 0, 330, 0, 880, 230, 0, 0, 1)
ALL = [
    Edit("merge", (3, 7, 9)),
    Edit("swap", (2, 5), 12.4, 15.0),
    Edit("swap", (2, 5), 12.4),
    Edit("swap", (2, 5)),
    Edit("split", (4,), 8.2),
    Edit("split", (4,), 8.2, new=12),
    Edit("rename", (4,), new=9),
    Edit("delete", (6, 8)),
    Edit("cut", (2,), 3.0, 4.5),
    Edit("cut", (2, 3), end_s=4.5),
    Edit("same", (3, 7)),
    Edit("same", (3, 7), 12.4),
    Edit("height", (3,), value=(1.82,)),
    Edit("K", value=K),
    Edit("floor", value=(-0.12,)),
]


def test_what_is_written_is_read(tmp_path):
    write_list(tmp_path / "list.toml", ALL)
    assert read_list(tmp_path / "list.toml") == ALL


@given(st.floats(0, 1e5), st.floats(1e-3, 1e5))
def test_times_are_kept_to_the_last_bit(tmp_path_factory, start_s, longer_s):
    path = tmp_path_factory.mktemp("list") / "list.toml"
    edit = Edit("cut", (1,), start_s, start_s + longer_s)
    write_list(path, [edit])
    assert read_list(path) == [edit]


@pytest.mark.parametrize(
    ("do", "words", "edit"),
    [
        ("merge", "3,7,9", ALL[0]),
        ("swap", "2,5@12.4-15.0", ALL[1]),
        ("swap", "2,5@12.4-", ALL[2]),
        ("swap", "2, 5", ALL[3]),
        ("split", "4@8.2", ALL[4]),
        ("split", "4@8.2=12", ALL[5]),
        ("rename", "4=9", ALL[6]),
        ("cut", "2,3@-4.5", ALL[9]),
        ("same", "3,7@12.4", ALL[11]),
    ],
)
def test_words_of_the_command_line(do, words, edit):
    assert edit_of(do, words) == edit
    kind, said = str(edit).split(" ", 1)
    assert edit_of(kind, said) == edit


@pytest.mark.parametrize(
    ("do", "words", "says"),
    [
        ("merge", "3", "merge takes 2 people or more, not 1"),
        ("merge", "3,7@12-13", "merge has no time"),
        ("merge", "three", "--merge is written as --merge 3,7, not 'three'"),
        ("swap", "2,5@12.4", "write 2,5@12.4- for all that follows"),
        ("swap", "2,5,6", "swap takes 2 people"),
        ("swap", "2,5@15-12", "nothing lies between 15 and 12 s"),
        ("split", "4", "split takes a time"),
        ("split", "4@8.2=1.5", "--split is written as"),
        ("cut", "2", "cut takes a time"),
        ("same", "3,7@1-2", "same takes one time"),
        ("rename", "4", "rename takes a new number"),
    ],
)
def test_words_that_are_none(do, words, says):
    with pytest.raises(ChorosError) as error:
        edit_of(do, words)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[edit]]\npeople = [3, 7]", "list.toml, edit 1: it does not say what to do"),
        ('[[edit]]\ndo = "marry"\npeople = [3, 7]', "there is no edit 'marry'; choose one of: merge, swap"),
        (
            '[[edit]]\ndo = "merge"\npeople = [3, 7]\n[[edit]]\ndo = "merge"\npeople = ["a"]',
            "edit 2: people are whole",
        ),
        ('[[edit]]\ndo = "merge"\npeople = [3, 7]\nat_s = 2', "merge has no at_s"),
        ('[[edit]]\ndo = "height"\npeople = 3', "height takes 1 numbers of its own"),
        ('[[edit]]\ndo = "swap"\npeople = [3, 7]\nstart_s = "soon"', "start_s is a number, not 'soon'"),
        ("edit = 3", "each begins with [[edit]]"),
        ("merge = [3, 7]", "each begins with [[edit]]"),
        ("[[edit", "is no list of edits that can be read"),
    ],
)
def test_files_that_are_no_lists(text, says, tmp_path):
    (tmp_path / "list.toml").write_text(text)
    with pytest.raises(ChorosError) as error:
        read_list(tmp_path / "list.toml")
    assert str(tmp_path / "list.toml") in str(error.value)
    assert says in str(error.value)


def test_no_file(tmp_path):
    with pytest.raises(ChorosError, match="does not exist"):
        read_list(tmp_path / "none.toml")


def test_edits_are_done_in_order():
    motion = walkers()
    done = replay(motion, [Edit("split", (1,), 2.5), Edit("swap", (2, 5), 2.4, 2.8), Edit("merge", (2, 6))])
    by_hand = merge(swap(split(motion, 1, 2.5, 6), 2, 5, Span(2.4, 2.8)), (2, 6))
    np.testing.assert_array_equal(done.motion.rows, by_hand.rows)
    assert done.motion.header.provenance["edits"] == ["split 1@2.5", "swap 2,5@2.4-2.8", "merge 2,6"]
    again = replay(done.motion, [Edit("delete", (5,))])
    assert again.motion.header.provenance["edits"][-2:] == ["merge 2,6", "delete 5"]


def test_what_is_chosen_is_told():
    notes = replay(walkers(), [Edit("merge", (1, 2))]).notes
    assert notes == [
        "merge 1,2: 1 and 2 are person 1; several of them are there in 22 frames (0.88 s): of these whoever is seen "
        "stays, and in 19, in which several are seen, the first one named"
    ]


def test_whoever_went_into_somebody_is_found_there():
    """Merges that name one person twice: the second is of whoever the first made."""
    motion = split(split(walkers(), 1, 2.4, 6), 6, 2.8, 7)
    done = replay(motion, [Edit("merge", (1, 6)), Edit("merge", (6, 7)), Edit("delete", (7, 5))])
    assert done.motion.ids.tolist() == [2]
    assert "(6 is person 1 by now)" in done.notes[1]
    assert done.notes[1].startswith("merge 1,7:")
    with pytest.raises(ChorosError, match=r"edit 2, merge 1,6: these are one person already, 1"):
        replay(motion, [Edit("merge", (1, 6)), Edit("merge", (1, 6))])


def test_numbers_are_not_given_again():
    """Person 5 goes; the split still makes a number that nobody ever had."""
    done = replay(walkers(), [Edit("delete", (5,)), Edit("split", (1,), 2.5)])
    assert done.motion.ids.tolist() == [1, 2, 6]


def test_an_edit_that_cannot_be_is_named():
    with pytest.raises(ChorosError, match=r"edit 2, swap 2,7: there is no person 7 in this motion"):
        replay(walkers(), [Edit("merge", (1, 5)), Edit("swap", (2, 7))])


def test_nothing_to_do_is_nothing_done():
    motion = walkers()
    assert replay(motion, []).motion is motion
    assert Edit("swap", (1, 2)).span == Span(-inf, inf)
