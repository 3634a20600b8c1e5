"""Tables of joint angles: what other programs read of them is what the poses are."""

import csv

import numpy as np
import pytest

from choros.body.isb_angles import NAMES, isb_angles
from choros.exporters import FORMATS, ExportOptions
from tests.exporters.walkers import THERE, UNSEEN, walkers

OPTIONS = ExportOptions()


@pytest.fixture(scope="module")
def motion():
    made = walkers()
    made.rows["body_pose"][made.row_frame == 20] = 0
    made.rows["body_pose"][made.row_frame == 20, 15 * 3 + 2] = -np.pi / 2  # the left arm hangs
    return made


def expected(motion):
    turns = np.concatenate([motion.rows["global_orient"], motion.rows["body_pose"]], 1).reshape(-1, 24, 3)
    return isb_angles(turns)


def test_the_text_has_a_row_a_person_and_frame_and_units_in_its_head(motion, tmp_path):
    (path,) = FORMATS["angles"].write(motion, tmp_path / "m.angles.csv", OPTIONS)
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:5] == ["frame", "time_s", "person", "visible", "confidence"]
    assert list(rows[0])[5:] == [f"{name}_deg" for name in NAMES]
    assert [(int(row["frame"]), int(row["person"])) for row in rows] == list(
        zip(motion.row_frame.tolist(), motion.row_person.tolist(), strict=True)
    )
    told = np.array([[float(row[f"{name}_deg"] or "nan") for name in NAMES] for row in rows])
    np.testing.assert_allclose(told, expected(motion), atol=6e-4)
    assert rows[0]["time_s"] == "0.000000"
    unseen = {(int(row["frame"]), int(row["person"])) for row in rows if row["visible"] == "0"}
    assert unseen == {(frame, person) for person, frames in UNSEEN.items() for frame in frames}
    empty = [row for row in rows if not row["left_shoulder_plane_of_elevation_deg"]]
    assert len(empty) == sum(20 in there for there in THERE.values())


def test_parquet_is_the_same_with_units_in_its_metadata(motion, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    (path,) = FORMATS["angles-parquet"].write(motion, tmp_path / "m.angles.parquet", OPTIONS)
    table = parquet.read_table(path)
    told = np.stack([table[f"{name}_deg"].to_numpy() for name in NAMES], 1)
    np.testing.assert_allclose(told, expected(motion), atol=1e-6)
    assert table["left_shoulder_plane_of_elevation_deg"].null_count == 3
    assert table.schema.field("left_knee_flexion_deg").metadata == {b"unit": b"degree"}
    assert table.schema.field("time_s").metadata == {b"unit": b"second"}
    assert table.schema.field("person").metadata is None
    np.testing.assert_array_equal(table["person"].to_numpy(), motion.row_person)


def test_nobody_is_a_table_without_rows(motion, tmp_path):
    (path,) = FORMATS["angles"].write(motion.select([]), tmp_path / "m.angles.csv", OPTIONS)
    assert path.read_text().count("\n") == 1
