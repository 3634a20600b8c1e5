"""The small HMR 2.0 as a pose engine: everyone's body in one picture, from their boxes and keypoints, by the true K."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros import weights
from choros.body import BodyModel
from choros.body.before import Before
from choros.body.gauss_newton import Floats, Points, PosePrior, float64
from choros.body.hypotheses import person_view
from choros.body.kinematics import posed_joints
from choros.body.likely import Chosen, LiftConfig, Sight, likeliest
from choros.detection import Detections
from choros.fourdhumans.hmr2.posed_people import PosedPeople
from choros.fourdhumans.hmr2.small.config import CROP
from choros.fourdhumans.hmr2.small.network import SYSTEM, SmallHmr2, load_small
from choros.fourdhumans.hmr2.small.seen import CropEyes
from choros.run_identity import Identity, file_identity

#: Betas beyond it are no shape that was ever measured.
MAX_BETA = 3.0


class Past(NamedTuple):
    """What is known of n people before a frame."""

    before: Before  # how they were, and where they are expected
    hidden: NDArray[np.float32]  # (n, width) what the network remembers


class LookedAt(NamedTuple):
    """n people posed in one picture (`choros.tracking.pose_engine.Posed`), and what their crops show."""

    rotations: Floats
    betas: Floats
    transl: Floats
    joints_cam: Floats
    features: Tensor  # (n, ...) as of `CropEyes`
    seen: Tensor


class SmallEngine:
    """Looks at the crop of everybody, tells several likely bodies of each, and puts the likeliest on the keypoints.

    All people of a picture go through the networks together. A body other than the open one keeps its mean shape: the
    network speaks the open body's betas. Small, and on the CPU.
    """

    def __init__(
        self,
        network: SmallHmr2,
        prior: PosePrior,
        body: BodyModel,
        config: LiftConfig | None = None,
        files: Identity | None = None,
    ) -> None:
        self.network, self.prior, self.body = network.eval(), prior, body
        self.points, self.config = Points.of(body), config or LiftConfig()
        # Eight bits: half the time, and of all bodies on real footage the same within .4 mm and .2 points of PCK.
        self._eyes = CropEyes(rounded=True)
        self._knows_shape, self._files = body.name == "open", files or {}

    @classmethod
    def load(cls, weights_path: str | Path | None = None, body_path: str | Path | None = None) -> SmallEngine:
        """With weights that `choros train hmr2 --recipe small` wrote, or those that ship, and a body, or the open one.

        Raises ``ChorosError`` as `load_small` and `BodyModel.load` do.
        """
        files = {
            "weights": file_identity(weights_path, Path(weights_path or weights.shipped(SYSTEM))),
            "body": file_identity(body_path, weights.shipped("body")),
        }
        return cls(*load_small(weights_path), BodyModel.load(body_path), files=files)

    def identity(self) -> Identity:
        """By what its bodies are decided."""
        return self._files

    def pose(self, image: NDArray[np.uint8], people: Detections, K: Floats) -> LookedAt:
        """The bodies of the ``people`` in an image (H, W, 3) RGB, in their order; ``K`` (3, 3) px of the picture."""
        features, seen = self._look(image, people)
        posed, _ = self._told(people.keypoints, features, seen, K, self.no_past(len(people)))
        return LookedAt(*posed, features, seen)

    @property
    def memory_width(self) -> int:
        """How many numbers the network remembers of a person."""
        return self.network.config.width

    def again(
        self,
        posed: LookedAt,
        which: NDArray[np.intp],
        people: Detections,
        K: Floats,
        before: Before,
        memory: NDArray[np.float32],
    ) -> tuple[PosedPeople, NDArray[np.float32]]:
        """As `choros.tracking.pose_engine.FollowingEngine`; crops are not looked at again."""
        some = torch.from_numpy(which)
        features, seen = posed.features[some], posed.seen[some]
        return self._told(people.keypoints[which], features, seen, K, Past(before, memory))

    def no_past(self, n: int) -> Past:
        """People never seen before."""
        return Past(Before.none(n), np.zeros((n, self.memory_width), np.float32))

    def follow(
        self, image: NDArray[np.uint8], people: Detections, K: Floats, past: Past
    ) -> tuple[PosedPeople, NDArray[np.float32]]:
        """As `pose` of ``people`` of whom the ``past`` is known, in their order; and what to remember, (n, width)."""
        return self._told(people.keypoints, *self._look(image, people), K, past)

    @torch.inference_mode()
    def _look(self, image: NDArray[np.uint8], people: Detections) -> tuple[Tensor, Tensor]:
        """What everybody's crop shows."""
        if not len(people):
            return torch.zeros(0), torch.zeros(0)
        crops = CROP.around(people.boxes_px)
        keypoints = torch.from_numpy(people.keypoints[..., :2].astype(np.float64))
        return self._eyes(crops.cut(image), crops.to_crop(keypoints))

    def _told(
        self, keypoints: NDArray[np.floating], features: Tensor, seen: Tensor, K: Floats, past: Past
    ) -> tuple[PosedPeople, NDArray[np.float32]]:
        """The likeliest bodies on their ``keypoints`` (n, 17, 3), and what the network remembers."""
        if not len(keypoints):
            return PosedPeople.nobody(), past.hidden
        with torch.inference_mode():
            intrinsics = torch.from_numpy(np.asarray(K, np.float32)).expand(len(keypoints), 3, 3)
            dt_s = torch.from_numpy(past.before.dt_s.astype(np.float32))
            view = person_view(torch.from_numpy(keypoints.astype(np.float32)), intrinsics, dt_s)
            found, hidden = self.network(view, features, seen, torch.from_numpy(past.hidden))
        betas = float64(found.betas).clip(-MAX_BETA, MAX_BETA) * self._knows_shape
        sight = Sight(keypoints, K, float64(view.spread), past.before)
        chosen = likeliest(self.points, self.prior, sight, found, betas, self.config)
        return self._posed(chosen, betas), hidden.numpy()

    def _posed(self, chosen: Chosen, betas: Floats) -> PosedPeople:
        rest = self.points.shaped(betas)[0]
        joints = posed_joints(chosen.rotations, rest)[1] + chosen.transl[:, None]
        return PosedPeople(chosen.rotations, betas, chosen.transl, joints)
