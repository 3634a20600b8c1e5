"""A small file that claims terabytes is refused in one sentence, before memory is taken for it."""

import io
import json
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch

from choros import weights
from choros.body import BodyModel
from choros.camera.pose import read_pose
from choros.checkpoints import read_state_dict
from choros.cli.main import main
from choros.datasets.mocap.mocap_clip import load_packed
from choros.datasets.official import Official
from choros.errors import ChorosError
from choros.fourdhumans.phalp_predictor import read_mean_std
from choros.motion import Motion
from choros.npz import load_npy, open_npz
from choros.scenes.truth.scene_truth import SceneTruth
from choros.training.trace.clip import load_clip

SET = Official("a set", "its owners", "theirs")
SHAPES = [(1 << 40,), (1 << 62, 8), (-1,), (10**6,) * 4, (1 << 30,), (17,)]
MOST_BYTES = 4 << 20


def npy(shape, numbers=16):
    """A .npy of float64 that claims ``shape``, and holds sixteen numbers."""
    about = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(about).to_bytes(2, "little") + about + bytes(8 * numbers)


def npz(shape, names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(f"{name}.npy", npy(shape))
    return buffer.getvalue()


def refused(read, path, content):
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ChorosError) as error:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert path.name in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("read", "names"),
    [
        (Motion.load, ["header", "pts", "frame"]),
        (BodyModel.load, ["v_template", "shapedirs", "J_regressor", "weights", "kintree_table", "f"]),
        (lambda path: SET.npz(path, ["a"]), ["a"]),
        (load_packed, ["starts", "name", "source"]),
        (SceneTruth.load, ["person", "betas"]),
        (load_clip, ["labels.content_px", "images"]),
    ],
)
def test_an_archive_of_arrays(tmp_path, read, names):
    for shape in SHAPES:
        refused(read, tmp_path / "bomb.npz", npz(shape, names))


@pytest.mark.parametrize("read", [SET.npy, read_mean_std, read_pose])
def test_an_array(tmp_path, read):
    for shape in SHAPES:
        refused(read, tmp_path / "bomb.npy", npy(shape))


@pytest.mark.parametrize("read", [lambda path: weights.load(path, "comotion"), read_state_dict])
@pytest.mark.parametrize("ours", [False, True])
def test_safetensors(tmp_path, read, ours):
    claims = [
        {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]},
        {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 64]},
        {"dtype": "F32", "shape": [1 << 62, 8], "data_offsets": [0, 64]},
    ]
    contents = [struct.pack("<Q", 1 << 40) + b"{}", struct.pack("<Q", 20000) + b'{"a":' + b"[" * 19995]
    for claim in claims:
        about = {"a": claim} | ({"__metadata__": {"system": "comotion"}} if ours else {})
        header = json.dumps(about).encode()
        contents.append(struct.pack("<Q", len(header)) + header + bytes(64))
    for content in contents:
        refused(read, tmp_path / "bomb.safetensors", content)


def test_an_archive_that_lies_of_its_members(tmp_path):
    """More bytes than DEFLATE can make of what there is."""
    content = npz((16,), ["a"])
    at = content.rindex(b"PK\x01\x02")  # the directory's entry, whose 24th byte on is the size unpacked
    (tmp_path / "bomb.npz").write_bytes(content[: at + 24] + struct.pack("<I", 1 << 31) + content[at + 28 :])
    with pytest.raises(ValueError, match="claims 2147483648 bytes, more than there can be"):
        open_npz(tmp_path / "bomb.npz")


def test_what_is_true_is_read(tmp_path):
    np.savez_compressed(
        tmp_path / "a.npz", zeros=np.zeros((1000, 1000)), one=np.array("text"), none=np.zeros((0, 3))
    )
    with open_npz(tmp_path / "a.npz") as stored:
        assert stored["zeros"].shape == (1000, 1000)
        assert (str(stored["one"]), stored["none"].shape) == ("text", (0, 3))
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(load_npy(tmp_path / "a.npy"), [[0, 1, 2], [3, 4, 5]])


def test_want_of_memory_is_one_sentence(monkeypatch, capsys, tmp_path):
    def greedy(*_):
        raise MemoryError

    monkeypatch.setattr("choros.motion.Motion.load", greedy)
    (tmp_path / "m.npz").write_bytes(b"")
    with pytest.raises(SystemExit) as ended:
        main(["export", str(tmp_path / "m.npz"), "--to", "csv"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("choros: there is not memory enough")


def test_the_same_weights_are_the_same_bytes(tmp_path):
    """Whatever order their metadata have been given in; safetensors itself writes them in any."""
    about = {"system": "x", **{f"key {k}": f"välue {k}" for k in range(12)}}
    tensors = {"b": torch.arange(6).reshape(2, 3), "a": torch.rand(5)}
    for name, told in (("one", about), ("two", dict(reversed(about.items())))):
        weights.save(tmp_path / f"{name}.safetensors", tensors, told)
    one, two = ((tmp_path / f"{name}.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two
    found, metadata = weights.load(tmp_path / "one.safetensors", "x")
    assert metadata == about
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
