"""Which clips the inputs of a batch name, and what is told of each."""

import json

import pytest

from choros.batch import Clip, clips_of, named
from choros.batch.clips import subjects_of
from choros.batch.sources import at_hand
from choros.errors import ChorosError
from choros.options import TrackOptions


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("a.mp4", "b.MOV", "deep/a.mp4", "deep/.hidden.mp4", "notes.md"):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_folders_globs_and_files(folder):
    clips = clips_of(["videos"])
    assert {clip.source for clip in clips} == {"videos/a.mp4", "videos/deep/a.mp4", "videos/b.MOV"}
    assert len({clip.name for clip in clips}) == 3
    assert [clip.name for clip in clips_of(["videos/*.mp4"])] == ["a.mp4"]
    assert len(clips_of(["videos/**/*.mp4"])) == 2
    assert clips_of(["videos/b.MOV", "videos/b.MOV"]) == [Clip("videos/b.MOV", "b.MOV")]


def test_names_do_not_depend_on_the_order(folder):
    one, other = clips_of(["videos", "videos/a.mp4"]), clips_of(["videos/a.mp4", "videos"])
    assert one == other
    names = {clip.source: clip.name for clip in one}
    assert names["videos/b.MOV"] == "b.MOV"
    assert names["videos/a.mp4"].startswith("a.mp4-")
    assert names["videos/a.mp4"] != names["videos/deep/a.mp4"]


def test_names_are_fit_for_any_file_system():
    (clip,) = named([Clip("s3://bucket/what ever?/über: a/b\\c*.mp4")])
    assert clip.name == "b_c_.mp4"
    assert named([Clip("/x/" + "y" * 300)])[0].name == "y" * 100
    upper, lower = named([Clip("a/CLIP.mp4"), Clip("b/clip.mp4")])
    assert upper.name.casefold() != lower.name.casefold()


def test_a_list(folder):
    (folder / "list.txt").write_text("# of today\nvideos/a.mp4\n\nvideos/deep\n")
    assert {clip.source for clip in clips_of(["list.txt"])} == {"videos/a.mp4", "videos/deep/a.mp4"}


ROWS = [
    {
        "path": "videos/a.mp4",
        "start": 1.5,
        "end": 9,
        "K": [600, 610, 320, 240],
        "rotate": 90,
        "subjects": "1=1.82 3=1.6",
    },
    {"path": "videos/b.MOV", "name": "second", "fov": 60},
]


def written(folder, kind):
    path = folder / f"manifest.{kind}"
    if kind == "parquet":
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow.parquet import write_table

        columns = dict.fromkeys(name for row in ROWS for name in row)
        write_table(pyarrow.table({name: [row.get(name) for row in ROWS] for name in columns}), path)
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in ROWS))
    else:
        gap = "," if kind == "csv" else "\t"
        lines = [["path", "name", "start", "end", "K", "rotate", "subjects", "fov", "weather"],
                 ["videos/a.mp4", "", "1.5", "9", "600 610 320 240", "90", "1=1.82 3=1.6", "", "rain"],
                 ["videos/b.MOV", "second", "", "", "", "", "", "60", ""]]  # fmt: skip
        path.write_text("\n".join(gap.join(line) for line in lines))
    return str(path)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_manifests_tell_the_same(folder, kind):
    first, second = clips_of([written(folder, kind)])
    assert (first.name, first.start_s, first.end_s, first.rotate) == ("a.mp4", 1.5, 9.0, 90)
    assert first.K == ((600, 0, 320), (0, 610, 240), (0, 0, 1))
    assert first.subjects == ((1, 1.82), (3, 1.6))
    assert (second.name, second.fov_deg, second.rotate) == ("second", 60, None)
    options = second.options(TrackOptions(focal_px=500, start_s=2))
    assert (options.start_s, options.focal_px, options.fov_deg) == (2, None, 60)
    assert first.options(TrackOptions(rotate=180)).rotate == 90


def test_what_no_clip_is_has_one_sentence(folder):
    for text, what in (("none", "no such file"), ("videos/*.avi", "no video there")):
        with pytest.raises(ChorosError, match=what):
            clips_of([text])
    cases = {
        "path,start\nvideos/a.mp4,soon\n": "row 2: 'soon' is no start",
        "path,K\nvideos/a.mp4,1 2 3\n": "row 2: K is nine numbers",
        "name\nx\n": "row 2: there is no path",
        "path,subjects\nvideos/a.mp4,tall\n": "row 2: subjects takes metres",
        'path\n"videos\n': "cannot be read as a manifest",
    }
    for text, what in cases.items():
        (folder / "m.csv").write_text(text)
        with pytest.raises(ChorosError, match=what):
            clips_of(["m.csv"])
    (folder / "m.parquet").write_text("no table")
    with pytest.raises(ChorosError, match=r"no Parquet file|needs pyarrow"):
        clips_of(["m.parquet"])
    with pytest.raises(ChorosError, match="live stream"):
        clips_of(["rtsp://camera/1"])
    with pytest.raises(ChorosError, match="nobody's height"):
        subjects_of("1=18.2")


def test_addresses_of_fsspec(folder):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for name in ("a.mp4", "b.mp4", "notes.txt"):
        memory.pipe(f"/bucket/{name}", b"x" * 10)
    assert [clip.source for clip in clips_of(["memory://bucket/*.mp4"])] == [
        "memory:///bucket/a.mp4", "memory:///bucket/b.mp4",
    ]  # fmt: skip
    assert len(clips_of(["memory://bucket"])) == 2
    with at_hand("memory://bucket/a.mp4", folder / "clip") as path:
        assert path.read_bytes() == b"x" * 10
        assert path.suffix == ".mp4"
    assert not path.exists()
    with (
        pytest.raises(ChorosError, match="nothing is there"),
        at_hand("memory://bucket/none.mp4", folder / "clip"),
    ):
        pass
    with pytest.raises(ChorosError, match="check the address"):
        clips_of(["nonsense://x/y.mp4"])
