"""How well the small HMR 2.0 does on people it did not learn from, seen and with its eyes shut."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.body.before import Before
from choros.body.gauss_newton import Floats, Points, PosePrior, float64
from choros.body.hypotheses import Hypotheses, PersonView, person_view
from choros.body.kinematics import posed_joints
from choros.body.likely import LiftConfig, Sight, likeliest
from choros.evaluation.metrics.pose import pa_mpjpe_mm
from choros.fourdhumans.hmr2.small.network import SmallHmr2
from choros.training.fourdhumans.small.kept import Seen

#: People that are looked at together.
_BATCH = 256
#: Errors in the picture are divided by so many times the longer side of the true keypoints' extent.
_BOX_ROOM = 1.25


class Fitted(NamedTuple):
    """Bodies on their keypoints."""

    joints_cam: Floats  # (n, 24, 3) metres
    keypoints: Floats  # (n, 17, 2) on the plane z = 1


def view_of(seen: Seen) -> PersonView:
    """The keypoints of people as the network takes them."""
    keypoints = torch.from_numpy(seen.keypoints)
    n = len(keypoints)
    return person_view(keypoints, torch.eye(3).expand(n, 3, 3), torch.zeros(n))


@torch.no_grad()
def told(network: SmallHmr2, seen: Seen, blind: bool = False) -> tuple[PersonView, Hypotheses]:
    """What a network says of people; ``blind`` of their keypoints alone."""
    view, parts = view_of(seen), []
    for start in range(0, seen.people, _BATCH):
        some = slice(start, start + _BATCH)
        shown = torch.from_numpy(seen.shown[some])
        features = torch.from_numpy(seen.features[some]).float()
        some_view = PersonView(*(part[some] for part in view))
        parts.append(network(some_view, features, shown & (not blind))[0])
    return view, Hypotheses(*(torch.cat(part) for part in zip(*parts, strict=True)))


def fitted(view: PersonView, found: Hypotheses, seen: Seen, points: Points, prior: PosePrior) -> Fitted:
    """The bodies as the engine gives them."""
    betas = float64(found.betas).clip(-3, 3)
    n = seen.people
    sight = Sight(seen.keypoints.astype(np.float64), np.eye(3), float64(view.spread), Before.none(n))
    chosen = likeliest(points, prior, sight, found, betas, LiftConfig())
    joints = posed_joints(chosen.rotations, points.shaped(betas)[0])[1] + chosen.transl[:, None]
    keypoints = points.keypoints(betas, chosen.rotations, chosen.transl)
    return Fitted(joints, keypoints[..., :2] / keypoints[..., 2:])


def figures(
    network: SmallHmr2, scenes: Seen, marked: Seen, points: Points, prior: PosePrior
) -> dict[str, float]:
    """Of held-out scenes PA-MPJPE in mm, as told and on the keypoints; of marked people the share of right keypoints.

    Names that end in ``_blind`` are of keypoints alone.
    """
    result: dict[str, float] = {}
    for name, blind in (("", False), ("_blind", True)):
        if scenes.people:
            view, found = told(network, scenes, blind)
            result[f"told_mm{name}"] = float(_pa(_likeliest_joints(found, points), scenes))
            result[f"best_mm{name}"] = float(_pa(_all_joints(found, points), scenes))
            result[f"fit_mm{name}"] = float(
                _pa(fitted(view, found, scenes, points, prior).joints_cam, scenes)
            )
        if marked.people:
            view, found = told(network, marked, blind)
            off = _share_off(fitted(view, found, marked, points, prior).keypoints, marked)
            result[f"pck_05{name}"], result[f"pck_10{name}"] = (
                float((off < limit).mean()) for limit in (0.05, 0.1)
            )
    return result


def _all_joints(found: Hypotheses, points: Points) -> Floats:  # (n, H, 24, 3)
    rotations = float64(found.rotations)
    rest = points.shaped(float64(found.betas))[0]
    n, H = rotations.shape[:2]
    joints = posed_joints(rotations.reshape(n * H, 24, 3, 3), np.repeat(rest, H, 0))[1]
    return joints.reshape(n, H, 24, 3)


def _likeliest_joints(found: Hypotheses, points: Points) -> Floats:  # (n, 24, 3)
    best: NDArray[np.intp] = np.asarray(found.log_chance.argmax(-1))
    return _all_joints(found, points)[np.arange(len(best)), best]


def _pa(joints: Floats, seen: Seen) -> float:
    """Mean PA-MPJPE, mm, of joints (n, 24, 3), or of the best of several (n, H, 24, 3)."""
    truth = seen.joints_cam.astype(np.float64)
    if joints.ndim == 3:
        return float(pa_mpjpe_mm(joints, truth).mean())
    each = pa_mpjpe_mm(joints, np.broadcast_to(truth[:, None], joints.shape))
    return float(each.min(-1).mean())


def _share_off(keypoints: Floats, seen: Seen) -> Floats:
    """How far the known keypoints of people are off, in shares of their box."""
    truth, known = seen.true_keypoints[..., :2].astype(np.float64), seen.true_keypoints[..., 2] > 0
    low = np.where(known[..., None], truth, np.inf).min(1)
    high = np.where(known[..., None], truth, -np.inf).max(1)
    size = _BOX_ROOM * (high - low).max(-1)
    off = np.linalg.norm(keypoints - truth, axis=-1) / size[:, None]
    return np.asarray(off[known], np.float64)


def tensors(seen: Seen) -> tuple[Tensor, ...]:
    """The arrays of crops as float32 tensors, by `Seen`'s order; which features are shown stays a flag."""
    parts = (torch.from_numpy(np.ascontiguousarray(part)) for part in seen)
    return tuple(part if part.dtype == torch.bool else part.float() for part in parts)
