"""Whether a body is one that was captured: HMR's adversary (3.3; Kanazawa et al. 2018, section 3.4).

25 answers: one for each joint's own rotation, one for all of them together, one for the shape. Sizes as released.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import relu

N_BODY_JOINTS = 23


class PoseDiscriminator(nn.Module):
    """Bodies to 25 answers each, near 1 for what was captured and near 0 for what was made up."""

    def __init__(self, width: int = 32, whole_width: int = 1024) -> None:
        super().__init__()
        self.joint_in = nn.Linear(9, width)
        self.joint_hidden = nn.Linear(width, width)
        self.joint_out = nn.Parameter(torch.empty(N_BODY_JOINTS, width))
        self.joint_bias = nn.Parameter(torch.zeros(N_BODY_JOINTS))
        self.whole = _layers(N_BODY_JOINTS * width, whole_width, whole_width, 1)
        self.betas = _layers(10, 10, 5, 1)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        bound = math.sqrt(6 / (width + 1))  # Xavier's, of a layer with one answer for each joint
        nn.init.uniform_(self.joint_out, -bound, bound)

    def forward(self, body_pose: Tensor, betas: Tensor) -> Tensor:
        """Rotations (B, 23, 3, 3) and shapes (B, 10) to (B, 25): joints, all together, shape."""
        features = relu(self.joint_hidden(relu(self.joint_in(body_pose.flatten(-2)))))  # (B, 23, width)
        each = (features * self.joint_out).sum(-1) + self.joint_bias
        return torch.cat([each, self.whole(features.flatten(1)), self.betas(betas)], -1)

    def judged(self, body_pose: Tensor, betas: Tensor) -> Tensor:
        """The answers as `forward` gives them, from which nothing is learned here, but by who made the bodies."""
        held = {name: parameter.detach() for name, parameter in self.named_parameters()}
        return functional_call(self, held, (body_pose, betas))


def _layers(*widths: int) -> nn.Sequential:
    """Linear layers of these widths with ReLU between."""
    parts: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        parts += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*parts[:-1])
