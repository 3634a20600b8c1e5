"""``choros export``: files under the names that it says, and one sentence for what it cannot do."""

import pytest

from choros.cli.main import main
from choros.exporters import FORMATS
from choros.exporters.rigs import RIGS
from tests.exporters.walkers import walkers


@pytest.fixture(scope="module")
def motion(tmp_path_factory):
    path = tmp_path_factory.mktemp("motion") / "dance.npz"
    walkers().save(path)
    return path


def test_formats_into_a_folder(motion, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    main(["export", str(motion), "--to", "bvh", "csv", "-o", str(out), "--people", "2", "--space", "world"])
    said = [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()]
    assert said == [str(out / "dance_person_2_from_9.bvh"), str(out / "dance.csv")]
    assert {str(path) for path in out.iterdir()} == set(said)


def test_people_who_were_hardly_there_are_left_out_unless_asked_for(tmp_path, capsys):
    whole = walkers()
    first = whole.rows["frame"][whole.rows["person"] == 2].min()
    whole.rows["visible"][(whole.rows["person"] == 2) & (whole.rows["frame"] > first)] = False
    whole.save(tmp_path / "dance.npz")
    lines = {}
    for name, flags in (("sure", []), ("all", ["--tentative"])):
        main(["export", str(tmp_path / "dance.npz"), "--to", "csv", "-o", str(tmp_path / name), *flags])
        lines[name] = len((tmp_path / name / "dance.csv").read_text().splitlines())
    assert lines["all"] - lines["sure"] == (whole.rows["person"] == 2).sum()


def test_a_folder_stands_for_the_motion_in_it(tmp_path, capsys):
    folder = tmp_path / "out"
    walkers().save(folder / "motion.npz")
    main(["export", str(folder), "--to", "csv", "mot", "-o", str(tmp_path / "of_folder")])
    main(["export", str(folder / "motion.npz"), "--to", "csv", "mot", "-o", str(tmp_path / "of_file")])
    for name in ("motion.csv", "motion.txt"):
        assert (tmp_path / "of_folder" / name).read_bytes() == (tmp_path / "of_file" / name).read_bytes()
    main(["plot", str(folder), "-o", str(tmp_path / "report.html")])
    assert (tmp_path / "report.html").is_file()
    capsys.readouterr()
    for command in (
        ["export", str(tmp_path), "--to", "csv"],
        ["show", str(tmp_path), "--world"],
        ["view", str(tmp_path), "--html", str(tmp_path / "v.html")],
        ["plot", str(tmp_path)],
        ["world", str(tmp_path)],
    ):
        with pytest.raises(SystemExit) as end:
            main(command)
        said = capsys.readouterr().err
        assert end.value.code == 2
        assert f"{tmp_path} is a folder without a motion.npz" in said
        assert said.count("\n") == 1


def test_the_frame_of_a_mesh_is_the_sources(tmp_path, capsys):
    walkers()[6:].save(tmp_path / "motion.npz")
    out = ["--to", "ply", "-o", str(tmp_path)]
    main(["export", str(tmp_path), *out, "--frame", "6"])
    main(["export", str(tmp_path), *out])
    with pytest.raises(SystemExit) as end:
        main(["export", str(tmp_path), *out, "--frame", "5"])
    assert end.value.code == 2
    assert "has no frame 5; give another frame (it has 6 to 29)" in capsys.readouterr().err


def test_list_shows_every_format(capsys):
    main(["export", "--list"])
    said = capsys.readouterr().out
    for name, format in FORMATS.items():
        assert f"format    {name}" in said
        assert format.file in said
        assert format.axes.split(";")[0] in said
    assert all(f"rig       {name}" in said for name in RIGS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--to", "maya"), "no format maya; after --to there may be glb, bvh"),
        ((), "--to what to make of it: glb, bvh"),
        (("--to", "bvh", "--people", "7"), "no person 7"),
        (("--to", "bvh", "-o", __file__), "is a file; name a folder after -o"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(motion, tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(["export", str(motion), *arguments])
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith("choros: ")
    assert says in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_rig_and_what_it_lacks_in_one_line(motion, tmp_path, capsys):
    out = ["--space", "world", "--people", "1", "-o", str(tmp_path)]
    main(["export", str(motion), "--to", "bvh", "glb", "--rig", "mixamo", "--units", "m", "--in-place", *out])
    *files, lacks = capsys.readouterr().out.splitlines()
    said = tmp_path / "dance_person_1_from_1.bvh"
    assert lacks.startswith("mixamo: no fingers")
    assert [line.split(": ")[0] for line in files] == [str(said), str(tmp_path / "dance.glb")]
    assert "ROOT mixamorig:Hips" in said.read_text()
    with pytest.raises(SystemExit) as end:
        main(["export", str(motion), "--to", "bvh", "--rig", "maya", *out])
    assert end.value.code == 2
    assert "there is no rig maya; choose one of: smpl, mixamo" in capsys.readouterr().err


def test_fbx_says_how_without_blender(motion, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("choros.exporters.fbx.importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as end:
        main(["export", str(motion), "--to", "fbx", "-o", str(tmp_path)])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert "run `pip install choros[fbx]`" in said
    assert "or take --to glb, import it in Blender and choose FBX" in said
    assert list(tmp_path.iterdir()) == []
