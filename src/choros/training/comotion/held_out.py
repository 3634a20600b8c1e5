"""How a run does on held-out clips while it goes: figures, and pictures with the truth beside the answers.

The held-out clips are unrolled from their true first boxes; numbers are of all later answers, once for people
who are to be seen and once for those who are hidden.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.body import BodyModel
from choros.comotion.network import ComotionNetwork
from choros.comotion.person_states import PersonStates, place_pelvis, project_safely
from choros.motion import ROW
from choros.training.comotion.batch import batch_of, some_people
from choros.training.comotion.labelled_clip import LabelledClip, in_square
from choros.training.comotion.losses import Targets, points_about_pelvis
from choros.training.comotion.unroll import encode_clip, unroll
from choros.training.sheets import write_sheet
from choros.view.overlay import Overlay, OverlayStyle

#: Who shows fewer of the seventeen keypoints than this is hidden.
SEEN_KEYPOINTS = 3


class HeldOut:
    """Held-out clips, and how a network does on them.

    ``clips`` are made as they are first needed, brought to squares of ``size`` px, with at most so many people each;
    pictures go to the ``folder``.
    """

    def __init__(self, clips: Iterator[LabelledClip], folder: Path, size: int, most: int) -> None:
        self.folder, self.size, self.most = folder, size, most
        self.body = BodyModel.load(detail="light")
        self._source = clips
        self._clips: list[LabelledClip] = []

    def sheet(self, step: int) -> Path:
        """Where the pictures of a step are."""
        return self.folder / f"{step:07d}.png"

    def draw(self, network: ComotionNetwork, step: int) -> bool:
        """Pictures of the first clip alone, which is soon made; False if nobody is in it."""
        pictures = [drawn for clip in self._first(1)[:1] for drawn in self._unrolled(network, clip)[1]]
        if pictures:
            write_sheet(self.sheet(step), pictures, 6)
        return bool(pictures)

    def _first(self, count: int | None) -> list[LabelledClip]:
        """So many of the clips at least, all of them with None; each is made once."""
        missing = None if count is None else max(0, count - len(self._clips))
        self._clips += [in_square(clip, self.size) for clip in islice(self._source, missing)]
        return self._clips

    def measure(self, network: ComotionNetwork, step: int) -> dict[str, float]:
        """Means over the clips of `errors`, as ``held_out/...``; pictures of them go to the folder."""
        self._first(None)
        numbers, pictures = [], []
        for clip in self._clips:
            scores, drawn = self._unrolled(network, clip)
            numbers.append(scores)
            pictures += drawn
        write_sheet(self.sheet(step), pictures, 6)
        names = sorted({name for scores in numbers for name in scores})
        return {
            f"held_out/{name}": float(np.mean([scores[name] for scores in numbers if name in scores]))
            for name in names
        }

    @torch.inference_mode()
    def _unrolled(
        self, network: ComotionNetwork, clip: LabelledClip
    ) -> tuple[dict[str, float], list[NDArray[np.uint8]]]:
        device = next(network.parameters()).device
        rng = np.random.default_rng(0)
        who = some_people(clip, rng, self.most)
        batch = batch_of([encode_clip(network, clip, device, network.encoder.trunk)], [who], rng, None)
        on_device = batch.to(device)
        image = network.encoder.tokens([maps.float() for maps in on_device.maps], on_device.origin_px)
        answers = unroll(network, image, on_device.boxes_px, on_device.present, on_device.K)
        later = PersonStates(*(part[1:].cpu() for part in answers))
        seen = (clip.keypoints_px[:, who][..., 2] > 0).sum(-1) >= SEEN_KEYPOINTS
        known = clip.posed[:, who] & clip.placed[:, who]
        truth = true_people(batch.truth, batch.K, batch.present)
        K = clip.K.astype(np.float64)
        drawn = picture(clip.images, truth, later, K, known, ~seen, self.body) if len(who) else []
        return errors(later, batch.truth, batch.K, ~seen, self.body), drawn


def errors(
    people: PersonStates, truth: Targets, K: Tensor, hidden: NDArray[np.bool_], body: BodyModel
) -> dict[str, float]:
    """Of answers (T, 1, N, ...) for one clip: joints in mm about the pelvis, depth, PCK in the image.

    ``hidden`` (T, N) are those not to be seen. PCK is the share of joints within a twentieth of the person's size.
    """
    about = points_about_pelvis(people.rotations, people.betas, body)
    points_px = project_safely(about + people.pelvis_cam[..., None, :], K[:, :, None, None])
    joints_mm = 1000 * (about - truth.about_pelvis)[..., :24, :].norm(dim=-1).mean(-1)
    miss = (points_px - truth.points_px)[..., :24, :].norm(dim=-1) / truth.size_px[..., None]
    right = (miss < 0.05).float().mean(-1)
    known = (truth.posed > 0) & people.present
    out = {}
    for name, group in (("seen", ~hidden), ("hidden", hidden)):
        mask = known[:, 0].cpu().numpy() & group
        if mask.any():
            out[f"mpjpe_{name}_mm"] = float(joints_mm[:, 0].cpu().numpy()[mask].mean())
            out[f"pck_{name}"] = float(right[:, 0].cpu().numpy()[mask].mean())
    return out


def true_people(truth: Targets, K: Tensor, present: Tensor) -> PersonStates:
    """The truth as the network would say it, (T, B, N, ...)."""
    betas = truth.betas.expand(*truth.rho.shape, -1)
    pelvis = place_pelvis(truth.points_px[..., 0, :], truth.rho, K[:, :, None])
    return PersonStates(truth.rotations, betas, pelvis, betas[..., :0], present.expand(*truth.rho.shape))


def rows_of(
    people: PersonStates, number: int, known: NDArray[np.bool_], hidden: NDArray[np.bool_], body: BodyModel
) -> NDArray[np.void]:
    """Frame ``number`` of a clip's people (T, 1, N, ...) as rows; of those ``known`` (N,), ghosts if ``hidden``."""
    one = PersonStates(*(part[number].detach().cpu().float() for part in people))
    params = one.params(body)
    rows = np.zeros(len(known), ROW)
    for name in ("global_orient", "body_pose", "betas", "transl"):
        rows[name] = getattr(params, name)[0].numpy()
    rows["person"], rows["confidence"], rows["visible"] = np.arange(1, len(known) + 1), 1, ~hidden
    return rows[known]


def picture(
    images: NDArray[np.uint8],  # (T, S, S, 3) RGB
    truth: PersonStates,  # (T, 1, N, ...)
    answers: PersonStates,  # (T, 1, N, ...)
    K: NDArray[np.float64],  # (T, 3, 3)
    known: NDArray[np.bool_],  # (T, N)
    hidden: NDArray[np.bool_],  # (T, N)
    body: BodyModel,
) -> list[NDArray[np.uint8]]:
    """First, middle and last frame of a clip with the truth over it, then the same with the answers."""
    T, size = images.shape[:2]
    overlay = Overlay(body, size, size, OverlayStyle(opacity=0.75))
    frames = sorted({0, T // 2, T - 1})
    return [
        overlay.draw(images[t], rows_of(people, t, known[t], hidden[t], body), K[t])
        for people in (truth, answers)
        for t in frames
    ]
