"""Keypoint heatmaps sampled near a person's predicted keypoints, through Gaussian windows.

For each keypoint and window: the mean position of the heatmap there, its spread and its height, in units of the
person's size. That is ours, for the small size: the paper's tokens learn to
find the joints by attention alone, in many steps; here they are told, by a product of small matrices that costs next
to nothing, and attention is left with what keypoints do not say.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from choros.comotion.attention_prior import NARROWEST_CELLS
from choros.comotion.encoder import ImageTokens
from choros.skeleton import COCO17, JOINT_NAMES, MIRROR_COCO17

#: Windows, standard deviations in sizes of the person.
SPREADS = (0.06, 0.15, 0.4, 1.0)

#: Numbers that a person's evidence takes: way (x, y), spread and height for each keypoint and window.
N_EVIDENCE = len(COCO17) * len(SPREADS) * 4

#: SMPL's joint near each keypoint: those of the face are near the head.
NEAR = [JOINT_NAMES.index(name if name in JOINT_NAMES else "head") for name in COCO17]

#: Keypoints that move with the body as a whole, and the window that they are followed through.
TRUNK_KEYPOINTS = [
    COCO17.index(f"{side}_{name}") for side in ("left", "right") for name in ("shoulder", "hip")
]
FOLLOWING = SPREADS.index(0.15)

#: A person claims cells about a keypoint, standard deviation in sizes of the person, and others ever so little: whom
#: nobody is near has all there is.
CLAIM, DOUBT = 0.12, 1e-3

#: Logits beyond this are as good as certain; those of a heatmap that says nothing.
CERTAIN, FAINT = 8.0, -5.0


@torch.no_grad()
def evidence(image: ImageTokens, joints_px: Tensor, size_px: Tensor) -> Tensor:
    """What heatmaps say of people, (B, N, N_EVIDENCE); no gradient, for heatmaps have a loss of their own.

    ``joints_px`` (B, N, 24, 2) of people of ``size_px`` (B, N), in the image or not.
    """
    return read(image, joints_px[:, :, NEAR], size_px, SPREADS).flatten(2)


@torch.no_grad()
def read(
    image: ImageTokens,
    at_px: Tensor,
    size_px: Tensor,
    spreads: tuple[float, ...],
    sharers: Tensor | None = None,
) -> Tensor:
    """Way (x, y), spread and height of heatmaps about places ``at_px`` (B, N, 17, 2): (B, N, 17, S, 4).

    Ways and spreads are in sizes of the person, as are those of the S windows; the rest is as for `evidence`.
    Heatmaps do not say whose keypoints they show: with ``sharers`` (B, N) bool, each cell is shared out among these,
    by who is thought to be near it; without, everybody sees all.
    """
    logits = image.heatmaps[:, :, None].float().clamp(-CERTAIN, CERTAIN)
    height, width = logits.shape[-2:]
    at_px = at_px.transpose(1, 2)  # (B, 17, N, 2)
    size = size_px[:, None, :, None].clamp_min(1)  # (B, 1, N, 1)
    cell_px = image.cell_px[:, None, None, None]
    narrowest_px = NARROWEST_CELLS * cell_px
    spread_px = (size * torch.tensor(spreads, device=logits.device)).clamp_min(narrowest_px)

    def ways_px(axis: int, cells: int) -> Tensor:
        """From the places to the middles of cells along an axis, (B, 17, N, cells)."""
        along_px = (torch.arange(cells, device=logits.device) + 0.5) * image.cell_px[:, None]
        centres_px = image.origin_px[:, axis, None] + along_px
        return centres_px[:, None, None] - at_px[..., axis, None]

    to_x_px, to_y_px = ways_px(0, width), ways_px(1, height)
    # Heatmaps show the other side's keypoint too, if fainter, and the mean of both is neither: what the other side
    # has the better claim to counts less, and what neither has the better claim to in full.
    odds = logits.exp() * 2 * (logits - logits[:, list(MIRROR_COCO17)]).sigmoid()
    along_x, along_y = (
        _bell(way_px[..., None, :] / spread_px[..., None])[..., None, :] for way_px in (to_x_px, to_y_px)
    )  # (B, 17, N, S, 1, cells)
    if sharers is not None:
        claim_px = (CLAIM * size).clamp_min(narrowest_px)
        odds, along_x, along_y = _shared_out(odds, along_x, along_y, (to_x_px, to_y_px), claim_px, sharers)
    way_x, way_y = (way_px[..., None, None, :] / size[..., None, None] for way_px in (to_x_px, to_y_px))

    def down(of_y: Tensor, maps: Tensor) -> Tensor:
        """Sums over columns' cells, (B, 17, N, S, 1 or 2, w); one product for all people, who share the map."""
        return (of_y.flatten(2, 4) @ maps[:, :, 0]).unflatten(2, of_y.shape[2:5])

    def across(columns: Tensor, of_x: Tensor) -> Tensor:
        """Sums over the columns, (B, 17, N, S)."""
        return (columns * of_x).sum((-2, -1))

    # Nothing seen counts as a faint heatmap all through the window, in the picture or beyond: so nobody is drawn
    # to nothing, nor back from beyond the edge.
    nothing = math.exp(FAINT) * 2 * math.pi * (spread_px / cell_px).square()
    variance = (spread_px / size).square()  # along each axis
    columns = down(along_y, odds)
    mass = across(columns, along_x) + nothing
    x = across(columns, along_x * way_x) / mass
    y = across(down(along_y * way_y, odds), along_x) / mass
    squares = across(columns, along_x * way_x**2) + across(down(along_y * way_y**2, odds), along_x)
    squares = (squares + 2 * nothing * variance) / mass
    spread = (squares - x.square() - y.square()).clamp_min(1e-4).sqrt()
    peak = (across(down(along_y, odds * logits), along_x) + FAINT * nothing) / mass / CERTAIN
    return torch.stack([x, y, spread, peak], -1).transpose(1, 2)


def _shared_out(
    odds: Tensor,
    along_x: Tensor,
    along_y: Tensor,
    ways_px: tuple[Tensor, Tensor],
    claim_px: Tensor,
    sharers: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Maps (B, 17, 1, h, w) and windows of `read` in which each cell is shared out among the ``sharers`` (B, N).

    ``ways_px`` lead from their places to columns (B, 17, N, w) and rows (B, 17, N, h), and claims are as wide as
    ``claim_px`` (B, 1, N, 1). A claim is a bell and a doubt, each a product of what hangs on x and on y, as a window
    is: so they are two windows (the last dimension but one), and nothing is as large as the map for each person.
    """
    near_x, near_y = (_bell(way_px / claim_px) for way_px in ways_px)
    claims = (near_y * sharers[:, None, :, None]).mT @ near_x + DOUBT * sharers.sum(1)[:, None, None, None]
    near_x, near_y = near_x[..., None, None, :], near_y[..., None, None, :]
    ours = sharers[:, None, :, None, None, None]
    odds = odds / claims.clamp_min(DOUBT)[:, :, None]
    along_x = torch.cat([along_x * near_x, along_x], -2)
    return odds, along_x, torch.cat([along_y * near_y, DOUBT * along_y], -2) * ours


@torch.no_grad()
def peaks(
    image: ImageTokens, at_px: Tensor, size_px: Tensor, reach: float, least_logit: float
) -> Tensor:  # (N, 17, 3)
    """Where the heatmaps of one frame have their peaks near ``at_px`` (N, 17, 2), and how sure they are: x, y, 0..1.

    People are of ``size_px`` (N,), and a peak within ``reach`` sizes is theirs to whom it is nearest, by their size.
    All three are 0 where none is higher than ``least_logit``; nothing of ``at_px`` is in what is found.
    """
    logits = image.heatmaps[0].float().clamp(-CERTAIN, CERTAIN)
    height, width = logits.shape[-2:]
    if not len(at_px):
        return at_px.new_zeros(0, len(COCO17), 3)
    cell_px, origin_px = image.cell_px[0], image.origin_px[0]
    at = (at_px - origin_px) / cell_px - 0.5  # whole numbers are middles of cells
    size = size_px.clamp_min(1) / cell_px
    cells = int((reach * size).clamp(1, max(height, width)).max().ceil())
    around = torch.arange(-cells, cells + 1, device=at.device)
    x, y = (at[..., axis, None].round().long() + around for axis in (0, 1))  # (N, 17, k)
    keypoint = torch.arange(len(COCO17), device=at.device)[:, None, None]

    def heights(maps: Tensor, dx: int = 0, dy: int = 0) -> Tensor:
        """Of every cell about every keypoint, (N, 17, k, k), or of its neighbour."""
        rows, columns = (y + dy).clamp(0, height - 1), (x + dx).clamp(0, width - 1)
        return maps[keypoint, rows[..., :, None], columns[..., None, :]]

    def away(places: Tensor, sizes: Tensor) -> Tensor:
        """From places (N or 1, 17, 2) in sizes squared, (N, 17, k, k)."""
        to_x, to_y = x - places[..., 0, None], y - places[..., 1, None]
        return (to_y[..., :, None] ** 2 + to_x[..., None, :] ** 2) / sizes[:, None, None, None] ** 2

    here, mirror = heights(logits), heights(logits[list(MIRROR_COCO17)])
    nearest = own = away(at, size)
    for n in range(len(at)):  # one after another: all at once would take as many times the memory
        nearest = torch.minimum(nearest, away(at[n : n + 1], size[n : n + 1]))
    theirs = (own <= nearest) & (own <= reach**2)
    theirs &= ((y >= 0) & (y < height))[..., :, None] & ((x >= 0) & (x < width))[..., None, :]
    for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        theirs &= here >= heights(logits, dx, dy)
    # What the other side's keypoint has the better claim to is theirs less.
    chance = here.sigmoid() * (2 * (here - mirror).sigmoid()).clamp_max(1)
    chance = torch.where(theirs & (here > least_logit), chance, 0).flatten(2)
    confidence, best = chance.max(-1)

    def picked(cells_of: Tensor) -> Tensor:
        return cells_of.flatten(2).gather(-1, best[..., None])[..., 0]

    def between(dx: int, dy: int) -> Tensor:
        """The top of the parabola through the logarithms of three chances, cells from the middle one."""
        low, middle, high = (logsigmoid(picked(heights(logits, i * dx, i * dy))) for i in (-1, 0, 1))
        return (0.5 * (high - low) / (2 * middle - low - high).clamp_min(1e-3)).clamp(-0.5, 0.5)

    k = len(around)
    found_x = x.gather(-1, (best % k)[..., None])[..., 0]
    found_y = y.gather(-1, (best // k)[..., None])[..., 0]
    found = torch.stack([found_x + between(1, 0), found_y + between(0, 1)], -1)
    found_px = (found + 0.5) * cell_px + origin_px
    seen = confidence > 0
    return torch.cat([torch.where(seen[..., None], found_px, 0), confidence[..., None]], -1)


def _bell(x: Tensor) -> Tensor:
    return (-0.5 * x.square()).exp()


def shortcut(n_kept: int, n_out: int, kept: slice, x_y: slice, gain: float) -> nn.Linear:
    """A straight way for a network's answers (n_out,) from ``n_kept`` numbers that they may keep, and evidence.

    New, it keeps them where the answers are ``kept``, and ``x_y`` go ``gain`` times where the trunk's keypoints are
    seen: somebody who is followed without change of pose. What a network adds to that it learns.
    """
    layer = nn.Linear(n_kept + N_EVIDENCE, n_out)
    weight = torch.zeros_like(layer.weight)
    weight[kept, :n_kept] = torch.eye(n_kept)
    numbers = torch.arange(N_EVIDENCE).unflatten(0, (len(COCO17), len(SPREADS), 4)) + n_kept
    for row, axis in zip(range(x_y.start, x_y.stop), (0, 1), strict=True):
        weight[row, numbers[TRUNK_KEYPOINTS, FOLLOWING, axis]] = gain / len(TRUNK_KEYPOINTS)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.zero_()
    return layer
