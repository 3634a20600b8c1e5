"""Where a person's keypoints are to be seen, near where they are thought to be: heatmaps read through windows.

For each keypoint and each of some Gaussian windows about its predicted place: the mean place of the heatmap there,
its spread and its height, all measured by the person. That is ours, for the small size: the paper's tokens learn to
find the joints by attention alone, in many steps; here they are told, by a product of small matrices that costs next
to nothing, and attention is left with what keypoints do not say.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from choros.body.skeleton import COCO17, JOINT_NAMES
from choros.comotion.windows import NARROWEST_CELLS

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

#: Logits beyond this are as good as certain; those of a heatmap that says nothing.
CERTAIN, FAINT = 8.0, -5.0


@torch.no_grad()
def evidence(heatmaps: Tensor, origin_px: Tensor, stride: int, joints_px: Tensor, size_px: Tensor) -> Tensor:
    """What heatmaps say of people, (B, N, N_EVIDENCE); no gradient, for heatmaps have a loss of their own.

    ``heatmaps`` (B, 17, h, w) are logits in cells of ``stride`` px whose corner is ``origin_px`` (B, 2);
    ``joints_px`` (B, N, 24, 2) of people of ``size_px`` (B, N), in the image or not.
    """
    logits = heatmaps.float().clamp(-CERTAIN, CERTAIN)
    height, width = logits.shape[-2:]
    size = size_px[:, None, :, None].clamp_min(1)  # (B, 1, N, 1)
    spread_px = (size * torch.tensor(SPREADS, device=logits.device)).clamp_min(NARROWEST_CELLS * stride)
    at_px = joints_px[:, :, NEAR].transpose(1, 2)  # (B, 17, N, 2)

    def window(axis: int, cells: int) -> tuple[Tensor, Tensor]:
        """Weights (B, 17, N * S, cells) along an axis, and the way there from the joint."""
        centres_px = origin_px[:, axis, None] + (torch.arange(cells, device=logits.device) + 0.5) * stride
        way_px = centres_px[:, None, None, None] - at_px[..., axis, None, None]  # (B, 17, N, 1, cells)
        weights = (-0.5 * (way_px / spread_px[..., None]).square()).exp()
        way = (way_px / size[..., None]).expand_as(weights)
        return weights.flatten(2, 3), way.flatten(2, 3)

    (along_x, way_x), (along_y, way_y) = window(0, width), window(1, height)
    odds = logits.exp()

    def total(of_y: Tensor, of_x: Tensor, maps: Tensor) -> Tensor:
        """Sums over all cells of products of what hangs on y, on x and on both, (B, 17, N * S)."""
        return ((of_y @ maps) * of_x).sum(-1)

    # Nothing seen counts as a faint heatmap all through the window, in the picture or beyond: so nobody is drawn
    # to nothing, nor back from beyond the edge.
    nothing = math.exp(FAINT) * 2 * math.pi * (spread_px / stride).square()
    nothing = nothing.expand(-1, len(COCO17), -1, -1).flatten(2)  # (B, 17, N * S)
    variance = (spread_px / size).square().expand(-1, len(COCO17), -1, -1).flatten(2)  # along each axis
    mass = total(along_y, along_x, odds) + nothing
    x, y = total(along_y, along_x * way_x, odds) / mass, total(along_y * way_y, along_x, odds) / mass
    squares = total(along_y, along_x * way_x**2, odds) + total(along_y * way_y**2, along_x, odds)
    squares = (squares + 2 * nothing * variance) / mass
    spread = (squares - x.square() - y.square()).clamp_min(1e-4).sqrt()
    peak = (total(along_y, along_x, odds * logits) + FAINT * nothing) / mass / CERTAIN
    numbers = torch.stack([x, y, spread, peak], -1)  # (B, 17, N * S, 4)
    return numbers.unflatten(2, (size_px.shape[1], len(SPREADS))).transpose(1, 2).flatten(2)


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
