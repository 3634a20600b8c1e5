"""The deformable convolution: a slow twin, torchvision's operation, and what it is without offsets."""

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d

from choros.layers.deformable import deform_conv2d, plain_deform_conv2d


def problem(batch=2, channels=6, n_out=4, groups=3, kernel=3, size=(5, 7), dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, channels, *size, generator=generator, dtype=dtype)
    offsets = 3 * torch.randn(
        batch, groups * 2 * kernel**2, *size, generator=generator, dtype=dtype
    )  # many of them beyond the edge
    return x, offsets, torch.randn(n_out, channels, kernel, kernel, generator=generator, dtype=dtype)


def looked_up(plane, y, x):
    """Bilinear, zero outside, by its four cells."""
    total = 0.0
    for row in (int(np.floor(y)), int(np.floor(y)) + 1):
        for column in (int(np.floor(x)), int(np.floor(x)) + 1):
            if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
                total += plane[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


def slow(x, offsets, weight):
    """The definition (Dai et al. 2017, equation 2), a number at a time."""
    batch, channels, height, width = x.shape
    n_out, _, kernel, _ = weight.shape
    groups = offsets.shape[1] // (2 * kernel**2)
    out = np.zeros((batch, n_out, height, width))
    for b, row, column in np.ndindex(batch, height, width):
        for channel, i, j in np.ndindex(channels, kernel, kernel):
            first = 2 * (channel // (channels // groups) * kernel**2 + i * kernel + j)
            to_y, to_x = offsets[b, first : first + 2, row, column]
            y, at = row + i - kernel // 2 + to_y, column + j - kernel // 2 + to_x
            out[b, :, row, column] += weight[:, channel, i, j] * looked_up(x[b, channel], y, at)
    return out


@pytest.mark.parametrize(("groups", "kernel"), [(3, 3), (1, 3), (6, 1), (2, 5)])
def test_equals_its_definition(groups, kernel):
    x, offsets, weight = problem(groups=groups, kernel=kernel)
    said = plain_deform_conv2d(x, offsets, weight)
    expected = slow(*(part.numpy().astype(np.float64) for part in (x, offsets, weight)))
    assert np.abs(said.numpy() - expected).max() < 1e-5 * expected.std()


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_without_offsets_it_is_a_convolution(kernel):
    x, offsets, weight = problem(kernel=kernel)
    said = plain_deform_conv2d(x, torch.zeros_like(offsets), weight)
    torch.testing.assert_close(said, conv2d(x, weight, padding=kernel // 2), atol=1e-5, rtol=1e-5)


def test_the_same_offset_everywhere_moves_the_picture():
    x, offsets, weight = problem(kernel=1, groups=1)
    offsets[:, 0], offsets[:, 1] = 1, -2  # looks one row down and two columns to the left
    said = plain_deform_conv2d(x, offsets, weight)
    torch.testing.assert_close(said[:, :, :-1, 2:], conv2d(x, weight)[:, :, 1:, :-2], atol=1e-5, rtol=1e-5)
    assert not said[:, :, -1].any()
    assert not said[:, :, :, :2].any()


@pytest.mark.parametrize(("size", "groups"), [((20, 24), 8), ((5, 7), 2), ((128, 128), 8)])
def test_equals_torchvision(size, groups):
    """In single precision to its rounding, in double to what nobody would see."""
    theirs = pytest.importorskip("torchvision.ops").deform_conv2d
    for dtype, within in ((torch.float32, 1e-5 if max(size) < 100 else 5e-5), (torch.float64, 1e-12)):
        parts = problem(channels=32, n_out=32, groups=groups, size=size, dtype=dtype)
        leaves = [part.requires_grad_() for part in parts]
        expected, said = theirs(*leaves, padding=1), plain_deform_conv2d(*leaves)
        assert (said - expected).abs().max() < within * expected.std()
        if dtype == torch.float64:
            grads, others = (torch.autograd.grad(y.square().sum(), leaves) for y in (said, expected))
            for grad, other in zip(grads, others, strict=True):
                assert (grad - other).abs().max() < 1e-9 * other.std()


def test_whichever_is_there_is_taken():
    x, offsets, weight = problem()
    torch.testing.assert_close(
        deform_conv2d(x, offsets, weight), plain_deform_conv2d(x, offsets, weight), atol=1e-4, rtol=1e-5
    )
