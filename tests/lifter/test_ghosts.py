"""Tracks that are one person, and people who are hidden behind others."""

import numpy as np

from choros.lifter.ghosts import ghosts_of_the_seen, pushed_behind


def test_an_unseen_track_on_a_seen_one_is_its_ghost_unless_both_were_ever_seen():
    ratio = np.array([[5.0, -9.0], [3.0, -9.0], [-9.0, 4.0]])
    mine, theirs = np.array([0, 2]), np.array([0, 1])
    apart, met = np.zeros((3, 3), bool), np.zeros((3, 3), bool)
    met[0, 1] = met[1, 0] = True
    found = ghosts_of_the_seen(ratio, apart, mine, theirs, 0.0)
    assert (found.ghost.tolist(), found.seen.tolist()) == ([1], [0])
    assert not len(ghosts_of_the_seen(ratio, met, mine, theirs, 0.0).ghost)
    assert not len(ghosts_of_the_seen(ratio, apart, mine, theirs, 3.5).ghost)


def test_nobody_seen_has_no_ghosts():
    none = np.zeros(0, np.intp)
    assert not len(ghosts_of_the_seen(np.zeros((2, 0)), np.zeros((2, 2), bool), none, none, 0.0).ghost)
    assert not len(ghosts_of_the_seen(np.zeros((0, 3)), np.zeros((0, 0), bool), none, none, 0.0).ghost)


def test_the_hidden_stand_behind():
    boxes = np.array([[0.0, 0, 10, 20], [1, 0, 11, 20], [50, 0, 60, 20]])
    depth = np.array([5.0, 4.0, 3.0])
    behind = pushed_behind(boxes, depth, np.array([True, False, False]), 0.5, 0.3)
    np.testing.assert_allclose(behind, [5, 5.3, 3])
