"""The 27 points of a person that the released networks are told, and how alike two people's are in the picture."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.body import BodyModel, BodyParams
from choros.skeleton import JOINT_NAMES

Floats = NDArray[np.floating]

#: SMPL's joints but for the hands, then nose, right and left eye, right and left ear: COCO's first five, sides changed.
JOINTS, FACE = 22, (0, 2, 1, 4, 3)

#: Of the unit in which the release counts pixels, whatever the size of the picture.
UNIT_PX = 1024
STD, LEAST_SIZE, MOST_SIZE = 0.08, 0.02, 1.0


def _limbs() -> list[tuple[int, int, float]]:
    """Two points and metres between them, as the release has them."""
    at = {name: number for number, name in enumerate(JOINT_NAMES[:JOINTS])}
    nose, eyes = JOINTS, (JOINTS + 1, JOINTS + 2)
    limbs = [(*eyes, 0.07), (at["left_shoulder"], at["right_shoulder"], 0.35)]
    for side in ("left", "right"):
        limbs += [(nose, at[f"{side}_shoulder"], 0.3), (at[f"{side}_shoulder"], at[f"{side}_hip"], 0.55)]
        arm, leg = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")
        for chain, lengths in ((arm, (0.26, 0.25)), (leg, (0.38, 0.40))):
            limbs += [
                (at[f"{side}_{a}"], at[f"{side}_{b}"], length)
                for (a, b), length in zip(pairwise(chain), lengths, strict=True)
            ]
    return limbs


LIMBS = _limbs()


def points_cam(body: BodyModel, params: BodyParams) -> Tensor:
    """The points (..., 27, 3) of people, metres, camera axes."""
    return torch.cat(
        [body.joints(params)[..., :JOINTS, :], body.keypoints(params, "coco17")[..., FACE, :]], -2
    )


def likeness(a_px: Floats, b_px: Floats) -> Floats:
    """How alike the points (n, 27, 2) and (m, 27, 2) px of people are, (n, m) 0 to 1.

    The mean over points of Cauchy's curve of their distance, in sizes of the larger of the two; a size is that of the
    limb which is least foreshortened.
    """
    size = np.maximum(_size(a_px)[:, None], _size(b_px)[None])[..., None]
    apart = np.linalg.norm(a_px[:, None] - b_px[None], axis=-1) / UNIT_PX
    return np.asarray((1 / (1 + (apart / (size * STD)) ** 2)).mean(-1))


def _size(points_px: Floats) -> Floats:
    first, second, lengths = (np.array(part) for part in zip(*LIMBS, strict=True))
    seen = np.linalg.norm(points_px[:, first] - points_px[:, second], axis=-1) / UNIT_PX / lengths
    return np.asarray(np.clip(seen.max(-1, initial=LEAST_SIZE), LEAST_SIZE, MOST_SIZE))


def best_of(points_px: Floats, confidence: Floats, same: float) -> NDArray[np.intp]:
    """Of candidates (m, 27, 2), surest first, those that are not the ``same`` as a surer one."""
    order = np.argsort(-confidence, kind="stable")
    alike = likeness(points_px[order], points_px[order]) > same
    doubled = np.tril(alike, -1).any(-1)
    return np.asarray(order[~doubled])
