"""The transformer that tells actions (LART; 4DHumans, section 5.4 and supplement S.7).

A window of somebody and their neighbours is a set of tokens, frame by frame and in each person by person, which all
look at one another; every token says what its person does in its frame. Of the released network two faults are left
out: its token for the whole clip joins after the last layer, and so says the same of every clip; and where nobody was
detected it lets tokens be looked at in one mode and not in the other.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from choros.checkpoints import LoadReport, load_into
from choros.fourdhumans.actions.config import ACTION_PRESETS, ActionConfig
from choros.fourdhumans.released_layers import (
    POSE_SHAPE,
    PREFIX,
    Block,
    Body,
    PoseHead,
    ours,
    three_layers,
    two_layers,
)

SYSTEM = "actions"
JOINTS = 45 * 3

#: In the released file and of no use: what is never called, and the head that cannot learn.
LEFT_ASIDE = re.compile(r"^(pe$|class_token$|conv_en\.|conv_de\.|action_head_kinetics\.)")


class ActionTokens(NamedTuple):
    """B windows of T frames and P people, of whom the first is asked about; arbitrary where nobody was detected."""

    pose_shape: Tensor  # (B, T, P, 229) as `released_layers.normalised` makes it
    detected: Tensor  # (B, T, P) bool
    joints: Tensor | None = None  # (B, T, P, 45, 3) metres, in the camera's axes
    appearance: Tensor | None = None  # (B, T, P, appearance_in) 0 where there is none


class ActionAnswers(NamedTuple):
    """What the network says of every token, and of each window."""

    actions: Tensor  # (B, T, P, actions) logits
    body: Body | None  # (B, T, P, ...)
    place: Tensor | None  # (B, T, P, 3)
    clip: Tensor | None  # (B, clip_actions) logits


class ActionTransformer(nn.Module):
    """The network."""

    def __init__(self, config: ActionConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ActionConfig()
        width = config.width
        self.pose_in = two_layers(POSE_SHAPE, config.pose_hidden, config.pose)
        self.joints_in = three_layers(JOINTS, config.joints_hidden, config.joints) if config.joints else None
        self.appearance_in = (
            three_layers(config.appearance_in, config.appearance_hidden, config.appearance)
            if config.appearance
            else None
        )
        self.mask_token = nn.Parameter(torch.randn(width) * 0.02)
        self.positions = nn.Parameter(position_table(width, *config.longest))
        self.blocks = nn.ModuleList(
            Block(
                width, config.heads, config.head_width, config.feedforward, config.dropout, config.drop_path
            )
            for _ in range(config.depth)
        )
        self.pose_head = PoseHead(width) if config.tells_pose else None
        self.place_head = three_layers(width, width, 3) if config.tells_pose else None
        self.action_head = nn.Linear(width, config.actions)
        if config.clip_actions:
            self.clip_token = nn.Parameter(torch.randn(width) * 0.02)
            self.clip_head = three_layers(width, width, config.clip_actions)

    @classmethod
    def load_released(
        cls, checkpoint: Path, config: ActionConfig = ACTION_PRESETS["paper"]
    ) -> tuple[ActionTransformer, LoadReport]:
        """LART's released network, of a size that its weights have.

        The head of Kinetics' actions is left aside. Raises `ChorosError` if the file is missing or another network's.
        """
        network = cls(config)
        report = load_into(network, checkpoint, rename=_renamed)
        return network.eval(), report

    def forward(self, tokens: ActionTokens, masked: Tensor | None = None) -> ActionAnswers:
        """What everyone does in every frame; ``masked`` (B, T, P) bool are hidden as if nobody had been detected."""
        B, T, P = tokens.detected.shape
        shown = tokens.detected if masked is None else tokens.detected & ~masked
        x = torch.where(shown[..., None], self._token(tokens, shown), self.mask_token)
        x = (x + self.positions[:, :T, :P].permute(1, 2, 0)).flatten(1, 2)
        attended = shown.flatten(1)
        if self.config.clip_actions:
            x = torch.cat([self.clip_token.expand(B, 1, -1), x], 1)
            attended = torch.cat([attended.new_ones(B, 1), attended], 1)
        for block in self.blocks:
            x = block(x, attended)
        clip = self.clip_head(x[:, 0]) if self.config.clip_actions else None
        x = x[:, -T * P :].unflatten(1, (T, P))
        body, place = (None if head is None else head(x) for head in (self.pose_head, self.place_head))
        return ActionAnswers(self.action_head(x), body, place, clip)

    def _token(self, tokens: ActionTokens, shown: Tensor) -> Tensor:
        """(B, T, P, width); 0 goes in where nothing is shown."""

        def told(layer: nn.Module, numbers: Tensor | None, size: int) -> Tensor:
            if numbers is None:
                numbers = tokens.pose_shape.new_zeros(*shown.shape, size)
            return layer(torch.where(shown[..., None], numbers, 0))

        parts = [told(self.pose_in, tokens.pose_shape, POSE_SHAPE)]
        if self.joints_in is not None:
            joints = None if tokens.joints is None else tokens.joints.flatten(-2)
            parts.append(told(self.joints_in, joints, JOINTS))
        if self.appearance_in is not None:
            parts.append(told(self.appearance_in, tokens.appearance, self.config.appearance_in))
        return torch.cat(parts, -1)


def position_table(width: int, frames: int, people: int) -> Tensor:
    """Where in the window a token is, (width, frames, people): sines and cosines of its frame, then of its person."""
    half = width // 2
    rate = torch.exp(-torch.arange(0, half, 2) * (torch.log(torch.tensor(10_000.0)) / half))

    def waves(count: int) -> Tensor:
        angle = torch.arange(count)[:, None] * rate
        return torch.stack([angle.sin(), angle.cos()], -1).flatten(1)[:, :half].T  # (half, count)

    time = waves(frames)[:, :, None].expand(-1, -1, people)
    person = waves(people)[:, None].expand(-1, frames, -1)
    return torch.cat([time, person]).contiguous()


def network_metadata(config: ActionConfig) -> dict[str, Any]:
    """What the file of weights must say."""
    return {"system": SYSTEM, "config": asdict(config)}


def _renamed(theirs: str) -> str | None:
    return None if LEFT_ASIDE.match(theirs.removeprefix(PREFIX)) else ours(theirs)
