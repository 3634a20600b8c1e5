"""Times only grow, and sound stamps are kept exactly."""

from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from choros.video.timestamps import Clock

TICK = Fraction(1, 25)


def times(stamps: list[int | None], duration: Fraction | None = None) -> list[tuple[Fraction, bool]]:
    """Stamps and times in frames of 1/25 s."""
    clock = Clock(Fraction(0), TICK, duration)
    out = [clock.time_of(None if stamp is None else stamp * TICK) for stamp in stamps]
    return [(time / TICK, jumped) for time, jumped in out]


def test_sound_stamps_pass_through() -> None:
    stamps = [0, 1, 2, 5, 6, 200, 201]
    assert times(stamps) == [(Fraction(stamp), False) for stamp in stamps]


def test_missing_stamps_go_on_at_the_frame_rate() -> None:
    assert [time for time, _ in times([None, None, 2, None, 4])] == [0, 1, 2, 3, 4]


def test_doubled_and_swapped_stamps_are_spread_and_caught_up() -> None:
    half = Fraction(1, 2)
    assert times([0, 1, 1, 2]) == [(0, False), (1, False), (1 + half, False), (2, False)]
    assert [time for time, _ in times([0, 2, 1, 3])] == [0, 2, 2 + half, 3]


def test_a_clock_set_anew_goes_on_and_says_so() -> None:
    """Two recordings joined: the second starts at zero again."""
    stamps = [*range(0, 50), *range(0, 50)]
    assert times(stamps) == [(index, index == 50) for index in range(100)]


def test_a_broken_stretch_does_not_move_what_follows() -> None:
    """One cluster's stamps were damaged: an hour ahead, or all zero; the rest is sound."""
    for broken in (90_000, -40):
        stamps = [*range(40), *(broken + index for index in range(40, 50)), *range(50, 60)]
        found = times(stamps, duration=60 * TICK)
        assert [time for time, _ in found] == list(range(60))
        assert [index for index, (_, jumped) in enumerate(found) if jumped] == [40, 50]


def test_an_end_declared_too_early_is_not_believed() -> None:
    assert times(list(range(100)), duration=TICK) == [(index, False) for index in range(100)]


@given(
    st.lists(st.none() | st.integers(-(10**6), 10**6), max_size=60),
    st.none() | st.fractions(min_value=0, max_value=1000, max_denominator=1000),
)
def test_times_always_grow(stamps: list[int | None], duration: Fraction | None) -> None:
    found = [time for time, _ in times(stamps, duration)]
    assert all(before < after for before, after in pairwise(found))
