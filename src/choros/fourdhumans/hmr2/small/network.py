"""The small HMR 2.0's network: keypoints propose several likely bodies, and the decoder corrects each by the image.

The keypoint half is the lifter's network, its memory too, and begins with its weights: then all answers are the
lifter's until the image half has learned something. There each hypothesis is one token that looks at what the trunk
sees at the keypoints (paper 3.2, with as many tokens as there are likely bodies). It learns from single crops, and
remembers as the lifter learned to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from choros import weights
from choros.body.gauss_newton import PosePrior, float64
from choros.body.hypotheses import (
    N_INPUTS,
    N_OF_EACH,
    Hypotheses,
    PersonView,
    hypotheses_of,
    upright_columns,
)
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.decoder import N_BETAS, DecoderLayer
from choros.fourdhumans.hmr2.small.config import N_FEATURES, N_POINTS, SmallConfig
from choros.fourdhumans.hmr2.small.seen import with_limbs
from choros.layers.perceptron import ResidualBlock

#: Whose weights these are, as their metadata say.
SYSTEM = "hmr2-small"


class SmallHmr2(nn.Module):
    """What is seen of people to `Hypotheses`."""

    rest: Tensor  # (144,)

    def __init__(self, config: SmallConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SmallConfig()
        width, decoder = config.width, config.decoder
        self.into = nn.Linear(N_INPUTS, width)
        self.before = nn.Sequential(*[ResidualBlock(width, config.expansion) for _ in range(config.blocks)])
        self.memory = nn.GRUCell(width, width)
        self.after = nn.Sequential(*[ResidualBlock(width, config.expansion) for _ in range(config.blocks)])
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, config.hypotheses * N_OF_EACH + N_BETAS)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

        self.bottleneck = nn.Linear(N_FEATURES, config.bottleneck)
        self.nothing = nn.Parameter(torch.zeros(config.bottleneck))  # in place of features that are not seen
        self.place = nn.Linear(config.bottleneck + 3, decoder.context_width)
        self.point = nn.Parameter(0.02 * torch.randn(N_POINTS, decoder.context_width))
        self.query = nn.Linear(N_OF_EACH + width, decoder.width)
        self.hypothesis = nn.Parameter(0.02 * torch.randn(config.hypotheses, decoder.width))
        self.layers = nn.ModuleList(DecoderLayer(decoder) for _ in range(decoder.layers))
        self.told_norm = nn.LayerNorm(decoder.width)
        self.told = nn.Linear(decoder.width, N_OF_EACH + N_BETAS)
        nn.init.zeros_(self.told.weight)  # so that it begins as the keypoint half alone
        nn.init.zeros_(self.told.bias)
        self.register_buffer("rest", upright_columns())

    def forward(
        self, view: PersonView, features: Tensor, seen: Tensor, hidden: Tensor | None = None
    ) -> tuple[Hypotheses, Tensor]:
        """Of B people: their view, ``features`` (B, ``N_POINTS``, ``N_FEATURES``), and which of these are ``seen``.

        ``hidden`` (B, width) is what is remembered of them, nothing at first; the next is returned.
        """
        x = self.before(self.into(view.inputs))
        hidden = self.memory(x, hidden)
        x = self.norm(self.after(x + hidden))
        y = self.out(x)
        betas, each = y[..., :N_BETAS], y[..., N_BETAS:].unflatten(-1, (self.config.hypotheses, N_OF_EACH))
        token = torch.cat([each, x[:, None].expand(-1, self.config.hypotheses, -1)], -1)
        token = self.query(token) + self.hypothesis
        image = self._image(view, features, seen)
        for layer in self.layers:
            token = layer(token, image)
        told = self.told(self.told_norm(token))
        each, betas = each + told[..., :N_OF_EACH], betas + told[..., N_OF_EACH:].mean(1)
        config = self.config
        found = hypotheses_of(betas, each, self.rest, view, config.min_std_rad, config.min_std_m)
        return found, hidden

    def _image(self, view: PersonView, features: Tensor, seen: Tensor) -> Tensor:
        """What each point shows and where it is, (B, ``N_POINTS``, context_width)."""
        squeezed = layer_norm(self.bottleneck(features), (self.config.bottleneck,))
        if self.training:
            config = self.config
            squeezed = squeezed + config.noise * torch.randn_like(squeezed)
            seen = seen & (torch.rand(seen.shape, device=seen.device) >= config.unseen)
            seen = seen & (torch.rand(len(seen), 1, device=seen.device) >= config.blind)
        squeezed = torch.where(seen[..., None], squeezed, self.nothing)
        relative, confidence = view.inputs[:, :34].unflatten(-1, (17, 2)), view.inputs[:, 34:51]
        where = with_limbs(torch.cat([relative, confidence[..., None]], -1))
        image: Tensor = self.place(torch.cat([squeezed, where], -1)) + self.point
        return image

    def save(self, path: str | Path, prior: PosePrior, metadata: Mapping[str, Any]) -> None:
        """Write the weights in half precision, the prior of poses for the fit, and what is to be known of them."""
        tensors = {name: tensor.half() for name, tensor in self.state_dict().items()}
        tensors |= {
            f"prior.{name}": torch.from_numpy(getattr(prior, name)).float()
            for name in ("mean", "precision_root")
        }
        about = {**metadata, "system": SYSTEM, "config": dataclasses.asdict(self.config)}
        weights.save(path, tensors, about)


def load_small(path: str | Path | None = None) -> tuple[SmallHmr2, PosePrior]:
    """The network that `SmallHmr2.save` wrote, ready to answer, and its prior; None takes the one that ships.

    Raises ``ChorosError`` if the file is missing, of another system, or of another version's network.
    """
    tensors, metadata = weights.load(path or weights.shipped(SYSTEM), SYSTEM)
    try:
        prior = PosePrior(*(float64(tensors.pop(f"prior.{name}")) for name in ("mean", "precision_root")))
        network = SmallHmr2(SmallConfig.of(metadata["config"]))
        network.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ChorosError(f"{path} does not fit this version of the small HMR 2.0; train it anew.") from error
    return network.eval().requires_grad_(False), prior
