"""CoMotion over clips: gradients through time, places in a batch that stay empty, and that it learns."""

from dataclasses import replace

import numpy as np
import torch

from choros.comotion.network import ComotionNetwork
from choros.training.comotion.batch import batch_of
from choros.training.comotion.losses import weighted
from choros.training.comotion.recipe import LossWeights
from choros.training.comotion.unroll import clip_losses, encode_clip, unroll, unroll_batch
from tests.training.comotion.drawn import (
    TINY,
    drawn_clip,
)


def test_the_gradient_through_time_flows_only_through_hidden():
    """Paper 3: what the first frame is told of later ones comes by the hidden state."""
    network = ComotionNetwork(TINY)
    clip = drawn_clip(1)
    batch = batch_of(
        [encode_clip(network, clip, torch.device("cpu"), network.encoder.trunk)],
        [np.arange(2)],
        np.random.default_rng(0),
        None,
    )
    image = network.encoder.tokens([maps.float() for maps in batch.maps])
    answers = unroll(network, image, batch.boxes_px, batch.present, batch.K)
    assert answers.rotations.shape == (4, 1, 2, 24, 3, 3)
    (answers.pelvis_cam[2].sum() + answers.rotations[2].square().sum()).backward()
    begin = network.initialisation
    assert all(p.grad is None or not p.grad.any() for p in begin.decode_person.parameters())
    assert begin.decode_hidden[3].weight.grad.abs().max() > 0

    network = ComotionNetwork(replace(TINY, hidden_state=False))
    image = network.encoder.tokens([maps.float() for maps in batch.maps])
    answers = unroll(network, image, batch.boxes_px, batch.present, batch.K)
    answers.pelvis_cam[2].sum().backward()
    assert all(p.grad is None or not p.grad.any() for p in network.initialisation.parameters())


def test_padding_changes_no_loss():
    """A clip with fewer people than its neighbour has the losses that it has alone."""
    network = ComotionNetwork(TINY)
    clips = [drawn_clip(1, people=1), replace(drawn_clip(2, people=3), everyone=False)]
    nothing_known = replace(
        clips[1], pointed=0 * clips[1].pointed, posed=clips[1].posed & False, placed=clips[1].placed & False,
        shaped=clips[1].shaped & False,
    )  # fmt: skip
    seen = [
        encode_clip(network, clip, torch.device("cpu"), network.encoder.trunk)
        for clip in (clips[0], nothing_known)
    ]
    rng = np.random.default_rng(0)

    def losses(batch):
        return clip_losses(network, unroll_batch(network, batch), batch)

    alone = losses(batch_of(seen[:1], [np.arange(1)], rng, None))
    both = losses(batch_of(seen, [np.arange(1), np.arange(3)], rng, None))
    for name in alone.keys() - {"betas_norm"}:
        torch.testing.assert_close(alone[name], both[name], rtol=1e-4, atol=1e-6)


def test_it_learns_a_clip_by_heart():
    network = ComotionNetwork(TINY)
    clip = drawn_clip(1, frames=3)
    seen = encode_clip(network, clip, torch.device("cpu"), network.encoder.trunk)
    batch = batch_of([seen], [np.arange(2)], np.random.default_rng(0), None)
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    told = []
    for _ in range(120):
        loss = weighted(clip_losses(network, unroll_batch(network, batch), batch), LossWeights())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        told.append(loss.item())
    assert told[-1] < 0.3 * told[0]


def test_a_still_is_looked_at_once():
    network, looks = ComotionNetwork(TINY), []

    def trunk(images):
        looks.append(len(images))
        return network.encoder.trunk(images)

    trunk.channels, trunk.strides = network.encoder.trunk.channels, network.encoder.trunk.strides
    moving = drawn_clip(1, frames=3)
    still = replace(moving, images=np.repeat(moving.images[:1], 3, 0))
    of_moving, of_still = (encode_clip(network, clip, torch.device("cpu"), trunk) for clip in (moving, still))
    assert looks == [3, 1]
    for moved, same in zip(of_moving.maps, of_still.maps, strict=True):
        assert moved.shape == same.shape
        torch.testing.assert_close(same[2], moved[0], rtol=1e-2, atol=1e-2)  # half precision
