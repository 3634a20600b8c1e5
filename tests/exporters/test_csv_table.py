"""The table of joints: rows, column names, axes."""

import numpy as np
import pytest

from choros.exporters import ExportOptions
from choros.exporters.csv_table import write_csv
from choros.skeleton import JOINT_NAMES
from tests.exporters.twin import BODY, in_world, of_one_shape, points
from tests.exporters.walkers import FPS, THERE, UNSEEN, walkers


@pytest.mark.parametrize("space", ["world", "camera"])
def test_every_person_and_frame_is_a_row(space, tmp_path):
    motion = of_one_shape(walkers())
    (file,) = write_csv(motion, tmp_path / "m.csv", ExportOptions(space=space, body=BODY))
    table = np.genfromtxt(file, delimiter=",", names=True)
    expected = sorted((frame, person) for person, there in THERE.items() for frame in there)
    assert list(zip(table["frame"], table["person"], strict=True)) == expected
    np.testing.assert_allclose(table["time_s"], table["frame"] / FPS, atol=1e-6)
    np.testing.assert_allclose(table["confidence"], 0.9, atol=1e-4)
    for person in THERE:
        mine = table[table["person"] == person]
        unseen = np.isin(mine["frame"], list(UNSEEN.get(person, ())))
        np.testing.assert_array_equal(mine["visible"], ~unseen)
        true = points(motion, person)
        if space == "world":
            true = in_world(motion, person, true)
        else:
            true = np.stack([true[..., 0], true[..., 2], -true[..., 1]], axis=-1)  # right, away, up
        said = [[mine[f"{joint}_{axis}_m"] for axis in "xyz"] for joint in JOINT_NAMES]
        np.testing.assert_allclose(np.moveaxis(said, -1, 0), true, atol=2e-5)


def test_frames_have_the_sources_numbers_and_times_stay_exact(tmp_path):
    motion = walkers()
    motion.frames["number"][20:] += 7
    motion.frames["pts"] = np.stack([motion.number, np.full(len(motion), FPS)], axis=1)
    (file,) = write_csv(motion[10:], tmp_path / "m.csv", ExportOptions(people=(2,), body=BODY))
    table = np.genfromtxt(file, delimiter=",", names=True)
    assert table["frame"].tolist() == [*range(10, 20), *range(27, 37)]
    np.testing.assert_allclose(table["time_s"], motion.pts_s[10:] - motion.pts_s[10], atol=1e-6)


def test_only_those_asked_for(tmp_path):
    (file,) = write_csv(walkers(), tmp_path / "m.csv", ExportOptions(people=(5,), body=BODY))
    assert set(np.genfromtxt(file, delimiter=",", names=True)["person"]) == {5}
