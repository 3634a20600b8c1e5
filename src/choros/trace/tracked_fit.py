"""Tracks put on keypoints: each goes on from how it was when that was last done, and where it was going."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.onto_keypoints import KeypointFitRules, shown_enough
from choros.body.pose_prior import shipped_pose_prior
from choros.trace.keypoint_fit import put_on_keypoints
from choros.trace.people import SeenPeople
from choros.tracking.fitted import before_of, remember_fit
from choros.tracking.online import Tracks

Floats = NDArray[np.floating]


#: Fewer than CoMotion's, for the fit goes on from the last: 20 people then cost little more than one.
FIT_STEPS = 5


def fit_rules() -> KeypointFitRules:
    """CoMotion's rules, with `FIT_STEPS`."""
    rules = KeypointFitRules()
    return replace(rules, fit=replace(rules.fit, fit=replace(rules.fit.fit, steps=FIT_STEPS)))


def fit_people(
    tracks: Tracks,
    people: SeenPeople,
    body: BodyModel,
    K: NDArray[np.float64],
    now_s: float,
    rules: KeypointFitRules,
) -> tuple[Floats, Floats]:
    """Rotations (k, 24, 3, 3) and pelves (k, 3) of the tracks (k,), who are these ``people`` (k,), on their keypoints.

    The fit begins with the last distance, which tells more than one look at the maps; tracks learn how fast they go.
    """
    before, begun = before_of(tracks, now_s), people.pelvis.copy()
    again = before.dt_s > 0
    depth_m = before.transl[again, 2] / np.maximum(begun[again, 2], rules.nearest_m)
    begun[again] *= np.maximum(depth_m, 0)[:, None]
    rotations, pelvis = put_on_keypoints(
        body,
        shipped_pose_prior(),
        people.rotations,
        tracks["betas"],
        begun,
        people.keypoints_px,
        K,
        rules,
        before,
    )
    plain = shown_enough(people.keypoints_px, rules)
    some = tracks[plain]
    remember_fit(some, before.of(plain), rotations[plain], pelvis[plain], now_s, rules)
    tracks[plain] = some
    return rotations, pelvis
