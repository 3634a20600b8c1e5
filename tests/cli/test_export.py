"""``choros export``: files under the names that it says, and one sentence for what it cannot do."""

import pytest

from choros.cli.main import main
from choros.export import FORMATS
from tests.export.walkers import walkers


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


def test_list_shows_every_format(capsys):
    main(["export", "--list"])
    said = capsys.readouterr().out
    for name, format in FORMATS.items():
        assert f"format    {name}" in said
        assert format.file in said
        assert format.axes.split(";")[0] in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--to", "fbx"), "no format fbx; after --to there may be glb, bvh"),
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
