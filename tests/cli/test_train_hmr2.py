"""``choros train hmr2`` from files to weights, with a network so small that two steps take no time."""

from dataclasses import replace

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
from choros.training.fourdhumans import recipe
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
    arguments = "train hmr2 --mocap . --body smpl.pkl --batch 2 --device cpu --threads 1 --data"
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
        ((), "coco=labels.npz,.", "learns from instavariety; say where"),
    ],
)
def test_what_cannot_be_is_said(files, capsys, more, data, said):
    with pytest.raises(SystemExit) as ended:
        train(*more, data=data)
    assert ended.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
