"""GLAMR's motion infiller as released (`motion_infiller_demo.yml`): axis-angles, windows of 50 frames, 30 anew each."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from choros.checkpoints import load_into
from choros.errors import ChorosError
from choros.glamr.cvae import Gaussian
from choros.glamr.network_inputs import known_neighbours
from choros.glamr.released.layers import Perceptron, Timed
from choros.rotation import rotmat_slerp, rotmat_to_rotvec, rotvec_to_rotmat

#: Numbers of a pose and of a latent code; width of tokens; frames that are known, said, and looked ahead to.
POSE, LATENT, WIDTH = 69, 128, 256
PAST, SAID, AHEAD = 10, 30, 10
WINDOW = PAST + SAID + AHEAD

#: In the file and of no use after training.
TRAINING = "data_encoder."


class Context(nn.Module):
    """What was seen."""

    def __init__(self) -> None:
        super().__init__()
        self.in_fc, self.pos_enc = nn.Linear(POSE, WIDTH), Timed(WIDTH, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 8, 512)
        self.temporal_net = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)

    def forward(self, poses: Tensor, hidden: Tensor) -> Tensor:
        """Poses (50, B, 69), of which nobody looks at ``hidden`` (B, 50) bool, to (50, B, 256)."""
        return self.temporal_net(self.pos_enc(self.in_fc(poses)), src_key_padding_mask=hidden)


class Decoder(nn.Module):
    """Which motions are likely, and the motion that a code stands for."""

    def __init__(self) -> None:
        super().__init__()
        self.mu_token, self.logvar_token = nn.Parameter(torch.zeros(WIDTH)), nn.Parameter(torch.zeros(WIDTH))
        self.prior_pos_enc, self.pos_enc = Timed(WIDTH, WIDTH), Timed(LATENT, WIDTH)
        layer = nn.TransformerDecoderLayer(WIDTH, 8, 512)
        self.prior_temporal_net = nn.TransformerDecoder(layer, 1)
        self.temporal_net = nn.TransformerDecoder(layer, 2)
        self.p_z_mu_net, self.p_z_logvar_net = nn.Linear(WIDTH, LATENT), nn.Linear(WIDTH, LATENT)
        self.out_mlp, self.out_fc = Perceptron(WIDTH, 512, 256), nn.Linear(256, POSE)

    def prior(self, context: Tensor, hidden: Tensor) -> Gaussian:
        """Of the code (B, 128)."""
        B = context.shape[1]
        asking = torch.stack([self.mu_token, self.logvar_token])[:, None].expand(2, B, -1)
        told = self.prior_temporal_net(self.prior_pos_enc(asking), context, memory_key_padding_mask=hidden)
        return Gaussian(self.p_z_mu_net(told[0]), self.p_z_logvar_net(told[1]) / 2)

    def forward(self, z: Tensor, context: Tensor, hidden: Tensor) -> Tensor:
        """The 30 frames (30, B, 69) after the past that a code (B, 128) stands for."""
        asking = self.pos_enc(z.expand(SAID, *z.shape), PAST)
        told = self.temporal_net(asking, context, memory_key_padding_mask=hidden)
        return self.out_fc(self.out_mlp(told))


class ReleasedInfiller(nn.Module):
    """The network of the authors' Lightning checkpoint, by its names; an `Infiller` of `person_trajectories`."""

    def __init__(self) -> None:
        super().__init__()
        self.context_encoder, self.data_decoder = Context(), Decoder()

    @classmethod
    def load(cls, path: str | Path) -> ReleasedInfiller:
        """From the authors' file. Raises ``ChorosError`` if it is missing or another network's."""
        network = cls()
        load_into(network, path, rename=lambda name: None if name.startswith(TRAINING) else name)
        return network.eval().requires_grad_(False)

    @torch.no_grad()
    def infill(
        self,
        rotations: Tensor,
        visible: Tensor,
        samples: int = 1,
        seed: int = 0,
        keep_visible: bool = True,
    ) -> Tensor:
        """Whole motions (samples, T, 23, 3, 3) at 30 frames/s of rotations (T, 23, 3, 3) and who was ``visible`` (T,).

        Window after window, as released: ten frames that are known, thirty that are said anew, ten that are looked
        ahead to. Poses between two sights lie on the way from one to the other before anything is said, and count
        where they are a window's past. What is before the first sight is said backwards in time. The first sample is
        the likeliest, others are drawn with ``seed``. The release says visible frames anew too (``keep_visible``
        False); else they stay as they were. Raises ``ChorosError`` if nobody is visible or the shapes do not fit.
        """
        T = len(visible)
        if rotations.shape != (T, 23, 3, 3) or not visible.any():
            raise ChorosError(
                "Rotations to infill are (T, 23, 3, 3) for (T,) visible frames, in one of which somebody is seen; not "
                f"{tuple(rotations.shape)} for {tuple(visible.shape)}."
            )
        held = (
            rotmat_to_rotvec(_on_the_way(rotations, visible)).flatten(-2).to(self.data_decoder.out_fc.weight)
        )
        shown = visible.to(held.device)
        generator = torch.Generator().manual_seed(seed)
        poses = held.expand(samples, T, POSE)
        first = int(shown.nonzero()[0, 0])
        said = self._onward(poses, shown, first, generator)
        if first:
            back = self._onward(
                said.flip(1), torch.arange(T, device=held.device).flip(0) >= first, 0, generator
            ).flip(1)
            said = torch.cat([back[:, :first], said[:, first:]], 1)
        filled = rotvec_to_rotmat(said.unflatten(-1, (23, 3))).to(rotations)
        keep = visible[:, None, None, None] & keep_visible
        return torch.where(keep, rotations, filled)

    def _onward(self, poses: Tensor, visible: Tensor, first: int, generator: torch.Generator) -> Tensor:
        """Poses (samples, T, 69) said anew from ten frames after ``first`` on."""
        samples, T, _ = poses.shape
        said = poses.clone()
        for start in range(first, T - PAST, SAID):
            inside = min(WINDOW, T - start)
            window = poses.new_zeros(WINDOW, samples, POSE)
            window[:inside] = poses[:, start : start + inside].transpose(0, 1)
            window[:PAST] = said[:, start : start + PAST].transpose(0, 1)
            hidden = torch.ones(WINDOW, dtype=torch.bool, device=poses.device)
            hidden[:inside] = ~visible[start : start + inside]
            hidden[:PAST] = False
            window[hidden] = 0
            hidden = hidden.expand(samples, -1)
            context = self.context_encoder(window, hidden)
            noise = torch.randn(samples, LATENT, generator=generator)
            noise[0] = 0
            z = self.data_decoder.prior(context, hidden).draw(noise.to(poses))
            told = self.data_decoder(z, context, hidden).transpose(0, 1)
            end = min(start + PAST + SAID, T)
            said[:, start + PAST : end] = told[:, : end - start - PAST]
        return said


def _on_the_way(rotations: Tensor, visible: Tensor) -> Tensor:
    """Rotations (T, 23, 3, 3) with those of frames that are not ``visible`` (T,) between their neighbours'."""
    T = len(visible)
    before, after = known_neighbours(visible)
    start, end = torch.where(before < 0, after, before), torch.where(after == T, before, after)
    share = (torch.arange(T, device=visible.device) - start) / (end - start).clamp_min(1)
    return rotmat_slerp(rotations[start], rotations[end], share.clamp(0, 1))
