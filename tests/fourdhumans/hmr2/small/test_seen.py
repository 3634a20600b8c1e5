"""Tokens of the small HMR 2.0: maps are sampled where keypoints are."""

import numpy as np
import torch

from choros.fourdhumans.hmr2.small.config import CROP, LIMBS, N_FEATURES, N_HEATMAPS, N_POINTS
from choros.fourdhumans.hmr2.small.seen import CropEyes, sampled, with_limbs
from choros.skeleton import COCO17


def test_a_map_of_places_is_read_at_places():
    """Each cell of two maps holds its middle; what is read between them is the point itself, whatever the stride."""
    maps = []
    for side in (48, 12):
        middles = (torch.arange(side) + 0.5) / side
        maps.append(torch.stack(torch.meshgrid(middles, middles, indexing="xy"))[None])
    shares = torch.tensor([[[0.25, 0.6], [0.5, 0.5], [0.8, 0.1]]])
    found = sampled(maps, shares)
    torch.testing.assert_close(found[..., :2], shares, atol=1e-6, rtol=0)
    torch.testing.assert_close(found[..., 2:], shares, atol=1e-6, rtol=0)


def test_a_known_heatmap_peaks_in_its_keypoints_column():
    heatmaps = torch.zeros(1, 17, 48, 48)
    heatmaps[0, 9, 30, 12] = 1.0
    shares = torch.full((1, 17, 2), 0.1)
    shares[0, 9] = torch.tensor([12.5, 30.5]) / 48
    found = sampled([heatmaps], shares)[0]
    assert found[9].tolist() == [float(name == 9) for name in range(17)]
    assert found.sum() == 1


def test_outside_of_a_map_is_nothing():
    found = sampled([torch.ones(1, 3, 6, 6)], torch.tensor([[[-0.5, 0.5], [0.5, 0.5], [0.5, 1.4]]]))
    assert found[0, :, 0].tolist() == [0, 1, 0]


def test_limbs_are_looked_at_in_their_middle():
    points = torch.arange(34.0).reshape(1, 17, 2)
    every = with_limbs(points)
    assert every.shape == (1, N_POINTS, 2)
    forearm = LIMBS.index((COCO17.index("left_elbow"), COCO17.index("left_wrist")))
    assert every[0, 17 + forearm].tolist() == [16.0, 17.0]  # between (14, 15) and (18, 19)


def test_eyes_see_each_crop_by_itself_and_nothing_outside():
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 255, (2, *CROP.size_px, 3), np.uint8)
    points = torch.from_numpy(rng.uniform(10, 180, (2, 17, 2)))
    points[0, 3] = torch.tensor([-5.0, 20.0])
    eyes = CropEyes()
    features, seen = eyes(crops, points)
    assert features.shape == (2, N_POINTS, N_FEATURES)
    assert seen[0].tolist() == [i != 3 for i in range(N_POINTS)]
    alone, _ = eyes(crops[1:], points[1:])
    torch.testing.assert_close(alone[0], features[1], atol=1e-3, rtol=1e-3)
    assert N_HEATMAPS == 17
