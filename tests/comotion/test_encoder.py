"""The image encoder: scales meet in the right cells, and tokens say where they are."""

import copy
from dataclasses import replace

import pytest
import torch

from choros.backbones.trunk import TRUNKS, make_trunk
from choros.comotion.attention_prior import N_WHERE
from choros.comotion.config import PRESETS
from choros.comotion.encoder import Fusion, ImageEncoder
from choros.errors import ChorosError


def test_coarse_features_are_laid_out_as_the_paper_says():
    # A.3: "... (c h2 w2) h w -> ... c (h h2) (w w2)", here by hand.
    fusion = Fusion((3, 5), (8, 32), width=2, stride=8)
    fine, coarse = torch.zeros(1, 3, 8, 12), torch.randn(1, 5, 2, 3)
    wide = fusion.projections[1][0](coarse)  # (1, 2 * 4 * 4, 2, 3)
    laid_out = wide.view(1, 2, 4, 4, 2, 3).permute(0, 1, 4, 2, 5, 3).reshape(1, 2, 8, 12)
    torch.testing.assert_close(fusion([fine, coarse]), laid_out + fusion.projections[0](fine))


def test_fine_features_are_gathered_by_a_strided_convolution():
    fusion = Fusion((3, 3), (4, 8), width=2, stride=8)
    assert fusion.projections[0].weight.shape == (2, 3, 2, 2)
    assert fusion.projections[1].weight.shape == (2, 3, 1, 1)
    assert fusion([torch.zeros(1, 3, 8, 12), torch.zeros(1, 3, 4, 6)]).shape == (1, 2, 4, 6)


def test_large_gives_4096_keys_of_four_heads():
    with torch.device("meta"):
        encoder = ImageEncoder(PRESETS["large"])
        image = encoder(torch.empty(1, 3, 512, 512))
    assert image.key.shape == image.value.shape == (1, 4, 4096, 64)
    assert image.heatmaps.shape == (1, 17, 64, 64)
    projections = sum(p.numel() for p in encoder.fusion.parameters()) + 2 * 256
    assert round(projections / 1e6, 2) == 7.38  # of the released network, which fuses in the same way


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return ImageEncoder(PRESETS["small"]).eval()


def test_kept_maps_give_the_same_tokens(encoder):
    images = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        whole, kept = encoder(images), encoder.tokens(encoder.taken(encoder.trunk(images)))
    assert whole.key.shape == (2, 4, 4 * 6, encoder.config.head_width + N_WHERE)
    assert all(torch.equal(a, b) for a, b in zip(whole, kept, strict=True))
    assert torch.equal(whole.frames(slice(1, 2)).key[0], whole.key[1])


def test_cells_are_told_apart_where_the_picture_does_not(encoder):
    maps = [
        torch.zeros(1, c, 96 // s, 96 // s)
        for c, s in zip(encoder.trunk.channels, encoder.trunk.strides, strict=True)
    ]
    with torch.no_grad():
        keys = encoder.tokens(encoder.taken(maps)).key.transpose(1, 2).flatten(2)[0]  # (144, C)
    distance = torch.cdist(keys, keys) + torch.eye(len(keys))
    assert distance.min() > 1e-3


@pytest.mark.filterwarnings(
    "ignore:.*copying from a non-meta parameter"
)  # weights that ship have no place there
def test_trunks_do_as_they_say():
    for name in TRUNKS:
        with torch.device("meta"):
            trunk = make_trunk(name)
            maps = trunk(torch.empty(2, 3, 96, 64))
        expected = [(2, c, 96 // s, 64 // s) for c, s in zip(trunk.channels, trunk.strides, strict=True)]
        assert [tuple(m.shape) for m in maps] == expected
    with pytest.raises(ChorosError, match="resnet"):
        make_trunk("resnet")


def test_a_part_of_the_square_gives_the_cells_of_that_part(encoder):
    """Keys and values of one cell hang on the maps and on where it is in the square, not in the part."""
    strides = encoder.trunk.strides
    whole = [
        torch.rand(1, c, 128 // s, 128 // s) for c, s in zip(encoder.trunk.channels, strides, strict=True)
    ]
    part = [m[..., 32 // s : 96 // s, :] for m, s in zip(whole, strides, strict=True)]
    with torch.no_grad():
        of_whole, of_part = encoder.tokens(encoder.taken(whole)), encoder.tokens(encoder.taken(part), (0, 32))
    rows = slice(8 * 2, 8 * 6)  # of 8 cells
    torch.testing.assert_close(of_part.key, of_whole.key[:, :, rows], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(of_part.value, of_whole.value[:, :, rows], atol=1e-5, rtol=1e-5)


def test_a_finer_picture_has_more_cells_in_the_same_places(encoder):
    """Twice as fine is what a network of twice the square sees, told in px of the square."""
    strides = encoder.trunk.strides
    maps = [torch.rand(1, c, 128 // s, 64 // s) for c, s in zip(encoder.trunk.channels, strides, strict=True)]
    of_twice_the_square = copy.copy(encoder)
    side_px = 2 * encoder.config.image_size_px
    of_twice_the_square.config = replace(encoder.config, image_size_px=side_px)
    maps = encoder.taken(maps)
    with torch.no_grad():
        finer, larger = encoder.tokens(maps, (8, 16), 2.0), of_twice_the_square.tokens(maps, (16, 32))
    assert finer.cell_px.tolist() == [encoder.config.stride / 2]
    assert finer.origin_px.tolist() == [[8, 16]]
    torch.testing.assert_close(finer.key, larger.key, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(finer.value, larger.value, atol=1e-5, rtol=1e-5)


def test_a_network_takes_some_of_the_maps_and_sees_nothing_of_the_others():
    config = replace(PRESETS["small"], maps=[0, 2])
    assert config.maps == (0, 2)  # a list, where it was read from JSON
    encoder = ImageEncoder(config).eval()
    every = [
        torch.rand(1, c, 64 // s, 64 // s)
        for c, s in zip(encoder.trunk.channels, encoder.trunk.strides, strict=True)
    ]
    taken = encoder.taken(every)
    assert [id(features) for features in taken] == [id(every[0]), id(every[2])]
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(
            encoder(images).key, encoder.tokens([encoder.trunk(images)[i] for i in (0, 2)]).key
        )
    assert ImageEncoder(replace(config, maps=())).maps == (0, 1, 2, 3, 4)  # all of them, as in the paper
    with pytest.raises(ValueError, match="of a trunk that has 5"):
        ImageEncoder(replace(config, maps=(0, 5)))
