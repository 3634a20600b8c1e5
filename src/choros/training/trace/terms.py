"""The terms that TRACE is taught by, of what the network says of a batch."""

from __future__ import annotations

from dataclasses import asdict

import torch
from torch import Tensor

from choros.body import BodyModel
from choros.rotation import interleaved_to_rotmat
from choros.trace.cameras import LEAST_SCALE, transl_of
from choros.trace.config import TraceConfig
from choros.trace.maps import TraceMaps
from choros.trace.regression import STRAIGHT, PeopleAnswers
from choros.training.comotion.losses import points_about_pelvis
from choros.training.trace.batch import PersonTargets, TraceBatch
from choros.training.trace.losses import (
    NEAR_M,
    aligned_error,
    focal_centre,
    focal_volume,
    joints_error,
    mean_of,
    path_error,
    points_in_view,
    relative_turn_error,
    rotation_difference,
    shape_drift,
)
from choros.training.trace.recipe import TraceWeights

#: SMPL's first ten shape numbers count so much (release).
SHAPE_WEIGHTS = (1.0, 0.64, 0.32, 0.32, *[0.16] * 6)
#: How much a miss of the scale counts, in halves of the square.
DISTANCE = 0.3
#: Beyond this a point in the picture is no guess any more, in units in which the square's side is 2.
FAR = 3.0


def weighted(terms: dict[str, Tensor], weights: TraceWeights) -> Tensor:
    """The sum that is minimised. A term that is no number is passed over (release)."""
    factors = asdict(weights)
    some = [factors[name] * value for name, value in terms.items() if factors[name] and value.isfinite()]
    return torch.stack(some).sum()


def map_terms(maps: TraceMaps, batch: TraceBatch) -> dict[str, Tensor]:
    """Of the centre maps, in frames in which everybody is known."""
    full = batch.everyone > 0
    if not full.any():
        return {}
    return {
        "centre": focal_centre(maps.centre[full], batch.centre[full]),
        "centre_3d": focal_volume(maps.centre_3d[full], batch.centre_3d[full]),
    }


def person_terms(
    pose6d: Tensor, betas: Tensor, camera: Tensor, truth: PersonTargets, body: BodyModel, config: TraceConfig
) -> dict[str, Tensor]:
    """Of people's bodies (N, 24, 6), (N, 10) and cameras (N, 3)."""
    rotations = interleaved_to_rotmat(pose6d)
    about = points_about_pelvis(rotations, betas, body)
    miss = rotation_difference(rotations[:, :22], truth.rotations[:, :22])
    shape = ((betas - truth.betas) * betas.new_tensor(SHAPE_WEIGHTS)).norm(dim=-1) / 20
    unknown = betas.square().mean(-1) / 80
    pelvis = transl_of(camera, truth.K, config)
    points = (truth.ray @ about.mT).mT + pelvis[:, None]
    half = config.image_size_px / 2
    off = (points_in_view(points, truth.K, half) - truth.points).norm(dim=-1)
    counts = truth.pointed * (truth.points.abs().amax(-1) < FAR) * (off < FAR)
    return {
        "joints": mean_of(joints_error(about[:, :24], truth.about[:, :24]), truth.posed),
        "aligned": mean_of(aligned_error(about[:, :22], truth.about[:, :22]), truth.posed),
        "points": mean_of(off, counts * truth.placed[:, None]),
        "pose": mean_of(miss[:, 0] + miss[:, 1:].mean(-1), truth.posed),
        "shape": mean_of(shape, truth.shaped * truth.posed) + mean_of(unknown, 1 - truth.shaped),
        "camera": place_error(camera, truth),
    }


def place_error(camera: Tensor, truth: PersonTargets) -> Tensor:
    """The mean miss of people's cameras (N, 3): in the picture, and in scale, which counts less.

    The release's is plain in scale, by which who is near counts more than everybody else together; here it is a share
    of the true one.
    """
    farther = (camera[:, :1] / truth.camera[:, :1].clamp_min(LEAST_SCALE) - 1).clamp(-FAR, FAR)
    away = torch.cat([DISTANCE * farther, camera[:, 1:] - truth.camera[:, 1:]], -1)
    return mean_of((away.square().sum(-1) + 1e-8).sqrt(), truth.placed)


def motion_terms(
    answers: PeopleAnswers, batch: TraceBatch, body: BodyModel, config: TraceConfig
) -> dict[str, Tensor]:
    """Of how people and the camera moved since the last frame, in the picture and in the world; and of their shapes."""
    world = batch.world
    drift = shape_drift(answers.betas, world.track)
    terms = {
        "motion": mean_of((answers.motion - world.motion).norm(dim=-1), world.moved),
        "steady_shape": mean_of(drift, torch.ones_like(drift)),
    }
    if config.metric_motion:
        turned = interleaved_to_rotmat(
            answers.world_rotation6d - answers.pose6d[:, 0].detach() + answers.pose6d.new_tensor(STRAIGHT)
        )
        terms["turn"] = mean_of(rotation_difference(turned, world.turn), world.stepped)
        terms["way"] = mean_of((answers.world_motion - world.way).norm(dim=-1), world.stepped)
        return terms
    if not world.pairs.shape[1]:
        return terms
    root = interleaved_to_rotmat(answers.world_rotation6d)
    ones = torch.ones(world.pairs.shape[1], device=root.device)
    place = _accumulated(answers, batch, config)
    terms["world_turns"] = mean_of(relative_turn_error(root, world.root, world.pairs), ones)
    terms["world_root"] = mean_of(rotation_difference(root, world.root), world.known)
    terms["world_path"] = mean_of(path_error(place, world.place, world.track, world.pairs, False), ones)
    terms["world_points"] = first_view_error(answers, place, batch, body, config)
    return terms


def first_view_error(
    answers: PeopleAnswers, place: Tensor, batch: TraceBatch, body: BodyModel, config: TraceConfig
) -> Tensor:
    """How far joints in the world are from the true ones, both as the first camera would see them, square's side 2.

    Poses, shapes and turns learn nothing by it (release), but the ``place`` (N, 3) m in the first camera alone.
    """
    people, world, half = batch.people, batch.world, config.image_size_px / 2
    rotations = interleaved_to_rotmat(answers.pose6d.detach())
    root = interleaved_to_rotmat(answers.world_rotation6d.detach())
    ours = points_about_pelvis(rotations, answers.betas.detach(), body)[:, :24]
    ours = (root @ rotations[:, 0].mT @ ours.mT).mT + place[:, None]
    true = (world.root @ people.rotations[:, 0].mT @ people.about[:, :24].mT).mT + world.place[:, None]
    K = people.K[_first_sight(batch)]
    said, truth = (points_in_view(points, K, half) for points in (ours, true))
    off = (said - truth).norm(dim=-1)
    seen = (truth.abs().amax(-1) < FAR) & (off < FAR) & (true[..., 2] > NEAR_M)
    return mean_of(off, seen * world.known[:, None])


def _first_sight(batch: TraceBatch) -> Tensor:
    """The row (N,) in which each of the N people is first seen in their clip."""
    frame, track = batch.frames, batch.world.track
    earlier = (track[:, None] == track) & (frame[None] <= frame[:, None])
    return torch.where(earlier, frame[None], frame.max() + 1).argmin(-1)


def _accumulated(answers: PeopleAnswers, batch: TraceBatch, config: TraceConfig) -> Tensor:
    """Places (N, 3) in the first camera: the first frame's camera numbers, and all ways since (paper)."""
    frame, track = batch.frames, batch.world.track
    camera, first = answers.camera.detach(), _first_sight(batch)
    earlier = (track[:, None] == track) & (frame[None] <= frame[:, None])
    since = earlier & (frame[None] > frame[first][:, None])
    numbers = camera[first] + since.to(camera) @ answers.world_motion
    return transl_of(numbers, batch.people.K[first], config)
