"""The flat table: every number of a motion under its name, to pandas, pyarrow and polars alike."""

import sys

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.skeleton import COCO17, JOINT_NAMES
from tests.exporters.walkers import walkers

pandas = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def motion():
    motion = walkers()
    rng = np.random.default_rng(3)
    for name in ("body_pose", "box_px", "keypoints_px"):
        motion.rows[name] = rng.normal(size=motion.rows[name].shape)
    motion.frames["number"] += 100
    motion.frames["gap_before"][4] = motion.frames["cut_before"][20] = True
    motion.frames["K"][10:, 0] += 5
    return motion


def stacked(table, names):
    return np.stack([table[name] for name in names], axis=1)


def test_every_number_is_there_under_its_name(motion):
    table, rows = motion.to_pandas(), motion.rows
    assert len(table) == len(rows)
    for name in ("frame", "person", "visible", "confidence", "kid"):
        np.testing.assert_array_equal(table[name], rows[name])
    np.testing.assert_array_equal(table["number"], rows["frame"] + 100)
    np.testing.assert_array_equal(table["time_s"], motion.pts_s[rows["frame"]])
    np.testing.assert_array_equal(table["gap_before"], rows["frame"] == 4)
    np.testing.assert_array_equal(table["cut_before"], rows["frame"] == 20)
    np.testing.assert_array_equal(stacked(table, ["x0_px", "y0_px", "x1_px", "y1_px"]), rows["box_px"])
    for name, unit in (("transl", "m"), ("global_orient", "rad")):
        np.testing.assert_array_equal(stacked(table, [f"{name}_{axis}_{unit}" for axis in "xyz"]), rows[name])
    for number, joint in enumerate(JOINT_NAMES[1:]):
        turn = stacked(table, [f"{joint}_{axis}_rad" for axis in "xyz"])
        np.testing.assert_array_equal(turn, rows["body_pose"][:, 3 * number : 3 * number + 3])
    np.testing.assert_array_equal(stacked(table, [f"betas_{i}" for i in range(10)]), rows["betas"])
    for number, point in enumerate(COCO17):
        evidence = stacked(table, [f"{point}_x_px", f"{point}_y_px", f"{point}_confidence"])
        np.testing.assert_array_equal(evidence, rows["keypoints_px"][:, number])
    K = motion.K[rows["frame"]]
    camera = [K[:, 0, 0], K[:, 1, 1], K[:, 0, 2], K[:, 1, 2]]
    np.testing.assert_array_equal(stacked(table, ["fx_px", "fy_px", "cx_px", "cy_px"]).T, camera)
    assert len(table.columns) == 8 + 4 + 3 + 3 + 69 + 10 + 1 + 51 + 4
    assert all(dtype.kind in "bif" for dtype in table.dtypes)


def test_nobody_is_an_empty_table_with_the_same_columns(motion):
    empty = motion.select([]).to_pandas()
    assert len(empty) == 0
    assert list(empty.columns) == list(motion.to_pandas().columns)


def test_arrow_and_polars_read_the_same(motion):
    pyarrow, table = pytest.importorskip("pyarrow"), motion.to_pandas()
    assert pyarrow.table(motion).equals(motion.to_arrow())
    pandas.testing.assert_frame_equal(motion.to_arrow().to_pandas(), table)
    polars = pytest.importorskip("polars")
    read = polars.DataFrame(motion)
    assert read.columns == list(table.columns)
    np.testing.assert_array_equal(read["left_knee_x_rad"].to_numpy(), table["left_knee_x_rad"])


@pytest.mark.parametrize("package", ["pandas", "pyarrow"])
def test_a_missing_package_is_named(motion, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ChorosError, match=f"pip install {package}"):
        {"pandas": motion.to_pandas, "pyarrow": motion.to_arrow}[package]()
