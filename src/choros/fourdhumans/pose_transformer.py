"""The pose transformer (4DHumans, supplement S.4): people's poses, shapes and places while nobody sees them.

Observations are tokens, and so is every instant that is asked for, as a learned mask token: a later one makes a
prediction, one in between a completion. Beyond the paper, the answer departs from what lines through the observations
say (``extrapolation``), about which the mask token is told; attention goes to observations alone, so that what else is
asked does not matter; and it knows times in seconds, by rotating queries and keys (RoFormer, Su et al. 2021).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from choros import weights
from choros.fourdhumans.config import PoseTransformerConfig
from choros.fourdhumans.extrapolation import CLUES, FIRST_SHARES, OFFERS, PARTS, added, say
from choros.fourdhumans.pose_tracks import TOKEN, PoseTrack, Window, people_of, questions, window_of
from choros.layers.attention import TransformerLayer, members_mask, merge_heads, split_heads
from choros.layers.perceptron import perceptron

SYSTEM = "pose-transformer"
WINDOWS_AT_ONCE = 64


class TimedLayer(TransformerLayer):
    """A transformer layer that knows how far apart in time its tokens are."""

    def forward(self, x: Tensor, mask: Tensor, waves: Tensor) -> Tensor:  # type: ignore[override]
        """``x`` (B, T, width), ``mask`` (B, T, T) bool, ``waves`` (B, 1, T, head / 2) complex."""
        qkv = self.query_key_value(self.attention_norm(x)).chunk(3, -1)
        query, key, value = (split_heads(part, self.heads) for part in qkv)
        seen = scaled_dot_product_attention(_turned(query, waves), _turned(key, waves), value, mask[:, None])
        x = x + self.attention_out(merge_heads(seen))
        return x + self.mlp_out(gelu(self.mlp_in(self.mlp_norm(x))))


class PoseTransformer(nn.Module):
    """The network and its use. Get the one that ships with `PoseTransformer.load`."""

    def __init__(self, config: PoseTransformerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PoseTransformerConfig()
        width = config.width
        self.seen_in = perceptron(TOKEN, width, width)
        self.asked_in = perceptron(TOKEN + CLUES, width, width)
        self.mask_token = nn.Parameter(torch.randn(width) * 0.02)
        self.layers = nn.ModuleList(
            TimedLayer(width, width // config.heads, config.expansion) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.departure = perceptron(width, width, TOKEN, out_scale=0.01)
        self.shares = perceptron(width, width, OFFERS * PARTS, out_scale=0.01)

    @classmethod
    def load(cls, path: str | Path | None = None) -> PoseTransformer:
        """The pose transformer that ships, or a file that ``choros train pose-transformer`` wrote.

        Raises `ChorosError` if the file is missing or holds something else.
        """
        return weights.load_network(lambda config: cls(PoseTransformerConfig(**config)), SYSTEM, path)

    def forward(self, window: Window) -> Tensor:
        """Tokens (M, TOKEN) of the M instants that are asked for, in the order of the batch."""
        said = say(window)
        shown = torch.where(window.seen[..., None], window.tokens, 0)
        x = self.seen_in(shown) * window.seen[..., None]
        x[window.asked] = self.mask_token + self.asked_in(torch.cat([said.way, said.clues], -1))
        mask, waves = members_mask(window.seen), self._waves(window.times_s)
        for layer in self.layers:
            x = layer(x, mask, waves)
        answers = self.norm(x[window.asked])
        shares = (
            self.shares(answers).unflatten(-1, (OFFERS, PARTS)) + answers.new_tensor(FIRST_SHARES)[:, None]
        )
        return added(said, shares, self.departure(answers))

    @torch.no_grad()
    def complete(self, tracks: Sequence[PoseTrack], asked_s: Sequence[Tensor]) -> list[PoseTrack]:
        """Everybody at the instants (M,) that are asked for, seconds on their own track's clock.

        Later than the last observation that is a prediction, between observations a completion, before the first a
        guess backwards; each is read at its own instant. Any number of observations, at any rate: of those closer than
        ``config.spacing_s`` one is taken, of many the nearest.

        Raises `ChorosError` if somebody was never observed, or the shapes do not fit.
        """
        self.eval()
        asked_s = [torch.as_tensor(asked, dtype=torch.double) for asked in asked_s]
        answers = [_nobody_at(track, asked) for track, asked in zip(tracks, asked_s, strict=True)]
        whole = questions(tracks, asked_s, self.config)
        for begin in range(0, len(whole), WINDOWS_AT_ONCE):
            batch = whole[begin : begin + WINDOWS_AT_ONCE]
            window, here = window_of(tracks, asked_s, batch)
            row = window.asked.nonzero(as_tuple=True)[0]
            tokens = self(_moved(window, self.mask_token)).to(here.pelvis)
            people = people_of(tokens, here.R_camera_heading[row], here.pelvis[row])
            for number, question in enumerate(batch):
                for whose, part in zip(answers[question.track][1:], people, strict=True):
                    whose[question.asked] = part[row == number].to(whose)
        return answers

    def _waves(self, times_s: Tensor) -> Tensor:
        half = self.config.width // self.config.heads // 2
        shortest, longest = self.config.shortest_period_s, self.config.longest_period_s
        periods = shortest * (longest / shortest) ** torch.linspace(0, 1, half, device=times_s.device)
        angles = times_s[:, None, :, None] * (2 * math.pi / periods)
        return torch.polar(torch.ones_like(angles), angles)


def network_metadata(config: PoseTransformerConfig) -> dict[str, Any]:
    """What the file of a pose transformer must say."""
    return {"system": SYSTEM, "config": asdict(config)}


def _turned(x: Tensor, waves: Tensor) -> Tensor:
    """Pairs of numbers of (B, heads, T, d), turned by ``waves``."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * waves).flatten(-2).to(x)


def _moved(window: Window, like: Tensor) -> Window:
    """The window on the network's device."""
    floats = (part.to(like) for part in window[:2])
    return Window(*floats, *(part.to(like.device) for part in window[2:]))


def _nobody_at(track: PoseTrack, asked_s: Tensor) -> PoseTrack:
    """Room for the answers of a track."""
    return PoseTrack(asked_s, *(part.new_zeros(len(asked_s), *part.shape[1:]) for part in track[1:]))
