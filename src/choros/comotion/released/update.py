"""The released update: everybody's pose and place in a new frame, from its features and what was known."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from choros.comotion.released.detection import DEPTH_PX, PARTS, POSE_SCALE, SIDE_PX, UNIT_PX
from choros.comotion.released.layers import (
    LlamaLayer,
    Memory,
    Perceptron,
    Pooled,
    ResidualPerceptron,
    Waves,
    pose_decoder,
)
from choros.layers.attention import merge_heads, split_heads

POINTS, TOKENS, WIDTH, HEADS = 27, 24, 512, 4
FARTHEST = 5.0  # of a point outside the picture, in its units
NEAREST_M = 0.05


class Updated(NamedTuple):
    """N people of B pictures in a new frame."""

    root_turn: Tensor  # (B, N, 3) axis-angle, rad, applied to the mean body's root from the left
    pose_turns: Tensor  # (B, N, 69)
    transl: Tensor  # (B, N, 3) metres
    hidden: Tensor  # (B, N, 512)


class CrossAttention(nn.Module):
    """Tokens of people look at the picture, then tokens alike of all people at each other, then each person's."""

    def __init__(self) -> None:
        super().__init__()
        self.token_to_query = nn.Sequential(
            ResidualPerceptron(WIDTH, 2 * WIDTH), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH // 2)
        )
        self.post_attention = nn.Sequential(
            ResidualPerceptron(WIDTH // 2, WIDTH), nn.LayerNorm(WIDTH // 2), nn.Linear(WIDTH // 2, WIDTH)
        )
        self.global_attention = nn.ModuleList(LlamaLayer() for _ in range(2))
        self.indiv_attention = nn.ModuleList(LlamaLayer() for _ in range(2))

    def forward(self, tokens: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Tokens (B, N, 24, 512); keys and values (B, 4, cells, 64)."""
        B, N = tokens.shape[:2]
        query = split_heads(self.token_to_query(tokens).flatten(1, 2), HEADS)
        seen = merge_heads(scaled_dot_product_attention(query, key, value)).unflatten(1, (N, TOKENS))
        tokens = tokens + self.post_attention(seen)
        people = tokens.transpose(1, 2).flatten(0, 1)  # (B * 24, N, 512)
        for layer in self.global_attention:
            people = layer(people)
        own = people.unflatten(0, (B, TOKENS)).transpose(1, 2).flatten(0, 1)  # (B * N, 24, 512)
        for layer in self.indiv_attention:
            own = layer(own)
        return own.unflatten(0, (B, N))


class Updater(nn.Module):
    """The network of ``comotion_refine_checkpoint.pt``, by its names."""

    def __init__(self) -> None:
        super().__init__()
        self.pos_embedding = Waves()
        self.encode_grid = nn.Linear(34, 256)
        self.get_px_key, self.get_px_value = nn.Linear(512, 256), nn.Linear(512, 256)
        self.tokens_to_hidden = nn.Sequential(Pooled(), nn.LayerNorm(WIDTH))
        self.feedback_gru_update = Memory()
        self.encode_coords, self.encode_hidden, self.encode_smpl = (
            Perceptron(n, 1024, TOKENS * WIDTH) for n in (35 * POINTS, WIDTH, 10 + 72 + 3)
        )
        self.cross_attention = nn.ModuleList(CrossAttention() for _ in range(2))
        self.get_px_feedback = Pooled()
        self.project_hidden = nn.Linear(WIDTH, WIDTH)
        self.get_pose_update = nn.Sequential(
            ResidualPerceptron(WIDTH, 2 * WIDTH), nn.LayerNorm(WIDTH), nn.GELU(), nn.Linear(WIDTH, 272)
        )
        self.pose_decoder = pose_decoder()

    def keys_and_values(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Of a frame's features (B, 256, h, w), for all rounds and people: (B, 4, h w, 64) each."""
        h, w = features.shape[-2:]
        x, y = (torch.arange(n, dtype=features.dtype, device=features.device) for n in (w, h))
        grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1) / max(h, w) * (SIDE_PX / UNIT_PX)
        where = self.encode_grid(self.pos_embedding(grid)).flatten(0, 1)
        cells = torch.cat([features.flatten(2).mT, where.expand(len(features), -1, -1)], -1)
        return split_heads(self.get_px_key(cells), HEADS), split_heads(self.get_px_value(cells), HEADS)

    def forward(
        self,
        features: Tensor,  # (B, 256, h, w)
        K: Tensor,  # (B, 2, 3) px of the square that was looked at
        betas: Tensor,  # (B, N, 10)
        pose: Tensor,  # (B, N, 72) axis-angle, rad
        transl: Tensor,  # (B, N, 3) metres
        points: Tensor,  # (B, N, 27, 3) joints and face, metres
        hidden: Tensor,  # (B, N, 512)
    ) -> Updated:
        """Everybody in the frame of the ``features``; nobody is asked of whoever is not given."""
        key, value = self.keys_and_values(features)
        at = project(points, K[:, None, None]) / UNIT_PX
        waves = self.pos_embedding(at.clamp(-FARTHEST, FARTHEST)).flatten(-2)
        tokens = self.encode_coords(torch.cat([waves, points[..., 2]], -1)) + self.encode_hidden(hidden)
        tokens = tokens + self.encode_smpl(torch.cat([betas, pose, transl], -1))
        tokens = tokens.unflatten(-1, (TOKENS, WIDTH))
        for round_ in self.cross_attention:
            tokens = round_(tokens, key, value)
        hidden = self.feedback_gru_update(hidden, self.tokens_to_hidden(tokens))
        told = self.get_pose_update(self.get_px_feedback(tokens) + self.project_hidden(hidden))
        _, embedding, root, place = told.split([*PARTS[:3], 3], -1)
        focal = torch.stack([K[:, 0, 0], K[:, 1, 1]], -1)[:, None]
        z = (focal[..., :1] / DEPTH_PX) / (place[..., 2:].exp() + 0.05)
        xy = (project(transl, K[:, None]) + place[..., :2] - K[:, None, :, 2]) / focal * z
        return Updated(root, POSE_SCALE * self.pose_decoder(embedding), torch.cat([xy, z], -1), hidden)


def project(points: Tensor, K: Tensor) -> Tensor:
    """Points (..., 3) metres through K (..., 2, 3), px."""
    seen = points / points[..., 2:].clamp_min(NEAREST_M)
    return (K @ seen[..., None])[..., 0]
