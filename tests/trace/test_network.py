"""TRACE's network: frame by frame and as clips, the paper's dimensions, and what each part does by itself."""

from dataclasses import replace

import pytest
import torch

from choros.errors import ChorosError
from choros.trace.config import PRESETS, TraceConfig, depth_scales
from choros.trace.network import TraceNetwork
from choros.trace.propagation import MemoryCell
from choros.trace.regression import STRAIGHT

#: Small in every way, and with all parts.
TINY = TraceConfig(
    image_size_px=64, input_channels=6, map_size=8, depth=4, features=8, width=12, context_levels=1,
    offset_blocks=1, offset_groups=2, world_blocks=2, bird_features=3, bird_width=10, regressor_width=16,
)  # fmt: skip


def stirred(config=TINY, seed=0):
    """A network whose every number matters: none is zero, running statistics are not those of a new one."""
    network = TraceNetwork(config, seed).eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2, generator=generator)
        elif tensor.is_floating_point():
            tensor.add_(torch.randn(tensor.shape, generator=generator) * 0.1)
    return network


def video(config=TINY, batch=2, frames=5, seed=1):
    generator = torch.Generator().manual_seed(seed)
    side = config.image_size_px // config.input_stride
    features = torch.randn(batch, frames, config.input_channels, side, side, generator=generator)
    return features, torch.randn(batch, frames, 2, config.map_size, config.map_size, generator=generator)


def one_by_one(network, features, flow):
    state, told = None, []
    for image, moved in zip(features.unbind(1), flow.unbind(1), strict=True):
        maps, state = network(image, moved, state)
        told.append(maps)
    return told, state


def alike(maps, others):
    for name, part, other in zip(maps._fields, maps, others, strict=True):
        torch.testing.assert_close(part, other, atol=1e-5, rtol=1e-4, msg=name)


@pytest.mark.parametrize("cuts", [(5,), (1, 4), (2, 2, 1), (3, 1, 1)])
@pytest.mark.parametrize("without", [{}, {"memory": False}, {"warp": False}])
@torch.inference_mode()
def test_clips_of_any_length_give_what_frames_give(cuts, without):
    network = stirred(replace(TINY, **without))
    features, flow = video()
    told, last = one_by_one(network, features, flow)
    state, first = None, 0
    for length in cuts:
        now = slice(first, first + length)
        maps, state = network.clip(features[:, now], flow[:, now], state)
        for frame in range(length):
            alike(maps.frames(slice(frame, None, length)), told[first + frame])
        first += length
    torch.testing.assert_close(state.previous, last.previous)
    for layer, other in zip(state.memory, last.memory, strict=True):
        torch.testing.assert_close(layer, other, atol=1e-5, rtol=1e-4)
    assert len(state.memory) == (0 if "memory" in without else 2)


@torch.inference_mode()
def test_the_past_is_told_by_memory_and_by_what_just_moved():
    network, (features, flow) = stirred(), video()
    told, _ = one_by_one(network, features, flow)
    alone, _ = network(features[:, -1], flow[:, -1], None)
    assert (alone.person - told[-1].person).abs().max() > 1e-3
    forgetful = stirred(replace(TINY, memory=False, warp=False))
    told, _ = one_by_one(forgetful, features, flow)
    alone, _ = forgetful(features[:, -1], flow[:, -1], None)
    alike(alone._replace(motion_3d=told[-1].motion_3d), told[-1])


@torch.inference_mode()
def test_a_first_frame_is_as_if_it_had_been_there_before():
    """The memory sees it twice, the warp no difference, and nobody has moved."""
    network, (features, flow) = stirred(), video()
    maps, _ = network(features[:, 0], flow[:, 0], None)
    entered = network.entry(features[:, 0])
    nothing = torch.zeros_like(entered)
    cells = network.propagation.cells
    once = [cells[0](nothing, entered)]
    once.append(cells[1](nothing, once[0]))
    first = cells[0](once[0], entered)
    lasting = cells[1](once[1], first)
    told = entered + lasting + network.propagation.warp(entered, entered)
    alike(
        maps._replace(motion_3d=torch.zeros_like(maps.motion_3d)),
        network.heads(told, flow[:, 0], features[:, 0])._replace(motion_3d=torch.zeros_like(maps.motion_3d)),
    )
    assert not maps.motion_3d.any()
    again, _ = network(features[:, 1], flow[:, 1], _)
    assert again.motion_3d.any()


@torch.inference_mode()
def test_flow_comes_before_features_and_none_is_none():
    """As in the release, whose head's weights have it first."""
    network, (features, flow) = stirred(), video()
    maps, _ = network(features[:, 0], flow[:, 0], None)
    told, _ = network.propagation(network.entry(features[:, 0]), None)
    torch.testing.assert_close(maps.person, network.heads.person(torch.cat([flow[:, 0], told], 1)))
    still, _ = network(features[:, 0], torch.zeros_like(flow[:, 0]), None)
    alike(network(features[:, 0], None, None)[0], still)
    without = stirred(replace(TINY, flow=False))
    alike(without(features[:, 0], flow[:, 0], None)[0], without(features[:, 0], None, None)[0])


def test_a_memory_cell_is_its_equations():
    """A 1x1 picture: convolutions are products with the kernels' middles."""
    cell, hidden, x = MemoryCell(3), torch.randn(1, 3, 1, 1), torch.randn(1, 3, 1, 1)

    def of(gate, first):
        both = torch.cat([first.flatten(), x.flatten()])
        return gate.weight[:, :, 1, 1] @ both + gate.bias

    z, r = of(cell.update, hidden).sigmoid(), of(cell.reset, hidden).sigmoid()
    q = of(cell.candidate, r[:, None, None] * hidden[0]).tanh()
    expected = (1 - z) * hidden.flatten() + z * q
    torch.testing.assert_close(cell(hidden, x).flatten(), expected)


@torch.inference_mode()
def test_centres_in_depth_are_centres_in_the_picture_times_what_is_seen_from_above():
    """A slow twin of the composition, with refinement that adds nothing."""
    network = stirred()
    detection = network.heads.detection
    for block in (detection.refine_centre, detection.refine_camera):
        block.bn2.weight.zero_()
        block.bn2.bias.zero_()
    features = torch.randn(1, 8, 8, 8, generator=torch.Generator().manual_seed(2))
    centre, centre_3d, camera = detection(features)
    maps = detection.front(features)[0]  # (7, 8, 8)
    above = detection.above(features, maps[None])[0]  # (12, 8)
    for z, y, x in [(0, 0, 0), (3, 2, 5), (1, 7, 7)]:
        assert centre_3d[0, z, y, x] == pytest.approx(float(centre[0, y, x] * above[z, x]), abs=1e-6)
        corner = torch.tensor([0, y / 4 - 1, x / 4 - 1])
        expected = corner + maps[1:4, y, x] + torch.tensor([above[4 + z, x], 0, 0])
        torch.testing.assert_close(camera[0, :, z, y, x], expected)


@torch.inference_mode()
def test_a_volume_convolution_is_pytorchs():
    block = stirred().heads.detection.refine_camera
    volume = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(3))
    expected = torch.nn.functional.conv3d(volume, block.conv1.weight, padding=1)
    torch.testing.assert_close(block.conv1(volume), expected, atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_people_are_read_where_they_are():
    network, (features, flow) = stirred(), video()
    maps, _ = network.clip(features, flow, None)
    places, frames = torch.tensor([[1, 2, 3], [3, 7, 0]]), torch.tensor([4, 9])
    samples = network.sample(maps, places, frames)
    torch.testing.assert_close(samples.feature[1, :12], maps.person[9, :, 7, 0])
    torch.testing.assert_close(samples.camera[0], maps.camera_3d[4, :, 1, 2, 3])
    torch.testing.assert_close(samples.motion[1], maps.motion_3d[9, :, 3, 7, 0])
    torch.testing.assert_close(samples.score[0], maps.centre_3d[4, 1, 2, 3])
    people = network.people(maps, places, frames)
    assert people.pose6d.shape == (2, 24, 6)
    assert people.betas.shape == (2, 10)
    torch.testing.assert_close(people.pose6d[:, 22:], torch.tensor(STRAIGHT).expand(2, 2, 6))
    torch.testing.assert_close(people.pose6d[:, 0], network.regressors.rotations(samples.feature)[1])
    torch.testing.assert_close(
        people.world_rotation6d, maps.rotation[frames, :, places[:, 1], places[:, 2]] + people.pose6d[:, 0]
    )
    alone = network.people(maps.frames(slice(9, 10)), places[1:])
    for part, other in zip(people, alone, strict=True):
        torch.testing.assert_close(part[1:], other, atol=1e-5, rtol=1e-4)
    assert len(network.people(maps, places[:0], frames[:0]).betas) == 0


def test_what_the_world_adds_teaches_the_rotation_before_the_camera_nothing():
    network, (features, flow) = TraceNetwork(TINY), video(batch=1, frames=2)
    maps, _ = network.clip(features, flow, None)
    people = network.people(maps, torch.tensor([[1, 2, 3]]))
    people.world_rotation6d.sum().backward()
    assert network.heads.world.rotation[1].weight.grad.abs().max() > 0
    assert network.regressors.rotations.parts[1].weight.grad is None


def test_the_centre_is_not_taught_by_what_is_seen_from_above():
    network, (features, flow) = TraceNetwork(TINY), video(batch=1, frames=1)
    maps, _ = network(features[:, 0], flow[:, 0], None)
    maps.centre_3d.sum().backward()
    grad = network.heads.detection.front[1].weight.grad
    assert not grad[0].any()
    assert grad[4:].abs().max() > 0


def test_paper_scale_has_the_papers_dimensions():
    config = PRESETS["paper"]
    network = TraceNetwork(config).eval()
    count = sum(p.numel() for p in network.parameters()) / 1e6
    assert count == pytest.approx(17.43, abs=0.01)
    features, flow = video(config, batch=1, frames=1)
    assert features.shape == (1, 1, 32, 128, 128)
    with torch.inference_mode():
        maps, state = network(features[:, 0], flow[:, 0], None)
    assert maps.centre.shape == (1, 128, 128)
    assert maps.centre_3d.shape == (1, 64, 128, 128)
    assert maps.camera_3d.shape == maps.motion_3d.shape == (1, 3, 64, 128, 128)
    assert maps.person.shape == (1, 128, 128, 128)
    assert maps.camera_motion.shape == maps.motion.shape == (1, 3, 128, 128)
    assert maps.rotation.shape == (1, 6, 128, 128)
    assert [layer.shape for layer in state.memory] == [(1, 32, 128, 128)] * 2


def test_depths_are_the_releases():
    """4, 50, 6 and 4 of them, to 1, 10, 20 and 100 m; s = 1 / (z tan 25 degrees)."""
    scales = depth_scales(PRESETS["paper"])
    assert len(scales) == 64
    one = 2.1445069
    for index, metres in ((3, 1), (53, 10), (59, 20), (63, 100)):
        assert scales[index] == pytest.approx(one / metres)
    assert scales[0] == pytest.approx(8 - (8 - one) / 4)
    assert (scales[1:] < scales[:-1]).all()
    assert len(depth_scales(replace(TINY, depth=32))) == 32


def test_sizes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="maps of 100 cells from features of 128"):
        TraceConfig(map_size=100)
    with pytest.raises(ValueError, match="30 features in 8 groups"):
        TraceConfig(features=30)


def test_weights_come_back(tmp_path):
    network = stirred()
    network.save(tmp_path / "tiny.safetensors", {"licence": "Apache-2.0"})
    again = TraceNetwork.load(tmp_path / "tiny.safetensors")
    assert again.config == TINY
    assert not again.training
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, atol=2e-3, rtol=1e-3)
    TraceNetwork(replace(TINY, width=10)).save(tmp_path / "other.safetensors", {})
    data = (tmp_path / "other.safetensors").read_bytes().replace(b'\\"width\\": 10', b'\\"width\\": 11')
    (tmp_path / "other.safetensors").write_bytes(data)
    with pytest.raises(ChorosError, match=r"other\.safetensors does not fit this version of TRACE's network"):
        TraceNetwork.load(tmp_path / "other.safetensors")


def test_a_new_network_hangs_on_its_seed_alone():
    before = torch.random.get_rng_state()
    one, same, other = TraceNetwork(TINY, 3), TraceNetwork(TINY, 3), TraceNetwork(TINY, 4)
    assert torch.equal(torch.random.get_rng_state(), before)
    name = "heads.person.0.conv1.weight"
    assert torch.equal(one.state_dict()[name], same.state_dict()[name])
    assert not torch.equal(one.state_dict()[name], other.state_dict()[name])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_training_step_at_paper_scale():
    """Forward and backward of a second frame: every weight that is asked gets a finite gradient."""
    network = TraceNetwork(PRESETS["paper"]).train()
    features, flow = video(PRESETS["paper"], batch=1, frames=2)
    with torch.no_grad():
        state = network.propagation.begin(network.entry(features[:, 0]))
    maps, _ = network(features[:, 1], flow[:, 1], state)
    people = network.people(maps, torch.tensor([[10, 20, 30], [11, 21, 31]]))
    parts = (maps.centre, maps.centre_3d, maps.motion, *people)
    torch.stack([part.square().mean() for part in parts]).sum().backward()
    without = {name for name, p in network.named_parameters() if p.grad is None}
    assert {name.rpartition(".")[0] for name in without} == {"regressors.rotations.parts.0"}
    for name, p in network.named_parameters():
        if name not in without:
            assert p.grad.isfinite().all(), name
    assert network.propagation.warp.offsets.weight.grad.abs().max() > 0
    assert network.propagation.cells[0].update.weight.grad.abs().max() > 0


def test_without_the_memory_a_frame_knows_nothing_of_those_before_the_last():
    """The same weights; of what was before there is left what the warp takes of the last frame alone."""
    whole = stirred(seed=2)
    forgetful = whole.without_memory()
    assert not any(name.startswith("propagation.cells") for name in forgetful.state_dict())
    generator = torch.Generator().manual_seed(3)
    side = TINY.image_size_px // TINY.input_stride
    frames = torch.randn(4, 1, TINY.input_channels, side, side, generator=generator)

    def last(network, first):
        state = None
        with torch.inference_mode():
            for frame in (frames[first], frames[2], frames[3]):
                maps, state = network(frame, None, state)
        return maps.person

    assert torch.equal(last(forgetful, 0), last(forgetful, 1))
    assert not torch.equal(last(whole, 0), last(whole, 1))
