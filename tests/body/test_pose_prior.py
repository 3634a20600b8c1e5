"""The pose prior that ships is the one in the lifter's weights."""

import numpy as np

from choros import weights
from choros.body.pose_prior import shipped_pose_prior


def test_it_is_the_lifters():
    """If not, `tools/build_pose_prior.py` was not run after the lifter's weights were replaced."""
    prior, (tensors, _) = shipped_pose_prior(), weights.load(weights.shipped("lifter"), "lifter")
    assert prior.mean.shape == (63,)
    np.testing.assert_array_equal(prior.mean, tensors["prior.mean"].numpy())
    np.testing.assert_array_equal(prior.precision_root, tensors["prior.precision_root"].numpy())
