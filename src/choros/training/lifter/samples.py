"""Pictures of what the lifter makes of keypoints: what goes in, the truth, and its likeliest body."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.gauss_newton import Points
from choros.body.hypotheses import Hypotheses
from choros.mesh.colours import colour_of
from choros.motion import ROW
from choros.rotation import rotmat_to_rotvec
from choros.training.lifter.batch import Batch
from choros.training.sheets import ANSWER, TRUTH
from choros.view.marks import skeleton
from choros.view.overlay import Overlay, OverlayStyle

_PEOPLE, _SIZE_PX, _PAPER = 8, 200, (232, 234, 238)
_ROOM = 1.5  # of a picture, to the extent of the keypoints in it

Floats = NDArray[np.float64]


class Answers(NamedTuple):
    """The likeliest body of everyone in every frame, in the camera's axes."""

    rotations: NDArray[np.floating[Any]]  # (B, T, 24, 3, 3)
    betas: Floats  # (B, T, 10)
    pelvis_cam: Floats  # (B, T, 3) metres


def likeliest(found: Hypotheses) -> Answers:
    """Of each person and frame the hypothesis of the greatest chance."""
    best = found.log_chance.argmax(-1)[..., None]
    rotations = torch.take_along_dim(found.rotations, best[..., None, None, None], -4).squeeze(-4)
    pelvis = torch.take_along_dim(found.pelvis_cam, best[..., None], -2).squeeze(-2)
    return Answers(*(part.double().numpy() for part in (rotations, found.betas, pelvis)))


def lifted_pictures(seen: Batch, answers: Answers, points: Points) -> list[NDArray[np.uint8]]:
    """Of the first people's last frames: the keypoints that were reported, the true body, and the answer."""
    overlay = Overlay(
        BodyModel.load(detail="light"), _SIZE_PX, _SIZE_PX, OverlayStyle(opacity=1.0, labels=False)
    )
    pictures = []
    for person in range(min(_PEOPLE, len(seen.betas))):
        K = _K_around(seen.true_keypoints[person, -1])
        paper = np.full((_SIZE_PX, _SIZE_PX, 3), _PAPER, np.uint8)
        reported = seen.keypoints[person, -1].copy()
        reported[:, :2] = reported[:, :2] @ K[:2, :2].T + K[:2, 2]
        drawn = paper.copy()
        skeleton(drawn, reported.astype(np.float32), colour_of(TRUTH))
        pictures.append(drawn)
        truth = Answers(seen.rotations[person, -1], seen.betas[person], seen.joints_cam[person, -1, 0])
        answer = Answers(*(part[person, -1] for part in answers))
        for who, body in ((TRUTH, truth), (ANSWER, answer)):
            pictures.append(overlay.draw(paper, _row(who, body, points), K))
    return pictures


def _row(who: int, body: Answers, points: Points) -> NDArray[np.void]:
    """One body, its arrays without (B, T), as (1,) ``motion.ROW``."""
    row, betas = np.zeros(1, ROW), body.betas.astype(np.float64)
    rotvec = rotmat_to_rotvec(body.rotations.astype(np.float64))
    row["global_orient"], row["body_pose"], row["betas"] = rotvec[0], rotvec[1:].reshape(69), betas
    row["transl"] = body.pelvis_cam - points.shaped(betas[None])[0][0, 0]
    row["person"], row["confidence"], row["visible"] = who, 1, True
    return row


def _K_around(plane: Floats) -> NDArray[np.float64]:
    """Intrinsics of a small picture around keypoints (17, 2) on the plane z = 1."""
    low, high = plane.min(0), plane.max(0)
    focal = _SIZE_PX / (_ROOM * max(float((high - low).max()), 1e-3))
    cx, cy = _SIZE_PX / 2 - focal * (low + high) / 2
    return np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1.0]])
