"""Attention through windows: it is the Gaussian it claims to be, and tells where it looked."""

from dataclasses import replace

import pytest
import torch

from choros.comotion.attention_prior import (
    N_WHERE,
    SPREADS,
    Anchors,
    AttentionWindows,
    anchors_of,
    whereabouts,
)
from choros.comotion.config import PRESETS, ComotionConfig
from choros.comotion.decoder import DecoderLayer
from choros.comotion.encoder import ImageTokens
from choros.layers.positions import cell_centres
from choros.skeleton import JOINT_NAMES

CONFIG = replace(PRESETS["small"], image_size_px=64, attention_stride=8)
HEADS = CONFIG.attention_width // CONFIG.head_width


def centres_px() -> torch.Tensor:  # (64, 2) of the 8 x 8 cells
    at = (torch.arange(8) + 0.5) * 8
    return torch.stack([at.repeat(8), at.repeat_interleave(8)], -1)


def anchors(points_px: list[float], size_px: float = 32.0) -> Anchors:
    points = torch.tensor(points_px).expand(1, 1, CONFIG.tokens, 2)
    return Anchors(points, torch.tensor([[size_px]]))


def looked(windows: AttentionWindows, at: Anchors, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention (heads, M, cells) by scalar products alone, and what `seen` makes of its means."""
    cells = whereabouts(cell_centres(8, 8, 8, 64, tokens))
    weights = (windows(tokens, at) @ cells.T).softmax(-1)
    return weights[0], windows.seen(weights @ cells, at)


@torch.no_grad()
def test_a_window_is_a_gaussian_about_the_anchor():
    torch.manual_seed(0)
    windows = AttentionWindows(CONFIG)
    windows.aim.weight.zero_()
    weights, _ = looked(windows, anchors([30.0, 41.0]), torch.zeros(1, 1, CONFIG.tokens, CONFIG.token_width))
    away = (centres_px() - torch.tensor([30.0, 41.0])).square().sum(-1)
    for head in range(HEADS):
        spread_px = max(SPREADS[head] * 32.0, 0.6 * 8)
        expected = (-away / (2 * spread_px**2)).softmax(-1)
        torch.testing.assert_close(weights[head], expected.expand(CONFIG.tokens, -1), atol=1e-5, rtol=1e-3)


@torch.no_grad()
def test_what_was_seen_is_told_in_the_persons_size():
    """A single cell that content picks out is a third of the person's size right of and above the anchor."""
    windows = AttentionWindows(CONFIG)
    cells = whereabouts(cell_centres(8, 8, 8, 64, torch.zeros(1)))
    target = 8 * 2 + 5  # the centre at (44, 20) px
    at = anchors([44.0 - 8, 20.0 + 8], size_px=24.0)
    mean = cells[target].expand(1, HEADS, CONFIG.tokens, N_WHERE)
    way_x, way_y, spread_x, spread_y = windows.seen(mean, at).unflatten(-1, (HEADS, 4))[0, 0, 0]
    torch.testing.assert_close(torch.stack([way_x, way_y]), torch.tensor([8.0, -8.0]) / 24)
    assert max(spread_x, spread_y) < 64 * 1.1e-2 / 24  # the least that is told


@torch.no_grad()
def test_moving_anchors_and_picture_together_changes_nothing_that_is_seen():
    """Far from the edges and with narrow windows only the person's surroundings count."""
    torch.manual_seed(1)
    windows = AttentionWindows(CONFIG)
    tokens = torch.randn(1, 1, CONFIG.tokens, CONFIG.token_width)
    windows.aim.bias.view(HEADS, 4)[:, 2:] = torch.tensor(SPREADS[0]).log()
    windows.aim.weight.mul_(0.1)
    _, here = looked(windows, anchors([24.0, 32.0]), tokens)
    _, there = looked(windows, anchors([40.0, 32.0]), tokens)
    torch.testing.assert_close(here, there, atol=2e-3, rtol=0)


@torch.no_grad()
def test_content_counts_beside_place():
    """Of two cells as far from the anchor the one is seen whose key answers the query."""
    torch.manual_seed(2)
    one = DecoderLayer(CONFIG)
    tokens = torch.randn(1, 1, CONFIG.tokens, CONFIG.token_width)
    assert one.windows is not None
    one.windows.aim.weight.zero_()
    cells = whereabouts(cell_centres(8, 8, 8, 64, tokens))
    key = torch.zeros(1, HEADS, 64, CONFIG.head_width)
    query = one.query(one.norm(tokens)).unflatten(-1, (HEADS, -1))[0, 0, 0]  # of the first token
    left, right = 8 * 4 + 2, 8 * 4 + 5  # (20, 36) and (44, 36) px
    key[0, :, right] = 30 * query
    beside = cells.expand(1, HEADS, -1, -1)
    both = torch.cat([key, beside], -1)
    image = ImageTokens(both, both, key, torch.zeros(1, 2), torch.full((1,), 8.0))
    seen = one.attend(one.norm(tokens), image, anchors([32.0, 36.0]))
    way = seen[0, 0, -HEADS * N_WHERE :].unflatten(-1, (HEADS, 4))
    assert (way[:, 0] > 0).all()
    assert way[-1, 0] == pytest.approx(12 / 32, abs=0.05)  # the widest window follows the key
    assert left != right


def test_anchors_are_the_named_joints():
    joints_px = torch.arange(24.0)[:, None].expand(1, 2, 24, 2)
    chosen = anchors_of(joints_px, torch.ones(1, 2), CONFIG).points_px
    assert [JOINT_NAMES[int(i)] for i in chosen[0, 0, :, 0]] == list(CONFIG.anchors)


def test_as_many_anchors_as_tokens():
    with pytest.raises(ValueError, match="2 anchors for 24 tokens"):
        ComotionConfig(anchors=("pelvis", "head"))
