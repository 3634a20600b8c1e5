"""Heatmaps read through windows: equal to sums over all cells, and blobs are found where they are."""

import math

import pytest
import torch

from choros.camera import project
from choros.comotion.config import PRESETS
from choros.comotion.encoder import ImageTokens
from choros.comotion.heatmap_sampling import N_EVIDENCE, NEAR, SPREADS, evidence, peaks, read
from choros.comotion.network import ComotionNetwork
from choros.skeleton import COCO17, JOINT_NAMES, MIRROR_COCO17

STRIDE = 8
ORIGIN = torch.tensor([[0.0, 32], [16, 0]])  # of two frames


def numbers(heatmaps, joints_px, size_px, sharers=None) -> torch.Tensor:
    """(B, N, 17, S, 4)"""
    cell_px = torch.full((len(heatmaps),), float(STRIDE))
    image = ImageTokens(heatmaps, heatmaps, heatmaps, ORIGIN[: len(heatmaps)], cell_px)
    if sharers is not None:
        return read(image, joints_px[:, :, NEAR], size_px, SPREADS, sharers)
    said = evidence(image, joints_px, size_px)
    assert said.shape[-1] == N_EVIDENCE
    return said.unflatten(-1, (17, len(SPREADS), 4))


def by_hand(heatmap, other, origin, places, sizes, who, spread, shared):
    """One keypoint of one of some people through one window, on a board that reaches far beyond the picture."""
    edge = 40
    y, x = torch.meshgrid(
        *((torch.arange(-edge, n + edge) + 0.5) * STRIDE for n in heatmap.shape), indexing="ij"
    )
    cells = torch.stack([x + origin[0], y + origin[1]], -1)
    claim_px = (0.12 * sizes).clamp_min(0.6 * STRIDE)
    away = (cells[:, :, None] - places).norm(dim=-1) / claim_px
    claims = (-away.square() / 2).exp() + 1e-3
    size = float(sizes[who])
    at = (cells - places[who]) / size
    wide = max(spread * size, 0.6 * STRIDE) / size
    window = (-at.square().sum(-1) / (2 * wide**2)).exp()
    seen = torch.zeros_like(window)
    seen[edge:-edge, edge:-edge] = heatmap.exp() * 2 * heatmap.exp() / (heatmap.exp() + other.exp())
    if shared:
        seen *= claims[..., who] / claims.sum(-1)
    logits = torch.nn.functional.pad(heatmap, [edge] * 4)
    nothing = torch.full_like(window, math.exp(-5))
    mass = (window * (seen + nothing)).sum()
    way = (window[..., None] * (seen[..., None] * at)).sum((0, 1)) / mass
    variance = (window * (seen + nothing) * at.square().sum(-1)).sum() / mass - way.square().sum()
    height = (window * (seen * logits - 5 * nothing)).sum() / mass / 8
    return torch.stack([*way, variance.clamp_min(1e-4).sqrt(), height])


@pytest.mark.parametrize("shared", [False, True])
def test_equal_to_sums_over_all_cells(shared):
    generator = torch.Generator().manual_seed(0)
    heatmaps = 2 * torch.randn(2, 17, 9, 12, generator=generator)
    joints = ORIGIN[:, None, None] + torch.rand(2, 3, 24, 2, generator=generator) * torch.tensor([96.0, 72])
    sizes = torch.rand(2, 3, generator=generator) * 60 + 20
    said = numbers(heatmaps, joints, sizes, torch.ones(2, 3, dtype=torch.bool) if shared else None)
    for b, n, k, s in [(0, 0, 0, 1), (0, 2, 5, 1), (1, 1, 9, 2), (1, 0, 16, 3), (1, 2, 11, 2)]:
        places = joints[b, :, NEAR[k]]
        other = heatmaps[b, MIRROR_COCO17[k]]
        expected = by_hand(heatmaps[b, k], other, ORIGIN[b], places, sizes[b], n, SPREADS[s], shared)
        torch.testing.assert_close(said[b, n, k, s], expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize("shared", [False, True])
def test_finer_cells_are_the_same_picture_in_smaller_px(shared):
    generator = torch.Generator().manual_seed(1)
    heatmaps = 2 * torch.randn(1, 17, 9, 12, generator=generator)
    joints = torch.rand(1, 3, 17, 2, generator=generator) * torch.tensor([96.0, 72])
    sizes = torch.rand(1, 3, generator=generator) * 60 + 20
    sharers = torch.ones(1, 3, dtype=torch.bool) if shared else None
    coarse, fine = (
        read(
            ImageTokens(heatmaps, heatmaps, heatmaps, ORIGIN[:1] * px, torch.tensor([STRIDE * px])),
            (joints + ORIGIN[0]) * px, sizes * px, SPREADS, sharers,
        )
        for px in (1.0, 2 / 3)
    )  # fmt: skip
    torch.testing.assert_close(fine, coarse, atol=1e-4, rtol=1e-4)


def test_a_keypoint_is_for_whom_it_is_near():
    """A blob on one of two people: the other, to whom it would be the nearest, sees nothing, unless alone."""
    heatmaps = torch.full((1, 17, 20, 20), -6.0)
    heatmaps[:, :, 8, 11] = 6.0  # at (92, 68 + 32) px
    places = torch.tensor([[92.0, 100], [62, 100]])
    joints, sizes = places[None, :, None].expand(1, 2, 24, 2), torch.full((1, 2), 60.0)
    both = numbers(heatmaps, joints, sizes, torch.tensor([[True, True]]))[0, :, :, 1]
    alone = numbers(heatmaps, joints, sizes, torch.tensor([[False, True]]))[0, 1, :, 1]
    assert (both[0, :, 3] > 5 / 8).all()
    assert (alone[:, 3] > 4 / 8).all()
    torch.testing.assert_close(alone[:, 0], torch.full((17,), 0.5), atol=0.03, rtol=0)
    assert (both[1, :, 0] < 0.15).all()
    assert (both[1, :, 3] < -3 / 8).all()


def test_two_on_one_person_share_what_there_is():
    heatmaps = torch.full((1, 17, 20, 20), -6.0)
    heatmaps[:, :, 8, 11] = 7.5
    joints, size = torch.tensor([84.0, 104.0]).expand(1, 1, 24, 2), torch.full((1, 1), 60.0)
    alone = numbers(heatmaps, joints, size)
    everyone = torch.ones(1, 2, dtype=torch.bool)
    twice = numbers(heatmaps, joints.expand(1, 2, 24, 2), size.expand(1, 2), everyone)
    torch.testing.assert_close(
        twice[:, :, :, :3], alone.expand(1, 2, -1, -1, -1)[:, :, :, :3], atol=0.02, rtol=0
    )


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
    assert float(nothing[3]) == pytest.approx(-5 / 8, abs=0.04)


def test_sides_are_told_apart():
    """Both ankles light up in both heatmaps, each the brighter in its own: a mean of both would be between them."""
    heatmaps = torch.full((1, 17, 20, 20), -6.0)
    left, right = COCO17.index("left_ankle"), COCO17.index("right_ankle")
    heatmaps[0, left, 10, 6], heatmaps[0, left, 10, 10] = 3.0, 0.0  # centres 32 px apart
    heatmaps[0, right, 10, 6], heatmaps[0, right, 10, 10] = 0.0, 3.0
    between = torch.tensor([68.0, 32 + 84.0]).expand(1, 1, 24, 2)
    said = numbers(heatmaps, between, torch.tensor([[100.0]]))[0, 0, :, 2]
    assert float(said[left, 0]) == pytest.approx(-0.16, abs=0.01)
    assert float(said[right, 0]) == pytest.approx(0.16, abs=0.01)
    # Where neither map says more, both say as much as one alone.
    heatmaps[0, right] = heatmaps[0, left]
    same = numbers(heatmaps, between, torch.tensor([[100.0]]))[0, 0, [left, right], 2]
    heatmaps[0, COCO17.index("nose")] = heatmaps[0, left]
    alone = numbers(heatmaps, between, torch.tensor([[100.0]]))[0, 0, COCO17.index("nose"), 2]
    torch.testing.assert_close(same, alone.expand(2, 4))


def test_nobody_is_drawn_to_nothing_or_back_into_the_picture():
    heatmaps = torch.full((1, 17, 12, 12), -7.0)
    heatmaps[..., 0] = 3.0  # the left edge is full of keypoints
    for x_px, most in ((-300.0, 1e-3), (300.0, 1e-3), (70.0, 0.05)):
        joints = torch.tensor([x_px, 80.0]).expand(1, 1, 24, 2)
        said = numbers(heatmaps, joints, torch.tensor([[30.0]]))[0, 0]
        assert said[:, :3, :2].abs().max() < most
        torch.testing.assert_close(said[:, :2, 3], torch.full((17, 2), -5 / 8), atol=0.1, rtol=0)


def test_keypoints_are_near_their_joints():
    assert [JOINT_NAMES[j] for j in NEAR[:5]] == ["head"] * 5
    assert [JOINT_NAMES[j] for j in NEAR[5:]] == list(COCO17[5:])


@torch.no_grad()
def test_a_new_network_follows_people_by_their_heatmaps():
    """Before anything is learned the pose stays and the pelvis goes where the trunk's keypoints went."""
    network = ComotionNetwork(PRESETS["small"]).eval()
    last = network.updater.decode_person[-1]
    last.weight.zero_()
    last.bias.zero_()
    K = torch.tensor([[[400.0, 0, 256], [0, 400, 256], [0, 0, 1]]])
    image = network.encode(torch.rand(1, 3, 320, 512, generator=torch.Generator().manual_seed(0)), (0, 96))
    before = network.initialise(image, torch.tensor([[[150.0, 150, 230, 350]]]), K)
    joints_px = project(before.joints_cam(network.body), K[:, None, None])[0, 0, NEAR]
    shift_px = torch.tensor([9.0, -6.0])
    cells = torch.stack(torch.meshgrid(torch.arange(64), torch.arange(40), indexing="xy"), -1) * 8 + 4
    away = (cells + torch.tensor([0, 96]) - (joints_px + shift_px)[:, None, None]).square().sum(-1)
    maps = 12 * torch.exp(-away / (2 * 10.0**2)) - 6
    after = network.update(image._replace(heatmaps=maps[None]), before, K)
    moved_px = project(after.pelvis_cam, K[:, None]) - project(before.pelvis_cam, K[:, None])
    torch.testing.assert_close(moved_px[0, 0], shift_px, atol=1.5, rtol=0)
    torch.testing.assert_close(after.rotations, before.rotations, atol=1e-5, rtol=0)


# --- peaks --------------------------------------------------------------------------------------------


def drawn(places_px, top=0.9, size=(60, 64)) -> ImageTokens:
    """Heatmaps of one frame with a blob of chances at every place (N, 17, 2) px that is a number."""
    y, x = torch.meshgrid(*((torch.arange(n) + 0.5) * STRIDE for n in size), indexing="ij")
    cells = torch.stack([x, y], -1) + ORIGIN[0]
    away_px = (cells - places_px[:, :, None, None]).norm(dim=-1).nan_to_num(1e6)
    chances = (top * (-0.5 * (away_px / STRIDE).square()).exp()).amax(0)
    heatmaps = chances.clamp(1e-4).logit()[None]
    return ImageTokens(heatmaps, heatmaps, heatmaps, ORIGIN[:1], torch.full((1,), float(STRIDE)))


def scattered(n: int, seed=0):
    """Keypoints (n, 17, 2) px of people 160 px tall side by side."""
    g = torch.Generator().manual_seed(seed)
    return (
        torch.tensor([70.0, 240])
        + torch.tensor([110.0, 0]) * torch.arange(n)[:, None, None]
        + torch.cat(
            [60 * torch.rand(n, 17, 1, generator=g) - 30, 160 * torch.rand(n, 17, 1, generator=g) - 80], -1
        )
    )


def test_peaks_are_found_where_they_are_and_not_where_they_are_looked_for():
    true_px, size_px = scattered(3), torch.full((3,), 160.0)
    g = torch.Generator().manual_seed(5)
    at_px = true_px + 8 * torch.randn(true_px.shape, generator=g)
    found = peaks(drawn(true_px), at_px, size_px, 0.25, -2.0)
    seen = found[..., 2] > 0
    assert seen.float().mean() > 0.9
    away_px = (found[..., :2] - true_px).norm(dim=-1)[seen]
    assert away_px.median() < 1
    assert (away_px < 1.5).float().mean() > 0.9  # two of a kind may have run into each other
    assert found[..., 2].max() < 0.91
    assert found[..., 2][seen].median() > 0.75
    # A body a little elsewhere finds the same: nothing of it is in what is found.
    again = peaks(drawn(true_px), at_px + torch.tensor([2.0, -1.5]), size_px, 0.25, -2.0)
    both = seen & (again[..., 2] > 0)
    assert (found == again).all(-1)[both].float().mean() > 0.95


def test_what_is_not_shown_is_nothing():
    true_px = scattered(2)
    shown_px = true_px.clone()
    shown_px[0, 9:] = torch.nan
    found = peaks(drawn(shown_px), true_px, torch.full((2,), 160.0), 0.1, -2.0)
    assert not found[0, 9:].any()
    assert (found[0, :9, 2] > 0).float().mean() > 0.8
    for faint in (0.0, 0.1):  # chances of less than what ``least_logit`` asks for
        assert not peaks(drawn(true_px, faint), true_px, torch.full((2,), 160.0), 0.1, -2.0).any()
    far_px = true_px + torch.tensor([0.0, 10_000])
    assert not peaks(drawn(true_px), far_px, torch.full((2,), 160.0), 0.1, -2.0).any()
    assert peaks(drawn(true_px), true_px[:0], torch.zeros(0), 0.1, -2.0).shape == (0, 17, 3)


def test_a_peak_is_evidence_of_the_nearer_of_two():
    """One shoulder shows, between two people: it is that one's who is nearer for their size."""
    true_px = torch.full((1, 17, 2), 204.0)  # the middle of a cell
    at_px = torch.cat([true_px + torch.tensor([-9.0, 0]), true_px + torch.tensor([11.0, 0])])
    found = peaks(drawn(true_px), at_px, torch.tensor([160.0, 160]), 0.15, -2.0)
    assert (found[0, :, 2] > 0).all()
    assert not found[1].any()
    found = peaks(drawn(true_px), at_px, torch.tensor([100.0, 300]), 0.15, -2.0)
    assert (found[1, :, 2] > 0).all()
    assert not found[0].any()
