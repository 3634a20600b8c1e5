"""People's tokens ask the image, then each other (CoMotion, A.3): what initialisation and update share."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from choros.comotion.config import ComotionConfig
from choros.comotion.encoder import ImageTokens
from choros.layers.attention import TransformerLayer, members_mask, merge_heads, split_heads
from choros.layers.perceptron import perceptron


class Round(nn.Module):
    """Cross-attention to the image, attention between people per token, between tokens per person."""

    def __init__(self, config: ComotionConfig) -> None:
        super().__init__()
        width = config.token_width
        self.heads = config.attention_width // config.head_width
        self.query = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, config.attention_width))
        self.after_attention = perceptron(config.attention_width, width, width, out_scale=0.5)

        def layers(count: int) -> nn.ModuleList:
            return nn.ModuleList(
                TransformerLayer(width, config.head_width, config.expansion) for _ in range(count)
            )

        self.between_people = layers(config.layers_between_people)
        self.within_person = layers(config.layers_within_person)

    def forward(self, tokens: Tensor, image: ImageTokens, mask: Tensor) -> Tensor:
        """``tokens`` (B, N, M, C) of N people; ``mask`` (B * M, N, N), who may look at whom."""
        B, N, M, _ = tokens.shape
        query = split_heads(self.query(tokens).flatten(1, 2), self.heads)  # (B, heads, N M, d)
        seen = merge_heads(scaled_dot_product_attention(query, image.key, image.value))
        tokens = tokens + self.after_attention(seen).unflatten(1, (N, M))

        tokens = tokens.transpose(1, 2).flatten(0, 1)  # (B M, N, C)
        for layer in self.between_people:
            tokens = layer(tokens, mask)
        tokens = tokens.unflatten(0, (B, M)).transpose(1, 2).flatten(0, 1)  # (B N, M, C)
        for layer in self.within_person:
            tokens = layer(tokens)
        return tokens.unflatten(0, (B, N))


class Rounds(nn.Module):
    """All rounds, from what is known of each person to tokens that have seen the image and the others."""

    def __init__(self, config: ComotionConfig) -> None:
        super().__init__()
        self.tokens = config.tokens
        self.rounds = nn.ModuleList(Round(config) for _ in range(config.rounds))
        self.norm = nn.LayerNorm(config.token_width)

    def forward(self, encoded: Tensor, image: ImageTokens, present: Tensor) -> Tensor:
        """``encoded`` (B, N, M * C), ``present`` (B, N) bool -> normalised tokens (B, N, M * C)."""
        tokens = encoded.unflatten(-1, (self.tokens, -1))
        mask = members_mask(present).repeat_interleave(self.tokens, 0)
        for one_round in self.rounds:
            tokens = one_round(tokens, image, mask)
        return self.norm(tokens).flatten(-2)
