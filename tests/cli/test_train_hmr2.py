"""``choros train hmr2`` from files to weights, with a network so small that two steps take no time."""

import json
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pytest

from choros.backbones.vit import VitConfig
from choros.body import BodyModel
from choros.cli.main import main
from choros.exporters.bvh import write_bvh
from choros.fourdhumans.hmr2 import config
from choros.fourdhumans.hmr2.config import DecoderConfig, Hmr2Config
from choros.fourdhumans.hmr2.network import Hmr2Network
from choros.fourdhumans.hmr2.small.network import load_small
from choros.skeleton import COCO17
from choros.training.fourdhumans import recipe
from choros.training.fourdhumans.small import recipe as small_recipe
from tests.docs.test_docs import waving

TINY = Hmr2Config(VitConfig(24, 1, 2), DecoderConfig(24, 32, 1, heads=2, head_width=8, mlp_width=32))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A set of one picture, motion capture, and what stands for the user's own body."""
    monkeypatch.chdir(tmp_path)
    write_bvh(waving(), tmp_path / "waving.bvh")
    cv2.imwrite("a.png", np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8))
    points = np.random.default_rng(1).uniform(20, 180, (2, 44, 2))
    keypoints = np.concatenate([points, np.ones((2, 44, 1))], -1)
    np.savez(
        "labels.npz",
        imgname=np.array(["a.png", "a.png"]), center=np.full((2, 2), 100.0), scale=np.full((2, 2), 150.0),
        body_keypoints_2d=keypoints[:, :25], extra_keypoints_2d=keypoints[:, 25:],
        body_pose=np.zeros((2, 72)), betas=np.zeros((2, 10)), has_body_pose=np.ones(2), has_betas=np.ones(2),
    )  # fmt: skip
    load = BodyModel.load
    monkeypatch.setattr(
        BodyModel, "load", lambda path=None, **named: load(detail="light") if path else load(**named)
    )
    monkeypatch.setattr(config, "Hmr2Config", lambda: TINY)
    small = replace(recipe.HMR2B, shares={"instavariety": 1.0})
    monkeypatch.setitem(recipe.RECIPES, "2.0b", small)


def train(*more, data="instavariety=labels.npz,."):
    arguments = "train hmr2 --recipe 2.0b --mocap . --body smpl.pkl --batch 2 --device cpu --threads 1 --data"
    main([*arguments.split(), data, *more])


def test_weights_are_written_and_a_run_goes_on(files, tmp_path, capsys):
    train("--steps", "1", "-o", "a.safetensors")
    network = Hmr2Network.load(tmp_path / "a.safetensors")
    assert network.config == TINY
    train("--steps", "2", "-o", "a.safetensors")
    assert "a.safetensors: 2 of 2 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "data", "said"),
    [
        ((), "labels.npz", "names no set; write it as coco=LABELS,IMAGES"),
        ((), "lsp=labels.npz,.", 'no set called "lsp"; there are: human36m'),
        (("--batch", "0"), "instavariety=labels.npz,.", "are 1 or more"),
        (("--recipe", "2.0a"), "coco=labels.npz,.", "give ViTPose's checkpoint (--encoder)"),
        (("--recipe", "small"), "coco=labels.npz,.", "are of the paper's recipes; name one"),
        (("--steps", "0"), "instavariety=labels.npz,.", "--steps and --until are 1 or more"),
        ((), "coco=labels.npz,.", "learns from instavariety; say where"),
    ],
)
def test_what_cannot_be_is_said(files, capsys, more, data, said):
    with pytest.raises(SystemExit) as ended:
        train(*more, data=data)
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.fixture
def marked(tmp_path, monkeypatch):
    """Pictures with somebody's joints, some held out by their names, and a recipe without scenes."""
    monkeypatch.chdir(tmp_path)
    write_bvh(waving(), tmp_path / "waving.bvh")
    rng = np.random.default_rng(0)
    images, people = [], []
    for number in range(6):  # of these names the last alone is held out
        name = f"{number}.png"
        cv2.imwrite(name, rng.integers(0, 255, (120, 100, 3), np.uint8))
        images.append({"id": number, "file_name": name, "width": 100, "height": 120})
        points = np.c_[rng.uniform(20, 80, (17, 2)), np.full(17, 2)]
        person = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "bbox": [10, 5, 80, 110]}
        people.append(person | {"num_keypoints": 17, "keypoints": points.ravel().tolist()})
    category = {"id": 1, "name": "person", "keypoints": list(COCO17)}
    text = json.dumps({"images": images, "annotations": people, "categories": [category]})
    (tmp_path / "joints.json").write_text(text)
    crops = replace(small_recipe.CropRecipe(), held_out_scenes=0, scenes=0, rounds=1, held_out=3)
    tiny = partial(small_recipe.SmallRecipe, batch=(0, 2, 2), crops=crops, sample_every=1)
    monkeypatch.setattr(small_recipe, "SmallRecipe", tiny)


def test_the_small_network_learns_and_goes_on(marked, tmp_path, capsys):
    data = ("--data", "people=joints.json,.")
    command = ["train", "hmr2", "--mocap", ".", "--any-licence", *data, "-o", "s.safetensors"]
    main([*command, "--steps", "1"])
    kept = sorted(path.name for path in (tmp_path / "s.safetensors.crops").iterdir())
    assert kept == ["held-people-00000.npz", "people-00000.npz"]
    main([*command, "--steps", "2"])
    assert "s.safetensors: 2 of 2 steps" in capsys.readouterr().out
    network, _ = load_small(tmp_path / "s.safetensors")
    assert network.config.hypotheses == 6
    lines = [json.loads(line) for line in (tmp_path / "s.safetensors.jsonl").read_text().splitlines()]
    assert any("held_out/pck_05" in line for line in lines)
