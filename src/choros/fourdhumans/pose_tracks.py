"""Observations of a person over time as tokens of the pose transformer (4DHumans, supplement S.4).

A token is a pose, a shape and a place. The network is told of them where the person was last seen, in the direction
that they faced there, and of times in seconds from then: so a track may be anywhere, and of any frame rate.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from choros.errors import ChorosError
from choros.fourdhumans.config import PoseTransformerConfig
from choros.rotation import columns_to_rotmat, heading_rotmat, rotmat_to_columns

JOINTS, BETAS, PLACE = 24, 10, 3
POSE = JOINTS * 6  # two columns of each local rotation
MOVING = POSE + PLACE  # of a token, what changes from frame to frame
TOKEN = MOVING + BETAS

CLOSER = 0.8  # of the spacing: clocks are not exact

#: From a camera's axes (x right, y down, z ahead) to x right, y ahead, z up.
R_UP_CAMERA = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


class PoseTrack(NamedTuple):
    """A person at N instants, in the axes of a camera or any whose y points about down."""

    times_s: Tensor  # (N,) rising
    rotations: Tensor  # (N, 24, 3, 3) local; the first is the root's, in those axes
    pelvis: Tensor  # (N, 3) metres
    betas: Tensor  # (N, 10)


class Standpoint(NamedTuple):
    """Where and when B people were last seen, and the direction that they faced."""

    R_camera_heading: Tensor  # (B, 3, 3) from axes x right, y ahead, z up
    pelvis: Tensor  # (B, 3) metres
    time_s: Tensor  # (B,) double


class Window(NamedTuple):
    """B windows of T instants in order, seen from their standpoints."""

    times_s: Tensor  # (B, T)
    tokens: Tensor  # (B, T, TOKEN) columns of rotations, place, betas; arbitrary where not seen
    seen: Tensor  # (B, T) bool, at least one in each row
    asked: Tensor  # (B, T) bool; an instant that is neither is as if it were not there


def standpoints(times_s: Tensor, rotations: Tensor, pelvis: Tensor, seen: Tensor) -> Standpoint:
    """Those of B windows of T instants: (B, T) double, (B, T, 24, 3, 3), (B, T, 3) and which are ``seen`` (B, T)."""
    T = seen.shape[1]
    last = torch.where(seen, torch.arange(T, device=seen.device), -1).amax(1)
    row = torch.arange(len(seen), device=seen.device)
    up = R_UP_CAMERA.to(rotations)
    heading = heading_rotmat(up @ rotations[row, last, 0])
    return Standpoint(up.T @ heading, pelvis[row, last], times_s[row, last])


def tokens_of(rotations: Tensor, pelvis: Tensor, betas: Tensor, here: Standpoint) -> Tensor:
    """Tokens (B, T, TOKEN) of people (B, T, ...) as their standpoints see them."""
    turn = here.R_camera_heading.mT[:, None]
    root = turn @ rotations[:, :, 0]
    place = (turn @ (pelvis - here.pelvis[:, None])[..., None])[..., 0]
    columns = rotmat_to_columns(torch.cat([root[:, :, None], rotations[:, :, 1:]], 2)).flatten(-2)
    return torch.cat([columns, place, betas], -1)


def people_of(tokens: Tensor, R_camera_heading: Tensor, origin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rotations (..., 24, 3, 3), pelvis (..., 3) and betas (..., 10) of tokens (..., TOKEN): `tokens_of` undone.

    The columns of rotations may have any length and angle. Standpoints (..., 3, 3) and (..., 3).
    """
    columns, place, betas = tokens.split([POSE, PLACE, BETAS], -1)
    rotations = columns_to_rotmat(columns.unflatten(-1, (JOINTS, 6)))
    root = R_camera_heading @ rotations[..., 0, :, :]
    pelvis = (R_camera_heading @ place[..., None])[..., 0] + origin
    return torch.cat([root[..., None, :, :], rotations[..., 1:, :, :]], -3), pelvis, betas


class Question(NamedTuple):
    """Instants (M,) at which one person is asked for, and the observations (n,) of the track that may answer."""

    track: int
    asked: Tensor  # (M,) numbers among the instants asked of the track
    observed: Tensor  # (n,) numbers among its observations


def questions(
    tracks: Sequence[PoseTrack], asked_s: Sequence[Tensor], config: PoseTransformerConfig
) -> list[Question]:
    """What fits one window each: at most half of its tokens ask, the others are the nearest observations.

    Raises ``ChorosError`` if somebody was never observed, or shapes do not fit.
    """
    found = []
    for number, (track, asked) in enumerate(zip(tracks, asked_s, strict=True)):
        n = len(track.times_s)
        shapes = [tuple(part.shape) for part in track]
        if not n or shapes != [(n,), (n, JOINTS, 3, 3), (n, PLACE), (n, BETAS)]:
            raise ChorosError(
                f"A track is (N,) times, (N, 24, 3, 3) rotations, (N, 3) places and (N, 10) betas of one instant or "
                f"more, not {shapes}."
            )
        for chosen in asked.argsort().split(config.tokens // 2):
            room = config.tokens - len(chosen)
            found.append(
                Question(number, chosen, _nearest(track.times_s, asked[chosen], room, config.spacing_s))
            )
    return found


def _nearest(times_s: Tensor, asked_s: Tensor, room: int, spacing_s: float) -> Tensor:
    """Numbers of at most ``room`` observations: the nearest to an instant that is asked for, and no two too close."""
    far = (times_s.double()[:, None] - asked_s).abs().amin(1)
    times, order = times_s.tolist(), far.argsort(stable=True).tolist()
    kept: list[int] = []  # rising
    for index in order:
        place = bisect(kept, index)
        beside = kept[max(place - 1, 0) : place + 1]
        if all(abs(times[index] - times[other]) >= CLOSER * spacing_s for other in beside):
            kept.insert(place, index)
            if len(kept) == room:
                break
    return torch.tensor(kept)


def window_of(
    tracks: Sequence[PoseTrack], asked_s: Sequence[Tensor], batch: Sequence[Question]
) -> tuple[Window, Standpoint]:
    """The questions as one batch, each in order of time; shorter ones are filled up at the end."""
    longest = max(len(q.asked) + len(q.observed) for q in batch)
    like = tracks[0].rotations
    times = torch.zeros(len(batch), longest, dtype=torch.double)
    rotations = torch.eye(3).to(like).repeat(len(batch), longest, JOINTS, 1, 1)
    pelvis, betas = like.new_zeros(len(batch), longest, PLACE), like.new_zeros(len(batch), longest, BETAS)
    seen, asked = (torch.zeros(len(batch), longest, dtype=torch.bool) for _ in range(2))
    for row, question in enumerate(batch):
        track, n = tracks[question.track], len(question.observed)
        instants = torch.cat(
            [track.times_s[question.observed], asked_s[question.track][question.asked]]
        ).double()
        order = instants.argsort(stable=True)  # an observation comes before a question of the same instant
        m = len(order)
        times[row, :m], times[row, m:] = instants[order], instants.max()
        seen[row, :m], asked[row, :m] = order < n, order >= n
        where = seen[row].nonzero()[:, 0]
        rotations[row, where] = track.rotations[question.observed]
        pelvis[row, where] = track.pelvis[question.observed]
        betas[row, where] = track.betas[question.observed]
    here = standpoints(times, rotations, pelvis, seen)
    tokens = tokens_of(rotations, pelvis, betas, here)
    since = (times - here.time_s[:, None]).to(like)
    return Window(since, tokens, seen, asked), here
