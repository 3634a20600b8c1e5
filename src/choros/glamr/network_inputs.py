"""Motion resampled for the networks: to their own frame rate, with missing frames interpolated.

Rotations are interpolated along the shortest arc, positions linearly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from choros.body.kinematics import forward_kinematics
from choros.glamr.config import FPS
from choros.rotation import rotmat_slerp

EDGE = 3  # frames, a tenth of a second


def even_times(times_s: Tensor) -> Tensor:
    """The times (N,) of ``FPS`` frames a second that cover rising ``times_s`` (T,), from the first on, seconds."""
    spans = float(times_s[-1] - times_s[0]) * FPS
    count = int(-(-(spans - 1e-6) // 1)) + 1
    return times_s[0] + torch.arange(count, dtype=times_s.dtype) / FPS


def rotations_at(rotations: Tensor, times_s: Tensor, at_s: Tensor) -> Tensor:
    """Rotations (T, ..., 3, 3) of rising ``times_s`` (T,) at other times (N,) -> (N, ..., 3, 3); held at the ends."""
    before, after, share = _between(times_s, at_s)
    return rotmat_slerp(rotations[before], rotations[after], share)


def places_at(places: Tensor, times_s: Tensor, at_s: Tensor) -> Tensor:
    """Places or other numbers (T, ...) of rising ``times_s`` (T,) at other times (N,) -> (N, ...); held at the ends."""
    before, after, share = _between(times_s, at_s)
    return torch.lerp(places[before], places[after], share.to(places).reshape(-1, *[1] * (places.ndim - 1)))


def visible_at(visible: Tensor, times_s: Tensor, at_s: Tensor) -> Tensor:
    """Whether somebody was seen (T,) bool, at other times (N,): where each frame that counts there saw them."""
    before, after, share = _between(times_s, at_s)
    return (visible[before] | (share == 1)) & (visible[after] | (share == 0))


def _between(times_s: Tensor, at_s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Frames before and after each time, and how far it is from one to the other, 0 to 1 (double)."""
    times, at = times_s.double(), at_s.double()
    after = torch.searchsorted(times, at).clamp(0, len(times) - 1)
    before = (after - 1).clamp_min(0)
    share = ((at - times[before]) / (times[after] - times[before]).clamp_min(1e-12)).clamp(0, 1)
    nearest = share.round()  # times that are the same but for rounding
    return before, after, torch.where((share - nearest).abs() < 1e-6, nearest, share)


def joints_about_pelvis(body_rotations: Tensor, rest_joints: Tensor) -> Tensor:
    """What the trajectory predictor looks at: joints (..., 24, 3), metres, in the pelvis' own axes.

    From local rotations of joints 1 to 23 (..., 23, 3, 3) and rest joints (24, 3) or (..., 24, 3) in metres; the
    pelvis is at 0, not turned (appendix D: "without global rotations and translations").
    """
    eye = torch.eye(3, dtype=body_rotations.dtype, device=body_rotations.device)
    eye = eye.expand(*body_rotations.shape[:-3], 1, 3, 3)
    _, shifts = forward_kinematics(torch.cat([eye, body_rotations], -3), rest_joints)
    return rest_joints + shifts - rest_joints[..., :1, :]


def known_neighbours(known: Tensor) -> tuple[Tensor, Tensor]:
    """For each frame of ``known`` (..., T) bool the last one known up to it, -1 if none, and the next, T if none."""
    T = known.shape[-1]
    frame = torch.arange(T, device=known.device).expand(known.shape)
    before = torch.where(known, frame, -1).cummax(-1).values
    after = torch.where(known, frame, T).flip(-1).cummin(-1).values.flip(-1)
    return before, after


def straight_way(poses: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Poses (B, T, D), with those not ``known`` (B, T) put on the line between their neighbours, and clues.

    At the ends the nearest known pose is held. Some frame must be known. The clues (B, T, 2 + 2 D) are how long
    ago and how soon a pose is known, as t / (1 + t) of t seconds, 1 for never, and how poses change there: their
    differences over `EDGE` frames just before the gap and just after it, 0 where those are not known.
    """
    T = known.shape[-1]
    before, after = known_neighbours(known)
    frame = torch.arange(T, device=known.device)
    ago_s, soon_s = (frame - before) / FPS, (after - frame) / FPS
    far = torch.stack([ago_s / (1 + ago_s), soon_s / (1 + soon_s)], -1)
    far = torch.where(torch.stack([before < 0, after == T], -1), 1, far)
    start, end = torch.where(before < 0, after, before), torch.where(after == T, before, after)
    share = ((frame - start) / (end - start).clamp_min(1)).clamp(0, 1).to(poses)[..., None]
    row = torch.arange(len(poses), device=known.device)[:, None]
    way = torch.lerp(poses[row, start], poses[row, end], share)
    changes = []
    for last, first in ((start, start - EDGE), (end + EDGE, end)):
        last, first = last.clamp_max(T - 1), first.clamp_min(0)
        both = known[row, first] & known[row, last] & (last - first == EDGE)
        changes.append((poses[row, last] - poses[row, first]) * both[..., None])
    return way, torch.cat([far.to(poses), *changes], -1)
