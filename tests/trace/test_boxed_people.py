"""Whom a detector's boxes add to the map of centres, and whom they make surer."""

import numpy as np
import pytest
import torch

from choros.crops import Letterbox
from choros.trace.boxed_people import places_in_boxes, with_boxed
from choros.trace.memory import MemoryRules
from choros.trace.people import PeopleRules, believable, nobody
from tests.trace.told import CONFIG

LIES = Letterbox(CONFIG.image_size_px, CONFIG.image_size_px, CONFIG.image_size_px)
BOX = np.array([100.0, 100, 180, 300])


def people(*said):
    """From (height, box): their camera is in the middle of the box."""
    empty = nobody()
    parts = {name: np.zeros((len(said), *getattr(empty, name).shape[1:])) for name in empty._fields}
    for number, (height, box) in enumerate(said):
        box = np.asarray(box, float)
        parts["height"][number], parts["boxes_px"][number] = height, box
        x, y = (box[:2] + box[2:]) / CONFIG.image_size_px - 1
        parts["camera"][number] = 0.5, y, x
    return empty._replace(**parts)


def joined(seen, boxes, scores):
    asked = []

    def in_boxes(some):
        asked.append(some)
        return people(*((0.05, box) for box in some))

    found = with_boxed(seen, np.array(boxes, float).reshape(-1, 4), np.array(scores), in_boxes, LIES, CONFIG)
    return found, asked


def test_a_box_that_agrees_makes_one_person_surer():
    twice = people((0.3, BOX), (0.2, BOX + 2))  # two cells that show the same
    found, asked = joined(twice, [BOX + 3], [0.8])
    assert found.height == pytest.approx([0.65, 0.2])
    assert not asked


def test_who_is_surer_already_stays_so():
    found, _ = joined(people((0.9, BOX)), [BOX], [0.5])
    assert found.height.tolist() == [0.9]


def test_a_box_without_anybody_adds_who_is_in_it():
    elsewhere = BOX + np.array([200, 0, 200, 0])
    found, (asked,) = joined(people((0.5, BOX)), [BOX, elsewhere], [0.6, 0.7])
    np.testing.assert_array_equal(asked, [elsewhere])
    assert found.height == pytest.approx([0.5, 0.55])
    np.testing.assert_array_equal(found.boxes_px[1], elsewhere)


def test_who_lies_in_the_middle_of_a_box_agrees_though_their_own_is_another():
    part = [130, 180, 150, 220]
    assert len(joined(people((0.5, part)), [BOX], [0.7])[0].height) == 1
    beside = [170, 180, 178, 220]  # in it, and not in its middle
    assert len(joined(people((0.5, beside)), [BOX], [0.7])[0].height) == 2


def test_boxes_of_small_people_count_for_nothing():
    found, asked = joined(people(), [[10, 10, 20, 45]], [0.9])
    assert (len(found.height), asked) == (0, [])


def test_people_in_boxes_are_where_the_volume_is_highest_in_their_middle():
    volume = torch.zeros(CONFIG.depth, CONFIG.map_size, CONFIG.map_size)
    volume[2, 12, 8], volume[1, 7, 8] = 0.4, 0.9  # the second is near the box's upper edge
    assert places_in_boxes(volume, BOX[None], LIES, CONFIG).tolist() == [[2, 12, 8]]
    assert places_in_boxes(volume, np.zeros((0, 4)), LIES, CONFIG).shape == (0, 3)


def test_of_two_that_are_alike_and_as_high_one_stays():
    same = people((0.5, BOX), (0.5, BOX))
    same.keypoints_px[..., 2] = 0.9
    same.camera[1] += 0.2  # far apart, as the maps have it
    keep = believable(same, None, MemoryRules(), PeopleRules())
    assert keep.tolist() == [True, False]
