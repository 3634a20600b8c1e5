"""How well actions are told from a tracker's output: people of made-up scenes, whose actions are known by construction.

Of everybody who can be seen in a frame, and of whom it is known whether they do an action, the score counts that the
motion has for whoever was tracked there; whoever was not is the least sure. So is average precision made, of each
action over all scenes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.evaluation.metrics.actions import average_precision
from choros.keypoints import box_iou
from choros.motion import Motion
from choros.motion.actions import EXTRA
from choros.scenes.scene import Scene
from choros.tracking.assignment import assign
from choros.training.actions.by_construction import Labels, labels_of, named, played

LEAST_IOU = 0.5
#: Share of somebody's picture that must be seen.
SEEN = 0.3


class Scored(NamedTuple):
    """People in frames, N of them, and what is told of them."""

    true: NDArray[np.bool_]  # (N, actions)
    known: NDArray[np.bool_]  # (N, actions)
    scores: NDArray[np.float32]  # (N, actions), -1 of whoever was not tracked


def labels_in(scene: Scene, clips: str = "") -> list[Labels]:
    """What everybody in a scene does in its frames; ``clips`` is what its captured clips have in their names."""
    step_s = float(1 / scene.fps)
    found = []
    for actor in scene.actors:
        labels = labels_of(actor.places, actor.turns[:, 0, :, 2], actor.skeleton.leg_m, step_s)
        if actor.role.clip is not None and clips:
            labels = named(labels, clips, actor.places)
        found.append(played(labels, actor.role, scene.times_s))
    return found


def scored(scene: Scene, told: Motion, clips: str = "") -> Scored:
    """Everybody who can be seen in a scene, and what a motion of its video tells of them."""
    truth, labels = scene.arrays, labels_in(scene, clips)
    scores = told.extras[EXTRA]
    rows = []
    for frame in range(min(len(truth), len(told))):
        there = np.flatnonzero(truth.in_frame[frame] & (truth.visible_fraction[frame] >= SEEN))
        mine = np.flatnonzero(told.row_frame == frame)
        overlap = box_iou(truth.box_px[frame, there], told.rows["box_px"][mine])
        matched = dict(zip(*(side.tolist() for side in assign(overlap, LEAST_IOU)), strict=True))
        for number, person in enumerate(there):
            score = scores[mine[matched[number]]] if number in matched else np.full(scores.shape[1], -1.0)
            rows.append((labels[person].true[frame], labels[person].known[frame], score))
    if not rows:
        none = np.zeros((0, scores.shape[1]))
        return Scored(none.astype(bool), none.astype(bool), none.astype(np.float32))
    true, known, told_scores = (np.stack(part) for part in zip(*rows, strict=True))
    return Scored(true, known, told_scores.astype(np.float32))


def precisions(parts: Sequence[Scored], names: Sequence[str]) -> dict[str, float]:
    """Average precision of each action that anybody does, by its name."""
    true, known, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
    found = {}
    for number, name in enumerate(names):
        asked = known[:, number]
        right = true[asked, number]
        if right.any():
            surest = np.argsort(-scores[asked, number], kind="stable")
            found[name] = average_precision(right[surest], int(right.sum()))
    return found
