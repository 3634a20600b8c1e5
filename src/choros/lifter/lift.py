"""The lift: 2D keypoints with confidences -> SMPL pose, shape and place, and how sure that is.

The network of ``network.py`` proposes several likely bodies, and `choros.body.likely` puts the likeliest on the
keypoints and takes the one that agrees best with keypoints, past and network together. What is known of a
person from earlier frames comes in as ``Past`` and goes out the same way.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from choros import weights
from choros.body import BodyModel
from choros.body.before import Before
from choros.body.gauss_newton import Floats, Points, PosePrior, float64
from choros.body.hypotheses import Hypotheses, PersonView, person_view
from choros.body.likely import UNKNOWN_UP, LiftConfig, Sight, joint_doubt, likeliest
from choros.errors import ChorosError
from choros.lifter.network import Lifter, LifterConfig

MAX_BETAS_WEIGHT = 60.0  # sights after which a person's shape counts as known; later ones weigh 1/60


class Past(NamedTuple):
    """What is known of n people before a frame. ``Past.none(n)`` for people never seen before."""

    dt_s: Floats  # (n,) since the last frame; 0 if never seen
    hidden: NDArray[np.float32]  # (n, width)
    rotations: Floats  # (n, 24, 3, 3)
    betas: Floats  # (n, 10), or (n, 11) with kid
    betas_weight: Floats  # (n,) sights behind the betas; infinite where they are known and stay
    transl: Floats  # (n, 3) predicted for this frame, metres, camera axes


class Lifted(NamedTuple):
    """n people in camera axes."""

    rotations: Floats  # (n, 24, 3, 3) global_orient, body_pose
    betas: Floats  # (n, 10), or (n, 11) with kid
    betas_weight: Floats  # (n,)
    transl: Floats  # (n, 3) metres
    hidden: NDArray[np.float32]  # (n, width)
    joint_std_m: Floats  # (n, 24) how far off each joint about the pelvis is expected to be, metres
    fit_error: Floats  # (n,) rms reprojection error, in standard deviations of the keypoints
    confidence: Floats  # (n,) 0 to 1


class Lifting:
    """Lifts people from keypoints with one body model and one set of weights.

    ``weights_path`` None takes the weights that ship. A body other than the open one keeps its mean shape:
    the network speaks the open body's betas. Raises ``ChorosError`` on weights that do not fit.
    """

    def __init__(
        self, body: BodyModel, weights_path: str | Path | None = None, config: LiftConfig | None = None
    ) -> None:
        self.config = config or LiftConfig()
        tensors, self.metadata = weights.load(weights_path or weights.shipped("lifter"), "lifter")
        prior = {name: tensors.pop(f"prior.{name}", None) for name in ("mean", "precision_root")}
        sizes = self.metadata.get("config") or {}
        state = {name: tensor.float() for name, tensor in tensors.items()}
        try:
            self.network = Lifter(LifterConfig(**sizes)).eval().requires_grad_(False)
            self.network.load_state_dict(state)
            if None in prior.values():
                raise KeyError("prior")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise ChorosError(
                f"{weights_path} does not fit this version of the lifter; train it anew or get its weights again."
            ) from error
        self.prior = PosePrior(*(float64(tensor) for tensor in prior.values()))
        self.body, self.points = body, Points.of(body)
        self.knows_shape = body.name == "open"

    @property
    def hidden_width(self) -> int:
        """How many numbers the network remembers of a person."""
        return self.network.config.width

    def no_past(self, n: int) -> Past:
        """People never seen before."""
        return Past(
            np.zeros(n),
            np.zeros((n, self.hidden_width), np.float32),
            np.broadcast_to(np.eye(3), (n, 24, 3, 3)),
            np.zeros((n, 10)),
            np.zeros(n),
            np.zeros((n, 3)),
        )

    def __call__(
        self,
        keypoints: NDArray[Any],
        K: Floats,
        past: Past | None = None,
        up: tuple[Floats, float] = UNKNOWN_UP,
    ) -> Lifted:
        """People from ``keypoints`` (n, 17, 3) x_px, y_px, confidence in an image with intrinsics ``K``.

        ``up`` is the world's up in camera axes and its standard deviation, rad; see ``uprightness.py``.
        """
        n = len(keypoints)
        past = past or self.no_past(n)
        view, found, hidden = self._propose(keypoints, K, past)
        sight = np.clip(keypoints[..., 2], 0, 1).mean(-1).astype(np.float64)
        betas_weight = np.minimum(past.betas_weight + sight, MAX_BETAS_WEIGHT)
        share = (sight / np.maximum(betas_weight, 1e-6))[:, None]
        share = np.where(np.isinf(past.betas_weight)[:, None], 0, share) * self.knows_shape
        betas = past.betas.copy()
        betas[:, :10] = np.clip(betas[:, :10] + share * (float64(found.betas) - betas[:, :10]), -3, 3)
        before = Before(past.dt_s, past.rotations, past.transl)
        sight = Sight(keypoints, K, float64(view.spread), before, up)
        rotations, transl, error, chosen = likeliest(
            self.points, self.prior, sight, found, betas, self.config
        )
        joint_std_m = joint_doubt(self.points, found, betas, chosen)
        confidence = np.exp(-joint_std_m.mean(-1) / 0.2) * np.exp(-0.5 * np.maximum(error - 2, 0))
        return Lifted(
            rotations,
            betas,
            betas_weight,
            transl,
            hidden.numpy(),
            joint_std_m,
            error,
            np.clip(confidence, 0, 1),
        )

    def glance(self, keypoints: NDArray[Any], K: Floats) -> Floats:
        """Where people stand, from one look and nothing of the past: pelvis (n, 3) metres, camera axes."""
        found = self._propose(keypoints, K, self.no_past(len(keypoints)))[1]
        likeliest = float64(found.log_chance).argmax(-1)
        return float64(found.pelvis_cam)[np.arange(len(keypoints)), likeliest]

    def keypoints_cam(self, rotations: Floats, betas: Floats, transl: Floats) -> Floats:
        """COCO-17 keypoints of bodies, (n, 17, 3) metres, camera axes."""
        return self.points.keypoints(betas, rotations, transl)

    def _propose(
        self, keypoints: NDArray[Any], K: Floats, past: Past
    ) -> tuple[PersonView, Hypotheses, torch.Tensor]:
        with torch.inference_mode():
            points = torch.as_tensor(np.asarray(keypoints, np.float32))
            intrinsics = torch.as_tensor(K, dtype=torch.float32).expand(len(points), 3, 3)
            view = person_view(points, intrinsics, torch.as_tensor(past.dt_s, dtype=torch.float32))
            view = PersonView(*(part[:, None] for part in view))  # one frame long
            found, hidden = self.network(view, torch.as_tensor(past.hidden))
            return (
                PersonView(*(part[:, 0] for part in view)),
                Hypotheses(*(part[:, 0] for part in found)),
                hidden,
            )


def network_metadata(config: LifterConfig) -> dict[str, Any]:
    """The part of a weights file's metadata that loading needs."""
    return {"system": "lifter", "config": dataclasses.asdict(config)}
