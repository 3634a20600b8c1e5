"""No tensor is left behind on another device: networks run on PyTorch's `meta`, which refuses what is elsewhere.

Shapes alone are computed there, so that full sizes cost nothing. What onnxruntime runs (detector, keypoints, trunks
that ship) is not in it, nor what always runs on the CPU: lifter, pose transformer, fits, joining.
"""

import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import choros
from choros.body import BodyModel
from choros.comotion.network import ComotionNetwork
from choros.fourdhumans.hmr2.config import Hmr2Config
from choros.fourdhumans.hmr2.network import Hmr2Network
from choros.trace.config import TraceConfig
from choros.trace.network import TraceNetwork
from tests.tracking.every_system import TINY, Glance

META = torch.device("meta")


def on_meta(*shape):
    return torch.empty(*shape, device=META)


def all_of(answer):
    """Every tensor of an answer, however it is nested."""
    if isinstance(answer, torch.Tensor):
        yield answer
    elif isinstance(answer, list | tuple):
        for part in answer:
            yield from all_of(part)
    elif hasattr(answer, "__dict__"):
        yield from all_of(list(vars(answer).values()))


def assert_on_meta(answer):
    tensors = list(all_of(answer))
    assert tensors
    assert {tensor.device for tensor in tensors} == {META}


@pytest.mark.parametrize("learned", [False, True])
def test_comotion(learned, monkeypatch):
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())  # which does not know this device
    network = ComotionNetwork(
        replace(TINY, learned_initialisation=learned), BodyModel.load(detail="light"), trunk=Glance(), seed=1
    ).to(META)
    encoder = network.encoder
    image = encoder.tokens(encoder.taken([on_meta(1, 8, 8, 8)]))
    K = on_meta(1, 3, 3)
    people = network.initialise(image, on_meta(1, 3, 4), K)
    assert_on_meta(people)
    assert_on_meta(network.update(image, people, K))


def test_trace():
    network = TraceNetwork(TraceConfig()).to(META).eval()
    config = network.config
    side = config.image_size_px // config.input_stride
    features = on_meta(1, config.input_channels, side, side)
    maps, state = network(features, None, None)
    assert_on_meta(maps)
    flow = on_meta(1, 2, config.map_size, config.map_size) if config.flow else None
    assert_on_meta(network(features, flow, state))


def test_hmr2():
    with META:
        network = Hmr2Network(Hmr2Config()).eval()
    encoder = network.config.encoder
    assert_on_meta(network(on_meta(2, 3, encoder.height_px, encoder.width_px)))


def test_a_tensor_that_is_left_behind_is_noticed():
    network = torch.nn.Linear(2, 2).to(META)
    network.offset = torch.zeros(2)  # no buffer, so it stays
    with pytest.raises(RuntimeError, match="device"):
        network(on_meta(1, 2)) @ network.offset


@pytest.mark.slow
def test_the_benchmark_of_gpus_runs_its_path_on_a_cpu():
    script = Path(__file__).parents[1] / "benchmarks" / "gpu.py"
    words = ["--device", "cpu", "--tiny", "--rounds", "1", "--people", "1", "3"]
    environment = os.environ | {"PYTHONPATH": str(Path(choros.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, str(script), *words], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    for network in ("comotion", "hmr2", "trace"):
        assert done.stdout.count(network) == 2
