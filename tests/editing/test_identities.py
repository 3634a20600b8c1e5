"""Edits of identities: what comes back when they are undone, and who is left alone by them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choros.editing.identities import Span, cut, delete, merge, overlap, rename, same, split, swap
from choros.errors import ChorosError
from choros.motion import Motion
from tests.exporters.walkers import walkers
from tests.test_motion import make_motion

PEOPLE = (1, 2, 5, 9)


def scattered(seed: int) -> Motion:
    """Four people, each away in some frames, with an extra that tells every row from every other."""
    motion = make_motion(n_frames=24, people=PEOPLE, seed=seed)
    there = np.random.default_rng(seed).random(len(motion.rows)) < 0.7
    first_of_all = np.unique(motion.row_person, return_index=True)[1]
    there[first_of_all] = True
    motion = motion.where(there)
    return motion.with_extras({"mark": np.arange(len(motion.rows))})


def same_motion(a: Motion, b: Motion) -> None:
    assert a.header == b.header
    np.testing.assert_array_equal(a.frames, b.frames)
    np.testing.assert_array_equal(a.rows, b.rows)


def others_are_untouched(before: Motion, after: Motion, named: tuple[int, ...]) -> None:
    """Frames, times, and rows of everybody but the ``named`` are bit for bit what they were."""
    np.testing.assert_array_equal(before.frames, after.frames)
    assert before.pts == after.pts
    for motion in (before, after):
        assert (np.diff(motion.row_frame) >= 0).all()
    rest = [motion.rows[~np.isin(motion.row_person, named)] for motion in (before, after)]
    np.testing.assert_array_equal(*rest)


seeds = st.integers(0, 30)
pairs = st.lists(st.sampled_from(PEOPLE), min_size=2, max_size=2, unique=True).map(tuple)
times = st.floats(0, 0.8, allow_nan=False)


@given(seeds, pairs, times, times)
def test_to_swap_twice_changes_nothing(seed, pair, a, b):
    motion, span = scattered(seed), Span(min(a, b), max(a, b) + 0.1)
    try:
        once = swap(motion, *pair, span)
    except ChorosError:
        assert not (np.isin(motion.row_person, pair) & span.rows(motion)).any()
        return
    others_are_untouched(motion, once, pair)
    same_motion(swap(once, *pair, span), motion)
    outside = ~span.rows(motion)
    np.testing.assert_array_equal(once.rows[~span.rows(once)], motion.rows[outside])


@given(seeds, st.sampled_from(PEOPLE), times)
def test_to_split_and_merge_again_changes_nothing(seed, person, at_s):
    motion = scattered(seed)
    try:
        parted = split(motion, person, at_s)
    except ChorosError:
        of_them = motion.people[person].pts_s
        assert at_s <= of_them[0] or at_s > of_them[-1]
        return
    others_are_untouched(motion, parted, (person, 10))
    assert parted.people[10].pts_s.min() >= at_s > parted.people[person].pts_s.max()
    same_motion(merge(parted, (person, 10)), motion)
    same_motion(same(parted, person, 10), motion)


@given(seeds, st.sampled_from(PEOPLE), st.integers(10, 2000))
def test_to_rename_and_back_changes_nothing(seed, person, to):
    motion = scattered(seed)
    called = rename(motion, person, to)
    others_are_untouched(motion, called, (person, to))
    same_motion(rename(called, to, person), motion)


@given(seeds, pairs)
def test_merged_people_keep_seen_rows_and_then_those_of_the_first(seed, pair):
    motion = scattered(seed)
    one = merge(motion, pair)
    others_are_untouched(motion, one, pair)
    first, second = (motion.people[person] for person in pair)
    merged = one.people[pair[0]]
    assert pair[1] not in one.people
    assert set(merged.frame) == set(first.frame) | set(second.frame)
    mark = dict(zip(merged.frame.tolist(), merged.extras["mark"].tolist(), strict=True))
    both = overlap(motion, pair)
    common, i, j = np.intersect1d(first.frame, second.frame, return_indices=True)
    assert both.frames == len(common)
    assert both.both_seen == int((first.visible[i] & second.visible[j]).sum())
    for frame, a, b in zip(common.tolist(), i, j, strict=True):
        stays = second.extras["mark"][b] if second.visible[b] > first.visible[a] else first.extras["mark"][a]
        assert mark[frame] == stays


@given(seeds, st.sampled_from(PEOPLE), times)
def test_what_is_cut_is_gone_and_the_rest_is_there(seed, person, at_s):
    motion, span = scattered(seed), Span(at_s, at_s + 0.2)
    gone = (motion.row_person == person) & span.rows(motion)
    if not gone.any():
        with pytest.raises(ChorosError, match="not there"):
            cut(motion, (person,), span)
        return
    np.testing.assert_array_equal(cut(motion, (person,), span).rows, motion.rows[~gone])
    np.testing.assert_array_equal(delete(motion, (person,)).rows, motion.rows[motion.row_person != person])


def test_by_hand():
    """Two people and four frames, worked out on paper."""
    motion = make_motion(n_frames=4, people=(1, 2))
    times_s = motion.pts_s
    swapped = swap(motion, 1, 2, Span(times_s[1], times_s[3]))  # frames 1 and 2
    # Rows are 1, 2, 1, 2 ... by frame; in frames 1 and 2 the other's row comes first now.
    np.testing.assert_array_equal(swapped.rows["transl"], motion.rows["transl"][[0, 1, 3, 2, 5, 4, 6, 7]])
    np.testing.assert_array_equal(swapped.row_person, [1, 2] * 4)
    assert split(motion, 2, float(times_s[2])).row_person.tolist() == [1, 2, 1, 2, 1, 3, 1, 3]


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda m: swap(m, 1, 7), "there is no person 7"),
        (lambda m: swap(m, 1, 1), "not different people"),
        (lambda m: merge(m, (1, 2, 1)), "not different people"),
        (lambda m: swap(m, 1, 2, Span(50, 60)), "neither person 1 nor person 2 is there from 50 to 60 s"),
        (lambda m: same(m, 1, 2), r"both there at 2.32 s, so they are not one"),
        (lambda m: split(m, 2, 2.0), "person 2 is there from 2.32 to 3.16 s; 2 s divides nothing"),
        (lambda m: split(m, 2, 2.5, 5), "there is a person 5 already"),
        (lambda m: rename(m, 2, 0), "nobody can be called 0"),
        (lambda m: rename(m, 2, 1), "there is a person 1 already"),
        (lambda m: cut(m, (5,), Span(2.42, 2.6)), "person 5 is not there from 2.42 to 2.6 s"),
        (lambda m: Span(3, 3), "nothing lies between 3 and 3 s"),
    ],
)
def test_what_cannot_be_is_said(edit, says):
    with pytest.raises(ChorosError, match=says):
        edit(walkers())
