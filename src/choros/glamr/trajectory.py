"""The trajectory predictor (GLAMR, section 3.2, appendix D): where people go, from how their bodies move.

A CVAE over time with bidirectional LSTMs; it sees joints about the pelvis and says the egocentric trajectory
of ``egocentric.py``. Beyond the paper it also sees how fast the joints move. Its two ablations (table 4) are options.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from choros import weights
from choros.errors import ChorosError
from choros.glamr.config import FPS, TrajectoryConfig
from choros.glamr.cvae import Gaussian, time_encoding, token_perceptron
from choros.glamr.egocentric import N_EGO, ego_to_global, global_to_ego
from choros.rotation import columns_to_rotmat, rotmat_to_columns

SYSTEM = "trajectory"
SEEN = 2 * 23 * 3  # joints but the pelvis: places in metres, speeds in m/s

#: The egocentric numbers of somebody who stands still, and how much they vary: steps and turns by 1 a second.
STANDING = (0, 0, 0.9, 1, 0, -1, 0, 0, 0, 0, 1)
_SPREAD = (1 / FPS, 1 / FPS, 0.2, 0.02, 1 / FPS, *[0.3] * 6)


class OverTime(nn.Module):
    """Perceptron, then something that looks along time: tokens (B, T, n) -> (B, T, ``lstm``)."""

    def __init__(self, n_in: int, config: TrajectoryConfig) -> None:
        super().__init__()
        self.into = token_perceptron(n_in, config.mlp)
        width = config.mlp[-1]
        self.attends = config.transformer
        self.recurrent: nn.LSTM  # one of the two, by the config
        self.attention: nn.TransformerEncoder
        if config.transformer:
            self.out = nn.Linear(2 * width, config.lstm)  # of features and time encoding
            layer = nn.TransformerEncoderLayer(config.lstm, 8, 2 * config.lstm, batch_first=True)
            self.attention = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        else:
            self.recurrent = nn.LSTM(
                width, config.lstm // 2, config.layers, batch_first=True, bidirectional=True
            )

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """``lengths`` (B,) frames of each row count; what comes out after them is arbitrary."""
        x = self.into(tokens)
        T = tokens.shape[1]
        if self.attends:
            time = time_encoding(T, x.shape[-1]).to(x).expand(len(x), -1, -1)
            return self.attention(
                self.out(torch.cat([x, time], -1)), src_key_padding_mask=~inside(lengths, T).to(x.device)
            )
        if bool((lengths == T).all()):  # several times as fast
            return self.recurrent(x)[0]
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.recurrent(packed)[0], batch_first=True, total_length=T)[0]


class LatentHead(nn.Module):
    """Mean over time, then a perceptron: the distribution of the latent code."""

    def __init__(self, n_in: int, config: TrajectoryConfig) -> None:
        super().__init__()
        self.into = token_perceptron(n_in, config.mlp)
        self.out = nn.Linear(config.mlp[-1], 2 * config.latent)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Gaussian:
        """Tokens (B, T, n), of which ``lengths`` (B,) count in each row, to a diagonal Gaussian (B, latent)."""
        shown = inside(lengths, tokens.shape[1])[..., None].to(tokens.device)
        pooled = (tokens * shown).sum(1) / lengths[:, None].to(tokens.device)
        mean, log_std = self.out(self.into(pooled)).chunk(2, -1)
        return Gaussian(mean, log_std.clamp(-6, 3))


class TrajectoryPredictor(nn.Module):
    """The CVAE and its use. Get the one that ships with `TrajectoryPredictor.load`."""

    def __init__(self, config: TrajectoryConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TrajectoryConfig()
        self.context = OverTime(SEEN, config)
        self.path_in = OverTime(9, config)
        self.prior = LatentHead(config.lstm, config)
        self.posterior_head = LatentHead(2 * config.lstm, config)
        n_out = N_EGO if config.egocentric else 9
        self.decoder = token_perceptron(config.lstm + config.latent, config.mlp)
        self.out = nn.Linear(config.mlp[-1], n_out)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)
        self.standing = nn.Buffer(torch.tensor(STANDING), persistent=False)
        self.spread = nn.Buffer(torch.tensor(_SPREAD), persistent=False)

    @classmethod
    def load(cls, path: str | Path | None = None) -> TrajectoryPredictor:
        """The predictor that ships, or a file that ``choros train trajectory`` wrote.

        Raises `ChorosError` if the file is missing or holds something else.
        """
        return weights.load_network(lambda config: cls(TrajectoryConfig(**config)), SYSTEM, path)

    def posterior(self, context: Tensor, ego: Tensor, lengths: Tensor) -> Gaussian:
        """Which path it was: the path of ``ego`` (B, T, 11) from the origin, facing +y."""
        places, rotations = ego_to_global(ego, torch.zeros_like(ego[:, 0, :3]))
        path = self.path_in(torch.cat([places, rotmat_to_columns(rotations)], -1), lengths)
        return self.posterior_head(torch.cat([context, path], -1), lengths)

    def decode(self, context: Tensor, z: Tensor) -> Tensor:
        """Egocentric trajectories (B, T, 11) of context (B, T, lstm) and codes z (B, latent)."""
        told = torch.cat([context, z[:, None].expand(-1, context.shape[1], -1)], -1)
        told = self.out(self.decoder(told))
        if self.config.egocentric:
            return self.standing + self.spread * told
        places = told[..., :3] + self.standing[:3]
        return global_to_ego(places, columns_to_rotmat(told[..., 3:] + self.standing[5:]))

    def predict(self, joints: Tensor) -> Tensor:
        """The most likely trajectory (T, 11) of one person from joints (T, 24, 3); see `predict_all`."""
        return self.predict_all([joints])[0]

    @torch.no_grad()
    def predict_all(self, people: Sequence[Tensor]) -> list[Tensor]:
        """The most likely egocentric trajectory (T, 11) of each person; any T, their own.

        Each of ``people`` holds joints (T, 24, 3) about the pelvis in its own axes, metres
        (`windows.joints_about_pelvis`), at 30 frames/s. Place and heading of the first frame are arbitrary:
        give `ego_to_global` a ``start``. Raises `ChorosError` if the shapes do not fit.
        """
        return [paths[0] for paths in self._say(people, 1, 0)]

    @torch.no_grad()
    def sample(self, joints: Tensor, samples: int, seed: int = 0) -> Tensor:
        """Trajectories (samples, T, 11) of one person's joints (T, 24, 3): the most likely one, then random ones."""
        return self._say([joints], samples, seed)[0]

    def _say(self, people: Sequence[Tensor], samples: int, seed: int) -> list[Tensor]:
        for joints in people:
            if joints.ndim != 3 or joints.shape[1:] != (24, 3) or len(joints) == 0:
                raise ChorosError(
                    f"Joints to predict a trajectory from are (T, 24, 3), not {tuple(joints.shape)}."
                )
        if not people:
            return []
        weight = self.out.weight  # whose type and device the network computes in
        lengths = torch.tensor([len(joints) for joints in people])
        seen = pad_sequence([joint_features(joints.to(weight)) for joints in people], batch_first=True)
        context = self.context(seen, lengths)
        prior = self.prior(context, lengths)
        noise = torch.randn(
            samples, len(people), self.config.latent, generator=torch.Generator().manual_seed(seed)
        )
        noise[0] = 0
        said = torch.stack([self.decode(context, prior.draw(z.to(weight))) for z in noise], 1)
        return [paths[:, : len(joints)].to(joints) for paths, joints in zip(said, people, strict=True)]


def joint_features(joints: Tensor) -> Tensor:
    """Joints (..., T, 24, 3), metres, as the network sees them (..., T, SEEN): places and speeds."""
    places = joints[..., 1:, :].flatten(-2)
    speed = torch.diff(places, dim=-2, prepend=places[..., :1, :]) * FPS
    return torch.cat([places, speed], -1)


def inside(lengths: Tensor, T: int) -> Tensor:
    """Which of T frames count in rows of ``lengths`` (B,): (B, T) bool."""
    return torch.arange(T) < lengths[:, None]


def network_metadata(config: TrajectoryConfig) -> dict[str, Any]:
    """What the file of a predictor must say."""
    return {"system": SYSTEM, "config": asdict(config)}
