"""The lift: 2D keypoints with confidences -> SMPL pose, shape and place, and how sure that is.

The network of ``network.py`` proposes several likely bodies, the fit of ``body/gauss_newton.py`` puts the likeliest on
the keypoints, and the one that agrees best with keypoints, past and network together is taken. What is known of a
person from earlier frames comes in as ``Past`` and goes out the same way.
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
from choros.body.fit import fit_doubting, misfit, of_some
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
from choros.body.kinematics import posed_joints
from choros.errors import ChorosError
from choros.keypoints import keypoint_std
from choros.lifter.knees import stand_on_likely_knees
from choros.lifter.network import Hypotheses, Lifter, LifterConfig, PersonView, person_view

STEP_S = 1 / 30  # between frames for which the fit's limits on turns hold; they grow with the root of time
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


@dataclass(frozen=True)
class LiftConfig:
    """``refine`` off leaves the network's likeliest estimate as it is."""

    refine: bool = True
    tried: int = 3  # likeliest hypotheses that are put on the keypoints before one is chosen
    chance_weight: float = 4.0  # of a hypothesis' log chance against squared errors in standard deviations
    keypoint_share: float = 0.7  # of the errors that keypoints are known to have
    from_afar: float = 3.0  # times those errors for the first steps, so that limbs far off are drawn in too
    network_robust: float = 1.5  # standard deviations at which keypoints make the network's word doubtful
    straight_rad: float = 0.12  # bend of a knee that begins to be unlikely; see ``knees.py``
    fit: FitConfig = field(default_factory=lambda: FitConfig(steps=3))


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
        up: tuple[Floats, float] = (np.array([0.0, -1.0, 0.0]), np.inf),
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
        rotations, transl, error, chosen = self._chosen(keypoints, K, past, up, view, found, betas)
        joint_std_m = self._doubt(found, betas, chosen)
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

    def _chosen(
        self,
        keypoints: NDArray[Any],
        K: Floats,
        past: Past,
        up: tuple[Floats, float],
        view: PersonView,
        found: Hypotheses,
        betas: Floats,
    ) -> tuple[Floats, Floats, Floats, NDArray[np.intp]]:
        """The hypothesis of each person that agrees best with everything, put on the keypoints.

        Rotations (n, 24, 3, 3), transl (n, 3), the fit's error (n,), and which hypothesis it is (n,).
        """
        n, config = len(keypoints), self.config
        # Everybody's likeliest hypotheses, side by side: row i belongs to person who[i].
        chances = float64(found.log_chance)
        tried = np.argsort(-chances, axis=-1)[:, : config.tried if config.refine else 1]
        who, which = np.repeat(np.arange(n), tried.shape[1]), tried.ravel()
        std_rad = float64(found.std_rad)[who, which]
        rotations = stand_on_likely_knees(float64(found.rotations)[who, which], std_rad, config.straight_rad)
        pelvis_rest = self.points.shaped(betas)[0][:, 0]
        transl = float64(found.pelvis_cam)[who, which] - pelvis_rest[who]
        if not (config.refine and n):
            return rotations, transl, np.zeros(n), which
        target = self._target(keypoints, K, past, view, found, who, which, rotations, transl, up)
        fitted, target = fit_doubting(
            self.points, self.prior, betas[who], rotations, transl, target, config.fit,
            from_afar=config.from_afar, doubt_from=config.network_robust,
        )  # fmt: skip
        cost = misfit(fitted, target) - config.chance_weight * chances[who, which]
        best = np.arange(n) * tried.shape[1] + cost.reshape(n, -1).argmin(-1)
        fitted = fit(
            self.points, self.prior, betas, fitted.rotations[best], fitted.transl[best],
            of_some(target, best), config.fit,
        )  # fmt: skip
        return fitted.rotations, fitted.transl, fitted.error, which[best]

    def _doubt(self, found: Hypotheses, betas: Floats, chosen: NDArray[np.intp]) -> Floats:  # (n, 24) metres
        """The error of each joint that is to be expected of the ``chosen`` hypotheses, over what may be true.

        If it is this one, the network says how far off it is; if it is another, it is off by what lies between.
        """
        people = np.arange(len(betas))
        chance, std_m = np.exp(float64(found.log_chance)), float64(found.std_m)
        hypotheses = chance.shape[1]
        rest = np.repeat(self.points.shaped(betas)[0], hypotheses, 0)
        turned = float64(found.rotations).reshape(-1, 24, 3, 3)
        places = posed_joints(turned, rest)[1].reshape(len(betas), hypotheses, 24, 3)
        places = places - places[:, :, :1]
        between = np.linalg.norm(places - places[people, chosen][:, None], axis=-1)
        return (chance[..., None] * np.hypot(std_m, between)).sum(1)

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

    def _target(
        self,
        keypoints: NDArray[Any],
        K: Floats,
        past: Past,
        view: PersonView,
        found: Hypotheses,
        who: NDArray[np.intp],  # (m,) the person of each hypothesis that is fitted
        which: NDArray[np.intp],  # (m,) which of theirs it is
        rotations: Floats,  # (m, 24, 3, 3) theirs
        transl: Floats,  # (m, 3)
        up: tuple[Floats, float],
    ) -> Target:
        config = self.config.fit
        plane = (keypoints[..., :2] - K[:2, 2]) / [K[0, 0], K[1, 1]]
        confidence = np.clip(keypoints[..., 2].astype(np.float64), 1e-3, 1)
        size = 3.5 * float64(view.spread)[:, None]  # of a person standing, from the spread of the keypoints
        std = self.config.keypoint_share * size * keypoint_std(confidence)
        std[confidence < config.min_confidence] = np.inf

        seen, dt_s = past.dt_s > 0, np.maximum(past.dt_s, 1e-3)
        drift = dt_s * np.maximum(dt_s, 0.1)
        depth = transl[:, 2] * float64(found.std_log_depth)[who, which]
        network = place_information(transl, depth, 0.5 * depth)
        motion = place_information(
            past.transl + 1e-9, 0.02 + config.depth_std_m_s2 * drift, 0.02 + config.side_std_m_s2 * drift
        )
        motion = (motion * seen[:, None, None])[who]
        information = network + motion
        pull = (network @ transl[..., None] + motion @ past.transl[who][..., None])[..., 0]
        expected = np.linalg.solve(information, pull[..., None])[..., 0]
        std_rad = float64(found.std_rad)[who, which]
        if np.isfinite(up[1]):  # something else knows the camera's pitch, which the network can only guess
            std_rad[:, 0] *= config.root_doubt
        return Target(
            plane[who],
            std[who],
            rotations,
            std_rad,
            np.where(seen[who, None, None, None], past.rotations[who], rotations),
            np.where(seen, config.turn_std_rad_s * np.sqrt(dt_s * STEP_S), np.inf)[who],
            np.asarray(expected, np.float64),
            information,
            *up,
        )


def network_metadata(config: LifterConfig) -> dict[str, Any]:
    """The part of a weights file's metadata that loading needs."""
    return {"system": "lifter", "config": dataclasses.asdict(config)}
