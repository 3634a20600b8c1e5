"""CoMotion as a system: its network loaded once, a stream for each video."""

from __future__ import annotations

import hashlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from choros import weights
from choros.backbones.trunk import ImageTrunk, frozen
from choros.body import BodyModel
from choros.comotion.affinity import ComotionAffinity, FrameDetections
from choros.comotion.network import SYSTEM, ComotionNetwork
from choros.comotion.options import ComotionOptions
from choros.comotion.released.files import is_released
from choros.comotion.released.system import ReleasedComotion
from choros.comotion.tracker import ComotionTracker, TrackerConfig
from choros.detection import Detector, KeypointEstimator, NanoDet, PersonFinder
from choros.devices import CPU, Device
from choros.errors import ChorosError
from choros.run_identity import Identity, changed, class_identity, file_identity, part_identity
from choros.tracking.online import OnlineStream


def _tensors(module: torch.nn.Module) -> Identity:
    """The identity of a network or body that was made already: SHA-256 of all its numbers."""
    digest = hashlib.sha256()
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        digest.update(f"{name} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return {"file": "given", "sha256": digest.hexdigest()}


class Comotion:
    """CoMotion's network with a finder of people and the rules of `TrackerConfig`.

    The finder's ``detector`` and ``keypoints`` are the embedded ones unless they are given; ``accurate`` lets it see
    finer, and the trunk not round (`frozen`). A ``trunk`` takes the place of that which the weights were
    made with, and must give maps of the same channels and strides. Everything runs on ``device``, the image features
    in its ``dtype``; what is known of people stays in single precision, for millimetres need it.
    ``body_path`` is a user's SMPL file, None the open body; ``weights_path`` what `ComotionNetwork.save` wrote,
    None the weights that ship; a ``network`` is one made already, whose trunk is taken as it is now; ``threads`` as of
    `systems.load`. Raises `ChorosError` where one of the files is missing or unfit.
    """

    name = "comotion"

    def __init__(
        self,
        config: TrackerConfig | None = None,
        *,
        detector: Detector | None = None,
        keypoints: KeypointEstimator | None = None,
        accurate: bool = False,
        body_path: str | Path | None = None,
        weights_path: str | Path | None = None,
        network: ComotionNetwork | None = None,
        trunk: ImageTrunk | None = None,
        device: Device = CPU,
        threads: int | None = 1,
    ) -> None:
        self.threads = threads
        self.config = config or TrackerConfig()
        self._choices = {"accurate": accurate}
        self._files: dict[str, Identity] = {}
        if network is None:
            body = None if body_path is None else BodyModel.load(body_path)
            place = device.torch_device()  # refused before anything is read
            network = ComotionNetwork.load(weights_path or weights.shipped(SYSTEM), body, trunk)
            self._files = {
                "weights": file_identity(weights_path, weights.shipped(SYSTEM)),
                "body": file_identity(body_path, weights.shipped("body")),
            }
            if trunk is not None:
                self._files["trunk"] = class_identity(trunk) | _tensors(
                    network.encoder.get_submodule("trunk")
                )
        else:
            place = network.body.device
        self.body = network.body if place == network.body.device else deepcopy(network.body)
        self.network = network.to(place).eval()
        self.network.encoder.lower = device.torch_dtype()
        self._trunk = frozen(network.encoder.trunk, rounded=not accurate, lower=device.torch_dtype())
        self._place = device.identity(str(place))
        threads = min(2, torch.get_num_threads())  # as the trunk: frames are looked at side by side
        detector = detector or NanoDet(
            (416, 640) if accurate else (320, 576),
            0.25 if accurate else 0.30,
            threads=threads,
            device=device,
            rounded=not accurate,
        )
        self.finder = PersonFinder.default(
            not accurate, detector=detector, keypoints=keypoints, device=device
        )

    def identity(self) -> Identity:
        """By what its results are decided; see `stream.IdentifiedSystem`."""
        strict = self.config.life == TrackerConfig().strict().life
        pixels_alone = self.config.keypoint_fit is None
        plain = TrackerConfig().pixels_alone() if pixels_alone else TrackerConfig()
        plain = plain.strict() if strict else plain
        flags = {"strict": strict, "pixels_alone": pixels_alone}
        finder = self.finder.detector if pixels_alone else self.finder
        return {
            "options": self._choices | flags | changed(self.config, plain),
            **(self._files or {"weights": _tensors(self.network), "body": _tensors(self.body)}),
            **self._place,
            "detector" if pixels_alone else "finder": part_identity(finder),
        }

    def stream(self, K: NDArray[np.float64] | None = None) -> OnlineStream[FrameDetections, ComotionAffinity]:
        """A new video. Streams of one system share its network and nothing else."""
        config = self.config
        tracker = ComotionTracker(self.network, self._trunk, self.finder, config)
        return OnlineStream(
            tracker, K, self.threads, life=config.life, cuts=config.cuts, background=config.background
        )


def make(
    options: ComotionOptions, *, device: Device, threads: int | None, **parts: Any
) -> Comotion | ReleasedComotion:
    """The system with what a user chose; for the registry. Checkpoints of CoMotion's authors have their own.

    Raises `ChorosError` on keypoints of one's own that nobody would look at.
    """
    if options.weights_path is not None and is_released(options.weights_path):
        if parts:
            raise ChorosError(
                f"{options.weights_path} has a detector of its own; leave out {', '.join(parts)}."
            )
        return ReleasedComotion(options.weights_path, options.body_path, device=device, threads=threads)
    if "keypoints" in parts and not options.fit_keypoints:
        raise ChorosError("without fit_keypoints nobody looks at keypoints; leave out those of yours.")
    config = TrackerConfig() if options.fit_keypoints else TrackerConfig().pixels_alone()
    return Comotion(
        config.strict() if options.strict else config,
        accurate=options.accurate,
        body_path=options.body_path,
        weights_path=options.weights_path,
        device=device,
        threads=threads,
        **parts,
    )
