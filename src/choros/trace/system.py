"""TRACE as a system: its network loaded once, a stream for each video."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros import weights
from choros.body import BodyModel
from choros.detection import NanoDet
from choros.detection.protocols import Detector
from choros.devices import CPU, Device
from choros.errors import ChorosError
from choros.run_identity import Identity, changed, file_identity, part_identity, sha256_of
from choros.trace.backbone_encoder import BackboneEncoder
from choros.trace.centres import CentreRules
from choros.trace.encoders import FrameEncoder, make_encoder
from choros.trace.network import SYSTEM, TraceNetwork
from choros.trace.options import TraceOptions
from choros.trace.released import is_released, load_released, released_files
from choros.trace.tracker import FrameDetections, TraceTracker, TrackerConfig
from choros.tracking.online import Affinity, OnlineStream

#: The word for the embedded body where a user's own file is expected.
OPEN = "open"

#: Of the embedded detector: the picture's size and the least score, as the other systems' fast finder has them.
DETECTOR_PX, LEAST_SCORE = (320, 576), 0.3


class Trace:
    """TRACE's network with the rules of `TrackerConfig`.

    ``body_path`` is a user's SMPL file, None the open body; ``weights_path`` what `TraceNetwork.save` wrote, or the
    folder of its authors' three files or one of these, None the weights that ship; ``fast`` lets the trunk round;
    without ``gru`` features carry nothing over (ablation); ``threads`` as of `systems.load`. The authors' need a body:
    "open" is the embedded one. Raises `ChorosError` where one of the files is missing or unfit.
    """

    name = "trace"

    def __init__(
        self,
        config: TrackerConfig | None = None,
        *,
        fast: bool = False,
        gru: bool = True,
        body_path: str | Path | None = None,
        weights_path: str | Path | None = None,
        device: Device = CPU,
        threads: int | None = 1,
    ) -> None:
        self.config, self.threads, self._fast = config or TrackerConfig(), threads, fast
        place = device.torch_device()  # refused before anything is read
        self._files: dict[str, Identity] = {"body": {"file": OPEN}}
        if weights_path is not None and is_released(weights_path):
            of_release = _released_parts(weights_path, body_path, fast, device)
            self.network, self.encoder, self._files["weights"] = of_release
            body_path = None if str(body_path) == OPEN else body_path
        else:
            self.network = TraceNetwork.load(weights_path or weights.shipped(SYSTEM))
            self.encoder = make_encoder(self.network.config, rounded=fast)
            self._files["weights"] = file_identity(weights_path, weights.shipped(SYSTEM))
        self._detector: Detector | None = None
        if self.config.boxes is not None and not isinstance(self.encoder, BackboneEncoder):
            self._detector = NanoDet(DETECTOR_PX, LEAST_SCORE, device=device, rounded=True)
        self._gru = gru
        if not gru:
            self.network = self.network.without_memory()
        body = BodyModel.load() if body_path is None else BodyModel.load(body_path)
        self.body = body if place == body.device else deepcopy(body).to(place)
        self.network = self.network.to(place).eval()
        self._files["body"] = file_identity(body_path, weights.shipped("body"))
        self._place = device.identity(str(place))

    def identity(self) -> Identity:
        """By what its results are decided; see `stream.IdentifiedSystem`."""
        config = self.config
        plain = TrackerConfig() if config.remembers else TrackerConfig().forgetful()
        if config.fit is None:
            plain = replace(plain, fit=None)
        if config.boxes is None:
            plain = replace(plain, boxes=None)
        flags = {"fast": self._fast, "pixels_alone": config.fit is None, "forgets": not config.remembers}
        flags["no_gru"] = not self._gru
        detector = {} if self._detector is None else {"detector": part_identity(self._detector)}
        return {"options": flags | changed(config, plain), **self._files, **self._place, **detector}

    def stream(self, K: NDArray[np.float64] | None = None) -> OnlineStream[FrameDetections, Affinity]:
        """A new video. Streams of one system share its network and nothing else."""
        config = self.config
        if isinstance(self.encoder, BackboneEncoder):
            config = as_released(config)
        tracker = TraceTracker(self.network, self.encoder, self.body, config, self._detector)
        return OnlineStream(
            tracker, K, self.threads, life=config.life, cuts=config.cuts, background=config.background
        )


def _released_parts(
    weights_path: str | Path, body_path: str | Path | None, fast: bool, device: Device
) -> tuple[TraceNetwork, FrameEncoder, Identity]:
    """Network and encoder of the files of TRACE's authors, and what these are."""
    if body_path is None:
        raise ChorosError(
            f"{weights_path} tells SMPL's poses and shapes; give your own SMPL file (.pkl or .npz) with it, or "
            f'"{OPEN}" for the embedded body, whose joints are a little elsewhere.'
        )
    if fast:
        raise ChorosError(f"{weights_path} has no features in eight bits; leave out --fast.")
    released, place = load_released(weights_path), device.torch_device()
    encoder = BackboneEncoder(
        released.network.config,
        released.image_backbone.to(place),
        released.motion_backbone.to(place),
        device.torch_dtype(),
    )
    files = {path.name: sha256_of(path) for path in released_files(weights_path)}
    return released.network, encoder, {"file": str(weights_path), "sha256": files}


def as_released(config: TrackerConfig) -> TrackerConfig:
    """The rules with the release's heights of centres: of whom it follows, in a first frame and of somebody new."""
    life = replace(config.life, first_score=0.3, birth_score=0.8)
    return replace(config, centres=CentreRules(), least_height=0.18, life=life, boxes=None)


def make(options: TraceOptions, *, device: Device, threads: int | None) -> Trace:
    """The system with what a user chose; for the registry."""
    config = replace(TrackerConfig(), subjects=options.subjects, flow=options.flow)
    if not options.fit_keypoints:
        config = replace(config, fit=None)
    if not options.detect_boxes:
        config = replace(config, boxes=None)
    return Trace(
        config if options.memory else config.forgetful(),
        fast=options.fast,
        gru=options.gru,
        body_path=options.body_path,
        weights_path=options.weights_path,
        device=device,
        threads=threads,
    )
