"""Reading ahead changes when frames are decoded and nothing else."""

import threading
import time
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.video import Frame, Gap, VideoInfo, VideoReader, prefetch


class Counting(VideoReader):
    """Frames 0, 1, 2, ...; raises after ``fail_at`` of them."""

    def __init__(self, count: int, fail_at: int | None = None) -> None:
        self.info = VideoInfo(1, 1, Fraction(1), count, "counting", is_live=False)
        self.gaps: list[Gap] = []
        self.count, self.fail_at = count, fail_at
        self.made = 0
        self.closed = False

    def __iter__(self) -> Iterator[Frame]:
        for index in range(self.count):
            assert not self.closed
            if index == self.fail_at:
                raise ChorosError("the tape tore")
            self.made += 1
            yield Frame(index, float(index), Fraction(index), np.zeros((1, 1, 3), np.uint8), False, index)

    def close(self) -> None:
        self.closed = True


def test_same_frames_in_order() -> None:
    with prefetch(Counting(50), 4) as reader:
        assert [frame.index for frame in reader] == list(range(50))
        assert list(reader) == []


def test_no_more_than_depth_is_decoded_ahead() -> None:
    source = Counting(100)
    with prefetch(source, 4) as reader:
        frames = iter(reader)
        next(frames)
        time.sleep(0.3)
        assert source.made <= 1 + 4 + 1  # taken, in the queue, and in the hands of the thread


def test_errors_come_where_they_happened() -> None:
    with prefetch(Counting(50, fail_at=7), 4) as reader:
        frames = iter(reader)
        assert [next(frames).index for _ in range(7)] == list(range(7))
        with pytest.raises(ChorosError, match="the tape tore"):
            next(frames)


def test_leaving_early_stops_the_thread_before_closing_the_source() -> None:
    before = threading.active_count()
    source = Counting(10**9)
    with prefetch(source, 2) as reader:
        next(iter(reader))
    assert source.closed
    assert threading.active_count() == before
    reader.close()
