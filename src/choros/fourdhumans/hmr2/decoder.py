"""HMR 2.0's decoder: one token for the person looks at the image tokens and tells pose, shape and camera (3.2, S.1)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from choros.body.standing import standing_rotations
from choros.fourdhumans.hmr2.config import DecoderConfig
from choros.layers.attention import merge_heads, split_heads
from choros.rotation import columns_to_rotmat, rotmat_to_columns

#: Numbers of pose (two columns of 24 rotations), shape and camera.
N_POSE, N_BETAS, N_CAMERA = 24 * 6, 10, 3

#: Scale of the weak camera before anything is seen: a crop is 2.2 m wide (HMR, Kanazawa et al. 2018).
MEAN_SCALE = 0.9


class CropBodies(NamedTuple):
    """What is seen in B crops."""

    rotations: Tensor  # (B, 24, 3, 3) global_orient in the axes of the crop's camera, then body_pose
    betas: Tensor  # (B, 10)
    camera: Tensor  # (B, 3) scale, x, y of the weak camera; see `choros.fourdhumans.hmr2.placing`


class DecoderLayer(nn.Module):
    """Self-attention, attention to the image and a perceptron, each added to its normalised input."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.heads = config.heads
        width, inner = config.width, config.heads * config.head_width
        self.self_norm = nn.LayerNorm(width)
        self.self_query_key_value = nn.Linear(width, 3 * inner, bias=False)
        self.self_out = nn.Linear(inner, width)
        self.cross_norm = nn.LayerNorm(width)
        self.cross_query = nn.Linear(width, inner, bias=False)
        self.cross_key_value = nn.Linear(config.context_width, 2 * inner, bias=False)
        self.cross_out = nn.Linear(inner, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, config.mlp_width)
        self.mlp_out = nn.Linear(config.mlp_width, width)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        """Tokens of people ``x`` (B, S, width) who look at tokens of the image (B, N, context_width)."""
        own = self.self_query_key_value(self.self_norm(x)).chunk(3, -1)
        x = x + self.self_out(self._attended(*own))
        seen = self.cross_key_value(image).chunk(2, -1)
        x = x + self.cross_out(self._attended(self.cross_query(self.cross_norm(x)), *seen))
        return x + self.mlp_out(gelu(self.mlp_in(self.mlp_norm(x))))

    def _attended(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        query, key, value = (split_heads(part, self.heads) for part in (query, key, value))
        return merge_heads(scaled_dot_product_attention(query, key, value))


class PoseDecoder(nn.Module):
    """Image tokens to bodies. The answer is what is added to a mean body, which stands before the camera at first."""

    mean_pose: Tensor  # (1, 144) two columns of each joint's rotation
    mean_betas: Tensor  # (1, 10)
    mean_camera: Tensor  # (1, 3)

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        of_estimate = config.query == "estimate"
        self.query = nn.Linear(N_POSE + N_BETAS + N_CAMERA if of_estimate else 1, config.width)
        self.position = nn.Parameter(torch.randn(1, 1, config.width))
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.pose = nn.Linear(config.width, N_POSE)
        self.betas = nn.Linear(config.width, N_BETAS)
        self.camera = nn.Linear(config.width, N_CAMERA)
        self.register_buffer("mean_pose", rotmat_to_columns(standing_rotations()).reshape(1, N_POSE))
        self.register_buffer("mean_betas", torch.zeros(1, N_BETAS))
        self.register_buffer("mean_camera", torch.tensor([[MEAN_SCALE, 0, 0]]))

    def forward(self, image: Tensor) -> CropBodies:
        """Image tokens (B, N, context_width) of crops to the bodies in them."""
        pose, betas, camera = (
            mean.expand(len(image), -1) for mean in (self.mean_pose, self.mean_betas, self.mean_camera)
        )
        for _ in range(self.config.ief_iters):
            estimate = torch.cat([pose, betas, camera], -1)
            token = estimate if self.config.query == "estimate" else torch.zeros_like(estimate[:, :1])
            x = self.query(token[:, None]) + self.position
            for layer in self.layers:
                x = layer(x, image)
            told = x[:, 0]
            pose, betas, camera = pose + self.pose(told), betas + self.betas(told), camera + self.camera(told)
        return CropBodies(columns_to_rotmat(pose.unflatten(-1, (24, 6))), betas, camera)
