"""The Vision Transformer: the published counts, timm's numbers, and what each of its parts says by itself."""

import dataclasses

import pytest
import torch

from choros.backbones.vit import SIZES, VisionTransformer, VitConfig

TINY = VitConfig(width=24, depth=2, heads=3, height_px=64, width_px=48)


def tiny(config=TINY, seed=0):
    torch.manual_seed(seed)
    network = VisionTransformer(config).eval()
    with torch.no_grad():
        for (
            parameter
        ) in network.parameters():  # some are zero or one in a new network, which would hide mistakes
            parameter.add_(torch.randn(parameter.shape) * 0.3)
    return network


def test_huge_has_the_released_parameters():
    with torch.device("meta"):
        network = VisionTransformer.named("huge")
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert len(shapes) == 389
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(630.91, abs=0.01)
    assert shapes["pos_embed"] == (1, 193, 1280)
    assert shapes["patch_embed.proj.weight"] == (1280, 3, 16, 16)
    assert shapes["blocks.31.attn.qkv.weight"] == (3840, 1280)
    assert shapes["blocks.31.mlp.fc1.weight"] == (5120, 1280)
    tokens = network(torch.empty(2, 3, 256, 192, device="meta"))
    assert tokens.shape == (2, 192, 1280)
    assert network.config.grid == (16, 12)


@pytest.mark.parametrize("size", ["small", "base"])
def test_the_smaller_sizes_have_the_parameters_of_their_papers(size):
    """Touvron et al. 2021, table 1: 22 and 86 million, with a classifier of 1,000 and 197 positions."""
    with torch.device("meta"):
        network = VisionTransformer.named(size)
    width = network.config.width
    count = sum(p.numel() for p in network.parameters()) + 1000 * (width + 1) + (197 - 193 + 1) * width
    assert round(count / 1e6) == {"small": 22, "base": 87}[size]


@pytest.mark.parametrize("padding", [0, 2])
def test_equals_timm(padding):
    timm = pytest.importorskip("timm.models.vision_transformer")
    config = dataclasses.replace(TINY, padding_px=padding)
    theirs = timm.VisionTransformer(
        img_size=(64, 48), patch_size=16, class_token=False, global_pool="", num_classes=0,
        embed_dim=24, depth=2, num_heads=3,
    ).eval()  # fmt: skip
    theirs.patch_embed.proj.padding = (padding, padding)
    ours = tiny(config)
    state = ours.state_dict()
    positions = state.pop("pos_embed")
    state["pos_embed"] = positions[:, 1:] + positions[:, :1]
    theirs.load_state_dict({name.replace("last_norm.", "norm."): tensor for name, tensor in state.items()})
    crops = torch.randn(2, 3, 64, 48)
    with torch.inference_mode():
        torch.testing.assert_close(ours(crops), theirs(crops), atol=1e-4, rtol=1e-4)


def test_attention_is_the_formula():
    """A slow twin: one query at a time, softmax written out."""
    network = tiny()
    attention = network.blocks[0].attn
    x = torch.randn(1, 5, 24)
    query, key, value = (x[0] @ attention.qkv.weight.T + attention.qkv.bias).split(24, -1)
    seen = torch.zeros(5, 24)
    for head in range(3):
        part = slice(8 * head, 8 * head + 8)
        for token in range(5):
            weight = torch.exp(key[:, part] @ query[token, part] / 8**0.5)
            seen[token, part] = (weight / weight.sum()) @ value[:, part]
    expected = seen @ attention.proj.weight.T + attention.proj.bias
    with torch.inference_mode():
        torch.testing.assert_close(attention(x)[0], expected, atol=1e-4, rtol=1e-4)


def test_a_token_sees_its_patch_and_two_pixels_of_black_around_the_crop():
    network = tiny()
    crops = torch.zeros(1, 3, 64, 48)
    crops[0, :, 0, 0] = 1  # the first pixel is the third of the first patch
    with torch.inference_mode():
        token = network.patch_embed(crops)[0, 0] - network.patch_embed(torch.zeros_like(crops))[0, 0]
        torch.testing.assert_close(token, network.patch_embed.proj.weight[:, :, 2, 2].sum(1))


def test_the_first_position_is_added_to_all_tokens():
    network, crops = tiny(), torch.randn(1, 3, 64, 48)
    with torch.inference_mode():
        before = network(crops)
        network.pos_embed[:, 1:] += network.pos_embed[:, :1].clone()
        network.pos_embed[:, 0] = 0
        torch.testing.assert_close(network(crops), before)


def test_a_crop_alone_and_in_a_batch_give_the_same():
    network, crops = tiny(), torch.randn(3, 3, 64, 48)
    with torch.inference_mode():
        together = network(crops)
        for alone, batched in zip(crops, together, strict=True):
            torch.testing.assert_close(network(alone[None])[0], batched, atol=1e-5, rtol=1e-4)


def test_blocks_are_left_out_in_training_alone_and_change_nothing_on_average():
    network = tiny(dataclasses.replace(TINY, drop_path=0.5))
    last, x = network.blocks[1], torch.randn(1, 4, 24)
    assert [block.drop_path for block in network.blocks] == [0, 0.5]
    with torch.inference_mode():
        change = last.attn(last.norm1(x))
        torch.testing.assert_close(last._kept(change), change)
        last.train()
        many = last._kept(change.expand(4000, -1, -1))
        torch.testing.assert_close(many.mean(0), change[0], atol=0.1, rtol=0.1)
        kept = (many != 0).any(-1).any(-1)
        torch.testing.assert_close(many[kept][0], 2 * change[0])


def test_sizes_have_the_tokens_of_the_released_crop():
    assert {config.tokens for config in SIZES.values()} == {192}
