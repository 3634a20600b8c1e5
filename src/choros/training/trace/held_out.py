"""How well the small TRACE does on clips that it does not learn from, told people's true centres and without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from choros.body import BodyModel
from choros.rotation import interleaved_to_rotmat
from choros.trace.centres import find_centres
from choros.trace.config import TraceConfig
from choros.trace.network import TraceNetwork
from choros.trace.regression import STRAIGHT, PeopleAnswers
from choros.training.comotion.losses import points_about_pelvis
from choros.training.trace.batch import TraceBatch, batch_of
from choros.training.trace.clip import TraceClip, some_frames
from choros.training.trace.losses import aligned_error
from choros.training.trace.targets import CentreKernels

#: Clips looked at together, and frames of each; heights from which on a centre is somebody.
TOGETHER, FRAMES, SURE = 4, 4, 0.25
#: A centre found so near, cells, to a true one is that person's.
NEAR_CELLS = 2.0


@torch.no_grad()
def figures(
    network: TraceNetwork, clips: Sequence[TraceClip], body: BodyModel, kernels: CentreKernels
) -> dict[str, float]:
    """Of people who are to be seen: errors of pose, place and motion, and of who is found. Names tell the units."""
    network.eval()
    parts = [_looked(network, batch, body) for batch in _batches(clips, network.config, kernels)]
    if not parts:
        return {}
    told = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    return {f"held_out/{name}": float(some.mean()) for name, some in told.items() if len(some)}


def _batches(clips: Sequence[TraceClip], config: TraceConfig, kernels: CentreKernels) -> Iterator[TraceBatch]:
    for start in range(0, len(clips), TOGETHER):
        rng = np.random.default_rng(start)
        some = [
            some_frames(clip, min(FRAMES, len(clip.answers)), rng) for clip in clips[start : start + TOGETHER]
        ]
        yield batch_of(some, config, kernels)


def _looked(network: TraceNetwork, batch: TraceBatch, body: BodyModel) -> dict[str, Tensor]:
    """The errors of one batch, by name, each as many as there are."""
    maps, _ = network.clip(batch.answers, batch.flow, None)
    answers = network.people(maps, batch.places, batch.frames)
    truth, world = batch.people, batch.world
    about = points_about_pelvis(interleaved_to_rotmat(answers.pose6d), answers.betas, body)[:, :24]
    seen = batch.shown & (truth.posed > 0)
    about, true = about[seen], truth.about[seen, :24]
    distance = (answers.camera[:, 0].clamp_min(0.02) / truth.camera[:, 0]).log().abs()
    found, there = _found(maps.centre_3d, batch)
    return {
        "mpjpe_mm": 1000 * (about - about[:, :1] - true + true[:, :1]).norm(dim=-1).mean(-1),
        "pa_mpjpe_mm": 1000 * aligned_error(about, true),
        "distance_error": distance[seen],
        "place_error": (answers.camera - truth.camera)[seen, 1:].norm(dim=-1),
        "recall": found,
        "precision": there,
        "motion_error": (answers.motion - world.motion)[world.moved > 0].norm(dim=-1),
        **(_steps(answers, batch) if network.config.metric_motion else {}),
    }


def _steps(answers: PeopleAnswers, batch: TraceBatch) -> dict[str, Tensor]:
    """What is said of camera and people since the last frame, and the same of someone who says that nothing moves."""
    world = batch.world
    known = (world.stepped > 0) & batch.shown
    said = answers.world_rotation6d - answers.pose6d[:, 0] + answers.pose6d.new_tensor(STRAIGHT)
    turned = interleaved_to_rotmat(said)
    still = torch.eye(3).expand_as(turned)
    return {
        "turn_deg": _degrees(turned, world.turn)[known],
        "turn_deg_if_still": _degrees(still, world.turn)[known],
        "way_mm": 1000 * (answers.world_motion - world.way)[known].norm(dim=-1),
        "way_mm_if_still": 1000 * world.way[known].norm(dim=-1),
    }


def _degrees(a: Tensor, b: Tensor) -> Tensor:
    half_sine = ((a - b).square().sum((-1, -2)) / 8).clamp(0, 1).sqrt()
    return torch.rad2deg(2 * torch.asin(half_sine))


def _found(centre_3d: Tensor, batch: TraceBatch) -> tuple[Tensor, Tensor]:
    """Who is found, of those who are to be seen; and who is there, of those found. One for each."""
    found, there = [], []
    for frame, volume in enumerate(centre_3d):
        if not batch.everyone[frame]:
            continue
        places, _ = find_centres(volume, SURE)
        all_true = batch.places[batch.frames == frame][:, 1:].float()
        seen = batch.places[(batch.frames == frame) & batch.shown][:, 1:].float()
        at = places[:, 1:].float()
        if len(seen):
            near = torch.cdist(seen, at).amin(1) if len(at) else torch.full((len(seen),), torch.inf)
            found.append((near <= NEAR_CELLS).float())
        if len(at):
            near = torch.cdist(at, all_true).amin(1) if len(all_true) else torch.full((len(at),), torch.inf)
            there.append((near <= NEAR_CELLS).float())
    nothing = torch.zeros(0)
    return torch.cat([nothing, *found]), torch.cat([nothing, *there])
