"""`choros batch`: the bytes of `choros track`, JSON for machines, one sentence for what has failed."""

import json

import pytest

from choros.cli.main import main
from tests.batch.shades import film


def ended(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(["batch", *map(str, arguments)])
    return stop.value.code


def test_a_batch_is_its_clips_one_by_one(tmp_path, capsys):
    for name in ("a", "b"):
        film(tmp_path / "in" / f"{name}.mp4", frames=5, size=96)
    (tmp_path / "in" / "poor.mp4").write_bytes(b"nothing of a video" * 9)
    (tmp_path / "m.csv").write_text("path,fov,end\nin/a.mp4,50,0.5\nin/b.mp4,,\nin/poor.mp4,,\n")
    assert ended(tmp_path / "m.csv", "-o", tmp_path / "out", "--workers", "1", "--json") == 2
    out, err = capsys.readouterr()
    said = [json.loads(line) for line in out.splitlines()]
    assert [one["status"] for one in said if one["event"] == "clip"].count("done") == 2
    assert said[-1]["event"] == "end"
    assert (said[-1]["clips"], said[-1]["done"]) == (3, 2)
    assert "1 of 3 clips failed, the first poor.mp4" in err
    for name, more in (("a", ["--fov", "50", "--end", "0.5"]), ("b", [])):
        main(["track", str(tmp_path / "in" / f"{name}.mp4"), "-o", str(tmp_path / name), *more])
        for file in ("motion.npz", "tracks.txt"):
            alone = (tmp_path / name / file).read_bytes()
            assert (tmp_path / "out" / f"{name}.mp4" / file).read_bytes() == alone
    capsys.readouterr()
    (tmp_path / "in" / "poor.mp4").unlink()
    main(["batch", str(tmp_path / "in"), "-o", str(tmp_path / "other"), "--workers", "2", "--end", "0.3"])
    assert "2 of 2 clips done" in capsys.readouterr().out
    main(["batch", str(tmp_path / "in"), "-o", str(tmp_path / "other"), "--end", "0.3"])  # nothing is missing
    assert "2 of 2 clips done" in capsys.readouterr().out
    assert ended(tmp_path / "in", "-o", tmp_path / "other", "--end", "0.4") == 2
    assert "was begun with" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none"], "no such file"),
        (["in", "--workers", "0"], "--workers 0"),
        (["in", "--limit", "-1"], "--limit -1"),
        (["in", "--gpus", "1"], "give --ray"),
        (["in", "--fov", "400"], "field of view"),
        (["in", "--weights", "none.safetensors"], "no such file"),
    ],
)
def test_what_does_not_fit_is_one_sentence(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "in" / "a.mp4", frames=2)
    assert ended(*arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "choros-batch").exists()


def test_ray_that_is_not_there_is_one_sentence(tmp_path, monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    film(tmp_path / "a.mp4", frames=2)
    assert ended(tmp_path / "a.mp4", "-o", tmp_path / "out", "--ray", "auto") == 2
    assert "pip install 'choros[ray]'" in capsys.readouterr().err
