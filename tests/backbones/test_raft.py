"""RAFT: the released network's answers for weights made from names, its names, and what its parts say by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from choros.backbones.raft import Correlation, Raft, upsampled
from tests.named_weights import apart, numbers_of

GOLDEN = Path(__file__).parent / "data" / "raft_golden.npz"
LISTED = Path(__file__).parents[3] / "shared" / "facts" / "state_dicts" / "trace_backbones_sd.txt"


def filled():
    """A layer that has two names has the numbers of the first; what running statistics count is as new."""
    network = Raft().eval().requires_grad_(False)
    for name, tensor in network.state_dict().items():
        if "running" not in name and "num_batches" not in name:
            named = name.replace("downsample.1", "norm3")
            tensor.copy_(torch.from_numpy(numbers_of(named, tuple(tensor.shape))))
    return network


@torch.inference_mode()
def test_answers_as_released():
    golden = np.load(GOLDEN)
    rng = np.random.default_rng(10)
    pictures = [torch.from_numpy(rng.uniform(0, 255, (1, 3, 256, 256)).astype(np.float32)) for _ in range(2)]
    flow = filled()(*pictures, iterations=4)
    assert apart(flow.low, golden["flow_low"]) < 1e-4
    assert apart(flow.full[0, :, ::8, ::8], golden["flow"]) < 1e-4


@pytest.mark.skipif(not LISTED.is_file(), reason="the lists of released names are not here")
def test_every_released_name_is_there_and_no_other():
    lines = LISTED.read_text().split("RAFT (large)")[1].splitlines()[1:]
    theirs = dict(line.split(" ", 1) for line in lines if line.strip())
    with torch.device("meta"):
        own = {name: str(tuple(tensor.shape)) for name, tensor in Raft().state_dict().items()}
    assert own == theirs
    assert len(own) == 179


def test_a_place_is_compared_with_itself():
    """Features that are one-hot in their cell: the comparison is 1 there, over the root of their number, else 0."""
    height, width = 16, 24
    features = torch.eye(height * width).reshape(1, height * width, height, width)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    cells = torch.stack([x, y])[None].float()
    compared = Correlation(features, features).around(cells).reshape(4, 9, 9, height, width)
    one = 1 / (height * width) ** 0.5
    assert compared[0, 4, 4].min() == pytest.approx(one, abs=1e-6)
    assert compared[0].sum((0, 1)).max() == pytest.approx(one, abs=1e-5)
    # A place two cells to the right: of the window's axes the first is x.
    beside = Correlation(features, features).around(cells + torch.tensor([2.0, 0])[:, None, None])
    beside = beside.reshape(4, 9, 9, height, width)
    assert beside[0, 2, 4, :, :-2].min() == pytest.approx(one, abs=1e-6)


def test_flow_that_is_the_same_everywhere_stays_so_at_full_size():
    flow = torch.tensor([1.5, -0.5])[None, :, None, None].expand(1, 2, 5, 6)
    full = upsampled(flow, torch.randn(1, 576, 5, 6, generator=torch.Generator().manual_seed(0)))
    inner = full[0, :, 8:-8, 8:-8]  # at the edge there is nothing beyond to be mixed in
    torch.testing.assert_close(inner[0], torch.full_like(inner[0], 12.0))
    torch.testing.assert_close(inner[1], torch.full_like(inner[1], -4.0))


def test_each_pixel_has_weights_of_its_own():
    """Weights that take the cell itself alone, but for one px in each, which takes the right neighbour."""
    flow = torch.arange(12.0).reshape(1, 1, 3, 4).repeat(1, 2, 1, 1)
    logits = torch.full((1, 9, 8, 8, 3, 4), -30.0)
    logits[:, 4] = 30
    logits[:, 4, 2, 5], logits[:, 5, 2, 5] = -30, 30
    full = upsampled(flow, logits.reshape(1, 576, 3, 4))
    assert full[0, 0, 8 + 1, 8 + 5] == 8 * flow[0, 0, 1, 1]
    assert full[0, 0, 8 + 2, 8 + 5] == 8 * flow[0, 0, 1, 2]
