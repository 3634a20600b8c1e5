"""What is said without learning, of motion along lines: what lines say."""

import torch

from choros.fourdhumans.extrapolation import (
    GOES_ON_S,
    MEMORY_S,
    OFFERS,
    PARTS,
    PLACE_GOES_ON_S,
    added,
    neighbours,
    say,
)
from choros.fourdhumans.pose_tracks import MOVING, TOKEN, Window

EASE, SMOOTH, START, END = 0, 1, 2, 3  # the offers, the last three again for the second memory


def moving(times_s, seen, asked, velocity):
    """Tokens that move along lines."""
    times = torch.tensor([times_s])
    tokens = times[..., None] * velocity
    return Window(times, tokens, torch.tensor([seen]), torch.tensor([asked]))


def shares(*offers):
    which = torch.zeros(1, OFFERS, PARTS)
    which[:, list(offers)] = 1
    return which


NOTHING = torch.zeros(1, TOKEN)
VELOCITY = torch.linspace(-1, 1, TOKEN)


def test_neighbours():
    before, after = neighbours(torch.tensor([False, True, False, False, True, False]))
    assert before.tolist() == [-1, 1, 1, 1, 4, 4]
    assert after.tolist() == [1, 1, 4, 4, 4, 6]


def test_between_observations_is_the_straight_way_and_curves_through_lines_are_lines():
    seen = [True, True, True, False, True, True, True]
    window = moving([0.0, 0.03, 0.06, 0.27, 0.6, 0.63, 0.66], seen, [not s for s in seen], VELOCITY)
    said = say(window)
    torch.testing.assert_close(said.way[0, :MOVING], 0.27 * VELOCITY[:MOVING])
    for memory in range(len(MEMORY_S)):
        start, end = START + 3 * memory, END + 3 * memory
        curve = added(said, shares(EASE, start, end), NOTHING)
        torch.testing.assert_close(curve[0, :MOVING], 0.27 * VELOCITY[:MOVING], atol=2e-4, rtol=0)
        assert said.offered[0, SMOOTH + 3 * memory].abs().max() < 1e-5
    torch.testing.assert_close(
        said.way[0, MOVING:], 0.33 * VELOCITY[MOVING:]
    )  # shape: the mean of what was seen


def test_after_the_last_observation_somebody_stands_or_goes_on_for_a_while():
    window = moving([0.0, 0.1, 0.2, 0.5], [True, True, True, False], [False, False, False, True], VELOCITY)
    said = say(window)
    torch.testing.assert_close(said.way[0, :MOVING], 0.2 * VELOCITY[:MOVING])
    goes_on = torch.full((MOVING,), GOES_ON_S)
    goes_on[-3:] = PLACE_GOES_ON_S
    further = goes_on * (1 - torch.exp(-0.3 / goes_on))
    for memory in range(len(MEMORY_S)):
        line = added(said, shares(START + 3 * memory), NOTHING)
        expected = (0.2 + further) * VELOCITY[:MOVING]
        torch.testing.assert_close(line[0, :MOVING], expected, atol=2e-3, rtol=0)
        assert (said.offered[0, END + 3 * memory] == 0).all()
    assert (said.offered[0, EASE] == 0).all()


def test_before_the_first_observation_it_is_the_same_backwards():
    ahead = moving([0.0, 0.1, 0.2, 0.4], [True, True, True, False], [False, False, False, True], VELOCITY)
    back = moving([-0.4, -0.2, -0.1, 0.0], [False, True, True, True], [True, False, False, False], -VELOCITY)
    one, other = say(ahead), say(back)
    torch.testing.assert_close(one.way, other.way)
    for memory in range(len(MEMORY_S)):
        torch.testing.assert_close(
            one.offered[0, START + 3 * memory], other.offered[0, END + 3 * memory], atol=1e-5, rtol=0
        )


def test_one_observation_is_all_there_is():
    said = say(moving([0.0, 1.0], [True, False], [False, True], VELOCITY))
    assert said.offered.abs().max() < 1e-6
    torch.testing.assert_close(said.way, torch.zeros(1, TOKEN))


def test_a_long_memory_smooths_what_a_short_one_believes():
    """Standing still with a twitch in the last frame: the short memory takes it for a start, the long one less so."""
    window = moving([k / 30 for k in range(11)], [True] * 10 + [False], [False] * 10 + [True], 0 * VELOCITY)
    window.tokens[0, 9] = 1
    short, long = (say(window).offered[0, START + 3 * memory].abs().mean() for memory in (0, 1))
    assert long < 0.7 * short
    smooth = say(window).offered[0, [SMOOTH, SMOOTH + 3]].mean(-1)
    assert smooth[1] < smooth[0] < 0
