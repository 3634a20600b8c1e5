"""TRC: what OpenSim reads is the joints, at their times, in millimetres and y up."""

from dataclasses import replace

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.exporters import ExportOptions
from choros.exporters.points import MARKERS
from choros.exporters.trc import write_trc
from choros.skeleton import JOINT_NAMES
from tests.exporters.twin import BODY, in_world, of_one_shape, points, y_up
from tests.exporters.walkers import FPS, FRAMES, THERE, walkers


def read(path):
    """Header by name, marker names, frames (n,), times (n,) and places (n, M, 3) with NaN where cells are empty."""
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    assert lines[0][:3] == ["PathFileType", "4", "(X/Y/Z)"]
    assert lines[0][3] == path.name
    markers = [cell for cell in lines[3][2:] if cell]
    assert lines[4][2:] == [f"{axis}{i + 1}" for i in range(len(markers)) for axis in "XYZ"]
    assert lines[5] == [""]
    assert all(
        line.pop() == "" for line in lines[6:]
    )  # a tab ends each row, which OpenSim needs of empty cells
    table = np.array([[float(cell or "nan") for cell in line] for line in lines[6:]])
    places = table[:, 2:].reshape(len(table), len(markers), 3)
    return dict(zip(lines[1], lines[2], strict=True)), markers, table[:, 0], table[:, 1], places


@pytest.fixture(scope="module")
def motion():
    return of_one_shape(walkers())


@pytest.fixture(scope="module")
def files(motion, tmp_path_factory):
    return write_trc(
        motion, tmp_path_factory.mktemp("trc") / "m.trc", ExportOptions(space="world", body=BODY)
    )


def test_joints_come_back(motion, files):
    assert [file.name for file in files] == ["m_person_1.trc", "m_person_2.trc", "m_person_5.trc"]
    for person, file in zip(THERE, files, strict=True):
        header, markers, frames, times, places = read(file)
        there = np.array(list(THERE[person]))
        assert (header["Units"], header["DataRate"], header["NumMarkers"]) == ("mm", "25", "33")
        assert int(header["NumFrames"]) == len(frames) == there[-1] - there[0] + 1
        assert int(header["OrigDataStartFrame"]) == there[0] + 1
        np.testing.assert_array_equal(frames, np.arange(there[0], there[-1] + 1) + 1)
        np.testing.assert_allclose(times, np.arange(there[0], there[-1] + 1) / FPS, atol=1e-6)
        assert tuple(markers) == MARKERS
        true = y_up(in_world(motion, person, points(motion, person)))
        np.testing.assert_allclose(places[there - there[0], : len(JOINT_NAMES)], 1000 * true, atol=0.01)


def test_cells_are_empty_while_somebody_is_away(files):
    _, _, frames, _, places = read(files[2])
    away = np.isnan(places)
    np.testing.assert_array_equal(frames[away.all(axis=(1, 2))], np.arange(10, 16) + 1)
    assert not away[~away.all(axis=(1, 2))].any()


def test_toes_and_heels_lie_on_the_foot(files):
    _, markers, _, _, places = read(files[0])
    at = {name: places[:, markers.index(name)] for name in markers}
    for side in ("left", "right"):
        length_mm = np.linalg.norm(at[f"{side}_big_toe"] - at[f"{side}_heel"], axis=1)
        assert 150 < length_mm.min() <= length_mm.max() < 330
        ball_mm = np.linalg.norm(at[f"{side}_big_toe"] - at[f"{side}_foot"], axis=1)
        assert (ball_mm < 0.6 * length_mm).all()


def test_lost_frames_are_empty_and_rate_count_and_times_agree(motion, tmp_path):
    frames = motion.frames.copy()
    frames["pts"][20:, 0] += frames["pts"][20:, 1]  # a second that was lost
    frames["number"][20:] += FPS
    frames["gap_before"][20] = True
    whole = read(write_trc(motion, tmp_path / "m.trc", ExportOptions(body=BODY))[0])
    (file, *_) = write_trc(replace(motion, frames=frames), tmp_path / "m.trc", ExportOptions(body=BODY))
    header, _, numbers, times, places = read(file)
    assert int(header["NumFrames"]) == len(times) == FRAMES + FPS
    np.testing.assert_allclose(times, np.arange(FRAMES + FPS) / float(header["DataRate"]), atol=1e-6)
    assert numbers.tolist() == list(range(1, FRAMES + FPS + 1))
    lost = np.arange(20, 20 + FPS)
    assert np.isnan(places[lost]).all()
    np.testing.assert_array_equal(np.delete(places, lost, axis=0), whole[4])


def test_frames_have_the_sources_numbers(motion, tmp_path):
    files = write_trc(motion[6:], tmp_path / "m.trc", ExportOptions(body=BODY))
    numbers = [read(file)[2] for file in files]
    assert [(n[0], n[-1]) for n in numbers] == [(7, 30), (9, 30), (7, 24)]
    frames = motion.frames.copy()
    frames["number"] = np.arange(FRAMES) * 5  # every fifth picture of a longer take
    named = replace(motion, header=replace(motion.header, numbers="named"), frames=frames)
    files = write_trc(named, tmp_path / "m.trc", ExportOptions(body=BODY))
    assert read(files[1])[2].tolist() == [5 * frame for frame in THERE[2]]


def test_uneven_frames_are_brought_to_the_rate_and_counted(motion, tmp_path):
    frames = motion.frames.copy()
    frames["pts"] = np.stack([7 * np.arange(FRAMES), np.full(FRAMES, 4 * FPS)], axis=1)
    (file, *_) = write_trc(replace(motion, frames=frames), tmp_path / "m.trc", ExportOptions(body=BODY))
    header, _, numbers, times, places = read(file)
    n = round(7 / 4 * (FRAMES - 1)) + 1
    assert numbers.tolist() == list(range(1, n + 1))
    np.testing.assert_allclose(times, np.arange(n) / float(header["DataRate"]), atol=1e-6)
    assert np.isfinite(places).all()


def test_another_reader_agrees(files):
    trc = pytest.importorskip("trc")
    data = trc.TRCData()
    data.load(files[2])
    _, markers, frames, times, places = read(files[2])
    assert data["Markers"] == markers
    assert data["Frame#"] == frames.tolist()
    np.testing.assert_array_equal(data["Time"], times)
    np.testing.assert_array_equal([data[name] for name in markers], places.transpose(1, 0, 2))


def test_opensim_reads_it(files):
    opensim = pytest.importorskip("opensim")  # too large for every run of the tests
    table = opensim.TimeSeriesTableVec3(str(files[2]))
    _, markers, _, times, places = read(files[2])
    assert list(table.getColumnLabels()) == markers
    np.testing.assert_allclose(table.getIndependentColumn(), times)
    said = [[table.getRowAtIndex(row)[column].to_numpy() for column in (0, 32)] for row in range(len(times))]
    np.testing.assert_allclose(said, places[:, [0, 32]], atol=1e-6)


def test_a_body_without_landmarks_is_refused(motion, tmp_path):
    bare = type(BODY)(replace(BODY._tables, landmarks={}))
    with pytest.raises(ChorosError, match="landmark"):
        write_trc(motion, tmp_path / "m.trc", ExportOptions(body=bare))


def test_in_opensim(tmp_path):
    """OpenSim's own reader: every marker, metres a thousandth of its numbers, nothing where nobody was followed."""
    opensim = pytest.importorskip("opensim")
    motion = of_one_shape(walkers())
    (path,) = write_trc(motion, tmp_path / "m.trc", ExportOptions("world", people=(5,), body=BODY))
    table = opensim.TimeSeriesTableVec3(str(path))
    assert tuple(table.getColumnLabels()) == MARKERS
    assert table.getTableMetaDataString("Units") == "mm"
    assert float(table.getTableMetaDataString("DataRate")) == FPS
    flat = table.flatten()  # its matrix lives no longer than it does
    places_m = flat.getMatrix().to_numpy().reshape(table.getNumRows(), -1, 3)[:, : len(JOINT_NAMES)] / 1000
    there = np.array(list(THERE[5]))
    np.testing.assert_allclose(
        places_m[there - there[0]], y_up(in_world(motion, 5, points(motion, 5))), atol=1e-5
    )
    gone = np.setdiff1d(np.arange(there[0], there[-1] + 1), there) - there[0]
    assert np.isnan(places_m[gone]).all()
    np.testing.assert_allclose(table.getIndependentColumn(), np.arange(len(places_m)) / FPS, atol=1e-6)
