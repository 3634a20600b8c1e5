"""C3D, through two readers: points, who is there, who is seen, and the times."""

from dataclasses import replace

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.exporters import ExportOptions
from choros.exporters.points import MARKERS
from choros.motion import Motion
from choros.motion.actions import with_actions
from choros.skeleton import JOINT_NAMES
from tests.exporters.twin import BODY, in_world, of_one_shape, points
from tests.exporters.walkers import FPS, FRAMES, THERE, UNSEEN, walkers

ezc3d = pytest.importorskip("ezc3d")
WORLD = ExportOptions(space="world", body=BODY)


def write_c3d(*arguments):
    from choros.exporters.c3d import write_c3d

    return write_c3d(*arguments)


@pytest.fixture(scope="module")
def motion():
    return of_one_shape(walkers())


@pytest.fixture(scope="module")
def file(motion, tmp_path_factory):
    return write_c3d(motion, tmp_path_factory.mktemp("c3d") / "m.c3d", WORLD)[0]


@pytest.fixture(scope="module")
def content(file):
    return ezc3d.c3d(str(file))


def test_joints_come_back(motion, content):
    point = content["parameters"]["POINT"]
    assert (point["UNITS"]["value"], point["RATE"]["value"]) == (["mm"], [FPS])
    assert (point["X_SCREEN"]["value"], point["Y_SCREEN"]["value"]) == (["+X"], ["+Z"])
    labels = point["LABELS"]["value"]
    assert labels == [f"person_{person}:{marker}" for person in THERE for marker in MARKERS]
    assert content["parameters"]["SUBJECTS"]["NAMES"]["value"] == [f"person_{person}" for person in THERE]
    for person, there in THERE.items():
        first = labels.index(f"person_{person}:pelvis")
        said = content["data"]["points"][:3, first : first + len(JOINT_NAMES)]
        true = 1000 * in_world(motion, person, points(motion, person))
        np.testing.assert_allclose(said[..., list(there)].transpose(2, 1, 0), true, atol=0.01)


def test_absent_and_unseen_people_are_marked(content):
    labels = content["parameters"]["POINT"]["LABELS"]["value"]
    about = content["data"]["meta_points"]
    for person, there in THERE.items():
        at = labels.index(f"person_{person}:head")
        absent = ~np.isin(np.arange(FRAMES), list(there))
        np.testing.assert_array_equal(about["residuals"][0, at], np.where(absent, -1, 0))
        np.testing.assert_array_equal(np.isnan(content["data"]["points"][0, at]), absent)
        unseen = absent | np.isin(np.arange(FRAMES), list(UNSEEN.get(person, ())))
        np.testing.assert_array_equal(about["camera_masks"][0, at], ~unseen)
        assert not about["camera_masks"][1:].any()


def test_channels_tell_times_and_confidence(motion, tmp_path):
    frames = motion.frames.copy()
    frames["pts"][20:, 0] += frames["pts"][20:, 1]  # a second that was lost
    frames["gap_before"][20] = True
    content = ezc3d.c3d(str(write_c3d(replace(motion, frames=frames), tmp_path / "m.c3d", WORLD)[0]))
    assert content["parameters"]["ANALOG"]["LABELS"]["value"][:2] == ["time_s", "person_1:confidence"]
    times, *confidence = content["data"]["analogs"][0]
    np.testing.assert_allclose(times, np.arange(FRAMES + FPS) / FPS, atol=1e-5)
    given = np.concatenate([np.arange(20), np.full(FPS, -1), np.arange(20, FRAMES)])
    for (_, there), said in zip(THERE.items(), confidence, strict=True):
        np.testing.assert_allclose(said, 0.9 * np.isin(given, list(there)), atol=1e-6)
    absent = content["data"]["meta_points"]["residuals"][0, 0] == -1
    np.testing.assert_array_equal(absent, given < 0)  # person 1 is everywhere else


def test_the_first_frame_has_the_sources_number(motion, tmp_path):
    def first(given):
        content = ezc3d.c3d(str(write_c3d(given, tmp_path / "m.c3d", WORLD)[0]))
        return content["header"]["points"]["first_frame"] + 1  # ezc3d counts from 0

    assert first(motion) == 1
    assert first(motion[12:]) == 13
    named = motion.frames.copy()
    named["number"] += 100
    header = replace(motion.header, numbers="named")
    assert first(replace(motion, header=header, frames=named)) == 100
    named["number"] += 65_500  # more than the header can count
    assert first(replace(motion, header=header, frames=named)) == 1


def test_another_reader_agrees(file, content):
    reader_of = pytest.importorskip("c3d")
    with open(file, "rb") as opened:
        reader = reader_of.Reader(opened)
        names = [name.strip() for name in reader.point_labels]
        frames = {number: (points, analog) for number, points, analog in reader.read_frames()}
    assert names == content["parameters"]["POINT"]["LABELS"]["value"]
    assert list(frames) == list(range(1, FRAMES + 1))
    for number, (said, analog) in frames.items():
        true = content["data"]["points"][:3, :, number - 1].T
        there = ~np.isnan(true[:, 0])
        np.testing.assert_allclose(said[there, :3], true[there], atol=1e-3)
        np.testing.assert_array_equal(said[:, 3] == -1, ~there)
        assert analog[0, 0] == pytest.approx((number - 1) / FPS, abs=1e-5)


def test_a_crowd_has_more_points_than_a_list_of_labels_holds(motion, tmp_path):
    copies = []
    for number in range(9):
        rows = motion.select([1]).rows.copy()
        rows["person"], rows["transl"][:, 0] = number + 1, rows["transl"][:, 0] + number
        copies.append(rows)
    rows = np.concatenate(copies)
    crowd = Motion(motion.header, motion.frames, rows[np.lexsort((rows["person"], rows["frame"]))])
    content = ezc3d.c3d(str(write_c3d(crowd, tmp_path / "m.c3d", ExportOptions(body=BODY))[0]))
    places = content["data"]["points"][:3]
    assert places.shape == (3, 9 * len(MARKERS), FRAMES)
    np.testing.assert_allclose(places[0, -1] - places[0, len(MARKERS) - 1], 8000, atol=0.01)


def test_more_frames_than_it_counts_are_refused(motion, tmp_path):
    frames = motion.frames.copy()
    frames["pts"][-1] = 2 * FPS + 65_535, FPS
    long = replace(motion, frames=frames)
    with pytest.raises(ChorosError, match=r"m\.c3d cannot hold 65536 frames"):
        write_c3d(long, tmp_path / "m.c3d")
    assert not list(tmp_path.iterdir())


def test_actions_are_events(tmp_path):
    """Person 2 walks from the second to the seventh of their frames; the file counts from its first frame."""
    motion = of_one_shape(walkers())
    mine = np.flatnonzero(motion.row_person == 2)[1:8]
    scores = np.zeros((len(motion.rows), 1))
    scores[mine] = 0.9
    told = with_actions(motion, ["walk"], scores)
    event = ezc3d.c3d(str(write_c3d(told, tmp_path / "m.c3d", WORLD)[0]))["parameters"]["EVENT"]
    assert event["LABELS"]["value"] == ["walk begins", "walk ends"]
    assert event["SUBJECTS"]["value"] == ["person_2", "person_2"]
    first = motion.row_pts_s[mine[0]] - motion.pts_s[0]
    np.testing.assert_allclose(event["TIMES"]["value"], [[0, 0], [first, first + 7 / FPS]], atol=1e-4)
