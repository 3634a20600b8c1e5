"""A file that a library writes by name appears whole or not at all."""

import pytest

from choros.export.whole import whole_file


def test_the_file_appears_under_its_name(tmp_path):
    with whole_file(tmp_path / "new" / "m.c3d") as part:
        assert part.suffix == ".c3d"
        part.write_bytes(b"all of it")
        assert not (tmp_path / "new" / "m.c3d").exists()
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["m.c3d"]


def test_what_failed_leaves_the_old_file(tmp_path):
    (tmp_path / "m.c3d").write_bytes(b"old")

    def fail():
        with whole_file(tmp_path / "m.c3d") as part:
            part.write_bytes(b"half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]
