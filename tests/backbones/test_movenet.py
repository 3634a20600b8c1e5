"""MoveNet's trunk: TensorFlow's padding, the published network's numbers, and what an image trunk promises."""

import copy
import platform
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import functional

from choros.backbones import movenet
from choros.backbones.movenet import MAPS, FrozenMoveNet, MoveNetTrunk, SameConv2d
from choros.backbones.trunk import frozen, make_trunk

CPU = Path("/proc/cpuinfo")
SOURCE = Path(__file__).parents[3] / "shared/assets/weights/movenet-multipose.onnx"
WITHIN = "StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1/"
#: The tensors of the published network that our maps are, before they are scaled; the first is of two.
TENSORS = [
    "Conv__1286:0",  # heatmap
    "Conv__1273:0",  # regress
    f"{WITHIN}re_lu_2/Relu:0",
    f"{WITHIN}model/block_5_add/add:0",
    f"{WITHIN}model/block_12_add/add:0",
    "Conv__1216:0",
]


@pytest.fixture(scope="module")
def trunk():
    return MoveNetTrunk.pretrained().eval()


def picture(height: int, width: int) -> torch.Tensor:  # (1, 3, height, width), of whole 255ths
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, height, width))
    return torch.from_numpy(pixels).float() / 255


def unscaled(trunk: MoveNetTrunk, images: torch.Tensor) -> list[torch.Tensor]:
    with torch.inference_mode():
        maps = trunk(images)
        return [m * trunk.get_buffer(f"{name}_scale") for name, m in zip(MAPS, maps, strict=True)]


@pytest.mark.parametrize(("kernel", "before", "after"), [(3, 0, 1), (5, 1, 2)])
def test_stride_two_pads_as_tensorflow(kernel, before, after):
    x = torch.randn(2, 4, 10, 6)
    convolution = SameConv2d(4, 4, kernel, 2, groups=4, clipped=False)
    padded = functional.pad(x, (before, after, before, after))
    expected = functional.conv2d(padded, convolution.weight, convolution.bias, 2, groups=4)
    torch.testing.assert_close(convolution(x), expected)


def test_clipped_convolutions_answer_within_0_and_6():
    convolution, x = SameConv2d(2, 3), 20 * torch.randn(1, 2, 8, 8)
    plain = functional.conv2d(x, convolution.weight, convolution.bias)
    torch.testing.assert_close(convolution(x), plain.clamp(0, 6))


@pytest.mark.skipif(not SOURCE.is_file(), reason="needs the published network beside the repository")
@pytest.mark.parametrize("size", [(96, 64), (160, 224)])
def test_maps_are_those_of_the_published_network(trunk, size):
    images = picture(*size)
    network = onnxruntime.InferenceSession(with_outputs(SOURCE.read_bytes(), TENSORS))
    pixels = (images * 255).round().permute(0, 2, 3, 1).numpy().astype(np.int32)
    published = network.run(TENSORS, {network.get_inputs()[0].name: pixels})
    published[:2] = [np.concatenate(published[:2], 1)]
    for ours, theirs in zip(unscaled(trunk, images), published, strict=True):
        assert np.abs(ours.numpy() - theirs).max() < 1e-3 * np.abs(theirs).max()


def test_maps_are_as_promised(trunk):
    images = picture(64, 96)
    maps = trunk(images)
    assert [tuple(m.shape) for m in maps] == [
        (1, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(trunk.channels, trunk.strides, strict=True)
    ]


def test_pictures_of_a_batch_do_not_meet(trunk):
    one, other = picture(64, 64), picture(64, 64).flip(-1)
    with torch.inference_mode():
        together, apart = trunk(torch.cat([one, other])), (trunk(one), trunk(other))
    for level, *alone in zip(together, *apart, strict=True):
        torch.testing.assert_close(level, torch.cat(alone), rtol=1e-4, atol=1e-4)


def test_it_can_be_taught_further(trunk):
    sum(m.square().mean() for m in trunk(picture(64, 64))).backward()
    grads = {name: p.grad for name, p in trunk.named_parameters()}
    trunk.zero_grad()
    assert all(grad is not None and grad.isfinite().all() for grad in grads.values())
    assert grads["stem.weight"].abs().sum() > 0


def test_a_network_that_names_it_begins_with_its_weights(trunk):
    begun = make_trunk("movenet-multipose").state_dict()
    assert all(torch.equal(begun[name], tensor) for name, tensor in trunk.state_dict().items())


def assert_same_maps(frozen_trunk, trunk: MoveNetTrunk, images: torch.Tensor) -> None:
    with torch.inference_mode():
        expected = trunk(images)
    for ours, theirs in zip(frozen_trunk(images), expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=3e-5 * float(theirs.abs().max()))


@pytest.mark.parametrize("size", [(320, 512), (512, 512), (64, 96)])
@pytest.mark.parametrize("batch", [1, 2])
def test_onnxruntime_gives_the_same_maps(trunk, size, batch):
    images = torch.rand(batch, *size, 3, generator=torch.Generator().manual_seed(1))
    assert_same_maps(frozen(trunk), trunk, images.permute(0, 3, 1, 2))


@pytest.mark.skipif(
    CPU.is_file() and "vnni" not in CPU.read_text() and platform.machine() == "x86_64",
    reason="sums of eight bits overflow in this processor, which is told and goes without",
)
def test_eight_bits_show_about_the_same(trunk):
    images = picture(96, 128)
    for rounded, exact in zip(frozen(trunk, rounded=True)(images), frozen(trunk)(images), strict=True):
        assert 0 < (rounded - exact).abs().mean() < 0.25 * (exact - exact.mean()).abs().mean()


def test_eight_bits_that_overflow_are_not_used(trunk, monkeypatch):
    monkeypatch.setattr(movenet, "OVERFLOW", 0.01)  # less than rounding alone does
    assert_same_maps(frozen(trunk, rounded=True), trunk, picture(64, 96))


def test_weights_of_the_frozen_are_those_that_the_trunk_had(trunk):
    taught, images = copy.deepcopy(trunk), picture(64, 96)
    with torch.no_grad():
        for tensor in (*taught.parameters(), *taught.buffers()):
            tensor *= 1.1
    now = frozen(taught, rounded=True)  # of which there are none of these weights
    assert_same_maps(now, taught, images)
    before = [m.clone() for m in now(images)]
    with torch.no_grad():
        taught.stem.weight *= 2
    assert all(torch.equal(a, b) for a, b in zip(now(images), before, strict=True))


def test_only_movenet_goes_to_onnxruntime(trunk):
    assert isinstance(frozen(trunk), FrozenMoveNet)
    assert frozen(trunk).channels == trunk.channels
    lightning = MoveNetTrunk("lightning")
    assert frozen(lightning) is lightning


def with_outputs(model: bytes, names: list[str]) -> bytes:
    """An ONNX model with more of its tensors as outputs.

    Protocol buffers that are appended to one another are merged: this appends a graph of outputs only.
    """

    def field(number: int, content: bytes) -> bytes:
        size, length = len(content), b""
        while size > 127:
            length, size = length + bytes([size & 127 | 128]), size >> 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    graph = b"".join(field(12, field(1, name.encode())) for name in names)  # GraphProto.output, its name
    return model + field(7, graph)  # ModelProto.graph
