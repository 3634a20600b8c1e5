"""TRACE's losses (supplement 2.1, 2.3; definitions as in the published training code, with its mistakes mended).

Mended: Procrustes alignment tells points from axes by their names and not by a length of 3, which batches of two or
three people have too; pairs of rotations are taken up to the quaternions' sign, and only where both are known.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: Of predicted heights in logarithms.
LEAST = 1e-3
#: Nearer points have no place in a picture that anything could be learned of, metres.
NEAR_M = 0.2


def focal_centre(predicted: Tensor, truth: Tensor) -> Tensor:
    """The focal loss of 2D centre maps (F, H, W), mean over maps; one that is far off is held back (release)."""
    each = _focal(predicted, truth).sum((-1, -2)) / truth.eq(1).sum((-1, -2)).clamp_min(1)
    much = 0.8
    held = each.detach().clamp_min(much) / much
    return (each / 4 ** (held.log() / torch.tensor(4.0).log()).ceil()).mean()


def focal_volume(predicted: Tensor, truth: Tensor) -> Tensor:
    """That of 3D maps (F, D, H, W): the mean over depths, by the number of people in all of them (release)."""
    total = _focal(predicted, truth).sum((-1, -2)).mean(-1)
    return (total / truth.eq(1).sum((-1, -2, -3)).clamp_min(1)).mean()


def _focal(predicted: Tensor, truth: Tensor) -> Tensor:
    """Of each cell; predicted heights are not bounded, since maps have no sigmoid (release)."""
    chance = predicted.clamp(LEAST, 1 - LEAST)
    # Beyond the bounds the slope is kept, else a map that begins there would stay there.
    chance = chance + (predicted - predicted.detach()) * ((predicted < LEAST) | (predicted > 1 - LEAST))
    safe = chance.clamp_min(LEAST * 0.1)
    rest = (1 - chance).clamp_min(LEAST * 0.1)
    person = -safe.log() * rest.square()
    nobody = -rest.log() * safe.square() * (1 - truth) ** 4
    return torch.where(truth.eq(1), person, nobody)


def mean_of(each: Tensor, known: Tensor) -> Tensor:
    """The mean of some of ``each``, weighted by ``known`` of the same shape; 0 of none."""
    return (each * known).sum() / known.sum().clamp_min(1e-6)


def joints_error(predicted: Tensor, truth: Tensor) -> Tensor:
    """MPJPE (N,) of joints (N, J, 3) about the middle of the hips, SMPL's joints 1 and 2."""
    ours, theirs = (joints - joints[:, [1, 2]].mean(1, keepdim=True) for joints in (predicted, truth))
    return (ours - theirs).norm(dim=-1).mean(-1)


def aligned_error(predicted: Tensor, truth: Tensor) -> Tensor:
    """MPJPE (N,) of joints (N, J, 3) after the best similarity, which is not learned through."""
    return (procrustes_aligned(predicted, truth) - truth).norm(dim=-1).mean(-1)


def procrustes_aligned(points: Tensor, onto: Tensor) -> Tensor:
    """``points`` (N, J, 3) after the similarity that brings each of the N nearest to ``onto``, by squares.

    Raises `ValueError` for other shapes. The published helper took a batch whose first length is 2 or 3 for transposed.
    """
    if points.shape != onto.shape or points.dim() != 3 or points.shape[-1] != 3:
        raise ValueError(f"points {tuple(points.shape)} and {tuple(onto.shape)}, not (N, J, 3) both")
    with torch.no_grad():
        ours, theirs = (some - some.mean(1, keepdim=True) for some in (points, onto))
        U, spread, Vt = torch.linalg.svd(ours.mT @ theirs)
        sign = torch.ones_like(spread)
        sign[:, 2] = torch.linalg.det(U @ Vt).sign()
        R = U @ (sign[..., None] * Vt)
        scale = (spread * sign).sum(-1) / ours.square().sum((-1, -2)).clamp_min(1e-9)
    shifted = points - points.mean(1, keepdim=True)
    return scale[:, None, None] * shifted @ R + onto.mean(1, keepdim=True)


def rotation_difference(predicted: Tensor, truth: Tensor) -> Tensor:
    """Frobenius norm (...) of the difference of rotation matrices (..., 3, 3)."""
    return ((predicted - truth).square().sum((-1, -2)) + 1e-8).sqrt()


def relative_turn_error(predicted: Tensor, truth: Tensor, pairs: Tensor) -> Tensor:
    """Angles (M,), rad, between the turns of ``pairs`` (2, M) of rotations (N, 3, 3), predicted and true.

    The angle is that of the shorter way, which is what |dot| of quaternions is.
    """
    i, j = pairs
    turn, true = predicted[i].mT @ predicted[j], truth[i].mT @ truth[j]
    half_sine = ((turn - true).square().sum((-1, -2)) / 8).clamp(1e-10, 1 - 1e-6).sqrt()
    return 2 * torch.asin(half_sine)


def path_error(predicted: Tensor, truth: Tensor, track: Tensor, pairs: Tensor, metric: bool) -> Tensor:
    """Errors (M,) of the ways between ``pairs`` (2, M) of places (N, 3), of people in their ``track`` (N,).

    Unless it is ``metric``, each track's predicted path is first given the scale that is best for it, at most 10
    (release): scale is then not learned. Ways are by their true length only where that is metres.
    """
    i, j = pairs
    ways, true = predicted[i] - predicted[j], truth[i] - truth[j]
    if not metric:
        ways = ways * _best_scales(predicted.detach(), truth, track)[i][:, None]
    return (ways - true).norm(dim=-1)


def shape_drift(betas: Tensor, track: Tensor) -> Tensor:
    """How far betas (N, 10) are from the mean of their ``track`` (N,), which is not learned through, (N,)."""
    same = (track[:, None] == track).to(betas)
    mean = same @ betas.detach() / same.sum(-1, keepdim=True)
    return ((betas - mean).square().sum(-1) + 1e-12).sqrt()


def points_in_view(points: Tensor, K: Tensor, half_px: float) -> Tensor:
    """Where points (N, J, 3) m before a camera are in its square, (N, J, 2), -1 to 1; ``K`` (N, 3, 3).

    What is nearer than `NEAR_M`, or behind the camera, is where it would be at that depth.
    """
    depth = points[..., 2:].clamp_min(NEAR_M)
    focal, middle = K[:, None, [0, 1], [0, 1]], K[:, None, :2, 2]
    return (points[..., :2] / depth * focal + middle) / half_px - 1


def _best_scales(predicted: Tensor, truth: Tensor, track: Tensor) -> Tensor:
    """The scale (N,) that brings each track's path nearest to the true one, about their means (Umeyama)."""
    scales = torch.ones(len(track), dtype=predicted.dtype, device=predicted.device)
    for one in track.unique():
        mine = track == one
        ours, theirs = (some[mine] - some[mine].mean(0) for some in (predicted, truth))
        spread = torch.linalg.svdvals(ours.T @ theirs).sum()
        # Release: the truth's variance by what both share. It is 1 where the paths are the same.
        scales[mine] = (theirs.square().sum() / spread.clamp_min(1e-9)).clamp(max=10.0)
    return scales
