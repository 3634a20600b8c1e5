"""ConvNeXtV2: counts of the published network, timm's numbers, and one answer however it is batched."""

import pytest
import torch
from safetensors.torch import save_file

from choros.backbones.convnext import ConvNextV2, GlobalResponseNorm
from choros.errors import ChorosError


def tiny(seed: int = 0) -> ConvNextV2:
    torch.manual_seed(seed)
    trunk = ConvNextV2((1, 1, 2, 1), (8, 16, 32, 64)).eval()
    with torch.no_grad():
        for name, parameter in trunk.named_parameters():
            if "grn" in name or "bias" in name:  # zero in a new network, which would hide mistakes
                parameter.normal_(std=0.5)
    return trunk


def test_large_has_the_published_parameters():
    with torch.device("meta"):
        trunk = ConvNextV2.named("large")
    shapes = {name: tuple(tensor.shape) for name, tensor in trunk.state_dict().items()}
    assert sum(p.numel() for p in trunk.parameters()) == 196_416_768
    assert shapes["stem.0.weight"] == (192, 3, 4, 4)
    assert shapes["stages.0.blocks.2.mlp.grn.weight"] == (768,)
    assert shapes["stages.1.downsample.1.weight"] == (384, 192, 2, 2)
    assert shapes["stages.2.blocks.26.conv_dw.weight"] == (768, 1, 7, 7)
    assert shapes["stages.3.blocks.2.mlp.fc1.weight"] == (6144, 1536)
    maps = trunk(torch.empty(1, 3, 512, 512, device="meta"))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (192, 128, 128),
        (384, 64, 64),
        (768, 32, 32),
        (1536, 16, 16),
    ]


def test_response_norm_follows_its_formula():
    norm = GlobalResponseNorm(4)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, -2.0, 0.5, 0.0]))
    x = torch.randn(2, 3, 5, 4)
    energy = x.square().sum((1, 2), keepdim=True).sqrt()
    expected = norm.weight * x * energy / (energy.mean(-1, keepdim=True) + 1e-6) + x
    torch.testing.assert_close(x * norm.scale(x)[:, None, None], expected)


def test_an_image_alone_and_in_a_batch_give_the_same():
    trunk = tiny()
    images = torch.rand(2, 3, 64, 96)
    together = trunk(images)
    for i in range(2):
        for alone, batched in zip(trunk(images[i : i + 1]), together, strict=True):
            torch.testing.assert_close(alone[0], batched[i], atol=1e-4, rtol=1e-4)


def test_equals_timm():
    timm = pytest.importorskip("timm")
    theirs = timm.create_model("convnextv2_tiny", pretrained=False).eval()
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            if "grn" in name or "bias" in name:
                parameter.normal_(std=0.3)
    ours = ConvNextV2.named("tiny").eval()
    ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if k.startswith(("stem", "stages"))})
    images = torch.rand(1, 3, 96, 64)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = theirs.stem((images - mean[:, None, None]) / std[:, None, None])
    with torch.inference_mode():
        for stage, found in zip(theirs.stages, ours(images), strict=True):
            x = stage(x)
            torch.testing.assert_close(found, x, atol=1e-3, rtol=1e-4)


def test_timms_file_loads_and_its_classifier_is_left_aside(tmp_path):
    source, target = tiny(1), tiny(2)
    tensors = {name: tensor.contiguous() for name, tensor in source.state_dict().items()}
    save_file({**tensors, "head.fc.weight": torch.zeros(3, 3)}, tmp_path / "timm.safetensors")
    target.load_timm(tmp_path / "timm.safetensors")
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(target(images)[3], source(images)[3])


def test_a_wrong_file_is_named(tmp_path):
    save_file({"stem.0.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "rubbish.safetensors").write_bytes(b"no tensors")
    for name in ("other.safetensors", "rubbish.safetensors", "missing.safetensors"):
        with pytest.raises(ChorosError, match=name):
            tiny().load_timm(tmp_path / name)
