"""No training command takes test footage, whatever the file is called and wherever it lies."""

import hashlib
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from choros.cli.main import main
from choros.datasets import test_footage as guard
from choros.datasets.mocap import learned_and_held_out
from choros.datasets.test_footage import listed, refuse_test_footage
from choros.errors import ChorosError
from choros.scenes import SceneConfig
from choros.training.comotion.feed import Options
from choros.training.comotion.footage import open_pseudo_labels, open_set
from choros.training.comotion.pseudo_labels import write_set
from choros.training.comotion.recipe import SMALL
from choros.training.comotion.train import train

ASSETS = Path(__file__).parents[3] / "shared" / "assets"


@pytest.fixture
def footage(tmp_path, monkeypatch):
    """A folder of pictures, one of which, under another name and in a folder below, is on the list."""
    folder = tmp_path / "footage"
    (folder / "below").mkdir(parents=True)
    for name in ("a.png", "below/renamed.png"):
        cv2.imwrite(str(folder / name), np.full((8, 8, 3), len(name), np.uint8))
    content = (folder / "below/renamed.png").read_bytes()
    known = {hashlib.sha256(content).hexdigest(): (len(content), "real/one.png")}
    monkeypatch.setattr(guard, "listed", lambda: known)
    return folder


def test_the_list_is_whole():
    names = [name for _, name in listed().values()]
    assert sum(name.startswith("real/lsp_extended/") for name in names) == 199 + 1  # and joints.mat
    assert sum(name.startswith("real/coco_bysa/images/") for name in names) == 132
    assert {"clips/vtest.avi", "clips/glamr_pexels_walk.mp4", "real/single_cam04.mp4"} < set(names)
    assert all(len(digest) == 64 and size > 0 for digest, (size, _) in listed().items())


@pytest.mark.skipif(not ASSETS.is_dir(), reason="the shared footage is not here")
@pytest.mark.parametrize(
    ("path", "test"),
    [
        ("clips/vtest.avi", True),
        ("clips/glamr_pexels_walk.mp4", True),
        ("real/single_cam02.mp4", True),
        ("real/lsp_extended", True),
        ("real/coco_bysa/images", True),
        ("pictures/mmpose_fixtures/ochuman", True),
        ("pictures/coco128", False),
        ("people_ccby", False),
        ("clips/sports2d_demo.mp4", False),
        ("mocap", False),
    ],
)
def test_the_footage_itself(path, test):
    if test:
        with pytest.raises(ChorosError, match="never trained on"):
            refuse_test_footage([ASSETS / path])
    else:
        refuse_test_footage([ASSETS / path])


def test_it_is_known_by_its_content(footage):
    with pytest.raises(ChorosError, match=r"renamed\.png is test footage \(real/one\.png\)"):
        refuse_test_footage([None, footage / "a.png", footage])
    same_size = footage / "below/renamed.png"
    same_size.write_bytes(same_size.read_bytes()[:-1] + b"?")
    os.symlink(footage, footage / "below/round")
    refuse_test_footage([footage, footage / "nowhere"])


@pytest.mark.parametrize(
    "words",
    [
        "lifter --mocap {}",
        "motion-model --mocap {}",
        "infiller --mocap {}",
        "trajectory --mocap {}",
        "pose-transformer --mocap {}",
        "hmr2 --mocap {}",
        "comotion -o out --photos {}",
        "comotion -o out --mocap {}",
        "comotion -o out --wardrobe {}",
        "comotion -o out --data coco=labels.json,{}",
        "comotion -o out --data mine={}",
        "pseudo-label -o out {}",
        "pseudo-label -o out --photos {}",
        "pseudo-label -o out {}/below/renamed.png",
    ],
)
def test_every_command_refuses_it(footage, tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["train", *words.format(footage).split()])
    assert ended.value.code == 2
    assert "is test footage" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_calls_of_the_library_refuse_it_too(footage, tmp_path):
    scene = SceneConfig(photos=footage)
    for call in (
        lambda: learned_and_held_out(footage),
        lambda: open_set("coco", tmp_path, footage),
        lambda: open_pseudo_labels(footage),
        lambda: write_set([footage], tmp_path / "set"),
        lambda: train(SMALL, tmp_path / "run", Options(scene=scene), {}),
    ):
        with pytest.raises(ChorosError, match="is test footage"):
            call()


def test_a_set_that_was_labelled_before_the_list_was_there(tmp_path):
    about = {"licence": "x", "parts": [{"folder": "000-vtest", "source": "vtest.avi"}]}
    (tmp_path / "about.json").write_text(json.dumps(about))
    with pytest.raises(ChorosError, match=r"about\.json says that vtest\.avi was labelled"):
        open_pseudo_labels(tmp_path)
