"""The losses of CoMotion (4.2), for everyone in every frame of a clip at once.

L1 on the projection, L1 on 3D points about the pelvis, L2 on the joints' rotations, the betas' own or their norm,
and keypoint heatmaps. What the paper leaves open is decided here: errors in the image are shares of the person's
size, so that near and far people count alike; angles are compared as rotation matrices, which have no jumps.
One loss is ours, on the logarithm of depth where it is true: the paper leaves depth to the size in the image, but
the shape is fixed after the first frame, so a direct word about depth is worth many steps.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from choros.body import BodyModel
from choros.comotion.person_states import PersonStates, pixels_per_metre, project_safely
from choros.training.comotion.recipe import LossWeights

#: Points that are supervised: SMPL's joints, then COCO's keypoints.
N_POINTS = 24 + 17

#: Width of a keypoint's blob in a heatmap, cells.
BLOB_CELLS = 1.2

#: Cells with a keypoint in them count this much more than empty ones, for they are few.
BLOB_WEIGHT = 30.0


class Targets(NamedTuple):
    """What is true of N people in T frames of B clips. Masks are shares from 0 to 1, as weights of a mean.

    Nothing here changes with the focal length: places are points in the image and rho, pixels a metre. So a
    clip keeps its targets under another K (A.4).
    """

    rotations: Tensor  # (T, B, N, 24, 3, 3) as `PersonStates.rotations`
    about_pelvis: Tensor  # (T, B, N, 41, 3) metres, camera axes
    points_px: Tensor  # (T, B, N, 41, 2)
    rho: Tensor  # (T, B, N) log of px per metre at the pelvis
    betas: Tensor  # (B, N, 10)
    size_px: Tensor  # (T, B, N) of the person in the image
    pointed: Tensor  # (T, B, N, 41) which points are known in 2D
    posed: Tensor  # (T, B, N) whose rotations and 3D points are known
    placed: Tensor  # (T, B, N) whose depth is known
    shaped: Tensor  # (B, N) whose betas are known

    def with_first_twice(self) -> Targets:
        """The first frame once more in front: it is answered by the initialisation and by the first update."""
        per_clip = ("betas", "shaped")
        return Targets(
            *(
                part if name in per_clip else torch.cat([part[:1], part])
                for name, part in zip(self._fields, self, strict=True)
            )
        )


def points_about_pelvis(rotations: Tensor, betas: Tensor, body: BodyModel) -> Tensor:
    """SMPL's joints and COCO's keypoints of bodies whose pelvis is at the origin, (..., 41, 3) metres.

    ``rotations`` (..., 24, 3, 3) local, ``betas`` (..., 10).
    """
    return torch.cat(body.about_pelvis(rotations, betas, body.skinned_points("coco17")), -2)


def people_losses(people: PersonStates, K: Tensor, truth: Targets, body: BodyModel) -> dict[str, Tensor]:
    """Means over everyone known of unrolled ``people`` (T, B, N, ...), by the names of `LossWeights`.

    ``K`` (T, B, 3, 3). Betas are those of the first frame, since no update changes them.
    """
    about = points_about_pelvis(people.rotations, people.betas, body)
    points_px = project_safely(about + people.pelvis_cam[..., None, :], K[:, :, None, None])
    miss_px = (points_px - truth.points_px).abs().sum(-1) / truth.size_px[..., None]
    miss_m = (about - truth.about_pelvis).abs().sum(-1).mean(-1)
    turned = (people.rotations - truth.rotations).square().sum((-1, -2)).mean(-1)  # 8 sin^2(angle / 2)
    rho = pixels_per_metre(people.pelvis_cam[..., 2], K[:, :, None])
    betas, unknown = people.betas[0], people.present[0] * (1 - truth.shaped)
    return {
        "points_2d": mean_of(miss_px, truth.pointed),
        "points_3d": mean_of(miss_m, truth.posed),
        "pose": mean_of(turned, truth.posed),
        "depth": mean_of((rho - truth.rho).abs(), truth.placed),
        "betas": mean_of((betas - truth.betas).square().mean(-1), truth.shaped),
        "betas_norm": mean_of(betas.square().sum(-1), unknown),
    }


def heatmap_loss(logits: Tensor, keypoints_px: Tensor, stride: int) -> Tensor:
    """Cross-entropy of heatmaps (F, 17, h, w) of F frames with blobs at the seen keypoints (F, P, 17, 3) of all.

    Cao et al. 2017 take the squared difference of such maps; here they are chances.
    """
    height, width = logits.shape[-2:]
    blobs = heatmaps(keypoints_px, height, width, stride)
    weight = 1 + BLOB_WEIGHT * blobs
    each = binary_cross_entropy_with_logits(logits.float(), blobs, reduction="none")
    return (each * weight).sum() / weight.sum()


def heatmaps(keypoints_px: Tensor, height: int, width: int, stride: int) -> Tensor:
    """Blobs of height 1 at keypoints (F, P, 17, 3) x_px, y_px, seen or not: (F, 17, height, width)."""
    x, y, seen = (keypoints_px / torch.tensor([stride, stride, 1.0], device=keypoints_px.device)).unbind(-1)

    def along(at: Tensor, cells: int) -> Tensor:  # (F, P, 17, cells)
        centres = torch.arange(cells, device=at.device) + 0.5
        return torch.exp(-0.5 * ((at[..., None] - centres) / BLOB_CELLS).square())

    rows, columns = along(y, height) * (seen > 0)[..., None], along(x, width)
    maps = keypoints_px.new_zeros(len(keypoints_px), keypoints_px.shape[2], height, width)
    for person in range(
        keypoints_px.shape[1]
    ):  # one after another: all at once would take P times the memory
        maps = torch.maximum(maps, rows[:, person, :, :, None] * columns[:, person, :, None, :])
    return maps


def weighted(parts: dict[str, Tensor], weights: LossWeights) -> Tensor:
    """The sum that is minimised."""
    return torch.stack([getattr(weights, name) * part for name, part in parts.items()]).sum()


def mean_of(values: Tensor, weights: Tensor) -> Tensor:
    """The mean of values where there are any, else 0."""
    return (values * weights).sum() / weights.sum().clamp_min(1e-6)
