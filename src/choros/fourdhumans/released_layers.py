"""Layers that PHALP's pose predictor and LART's network have in common, in the form of their released weights.

Names are ours; `ours` tells them from the released ones, of which the training framework's prefix goes and nothing else
(the released loader of PHALP takes "encoder." out of the middle of names, too, and loses the input layers).
"""

from __future__ import annotations

import re
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, gelu, pad, relu

from choros.layers.attention import merge_heads, split_heads
from choros.rotation import columns_to_rotmat

PREFIX = "encoder."  # of PyTorch Lightning's file

#: A pose in the released networks: 24 rotation matrices, 10 betas, 3 numbers of the camera.
ROTATIONS, BETAS, CAMERA = 24 * 9, 10, 3
POSE_SHAPE = ROTATIONS + BETAS + CAMERA
REFINED = 3  # times that the pose head corrects itself

#: What is not attended to gets this score and not minus infinity: who may attend to nobody attends to all alike.
UNATTENDED = -1e3

_RENAMED = tuple(
    (re.compile(theirs), ours)
    for theirs, ours in (
        (r"^transformer1\.layers\.", "first."),
        (r"^transformer2\.layers\.", "second."),
        (r"^transformer\.layers\.", "blocks."),
        (r"\.0\.norm\.", ".attention_norm."),
        (r"\.0\.fn\.to_qkv\.", ".query_key_value."),
        (r"\.0\.fn\.to_out\.0\.", ".attention_out."),
        (r"\.1\.norm\.", ".mlp_norm."),
        (r"\.1\.fn\.net\.0\.", ".mlp_in."),
        (r"\.1\.fn\.net\.3\.", ".mlp_out."),
        (r"^pose_shape_encoder\.", "pose_in."),
        (r"^joint_encoder\.", "joints_in."),
        (r"^apperance_encoder\.", "appearance_in."),
        (r"^smpl_head\.0\.init_body_pose", "pose_head.mean_pose"),
        (r"^smpl_head\.0\.init_betas", "pose_head.mean_betas"),
        (r"^smpl_head\.0\.init_cam", "pose_head.mean_camera"),
        (r"^smpl_head\.0\.fc1\.", "pose_head.first."),
        (r"^smpl_head\.0\.fc2\.", "pose_head.second."),
        (r"^smpl_head\.0\.decpose\.", "pose_head.pose."),
        (r"^smpl_head\.0\.decshape\.", "pose_head.betas."),
        (r"^smpl_head\.0\.deccam\.", "pose_head.camera."),
        (r"^loca_head\.0\.", "place_head."),
        (r"^action_head_ava\.0\.0\.", "action_head."),
        (r"^conv_en\.", "shorten."),
        (r"^conv_de\.", "lengthen."),
        (r"^pos_embedding_learned1$", "first_positions"),
        (r"^pos_embedding_learned2$", "second_positions"),
        (r"^pos_embedding$", "positions"),
    )
)


def ours(theirs: str) -> str:
    """Our name for a tensor of a released file."""
    name = theirs.removeprefix(PREFIX)
    for pattern, replacement in _RENAMED:
        name = pattern.sub(replacement, name)
    return name


class Block(nn.Module):
    """Self-attention and a perceptron on normalised inputs, with the whole of either left out now and then."""

    def __init__(
        self, width: int, heads: int, head_width: int, feedforward: int, dropped: float, skipped: float
    ) -> None:
        super().__init__()
        self.heads, self.dropped, self.skipped = heads, dropped, skipped
        inner = heads * head_width
        self.attention_norm = nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * inner, bias=False)
        self.attention_out = nn.Linear(inner, width)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp_in = nn.Linear(width, feedforward)
        self.mlp_out = nn.Linear(feedforward, width)

    def forward(self, x: Tensor, attended: Tensor) -> Tensor:
        """``x`` (B, S, width), of which ``attended`` (B, S) bool may be looked at."""
        qkv = self.query_key_value(self.attention_norm(x)).chunk(3, -1)
        query, key, value = (split_heads(part, self.heads) for part in qkv)
        scores = query @ key.mT * query.shape[-1] ** -0.5
        scores = scores.masked_fill(~attended[:, None, None], UNATTENDED).softmax(-1)
        x = x + self._path(self.attention_out(merge_heads(self._drop(scores) @ value)))
        return x + self._path(self.mlp_out(self._drop(gelu(self.mlp_in(self.mlp_norm(x))))))

    def _drop(self, x: Tensor) -> Tensor:
        return dropout(x, self.dropped, self.training)

    def _path(self, x: Tensor) -> Tensor:
        """With dropout, and nothing of it for a share of the samples in training."""
        x = self._drop(x)
        if not self.training or not self.skipped:
            return x
        stays = torch.rand(len(x), 1, 1, device=x.device) >= self.skipped
        return x * stays / (1 - self.skipped)


class Body(NamedTuple):
    """What a token says of a person."""

    rotations: Tensor  # (..., 24, 3, 3) local, the root's first
    betas: Tensor  # (..., 10)
    camera: Tensor  # (..., 3) of the pose head, which nobody uses


class PoseHead(nn.Module):
    """HMR's head: corrects the mean pose three times (Kanazawa et al. 2018, section 3.2)."""

    def __init__(self, width: int, hidden: int = 1024) -> None:
        super().__init__()
        numbers = 24 * 6 + BETAS + CAMERA
        self.first, self.second = nn.Linear(width + numbers, hidden), nn.Linear(hidden, hidden)
        self.pose, self.betas, self.camera = (nn.Linear(hidden, n) for n in (24 * 6, BETAS, CAMERA))
        for last in (self.pose, self.betas, self.camera):
            nn.init.xavier_uniform_(last.weight, gain=0.01)
        self.mean_pose = nn.Buffer(torch.tensor([[1.0, 0, 0, 0, 1, 0]]).repeat(1, 24))
        self.mean_betas, self.mean_camera = (
            nn.Buffer(torch.zeros(1, BETAS)),
            nn.Buffer(torch.zeros(1, CAMERA)),
        )

    def forward(self, x: Tensor) -> Body:
        """People of tokens (..., width)."""
        pose, betas, camera = (
            mean.expand(*x.shape[:-1], -1) for mean in (self.mean_pose, self.mean_betas, self.mean_camera)
        )
        for _ in range(REFINED):
            hidden = dropout(relu(self.first(torch.cat([x, pose, betas, camera], -1))), 0.5, self.training)
            hidden = dropout(relu(self.second(hidden)), 0.5, self.training)
            pose, betas, camera = (
                pose + self.pose(hidden),
                betas + self.betas(hidden),
                camera + self.camera(hidden),
            )
        return Body(columns_to_rotmat(pose.unflatten(-1, (24, 6))), betas, camera)


def three_layers(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    """A perceptron of two hidden layers."""
    return nn.Sequential(
        nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, n_out)
    )


def two_layers(n_in: int, hidden: int, n_out: int) -> nn.Sequential:
    """A perceptron of one hidden layer."""
    return nn.Sequential(nn.Linear(n_in, hidden), nn.ReLU(), nn.Linear(hidden, n_out))


def normalised(pose_shape: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Poses (..., POSE_SHAPE) as the networks take them.

    ``mean`` and ``std`` (n,), of the file mean_std.npy, are shorter: the camera is taken as it is.
    """
    rest = POSE_SHAPE - len(mean)
    return (pose_shape - pad(mean, (0, rest))) / (pad(std, (0, rest), value=1.0) + 1e-10)
