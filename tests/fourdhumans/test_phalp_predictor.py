"""PHALP's released pose predictor: all of its weights go where they belong, and everyone is read at their own time."""

import numpy as np
import pytest
import torch
from torch.nn.functional import layer_norm

from choros.checkpoints import what_is
from choros.errors import ChorosError
from choros.fourdhumans.phalp_predictor import PhalpPredictor, PredictorConfig, read_mean_std, setting
from tests.fourdhumans.released import facts, phalp_shapes, written

SMALL = {"width": 32, "depth": 2, "inner": 64, "frames": 25}
YAML = "configs:\n  transformer:\n    heads: {heads}  # of 64\n    conv:\n      pad: 1\n      stride: 5\n"


def files(folder, drop=(), heads=1, **sizes):
    folder.joinpath("config.yaml").write_text(YAML.format(heads=heads))
    tensors = written(folder / "pose_predictor.pth", phalp_shapes(**sizes), drop=drop)
    return folder / "pose_predictor.pth", folder / "config.yaml", tensors


def people(n, frames, seed=0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.normal(size=(n, frames, 229))).float()


def test_names_are_those_of_the_notes():
    known = facts("phalp_pose_predictor")
    if known is None:
        pytest.skip("the notes on the released code are not here")
    assert phalp_shapes() == known


def test_a_file_of_the_released_names_and_shapes_fits_whole(tmp_path):
    checkpoint, settings, tensors = files(tmp_path, heads=8)
    assert what_is(checkpoint).system == "phalp"
    network, report = PhalpPredictor.load(checkpoint, settings)
    assert network.config == PredictorConfig()
    left = sum(name.startswith(("transformer.", "action_head_ava.")) for name in tensors) + 3
    assert (len(tensors), left) == (178, 71)
    assert len(report.matched) == 178 - left
    assert report.complete
    assert not report.unexpected
    # What the released loader loses, for "encoder." stands in the middle of its names.
    assert (network.pose_in[0].weight == tensors["pose_shape_encoder.0.weight"]).all()
    assert (network.second[0].mlp_out.bias == tensors["transformer2.layers.0.1.fn.net.3.bias"]).all()
    assert (
        network.first[5].query_key_value.weight == tensors["transformer1.layers.5.0.fn.to_qkv.weight"]
    ).all()


def test_a_file_that_lacks_a_weight_is_refused(tmp_path):
    checkpoint, settings, _ = files(tmp_path, drop=["pose_shape_encoder.2.bias"], **SMALL)
    with pytest.raises(ChorosError, match=r"1 are missing \(pose_in\.2\.bias\)"):
        PhalpPredictor.load(checkpoint, settings)
    checkpoint, settings, _ = files(tmp_path, drop=["conv_en.weight"], **SMALL)
    with pytest.raises(ChorosError, match="no pose predictor of PHALP"):
        PhalpPredictor.load(checkpoint, settings)


def test_everyone_is_read_at_their_own_time(tmp_path):
    checkpoint, settings, _ = files(tmp_path, **SMALL)
    network, _ = PhalpPredictor.load(checkpoint, settings)
    poses = people(3, 4)
    frames = torch.tensor([[0, 1, 2, 3], [10, 12, 15, 18], [5, 6, 7, 40]])
    ahead = torch.tensor([1, 3, 2])
    together = network.predict(poses, frames, ahead)
    for k in range(3):
        alone = network.predict(poses[k : k + 1], frames[k : k + 1], ahead[k : k + 1])
        for one, all_ in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], all_[k], atol=1e-5, rtol=0)
    assert (together.camera[0] - together.camera[1]).abs().max() > 1e-3


def test_where_in_the_window_it_is_read(tmp_path):
    """Slots count from the first observation; the last slot takes all that is later."""
    checkpoint, settings, _ = files(tmp_path, **SMALL)
    network, _ = PhalpPredictor.load(checkpoint, settings)
    poses = people(1, 3)
    seen = torch.zeros(1, 25, dtype=torch.bool)
    seen[0, [0, 2, 5]] = True
    window = torch.zeros(1, 25, 229)
    window[0, [0, 2, 5]] = poses[0]
    with torch.no_grad():
        whole = network(window, seen)
    said = network.predict(poses, torch.tensor([[100, 102, 105]]), torch.tensor([4]))
    torch.testing.assert_close(said.rotations[0], whole.rotations[0, 9])
    late = network.predict(poses, torch.tensor([[100, 102, 105]]), torch.tensor([50]))
    torch.testing.assert_close(late.camera[0], whole.camera[0, 24])


def test_a_pass_by_hand(tmp_path):
    """One layer and one that follows, in NumPy's way: unseen frames are hidden before the convolutions only."""
    checkpoint, settings, t = files(tmp_path, width=32, depth=1, inner=64, frames=10)
    network, _ = PhalpPredictor.load(checkpoint, settings)
    pose = people(1, 10)[0]
    seen = torch.tensor([True] * 6 + [False] * 4)

    def layer(x, name, attended):
        n = layer_norm(x, (32,), t[f"{name}.0.norm.weight"], t[f"{name}.0.norm.bias"])
        q, k, v = (n @ t[f"{name}.0.fn.to_qkv.weight"].T).split(64, -1)
        scores = q @ k.T / 64**0.5
        scores[:, ~attended] = -1e3
        x = x + scores.softmax(-1) @ v @ t[f"{name}.0.fn.to_out.0.weight"].T + t[f"{name}.0.fn.to_out.0.bias"]
        n = layer_norm(x, (32,), t[f"{name}.1.norm.weight"], t[f"{name}.1.norm.bias"])
        h = torch.nn.functional.gelu(n @ t[f"{name}.1.fn.net.0.weight"].T + t[f"{name}.1.fn.net.0.bias"])
        return x + h @ t[f"{name}.1.fn.net.3.weight"].T + t[f"{name}.1.fn.net.3.bias"]

    hidden = (pose @ t["pose_shape_encoder.0.weight"].T + t["pose_shape_encoder.0.bias"]).relu()
    x = hidden @ t["pose_shape_encoder.2.weight"].T + t["pose_shape_encoder.2.bias"]
    x[~seen] = t["mask_token"]
    x = layer(x + t["pos_embedding_learned1"][0], "transformer1.layers.0", seen)
    padded = torch.cat([torch.zeros(1, 32), x, torch.zeros(1, 32)])
    short = [torch.einsum("oik,ki->o", t["conv_en.weight"], padded[s : s + 7]) for s in (0, 5)]
    short = torch.stack(short) + t["conv_en.bias"]
    long = torch.zeros(12, 32)
    for s in (0, 1):
        long[5 * s : 5 * s + 7] += torch.einsum("iok,i->ko", t["conv_de.weight"], short[s])
    x = long[1:11] + t["conv_de.bias"] + t["pos_embedding_learned2"][0]
    x = layer(x, "transformer2.layers.0", torch.ones(10, dtype=torch.bool))
    place = x
    for k in (0, 2, 4):
        place = place @ t[f"loca_head.0.{k}.weight"].T + t[f"loca_head.0.{k}.bias"]
        place = place.relu() if k < 4 else place
    with torch.no_grad():
        said = network(pose[None], seen[None])
    torch.testing.assert_close(said.camera[0], place, atol=1e-4, rtol=0)


@pytest.mark.parametrize("objects", [False, True])
def test_mean_and_deviation(tmp_path, objects):
    path = tmp_path / "mean_std.npy"
    mean, std = np.linspace(0, 1, 226)[None], np.linspace(1, 2, 226)[None]
    rows = np.empty(2, object) if objects else np.stack([mean, std])
    if objects:
        rows[0], rows[1] = mean, std
    np.save(path, rows, allow_pickle=objects)
    checkpoint, settings, _ = files(tmp_path, **SMALL)
    network, _ = PhalpPredictor.load(checkpoint, settings, path)
    np.testing.assert_allclose(network.mean[:226], mean[0], rtol=1e-6)
    np.testing.assert_allclose(network.std[:226], std[0], rtol=1e-6)
    assert network.mean[226:].tolist() == [0, 0, 0]  # the camera is taken as it is
    assert network.std[226:].tolist() == [1, 1, 1]
    path.write_bytes(b"no array")
    with pytest.raises(ChorosError, match="no mean and deviation"):
        read_mean_std(path)


def test_settings_that_do_not_tell_are_refused(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("transformer:\n  heads: 8\nother:\n  heads: 4\n")
    with pytest.raises(ChorosError, match="says 2 numbers for heads"):
        setting(path, "heads")
    with pytest.raises(ChorosError, match="cannot be read"):
        setting(tmp_path / "none.yaml", "heads")
