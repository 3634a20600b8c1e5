"""Heatmaps read through windows: equal to sums over all cells, and blobs are found where they are."""

import pytest
import torch

from choros.body.skeleton import COCO17, JOINT_NAMES
from choros.comotion.evidence import N_EVIDENCE, NEAR, SPREADS, evidence

STRIDE = 8
ORIGIN = torch.tensor([[0.0, 32], [16, 0]])  # of two frames


def numbers(heatmaps: torch.Tensor, joints_px: torch.Tensor, size_px: torch.Tensor) -> torch.Tensor:
    """(B, N, 17, S, 4)"""
    said = evidence(heatmaps, ORIGIN[: len(heatmaps)], STRIDE, joints_px, size_px)
    assert said.shape[-1] == N_EVIDENCE
    return said.unflatten(-1, (17, len(SPREADS), 4))


def by_hand(heatmap: torch.Tensor, origin: torch.Tensor, joint: torch.Tensor, size: float, spread: float):
    """One keypoint of one person through one window, cell by cell."""
    y, x = torch.meshgrid(*((torch.arange(n) + 0.5) * STRIDE for n in heatmap.shape), indexing="ij")
    at = torch.stack([x + origin[0], y + origin[1]], -1) - joint
    wide = max(spread * size, 0.6 * STRIDE)
    share = (heatmap - at.square().sum(-1) / (2 * wide**2)).flatten().softmax(0).reshape(heatmap.shape)
    way = (share[..., None] * at).sum((0, 1)) / size
    variance = (share * at.square().sum(-1)).sum() / size**2 - way.square().sum()
    return torch.stack([*way, variance.clamp_min(1e-4).sqrt(), (share * heatmap).sum() / 8])


def test_equal_to_sums_over_all_cells():
    generator = torch.Generator().manual_seed(0)
    heatmaps = 2 * torch.randn(2, 17, 9, 12, generator=generator)
    joints = ORIGIN[:, None, None] + torch.rand(2, 3, 24, 2, generator=generator) * torch.tensor([96.0, 72])
    sizes = torch.rand(2, 3, generator=generator) * 60 + 20
    said = numbers(heatmaps, joints, sizes)
    for b, n, k, s in [(0, 0, 0, 0), (0, 2, 5, 1), (1, 1, 9, 2), (1, 0, 16, 3), (1, 2, 11, 1)]:
        expected = by_hand(heatmaps[b, k], ORIGIN[b], joints[b, n, NEAR[k]], float(sizes[b, n]), SPREADS[s])
        torch.testing.assert_close(said[b, n, k, s], expected, atol=2e-3, rtol=1e-3)


def test_a_blob_is_found_from_where_the_joint_was_thought_to_be():
    heatmaps = torch.full((1, 17, 20, 20), -6.0)
    wrist = COCO17.index("left_wrist")
    heatmaps[0, wrist, 8, 11] = 6.0  # the centre at (92, 68 + 32) px
    joints = torch.tensor([92.0 - 15, 100.0 + 10]).expand(1, 1, 24, 2)
    way_x, way_y, spread, peak = numbers(heatmaps, joints, torch.tensor([[60.0]]))[0, 0, wrist, 2]
    assert (float(way_x), float(way_y)) == pytest.approx((15 / 60, -10 / 60), abs=5e-3)
    assert float(spread) < 0.1
    assert float(peak) == pytest.approx(6 / 8, abs=0.02)
    nothing = numbers(heatmaps, joints, torch.tensor([[60.0]]))[0, 0, COCO17.index("right_wrist"), 2]
    assert float(nothing[3]) == pytest.approx(-6 / 8, abs=1e-3)


def test_far_outside_the_picture_all_is_finite():
    heatmaps = torch.randn(1, 17, 6, 6, generator=torch.Generator().manual_seed(1))
    joints = torch.tensor([[-5000.0, 9000.0]]).expand(1, 1, 24, 2)
    assert numbers(heatmaps, joints, torch.tensor([[1.0]])).isfinite().all()


def test_keypoints_are_near_their_joints():
    assert [JOINT_NAMES[j] for j in NEAR[:5]] == ["head"] * 5
    assert [JOINT_NAMES[j] for j in NEAR[5:]] == list(COCO17[5:])
