"""When a track begins to count and when it ends, in seconds, whatever the frame rate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LifeRules:
    """Birth and death. Frame rates do not enter: 25 frames/s and 10 frames/s give the same lives.

    A person is shown at once if a detection is ``certain_score`` sure of them, else when they were seen
    twice over at least ``confirm_s``. Where somebody else is already, a second skeleton is more often a
    mistake than a person: it must last ``confirm_crowded_s``. The first frame may be the only one: whoever is
    likely there is shown (`likely`). An unconfirmed person is forgotten after ``doubt_s`` without being seen,
    shown in the first frame or not. Leaving the picture ends a track as in CoMotion (section 3); to be lost
    from sight takes longer than its one second, since nothing of a lost person is updated here.
    """

    certain_score: float = 0.6
    birth_score: float = 0.4
    first_score: float = 0.38
    confirm_s: float = 0.15
    confirm_crowded_s: float = 0.5
    doubt_s: float = 0.25
    lost_s: float = 2.0
    outside_s: float = 0.5


#: What a share of keypoints' mean confidence is worth beside a score: a logistic regression of who is a person, on
#: 1,250 labelled people of COCO pictures found by the embedded networks, has 1.6 beside 2.3 a logit of the score.
CLARITY, MEAN_CLARITY = 1 / 6, 0.6


def likely(
    rules: LifeRules,
    score: NDArray[np.floating],  # (n,) of the detection
    clarity: NDArray[np.floating],  # (n,) mean confidence of all keypoints
) -> NDArray[np.bool_]:
    """Who is shown in the first frame, with no later one to wait for: a plain skeleton makes up for a faint box."""
    return score + CLARITY * (clarity - MEAN_CLARITY) >= rules.first_score


def confirmed(
    rules: LifeRules,
    sights: NDArray[np.int32],  # (n,) frames the person was seen in
    score: NDArray[np.float64],  # (n,) of the best detection so far
    crowded: NDArray[np.bool_],  # (n,) first seen where somebody else was
    born_s: NDArray[np.float64],  # (n,) first sight
    seen_s: NDArray[np.float64],  # (n,) last sight
) -> NDArray[np.bool_]:
    """Who has been seen well or long enough to be shown."""
    needed_s = np.where(crowded, rules.confirm_crowded_s, rules.confirm_s)
    lasted = (sights >= 2) & (seen_s - born_s >= needed_s - 1e-9)
    return lasted | ((score >= rules.certain_score) & ~crowded)


def ended(
    rules: LifeRules,
    now_s: float,
    sure: NDArray[np.bool_],  # (n,) confirmed
    seen_s: NDArray[np.float64],  # (n,) last sight
    inside_s: NDArray[np.float64],  # (n,) last time in view, seen or predicted
) -> NDArray[np.bool_]:
    """Whose track ends now: unseen too long, or predicted out of view too long."""
    patience = np.where(sure, rules.lost_s, rules.doubt_s)
    return (now_s - seen_s > patience + 1e-9) | (now_s - inside_s > rules.outside_s + 1e-9)
