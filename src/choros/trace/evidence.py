"""What a keypoint trunk's answers say of a person: ours, for the small size, whose maps are coarse.

From the middle of a person the trunk tells the way to each keypoint, and its heatmaps say where that really is. Both
are read at the person's place and become numbers in sizes of the person, which a map of a few dozen cells across
cannot carry. The middle is the mean of the keypoints: the cell that a centre map should have people in.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from choros.backbones.movenet import WAY
from choros.skeleton import COCO17, MIRROR_COCO17

N_KEYPOINTS = len(COCO17)

#: Windows about the place of a keypoint, one after another, each where the one before found it: standard deviations in
#: sizes of the person, and the least one in cells.
SPREADS, NARROWEST = (0.15, 0.05), 1.0
#: Numbers of each keypoint: where it is told to be, and of each window where it is found, its spread and its height;
#: and of all of them, where the middle is and how large the person.
N_EVIDENCE = N_KEYPOINTS * (2 + 4 * len(SPREADS)) + 3

#: Cells to each side that are looked at, and the size of a person beyond which only every second one is, and so on.
REACH, DENSE_CELLS = 12, 48.0
#: How sharply heatmaps, in spreads of the trunk's maps, are taken; where they say nothing, and what is certain.
SHARPNESS, FAINT, CERTAIN = 2.0, -3.5, 6.0
#: Nobody is smaller than this, cells.
LEAST_SIZE = 4.0


@torch.no_grad()
def evidence(answers: Tensor, frames: Tensor, middle: Tensor, coarser: int) -> Tensor:
    """Numbers (N, N_EVIDENCE) of people at cells ``middle`` (N, 2), y and x, of maps ``coarser`` than the answers.

    ``answers`` (B, 51, h, w) are of `choros.backbones.movenet.MoveNetTrunk`, those of person n in ``frames`` (N,).
    """
    at = keypoints_told(answers, frames, middle, coarser)  # (N, 17, 2)
    centre = at.mean(1)
    size = (at.amax(1) - at.amin(1)).amax(-1).clamp_min(LEAST_SIZE)  # (N,)
    told = [(at - centre[:, None]) / size[:, None, None]]
    for spread in SPREADS:
        at, spread_and_height = around(answers, frames, at, size, spread)
        told += [(at - centre[:, None]) / size[:, None, None], spread_and_height]
    side = answers.new_tensor([answers.shape[-1], answers.shape[-2]])
    place = torch.cat([centre / side * 2 - 1, (size / side[0]).log()[:, None]], -1)
    return torch.cat([torch.cat(told, -1).flatten(1), place], -1)


def keypoints_told(answers: Tensor, frames: Tensor, middle: Tensor, coarser: int) -> Tensor:
    """Where the ways from people's middles lead, (N, 17, 2) x and y, cells of the answers from their corner."""
    inner = torch.arange(coarser, device=answers.device)
    row = middle[:, 0, None, None] * coarser + inner[:, None]
    column = middle[:, 1, None, None] * coarser + inner
    ways = answers[frames[:, None, None], N_KEYPOINTS:, row, column]  # (N, coarser, coarser, 34)
    way_y, way_x = ways.float().mean((1, 2)).unflatten(-1, (N_KEYPOINTS, 2)).unbind(-1)
    corner = (middle.float() + 0.5) * coarser
    return torch.stack([corner[:, 1, None] + way_x / WAY[1], corner[:, 0, None] + way_y / WAY[0]], -1)


def around(answers: Tensor, frames: Tensor, at: Tensor, size: Tensor, spread: float) -> tuple[Tensor, Tensor]:
    """Heatmaps about places ``at`` (N, 17, 2), cells, of people of ``size`` (N,) cells, through one window.

    Where their mean is, (N, 17, 2), and their spread, in sizes, and height there, (N, 17, 2).
    """
    step = (size / DENSE_CELLS).ceil().clamp_min(1)[:, None, None]
    near = torch.arange(-REACH, REACH + 1, device=answers.device) * step  # (N, 1, cells)
    x, y = (at[..., axis, None].floor() + near for axis in (0, 1))  # (N, 17, cells)
    heat, odds = _heights(answers, frames, x, y)
    size = size[:, None]
    wide = (spread * size).clamp_min(NARROWEST)
    away_x, away_y = (cells + 0.5 - at[..., axis, None] for axis, cells in ((0, x), (1, y)))
    bell_x, bell_y = ((-0.5 * (away / wide[..., None]).square()).exp() for away in (away_x, away_y))
    seen = odds * bell_y[..., :, None] * bell_x[..., None, :]
    # Where nothing is seen the window counts as faint all through, so that nobody is drawn to noise.
    nothing = math.exp(SHARPNESS * FAINT) * 2 * math.pi * (wide / step[..., 0]).square()
    mass = seen.sum((-2, -1)) + nothing
    in_columns, in_rows = seen.sum(-2), seen.sum(-1)
    to_x, to_y = (in_columns * away_x).sum(-1) / mass, (in_rows * away_y).sum(-1) / mass
    squares = (in_columns * away_x.square()).sum(-1) + (in_rows * away_y.square()).sum(-1)
    squares = (squares + 2 * nothing * wide.square()) / mass
    deviation = (squares - to_x.square() - to_y.square()).clamp_min(1e-4).sqrt()
    height = ((seen * heat).sum((-2, -1)) + FAINT * nothing) / mass
    return at + torch.stack([to_x, to_y], -1), torch.stack([deviation / size, height], -1)


def _heights(answers: Tensor, frames: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Each keypoint's heatmap at cells of columns ``x`` and rows ``y`` (N, 17, c), and its odds, both (N, 17, c, c)."""
    height, width = answers.shape[-2:]
    inside = ((y >= 0) & (y < height))[..., :, None] & ((x >= 0) & (x < width))[..., None, :]
    row, column = y.clamp(0, height - 1).long()[..., :, None], x.clamp(0, width - 1).long()[..., None, :]
    whose, keypoint = frames[:, None, None, None], torch.arange(N_KEYPOINTS, device=answers.device)
    heat, other = (
        answers[whose, of[:, None, None], row, column].float().clamp(-CERTAIN, CERTAIN)
        for of in (keypoint, keypoint[list(MIRROR_COCO17)])
    )
    # The other side's keypoint shows too, if fainter: what it has the better claim to counts less.
    odds = (SHARPNESS * heat).exp() * 2 * (SHARPNESS * (heat - other)).sigmoid()
    return heat, torch.where(inside, odds, 0)
