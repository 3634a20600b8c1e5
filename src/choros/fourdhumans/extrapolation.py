"""What can be said without learning of instants that nobody saw, from which the pose transformer departs.

Between two observations that is the straight way, after the last one it stands still. Offered are how motion goes
beyond that if it goes on as a line fitted to the last observations, or bends from one such line to the next as cubic
curves do; how much of each is true of which joint the network says.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from choros.fourdhumans.pose_tracks import BETAS, JOINTS, MOVING, PLACE, Window

PARTS = JOINTS + 1  # what has a share of its own in each offer: the joints, the place

#: Lines are fitted to observations that count less the longer ago they are, by these constants: one is about the
#: last two frames, which is right where there is no noise, the other a fifth of a second.
MEMORY_S = (0.015, 0.1)

#: Joints go on for a while only; people go on longer.
GOES_ON_S, PLACE_GOES_ON_S = 0.25, 2.0

OFFERS = 3 * len(MEMORY_S) + 1
#: The shares with which learning begins, of curves and lines alike; in the order of the offers.
FIRST_SHARES = (0.8, *(0.0, 0.8 / len(MEMORY_S), 0.8 / len(MEMORY_S)) * len(MEMORY_S))
CLUES = 5 + OFFERS * PARTS


class Said(NamedTuple):
    """Of the M instants that are asked for in a batch, in its order."""

    way: Tensor  # (M, TOKEN) straight between what is seen
    offered: Tensor  # (M, OFFERS, MOVING) to be added in shares
    clues: Tensor  # (M, CLUES) how far observations are, and how large the offers


class _Line(NamedTuple):
    """Lines that end at each of T instants."""

    at: Tensor  # (B, T, MOVING)
    slope: Tensor  # (B, T, MOVING) each second


def neighbours(seen: Tensor) -> tuple[Tensor, Tensor]:
    """For each instant of (..., T) bool the last one seen up to it, -1 if none, and the next, T if none."""
    T = seen.shape[-1]
    number = torch.arange(T, device=seen.device).expand(seen.shape)
    before = torch.where(seen, number, -1).cummax(-1).values
    after = torch.where(seen, number, T).flip(-1).cummin(-1).values.flip(-1)
    return before, after


def _lines(window: Window, memory_s: float, side: int) -> _Line:
    """Least squares to what was seen before each instant (``side`` -1) or after it (1)."""
    apart = window.times_s[:, None, :] - window.times_s[:, :, None]  # (B, T, T) row asks, column tells
    counts = (-apart.abs() / memory_s).exp() * (side * apart >= 0) * window.seen[:, None, :]
    moving = torch.where(window.seen[..., None], window.tokens[..., :MOVING], 0)
    first, second = counts * apart, counts * apart * apart
    s0, s1, s2 = (weight.sum(-1, keepdim=True) for weight in (counts, first, second))
    s2 = s2 + 1e-7  # a single observation has no slope
    m0, m1 = counts @ moving, first @ moving
    slope = (s0 * m1 - s1 * m0) / (s0 * s2 - s1 * s1).clamp_min(1e-12)
    return _Line((m0 - s1 * slope) / s0.clamp_min(1e-12), slope)


def say(window: Window) -> Said:
    """The straight way, the offers and the clues of every instant that is asked for."""
    T = window.seen.shape[1]
    row, at = window.asked.nonzero(as_tuple=True)
    before, after = (index[row, at] for index in neighbours(window.seen))
    early, late = before < 0, after == T  # nobody was seen before, or will be after
    inside = ~(early | late)
    start, end = torch.where(early, after, before), torch.where(late, before, after)
    time, start_s, end_s = (window.times_s[row, i][:, None] for i in (at, start, end))
    span = end_s - start_s  # 0 at the ends
    share = ((time - start_s) / span.clamp_min(1e-6)).clamp(0, 1) * inside[:, None]
    tokens = window.tokens[..., :MOVING]
    change = tokens[row, end] - tokens[row, start]
    betas = (window.tokens[..., MOVING:] * window.seen[..., None]).sum(1) / window.seen.sum(1, keepdim=True)
    way = torch.cat([tokens[row, start] + share * change, betas[row]], -1)

    goes_on = time.new_tensor([GOES_ON_S]).repeat(MOVING)
    goes_on[-PLACE:] = PLACE_GOES_ON_S
    from_start = _held((time - start_s) * late[:, None], goes_on)
    from_end = _held((time - end_s) * early[:, None], goes_on)
    from_start = torch.where(inside[:, None], span * share * (1 - share) ** 2, from_start)
    from_end = torch.where(inside[:, None], -span * share**2 * (1 - share), from_end)
    offers = [-change * share * (1 - share) * (1 - 2 * share)]  # slow at both ends
    for memory_s in MEMORY_S:
        past, future = (_lines(window, memory_s, side) for side in (-1, 1))
        smooth_start = (past.at[row, start] - tokens[row, start]) * ~early[:, None]
        smooth_end = (future.at[row, end] - tokens[row, end]) * ~late[:, None]
        end_share = torch.where(early[:, None], 1.0, share)
        offers.append((1 - end_share) * smooth_start + end_share * smooth_end)
        offers.append(from_start * past.slope[row, start])
        offers.append(from_end * future.slope[row, end])
    offered = torch.stack(offers, 1)

    ago, soon = (time - start_s).abs(), (end_s - time).abs()
    near = torch.minimum(ago, soon)
    known = torch.stack([early, late], -1).to(way)
    clues = [ago / (1 + ago), soon / (1 + soon), near / (0.1 + near), known, _sizes(offered).flatten(1)]
    return Said(way, offered, torch.cat(clues, -1))


def _held(since_s: Tensor, goes_on_s: Tensor) -> Tensor:
    """For how long a slope has gone on, (M, MOVING) s, some time after (or, negative, before) it was seen."""
    return since_s.sign() * goes_on_s * -torch.expm1(-since_s.abs() / goes_on_s)


def _sizes(offered: Tensor) -> Tensor:
    """Lengths (..., PARTS) of the joints' columns and the place in (..., MOVING)."""
    joints = offered[..., :-PLACE].unflatten(-1, (JOINTS, 6)).norm(dim=-1)
    return torch.cat([joints, offered[..., -PLACE:].norm(dim=-1, keepdim=True)], -1)


def added(said: Said, shares: Tensor, departure: Tensor) -> Tensor:
    """Tokens (M, TOKEN): the way, ``shares`` (M, OFFERS, PARTS) of what is offered, and a departure (M, TOKEN)."""
    joints = shares[..., :JOINTS].repeat_interleave(6, -1)
    place = shares[..., JOINTS:].expand(-1, -1, PLACE)
    moved = (torch.cat([joints, place], -1) * said.offered).sum(1)
    return said.way + departure + torch.nn.functional.pad(moved, (0, BETAS))
