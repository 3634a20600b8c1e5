"""Which poses of the body are likely: a Gaussian learned from motion capture, for any fit of bodies to keypoints."""

from __future__ import annotations

from functools import cache

import numpy as np

from choros import weights
from choros.body.gauss_newton import PosePrior

#: In the package; the one that the lifter's shipped weights hold, written by `tools/build_pose_prior.py`.
PRIOR = "body/data/pose_prior.npz"


@cache
def shipped_pose_prior() -> PosePrior:
    """The prior that comes with choros. Raises ``ChorosError`` if the installation lacks it."""
    with np.load(weights.shipped("pose-prior"), allow_pickle=False) as npz:
        return PosePrior(npz["mean"].astype(np.float64), npz["precision_root"].astype(np.float64))
