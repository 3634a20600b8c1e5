"""Other people's checkpoints are named for what they are, by the names of their tensors, and nothing in them runs."""

import json
import os
import pickle
import struct
import zipfile
from collections import OrderedDict, defaultdict
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import choros
from choros import weights
from choros.checkpoints import what_is
from choros.cli.main import main
from choros.errors import ChorosError

#: Names that the published code of each gives its tensors, and what stands before them in the released files.
RELEASED = {
    "CoMotion's detection": ("comotion", "", ["pos_embedding.freq_bands", "image_backbone.stem.0.weight",
                                              "detection_head.enc1.0.layers.0.weight", "fuse_features.dc0.bias"]),
    "CoMotion's refinement": ("comotion", "", ["pos_embedding.freq_bands", "feedback_gru_update.fz.weight",
                                               "get_px_key.bias", "encode_smpl.l1.weight"]),
    "HMR 2.0": ("hmr2", "state_dict:", ["backbone.pos_embed", "backbone.patch_embed.proj.weight",
                                        "backbone.blocks.0.attn.qkv.weight", "smpl_head.decpose.weight",
                                        "smpl_head.transformer.to_token_embedding.weight", "smpl.v_template",
                                        "smpl.shapedirs", "discriminator.D_conv1.weight"]),
    "PHALP's pose predictor": ("phalp", "state_dict:encoder.", ["pos_embedding_learned1", "loca_head.0.0.weight",
                                                                "transformer1.layers.0.0.norm.weight",
                                                                "pose_shape_encoder.0.weight"]),
    "PHALP's appearance network": ("phalp", "model:hmar.", ["backbone.conv1.weight", "encoding_head.conv1x.weight",
                                                            "texture_head.decoder.conv_img.weight"]),
    "LART": ("lart", "state_dict:encoder.", ["mask_token", "apperance_encoder.0.weight", "joint_encoder.0.weight",
                                             "action_head_ava.0.0.weight", "pose_shape_encoder.0.weight"]),
    "GLAMR's motion infiller": ("glamr", "state_dict:", ["context_encoder.in_fc.weight", "data_decoder.mu_token",
                                                         "data_decoder.p_z_mu_net.weight", "smpl.v_template",
                                                         "smpl.shapedirs"]),
    "GLAMR's trajectory predictor": ("glamr", "state_dict:", ["context_encoder.temporal_net.0.rnn_f.weight_ih",
                                                              "data_decoder.prior_mlp.affine_layers.0.weight"]),
    "TRACE's head": ("trace", "", ["coordmap_3d", "cam_motion_head.0.0.conv1.weight", "det_head.0.0.conv1.weight"]),
    "TRACE's image backbone": ("trace", "model_state_dict:module.backbone.", ["stage4.0.branches.0.0.conv1.weight"]),
    "RAFT": ("trace", "module.", ["fnet.conv1.weight", "cnet.conv1.weight", "update_block.mask.0.weight"]),
    "ROMP": ("romp", "", ["backbone.stage4.0.branches.0.0.conv1.weight", "final_layers.1.0.weight"]),
    "BEV": ("bev", "", ["backbone.stage4.0.branches.0.0.conv1.weight", "bv_pre_layers.0.weight"]),
    "WHAM": ("wham", "model:", ["mask_embedding", "motion_encoder.a.weight", "trajectory_decoder.b.weight"]),
}  # fmt: skip


def released(place, names, seed=0):
    """A checkpoint with such names, shapes that tell them apart, and what Lightning puts beside them."""
    outer, _, prefix = place.rpartition(":")
    tensors = OrderedDict((prefix + name, torch.zeros(1, 2 + k)) for k, name in enumerate(names))
    if not outer:
        return tensors
    # An object of a class that no reader has, and one that a list and a mapping are built into.
    config = SimpleNamespace(lr=1e-5, at=os.PathLike)
    return {"epoch": 35, outer: tensors, "hyper_parameters": {"cfg": config, "more": defaultdict(list, a=[1])},
            "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(3)}}}]}  # fmt: skip


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("called", RELEASED)
def test_a_released_checkpoint_is_named(tmp_path, called, legacy):
    system, place, names = RELEASED[called]
    path = tmp_path / "some.pt"
    torch.save(released(place, names), path, _use_new_zipfile_serialization=not legacy)
    found = what_is(path)
    assert called in found.what
    assert (found.system, found.loads) == (system, False)
    outer, _, prefix = place.rpartition(":")
    full = f"{outer}.{prefix}" if outer else prefix
    assert [found.shapes[full + name] for name in names] == [(1, 2 + k) for k in range(len(names))]


@pytest.mark.parametrize("called", RELEASED)
def test_also_as_safetensors_pickle_and_whole_network(tmp_path, called):
    system, place, names = RELEASED[called]
    prefix = place.rpartition(":")[2]
    save_file({prefix + name: torch.zeros(1) for name in names}, tmp_path / "a.safetensors")
    (tmp_path / "b.pkl").write_bytes(pickle.dumps({"w": {prefix + name: np.zeros(2) for name in names}}))
    assert [what_is(tmp_path / name).system for name in ("a.safetensors", "b.pkl")] == [system] * 2


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.get_px_key, self.encode_smpl = torch.nn.Linear(3, 2), torch.nn.Linear(4, 4)


def test_a_network_that_was_saved_whole(tmp_path):
    torch.save(Encoder(), tmp_path / "whole.pt")
    found = what_is(tmp_path / "whole.pt")
    assert found.system == "comotion"
    assert found.shapes["get_px_key.weight"] == (2, 3)


@pytest.mark.parametrize("system", ["lifter", "comotion"])
def test_choros_says_what_it_was_given(tmp_path, system, capsys):
    path = tmp_path / "epoch=35-step=1000000.ckpt"
    torch.save(released(*RELEASED["HMR 2.0"][1:]), path)
    said = (
        f"{path} is HMR 2.0's network (4DHumans); give it to `choros track --system 4dhumans:hmr2 --weights`"
    )
    with pytest.raises(ChorosError) as refused:
        choros.load(system, weights_path=path)
    assert str(refused.value).startswith(said)
    clip = tmp_path / "x.png"
    cv2.imwrite(str(clip), np.zeros((48, 64, 3), np.uint8))
    with pytest.raises(SystemExit) as ended:
        main(["track", str(clip), "-o", str(tmp_path), "--system", system, "--weights", str(path)])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith(f"choros: {said}")


def zipped(path, names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")


def npz(path, *names):
    np.savez(path, **dict.fromkeys(names, np.zeros(2)))
    path.with_name(path.name + ".npz").rename(path)


def cut(path, legacy):
    torch.save({"a.weight": torch.zeros(4000)}, path, _use_new_zipfile_serialization=not legacy)
    path.write_bytes(path.read_bytes()[: 120 if legacy else 5000])


OTHER = {
    "empty": lambda path: path.write_bytes(b""),
    "pointer of Git LFS": lambda path: path.write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:1\n"
    ),
    "web page": lambda path: path.write_text("\n  <!DOCTYPE html><html><title>Quota exceeded</title>"),
    "JSON": lambda path: path.write_text('{"error": "no such file"}'),
    "XML": lambda path: path.write_text('<?xml version="1.0"?><Error>AccessDenied</Error>'),
    "gzip": lambda path: path.write_bytes(b"\x1f\x8b\x08" + bytes(40)),
    "tar": lambda path: path.write_bytes(b"w.pt".ljust(257, b"\0") + b"ustar" + bytes(400)),
    "zip archive": lambda path: zipped(path, ["run/hmr2.ckpt"]),
    "TorchScript": lambda path: torch.jit.script(torch.nn.ReLU()).save(str(path)),
    "ONNX": lambda path: path.write_bytes(weights.shipped("nanodet").read_bytes()),
    "PyTorch file or another zip archive that is damaged or cut short": lambda path: cut(path, False),
    "PyTorch file that is damaged, cut short": lambda path: cut(path, True),
    "safetensors file that is damaged": lambda path: path.write_bytes(
        weights.shipped("infiller").read_bytes()[:700]
    ),
    "body model of SMPL": lambda path: path.write_bytes(
        pickle.dumps(dict.fromkeys(["v_template", "shapedirs", "J_regressor", "f"], np.zeros(3)), 2)
    ),
    "a body model": lambda path: npz(path, "v_template", "shapedirs", "posedirs"),
    "a motion that choros wrote": lambda path: npz(
        path, "header", "pts", "body_pose", "keypoints_px", "transl"
    ),
    "CoMotion's own program": lambda path: torch.save(
        {name: torch.zeros(2) for name in ("id", "pose", "trans", "betas", "frame_idx")}, path
    ),
    "a folder": lambda path: path.mkdir(),
    '2 arrays of no network that choros knows (the first "net.0.weight")': lambda path: torch.save(
        torch.nn.ModuleDict({"net": torch.nn.Sequential(torch.nn.Linear(1, 1))}).state_dict(), path
    ),
    "without weights": lambda path: torch.save({"epoch": 3}, path),
    "of no kind that choros knows": lambda path: path.write_bytes(b"one two three"),
    "weights for lifter": lambda path: path.write_bytes(weights.shipped("lifter").read_bytes()),
}


@pytest.mark.parametrize("said", OTHER)
def test_what_is_no_weights_of_comotion_is_named_too(tmp_path, said):
    path = tmp_path / "given.pt"
    OTHER[said](path)
    with pytest.raises(ChorosError) as refused:
        weights.load(path, "comotion")
    assert str(refused.value).startswith(f"{path} is ")
    assert said in str(refused.value)
    assert "; " in str(refused.value)


def test_ours_are_told_from_a_run_of_ours(tmp_path):
    found = what_is(weights.shipped("lifter"))
    assert (found.system, found.loads) == ("lifter", True)
    assert len(found.shapes) > 10
    weights.save(tmp_path / "c.safetensors", {"a": torch.zeros(1)}, {"system": "lifter-checkpoint"})
    with pytest.raises(ChorosError, match=r"checkpoint of a training run of lifter.*give the weights"):
        weights.load(tmp_path / "c.safetensors", "lifter")


def test_weights_of_other_sizes_are_one_sentence(tmp_path):
    tensors, metadata = weights.load(weights.shipped("lifter"), "lifter")
    first = next(iter(tensors))
    weights.save(tmp_path / "odd.safetensors", {**tensors, first: torch.zeros(1)}, metadata)
    weights.save(tmp_path / "new.safetensors", tensors, {**metadata, "config": {"unknown": 1}})
    for name in ("odd", "new"):
        with pytest.raises(ChorosError, match="does not fit this version of the lifter"):
            choros.load("lifter", weights_path=tmp_path / f"{name}.safetensors")


class Canary:
    """Writes a file where a reader that is not restricted would run it."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], tuple(self.call[1:])


@pytest.mark.parametrize(
    "call", [os.system, eval, exec, getattr, np.load, pickle.loads, torch.load, __import__]
)
@pytest.mark.parametrize("form", ["zip", "legacy", "pickle"])
def test_nothing_in_it_runs(tmp_path, call, form):
    path, trace = tmp_path / "evil.pt", tmp_path / "trace"
    evil = Canary(call, f"touch {trace}" if call is os.system else f"open({str(trace)!r}, 'w')")
    content = {"state_dict": {"apperance_encoder.0.weight": torch.zeros(2)}, "hyper_parameters": evil}
    if form == "pickle":
        path.write_bytes(pickle.dumps({"apperance_encoder.0.weight": np.zeros(2), "cfg": evil}))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=form == "zip")
    assert what_is(path).system == "lart"
    assert not trace.exists()


def test_a_header_or_an_archive_that_claims_too_much_is_not_read(tmp_path):
    path = tmp_path / "huge.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 40) + b"{" + json.dumps({}).encode())
    assert "no safetensors file" in what_is(path).what
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(65 << 20))
    assert "too much" in what_is(tmp_path / "bomb.pt").what


def test_doctor_says_whose_weights_these_are(tmp_path, capsys):
    torch.save(released(*RELEASED["GLAMR's motion infiller"][1:]), tmp_path / "infiller.ckpt")
    main(["doctor", str(tmp_path / "infiller.ckpt")])
    said = capsys.readouterr().out
    assert "is GLAMR's motion infiller, as its authors released it" in said
    assert "6 tensors, 23 numbers" in said  # 2 + 3 + 4 + 5 + 6, and 3 of the optimiser
    assert "research and evaluation only" in said
    assert "choros world --infiller" in said
    main(["doctor", str(weights.shipped("infiller"))])
    said = capsys.readouterr().out
    assert "choros loads it" in said
