"""The released TRACE as a system, with its files made up: who stands where its numbers say, in whatever camera."""

import numpy as np
import pytest
import torch

from choros.body import BodyModel
from choros.devices import Device
from choros.errors import ChorosError
from choros.rotation import interleaved_to_rotmat
from choros.run_identity import sha256_of
from choros.trace import backbone_encoder
from choros.trace.backbone_encoder import PaddedSquare
from choros.trace.cameras import transl_of
from choros.trace.config import TraceConfig
from choros.trace.memory import MemoryRules
from choros.trace.network import TraceNetwork
from choros.trace.options import TraceOptions
from choros.trace.people import HIPS, seen_people
from choros.trace.released import HEAD, IMAGE_BACKBONE, MOTION_BACKBONE
from choros.trace.system import as_released, make
from choros.trace.tracker import TrackerConfig
from tests.trace.released_files import write_head, write_image_backbone, write_motion_backbone

K = np.array([[400.0, 0, 150], [0, 420, 110], [0, 0, 1]])
CPU = Device()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("TRACE_models")
    for write in (write_head, write_image_backbone, write_motion_backbone):
        write(folder)
    return folder


@pytest.mark.parametrize("by_hips", [False, True])
@torch.inference_mode()
def test_people_are_placed_by_what_the_network_places(by_hips):
    """The pelvis; of the release the middle of the hips, where 2D data sets have them."""
    config = TraceConfig(
        image_size_px=64, input_channels=8, map_size=16, depth=4, features=8, width=12, placed_by_hips=by_hips
    )
    network, body = TraceNetwork(config).eval(), BodyModel.load(detail="light")
    maps, _ = network(torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(0)), None, None)
    places, lies = torch.tensor([[1, 8, 8], [2, 3, 12]]), PaddedSquare(300, 200, 64)
    answers = network.people(maps, places)
    image = np.zeros((200, 300, 3), np.uint8)
    people = seen_people(network, maps, places, K, lies, body, MemoryRules(), image)
    there = transl_of(answers.camera, torch.from_numpy(lies.K(K)).float(), config).numpy()
    rotations = interleaved_to_rotmat(answers.pose6d)
    np.testing.assert_allclose(people.rotations, rotations.numpy(), atol=1e-5)
    _, keypoints = body.about_pelvis(rotations, answers.betas, body.skinned_points())
    placed = people.pelvis + (keypoints[:, HIPS].mean(1).numpy() if by_hips else 0)
    np.testing.assert_allclose(placed, there, atol=1e-4 * np.abs(there).max())
    assert keypoints[:, HIPS].mean(1).abs().max() > 0.01
    assert not people.keypoints_px.any()
    at = people.pelvis @ K.T
    at_px = at[:, :2] / at[:, 2:]
    assert (at_px > people.boxes_px[:, :2]).all()
    assert (at_px < people.boxes_px[:, 2:]).all()


def test_heights_of_centres_are_the_releases():
    rules = as_released(TrackerConfig())
    assert (rules.centres.window, rules.least_height) == (5, 0.18)
    assert (rules.life.first_score, rules.life.birth_score) == (0.3, 0.8)
    assert rules.life.lost_s == TrackerConfig().life.lost_s


def test_a_body_of_ones_own_is_asked_for_and_eight_bits_are_refused(folder):
    with pytest.raises(ChorosError, match=r"give your own SMPL file \(\.pkl or \.npz\) with it, or \"open\""):
        make(TraceOptions(weights_path=folder), device=CPU, threads=1)
    with pytest.raises(ChorosError, match="no features in eight bits; leave out --fast"):
        make(TraceOptions(weights_path=folder / HEAD, body_path="open", fast=True), device=CPU, threads=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_video_through_the_released_files(folder, monkeypatch):
    """Two pictures: every part is asked, and what the run was is told by the bytes of all files."""
    monkeypatch.setattr(backbone_encoder, "FLOW_ITERATIONS", 1)
    system = make(TraceOptions(weights_path=folder, body_path="open"), device=CPU, threads=1)
    told = system.identity()
    assert told["weights"]["sha256"] == {
        name: sha256_of(folder / name) for name in (HEAD, IMAGE_BACKBONE, MOTION_BACKBONE)
    }
    stream, rng = system.stream(K), np.random.default_rng(0)
    results = [stream.update(rng.integers(0, 255, (200, 300, 3), np.uint8), i / 10) for i in range(2)]
    for result in results:
        assert np.isfinite(result.rows["transl"]).all()
        assert np.isfinite(result.rows["box_px"]).all()
