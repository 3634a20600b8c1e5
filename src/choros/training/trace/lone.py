"""People of whom nothing but keypoints is known, for the small TRACE's regressors: many in a step, for nearly nothing.

Motion capture before a camera, keypoints as a network reports them (the lifter's training), without any maps: what maps
hold of them is zero, so the regressors learn to make bodies of keypoints by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.trace.cameras import camera_of, ray_turn
from choros.trace.config import TraceConfig
from choros.trace.keypoints import keypoint_numbers
from choros.training.comotion.losses import points_about_pelvis
from choros.training.lifter.batch import ClipConfig, sample
from choros.training.lifter.keypoint_noise import log_uniform
from choros.training.lifter.poses import PoseClip
from choros.training.trace.batch import PersonTargets


@dataclass(frozen=True)
class LoneRecipe:
    """Ours."""

    people: int = 256
    field_of_view_deg: tuple[float, float] = (25.0, 80.0)
    height_share: tuple[float, float] = (0.12, 1.3)
    guess_std: tuple[float, float] = (0.15, 0.05)  # of the maps' first guess: log of the scale, y and x


class LonePeople(NamedTuple):
    """N people."""

    feature: Tensor  # (N, F) as of `choros.trace.network`, of keypoints alone
    guess: Tensor  # (N, 3) scale, y, x
    truth: PersonTargets


@dataclass(frozen=True)
class Loner:
    """Who makes them; ``body`` is the open one, on the CPU."""

    motions: Sequence[PoseClip]
    body: BodyModel
    config: TraceConfig
    recipe: LoneRecipe = field(default_factory=LoneRecipe)

    def draw(self, seed: int, step: int, part: int = 0) -> LonePeople:
        """Those of a step."""
        rng, recipe, config = np.random.default_rng([seed, step, 11, part]), self.recipe, self.config
        fov = float(log_uniform(rng, recipe.field_of_view_deg, 1)[0])
        how = ClipConfig(
            batch=recipe.people // 2, frames=2, field_of_view_deg=(fov, fov), height_share=recipe.height_share
        )
        cast = sample(self.motions, Points.of(self.body), how, seed, step)
        half = config.image_size_px / 2
        focal = half / np.tan(np.deg2rad(fov) / 2)
        K = torch.tensor([[focal, 0, half], [0, focal, half], [0, 0, 1]], dtype=torch.float32)
        keypoints = torch.from_numpy(cast.keypoints).float().flatten(0, 1)  # on the plane z = 1
        to_cells = 1 / config.input_stride
        seen = torch.cat([(keypoints[..., :2] * focal + half) * to_cells, keypoints[..., 2:]], -1)
        cell = config.image_size_px / config.map_size * to_cells
        middle = (
            seen[..., :2].mean(1) / cell + 0.7 * torch.from_numpy(rng.normal(size=(len(seen), 2))).float()
        )
        middle = (middle.floor() + 0.5) * cell
        truth = self._truth(cast.rotations, cast.betas, cast.joints_cam, keypoints[..., 2], K)
        feature = torch.zeros(len(seen), config.person_features)
        told = keypoint_numbers(seen, middle)
        feature[:, -told.shape[1] :] = told
        noise = torch.from_numpy(rng.normal(size=(len(seen), 3))).float()
        scale = truth.camera[:, :1] * (recipe.guess_std[0] * noise[:, :1]).exp()
        guess = torch.cat([scale, truth.camera[:, 1:] + recipe.guess_std[1] * noise[:, 1:]], -1)
        return LonePeople(feature, guess, truth)

    def _truth(
        self, rotations: np.ndarray, betas: np.ndarray, joints_cam: np.ndarray, confidence: Tensor, K: Tensor
    ) -> PersonTargets:
        turns = torch.from_numpy(rotations).float().flatten(0, 1)
        n = len(turns)
        shapes = torch.from_numpy(betas).float().repeat_interleave(2, 0)
        pelvis = torch.from_numpy(joints_cam).float().flatten(0, 1)[:, 0]
        every_K = K.expand(n, 3, 3)
        camera = camera_of(pelvis, every_K, self.config)
        ray = ray_turn(camera, every_K, self.config)
        with torch.inference_mode():
            about_cam = points_about_pelvis(turns, shapes, self.body)
        about_cam = about_cam.clone()
        points = about_cam + pelvis[:, None]
        depth = points[..., 2:].clamp_min(0.2)
        half = self.config.image_size_px / 2
        px = points[..., :2] / depth * K[0, 0] / half
        turns = torch.cat([(ray.mT @ turns[:, 0])[:, None], turns[:, 1:]], 1)
        pointed = (points[..., 2] > 0.2).float()
        one = torch.ones(n)
        return PersonTargets(every_K, camera, ray, turns, shapes, about_cam @ ray, px, pointed, one, one, one)
