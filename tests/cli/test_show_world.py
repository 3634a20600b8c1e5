"""``choros show --world``: a video of the world without the one that was filmed; one of the two, not both."""

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from choros.camera import intrinsics
from choros.cli.main import main
from choros.cli.progress import TrackProgress
from choros.motion import FRAME, ROW, Header, Motion
from choros.video import open_video
from choros.view.viewpoint import looking


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """One person in the world before a camera, for two frames."""
    frames, rows = np.zeros(2, FRAME), np.zeros(2, ROW)
    frames["number"] = np.arange(2)
    frames["pts"], frames["K"], frames["T_world_camera"] = [(0, 1), (1, 10)], intrinsics(320, 240), np.eye(4)
    frames["T_world_camera"][:, :3, :3] = looking(np.array([0.0, 1.0]), 0.2)
    frames["T_world_camera"][:, 2, 3], frames["camera_known"] = 1.5, True
    rows["frame"], rows["person"], rows["visible"], rows["transl"] = [0, 1], 1, True, (0, 4, 1.1)
    Motion(Header(Fraction(10), 320, 240, space="world"), frames, rows).save(tmp_path / "world.npz")
    return tmp_path / "world.npz"


def test_the_world_is_shown(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = world.with_name("out.mp4")
    main(["show", "--world", str(world), "--view", "top", "-o", str(out)])
    assert capsys.readouterr().out.strip() == f"{out}: 2 frames"
    with open_video(out) as reader:
        assert (reader.info.width, reader.info.height, len(list(reader))) == (640, 720, 2)


@pytest.mark.parametrize(
    ("name", "starts"),
    [
        ("o.mov", b"....ftyp"),
        ("o.webm", b"\x1a\x45\xdf\xa3"),
        ("o.gif", b"GIF89a"),
        ("o.webp", b"RIFF....WEBP"),
    ],
)
def test_the_suffix_tells_what_is_written(world: Path, name: str, starts: bytes) -> None:
    out = world.with_name(name)
    main(["show", "--world", str(world), "-o", str(out)])
    assert re.match(starts, out.read_bytes(), re.DOTALL)


def test_pictures_have_the_sources_numbers(world: Path) -> None:
    motion = Motion.load(world)
    motion.frames["number"] = [7, 12]
    motion.save(world)
    main(["show", "--world", str(world), "-o", str(world.with_name("frames") / "%06d.png")])
    assert sorted(path.name for path in world.with_name("frames").iterdir()) == ["000007.png", "000012.png"]


@pytest.mark.parametrize("name", ["o.jpg", "o.foo", "o", "o.avi"])
def test_other_suffixes_are_refused_before_any_work(
    world: Path, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("choros.view.world_view.render_world", lambda *_: pytest.fail("work has begun"))
    with pytest.raises(SystemExit) as end:
        main(["show", "--world", str(world), "-o", str(world.with_name(name))])
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.count("\n") == 1
    for known in (".mp4", ".mov", ".webm", ".gif", ".webp", "%06d.png"):
        assert known in said
    assert [path.name for path in world.parent.iterdir()] == ["world.npz"]


def test_pictures_are_not_written_among_those_of_the_video(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = world.with_name("pictures")
    folder.mkdir()
    with pytest.raises(SystemExit) as end:
        main(["show", str(world), str(folder), "-o", str(folder / "%06d.jpg")])
    assert end.value.code == 2
    assert "which is read" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--world", "film.mp4"], []])
def test_a_video_or_the_world(world: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["show", str(world), *arguments, "-o", str(world.with_name("out.mp4"))])
    assert end.value.code == 2
    assert "world.npz" in capsys.readouterr().err
    assert not world.with_name("out.mp4").exists()


@pytest.mark.parametrize("before", [b"the film of yesterday", None])
def test_ctrl_c_says_what_is_left(
    before: bytes | None, world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A film that was there is left; where none was, what was drawn until then is."""
    out = world.with_name("out.mp4")
    if before is not None:
        out.write_bytes(before)

    def stop(progress: TrackProgress, done: int, total: int | None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TrackProgress, "count", stop)
    with pytest.raises(SystemExit) as ended:
        main(["show", str(world), "--world", "-o", str(out)])
    said = capsys.readouterr().err
    assert ended.value.code == 130
    if before is not None:
        assert (said, out.read_bytes()) == (f"choros: stopped; {out} is as it was before.\n", before)
        return
    assert said == "choros: stopped; what was done until now is written.\n"
    with open_video(out) as reader:
        assert len(list(reader)) == 1
