"""Checkpoints written once as safetensors: the same answers, what their loaders need, and what is refused."""

import json

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn

import choros
from choros.checkpoints import companion, conversion_of, convert, fingerprint, read_state_dict, what_is
from choros.cli.main import main
from choros.comotion.released import files
from choros.comotion.released.files import (
    DETECTION,
    REFERENCE,
    REFINEMENT,
    files_in,
    is_released,
    load_released,
)
from choros.errors import ChorosError
from choros.fourdhumans.actions.config import ActionConfig
from choros.fourdhumans.actions.network import ActionTransformer
from choros.fourdhumans.hmr2.released import load_released as load_hmr2
from choros.fourdhumans.phalp.engines import make_hmr2
from choros.fourdhumans.phalp_predictor import PhalpPredictor
from choros.glamr.networks import load_infiller, load_predictor
from choros.glamr.released.infiller import ReleasedInfiller
from choros.glamr.released.trajectory import ReleasedPredictor
from choros.run_identity import sha256_of
from tests.fourdhumans.hmr2.released_files import NARROW, write_checkpoint
from tests.fourdhumans.released import lart_shapes, phalp_shapes, written
from tests.named_weights import fill


def same(one, other):
    assert one.state_dict().keys() == other.state_dict().keys()
    for name, tensor in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], tensor, atol=0, rtol=0)


def test_hmr2_with_its_settings(tmp_path):
    original = tmp_path / "a" / "epoch=35-step=1000000.ckpt"
    original.parent.mkdir()
    write_checkpoint(original, NARROW, tmp_path / "canary")
    (tmp_path / "model_config.yaml").write_text(
        "MODEL:\n  SMPL_HEAD:\n    TRANSFORMER_DECODER:\n      dim_head: 32\n"
    )
    made = tmp_path / "elsewhere" / "hmr2.safetensors"
    main(["convert", str(original), "-o", str(made)])
    (network, report), (before, _) = load_hmr2(made), load_hmr2(original)
    assert report.complete
    assert network.config == before.config
    assert network.config.decoder.head_width == 32  # which stands in the settings alone
    same(network, before)
    crops = torch.rand(1, 3, 256, 192, generator=torch.Generator().manual_seed(0))
    for said, expected in zip(network(crops), before(crops), strict=True):
        torch.testing.assert_close(said, expected, atol=0, rtol=0)
    assert not (tmp_path / "canary").exists()
    with pytest.raises(
        ChorosError, match="tells SMPL's pose and shape"
    ):  # and not taken for the small network
        make_hmr2(None, made)
    with pytest.raises(ChorosError, match="not weights for"):
        make_hmr2(None, choros.weights.shipped("lifter"))


def test_phalp_with_its_settings_and_deviation(tmp_path):
    original = tmp_path / "weights" / "pose_predictor.pth"
    settings, mean_std = original.with_suffix(".yaml"), tmp_path / "3D" / "mean_std.npy"
    for file in (original, mean_std):
        file.parent.mkdir()
    written(original, phalp_shapes(width=32, depth=2, inner=64, frames=25))
    settings.write_text("heads: 1\nstride: 5\n")
    np.save(mean_std, np.stack([np.linspace(0, 1, 226), np.linspace(1, 2, 226)]))
    convert(original, tmp_path / "phalp.safetensors")
    network, _ = PhalpPredictor.load(tmp_path / "phalp.safetensors")
    before, _ = PhalpPredictor.load(original, settings, mean_std)
    same(network, before)
    torch.testing.assert_close(network.std, before.std, atol=0, rtol=0)
    mean_std.unlink()
    settings.unlink()
    with pytest.raises(ChorosError, match="no yaml of settings beside it"):
        PhalpPredictor.load(original)


def test_lart_and_glamr(tmp_path):
    written(tmp_path / "lart.ckpt", lart_shapes(depth=1))
    convert(tmp_path / "lart.ckpt", tmp_path / "lart.safetensors")
    one, two = (
        ActionTransformer.load_released(tmp_path / f"lart.{end}", ActionConfig(depth=1))[0]
        for end in ("ckpt", "safetensors")
    )
    same(one, two)
    for kind, load in ((ReleasedInfiller, load_infiller), (ReleasedPredictor, load_predictor)):
        network = fill(kind())
        torch.save({"state_dict": network.state_dict(), "epoch": 1}, tmp_path / "a.ckpt")
        convert(tmp_path / "a.ckpt", tmp_path / "a.safetensors")
        again = load(tmp_path / "a.safetensors")
        assert type(again) is kind
        same(network, again)


class Named(nn.Module):
    """Some of the released names, with few numbers."""

    def __init__(self, *names):
        super().__init__()
        for name in names:
            *path, last = name.split(".")
            inner = self
            for part in path:
                if part not in dict(inner.named_children()):
                    inner.add_module(part, nn.Module())
                inner = getattr(inner, part)
            inner.register_parameter(last, nn.Parameter(torch.rand(3, 4)))


class Sees(Named):
    def __init__(self):
        super().__init__(
            "image_backbone.stem.0.weight", "detection_head.enc1.0.weight", "fuse_features.dc0.weight"
        )

    def compute_in(self, lower):
        assert lower is None


class Follows(Named):
    def __init__(self):
        super().__init__("feedback_gru_update.fz.weight", "get_px_key.weight")


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "Detector", Sees)
    monkeypatch.setattr(files, "Updater", Follows)
    folder = tmp_path / "theirs"
    (folder / "smpl").mkdir(parents=True)
    torch.save(Sees().state_dict(), folder / DETECTION)
    torch.save(Follows().state_dict(), folder / REFINEMENT)
    torch.save({"mean_pose": torch.arange(72.0) / 100}, folder / "smpl" / REFERENCE)
    return folder


def test_comotions_folder_becomes_one_file(theirs, tmp_path, capsys):
    made = tmp_path / "comotion.safetensors"
    main(["convert", str(theirs), "-o", str(made)])
    assert capsys.readouterr().out.count("not for commerce") == 2
    assert is_released(made)
    one, two = load_released(theirs), load_released(made)
    same(one.detector, two.detector)
    same(one.updater, two.updater)
    assert torch.equal(one.mean_pose, two.mean_pose)
    # Known by the authors' files, so that a run that was begun with these is gone on with.
    assert one.identity == two.identity
    assert one.identity[DETECTION] == {"sha256": sha256_of(theirs / DETECTION)}
    main(["doctor", str(made)])
    said = capsys.readouterr().out
    assert "CoMotion's checkpoints in one file" in said
    assert "converted by choros" in said
    assert f"made of {REFINEMENT}" in said
    assert "research only" in said


def test_comotions_files_one_by_one(theirs, tmp_path):
    before = load_released(theirs)
    for name, path in files_in(theirs).items():
        convert(path, tmp_path / "made" / f"{name}.safetensors")
    assert is_released(tmp_path / "made")
    made = load_released(tmp_path / "made")
    same(before.detector, made.detector)
    assert before.identity == made.identity


def test_numbers_are_mapped_and_never_written_back(theirs, tmp_path):
    made = tmp_path / "comotion.safetensors"
    convert(files_in(theirs), made)
    written_as = made.read_bytes()
    detector = load_released(made).detector
    with torch.no_grad():
        for weights in detector.parameters():
            weights.zero_()
    assert made.read_bytes() == written_as
    assert all(tensor.any() for tensor in load_released(made).detector.parameters())


def test_halves_are_of_matrices_alone(tmp_path):
    state = {
        "context_encoder.temporal_net.0.rnn_f.weight_ih": torch.rand(4, 3),
        "data_decoder.prior_mlp.affine_layers.0.bias": torch.rand(4),
        "constants": torch.rand(1, 4),
        "count": torch.arange(6).reshape(2, 3),
    }
    torch.save(state, tmp_path / "a.pt")
    convert(tmp_path / "a.pt", tmp_path / "b.safetensors", "bfloat16")
    made = read_state_dict(tmp_path / "b.safetensors")
    matrix, vector, *rest = state
    assert made[matrix].dtype == torch.bfloat16
    torch.testing.assert_close(made[matrix].float(), state[matrix], atol=2**-9, rtol=0)
    for name in (vector, *rest):
        assert torch.equal(made[name], state[name])
    about = conversion_of(tmp_path / "b.safetensors")
    assert about["dtype"] == "bfloat16"
    assert choros.__version__ in about["by"]
    assert fingerprint(tmp_path / "b.safetensors") == {
        "sha256": sha256_of(tmp_path / "a.pt"),
        "numbers": "bfloat16",
    }


def test_tied_and_turned_numbers(tmp_path):
    whole = torch.arange(12.0).reshape(3, 4)
    state = {"motion_encoder.a": whole, "trajectory_decoder.b": whole.T, "trajectory_decoder.c": whole}
    torch.save(state, tmp_path / "wham.pt")
    convert(tmp_path / "wham.pt", tmp_path / "wham.safetensors")
    made = read_state_dict(tmp_path / "wham.safetensors")
    assert all(torch.equal(made[name], tensor) for name, tensor in state.items())


def test_it_is_told_of_in_the_metadata_and_nothing_there_is_believed_blindly(tmp_path):
    from safetensors.torch import save_file

    tensors = {"apperance_encoder.0.weight": torch.zeros(2)}
    for metadata in ({"converted": "[]", "files": "7"}, {"converted": "{", "files": '{"a.yaml": "?"}'}):
        save_file(tensors, tmp_path / "odd.safetensors", metadata)
        assert what_is(tmp_path / "odd.safetensors").system == "lart"
        assert fingerprint(tmp_path / "odd.safetensors") == {
            "sha256": sha256_of(tmp_path / "odd.safetensors")
        }
        assert companion(tmp_path / "odd.safetensors", "b.yaml") is None
    with pytest.raises(ChorosError, match=r"damaged a\.yaml"):
        companion(tmp_path / "odd.safetensors", "a.yaml")


def refused(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["convert", *map(str, arguments)])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_what_cannot_be_converted_is_one_sentence(tmp_path, capsys):
    out = tmp_path / "x.safetensors"
    assert "does not exist" in refused(capsys, tmp_path / "none.pt", "-o", out)
    (tmp_path / "page.pt").write_text("<html>")
    assert "a web page" in refused(capsys, tmp_path / "page.pt", "-o", out)
    torch.save({"some.weight": torch.zeros(3)}, tmp_path / "some.pt")
    assert "no network that choros knows" in refused(capsys, tmp_path / "some.pt", "-o", out)
    ours = choros.weights.shipped("lifter")
    assert "there is nothing to convert" in refused(capsys, ours, "-o", out)
    (tmp_path / "empty").mkdir()
    assert DETECTION in refused(capsys, tmp_path / "empty", "-o", out)
    torch.save({"apperance_encoder.0.weight": torch.rand(3000)}, tmp_path / "lart.pt")
    assert "let it end in .safetensors" in refused(capsys, tmp_path / "lart.pt", "-o", tmp_path / "x.pt")
    assert "'int4'" in refused(capsys, tmp_path / "lart.pt", "-o", out, "--dtype", "int4")
    assert "over itself" in refused(capsys, tmp_path / "lart.pt", "-o", tmp_path / "lart.pt")
    assert not out.exists()


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_file_is_refused(tmp_path, capsys, damage):
    path = tmp_path / "lart.pt"
    torch.save({"apperance_encoder.0.weight": torch.rand(3000)}, path)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    else:
        content[len(content) // 2] ^= 255
    path.write_bytes(content)
    assert "damaged" in refused(capsys, path, "-o", tmp_path / "x.safetensors")
    assert not (tmp_path / "x.safetensors").exists()


def test_what_is_converted_again_stays_known_by_the_first(tmp_path):
    torch.save({"apperance_encoder.0.weight": torch.rand(3, 4)}, tmp_path / "lart.pt")
    convert(tmp_path / "lart.pt", tmp_path / "a.safetensors")
    convert(tmp_path / "a.safetensors", tmp_path / "b.safetensors", "float16")
    with safe_open(tmp_path / "b.safetensors", framework="pt") as stored:
        part = json.loads(stored.metadata()["converted"])["parts"][""]
    assert part["sha256"] == sha256_of(tmp_path / "lart.pt")
