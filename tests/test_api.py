"""What ``import choros`` has for a motion that is there: the same as the commands do, by the same way."""

from pathlib import Path

import numpy as np
import pytest

import choros
from choros.cli.main import main
from tests.exporters.walkers import walkers


def test_the_end_of_a_name_tells_the_format(tmp_path):
    motion = walkers()
    motion.save(tmp_path / "motion.npz")
    (glb,) = choros.export(tmp_path / "motion.npz", tmp_path / "people.glb")
    assert glb.read_bytes()[:4] == b"glTF"
    (coco,) = choros.export(motion, str(tmp_path / "people.coco.json"))
    assert coco.read_text().startswith("{")
    (table,) = choros.export(motion, tmp_path / "people.TXT", people=[2])
    assert {line.split(",")[1] for line in table.read_text().splitlines()} == {"2"}
    (named,) = choros.export(motion, tmp_path / "people.table", "csv")
    assert "pelvis" in named.read_text().splitlines()[0]
    assert len(choros.export(motion, tmp_path / "people.bvh")) >= 2


def test_names_and_formats_that_there_are_not(tmp_path):
    with pytest.raises(choros.ChorosError, match=r"people\.doc .*\.glb \(glb\)"):
        choros.export(walkers(), tmp_path / "people.doc")
    with pytest.raises(choros.ChorosError, match="no format doc; choose one of: glb"):
        choros.export(walkers(), tmp_path / "people.glb", "doc")


def test_export_is_the_command(tmp_path, capsys):
    walkers().save(tmp_path / "motion.npz")
    main(["export", str(tmp_path / "motion.npz"), "--to", "obj", "-o", str(tmp_path / "by")])
    choros.export(tmp_path / "motion.npz", tmp_path / "motion.obj")
    assert (tmp_path / "motion.obj").read_bytes() == (tmp_path / "by" / "motion.obj").read_bytes()


def test_render_is_the_command(scene, tmp_path, capsys):
    video, motion = scene.video, scene.truth
    done = []
    n = choros.render(
        motion, video, tmp_path / "a" / "%03d.png", ghosts=False, progress=lambda *at: done.append(at)
    )
    assert n == len(motion) == done[-1][0]
    words = [
        "show",
        str(scene.folder / "motion.npz"),
        str(video),
        "--no-ghosts",
        "-o",
        str(tmp_path / "b" / "%03d.png"),
    ]
    main(words)
    pictures = sorted((tmp_path / "a").iterdir())
    assert len(pictures) == n
    for picture in pictures:
        assert picture.read_bytes() == (tmp_path / "b" / picture.name).read_bytes()


def test_world_is_the_command_and_is_drawn_without_its_video(scene, tmp_path, capsys):
    world = choros.world(scene.folder / "motion.npz", scene.video, camera="static")
    assert world.space == "world"
    words = ["world", str(scene.folder / "motion.npz"), str(scene.video), "--camera", "static"]
    main([*words, "-o", str(tmp_path / "world.npz")])
    np.testing.assert_array_equal(choros.Motion.load(tmp_path / "world.npz").rows, world.rows)
    assert choros.render(world, output=tmp_path / "world.mp4", view="top") == len(world)
    with pytest.raises(choros.ChorosError, match=r"flying .*auto, static, turning, moving"):
        choros.world(scene.folder / "motion.npz", camera="flying")


def test_names_of_the_package_are_not_those_of_its_rooms():
    """Or importing a room would put it in the place of the function."""
    rooms = {path.stem for path in Path(choros.__file__).parent.iterdir() if path.suffix in ("", ".py")}
    assert rooms & set(choros.__all__) == set(choros._MODULES)
