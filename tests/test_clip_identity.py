"""A clip is known again by its content, and by nothing else."""

import os

import numpy as np
import pytest

from choros.clip_identity import difference, identity_of

MIB = 1 << 20


def of(path):
    identity = identity_of(path)
    assert identity is not None
    return identity


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(6 * MIB))
    return path


def test_a_copy_at_another_time_is_the_same(film, tmp_path):
    before = of(film)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(film.read_bytes())
    os.utime(copy, (1e9, 1e9))
    assert of(copy)["modified"] == "2001-09-09T01:46:40+00:00"
    assert difference(before, of(copy)) is None


@pytest.mark.parametrize(("at", "length"), [(0, 1), (65535, 1), (3 * MIB, MIB // 4), (6 * MIB - 1, 1)])
def test_other_content_of_the_same_size_and_time(film, at, length):
    before, stat = of(film), film.stat()
    data = bytearray(film.read_bytes())
    data[at : at + length] = bytes(byte ^ 1 for byte in data[at : at + length])
    film.write_bytes(data)
    os.utime(film, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert "other content" in difference(before, of(film))


def test_a_longer_or_shorter_file(film):
    before = of(film)
    with open(film, "r+b") as file:
        file.truncate(5 * MIB)
    assert difference(before, of(film)) == "5,242,880 bytes where there were 6,291,456 bytes"


def test_a_file_where_there_was_a_folder(film, tmp_path):
    assert "files" in difference(of(tmp_path), of(film))


def test_what_cannot_be_read_twice_has_no_identity(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for source in (
        tmp_path / "pipe",
        tmp_path / "missing",
        "rtsp://camera/stream",
        "https://host/clip.mp4",
        "-",
    ):
        assert identity_of(source) is None
