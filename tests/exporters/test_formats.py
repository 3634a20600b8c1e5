"""What all exporters share: whom and what they choose of a motion, its axes and times, and the table of formats."""

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from choros.body.cast import cast_of, shots
from choros.errors import ChorosError
from choros.exporters import FORMATS, ExportOptions, Format, c3d
from choros.exporters.formats import table
from choros.motion import Motion
from tests.exporters.twin import BODY, in_world, of_one_shape, points, y_up
from tests.exporters.walkers import FPS, THERE, UNSEEN, walkers

ROBOT = Path(__file__).parents[2] / "docs" / "robots" / "small_humanoid.xml"


@pytest.fixture(scope="module")
def motion():
    return of_one_shape(walkers())


def joints(cast, index):
    return BODY.joints(cast.people[index].params()).numpy()


# Axes ---------------------------------------------------------------------------------------------------


def test_before_a_camera_up_is_against_its_y_and_z_up_looks_along_y(motion):
    for index, person in enumerate(THERE):
        x, y, z = np.moveaxis(points(motion, person), -1, 0)
        y_is_up = joints(cast_of(motion, ExportOptions(), up="y"), index)
        z_is_up = joints(cast_of(motion, ExportOptions(), up="z"), index)
        np.testing.assert_allclose(y_is_up, np.stack([x, -y, -z], -1), atol=2e-6)
        np.testing.assert_allclose(z_is_up, np.stack([x, z, -y], -1), atol=2e-6)


@pytest.mark.parametrize("space", ["camera", "world"])
def test_the_world_is_the_same_whatever_space_the_motion_is_in(motion, space):
    given = of_one_shape(walkers(space))
    in_the_world = cast_of(given, ExportOptions(space="world"), up="z")
    before_camera = cast_of(given, ExportOptions(space="camera"), up="y")
    for index, person in enumerate(THERE):
        cam = points(motion, person)
        # walkers("world") are turned about the pelvis's own origin, a little off (J0 is not at 0).
        shift = (
            0 if space == "camera" else points(given, person)[:, :1] - in_world(motion, person, cam)[:, :1]
        )
        np.testing.assert_allclose(
            joints(in_the_world, index), in_world(motion, person, cam) + shift, atol=5e-6
        )
        if space == "camera":
            np.testing.assert_allclose(joints(before_camera, index), cam * [1, -1, -1], atol=5e-6)
    np.testing.assert_allclose(in_the_world.T_file_camera, motion.T_world_camera)
    np.testing.assert_allclose(before_camera.T_file_camera[3], np.diag([1, -1, -1, 1]), atol=1e-12)


def test_y_up_in_the_world(motion):
    up = cast_of(motion, ExportOptions(space="world"), up="y")
    np.testing.assert_allclose(joints(up, 0), y_up(in_world(motion, 1, points(motion, 1))), atol=5e-6)
    np.testing.assert_allclose(up.T_file_camera[:, :3, 3], y_up(motion.T_world_camera[:, :3, 3]))


def test_a_camera_that_is_guessed_is_none():
    """Whatever pose stands there: no camera goes into a file of the world, and nobody is moved by it."""
    camera, world = walkers(), walkers("world")
    for one in (camera, world):
        one.frames["camera_known"] = False
    assert cast_of(world, ExportOptions()).T_file_camera is None
    for one, space in ((camera, "world"), (world, "camera")):
        with pytest.raises(ChorosError, match="does not tell where the camera was"):
            cast_of(one, ExportOptions(space=space))


def test_a_shape_that_wavers_becomes_one_and_the_pelvis_stays(motion):
    wavering = walkers()
    cast = cast_of(wavering, ExportOptions(), up="y")
    np.testing.assert_allclose(cast.people[0].betas, np.median(wavering.person(1).betas, axis=0))
    np.testing.assert_allclose(joints(cast, 0)[:, 0], points(wavering, 1)[:, 0] * [1, -1, -1], atol=1e-6)


# Times --------------------------------------------------------------------------------------------------


def test_times_count_from_the_first_frame_and_stretches_tell_who_is_there(motion):
    cast = cast_of(motion, ExportOptions(), up="y")
    assert [person.id for person in cast.people] == list(THERE)
    for person, there in zip(cast.people, THERE.values(), strict=True):
        assert person.frame.tolist() == list(there)
        np.testing.assert_allclose(person.time_s, np.array(there) / FPS)
    assert cast.people[0].unseen() == []
    assert cast.people[1].stretches() == [(0, 22)]
    assert cast.people[1].unseen() == [(12 - 8, 15 - 8)]
    assert cast.people[2].stretches() == [(0, 10), (10, 18)]
    assert cast.people[2].frame[slice(*cast.people[2].unseen()[0])].tolist() == list(UNSEEN[5])


def test_somebody_in_two_shots_is_two_people_to_files_without_times(motion):
    frames = motion.frames.copy()
    frames["cut_before"][20] = True
    cast = cast_of(replace(motion, frames=frames), ExportOptions(), up="y")
    before, after = shots(cast.people[1], cast)
    assert [before.frame.tolist(), after.frame.tolist()] == [list(range(8, 20)), list(range(20, 30))]
    np.testing.assert_array_equal(np.concatenate([before.pelvis, after.pelvis]), cast.people[1].pelvis)
    assert before.rotvec.shape == (12, 24, 3)


# Refusals -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "options", "says"),
    [
        (walkers(camera_moves=False), ExportOptions(space="world"), r"walkers.mp4 .* in camera space"),
        (walkers(), ExportOptions(people=(1, 9)), "no person 9"),
        (walkers().select([]), ExportOptions(), "nobody is in the motion of walkers.mp4"),
        (replace(walkers(), header=replace(walkers().header, body="smpl")), ExportOptions(), "model file"),
    ],
)
def test_what_is_not_in_the_motion_is_said(given, options, says):
    with pytest.raises(ChorosError, match=says):
        cast_of(given, options)


def test_numbers_that_are_not_finite_are_refused():
    broken = walkers()
    broken.rows["transl"][5] = np.nan
    with pytest.raises(ChorosError, match=f"person {broken.row_person[5]} "):
        cast_of(broken, ExportOptions())


# The table ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_writes_the_files_that_the_table_names(name, motion: Motion, tmp_path):
    packages = {
        "c3d": "ezc3d",
        "usd": "pxr",
        "parquet": "pyarrow",
        "robot": "mink",
        "fbx": "bpy",
        "anny": "anny",
    }
    if FORMATS[name].extra and find_spec(packages[FORMATS[name].extra]) is None:
        pytest.skip(f"no {packages[FORMATS[name].extra]}")
    options = ExportOptions(body=BODY, robot=ROBOT)
    files = FORMATS[name].write(motion, tmp_path / f"motion{FORMATS[name].suffix}", options)
    assert FORMATS[name].file in {file.name for file in files}
    assert set(files) == set(tmp_path.iterdir())


def test_the_table_has_a_row_for_each_format():
    rows = table()
    assert [row["format"] for row in rows] == list(FORMATS)
    assert all(row[key] for row in rows for key in ("what", "file", "units", "axes", "times", "not seen"))


def test_a_package_that_is_not_installed_is_named(motion, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, c3d.__name__)
    monkeypatch.setitem(sys.modules, "ezc3d", None)
    with pytest.raises(ChorosError, match=r"m\.c3d .* ezc3d; run `pip install choros\[c3d\]`"):
        FORMATS["c3d"].write(motion, tmp_path / "m.c3d")
    assert Format("x", "motion.x.json", "none:none", "", "", "", "", "").suffix == ".x.json"
