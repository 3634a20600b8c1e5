"""A clip as TRACE's small size is trained on it: what the frozen trunk answers, flow, and what is known of everybody.

Pictures are looked at once. What the trunk says of them is kept in half precision, only where the picture is within the
square. The truth is CoMotion's training's (`LabelledClip`), and the camera's path in its first frame's axes beside it.
"""

from __future__ import annotations

import zipfile
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from choros.backbones.trunk import COARSEST_PX, ImageTrunk
from choros.errors import ChorosError
from choros.npz import open_npz
from choros.outputs import atomic_write
from choros.trace.flow import flow_picture, light_flow
from choros.training.comotion.labelled_clip import LabelledClip

Floats = NDArray[np.floating]

#: What labels have of each frame, without pictures.
PER_FRAME = (
    "K", "keypoints_px", "rotations", "about_pelvis", "points_px", "rho", "size_px", "pointed", "posed", "placed",
)  # fmt: skip

#: Of COCO's keypoints that must be seen for somebody's centre to be taught.
LEAST_SEEN = 3


class TraceClip(NamedTuple):
    """T frames in a square; what is unknown is zero, and the masks of ``labels`` say so."""

    labels: LabelledClip  # of the square; without images
    answers: NDArray[
        np.float16
    ]  # (T, 51, h, w) of the trunk, at ``CELL_PX``, of the part that the picture covers
    origin_px: tuple[int, int]  # x, y of that part's corner in the square
    flow: NDArray[np.float16]  # (T, 2, H, W) of `light_flow`, of the whole square; 0 in the first frame
    T_first_camera: NDArray[np.float64]  # (T, 4, 4) from each frame's camera to the first one's, metres
    moves: bool  # ``T_first_camera`` is true; else nothing is known of the camera

    @property
    def shown(self) -> NDArray[np.bool_]:
        """(T, P) who is to be seen."""
        return (self.labels.keypoints_px[..., 2] > 0).sum(-1) >= LEAST_SEEN

    @property
    def pelvis_cam(self) -> Floats:
        """(T, P, 3) metres, camera axes; of those who are ``labels.placed``."""
        K = self.labels.K.astype(np.float64)
        depth = K[:, None, 0, 0] / np.exp(self.labels.rho.astype(np.float64))
        across = (self.labels.points_px[:, :, 0] - K[:, None, :2, 2]) / K[:, None, [0, 1], [0, 1]]
        return np.concatenate([across * depth[..., None], depth[..., None]], -1)


def answered(
    clip: LabelledClip, trunk: ImageTrunk, T_first_camera: Floats | None, map_size: int
) -> TraceClip:
    """A clip of squares, looked at; ``T_first_camera`` (T, 4, 4) None where the camera's path is not known."""
    size = clip.images.shape[1]
    x0, y0, x1, y1 = clip.content_px or (0, 0, size, size)
    if any(side % COARSEST_PX for side in (x0, y0, x1, y1)):
        raise ValueError(f"a part {x0, y0, x1, y1} that is no multiple of {COARSEST_PX} px")
    answers = [
        trunk(torch.from_numpy(image[y0:y1, x0:x1]).permute(2, 0, 1)[None].float() / 255)[0][0].half().numpy()
        for image in clip.images
    ]
    pictures = [flow_picture(image) for image in clip.images]
    flow = np.zeros((len(clip), 2, map_size, map_size), np.float16)
    for t, (before, now) in enumerate(pairwise(pictures), start=1):
        flow[t] = light_flow(before, now, size, map_size)
    path = np.tile(np.eye(4), (len(clip), 1, 1)) if T_first_camera is None else T_first_camera
    labels = replace(clip, images=np.zeros((0, size, size, 3), np.uint8))
    moves = T_first_camera is not None
    return TraceClip(labels, np.stack(answers), (x0, y0), flow, np.asarray(path, np.float64), moves)


def save_clip(path: Path, clip: TraceClip) -> None:
    """Write a clip; the file appears whole or not at all."""
    arrays: dict[str, Any] = {f"labels.{f.name}": getattr(clip.labels, f.name) for f in fields(LabelledClip)}
    arrays |= {name: getattr(clip, name) for name in TraceClip._fields if name != "labels"}
    arrays["labels.content_px"] = np.array(clip.labels.content_px)
    with atomic_write(path) as file:
        np.savez(file, **arrays)


def load_clip(path: Path) -> TraceClip:
    """What `save_clip` wrote. Raises `ChorosError` if it is something else."""
    try:
        with open_npz(path) as stored:
            kept = {name: stored[name] for name in stored.files}
        about: dict[str, Any] = {f.name: kept[f"labels.{f.name}"] for f in fields(LabelledClip)}
        about["content_px"] = tuple(int(side) for side in about["content_px"])
        for name in ("camera_known", "everyone"):
            about[name] = bool(about[name])
        x, y = (int(at) for at in kept["origin_px"])
        return TraceClip(
            LabelledClip(**about), kept["answers"], (x, y), kept["flow"], kept["T_first_camera"], bool(kept["moves"])
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ChorosError(
            f"{path} is no kept clip that can be read ({error}); delete it, and it is made anew."
        ) from error


def some_frames(clip: TraceClip, frames: int, rng: np.random.Generator) -> TraceClip:
    """So many frames in a row of a longer clip, from anywhere in it; the first of them is the world."""
    first = int(rng.integers(len(clip.answers) - frames + 1))
    some = slice(first, first + frames)
    per_frame = {name: getattr(clip.labels, name)[some] for name in PER_FRAME}
    labels = replace(clip.labels, **per_frame)
    flow = clip.flow[some].copy()
    flow[0] = 0
    path = np.linalg.inv(clip.T_first_camera[first]) @ clip.T_first_camera[some]
    return clip._replace(labels=labels, answers=clip.answers[some], flow=flow, T_first_camera=path)
