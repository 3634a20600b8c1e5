"""The released checkpoint: every tensor finds its place, nothing in the file runs, answers are the release's."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from choros.backbones.vit import VitConfig
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.config import DecoderConfig, Hmr2Config
from choros.fourdhumans.hmr2.engine import Hmr2Engine
from choros.fourdhumans.hmr2.network import Hmr2Network
from choros.fourdhumans.hmr2.released import load_released, our_name, settings_near
from tests.fourdhumans.hmr2.released_files import (
    FULL,
    NARROW,
    released_shapes,
    tensor_by_name,
    write_checkpoint,
)

GOLDEN = Path(__file__).parents[1] / "data" / "hmr2_released_golden.npz"
LISTED = Path(__file__).parents[4] / "shared" / "facts" / "state_dicts"

SETTINGS = """\
task_name: train
MODEL:
  IMAGE_SIZE: 256
  IMAGE_MEAN:
  - 0.485
  - 0.456
  SMPL_HEAD:
    TYPE: transformer_decoder
    IEF_ITERS: 1
    TRANSFORMER_DECODER:
      depth: 2
      heads: 4
      dim_head: 32
EXTRA:
  FOCAL_LENGTH: 5000
"""


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "0" / "checkpoints"
    folder.mkdir(parents=True)
    write_checkpoint(folder / "epoch=35-step=1000000.ckpt", NARROW, tmp_path / "canary")
    return folder / "epoch=35-step=1000000.ckpt"


def test_full_size_has_each_released_tensor_and_no_other():
    with torch.device("meta"):
        own = {name: tuple(tensor.shape) for name, tensor in Hmr2Network(Hmr2Config()).state_dict().items()}
    assert {our_name(name): shape for name, shape in released_shapes(FULL).items()} == own


@pytest.mark.skipif(not LISTED.is_dir(), reason="the lists of released names are not here")
def test_the_names_are_those_that_were_listed():
    lines = [
        line.split(" ", 1)
        for name in ("hmr2_sd", "hmr2_missing_sd")
        for line in (LISTED / f"{name}.txt").read_text().splitlines()
        if not line.startswith("#")
    ]
    listed = {name: ast.literal_eval(shape) for name, shape in lines}
    assert {name: s for name, s in listed.items() if our_name(name) is not None} == released_shapes(FULL)


def test_a_checkpoint_loads_and_nothing_in_it_runs(checkpoint, tmp_path):
    network, report = load_released(checkpoint)
    assert network.config == Hmr2Config(
        VitConfig(width=64, depth=2, heads=1),
        DecoderConfig(context_width=64, width=48, layers=2, heads=2, head_width=64, mlp_width=40),
    )
    assert report.complete
    assert report.unexpected == ()
    assert len(report.matched) == len(released_shapes(NARROW))
    own = network.state_dict()
    for name, shape in released_shapes(NARROW).items():
        torch.testing.assert_close(own[our_name(name)], torch.from_numpy(tensor_by_name(name, shape)))
    assert not network.training
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("above", [True, False])
def test_settings_beside_it_tell_what_shapes_do_not(checkpoint, above):
    folder = checkpoint.parent.parent if above else checkpoint.parent
    (folder / "model_config.yaml").write_text(SETTINGS)
    settings = settings_near(checkpoint)
    assert settings["MODEL.SMPL_HEAD.TRANSFORMER_DECODER.dim_head"] == "32"
    assert settings["EXTRA.FOCAL_LENGTH"] == "5000"
    decoder = load_released(checkpoint)[0].config.decoder
    assert (decoder.heads, decoder.head_width) == (4, 32)


def test_settings_of_another_camera_are_refused(checkpoint):
    (checkpoint.parent / "model_config.yaml").write_text(SETTINGS.replace("5000", "1000"))
    with pytest.raises(ChorosError, match=r"FOCAL_LENGTH 1000, not 5000; give the released files"):
        load_released(checkpoint)


def test_what_is_no_such_checkpoint_is_refused(tmp_path):
    torch.save({"state_dict": {"backbone.a": torch.zeros(3)}}, tmp_path / "other.ckpt")
    with pytest.raises(
        ChorosError, match=r"other\.ckpt does not hold HMR 2\.0 as released.*give its epoch=35"
    ):
        load_released(tmp_path / "other.ckpt")


def test_a_missing_weight_is_named(checkpoint, tmp_path):
    write_checkpoint(checkpoint, NARROW, tmp_path / "canary", without="smpl_head.deccam.bias")
    with pytest.raises(ChorosError, match=r"1 are missing \(decoder\.camera\.bias\)"):
        load_released(checkpoint)


def test_the_users_own_body_is_asked_for(checkpoint):
    with pytest.raises(ChorosError, match=r"give your own SMPL file \(\.pkl or \.npz\) with it"):
        Hmr2Engine.released(checkpoint, None)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_full_size_answers_as_the_release(tmp_path):
    """Weights made from names, in a file as large as the released one; what the release's own code answered."""
    path = tmp_path / "epoch=35-step=1000000.ckpt"
    write_checkpoint(path, FULL, tmp_path / "canary")
    network, report = load_released(path)
    path.unlink()
    assert network.config == Hmr2Config()
    assert report.complete
    assert not (tmp_path / "canary").exists()
    crops = np.random.default_rng(4).uniform(-2, 2, (1, 3, 256, 192)).astype(np.float32)
    with torch.inference_mode():
        tokens = network.encode(torch.from_numpy(crops))
        found = network.decoder(tokens)
    expected = np.load(GOLDEN)
    ours = {
        "features": tokens.mT.reshape(1280, 16, 12)[::20, ::4, ::3],
        "global_orient": found.rotations[:, :1],
        "body_pose": found.rotations[:, 1:],
        "betas": found.betas,
        "cam": found.camera,
    }
    assert set(expected.files) == set(ours)
    for name, answer in ours.items():
        miss = np.abs(answer.numpy() - expected[name]).max()
        assert miss <= 1e-4 * expected[name].std(), name
