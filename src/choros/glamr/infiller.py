"""The motion infiller (GLAMR, section 3.1, appendix C): body poses of frames in which nobody saw the person.

A transformer CVAE fills a window of 50 frames, 30 at a time, and slides on over what it filled. Attention goes
to the frames that were seen. Beyond the paper, it says how the motion departs from the straight way between the
poses seen before and after, also when the latter are beyond the window; layers are normalised first; and what
was seen can stay as it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from choros import weights
from choros.errors import ChorosError
from choros.glamr.config import InfillerConfig
from choros.glamr.cvae import Gaussian, time_encoding, token_perceptron
from choros.glamr.network_inputs import known_neighbours, straight_way
from choros.rotation import columns_to_rotmat, rotmat_to_columns

SYSTEM = "infiller"
POSE = 23 * 6  # two columns of each local rotation: continuous, where the paper's axis-angle is not
CLUES = 2 + 2 * POSE


class Window(NamedTuple):
    """B windows of frames, as the network sees them."""

    poses: Tensor  # (B, window, POSE); arbitrary where not seen
    seen: Tensor  # (B, window) bool, at least one in each row
    way: Tensor  # (B, window, POSE) the straight way between the poses known before and after
    clues: Tensor  # (B, window, CLUES) how far those are and how they change, see `straight_way`


class LatentNetwork(nn.Module):
    """Two learned tokens look at the context, and at a whole motion if there is one: mean and deviation of z."""

    def __init__(self, config: InfillerConfig) -> None:
        super().__init__()
        self.tokens = nn.Parameter(torch.randn(2, config.width) * 0.02)
        self.transformer = _decoder(config)
        self.mean = nn.Linear(config.width, config.latent)
        self.log_std = nn.Linear(config.width, config.latent)

    def forward(self, context: Tensor, hidden: Tensor, motion: Tensor | None = None) -> Gaussian:
        """``context`` (B, window, width), of which nobody may look at ``hidden`` (B, window) bool."""
        asking = self.tokens.expand(len(context), 2, -1)
        if motion is not None:
            asking = torch.cat([asking, motion], 1)
        told = self.transformer(asking, context, memory_key_padding_mask=hidden)
        return Gaussian(self.mean(told[:, 0]), self.log_std(told[:, 1]).clamp(-6, 3))


class MotionInfiller(nn.Module):
    """The CVAE and its use. Get the one that ships with `MotionInfiller.load`."""

    def __init__(self, config: InfillerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or InfillerConfig()
        width = config.width
        self.seen_in = nn.Linear(POSE + width, width)
        self.asked_in = nn.Linear(POSE + CLUES + config.latent + width, width)
        layer = nn.TransformerEncoderLayer(
            width, config.heads, config.feedforward, config.dropout, batch_first=True, norm_first=True
        )
        self.context = nn.TransformerEncoder(
            layer, config.blocks, nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.truth_in = nn.Linear(POSE + width, width)
        self.prior_network = LatentNetwork(config)
        self.posterior_network = LatentNetwork(config)
        nn.init.constant_(self.posterior_network.log_std.bias, -3)  # or it begins as noise, and is ignored
        self.decoder = _decoder(config)
        last = nn.Linear(config.mlp[-1], POSE)
        nn.init.normal_(last.weight, std=0.03)  # it begins about as the straight way
        nn.init.zeros_(last.bias)
        self.head = nn.Sequential(token_perceptron(width + config.latent, config.mlp), last)

    @classmethod
    def load(cls, path: str | Path | None = None) -> MotionInfiller:
        """The infiller that ships, or a file that ``choros train infiller`` wrote.

        Raises `ChorosError` if the file is missing or holds something else.
        """
        return weights.load_network(lambda config: cls(InfillerConfig(**config)), SYSTEM, path)

    def see(self, window: Window) -> Tensor:
        """The context (B, window, width) of what was seen."""
        return self.context(self.seen_in(self._timed(window.poses)), src_key_padding_mask=~window.seen)

    def prior(self, context: Tensor, window: Window) -> Gaussian:
        """What motion is likely."""
        return self.prior_network(context, ~window.seen)

    def posterior(self, context: Tensor, window: Window, truth: Tensor) -> Gaussian:
        """What motion it was, of ``truth`` (B, window, POSE): how it departs from the straight way."""
        return self.posterior_network(context, ~window.seen, self.truth_in(self._timed(truth - window.way)))

    def fill(self, context: Tensor, window: Window, z: Tensor) -> Tensor:
        """Poses (B, window - context, POSE) of all frames after the context, as columns of any length."""
        z = z[:, None].expand(-1, self.config.window, -1)
        asked = torch.cat([window.way, window.clues, z], -1)
        asked = self.asked_in(self._timed(asked))[:, self.config.context :]
        told = self.decoder(asked, context, memory_key_padding_mask=~window.seen)
        departs = self.head(torch.cat([told, z[:, self.config.context :]], -1))
        return window.way[:, self.config.context :] + departs

    @torch.no_grad()
    def infill(
        self,
        rotations: Tensor,
        visible: Tensor,
        samples: int = 1,
        seed: int = 0,
        keep_visible: bool = True,
    ) -> Tensor:
        """Whole motions from one with gaps, at 30 frames/s.

        ``rotations`` (T, 23, 3, 3) are the local rotations of joints 1 to 23, arbitrary where ``visible`` (T,)
        bool is False; any T. Returns (samples, T, 23, 3, 3): the first is the most likely motion, the others
        are drawn with ``seed``. Frames that were visible stay as they were and what is filled in bends to
        meet them, or all is said anew with ``keep_visible=False``.

        Raises `ChorosError` if no frame is visible or the shapes do not fit.
        """
        generator = torch.Generator().manual_seed(seed)

        def draw(context: Tensor, window: Window, start: int, backwards: bool) -> Tensor:
            noise = torch.randn(samples, self.config.latent, generator=generator)
            noise[0] = 0
            return self.prior(context, window).draw(noise.to(context.device))

        return self._whole(rotations, visible, samples, keep_visible, draw)

    @torch.no_grad()
    def reconstruct(self, rotations: Tensor, visible: Tensor) -> Tensor:
        """What the network makes of a motion it may see whole, (T, 23, 3, 3): only its latent codes know the gaps.

        For evaluation (table 3, "reconstructed"): the posterior's mean instead of the prior's.
        """
        truth = rotmat_to_columns(rotations).flatten(-2).to(self.seen_in.weight)[None]

        def draw(context: Tensor, window: Window, start: int, backwards: bool) -> Tensor:
            motion = truth.flip(1) if backwards else truth
            whole, known = _cut(
                motion,
                torch.ones(motion.shape[:2], dtype=torch.bool).to(motion.device),
                start,
                self.config.window,
            )
            return self.posterior(context, window, straight_way(whole, known)[0]).mean

        return self._whole(rotations, visible, 1, True, draw)[0]

    def _whole(
        self,
        rotations: Tensor,
        visible: Tensor,
        samples: int,
        keep_visible: bool,
        draw: Callable[..., Tensor],
    ) -> Tensor:
        T = len(visible)
        if rotations.shape != (T, 23, 3, 3):
            raise ChorosError(
                f"Rotations to infill are (T, 23, 3, 3) for (T,) visible frames, not {tuple(rotations.shape)} "
                f"for {tuple(visible.shape)}."
            )
        if not visible.any():
            raise ChorosError("Nobody is visible in any frame of this motion; leave it out.")
        seen = rotmat_to_columns(rotations).flatten(-2).to(self.seen_in.weight)
        seen, shown = seen.expand(samples, T, POSE), visible.to(seen.device)
        first = int(visible.nonzero()[0, 0])
        filled = self._onward(seen, shown, first, keep_visible, partial(draw, backwards=False))
        if first > 0:  # before anybody was seen: the same, backwards in time
            later = torch.arange(T, device=seen.device) >= first
            back = self._onward(
                filled.flip(1), later.flip(0), 0, keep_visible, partial(draw, backwards=True)
            ).flip(1)
            filled = torch.cat([back[:, :first], filled[:, first:]], 1)
        if keep_visible:
            filled = _met(filled, seen, shown, self.config.seam)
        whole = _rotations(filled).to(rotations)
        return torch.where(visible[:, None, None, None] & keep_visible, rotations, whole)

    def _onward(
        self,
        poses: Tensor,
        visible: Tensor,
        first: int,
        keep_visible: bool,
        draw: Callable[[Tensor, Window, int], Tensor],
    ) -> Tensor:
        """Poses (samples, T, POSE) said anew from frame ``first`` on; windows without a gap only if wanted."""
        config, T = self.config, len(visible)
        filled, said = poses.clone(), poses.clone()
        known = visible.clone()
        known[:first] = False
        for begin in range(first, T, config.infilled):
            start, end = begin - config.context, min(begin + config.infilled, T)
            if not (keep_visible and visible[max(begin - 1, first) : end + 1].all()):
                window = self._window(filled, known, start)
                context = self.see(window)
                new = self.fill(context, window, draw(context, window, start))[:, : end - begin]
                new = rotmat_to_columns(_rotations(new)).flatten(-2)  # the next window sees them as seen
                said[:, begin:end] = new
                gap = ~visible[begin:end]
                filled[:, begin:end][:, gap] = new[:, gap]
            known[begin:end] = True
        return said

    def _window(self, poses: Tensor, known: Tensor, start: int) -> Window:
        config = self.config
        cut, seen = _cut(poses, known.expand(len(poses), -1), start, config.window + config.horizon)
        way, clues = straight_way(cut, seen)
        inside = slice(0, config.window)
        return Window(cut[:, inside], seen[:, inside], way[:, inside], clues[:, inside])

    def _timed(self, tokens: Tensor) -> Tensor:
        """Tokens (B, window, D) with the time encoding (window, width) appended (appendix C)."""
        time = time_encoding(tokens.shape[1], self.config.width).to(tokens)
        return torch.cat([tokens, time.expand(len(tokens), -1, -1)], -1)


def network_metadata(config: InfillerConfig) -> dict[str, Any]:
    """What the file of an infiller must say."""
    return {"system": SYSTEM, "config": asdict(config)}


def _decoder(config: InfillerConfig) -> nn.TransformerDecoder:
    layer = nn.TransformerDecoderLayer(
        config.width, config.heads, config.feedforward, config.dropout, batch_first=True, norm_first=True
    )
    return nn.TransformerDecoder(layer, config.blocks, nn.LayerNorm(config.width))


def _rotations(poses: Tensor) -> Tensor:
    return columns_to_rotmat(poses.unflatten(-1, (23, 6)))


def _cut(poses: Tensor, known: Tensor, start: int, length: int) -> tuple[Tensor, Tensor]:
    """``length`` frames of (B, T, POSE) and (B, T) from ``start`` on; what is beyond either end is not known."""
    T = known.shape[-1]
    frame = torch.arange(start, start + length, device=poses.device)
    inside = frame.clamp(0, T - 1)
    return poses[:, inside], known[:, inside] & (frame >= 0) & (frame < T)


def _met(said: Tensor, seen: Tensor, visible: Tensor, seam: int) -> Tensor:
    """What was said (B, T, POSE), bent over ``seam`` frames beside each visible one to what was seen there."""
    T = len(visible)
    frame = torch.arange(T, device=visible.device)
    before, after = known_neighbours(visible)
    ago = torch.where(before < 0, T, frame - before)
    soon = torch.where(after == T, T, after - frame)
    share = (1 - torch.stack([ago, soon]) / (seam + 1)).clamp_min(0).to(said)
    share = (share / share.sum(0).clamp_min(1))[..., None]
    miss = seen - said
    return said + share[0] * miss[:, before.clamp_min(0)] + share[1] * miss[:, after.clamp_max(T - 1)]
