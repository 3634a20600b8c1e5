"""What every system keeps to whatever runs beside it: threads, and memory by person."""

import numpy as np
import pytest

from tests.tracking.every_system import NAMES, Bright, system_of, walkers

FPS = 15
MOST_BYTES_A_PERSON = 20_000


@pytest.mark.parametrize("name", NAMES)
def test_two_threads_and_one_give_the_same_bytes(name):
    system = system_of(name, Bright())
    runs = []
    for threads in (1, 2):
        stream = system.stream()
        stream.threads = threads
        rows = [stream.update(walkers(3 * i), i / FPS).rows for i in range(8)]
        runs.append((np.concatenate(rows).tobytes(), stream.state()))
    assert len(runs[0][0]) > 0
    assert runs[0][0] == runs[1][0]
    for key, array in runs[0][1].items():
        np.testing.assert_array_equal(array, runs[1][1][key], err_msg=key)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "toy"])
def test_a_person_takes_little_memory(name):
    stream = system_of(name, Bright()).stream()
    for i in range(8):
        stream.update(walkers(3 * i), i / FPS)
    tracks = stream.state()["tracks"]
    assert len(tracks) == 2
    assert tracks.dtype.itemsize <= MOST_BYTES_A_PERSON, tracks.dtype.itemsize
