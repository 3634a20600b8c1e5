"""Weights of the keypoint network that was taught nothing: numbers of a seed."""

from choros import weights
from choros.seeding import seeded
from choros.training.keypoints.network import SYSTEM, KeypointNetwork


def untaught(path, seed=3):
    """A file of them; the path again."""
    with seeded(seed):
        network = KeypointNetwork()
    weights.save(path, dict(network.state_dict()), {"system": SYSTEM})
    return path
