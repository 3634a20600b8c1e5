"""OBJ and PLY, read by trimesh: everybody's skin in one frame."""

from dataclasses import replace

import numpy as np
import pytest

from choros.errors import ChorosError
from choros.exporters import ExportOptions
from choros.exporters.obj_ply import write_obj, write_ply
from choros.mesh.colours import colour_of
from tests.exporters.twin import BODY, in_world, of_one_shape, points, y_up
from tests.exporters.walkers import THERE, walkers

trimesh = pytest.importorskip("trimesh")
FRAME = 13  # 1 and 2 are there, 2 is not seen
OPTIONS = ExportOptions(space="world", body=BODY, frame=FRAME)


@pytest.fixture(scope="module")
def motion():
    return of_one_shape(walkers())


def skin(motion, person):
    row = list(THERE[person]).index(FRAME)
    return y_up(in_world(motion, person, points(motion, person, BODY.vertices))[row])


def test_obj_has_an_object_and_a_material_each(motion, tmp_path):
    obj, materials = write_obj(motion, tmp_path / "m.obj", OPTIONS)
    scene = trimesh.load(obj, process=False, maintain_order=True)  # by material
    assert set(scene.geometry) == {"person_1", "person_2"}
    for person in (1, 2):
        mesh = scene.geometry[f"person_{person}"]
        np.testing.assert_allclose(mesh.triangles, skin(motion, person)[BODY.faces], atol=2e-5)
        assert mesh.is_watertight
        assert mesh.volume > 0  # faces look outwards
        assert mesh.visual.material.diffuse[:3].tolist() == pytest.approx(colour_of(person), abs=1)
    lines = obj.read_text().splitlines()
    assert [line for line in lines if line.startswith("o ")] == ["o person_1", "o person_2"]
    assert lines[lines.index("o person_2") - 1] == "# predicted, not seen in this frame"
    assert sum("not seen" in line for line in lines) == 1
    assert materials.name == "m.mtl"


def test_ply_tells_of_each_vertex_whose_it_is(motion, tmp_path):
    (file,) = write_ply(motion, tmp_path / "m.ply", OPTIONS)
    mesh = trimesh.load(file, process=False)
    true = [skin(motion, person) for person in (1, 2)]
    np.testing.assert_allclose(mesh.vertices, np.concatenate(true), atol=1e-6)
    faces = np.concatenate([BODY.faces, BODY.faces + BODY.n_vertices])
    np.testing.assert_array_equal(mesh.faces, faces)
    vertex = mesh.metadata["_ply_raw"]["vertex"]["data"]
    person = np.repeat([1, 2], BODY.n_vertices)
    np.testing.assert_array_equal(vertex["person"].ravel(), person)
    np.testing.assert_array_equal(vertex["visible"].ravel(), person == 1)
    np.testing.assert_array_equal(mesh.visual.vertex_colors[:, :3], [colour_of(p) for p in person])


def test_the_frame_is_the_one_that_the_source_calls_so(motion, tmp_path):
    frames = motion.frames.copy()
    frames["number"] = [*range(100, 110), *range(115, 135)]
    named = replace(motion, header=replace(motion.header, numbers="named"), frames=frames)

    def ply(given, number):
        options = replace(OPTIONS, frame=number)
        return write_ply(given, tmp_path / "m.ply", options)[0].read_bytes()

    whole = ply(named, 100 + 5 + FRAME)
    assert b"frame 118," in whole
    assert ply(named[5:20], 118) == whole
    assert whole[-1000:] == ply(motion, FRAME)[-1000:]
    assert b"frame 100," in ply(named, None)
    assert b"frame 108," in ply(named.select([2]), None)  # the first with anybody
    with pytest.raises(
        ChorosError, match=r"of walkers\.mp4 has no frame 112; .*it has 100 to 134, 5 of them missing"
    ):
        ply(named, 112)
    with pytest.raises(ChorosError, match=r"has no frame 30; .*it has 0 to 29\)"):
        ply(motion, 30)


@pytest.mark.parametrize("write", [write_obj, write_ply])
def test_a_frame_without_people_is_refused(write, motion, tmp_path):
    with pytest.raises(ChorosError, match=r"m\.xyz would be empty.* frame 13 "):
        write(motion, tmp_path / "m.xyz", ExportOptions(people=(5,), body=BODY, frame=FRAME))
    assert not list(tmp_path.iterdir())
