"""TRACE as a system: its network loaded once, a stream for each video."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from choros import weights
from choros.body import BodyModel
from choros.devices import CPU, Device
from choros.run_identity import Identity, changed, file_identity
from choros.trace.backbone_encoder import BackboneEncoder
from choros.trace.centres import CentreRules
from choros.trace.encoders import FrameEncoder, make_encoder
from choros.trace.network import SYSTEM, TraceNetwork
from choros.trace.options import TraceOptions
from choros.trace.released import is_released, load_released
from choros.trace.tracker import FrameDetections, TraceTracker, TrackerConfig
from choros.tracking.online import Affinity, OnlineStream

#: Maps of so few cells to a side have people in neighbouring ones.
COARSE = 32


class Trace:
    """TRACE's network with the rules of `TrackerConfig`.

    ``body_path`` is a user's SMPL file, None the open body; ``weights_path`` what `TraceNetwork.save` wrote, or the
    folder of its authors' three files, None the weights that ship; ``fast`` lets the trunk round; ``threads`` as of
    `systems.load`. Raises `ChorosError` where one of the files is missing or unfit.
    """

    name = "trace"

    def __init__(
        self,
        config: TrackerConfig | None = None,
        *,
        fast: bool = False,
        body_path: str | Path | None = None,
        weights_path: str | Path | None = None,
        device: Device = CPU,
        threads: int | None = 1,
    ) -> None:
        self.config, self.threads, self._fast = config or TrackerConfig(), threads, fast
        place = device.torch_device()  # refused before anything is read
        body = BodyModel.load() if body_path is None else BodyModel.load(body_path)
        self.body = body if place == body.device else deepcopy(body).to(place)
        network, self.encoder = _networks(weights_path, fast, place)
        self.network = network.to(place).eval()
        self._files = {
            "weights": file_identity(weights_path, weights.shipped(SYSTEM)),
            "body": file_identity(body_path, weights.shipped("body")),
        }
        self._place = device.identity(str(place))

    def identity(self) -> Identity:
        """By what its results are decided; see `stream.IdentifiedSystem`."""
        config = self.config
        plain = TrackerConfig() if config.remembers else TrackerConfig().forgetful()
        if config.fit is None:
            plain = replace(plain, fit=None)
        flags = {"fast": self._fast, "pixels_alone": config.fit is None, "forgets": not config.remembers}
        return {"options": flags | changed(config, plain), **self._files, **self._place}

    def stream(self, K: NDArray[np.float64] | None = None) -> OnlineStream[FrameDetections, Affinity]:
        """A new video. Streams of one system share its network and nothing else."""
        config = self.config
        if self.network.config.map_size > COARSE:
            config = replace(config, centres=CentreRules())
        tracker = TraceTracker(self.network, self.encoder, self.body, config)
        return OnlineStream(
            tracker, K, self.threads, life=config.life, cuts=config.cuts, background=config.background
        )


def _networks(
    weights_path: str | Path | None, fast: bool, place: torch.device
) -> tuple[TraceNetwork, FrameEncoder]:
    """The network and what looks at pictures for it: choros's own, or those of the files of TRACE's authors."""
    if weights_path is not None and is_released(weights_path):
        released = load_released(weights_path)
        image, motion = released.image_backbone.to(place).eval(), released.motion_backbone.to(place).eval()
        return released.network, BackboneEncoder(released.network.config, image, motion)
    network = TraceNetwork.load(weights_path or weights.shipped(SYSTEM))
    return network, make_encoder(network.config, rounded=fast)


def make(options: TraceOptions, *, device: Device, threads: int | None) -> Trace:
    """The system with what a user chose; for the registry."""
    config = replace(TrackerConfig(), subjects=options.subjects)
    if not options.fit_keypoints:
        config = replace(config, fit=None)
    return Trace(
        config if options.memory else config.forgetful(),
        fast=options.fast,
        body_path=options.body_path,
        weights_path=options.weights_path,
        device=device,
        threads=threads,
    )
