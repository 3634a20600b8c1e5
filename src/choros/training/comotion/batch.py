"""Several clips as one batch of tensors: at most eight people of each, their boxes, K and truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.training.comotion.labelled_clip import LabelledClip
from choros.training.comotion.losses import Targets
from choros.training.comotion.variation import Variation, assumed_focal, detected_boxes, disturbed


class EncodedClip(NamedTuple):
    """A clip whose pictures have been looked at, as far as the trunk is frozen."""

    clip: LabelledClip
    #: Those of the trunk that the network takes, (T, C, h, w) half precision; or the frames, (T, 3, H, W) uint8.
    maps: tuple[Tensor, ...]
    #: x, y of the frames' corner in the square that everything is measured in.
    origin_px: tuple[int, int] = (0, 0)


class Batch(NamedTuple):
    """B clips of T frames with N people; T first, so that a frame of all clips lies together."""

    maps: tuple[Tensor, ...]  # (T * B, ...) as in `EncodedClip`
    origin_px: tuple[int, int]  # likewise, the same for all
    boxes_px: Tensor  # (B, N, 4) xyxy
    present: Tensor  # (B, N) bool
    K: Tensor  # (T, B, 3, 3)
    truth: Targets
    keypoints_px: Tensor  # (F, P, 17, 3) of everyone in those F of the T * B frames where all are labelled
    labelled: Tensor  # (F,) which frames these are

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""

        def moved(part: Tensor) -> Tensor:
            return part.to(device, non_blocking=True)

        return Batch(
            tuple(map(moved, self.maps)), self.origin_px,
            moved(self.boxes_px), moved(self.present), moved(self.K),
            Targets(*map(moved, self.truth)),
            moved(self.keypoints_px), moved(self.labelled),
        )  # fmt: skip


def some_people(clip: LabelledClip, rng: np.random.Generator, most: int) -> NDArray[np.int64]:
    """At most so many of those who are found in a clip's first frame, at random: numbers of people."""
    return rng.permutation(np.flatnonzero(clip.found))[:most]


def batch_of(
    seen: Sequence[EncodedClip],
    who: Sequence[NDArray[np.int64]],  # of each clip, in the order of their slots
    rng: np.random.Generator,
    variation: Variation | None,
) -> Batch:
    """Clips of equal length and shape; nobody is born and nobody dies in them (paper 4).

    Without a variation boxes and K are the labelled ones, and maps are the trunk's.
    """
    clips = [one.clip for one in seen]
    slots = max([1, *map(len, who)])

    def padded(arrays: Sequence[NDArray[Any]], axis: int) -> Tensor:
        """Everyone's arrays with the people along ``axis``, filled up with zeros; clips along it before that."""
        filled = []
        for array, some_of in zip(arrays, who, strict=True):
            some = np.take(array, some_of, axis).astype(np.float32)
            room = [(0, 0)] * some.ndim
            room[axis] = (0, slots - len(some_of))
            filled.append(np.pad(some, room))
        return torch.from_numpy(np.stack(filled, axis))

    if variation is None:
        boxes, cameras = [clip.first_box_px for clip in clips], [clip.K for clip in clips]
    else:
        boxes = [detected_boxes(clip, rng, variation) for clip in clips]
        cameras = [assumed_focal(clip, rng, variation) for clip in clips]
    present = torch.zeros(len(clips), slots, dtype=torch.bool)
    for b, some_of in enumerate(who):
        present[b, : len(some_of)] = True
    per_clip = ("betas", "shaped")
    truth = {
        name: padded([getattr(clip, name) for clip in clips], 0 if name in per_clip else 1)
        for name in Targets._fields
    }
    truth["size_px"] = truth["size_px"].clamp_min(1)
    maps = [torch.stack(of_clips, 1) for of_clips in zip(*(one.maps for one in seen), strict=True)]
    if variation is not None and maps[0].is_floating_point():
        maps = [disturbed(features, rng, variation) for features in maps]
    return Batch(
        tuple(features.flatten(0, 1) for features in maps),
        seen[0].origin_px,
        padded(boxes, 0),
        present,
        torch.from_numpy(np.stack(cameras, 1)),
        Targets(**truth),
        *_everyone(clips),
    )


def _everyone(clips: Sequence[LabelledClip]) -> tuple[Tensor, Tensor]:
    """Keypoints (F, P, 17, 3) of all people in the frames where all are labelled, and which frames (F,) those are."""
    T, most = len(clips[0].keypoints_px), max(clip.keypoints_px.shape[1] for clip in clips)
    full = [b for b, clip in enumerate(clips) if clip.everyone]
    points = np.zeros((T, len(full), most, 17, 3), np.float32)
    for i, b in enumerate(full):
        points[:, i, : clips[b].keypoints_px.shape[1]] = clips[b].keypoints_px
    frames = np.arange(T)[:, None] * len(clips) + np.array(full, np.int64)
    return torch.from_numpy(points).flatten(0, 1), torch.from_numpy(frames.reshape(-1))
