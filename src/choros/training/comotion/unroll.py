"""CoMotion's network over clips as in training (4): look at all frames, begin from boxes, update in every frame."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from choros.backbones.trunk import ImageTrunk
from choros.comotion.alignment import AlignmentConfig
from choros.comotion.encoder import ImageTokens
from choros.comotion.network import ComotionNetwork
from choros.comotion.person_states import PersonStates
from choros.training.comotion.batch import Batch, EncodedClip
from choros.training.comotion.labelled_clip import LabelledClip
from choros.training.comotion.losses import heatmap_loss, people_losses

#: Frames that the trunk looks at together: onnxruntime keeps the memory of the most that it ever saw.
FRAMES_AT_ONCE = 4


def encode_clip(
    network: ComotionNetwork, clip: LabelledClip, device: torch.device, trunk: ImageTrunk | None
) -> EncodedClip:
    """A clip without its pictures, and what the network starts from: maps of the ``trunk`` if it learns nothing."""
    images, origin_px = clip.images, (0, 0)
    if clip.content_px is not None and not network.config.padded:
        x0, y0, x1, y1 = clip.content_px
        images, origin_px = images[:, y0:y1, x0:x1], (x0, y0)
    still = trunk is not None and len(images) > 1 and bool((images == images[:1]).all())
    frames = torch.from_numpy(images[:1] if still else images).permute(0, 3, 1, 2).contiguous().to(device)
    bare = replace(clip, images=clip.images[:0])
    if trunk is None:
        return EncodedClip(bare, (frames,), origin_px)
    maps = network.encoder.taken(trunk_maps(trunk, frames))
    return EncodedClip(bare, tuple(features.expand(len(images), -1, -1, -1) for features in maps), origin_px)


@torch.no_grad()
def trunk_maps(trunk: ImageTrunk, frames: Tensor) -> tuple[Tensor, ...]:
    """The trunk's maps of frames (T, 3, S, S) uint8, (T, C, h, w) each, in half precision for their number."""
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=frames.is_cuda):
        parts = [[maps.half() for maps in trunk(some.float() / 255)] for some in frames.split(FRAMES_AT_ONCE)]
    return tuple(torch.cat(maps) for maps in zip(*parts, strict=True))


def unroll(
    network: ComotionNetwork, image: ImageTokens, boxes_px: Tensor, present: Tensor, K: Tensor
) -> PersonStates:
    """Begin from boxes (B, N, 4) in the first frame, then update in every frame, that one included (paper 4).

    ``image`` of T * B frames, T first; ``K`` (T, B, 3, 3). Gives people of T + 1 answers, (T + 1, B, N, ...). Each
    update begins with its forerunner's answer put on the keypoints, as the tracker does it.
    """
    B = len(boxes_px)
    people = network.initialise(image.frames(slice(B)), boxes_px, K[0], present)
    answers = [people]
    for t in range(len(K)):
        frames = image.frames(slice(t * B, (t + 1) * B))
        people = network.update(frames, people, K[t])
        answers.append(people)
        people = network.align(frames, people, K[t], AlignmentConfig())
    return PersonStates(*(torch.stack(parts) for parts in zip(*answers, strict=True)))


class Unrolled(NamedTuple):
    """What the network makes of a batch of B clips of T frames."""

    people: PersonStates  # (T + 1, B, N, ...): the first frame is answered twice
    heatmaps: Tensor  # (F, 17, h, w) logits, of the frames where everyone is labelled


def unroll_batch(network: ComotionNetwork, batch: Batch) -> Unrolled:
    """Look at all frames of a batch, as far as that was not done when its clips were made, and unroll them."""
    if batch.maps[0].dtype == torch.uint8:
        image = network.encode(batch.maps[0].float() / 255, batch.origin_px)
    else:
        image = network.encoder.tokens([maps.float() for maps in batch.maps], batch.origin_px)
    people = unroll(network, image, batch.boxes_px, batch.present, batch.K)
    return Unrolled(people, image.heatmaps[batch.labelled])


def clip_losses(network: ComotionNetwork, unrolled: Unrolled, batch: Batch) -> dict[str, Tensor]:
    """All losses of a batch, by the names of `LossWeights`."""
    K = torch.cat([batch.K[:1], batch.K])
    parts = people_losses(unrolled.people, K, batch.truth.with_first_twice(), network.body)
    if len(unrolled.heatmaps):
        left, top = batch.origin_px
        shift = torch.tensor([left, top, 0.0], device=unrolled.heatmaps.device)
        points_px = batch.keypoints_px - shift
        parts["heatmaps"] = heatmap_loss(unrolled.heatmaps, points_px, network.config.stride)
    return parts
