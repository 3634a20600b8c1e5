"""Action recognition as on AVA (Gu et al. 2018): mean average precision over frames, boxes and actions.

4DHumans (supplement S.5) splits the mean into object manipulation, person interaction and person movement.
What a person does in a frame is one row for each action; frames are any integers that name a video and
time stamp together.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from choros.keypoints import box_iou

#: AVA's kinds of actions by label id, as in its action list v2.2.
ACTION_GROUPS = {
    "person_movement": range(1, 15),
    "object_manipulation": range(15, 64),
    "person_interaction": range(64, 81),
}

#: The 60 of 80 actions that are common enough to be scored (AVA's list for ActivityNet 2019).
SCORED_ACTIONS = (
    *(1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 20, 22, 24, 26, 27, 28, 29, 30, 34, 36, 37, 38),
    *(41, 43, 45, 46, 47, 48, 49, 51, 52, 54, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70),
    *(72, 73, 74, 76, 77, 78, 79, 80),
)


def action_average_precisions(
    gt_frame: ArrayLike,  # (N,) int
    gt_box_px: ArrayLike,  # (N, 4) xyxy; px or shares of the image, the same on both sides
    gt_action: ArrayLike,  # (N,) int, AVA label id
    pred_frame: ArrayLike,  # (M,) int
    pred_box_px: ArrayLike,  # (M, 4)
    pred_action: ArrayLike,  # (M,) int
    pred_score: ArrayLike,  # (M,) higher is surer
    actions: Iterable[int] = SCORED_ACTIONS,
    min_iou: float = 0.5,
) -> dict[int, float]:  # label id -> average precision in 0..1, NaN for an action that nobody does
    """Average precision of every action, as Pascal VOC 2010 and AVA's evaluation compute it.

    Surest first, a prediction is right if the true box of that action that it overlaps most (IoU >= min_iou)
    is not taken yet; a second prediction for the same box is wrong.
    """
    gt_frame, gt_action, pred_frame, pred_action = (
        np.asarray(rows, dtype=np.int64) for rows in (gt_frame, gt_action, pred_frame, pred_action)
    )
    gt_box, pred_box = (np.asarray(box, dtype=float).reshape(-1, 4) for box in (gt_box_px, pred_box_px))
    score = np.asarray(pred_score, dtype=float)
    surest_first = np.argsort(-score, kind="stable")
    precisions = {}
    for action in actions:
        truth = np.flatnonzero(gt_action == action)
        said = surest_first[pred_action[surest_first] == action]
        places: dict[int, list[int]] = {}
        for row in truth:
            places.setdefault(int(gt_frame[row]), []).append(int(row))
        taken = np.zeros(len(gt_frame), dtype=bool)
        right = np.zeros(len(said), dtype=bool)
        for i, row in enumerate(said):
            rows = places.get(int(pred_frame[row]), [])
            if not rows:
                continue
            overlap = box_iou(gt_box[rows], pred_box[row, None])[:, 0]
            best = rows[int(overlap.argmax())]
            right[i] = overlap.max() >= min_iou and not taken[best]
            taken[best] |= right[i]
        precisions[int(action)] = average_precision(right, len(truth))
    return precisions


def officially_counted(
    gt_frame: ArrayLike,  # (N,) int, with the frames in which nobody does anything
    pred_frame: ArrayLike,  # (M,) int
    pred_action: ArrayLike,  # (M,) int, AVA label id
    pred_score: ArrayLike,  # (M,)
    actions: Iterable[int] = SCORED_ACTIONS,
    capacity: int = 50,
) -> NDArray[np.int64]:  # (K,) numbers of predictions, rising
    """Which predictions ActivityNet's program for AVA evaluates, which `action_average_precisions` then takes.

    Those of the scored actions in frames that the truth names, and of these the ``capacity`` surest of each frame: 50
    are less than the 60 actions of one person, so that in frames of several people low scores are lost. Of equal
    scores the first rows stay. 0 takes all, as more than one paper does.
    """
    frame, action = np.asarray(pred_frame, np.int64), np.asarray(pred_action, np.int64)
    known = np.isin(frame, np.asarray(gt_frame, np.int64)) & np.isin(action, list(actions))
    rows = np.flatnonzero(known)
    if capacity:
        score = np.asarray(pred_score, float)[rows]
        rows = rows[np.lexsort((-score, frame[rows]))]  # stable
        first = np.flatnonzero(np.diff(frame[rows], prepend=np.iinfo(np.int64).min))
        place = np.arange(len(rows)) - np.repeat(first, np.diff([*first, len(rows)]))
        rows = np.sort(rows[place < capacity])
    return rows


def average_precision(right: ArrayLike, positives: int) -> float:
    """Area under precision over recall for predictions from surest to least sure, (M,) bool.

    Precision at a recall is the best at that recall or beyond (Pascal VOC since 2010). NaN without positives.
    """
    if not positives:
        return float("nan")
    hits: NDArray[np.bool_] = np.asarray(right, dtype=bool)
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    reachable = np.maximum.accumulate(precision[::-1])[::-1]
    return float(reachable[hits].sum() / positives)


def action_map(precisions: Mapping[int, float]) -> dict[str, float]:
    """Means over actions: ``mAP`` over all of them, ``mAP_<group>`` over each of `ACTION_GROUPS`.

    Actions that nobody does (NaN) are left out; a group without any is NaN.
    """
    groups = {"mAP": range(1, 81)} | {f"mAP_{name}": ids for name, ids in ACTION_GROUPS.items()}
    means = {}
    for name, ids in groups.items():
        known = [ap for action, ap in precisions.items() if action in ids and not np.isnan(ap)]
        means[name] = float(np.mean(known)) if known else float("nan")
    return means
