"""TRACE's memory unit: distances, gates, duplicates and subjects with known answers."""

import numpy as np
import pytest

from choros.trace.centres import CentreRules, find_centres
from choros.trace.memory import (
    MemoryRules,
    camera_before,
    distances,
    distinct,
    large_enough,
    similarities,
    subjects_among,
)

RULES = MemoryRules()


def test_constants_are_the_papers():
    assert (RULES.remembered_height, RULES.least_scale, RULES.alike, RULES.gate) == (0.05, 0.13, 0.05, 1.0)
    assert RULES.weights == (1.2, 2.5, 25.0)
    assert RULES.forgotten_s == pytest.approx(3.333, abs=1e-3)


@pytest.mark.parametrize(
    ("moved", "away"),
    [((1, 0, 0), 1.2), ((0, 1, 0), 2.5), ((0, 0, 1), 25 * (1 / 5 - 1 / 6)), ((3, 0, 0), 3.6)],
)
def test_distances_weigh_each_axis(moved, away):
    here = np.array([[0.0, 0, 4]])
    assert distances(here, here + moved, RULES) == pytest.approx(np.array([[away]]))


def test_depth_counts_less_the_farther_people_are():
    near, far = np.array([[0, 0, 2.0]]), np.array([[0, 0, 12.0]])
    step = np.array([0, 0, 1.0])
    assert distances(near, near + step, RULES) > 10 * distances(far, far + step, RULES)


def test_the_gate_is_where_similarity_ends_and_grows_with_time():
    remembered, seen = np.array([[0.0, 0, 5], [0, 0, 5]]), np.array([[1 / 1.2, 0, 5]])
    alike = similarities(remembered, seen, np.array([0.0, 2.0]), RULES)
    assert alike[:, 0] == pytest.approx([0, 0.5])


def test_motion_takes_people_back_unless_it_is_too_long():
    camera = np.array([[0.4, 0.1, 0.2], [0.4, 0.1, 0.2]])
    motion = np.array([[0.01, 0, 0.02], [0, 0, 0.07]])
    assert camera_before(camera, motion, RULES) == pytest.approx(
        np.array([[0.39, 0.1, 0.18], [0.4, 0.1, 0.2]])
    )


def test_of_people_in_one_place_the_highest_centre_stays():
    camera = np.array([[0.4, 0, 0], [0.41, 0.02, 0], [0.4, 0, 0.06], [0.4, 0.03, 0.02]])
    assert distinct(camera, np.array([0.5, 0.9, 0.3, 0.2]), RULES).tolist() == [False, True, True, False]


def test_subjects_are_the_nearest_and_large_enough():
    camera = np.array([[0.2, 0, 0], [0.5, 0, 0], [0.1, 0, 0], [0.3, 0, 0]])
    assert subjects_among(camera, 2).tolist() == [False, True, False, True]
    assert large_enough(camera, 2, RULES).tolist() == [True, True, False, True]
    assert large_enough(camera, None, RULES).all()


def test_centres_are_the_highest_cells_of_their_windows():
    torch = pytest.importorskip("torch")
    volume = torch.zeros(8, 16, 16)
    volume[2, 5, 5], volume[2, 5, 7], volume[6, 5, 5], volume[1, 12, 3] = 0.9, 0.6, 0.7, 0.2
    places, heights = find_centres(volume, 0.1, CentreRules(window=5))
    assert places.tolist() == [[2, 5, 5], [6, 5, 5], [1, 12, 3]]  # (2, 5, 7) is in the first one's window
    assert heights.tolist() == pytest.approx([0.9, 0.7, 0.2])
    assert len(find_centres(volume, 0.5, CentreRules(window=3))[0]) == 3
    assert len(find_centres(volume, 0.1, CentreRules(window=3, most=2))[0]) == 2


def test_nobody_is_found_where_nothing_is_high_enough():
    torch = pytest.importorskip("torch")
    places, heights = find_centres(torch.zeros(4, 8, 8), 0.1)
    assert places.shape == (0, 3)
    assert len(heights) == 0
