"""HRNet-W32: timm's numbers, the released names, and the size of what comes out."""

from pathlib import Path

import pytest
import torch

from choros.backbones.hrnet import HrNet
from tests.named_weights import numbers_of

LISTED = Path(__file__).parents[3] / "shared" / "facts" / "state_dicts" / "trace_backbones_sd.txt"


def filled():
    """Numbers by name, kernels with the spread that keeps that of what they are multiplied by."""
    network = HrNet().eval().requires_grad_(False)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and "running" not in name:
            tensor.copy_(torch.from_numpy(numbers_of(name, tuple(tensor.shape))))
    return network


def test_equals_timm():
    timm = pytest.importorskip("timm")
    ours = filled()
    theirs = timm.create_model("hrnet_w32", pretrained=False).eval()
    state, own = theirs.state_dict(), ours.state_dict()
    assert all(state[name].shape == tensor.shape for name, tensor in own.items())
    theirs.load_state_dict({**state, **own})
    images = torch.rand(2, 3, 128, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        x = theirs.act1(theirs.bn1(theirs.conv1(images * 2 - 1)))
        expected = theirs.stages(theirs.act2(theirs.bn2(theirs.conv2(x))))[0]
        (said,) = ours(images)
    assert expected.std() > 0.1
    assert (said - expected).abs().max() < 1e-5 * expected.std()


@pytest.mark.skipif(not LISTED.is_file(), reason="the lists of released names are not here")
def test_every_released_name_is_there_and_no_other():
    lines = LISTED.read_text().split("# RAFT (large)")[0].splitlines()
    theirs = dict(line.split(" ", 1) for line in lines if line.strip() and not line.startswith("#"))
    with torch.device("meta"):
        own = {name: str(tuple(tensor.shape)) for name, tensor in HrNet().state_dict().items()}
    assert own == theirs


def test_it_has_the_published_size():
    with torch.device("meta"):
        network = HrNet()
        (features,) = network(torch.empty(1, 3, 512, 512))
    assert features.shape == (1, 32, 128, 128)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(28.5, abs=0.1)


def test_every_branch_is_heard():
    """A pixel moves features far from it, which the finest branch alone would not see."""
    network, images = filled(), torch.zeros(1, 3, 256, 64)
    with torch.inference_mode():
        before = network(images)[0]
        images[:, :, 0, 0] = 1
        change = (network(images)[0] - before).abs().amax((0, 1))  # (64, 16)
    assert change[0, 0] > 1e-3
    assert change[-1].max() > 0
