"""Attention, and the transformer layer of plain kind (Vaswani et al. 2017, layers normalised first).

Sets have no order here: no positional code is added, so permuting the members permutes the result.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, S, heads * d) -> (B, heads, S, d)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, heads, S, d) -> (B, S, heads * d)."""
    return x.transpose(1, 2).flatten(-2)


def members_mask(present: Tensor) -> Tensor:
    """Who may look at whom in a padded set: ``present`` (B, N) bool -> (B, N, N) bool.

    Everyone sees those who are present; an absent member also sees itself, so that its softmax is over
    something and stays finite. Nobody else sees it.
    """
    itself = torch.eye(present.shape[-1], dtype=torch.bool, device=present.device)
    return present[:, None, :] | itself


class TransformerLayer(nn.Module):
    """Self-attention and a two-layer perceptron, each added to its normalised input."""

    def __init__(self, width: int, head_width: int, expansion: int) -> None:
        super().__init__()
        self.heads = width // head_width
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, expansion * width)
        self.mlp_out = nn.Linear(expansion * width, width)
        for out in (self.attention_out, self.mlp_out):  # a new layer changes its input a little only
            nn.init.normal_(out.weight, std=0.02)
            nn.init.zeros_(out.bias)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """``x`` (B, S, width); ``mask`` (B, S, S) bool, True where the row may look at the column."""
        qkv = self.query_key_value(self.attention_norm(x)).chunk(3, -1)
        query, key, value = (split_heads(part, self.heads) for part in qkv)
        seen = scaled_dot_product_attention(query, key, value, None if mask is None else mask[:, None])
        x = x + self.attention_out(merge_heads(seen))
        return x + self.mlp_out(gelu(self.mlp_in(self.mlp_norm(x))))
