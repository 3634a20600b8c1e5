"""CoMotion's network as a pose engine (`choros.tracking.pose_engine`): people begun in their boxes, of one picture.

Everybody is initialised and updated once, as whoever is new in a video is (CoMotion, section 4), and put on the
keypoints of their box; nothing goes on to another picture.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from choros import weights
from choros.backbones.trunk import COARSEST_PX, frozen
from choros.body import BodyModel
from choros.body.onto_keypoints import KeypointFitRules
from choros.body.pose_prior import shipped_pose_prior
from choros.comotion.keypoint_fit import put_on_keypoints
from choros.comotion.network import SYSTEM, ComotionNetwork
from choros.comotion.person_states import PersonStates
from choros.crops import Letterbox
from choros.detection import Detections
from choros.devices import CPU, Device
from choros.run_identity import Identity, file_identity

Floats = NDArray[np.float64]


class BegunPeople(NamedTuple):
    """As `choros.tracking.pose_engine.Posed`."""

    rotations: Floats
    betas: Floats
    transl: Floats
    joints_cam: Floats


class ComotionEngine:
    """A network as `ComotionNetwork.load` gives it, with a trunk in the ``device``'s dtype."""

    def __init__(self, network: ComotionNetwork, device: Device = CPU, files: Identity | None = None) -> None:
        self._network = network.to(device.torch_device()).eval()
        network.encoder.lower = device.torch_dtype()
        self._trunk = frozen(network.encoder.trunk, rounded=False, lower=device.torch_dtype())
        self._files = files or {}

    @property
    def body(self) -> BodyModel:
        """Whose pose and shape it tells."""
        return self._network.body

    def identity(self) -> Identity:
        """By what its bodies are decided."""
        return self._files

    @torch.inference_mode()
    def pose(self, image: NDArray[np.uint8], people: Detections, K: Floats) -> BegunPeople:
        """As `choros.tracking.pose_engine.PoseEngine`."""
        if not len(people):
            return BegunPeople(
                np.zeros((0, 24, 3, 3)), np.zeros((0, 10)), np.zeros((0, 3)), np.zeros((0, 24, 3))
            )
        begun = self._begun(image, people.boxes_px, K)
        on = put_on_keypoints(
            self.body, shipped_pose_prior(), begun, people.keypoints.astype(np.float64), K, KeypointFitRules()
        )
        joints = on.joints_cam(self.body)
        parts = (on.rotations, on.betas, on.params(self.body).transl, joints)
        return BegunPeople(*(part[0].cpu().double().numpy() for part in parts))

    def _begun(self, image: NDArray[np.uint8], boxes_px: NDArray[np.floating], K: Floats) -> PersonStates:
        """The people in boxes (n, 4) xyxy px as the network sees them, (1, n)."""
        network, device = self._network, self.body.device
        letterbox = Letterbox(image.shape[1], image.shape[0], network.config.image_size_px)
        square = letterbox.cut(image)
        x0, y0, x1, y1 = (
            (0, 0, *square.shape[:2]) if network.config.padded else letterbox.content_px(COARSEST_PX)
        )
        part = torch.tensor(square[y0:y1, x0:x1], device=device).permute(2, 0, 1)[None].float() / 255
        tokens = network.encoder.tokens(network.encoder.taken(self._trunk(part)), (x0, y0), 1.0)
        inside = np.clip(boxes_px, 0, [image.shape[1], image.shape[0]] * 2)
        square_px = letterbox.to_crop(inside.reshape(-1, 2, 2)).reshape(1, -1, 4)
        boxes, square_K = (
            torch.tensor(array, dtype=torch.float32, device=device)
            for array in (square_px, letterbox.K(K)[None])
        )
        return network.update(tokens, network.initialise(tokens, boxes, square_K), square_K)


def make(
    body_path: str | Path | None, weights_path: str | Path | None, device: Device = CPU
) -> ComotionEngine:
    """With a user's SMPL file and weights, or what ships; for `choros.systems`."""
    body = None if body_path is None else BodyModel.load(body_path)
    network = ComotionNetwork.load(weights_path or weights.shipped(SYSTEM), body)
    return ComotionEngine(network, device, {"weights": file_identity(weights_path, weights.shipped(SYSTEM))})
