"""The transformer decoder that initialisation and update share (CoMotion, A.3).

Tokens of each person attend to the image, then to those of other people, then to each other, some rounds of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from choros.comotion.attention_prior import N_WHERE, Anchors, AttentionWindows
from choros.comotion.config import ComotionConfig
from choros.comotion.encoder import ImageTokens
from choros.layers.attention import TransformerLayer, members_mask, merge_heads, split_heads
from choros.layers.perceptron import perceptron


class DecoderLayer(nn.Module):
    """Cross-attention to the image, attention between people per token, between tokens per person."""

    def __init__(self, config: ComotionConfig) -> None:
        super().__init__()
        width = config.token_width
        self.heads = config.attention_width // config.head_width
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, config.attention_width)
        self.scale = config.head_width**-0.5
        self.windows = AttentionWindows(config) if config.anchors else None
        n_seen = config.attention_width + (self.heads * N_WHERE if config.anchors else 0)
        self.after_attention = perceptron(n_seen, width, width, out_scale=0.5)

        def layers(count: int) -> nn.ModuleList:
            return nn.ModuleList(
                TransformerLayer(width, config.head_width, config.expansion) for _ in range(count)
            )

        self.between_people = layers(config.layers_between_people)
        self.within_person = layers(config.layers_within_person)

    def forward(self, tokens: Tensor, image: ImageTokens, mask: Tensor, anchors: Anchors) -> Tensor:
        """``tokens`` (B, N, M, C) of N people; ``mask`` (B * M, N, N), who may attend to whom."""
        B, N, M, _ = tokens.shape
        tokens = tokens + self.after_attention(self.attend(self.norm(tokens), image, anchors)).unflatten(
            1, (N, M)
        )

        tokens = tokens.transpose(1, 2).flatten(0, 1)  # (B M, N, C)
        for layer in self.between_people:
            tokens = layer(tokens, mask)
        tokens = tokens.unflatten(0, (B, M)).transpose(1, 2).flatten(0, 1)  # (B N, M, C)
        for layer in self.within_person:
            tokens = layer(tokens)
        return tokens.unflatten(0, (B, N))

    def attend(self, tokens: Tensor, image: ImageTokens, anchors: Anchors) -> Tensor:
        """What normalised tokens (B, N, M, C) see in the image, (B, N * M, n_seen)."""
        query = split_heads(self.query(tokens).flatten(1, 2), self.heads) * self.scale  # (B, heads, N M, d)
        if self.windows is None:
            return merge_heads(scaled_dot_product_attention(query, image.key, image.value, scale=1.0))
        windows = self.windows(tokens, anchors)
        with torch.autocast(tokens.device.type, enabled=False):  # squares of places need more than 8 bits
            query = torch.cat([query.float(), windows], -1)
            seen = scaled_dot_product_attention(query, image.key.float(), image.value.float(), scale=1.0)
            content, where = seen.split([seen.shape[-1] - N_WHERE, N_WHERE], -1)
            return torch.cat([merge_heads(content), self.windows.seen(where, anchors)], -1)


class Decoder(nn.Module):
    """All rounds of `DecoderLayer`: each person's encoded state to tokens that have attended to image and others."""

    def __init__(self, config: ComotionConfig) -> None:
        super().__init__()
        self.tokens = config.tokens
        self.rounds = nn.ModuleList(DecoderLayer(config) for _ in range(config.rounds))
        self.norm = nn.LayerNorm(config.token_width)

    def forward(self, encoded: Tensor, image: ImageTokens, present: Tensor, anchors: Anchors) -> Tensor:
        """``encoded`` (B, N, M * C), ``present`` (B, N) bool -> normalised tokens (B, N, M * C).

        ``anchors`` count only in a network that has them.
        """
        tokens = encoded.unflatten(-1, (self.tokens, -1))
        mask = members_mask(present).repeat_interleave(self.tokens, 0)
        for one_round in self.rounds:
            tokens = one_round(tokens, image, mask, anchors)
        return self.norm(tokens).flatten(-2)
