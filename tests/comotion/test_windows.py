"""Attention through windows: it is the Gaussian it claims to be, follows heatmaps, and tells where it looked."""

from dataclasses import replace

import pytest
import torch

from choros.body.skeleton import COCO17, JOINT_NAMES
from choros.comotion.config import PRESETS, ComotionConfig
from choros.comotion.encoder import ImageTokens
from choros.comotion.rounds import Round
from choros.comotion.windows import N_WHERE, SPREADS, Anchors, Windows, anchors_of, beside, n_beside
from choros.layers.positions import cell_centres

CONFIG = replace(PRESETS["small"], image_size_px=64, stride=8)
HEADS = CONFIG.attention_width // CONFIG.head_width
CENTRES = cell_centres(8, 8, 8, 64, torch.zeros(1))
KNEE = CONFIG.anchors.index("left_knee")


def cells(**heatmaps: torch.Tensor) -> torch.Tensor:  # (1, 64, n_beside)
    """What is beside the keys of 8 x 8 cells with these heatmaps (64,), and zeros in the others."""
    maps = torch.zeros(1, 64, 17)
    for name, values in heatmaps.items():
        maps[..., COCO17.index(name)] = values
    return beside(maps, CENTRES, CONFIG)


def at(x_px: float, y_px: float, size_px: float = 32.0) -> Anchors:
    points = torch.tensor([x_px, y_px]).expand(1, 1, CONFIG.tokens, 2)
    return Anchors(points, torch.tensor([[size_px]]))


def looked(
    windows: Windows, anchors: Anchors, tokens: torch.Tensor, keys: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Attention (heads, M, 64) by what is beside keys alone, and what `seen` makes of its means.

    That is the heatmaps (M, heads, 17), the way (M, heads, 2) and the spread (M, heads, 2).
    """
    weights = (windows(tokens, anchors) @ keys[:, None].mT).softmax(-1)
    seen = windows.seen(weights @ keys[:, None], anchors)[0]
    heatmaps, way, spread = seen.unflatten(-1, (HEADS, -1)).split([17, 2, 2], -1)
    return weights[0], heatmaps, way, spread


NO_TOKENS = torch.zeros(1, 1, CONFIG.tokens, CONFIG.token_width)


@torch.no_grad()
def test_a_window_is_a_gaussian_about_the_anchor():
    windows = Windows(CONFIG)
    weights, *_ = looked(windows, at(30.0, 41.0), NO_TOKENS, cells())
    away_px = (CENTRES * 64 - torch.tensor([30.0, 41.0])).square().sum(-1)
    for head in range(HEADS):
        spread_px = max(SPREADS[head] * 32.0, 0.6 * 8)
        expected = (-away_px / (2 * spread_px**2)).softmax(-1)
        torch.testing.assert_close(weights[head], expected.expand(CONFIG.tokens, -1), atol=1e-5, rtol=1e-3)


@torch.no_grad()
def test_new_tokens_find_their_own_joint():
    """The left knee is seen where its heatmap is high, a third of the person's size away, and nobody else's is."""
    windows = Windows(CONFIG)
    blob = torch.full((64,), -6.0)
    blob[8 * 3 + 5] = 6.0  # the centre at (44, 28) px
    _, heatmaps, way, spread = looked(windows, at(44.0 - 8, 28.0 + 8, 24.0), NO_TOKENS, cells(left_knee=blob))
    widest = SPREADS.index(max(SPREADS))
    torch.testing.assert_close(way[KNEE, widest], torch.tensor([8.0, -8.0]) / 24, atol=5e-3, rtol=0)
    assert heatmaps[KNEE, widest, COCO17.index("left_knee")] > 5.8
    assert spread[KNEE, widest].max() < 0.1
    others = [token for token in range(CONFIG.tokens) if token != KNEE]
    assert (way[others, widest].norm(dim=-1) < 0.2).all()


@torch.no_grad()
def test_moving_anchors_and_picture_together_changes_nothing_that_is_seen():
    """Far from the edges and with narrow windows only the person's surroundings count."""
    torch.manual_seed(1)
    windows = Windows(CONFIG)
    tokens = torch.randn(1, 1, CONFIG.tokens, CONFIG.token_width)
    windows.aim.bias.view(HEADS, 4)[:, 2:] = torch.tensor(SPREADS[0]).log()
    windows.aim.weight.mul_(0.1)
    picture = torch.randn(8, 8)
    here = looked(windows, at(24.0, 32.0), tokens, cells(left_knee=picture.flatten()))
    there = looked(windows, at(32.0, 32.0), tokens, cells(left_knee=picture.roll(1, 1).flatten()))
    for one, other in zip(here[1:], there[1:], strict=True):
        torch.testing.assert_close(one, other, atol=5e-3, rtol=0)


@torch.no_grad()
def test_content_counts_beside_place():
    """Of two cells as far from the anchor the one is seen whose key answers the query."""
    torch.manual_seed(2)
    one = Round(CONFIG)
    tokens = torch.randn(1, 1, CONFIG.tokens, CONFIG.token_width)
    key = torch.zeros(1, HEADS, 64, CONFIG.head_width)
    query = one.query(one.norm(tokens)).unflatten(-1, (HEADS, -1))[0, 0, 0]  # of the first token
    key[0, :, 8 * 4 + 5] = 30 * query  # the centre at (44, 36) px
    more = cells()[:, None].expand(-1, HEADS, -1, -1)
    image = ImageTokens(torch.cat([key, more], -1), torch.cat([key, more], -1), key)
    seen = one.look(one.norm(tokens), image, at(32.0, 36.0))
    way = seen[0, 0, CONFIG.attention_width :].unflatten(-1, (HEADS, -1))[..., 17]
    assert (way > 0).all()
    assert way[-1] == pytest.approx(12 / 32, abs=0.05)  # the widest window follows the key


def test_keys_are_of_an_even_width():
    assert (CONFIG.head_width + n_beside(CONFIG)) % 8 == 0
    assert n_beside(CONFIG) >= CONFIG.n_keypoints + N_WHERE


def test_anchors_are_the_named_joints():
    joints_px = torch.arange(24.0)[:, None].expand(1, 2, 24, 2)
    chosen = anchors_of(joints_px, torch.ones(1, 2), CONFIG).points_px
    assert [JOINT_NAMES[int(i)] for i in chosen[0, 0, :, 0]] == list(CONFIG.anchors)


def test_as_many_anchors_as_tokens():
    with pytest.raises(ValueError, match="2 anchors for 24 tokens"):
        ComotionConfig(anchors=("pelvis", "head"))
