"""The lift: 2D keypoints with confidences -> SMPL pose, shape and place, and how sure that is.

The network of ``lifter.py`` proposes, the fit of ``body/gauss_newton.py`` puts the proposal on the keypoints. What
is known of a person from earlier frames comes in as ``Past`` and goes out the same way.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from choros import weights
from choros.body import BodyModel
from choros.body.gauss_newton import (
    FitConfig,
    Floats,
    Points,
    PosePrior,
    Target,
    fit,
    float64,
    place_information,
)
from choros.errors import ChorosError
from choros.keypoints import RELATIVE_SIGMAS
from choros.lifter.network import Lift, Lifter, LifterConfig, View, look

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
    expected_error_m: Floats  # (n,) what the network expects of the MPJPE
    fit_error: Floats  # (n,) rms reprojection error, in standard deviations of the keypoints
    confidence: Floats  # (n,) 0 to 1


@dataclass(frozen=True)
class LiftConfig:
    """``refine`` off leaves the network's estimate as it is."""

    refine: bool = True
    fit: FitConfig = field(default_factory=FitConfig)


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
        self.network = Lifter(LifterConfig(**sizes)).eval().requires_grad_(False)
        state = {name: tensor.float() for name, tensor in tensors.items()}
        missing = self.network.load_state_dict(state, strict=False)
        if missing.missing_keys or missing.unexpected_keys or prior["mean"] is None:
            wrong = [*missing.missing_keys, *missing.unexpected_keys, "prior"][:3]
            raise ChorosError(f"{weights_path} does not fit the lifter (first: {', '.join(wrong)}).")
        self.prior = PosePrior(*(float64(tensor) for tensor in prior.values()))
        self.body, self.points = body, Points.of(body)
        self.knows_shape = body.name == "open"

    @property
    def hidden_width(self) -> int:
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
        up: tuple[Floats, float] = (np.array([0.0, -1.0, 0.0]), np.inf),
    ) -> Lifted:
        """People from ``keypoints`` (n, 17, 3) x_px, y_px, confidence in an image with intrinsics ``K``.

        ``up`` is the world's up in camera axes and its standard deviation, rad; see ``uprightness.py``.
        """
        n = len(keypoints)
        past = past or self.no_past(n)
        view, lift, hidden = self._propose(keypoints, K, past)
        rotations, pelvis_cam = float64(lift.rotations), float64(lift.pelvis_cam)
        sight = np.clip(keypoints[..., 2], 0, 1).mean(-1).astype(np.float64)
        betas_weight = np.minimum(past.betas_weight + sight, MAX_BETAS_WEIGHT)
        share = (sight / np.maximum(betas_weight, 1e-6))[:, None]
        share = np.where(np.isinf(past.betas_weight)[:, None], 0, share) * self.knows_shape
        betas = past.betas.copy()
        betas[:, :10] = np.clip(betas[:, :10] + share * (float64(lift.betas) - betas[:, :10]), -3, 3)
        transl = pelvis_cam - self.points.shaped(betas)[0][:, 0]
        error = np.zeros(n)
        if self.config.refine and n:
            target = self._target(keypoints, K, past, view, lift, rotations, transl, up)
            rotations, transl, error = fit(
                self.points, self.prior, betas, rotations, transl, target, self.config.fit
            )
        expected = float64(lift.std_m).mean(-1)
        confidence = np.exp(-expected / 0.2) * np.exp(-0.5 * np.maximum(error - 2, 0))
        return Lifted(
            rotations, betas, betas_weight, transl, hidden.numpy(), expected, error, np.clip(confidence, 0, 1)
        )

    def glance(self, keypoints: NDArray[Any], K: Floats) -> Floats:
        """Where people stand, from one look and nothing of the past: pelvis (n, 3) metres, camera axes."""
        return float64(self._propose(keypoints, K, self.no_past(len(keypoints)))[1].pelvis_cam)

    def keypoints_cam(self, rotations: Floats, betas: Floats, transl: Floats) -> Floats:
        """COCO-17 keypoints of bodies, (n, 17, 3) metres, camera axes."""
        return self.points.keypoints(betas, rotations, transl)

    def _propose(self, keypoints: NDArray[Any], K: Floats, past: Past) -> tuple[View, Lift, torch.Tensor]:
        with torch.inference_mode():
            points = torch.as_tensor(np.asarray(keypoints, np.float32))
            intrinsics = torch.as_tensor(K, dtype=torch.float32).expand(len(points), 3, 3)
            view = look(points, intrinsics, torch.as_tensor(past.dt_s, dtype=torch.float32))
            view = View(*(part[:, None] for part in view))  # one frame long
            lift, hidden = self.network(view, torch.as_tensor(past.hidden))
            return View(*(part[:, 0] for part in view)), Lift(*(part[:, 0] for part in lift)), hidden

    def _target(
        self,
        keypoints: NDArray[Any],
        K: Floats,
        past: Past,
        view: View,
        lift: Lift,
        rotations: Floats,
        transl: Floats,
        up: tuple[Floats, float],
    ) -> Target:
        config = self.config.fit
        plane = (keypoints[..., :2] - K[:2, 2]) / [K[0, 0], K[1, 1]]
        confidence = np.clip(keypoints[..., 2].astype(np.float64), 1e-3, 1)
        size = 3.5 * float64(view.spread)[:, None]  # of a person standing, from the spread of the keypoints
        std = config.keypoint_std * size * RELATIVE_SIGMAS / confidence
        std[confidence < config.min_confidence] = np.inf

        seen, dt_s = past.dt_s > 0, np.maximum(past.dt_s, 1e-3)
        drift = dt_s * np.maximum(dt_s, 0.1)
        depth = transl[:, 2] * float64(lift.std_log_depth)
        network = place_information(transl, depth, 0.5 * depth)
        motion = place_information(
            past.transl + 1e-9, 0.02 + config.depth_std_m_s2 * drift, 0.02 + config.side_std_m_s2 * drift
        )
        motion *= seen[:, None, None]
        information = network + motion
        pull = (network @ transl[..., None] + motion @ past.transl[..., None])[..., 0]
        expected = np.linalg.solve(information, pull[..., None])[..., 0]
        std_rad = float64(lift.std_rad)
        if np.isfinite(up[1]):  # something else knows the camera's pitch, which the network can only guess
            std_rad[:, 0] *= config.root_doubt
        return Target(
            plane,
            std,
            rotations,
            std_rad,
            np.where(seen[:, None, None, None], past.rotations, rotations),
            np.where(seen, config.turn_std_rad_s * dt_s, np.inf),
            np.asarray(expected, np.float64),
            information,
            *up,
        )


def network_metadata(config: LifterConfig) -> dict[str, Any]:
    """The part of a weights file's metadata that loading needs."""
    return {"system": "lifter", "config": dataclasses.asdict(config)}
