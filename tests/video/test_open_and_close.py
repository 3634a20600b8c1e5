"""Readers that are opened and closed, read or not, leave nothing behind."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from choros.video import VideoWriter, open_video

MOST_MB = 8


def memory_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.parametrize("times", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_nothing_is_left_behind(tmp_path, times):
    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 64, 48, Fraction(25)) as writer:
        for i in range(6):
            writer.write(np.full((48, 64, 3), 40 * i, np.uint8), Fraction(i, 25))

    def opened(k):
        with open_video(path, prefetch=2 * (k % 2)) as reader:
            if k % 3:
                next(iter(reader))

    for k in range(12):
        opened(k)
    files, before = len(os.listdir("/proc/self/fd")), memory_mb()
    for k in range(times):
        opened(k)
    assert len(os.listdir("/proc/self/fd")) == files
    assert memory_mb() - before < MOST_MB
