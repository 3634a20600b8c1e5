"""Attention: the same numbers as torch's own layer, and sets that know no order and no padding."""

import torch
from torch import nn

from choros.layers.attention import TransformerLayer, members_mask, merge_heads, split_heads


def torch_twin(layer: TransformerLayer, width: int, heads: int, expansion: int) -> nn.Module:
    twin = nn.TransformerEncoderLayer(
        width, heads, expansion * width, 0.0, "gelu", batch_first=True, norm_first=True
    )
    pairs = {
        twin.self_attn.in_proj_weight: layer.query_key_value.weight,
        twin.self_attn.in_proj_bias: layer.query_key_value.bias,
        twin.self_attn.out_proj.weight: layer.attention_out.weight,
        twin.self_attn.out_proj.bias: layer.attention_out.bias,
        twin.linear1.weight: layer.mlp_in.weight,
        twin.linear1.bias: layer.mlp_in.bias,
        twin.linear2.weight: layer.mlp_out.weight,
        twin.linear2.bias: layer.mlp_out.bias,
    }
    with torch.no_grad():
        for theirs, ours in pairs.items():
            theirs.copy_(ours)
    return twin


def test_layer_equals_torchs_with_and_without_a_mask():
    torch.manual_seed(0)
    layer = TransformerLayer(48, 16, 2)
    twin = torch_twin(layer, 48, 3, 2)
    x = torch.randn(2, 7, 48)
    torch.testing.assert_close(layer(x), twin(x), atol=1e-5, rtol=1e-5)

    present = torch.tensor([[1, 1, 0, 1, 0, 0, 1], [1] * 7]).bool()
    expected = twin(x, src_key_padding_mask=~present)
    torch.testing.assert_close(
        layer(x, members_mask(present))[present], expected[present], atol=1e-5, rtol=1e-5
    )


def test_everyone_sees_the_present_and_themselves():
    mask = members_mask(torch.tensor([[True, False, True], [False, False, False]]))
    assert mask[0].tolist() == [[True, False, True], [True, True, True], [True, False, True]]
    assert torch.equal(mask[1], torch.eye(3, dtype=torch.bool))


def test_splitting_heads_and_merging_them_changes_nothing():
    x = torch.arange(2 * 3 * 8.0).view(2, 3, 8)
    heads = split_heads(x, 4)
    assert heads.shape == (2, 4, 3, 2)
    assert heads[1, 2, 0].tolist() == x[1, 0, 4:6].tolist()
    assert torch.equal(merge_heads(heads), x)
