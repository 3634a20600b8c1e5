"""Clips kept for reuse: how often, which, and the same ones after a stop."""

from itertools import count, islice

import numpy as np
import pytest

from choros.training.comotion.replay import Replay, turns


def numbers(start):
    yield from count(start)


def test_items_are_drawn_as_often_as_asked():
    replay = Replay(numbers, (1,), size=4, kept=40, reuse=5)
    drawn = np.concatenate([replay.draw()[0] for _ in range(500)])
    assert len(drawn) / (drawn.max() + 1) == pytest.approx(5, rel=0.1)


def test_a_draw_has_no_item_twice_and_only_new_ones():
    replay = Replay(numbers, (1,), size=6, kept=10, reuse=2)
    for _ in range(50):
        items, _ = replay.draw()
        assert len(set(items)) == 6
        assert min(items) >= replay.made - 10
        assert max(items) < replay.made


def test_without_reuse_every_item_comes_once():
    replay = Replay(numbers, (1,), size=3, kept=3, reuse=1)
    drawn = [item for _ in range(10) for item in sorted(replay.draw()[0])]
    assert drawn == list(range(30))


@pytest.mark.parametrize("drawn", [0, 1, 7, 40])
def test_after_a_stop_the_same_draws_follow(drawn):
    whole = Replay(numbers, (3, 1), size=4, kept=12, reuse=3)
    for _ in range(drawn):
        whole.draw()
    resumed = Replay(numbers, (3, 1), size=4, kept=12, reuse=3, drawn=drawn)
    for _ in range(5):
        (items, rng), (same, same_rng) = whole.draw(), resumed.draw()
        assert items == same
        assert rng.random() == same_rng.random()


def test_closing_ends_the_stream():
    ended = []

    def items(start):
        try:
            yield from count(start)
        finally:
            ended.append(True)

    replay = Replay(items, (1,), size=1, kept=1, reuse=1)
    replay.draw()
    replay.close()
    assert ended == [True]


def test_turns_follow_the_shares():
    taken = list(islice(turns((0.5, 0.3, 0.2)), 1000))
    for first in (10, 100, 1000):
        some = [taken[:first].count(source) for source in range(3)]
        assert np.abs(np.array(some) - first * np.array([0.5, 0.3, 0.2])).max() <= 1
