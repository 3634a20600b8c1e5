"""GLAMR's trajectory predictor as released (`traj_pred_demo.yml`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from choros.checkpoints import load_into
from choros.errors import ChorosError
from choros.glamr.cvae import Gaussian
from choros.glamr.released.layers import BothWays, Perceptron
from choros.rotation import columns_to_rotmat, rotmat_about, rotmat_to_columns

JOINTS, LATENT, WIDTH = 69, 128, 256
#: Of what the network says: to x and y along the heading, height, tilt, cosine and sine of the turn.
PARTS = (2, 1, 6, 2)

TRAINING = "data_encoder."

#: Their upright body is turned by this from SMPL's axes to a world with z up, and faces x; ours faces y.
R_BASE = torch.tensor([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])


class Context(nn.Module):
    """How the body moves."""

    def __init__(self) -> None:
        super().__init__()
        self.in_mlp, self.out_mlp = Perceptron(JOINTS, 512, WIDTH), Perceptron(WIDTH, 512, WIDTH)
        self.temporal_net = nn.Sequential(BothWays(WIDTH, WIDTH // 2), BothWays(WIDTH, WIDTH // 2))

    def forward(self, joints: Tensor) -> Tensor:
        """Joints (T, B, 69) to (T, B, 256)."""
        return self.out_mlp(self.temporal_net(self.in_mlp(joints)))


class Decoder(nn.Module):
    """Which paths are likely, and the path that a code stands for."""

    def __init__(self) -> None:
        super().__init__()
        self.prior_mlp, self.p_z_net = Perceptron(WIDTH, 512, WIDTH), nn.Linear(WIDTH, 2 * LATENT)
        self.out_mlp, self.out_fc = Perceptron(WIDTH + LATENT, 512, WIDTH), nn.Linear(WIDTH, sum(PARTS))

    def prior(self, context: Tensor) -> Gaussian:
        """Of the code (B, 128)."""
        mean, log_var = self.p_z_net(self.prior_mlp(context.mean(0))).chunk(2, -1)
        return Gaussian(mean, log_var / 2)

    def forward(self, z: Tensor, context: Tensor) -> Tensor:
        """The path (T, B, 11) that a code (B, 128) stands for, in their order."""
        told = torch.cat([z.expand(len(context), *z.shape), context], -1)
        return self.out_fc(self.out_mlp(told))


class ReleasedPredictor(nn.Module):
    """The network of the authors' Lightning checkpoint, by its names; a `Predictor` of `person_trajectories`."""

    def __init__(self) -> None:
        super().__init__()
        self.context_encoder, self.data_decoder = Context(), Decoder()

    @classmethod
    def load(cls, path: str | Path) -> ReleasedPredictor:
        """From the authors' file. Raises ``ChorosError`` if it is missing or another network's."""
        network = cls()
        load_into(network, path, rename=lambda name: None if name.startswith(TRAINING) else name)
        return network.eval().requires_grad_(False)

    @torch.no_grad()
    def predict_all(self, people: Sequence[Tensor]) -> list[Tensor]:
        """The likeliest egocentric trajectory (T, 11) of each person from joints (T, 24, 3) about the pelvis, metres.

        In the order and axes of `choros.glamr.egocentric`. Raises ``ChorosError`` if the shapes do not fit.
        """
        return [self._predict(joints) for joints in people]

    def _predict(self, joints: Tensor) -> Tensor:
        if joints.ndim != 3 or joints.shape[1:] != (24, 3) or len(joints) == 0:
            raise ChorosError(
                f"Joints to predict a trajectory from are (T, 24, 3), not {tuple(joints.shape)}."
            )
        seen = joints[:, 1:].flatten(-2)[:, None].to(self.data_decoder.out_fc.weight)
        context = self.context_encoder(seen)
        told = self.data_decoder(self.data_decoder.prior(context).mean, context)[:, 0]
        return ours(told).to(joints)


def ours(told: Tensor) -> Tensor:
    """A path (..., 11) as the release says it, in the order and axes of `choros.glamr.egocentric`.

    Theirs: a step's x is ahead and y to the left; the tilt is that of a body which faces x, without the turn from
    SMPL's axes (`R_BASE`). Ours: to the right, ahead; a body that faces y, from SMPL's axes.
    """
    step, height, tilt, turn = told.split(PARTS, -1)
    quarter = rotmat_about("z", torch.tensor(torch.pi / 2, dtype=told.dtype, device=told.device))
    rotation = quarter @ columns_to_rotmat(tilt) @ R_BASE.to(told)
    across = torch.stack([-step[..., 1], step[..., 0]], -1)
    return torch.cat([across, height, turn, rotmat_to_columns(rotation)], -1)
