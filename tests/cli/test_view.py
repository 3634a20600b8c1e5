"""``choros view --html`` and ``choros plot``: pages under the names they say, and one sentence for what cannot be."""

import sys

import pytest

from choros.cli.main import main
from tests.export.walkers import walkers


@pytest.fixture(scope="module")
def motion(tmp_path_factory):
    path = tmp_path_factory.mktemp("take") / "dance.npz"
    walkers().save(path)
    return path


def test_pages_are_written(motion, tmp_path, capsys):
    page, report = tmp_path / "new" / "m.html", tmp_path / "r.html"
    main(["view", str(motion), "--html", str(page)])
    main(["plot", str(motion), "-o", str(report), "--joints", "neck", "--people", "2", "5"])
    said = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in said] == [str(page), str(report)]
    assert "<title>dance</title>" in page.read_text()
    assert "Person 5" in report.read_text()


def test_motions_of_one_name_are_told_apart_by_their_folders(motion, tmp_path):
    other = tmp_path / "truth" / "dance.npz"
    other.parent.mkdir()
    walkers().save(other)
    main(["view", str(motion), str(other), "--html", str(tmp_path / "m.html")])
    assert f"<title>{motion.parent.name}/dance, truth/dance</title>" in (tmp_path / "m.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["view"], "give a motion.npz"),
        (["view", "MOTION", "--html", "m.npz"], "m.npz is not a page; name a file such as motion.html"),
        (["view", "MOTION"], "pip install choros[view]"),
        (["plot", "MOTION", "--joints", "tail"], "no angles of a joint tail"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(motion, tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(SystemExit) as end:
        main([str(motion) if argument == "MOTION" else argument for argument in arguments])
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert says in said
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
