"""A person's keypoints, read from MoveNet's answers at their centre: no network looks at anybody by themselves.

At a person the answers tell the way to each of their keypoints, roughly, and everywhere how likely it is that a
keypoint is there. As in MoveNet's own reading, the likeliest place near the end of the way is the keypoint (Google's
model card of MultiPose; the weighing by distance is theirs).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from choros.backbones.movenet import WAY

N_KEYPOINTS = 17
#: Channels of the answers: heatmaps' logits, then the way down and across to each keypoint.
N_ANSWERS = 3 * N_KEYPOINTS

#: What a heatmap says where nothing is.
NOTHING = -3.9

#: Of a keypoint's confidence, for each spread of the map: as measured for CoMotion's sketches.
LOGIT_PER_SPREAD = 1 / 0.45
#: MoveNet's: a place so many cells from the end of the way counts half of one there.
NEAR_CELLS = 1.8
#: Keypoints are looked for within this share of the person's size around the end of the way, and so many cells.
REACH, LEAST_REACH, MOST_REACH = 0.16, 2, 10
#: Sizes below are as good as none, cells.
LEAST_SIZE = 4.0


def blank_answers(frames: int, side: int) -> Tensor:
    """Answers (frames, 51, side, side) of squares in which nobody is."""
    answers = torch.zeros(frames, N_ANSWERS, side, side)
    answers[:, :N_KEYPOINTS] = NOTHING
    return answers


@torch.no_grad()
def read_keypoints(
    answers: Tensor, cells: Tensor, map_size: int, frames: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Keypoints (N, 17, 3), x and y in cells of the answers, and confidence; and where they were read from, (N, 2).

    ``answers`` (B, 51, h, h) of a square; ``cells`` (N, 2) are y and x of people's cells in maps of ``map_size``;
    ``frames`` (N,) in which of the B, the first for all without it.
    """
    side = answers.shape[-1]
    times = side // map_size
    b = torch.zeros_like(cells[:, 0]) if frames is None else frames
    middle = (cells.flip(-1).float() + 0.5) * times  # x, y
    ways = _around(answers[:, N_KEYPOINTS:], b, cells * times, times).unflatten(-1, (N_KEYPOINTS, 2))
    ends = middle[:, None] + torch.stack([ways[..., 1] / WAY[1], ways[..., 0] / WAY[0]], -1)
    size = _extent(ends)
    reach = (REACH * size).round().clamp(LEAST_REACH, MOST_REACH)
    return torch.cat(_peaks(answers[:, :N_KEYPOINTS], b, ends, reach), -1), middle


def keypoint_numbers(keypoints: Tensor, middle: Tensor) -> Tensor:
    """What regressors take of `read_keypoints`, (N, 52): places from the middle in sizes, confidences, log size."""
    size = _extent(keypoints[..., :2])
    places = (keypoints[..., :2] - middle[:, None]) / size[:, None, None]
    return torch.cat([places.flatten(1), keypoints[..., 2], size.log()[:, None] - 3.0], -1)


def _extent(points: Tensor) -> Tensor:
    """The longer side of what points (N, K, 2) take in, (N,)."""
    return (points.amax(1) - points.amin(1)).amax(-1).clamp_min(LEAST_SIZE)


def _around(maps: Tensor, b: Tensor, corner: Tensor, times: int) -> Tensor:
    """Means (N, C) of maps (B, C, h, w) over blocks of ``times`` cells with their ``corner`` (N, 2) y, x."""
    step = torch.arange(times, device=maps.device)
    y, x = corner[:, :1] + step, corner[:, 1:] + step  # (N, times)
    return maps[b[:, None, None], :, y[:, :, None], x[:, None, :]].float().mean((1, 2))


def _peaks(heat: Tensor, b: Tensor, ends: Tensor, reach: Tensor) -> tuple[Tensor, Tensor]:
    """The likeliest places (N, 17, 2) near ``ends``, within ``reach`` (N,) cells, and confidences (N, 17, 1)."""
    n, side = len(ends), heat.shape[-1]
    most = int(reach.max().item()) if n else LEAST_REACH
    step = torch.arange(-most, most + 1, device=heat.device)
    middle = ends.floor().long().clamp(0, side - 1)  # (N, K, 2)
    x = middle[..., 0, None] + step  # (N, K, w)
    y = middle[..., 1, None] + step
    inside = ((x >= 0) & (x < side))[..., None, :] & ((y >= 0) & (y < side))[..., :, None]
    k = torch.arange(heat.shape[1], device=heat.device)[None, :, None, None]
    x_in, y_in = x.clamp(0, side - 1), y.clamp(0, side - 1)
    logit = heat[b[:, None, None, None], k, y_in[..., :, None], x_in[..., None, :]].float()  # (N, K, h, w)
    away_x, away_y = x + 0.5 - ends[..., :1], y + 0.5 - ends[..., 1:]
    away = (away_y[..., :, None] ** 2 + away_x[..., None, :] ** 2).sqrt()
    worth = logsigmoid(logit * LOGIT_PER_SPREAD) - (away + NEAR_CELLS).log()
    within = inside & (away <= reach[:, None, None, None] + 1)
    worth = torch.where(within, worth, -torch.inf)
    best = worth.flatten(2).argmax(-1)
    row, column = best // len(step), best % len(step)
    at_x = x.gather(-1, column[..., None])[..., 0]
    at_y = y.gather(-1, row[..., None])[..., 0]
    there = logit.flatten(2).gather(-1, best[..., None])[..., 0]
    found = torch.isfinite(worth.flatten(2).amax(-1))
    fine_x = _between(heat, b, at_y, at_x, 0, 1)
    fine_y = _between(heat, b, at_y, at_x, 1, 0)
    place = torch.stack([at_x + 0.5 + fine_x, at_y + 0.5 + fine_y], -1)
    place = torch.where(found[..., None], place, ends)
    confidence = torch.where(found, (there * LOGIT_PER_SPREAD).sigmoid(), torch.zeros_like(there))
    return place, confidence[..., None]


def _between(heat: Tensor, b: Tensor, y: Tensor, x: Tensor, down: int, across: int) -> Tensor:
    """How far the peak lies from its cell along one axis, (N, K), by a parabola through three cells."""
    side = heat.shape[-1]
    k = torch.arange(heat.shape[1], device=heat.device)

    def read(sign: int) -> Tensor:
        to_y, to_x = (y + sign * down).clamp(0, side - 1), (x + sign * across).clamp(0, side - 1)
        return heat[b[:, None], k, to_y, to_x].float()

    before, at, after = read(-1), read(0), read(1)
    bend = before - 2 * at + after
    return torch.where(bend < -1e-4, 0.5 * (before - after) / bend, torch.zeros_like(at)).clamp(-0.5, 0.5)
