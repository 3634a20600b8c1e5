"""TRACE's network as a whole: a frame's features, with what those before left, to maps, and maps to people.

It knows frames one after another and lives on tensors. Where features come from is for `choros.trace.encoders`, who
the people are over time for the tracker, what it is taught for `choros.training`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from choros import weights
from choros.errors import ChorosError
from choros.seeding import seeded
from choros.trace.config import TraceConfig
from choros.trace.context import FeatureEntry
from choros.trace.keypoints import keypoint_numbers, read_keypoints
from choros.trace.maps import MapHeads, TraceMaps
from choros.trace.propagation import Propagation, TraceState
from choros.trace.regression import PeopleAnswers, PersonSamples, Regressors, sample

#: What weights files say they are for.
SYSTEM = "trace"


class TraceNetwork(nn.Module):
    """Propagation, maps and regressors of one size; image and motion backbones are not in it.

    The random weights of a new network depend on ``seed`` alone, and torch's own generator is left as it was.
    """

    def __init__(self, config: TraceConfig | None = None, seed: int = 0) -> None:
        super().__init__()
        self.config = config = config or TraceConfig()
        with seeded(seed):
            self.entry = FeatureEntry(config)
            self.propagation = Propagation(config)
            self.heads = MapHeads(config)
            self.regressors = Regressors(config)

    def forward(
        self, features: Tensor, flow: Tensor | None, state: TraceState | None
    ) -> tuple[TraceMaps, TraceState]:
        """One frame of B videos.

        ``features`` (B, input_channels, h, w) are the image backbone's; ``flow`` (B, 2, H, W) is the way of each
        point of the last frame to this one, x and y in 1/64 of the square, None if nothing moved; ``state`` is what
        the last frame gave, None in a first frame. In a first frame people have not moved (release: it is learned
        from nothing).
        """
        told, after = self.propagation(self.entry(features), state)
        maps = self.heads(told, self._flow(told, flow), features)
        if state is None:
            maps = maps._replace(motion_3d=torch.zeros_like(maps.motion_3d))
        return maps, after

    def clip(
        self, features: Tensor, flow: Tensor | None, state: TraceState | None
    ) -> tuple[TraceMaps, TraceState]:
        """T frames of B videos at once, (B, T, ...): the same as one by one, in less time, maps of B * T frames."""
        batch, frames = features.shape[:2]
        flat = features.flatten(0, 1)
        told, after = self.propagation.clip(self.entry(flat).unflatten(0, (batch, frames)), state)
        told = told.flatten(0, 1)
        maps = self.heads(told, self._flow(told, None if flow is None else flow.flatten(0, 1)), flat)
        if state is None:
            known = torch.ones(batch, frames, dtype=told.dtype, device=told.device)
            known[:, 0] = 0
            maps = maps._replace(motion_3d=maps.motion_3d * known.flatten()[:, None, None, None, None])
        return maps, after

    def sample(self, maps: TraceMaps, places: Tensor, frames: Tensor | None = None) -> PersonSamples:
        """Maps read at ``places`` (N, 3), depth, y and x of cells, of ``frames`` (N,), the first without them."""
        samples = sample(maps, places, frames)
        if not self.config.keypoints:
            return samples
        told = keypoint_numbers(*read_keypoints(maps.inputs, places[:, 1:], self.config.map_size, frames))
        return samples._replace(feature=torch.cat([samples.feature, told.to(samples.feature)], -1))

    def people(self, maps: TraceMaps, places: Tensor, frames: Tensor | None = None) -> PeopleAnswers:
        """Who is at ``places`` of ``frames``, as for `sample`."""
        return self.regressors(self.sample(maps, places, frames))

    def _flow(self, told: Tensor, flow: Tensor | None) -> Tensor | None:
        if not self.config.flow:
            return None
        return told.new_zeros(len(told), 2, *told.shape[-2:]) if flow is None else flow

    def without_memory(self) -> TraceNetwork:
        """The same weights, whose features carry nothing over in the recurrent memory (ablation)."""
        network = TraceNetwork(dataclasses.replace(self.config, memory=False))
        kept = network.state_dict().keys()
        network.restore({name: tensor for name, tensor in self.state_dict().items() if name in kept})
        return network.eval()

    def save(self, path: str | Path, metadata: dict[str, Any]) -> None:
        """Write the weights in half precision, with the configuration and what else is to be known of them."""
        tensors = {
            name: tensor.half() if tensor.is_floating_point() else tensor
            for name, tensor in self.state_dict().items()
        }
        config = dataclasses.asdict(self.config)
        weights.save(path, tensors, {**metadata, "system": SYSTEM, "config": config})

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the weights that `save` wrote. Raises `RuntimeError` if they are another network's."""
        self.load_state_dict(tensors)

    @classmethod
    def load(cls, path: str | Path) -> TraceNetwork:
        """The network that `save` wrote, in single precision and ready to answer.

        Raises `ChorosError` if the file is missing, damaged or of another system or version.
        """
        tensors, metadata = weights.load(path, SYSTEM)
        try:
            network = cls(TraceConfig(**metadata["config"]))
            network.restore(tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ChorosError(
                f"{path} does not fit this version of TRACE's network; train it anew or get its weights again."
            ) from error
        return network.eval()
