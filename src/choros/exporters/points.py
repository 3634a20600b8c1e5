"""Points of people's bodies over time, for the formats that hold no skeleton: joints, and markers on the body."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.cast import Cast, CastPerson, Floats
from choros.skeleton import BODY25, JOINT_NAMES

#: On the head and the feet, where the joints alone do not tell how these are turned.
LANDMARKS = (
    "nose", "left_ear", "right_ear", "left_big_toe", "left_small_toe", "left_heel", "right_big_toe",
    "right_small_toe", "right_heel",
)  # fmt: skip
#: What motion capture formats get: the skeleton's joints, then those landmarks.
MARKERS = (*JOINT_NAMES, *LANDMARKS)


def joints_m(body: BodyModel, person: CastPerson) -> Floats:
    """SMPL's 24 joints (n, 24, 3) in the axes of the file, metres."""
    return keypoints_m(body, person, "smpl24")


def markers_m(body: BodyModel, person: CastPerson) -> Floats:
    """``MARKERS`` (n, 33, 3) in the axes of the file, metres."""
    landmarks = keypoints_m(body, person, "body25")[:, [BODY25.index(name) for name in LANDMARKS]]
    return np.concatenate([joints_m(body, person), landmarks], axis=1)


def keypoints_m(body: BodyModel, person: CastPerson, keypoints: str) -> Floats:
    """A keypoint set of the body (n, K, 3) in the axes of the file, metres.

    Raises ``ChorosError`` for a set that this body has no landmarks for.
    """
    with torch.inference_mode():
        return body.keypoints(person.params(), keypoints).double().numpy()


def over_time(cast: Cast, person: CastPerson, values: NDArray[Any]) -> Floats:
    """Values of a person's frames (n, ...) for all of the motion's (T, ...): NaN where they are not there."""
    whole = np.full((len(cast.time_s), *values.shape[1:]), np.nan)
    whole[person.frame] = values
    return whole
