"""``rotate`` turns whatever is read; times and turns that make no sense are refused in one sentence."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from making import KINDS, numbered, steady, write_video

from choros.errors import ChorosError
from choros.systems import TrackOptions
from choros.video import open_video


def images(source: Path, **options: int) -> list[np.ndarray]:
    with open_video(source, **options) as reader:
        found = [frame.image for frame in reader]
        assert {image.shape for image in found} == {(reader.info.height, reader.info.width, 3)}
    return found


@pytest.mark.parametrize(("degrees", "turn"), [(0, 0), (90, -1), (180, 2), (270, 1)])
def test_a_film_is_turned_clockwise(degrees: int, turn: int, tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", KINDS[0], steady(3))
    plain = images(path)
    for ahead in (0, 2):
        for image, stored in zip(images(path, rotate=degrees, prefetch=ahead), plain, strict=True):
            np.testing.assert_array_equal(image, np.rot90(stored, turn))
            assert image.flags.c_contiguous


def test_it_comes_after_what_the_film_says_of_itself(tmp_path: Path) -> None:
    lying = write_video(tmp_path / "lying.mp4", KINDS[0], steady(2), display=(90, False, False))
    plain = images(write_video(tmp_path / "plain.mp4", KINDS[0], steady(2)))
    np.testing.assert_array_equal(images(lying, rotate=90), plain)  # 90 counterclockwise, and back
    np.testing.assert_array_equal(images(lying, rotate=270)[0], plain[0][::-1, ::-1])


def test_pictures_are_turned_alike(tmp_path: Path) -> None:
    for index in range(2):
        cv2.imwrite(str(tmp_path / f"{index}.png"), numbered(index)[..., ::-1])
    for index, image in enumerate(images(tmp_path, rotate=90)):
        np.testing.assert_array_equal(image, np.rot90(numbered(index), -1))


@pytest.mark.parametrize("degrees", [-90, 45, 360, 1])
def test_other_turns_are_refused(degrees: int, tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", KINDS[0], steady(1))
    with pytest.raises(ChorosError, match="90, 180 or 270"):
        open_video(path, rotate=degrees)
    with pytest.raises(ChorosError, match="90, 180 or 270"):
        TrackOptions(rotate=degrees)


@pytest.mark.parametrize(
    ("start_s", "end_s", "message"),
    [
        (-1.0, None, "before it begins"),
        (float("nan"), None, "cannot be cut at nan"),
        (None, float("inf"), "cannot be cut at inf"),
        (-float("inf"), None, "cannot be cut at -inf"),
        (None, 0.0, "must come after the start"),
        (None, -2.0, "must come after the start"),
        (2.0, 1.0, r"the end \(1 s\) must come after the start \(2 s\)"),
    ],
)
def test_times_that_make_no_sense(
    start_s: float | None, end_s: float | None, message: str, tmp_path: Path
) -> None:
    path = write_video(tmp_path / "film.mp4", KINDS[0], steady(1))
    for attempt in (lambda: open_video(path, start_s, end_s), lambda: TrackOptions(start_s, end_s)):
        with pytest.raises(ChorosError, match=message) as caught:
            attempt()
        assert "\n" not in str(caught.value)
