"""HMR 2.0 as a pose engine: everyone of a frame at once, in order, however they are batched."""

import numpy as np
import pytest
import torch

from choros.backbones.vit import VitConfig
from choros.body import BodyModel
from choros.camera import intrinsics
from choros.detection import Detections
from choros.fourdhumans.hmr2 import engine as engine_module
from choros.fourdhumans.hmr2.config import DecoderConfig, Hmr2Config
from choros.fourdhumans.hmr2.engine import Hmr2Engine
from choros.fourdhumans.hmr2.network import Hmr2Network

K = intrinsics(640, 360)
IMAGE = np.random.default_rng(3).integers(0, 255, (360, 640, 3), np.uint8)


def people(n):
    rng = np.random.default_rng(1)
    corner, size = rng.uniform(0, 300, (n, 2)), rng.uniform(60, 200, (n, 2))
    boxes = np.concatenate([corner, corner + size], -1).astype(np.float32)
    return Detections(boxes, np.ones(n, np.float32), np.zeros((n, 17, 3), np.float32))


@pytest.fixture(scope="module")
def engine():
    torch.manual_seed(0)
    config = Hmr2Config(VitConfig(24, 2, 2), DecoderConfig(24, 32, 1, 2, 8, 32))
    return Hmr2Engine(Hmr2Network(config), BodyModel.load(detail="light"))


def test_everyone_is_answered_alike_alone_and_among_others(engine, monkeypatch):
    together = engine.pose(IMAGE, people(5), K)
    assert together.rotations.shape == (5, 24, 3, 3)
    monkeypatch.setattr(engine_module, "BATCH", 2)
    apart = engine.pose(IMAGE, people(5), K)
    alone = engine.pose(IMAGE, people(5)[np.array([3])], K)
    for whole, part, one in zip(together, apart, alone, strict=True):
        np.testing.assert_allclose(part, whole, atol=2e-4, rtol=1e-4)
        np.testing.assert_allclose(one[0], whole[3], atol=2e-4, rtol=1e-4)


def test_nobody_is_nobody(engine):
    found = engine.pose(IMAGE, people(0), K)
    assert [part.shape for part in found] == [(0, 24, 3, 3), (0, 10), (0, 3), (0, 24, 3)]


def test_another_K_moves_people_and_not_what_is_seen_of_them(engine):
    near, far = (engine.pose(IMAGE, people(3), intrinsics(640, 360, focal_px=f)) for f in (1_500, 15_000))
    np.testing.assert_allclose(near.betas, far.betas)
    np.testing.assert_allclose(near.rotations[:, 1:], far.rotations[:, 1:])
    np.testing.assert_allclose(far.transl[:, 2] / near.transl[:, 2], 10, rtol=0.06)
