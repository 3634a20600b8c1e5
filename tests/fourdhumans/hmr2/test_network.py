"""HMR 2.0's network: what its decoder says before and after learning, in what order, and to and from a file."""

import numpy as np
import pytest
import torch

from choros.backbones.vit import VitConfig
from choros.body.standing import standing_rotations
from choros.errors import ChorosError
from choros.fourdhumans.hmr2.config import DecoderConfig, Hmr2Config
from choros.fourdhumans.hmr2.decoder import PoseDecoder
from choros.fourdhumans.hmr2.network import Hmr2Network, normalised
from choros.rotation import rotmat_to_columns

SMALL = DecoderConfig(context_width=24, width=32, layers=2, heads=2, head_width=8, mlp_width=48)
TINY = Hmr2Config(VitConfig(24, 1, 2), SMALL)


def decoder(config=SMALL, seed=0):
    torch.manual_seed(seed)
    return PoseDecoder(config).eval().requires_grad_(False)


def still(config=SMALL):
    """A decoder whose read-outs say nothing yet."""
    made = decoder(config)
    for readout in (made.pose, made.betas, made.camera):
        readout.weight.zero_()
        readout.bias.zero_()
    return made


def test_without_a_word_somebody_stands_in_the_crop():
    found = still()(torch.randn(3, 5, 24))
    torch.testing.assert_close(found.rotations, standing_rotations().expand(3, -1, -1, -1))
    assert not found.betas.any()
    assert found.camera.tolist() == [[pytest.approx(0.9), 0, 0]] * 3


def test_an_answer_is_added_to_the_mean():
    made = still()
    turn = torch.linalg.qr(torch.randn(24, 3, 3))[0]
    turn = turn * torch.linalg.det(turn)[:, None, None]
    made.pose.bias.copy_(rotmat_to_columns(turn).flatten() - made.mean_pose[0])
    made.betas.bias.fill_(2)
    made.camera.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    found = made(torch.randn(1, 5, 24))
    torch.testing.assert_close(found.rotations[0], turn, atol=1e-5, rtol=1e-5)
    assert found.betas.tolist() == [[2] * 10]
    torch.testing.assert_close(found.camera, torch.tensor([[1.0, 0.2, 0.3]]))


def test_rotations_are_rotations():
    R = decoder()(torch.randn(4, 6, 24)).rotations
    torch.testing.assert_close(R @ R.mT, torch.eye(3).expand_as(R), atol=1e-5, rtol=1e-5)
    assert (torch.linalg.det(R) > 0).all()


def test_the_order_of_image_tokens_says_nothing():
    """Where a token lies is told by the encoder's positions alone."""
    made, image = decoder(), torch.randn(1, 7, 24)
    for one, other in zip(made(image), made(image[:, torch.randperm(7)]), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_iterating_needs_to_see_the_estimate():
    with pytest.raises(ValueError, match="iterate with the estimate as query"):
        DecoderConfig(ief_iters=3)
    config = DecoderConfig(**{**SMALL.__dict__, "query": "estimate", "ief_iters": 1})
    once, image = decoder(config), torch.randn(2, 5, 24)
    twice = PoseDecoder(DecoderConfig(**{**config.__dict__, "ief_iters": 2})).eval()
    twice.load_state_dict(once.state_dict())
    first = once(image)
    once.mean_pose.copy_(once.mean_pose)
    again = decoder(config)
    again.mean_betas, again.mean_camera = first.betas[:1].clone(), first.camera[:1].clone()
    # The second pass begins with the first one's answer; its unnormalised columns are the sum of bias and mean.
    with torch.inference_mode():
        told = told_by(once, image[:1])
        again.mean_pose = once.mean_pose + once.pose(told)
        for one, other in zip(twice(image[:1]), again(image[:1]), strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def told_by(made, image):
    """The decoder's token after all layers, when the estimate is the mean."""
    mean = torch.cat([made.mean_pose, made.mean_betas, made.mean_camera], -1)
    x = made.query(mean[:, None]) + made.position
    for layer in made.layers:
        x = layer(x, image)
    return x[:, 0]


def test_crops_are_normalised_and_their_sides_left_out():
    crops = np.zeros((1, 256, 256, 3), np.uint8)
    crops[0, :, 32] = 255  # the first column that is seen
    crops[0, :, 31] = 77
    seen = normalised(crops, 192)
    assert seen.shape == (1, 3, 256, 192)
    torch.testing.assert_close(seen[0, :, 0, 0], torch.tensor([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225]))
    torch.testing.assert_close(
        seen[0, :, 9, 1], torch.tensor([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225])
    )


def test_lower_precision_is_near_and_the_decoder_stays_exact():
    torch.manual_seed(1)
    network, crops = Hmr2Network(TINY).eval(), torch.randn(2, 3, 256, 192)
    with torch.inference_mode():
        exact, rounded = network(crops), network(crops, torch.bfloat16)
    assert rounded.rotations.dtype == torch.float32
    torch.testing.assert_close(rounded.rotations, exact.rotations, atol=2e-2, rtol=0)
    assert not torch.equal(rounded.rotations, exact.rotations)


def test_what_is_saved_loads(tmp_path):
    torch.manual_seed(2)
    network = Hmr2Network(TINY).eval()
    network.save(tmp_path / "a.safetensors", {"licence": "Apache-2.0"})
    again = Hmr2Network.load(tmp_path / "a.safetensors")
    assert again.config == TINY
    crops = torch.randn(1, 3, 256, 192)
    with torch.inference_mode():
        for one, other in zip(again(crops), network(crops), strict=True):
            torch.testing.assert_close(one, other, atol=1e-2, rtol=1e-2)


def test_other_sizes_than_the_files_say_are_refused(tmp_path):
    from choros import weights

    weights.save(tmp_path / "a.safetensors", {"x": torch.zeros(1)}, {"system": "hmr2"})
    with pytest.raises(ChorosError, match=r"does not fit this version of HMR 2\.0"):
        Hmr2Network.load(tmp_path / "a.safetensors")
