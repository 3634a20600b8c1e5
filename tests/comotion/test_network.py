"""The whole network: sets of people, padding, cameras, gradients, sizes."""

import dataclasses

import pytest
import roma
import torch

from choros import weights
from choros.body import BodyModel
from choros.camera import project
from choros.comotion.config import PRESETS, ComotionConfig
from choros.comotion.encoder import ImageTokens
from choros.comotion.network import ComotionNetwork
from choros.comotion.person_states import PersonStates, standing_rotations
from choros.errors import ChorosError

SMALL = PRESETS["small"]
K = torch.tensor([[[400.0, 0, 48], [0, 400, 48], [0, 0, 1]]])


def lively(config: ComotionConfig = SMALL, seed: int = 0) -> ComotionNetwork:
    """A network whose new weights are large enough for everything to matter in its answers."""
    network = ComotionNetwork(config, seed=seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "decode_person.3.weight" in name or "_out.weight" in name:
                parameter.normal_(std=0.1, generator=generator)
            if "after_attention.3.weight" in name:
                parameter.normal_(std=0.3, generator=generator)
    return network


@pytest.fixture(scope="module")
def network():
    return lively()


@pytest.fixture(scope="module")
def image(network):
    with torch.no_grad():
        return network.encode(torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1)))


def boxes(n: int, seed: int = 2) -> torch.Tensor:  # (1, n, 4) px
    g = torch.Generator().manual_seed(seed)
    low = torch.rand(1, n, 2, generator=g) * 60
    return torch.cat([low, low + 10 + torch.rand(1, n, 2, generator=g) * 30], -1)


def people_of(network: ComotionNetwork, image: ImageTokens, n: int) -> PersonStates:
    with torch.no_grad():
        return network.initialise(image, boxes(n), K)


def test_shapes_and_what_an_update_leaves_alone(network, image):
    with torch.no_grad():
        before = people_of(network, image, 4)
        after = network.update(image, before, K)
    for people in (before, after):
        assert [tuple(part.shape) for part in people] == [
            (1, 4, 24, 3, 3), (1, 4, 10), (1, 4, 3), (1, 4, SMALL.hidden_width), (1, 4),
        ]  # fmt: skip
        eye = torch.eye(3).expand(1, 4, 24, 3, 3)
        torch.testing.assert_close(people.rotations @ people.rotations.mT, eye, atol=1e-5, rtol=0)
        assert people.hidden.abs().max() <= 1
    assert torch.equal(after.betas, before.betas)
    assert (before.pelvis_cam[..., 2] > 0).all()
    assert not torch.equal(after.rotations, before.rotations)


def test_order_of_people_does_not_matter(network, image):
    order = torch.tensor([3, 0, 4, 1, 2])
    with torch.no_grad():
        before = people_of(network, image, 5)
        after = network.update(image, before, K)
        begun = network.initialise(image, boxes(5)[:, order], K)
        permuted = network.update(image, before.chosen(order), K)
    for found, expected in ((begun, before), (permuted, after)):
        for a, b in zip(
            found[:4], expected[:4], strict=True
        ):  # to rounding, which windows of a few px magnify
            torch.testing.assert_close(a, b[:, order], atol=5e-3, rtol=5e-3)


def test_people_do_attend_to_each_other(network, image):
    with torch.no_grad():
        people = people_of(network, image, 2)
        together = network.update(image, people, K)
        alone = network.update(image, people.chosen(torch.tensor([0])), K)
    assert (together.rotations[:, 0] - alone.rotations[:, 0]).abs().max() > 1e-3


def padded(people: PersonStates, rubbish: float) -> PersonStates:
    """The same with three slots of padding, full of rubbish."""
    extra = [torch.full_like(part[:, :1], rubbish).expand(-1, 3, *part.shape[2:]) for part in people[:4]]
    return PersonStates(
        *(torch.cat([part, more], 1) for part, more in zip(people[:4], extra, strict=True)),
        torch.cat([people.present, torch.zeros(1, 3, dtype=torch.bool)], 1),
    )


def test_nothing_leaks_from_padding(network, image):
    with torch.no_grad():
        people = people_of(network, image, 2)
        alone = network.update(image, people, K)
        results = [network.update(image, padded(people, r), K) for r in (0.0, torch.nan, torch.inf, -1e9)]
        present = torch.tensor([[True, True, False, False]])
        begun = [
            network.initialise(image, torch.cat([boxes(2), torch.full((1, 2, 4), r)], 1), K, present)
            for r in (5.0, torch.nan, -torch.inf)
        ]
    for result in results[1:]:
        assert all(torch.equal(a[:, :2], b[:, :2]) for a, b in zip(result, results[0], strict=True))
    for result in begun[1:]:
        assert all(torch.equal(a[:, :2], b[:, :2]) for a, b in zip(result, begun[0], strict=True))
    # Without padding the sums are made in another order: equal to rounding.
    for found, expected in ((results[0], alone), (begun[0], people)):
        for a, b in zip(found[:4], expected[:4], strict=True):
            torch.testing.assert_close(a[:, :2], b, atol=5e-3, rtol=5e-3)
    assert all(part.isfinite().all() for result in results + begun for part in result)


def test_a_frame_without_people(network, image):
    with torch.no_grad():
        nobody = people_of(network, image, 0)
        still_nobody = network.update(image, nobody, K)
        absent = network.initialise(image, boxes(3), K, torch.zeros(1, 3, dtype=torch.bool))
    assert still_nobody.rotations.shape == (1, 0, 24, 3, 3)
    assert all(part.isfinite().all() for part in network.update(image, absent, K))


def test_frames_of_a_batch_know_nothing_of_each_other(network):
    images = torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(3))
    both_K, both_boxes = K.repeat(2, 1, 1), torch.cat([boxes(3), boxes(3, seed=9)])
    present = torch.tensor([[True, True, True], [True, False, True]])
    with torch.no_grad():
        image = network.encode(images)
        begun = network.initialise(image, both_boxes, both_K, present)
        after = network.update(image, begun, both_K)
        for i in range(2):
            alone = network.encode(images[i : i + 1])
            one = network.initialise(alone, both_boxes[i : i + 1], K, present[i : i + 1])
            one = network.update(alone, one, K)
            for a, b in zip(one[:4], after[:4], strict=True):
                torch.testing.assert_close(a[0], b[i], atol=5e-3, rtol=5e-3)


def test_another_camera_begins_on_the_same_pixels(network, image):
    other = torch.tensor([[[900.0, 0, 20], [0, 800, 70], [0, 0, 1]]])
    with torch.no_grad():
        here, there = people_of(network, image, 4), network.initialise(image, boxes(4), other)
    torch.testing.assert_close(
        project(here.pelvis_cam, K[:, None]), project(there.pelvis_cam, other[:, None]), atol=1e-2, rtol=1e-4
    )
    assert torch.equal(here.rotations, there.rotations)


def test_another_camera_moves_people_by_the_same_pixels(network, image):
    # Far enough that a body is flat; nearer, perspective within the body tells cameras apart, as it should.
    people = people_of(network, image, 3)._replace(
        pelvis_cam=torch.tensor([[[0.5, 0.3, 1e4], [-1, 0, 2e4], [0, 0.2, 3e4]]])
    )
    tele, longer = K.clone(), K.clone()
    tele[:, 0, 0] = tele[:, 1, 1] = 4e5
    longer[:, 0, 0] = longer[:, 1, 1] = 8e5
    farther = people._replace(pelvis_cam=people.pelvis_cam * torch.tensor([1.0, 1.0, 2.0]))
    with torch.no_grad():
        here, there = network.update(image, people, tele), network.update(image, farther, longer)
    moved = project(here.pelvis_cam, tele[:, None])
    assert (moved - project(people.pelvis_cam, tele[:, None])).abs().max() > 1
    torch.testing.assert_close(project(there.pelvis_cam, longer[:, None]), moved, atol=0.1, rtol=1e-3)
    torch.testing.assert_close(there.rotations, here.rotations, atol=1e-2, rtol=0)


def test_a_new_network_hardly_minds_one_more_person_far_away():
    network = ComotionNetwork(SMALL).eval()
    with torch.no_grad():
        image = network.encode(torch.rand(1, 3, 96, 96))
        people = people_of(network, image, 3)
        far = people.chosen(torch.tensor([0]))._replace(pelvis_cam=torch.tensor([[[20.0, 0, 60]]]))
        more = people.joined(far)
        alone, together = network.update(image, people, K), network.update(image, more, K)
    seen, seen_with = (project(p.joints_cam(network.body), K[:, None, None]) for p in (alone, together))
    assert (seen - seen_with[:, :3]).abs().max() < 0.5  # px


def test_the_past_is_reached_through_the_hidden_state_only(network):
    image = network.encode(torch.rand(1, 3, 96, 96))
    before = PersonStates(
        *(
            part.detach().requires_grad_() if part.is_floating_point() else part
            for part in people_of(network, image, 2)
        )
    )
    after = network.update(image, before, K)
    loss = after.joints_cam(network.body).square().sum() + after.hidden.sum()
    loss.backward()
    assert before.rotations.grad is None
    assert before.betas.grad is None
    assert before.pelvis_cam.grad is None
    assert before.hidden.grad.abs().sum() > 0
    encoder = network.encoder
    for weight in (encoder.key.weight, encoder.value.weight, next(encoder.trunk.parameters())):
        assert weight.grad.abs().sum() > 0
    network.zero_grad()


def test_every_weight_learns_something():
    network = lively()
    image = network.encode(torch.rand(1, 3, 96, 96))
    people = network.initialise(image, boxes(3), K)
    loss = image.heatmaps.square().mean()
    for _ in range(2):  # the second update is what teaches the first one's hidden state
        loss = loss + people.joints_cam(network.body).square().sum()
        people = network.update(image, people, K)
    loss = loss + people.joints_cam(network.body).square().sum()
    loss.backward()
    idle = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


def test_padding_does_not_spoil_gradients(network):
    image = network.encode(torch.rand(1, 3, 96, 96))
    people = padded(people_of(network, image, 2), torch.nan)
    after = network.update(image, people, K)
    after.joints_cam(network.body)[after.present].sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in network.parameters())
    network.zero_grad()


def test_same_seed_same_weights_and_torchs_own_chance_is_left_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    a, b, c = ComotionNetwork(SMALL), ComotionNetwork(SMALL), ComotionNetwork(SMALL, seed=1)
    assert torch.rand(1) == expected
    state = a.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in b.state_dict().items())
    assert not torch.equal(c.encoder.key.weight, a.encoder.key.weight)
    assert not any(name.startswith("body") for name in state)


def test_without_a_hidden_state():
    network = lively(dataclasses.replace(SMALL, hidden_state=False))
    with torch.no_grad():
        image = network.encode(torch.rand(1, 3, 64, 64))
        people = network.initialise(image, boxes(2), K)
        after = network.update(image, people, K)
    assert people.hidden.shape == after.hidden.shape == (1, 2, 0)
    assert not any("hidden" in name or "memory" in name for name in network.state_dict())
    assert not torch.equal(after.rotations, people.rotations)


def test_begun_by_the_box_alone():
    network = lively(dataclasses.replace(SMALL, learned_initialisation=False))
    assert sum(p.numel() for p in network.initialisation.parameters()) == 0
    with torch.no_grad():
        image = network.encode(torch.rand(1, 3, 64, 64))
        people = network.initialise(image, boxes(2), K)
        after = network.update(image, people, K)
    assert torch.equal(people.rotations[0, 1], standing_rotations())
    centre = (boxes(2)[..., :2] + boxes(2)[..., 2:]) / 2
    torch.testing.assert_close(project(people.pelvis_cam, K[:, None]), centre)
    assert after.hidden.shape == people.hidden.shape == (1, 2, SMALL.hidden_width)


def test_half_precision_keeps_places_whole(network):
    images = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        people = people_of(network, network.encode(images), 3)
        exact = network.update(network.encode(images), people, K)
        with torch.autocast("cpu", torch.bfloat16):
            begun = network.initialise(network.encode(images), boxes(3), K)
            rough = network.update(network.encode(images), people, K)
    assert {part.dtype for part in (*rough[:4], *begun[:4])} == {torch.float32}
    assert (rough.pelvis_cam - exact.pelvis_cam).abs().max() < 0.1 * exact.pelvis_cam.abs().max()
    eye = torch.eye(3).expand_as(rough.rotations)
    torch.testing.assert_close(rough.rotations @ rough.rotations.mT, eye, atol=1e-5, rtol=0)


def test_saved_weights_come_back_in_half_precision(network, image, tmp_path):
    network.save(tmp_path / "w.safetensors", {"licence": "Apache-2.0"})
    back = ComotionNetwork.load(tmp_path / "w.safetensors")
    assert back.config == network.config
    assert not back.training
    for name, tensor in back.state_dict().items():
        torch.testing.assert_close(tensor, network.state_dict()[name], atol=1e-6, rtol=1e-3)
    assert (tmp_path / "w.safetensors").stat().st_size < 25e6


def test_weights_of_another_version_are_named(network, tmp_path):
    other = dataclasses.replace(SMALL, hidden_width=8)
    ComotionNetwork(other).save(tmp_path / "old.safetensors", {})
    tensors, metadata = weights.load(tmp_path / "old.safetensors", "comotion")
    for config in ({**metadata["config"], "tokens": 4}, {**metadata["config"], "gone": 1}):
        weights.save(tmp_path / "old.safetensors", tensors, {**metadata, "config": config})
        with pytest.raises(ChorosError, match=r"old\.safetensors"):
            ComotionNetwork.load(tmp_path / "old.safetensors")


def test_weights_from_before_maps_were_chosen_take_all_of_them_and_others_are_named(network, tmp_path):
    path = tmp_path / "old.safetensors"
    network.save(path, {})
    tensors, metadata = weights.load(path, "comotion")
    before = {name: value for name, value in metadata["config"].items() if name != "maps"}
    weights.save(path, tensors, {**metadata, "config": before})
    assert ComotionNetwork.load(path).config == SMALL
    weights.save(path, tensors, {**metadata, "config": {**before, "maps": [0]}})
    with pytest.raises(ChorosError, match="does not fit this version"):
        ComotionNetwork.load(path)
    of_answers = ComotionNetwork(PRESETS["answers"])
    of_answers.save(path, {})
    assert ComotionNetwork.load(path).config == of_answers.config  # numbers of maps come back, too


def test_large_has_its_size():
    body = BodyModel.load(detail="light").to("meta")
    with torch.device("meta"):
        network = ComotionNetwork(PRESETS["large"], body=body)
    rooms = {name: sum(p.numel() for p in m.parameters()) for name, m in network.named_children()}
    assert rooms == {"body": 0, "encoder": 203_949_073, "initialisation": 64_800_925, "updater": 93_087_891}
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    assert shapes["encoder.key.weight"] == (256, 256 + 34)
    assert shapes["updater.encode_2d.3.weight"] == (24 * 512, 1024)
    assert shapes["updater.rounds.rounds.1.query.weight"] == (256, 512)
    assert shapes["updater.memory.weight_hh"] == (3 * 512, 512)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
def test_all_sizes_are_told_apart_by_numbers_only():
    sizes = {}
    body = BodyModel.load(detail="light").to("meta")
    for name, config in PRESETS.items():
        with torch.device("meta"):
            network = ComotionNetwork(config, body=body)
        sizes[name] = sum(p.numel() for p in network.parameters())
        if name == "small":
            trunk = sum(p.numel() for p in network.encoder.trunk.parameters())
            assert sizes[name] - trunk < 12.5e6  # 25 MB in half precision; the trunk ships by itself
    assert sizes["small"] < sizes["base"] < sizes["large"]


def test_one_training_step_of_large():
    network = ComotionNetwork(dataclasses.replace(PRESETS["large"], image_size_px=128))
    camera = torch.tensor([[[128.0, 0, 64], [0, 128, 64], [0, 0, 1]]])
    image = network.encode(torch.rand(1, 3, 128, 128))
    two = torch.tensor([[[12.0, 15, 50, 115], [65, 20, 105, 125]]])
    people = network.update(image, network.initialise(image, two, camera), camera)
    loss = people.joints_cam(network.body).square().mean()
    loss.backward()
    assert network.encoder.trunk.stem[0].weight.grad.isfinite().all()
    assert network.encoder.trunk.stem[0].weight.grad.abs().sum() > 0
    torch.optim.SGD(network.parameters(), lr=1e-3).step()
    assert all(p.isfinite().all() for p in network.parameters())


class TwoScales(torch.nn.Module):
    """A trunk that somebody else might bring."""

    channels, strides = (8, 16), (8, 16)

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = torch.nn.Conv2d(3, 8, 8, 8), torch.nn.Conv2d(8, 16, 2, 2)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        fine = self.fine(images).relu()
        return [fine, self.coarse(fine)]


def test_a_clip_is_learned_by_heart():
    config = dataclasses.replace(
        SMALL, image_size_px=64, image_width=32, attention_width=32, tokens=4, token_width=32, anchors=(),
        encoder_width=64, hidden_width=32, bands=4,
    )  # fmt: skip
    network = ComotionNetwork(config, trunk=TwoScales())
    g = torch.Generator().manual_seed(0)
    frames = torch.rand(3, 3, 64, 64, generator=g)
    camera = torch.tensor([[[64.0, 0, 32], [0, 64, 32], [0, 0, 1]]])
    at = torch.tensor([[5.0, 10, 30, 60], [30, 5, 60, 50]])
    turns = 0.3 * torch.randn(1, 2, 24, 3, generator=g)
    truth = []
    for t in range(3):  # two people who walk and turn
        pelvis = torch.tensor([[[-0.8, 0.2, 2.5], [0.6, 0.0, 2.8]]]) + 0.1 * t
        rotations = standing_rotations() @ roma.rotvec_to_rotmat(turns * (1 + 0.3 * t))
        people = PersonStates(
            rotations, torch.ones(1, 2, 10), pelvis, torch.empty(1, 2, 0), torch.ones(1, 2).bool()
        )
        truth.append(people.joints_cam(network.body))

    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(60):
        image = network.encode(frames)
        people = network.initialise(image.frames(slice(0, 1)), at[None], camera)
        errors = [(people.joints_cam(network.body) - truth[0]).norm(dim=-1).mean()]
        for t in range(3):
            people = network.update(image.frames(slice(t, t + 1)), people, camera)
            errors.append((people.joints_cam(network.body) - truth[t]).norm(dim=-1).mean())
        optimiser.zero_grad()
        torch.stack(errors).mean().backward()
        optimiser.step()
    assert max(errors) < 0.1  # metres, from 0.6 to 0.8


def test_what_is_known_of_weights_comes_back_as_it_was(tmp_path):
    known = {"system": "comotion", "commit": "9171e33", "licence": "none", "steps": 12, "data": ["a", "1"]}
    weights.save(tmp_path / "w.safetensors", {}, known)
    assert weights.load(tmp_path / "w.safetensors", "comotion")[1] == known
