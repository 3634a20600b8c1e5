"""Maps as TRACE should say them: kernels of the release in closed form."""

import numpy as np
import pytest

from choros.trace.config import PRESETS, TraceConfig, depth_scales
from choros.training.trace.targets import CentreKernels, centre_map, centre_volume, depth_indices

PAPER, KERNELS = TraceConfig(), CentreKernels()


def test_a_centre_is_one_and_falls_as_a_bell():
    heat = centre_map(np.array([[40, 60]]), np.array([[0.6, 0.8]]), PAPER, KERNELS)
    radius = int(8 * 0.5 + 4)
    sigma = (2 * radius + 1) / 6
    assert heat[40, 60] == 1
    assert heat[43, 64] == pytest.approx(np.exp(-25 / (2 * sigma**2)), rel=1e-5)
    assert heat[40 + radius + 1, 60] == 0
    assert (heat > 0).sum() == (2 * radius + 1) ** 2


def test_where_people_meet_the_higher_counts():
    both = centre_map(np.array([[20, 20], [20, 24]]), np.full((2, 2), 0.5), PAPER, KERNELS)
    each = [
        centre_map(np.array([cell]), np.full((1, 2), 0.5), PAPER, KERNELS) for cell in ([20, 20], [20, 24])
    ]
    assert both == pytest.approx(np.maximum(*each))


def test_depths_are_the_nearest_scales():
    scales = depth_scales(PAPER)
    assert depth_indices(scales[[0, 10, 63]] + 1e-6, PAPER).tolist() == [0, 10, 63]
    assert depth_indices(np.array([100.0, 0.0]), PAPER).tolist() == [0, 63]


@pytest.mark.parametrize(("depth", "deep"), [(10, 5), (40, 7)])
def test_a_volume_is_one_at_people_and_ends_where_its_kernel_does(depth, deep):
    volume = centre_volume(np.array([[depth, 50, 60]]), PAPER, KERNELS)
    assert volume[depth, 50, 60] == 1
    width = 2 * int(8 * (1 - depth / 64) / 2 + 4) + 1
    spread = (2 * width**2 + deep**2) / 36
    assert volume[depth + 1, 50, 62] == pytest.approx(np.exp(-5 / spread), rel=1e-5)
    assert volume[depth, 50, 60 + width // 2] > 0
    assert volume[depth, 50, 60 + width // 2 + 1] == 0
    assert volume[depth + deep // 2 + 1, 50, 60] == 0


def test_smaller_maps_have_smaller_kernels_and_edges_cut_them():
    small = PRESETS["small"]
    heat = centre_map(np.array([[0, small.map_size - 1]]), np.array([[1.0, 0.5]]), small, KERNELS)
    assert heat[0, -1] == 1
    assert 1 < (heat > 0).sum() <= 16
    volume = centre_volume(np.array([[0, 0, 0]]), small, KERNELS)
    assert volume.shape == (small.depth, small.map_size, small.map_size)
    assert volume[0, 0, 0] == 1
