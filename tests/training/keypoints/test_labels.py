"""Labels of two teachers, and the folder that they are kept in."""

import json

import cv2
import numpy as np
import pytest

from choros.errors import ChorosError
from choros.skeleton import MIRROR_COCO17
from choros.training.keypoints.people import read_people
from choros.training.keypoints.people_set import IMAGES, LABELS, Labeller, Shown, write_labelled, write_people
from choros.training.keypoints.teachers import Taught, agreed, two_looks

AREA = np.array([10_000.0])  # px², its root 100


def person(confidence=0.9):
    points = np.full((1, 17, 3), confidence)
    points[0, :, 0], points[0, :, 1] = np.arange(17) * 5.0 + 20, np.arange(17) * 7.0 + 10
    return points


def test_what_both_say_is_the_mean_weighed_by_how_sure_they_are():
    a, b = person(0.9), person(0.45)
    b[..., 0] += 3.0
    found = agreed(a, b, AREA)
    assert found.keypoints_px[0, :, 2].all()
    assert found.keypoints_px[0, :, 0] == pytest.approx(a[0, :, 0] + 1.0)
    assert not found.absent.any()


def test_nothing_is_taught_where_they_disagree_or_one_does_not_see():
    a, b = person(), person()
    b[0, 9, 0] += 40.0  # a wrist: 2 * .062 * 100 px are one standard deviation
    a[0, 10, 2] = 0.2
    a[0, 11, 2] = b[0, 11, 2] = 0.05
    found = agreed(a, b, AREA)
    assert np.flatnonzero(found.keypoints_px[0, :, 2] == 0).tolist() == [9, 10, 11]
    assert np.flatnonzero(found.absent[0]).tolist() == [11]


class Fixed:
    """Says the same of a picture whichever way it is shown, but for the joints of one side in its mirror image."""

    def __init__(self, points, off=0.0):
        self.points, self.off = points, off

    def estimate(self, image, boxes_px):
        if image[0, 0, 0] == 255:  # the mark is on the left: as it is
            return self.points.copy()
        mirrored = self.points[:, list(MIRROR_COCO17)].copy()
        mirrored[..., 0] = image.shape[1] - mirrored[..., 0] + self.off
        return mirrored


def test_two_looks_are_one_where_they_are_alike():
    image = np.zeros((200, 150, 3), np.uint8)
    image[0, 0] = 255
    box = np.array([[10.0, 0, 110, 190]])
    assert two_looks(Fixed(person()), image, box) == pytest.approx(person())
    unsure = two_looks(Fixed(person(), off=30.0), image, box)
    assert (unsure[..., 2] < 0.5).all()


class Everywhere:
    def detect(self, image):
        return np.array([[10, 0, 110, 190]], np.float32), np.array([0.9], np.float32)


def test_pictures_and_people_come_back_from_their_folder(tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    for name in ("a.png", "known.png"):
        picture = np.zeros((200, 150, 3), np.uint8)
        picture[:8, :8] = 255
        cv2.imwrite(str(given / name), picture)
    known = tmp_path / "known.json"
    known.write_text(json.dumps({"images": [{"file_name": "known.png"}]}))
    labeller = Labeller(Everywhere(), (Fixed(person()), Fixed(person())))
    counts = write_labelled([given], tmp_path / "set", labeller, leave_out=[known])
    assert counts == {"pictures": 1, "people": 1}
    (found,) = read_people(tmp_path / "set" / LABELS, tmp_path / "set" / IMAGES).values()
    (somebody,) = found.people
    assert somebody.box_px == pytest.approx([10, 0, 110, 190])
    assert somebody.keypoints_px[:, :2] == pytest.approx(person()[0, :, :2], abs=0.01)
    assert found.pictures[0].shape == (200, 150, 3)


def test_joints_that_are_not_to_be_seen_are_kept(tmp_path):
    absent = np.zeros((1, 17), bool)
    absent[0, 3] = True
    points = np.where(np.arange(17)[None, :, None] == 3, 0, np.c_[person()[0, :, :2], np.ones(17)][None])
    shown = Shown(np.zeros((200, 150, 3), np.uint8), np.array([[10.0, 0, 110, 190]]), Taught(points, absent))
    write_people([shown], tmp_path / "set")
    (found,) = read_people(tmp_path / "set" / LABELS, tmp_path / "set" / IMAGES).values()
    assert np.flatnonzero(found.people[0].absent).tolist() == [3]
    assert np.flatnonzero(found.people[0].keypoints_px[:, 2] == 0).tolist() == [3]
    with pytest.raises(ChorosError, match="is not empty"):
        write_people([shown], tmp_path / "set")
