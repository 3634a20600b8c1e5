"""Clips of public sets follow from their seed and stand the right way up."""

import cv2
import numpy as np
import pytest

from choros.datasets.sample import Sample, Samples
from choros.errors import ChorosError
from choros.training.comotion.footage import footage_of, open_set, read_picture
from tests.training.comotion.drawn import labelled_person


def test_footage_follows_from_its_seed(tmp_path):
    for frame in range(6):
        cv2.imwrite(str(tmp_path / f"{frame}.png"), np.full((40, 30, 3), 20 * frame, np.uint8))
    samples = Samples(
        6,
        lambda i: Sample(image=tmp_path / f"{i}.png", sequence=f"s{i // 4}", people=(labelled_person(),)),
        "six frames",
    )
    clips = footage_of([samples])(7, 2, 0)
    firsts = [next(clips).images[:, 0, 0, 0] for _ in range(8)]
    assert all(int(later) - int(first) == 20 for first, later in firsts)
    assert 60 not in {int(first) for first, _ in firsts}  # 3 and 4 are of different sequences
    again = footage_of([samples])(7, 2, 5)
    np.testing.assert_array_equal(next(again).images[:, 0, 0, 0], firsts[5])
    with pytest.raises(ChorosError, match="9 frames in a row"):
        next(footage_of([samples])(7, 9, 0))


def test_pictures_stand_the_right_way_up(tmp_path):
    image = np.zeros((4, 6, 3), np.uint8)
    image[0, 5] = (255, 0, 0)  # BGR: blue in the upper right corner
    cv2.imwrite(str(tmp_path / "a.png"), image)
    turned = read_picture(Sample(image=tmp_path / "a.png", quarter_turns_cw=1))
    assert turned.shape == (6, 4, 3)
    assert turned[5, 3].tolist() == [0, 0, 255]
    with pytest.raises(ChorosError, match=r"b\.png"):
        read_picture(Sample(image=tmp_path / "b.png"))


def test_an_unknown_set_is_named(tmp_path):
    with pytest.raises(ChorosError, match="cocoa"):
        open_set("cocoa", tmp_path, tmp_path)
