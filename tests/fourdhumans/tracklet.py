"""Tracklets of our own, as LART's authors' files hold them."""

import numpy as np
from scipy.spatial.transform import Rotation

from choros.datasets.tracklets import NOBODY, Tracklet


def tracklet(first=0, frames=20, seed=0, looks=6, missed=()):
    """Somebody from frame ``first`` on, not detected in some frames of the clip."""
    rng = np.random.default_rng(seed)
    rotations = Rotation.random(frames * 24, rng=rng).as_matrix().reshape(frames, 216)
    number = first + np.arange(frames)
    return Tracklet(
        frames=number,
        pose_shape=np.concatenate([rotations, rng.normal(size=(frames, 13))], 1).astype(np.float32),
        joints=rng.normal(size=(frames, 45, 3)).astype(np.float32),
        detected=~np.isin(number, missed),
        labels=(rng.random((frames, 80)) < 0.1).astype(np.float32),
        labelled_by=np.full(frames, NOBODY),
        appearance=rng.normal(size=(frames, looks)).astype(np.float32) if looks else None,
        box_px=np.tile(np.array([10, 20, 110, 220], np.float32), (frames, 1)),
        size_px=np.tile([400, 300], (frames, 1)),
        score=np.full(frames, 0.9, np.float32),
        pictures=tuple(f"film/film_{int(k):06d}.jpg" for k in number),
    )
