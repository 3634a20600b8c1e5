"""``choros scenes``: scenes into folders, once each, and a sheet of them; bad input is one sentence."""

import cv2
import numpy as np
import pytest

from choros.cli.main import main
from choros.datasets.coco import read_coco
from choros.evaluation.sources import open_data
from choros.motion import Motion

SMALL = ("--width", "96", "--height", "64", "--fps", "10", "--seconds", "0.3")


def run(*arguments: object) -> int:
    try:
        main(["scenes", *map(str, arguments)])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_make_fills_folders_and_goes_on_after_a_stop(tmp_path, capsys):
    make = ("make", "--kind", "easy", "--seed", 4, *SMALL, "--people", 2, "--format", "motion", "coco")
    assert run(*make, "--count", 1, "-o", tmp_path) == 0
    first = (tmp_path / "easy_000004" / "video.mp4").stat().st_mtime_ns
    assert run(*make, "--count", 2, "-o", tmp_path) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.removeprefix(str(tmp_path)) for line in told] == [
        "/easy_000004", "/easy_000004: was there", "/easy_000005",
    ]  # fmt: skip
    assert (tmp_path / "easy_000004" / "video.mp4").stat().st_mtime_ns == first
    for folder in ("easy_000004", "easy_000005"):
        truth = Motion.load(tmp_path / folder / "motion.npz")
        assert (truth.width, truth.height, len(truth), truth.ids.max()) == (96, 64, 3, 2)
        assert len(read_coco(tmp_path / folder / "coco.json", tmp_path / folder / "img1")) == 3
    assert [source.name for source in open_data(str(tmp_path))] == [
        str(tmp_path / name) for name in ("easy_000004", "easy_000005")
    ]
    # With other options the folder holds something else.
    assert run(*make, "--children", 1, "-o", tmp_path) == 2
    assert "easy_000004 holds something else" in capsys.readouterr().err


def test_mixed_kinds_are_the_seeds(tmp_path, capsys):
    for count in (1, 2):
        assert (
            run("make", *SMALL, "--people", 1, "--seed", 3, "--count", count, "-o", tmp_path / str(count))
            == 0
        )
    one, two = ({p.name for p in (tmp_path / count).iterdir()} for count in ("1", "2"))
    assert one < two


def test_sheet(tmp_path):
    picture = tmp_path / "new" / "sheet.png"
    assert run("sheet", "--kind", "easy", *SMALL, "--people", 1, "--frames", 2, "-o", picture) == 0
    image = cv2.imread(str(picture))
    assert image.shape == (4 + 68, 4 + 2 * 100, 3)
    assert np.std(image[10:60, 10:90]) > 5


def test_dynamic_makes_a_clip_of_a_clip(tmp_path, capsys):
    assert run("make", "--kind", "easy", "--seed", 4, *SMALL, "--people", 1, "-o", tmp_path) == 0
    still, moving = tmp_path / "easy_000004", tmp_path / "moving"
    assert run("dynamic", still, "-o", moving, "--width", 0.6, "--height", 0.8) == 0
    assert str(moving) in capsys.readouterr().out
    truth = Motion.load(moving / "motion.npz")
    assert (truth.width, truth.height, len(truth)) == (38, 52, 3)
    assert open_data(str(moving))[0].has_truth
    assert run("dynamic", still / "video.mp4", "-o", moving) == 2
    assert "moving holds something" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("make", "--kind", "circus"), "circus"),
        (("make", "--count", 0), "--count 0"),
        (("make", "--fps", "fast"), "--fps fast"),
        (("make", "--fps", "0"), "--fps 0"),
        (("make", "--camera", "drone"), "drone"),
        (("make", "--width", 8), "8x540"),
        (("make", "--people", 90), "90 people"),
        (("sheet", "-o", "sheet.txt"), "sheet.txt"),
        (("dynamic", "nowhere"), "nowhere"),
        (("dynamic", "nowhere", "--period", 0), "--period 0"),
    ],
)
def test_bad_input_is_one_sentence(arguments, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    err = capsys.readouterr().err
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
