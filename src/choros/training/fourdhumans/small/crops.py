"""A person in a picture, cut out in some way and looked at: what the small HMR 2.0 is shown of them, and the truth.

A crop that is turned and mirrored is what a camera sees that was rolled about its axis and a mirror: with it turn the
keypoints on the plane z = 1 and the truth in camera axes, exactly, whatever K.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from choros.crops import Floats
from choros.detection.movenet import MoveNet
from choros.fourdhumans.hmr2.small.config import CROP
from choros.fourdhumans.hmr2.small.seen import CropEyes
from choros.rotation import rotmat_about
from choros.skeleton import COCO17, MIRROR_JOINTS
from choros.training.fourdhumans.augmentation import Manner, drawn_manner
from choros.training.fourdhumans.keypoints44 import to_44
from choros.training.fourdhumans.recipe import Augmentation
from choros.training.fourdhumans.small.kept import Seen, nobody

SIDE_PX = CROP.size_px[0]

#: COCO's points of the other side.
MIRROR17 = [
    COCO17.index(name.replace("left", "x").replace("right", "left").replace("x", "right")) for name in COCO17
]

#: The box that a crop is of, in the crop.
_BOX = np.array([[0.5 - 0.5 / CROP.room, 0.5 + 0.5 / CROP.room]]).repeat(2, 0).T.reshape(1, 4) * SIDE_PX


class Subject(NamedTuple):
    """What is known of somebody in a picture, camera axes."""

    box_px: Floats  # (4,) xyxy
    keypoints_px: Floats  # (17, 3) x_px, y_px, 1 where known
    rotations: Floats  # (24, 3, 3)
    betas: Floats  # (10,)
    joints_cam: Floats  # (24, 3) metres
    posed: float  # how far the last three are to be believed, 0..1


class Cut(NamedTuple):
    """A crop of somebody, and what is true there; K = 1."""

    crop: NDArray[np.uint8]  # (192, 192, 3) RGB
    to_plane: Floats  # (2, 3) affine map from the crop, px, to the plane z = 1
    true_keypoints: Floats  # (17, 3)
    subject: Subject  # as the turned camera sees them


def plain_manner(box_px: Floats) -> Manner:
    """As the engine cuts: nothing is varied."""
    side = float(CROP.around(box_px).extent_px[0])
    return Manner((box_px[:2] + box_px[2:]) / 2, side, 0.0, False, np.ones(3))


def varied_manner(subject: Subject, rng: np.random.Generator, config: Augmentation) -> Manner:
    """One of the paper's augmentations."""
    points = to_44(COCO17, subject.keypoints_px[:, :2], subject.keypoints_px[:, 2])
    return drawn_manner(subject.box_px, points, CROP, rng, config)


def cut_out(image: NDArray[np.uint8], K: Floats, subject: Subject, manner: Manner) -> Cut:
    """Somebody in an image (H, W, 3) RGB of intrinsics ``K`` (3, 3), square pixels, in that manner."""
    crop, to_crop = manner.cut(image, SIDE_PX)
    across = np.diag([-1.0 if manner.mirrored else 1.0, 1.0, 1.0])
    turn = rotmat_about("z", manner.turn_rad)
    moved = turn @ across
    focal, centre = K[0, 0], K[:2, 2]
    # The image on the plane of the turned camera, and with it the crop.
    to_plane = np.column_stack([moved[:2, :2], -moved[:2, :2] @ centre]) / focal
    back = np.linalg.inv(np.vstack([to_crop, [0, 0, 1]]))
    from_crop = to_plane @ back
    keypoints = subject.keypoints_px.copy()
    keypoints[:, :2] = keypoints[:, :2] @ to_plane[:, :2].T + to_plane[:, 2]
    rotations, joints = subject.rotations, subject.joints_cam
    if manner.mirrored:
        keypoints, joints = keypoints[MIRROR17], joints[list(MIRROR_JOINTS)]
        rotations = across @ rotations[list(MIRROR_JOINTS)] @ across
    rotations = np.concatenate([turn[None] @ rotations[:1], rotations[1:]])
    seen = subject._replace(rotations=rotations, joints_cam=joints @ moved.T)
    return Cut(np.rint(crop).astype(np.uint8), from_crop, keypoints, seen)


class Looker:
    """Looks at crops with the eyes that systems have, and the trunk."""

    def __init__(self, threads: int = 1) -> None:
        self._keypoints, self._eyes = MoveNet("lightning", threads=threads), CropEyes()

    def __call__(self, cuts: Sequence[Cut]) -> Seen:
        """What is seen of them, and the truth."""
        if not cuts:
            return nobody()
        crops = np.stack([cut.crop for cut in cuts])
        found = np.concatenate([self._keypoints.estimate(crop, _BOX) for crop in crops]).astype(np.float64)
        features, shown = self._eyes(crops, torch.from_numpy(found[..., :2]))
        keypoints = found.copy()
        for points, cut in zip(keypoints, cuts, strict=True):
            points[:, :2] = points[:, :2] @ cut.to_plane[:, :2].T + cut.to_plane[:, 2]
        truths = [cut.subject for cut in cuts]
        return Seen(
            keypoints.astype(np.float32),
            features.numpy().astype(np.float16),
            shown.numpy(),
            np.stack([truth.rotations for truth in truths]).astype(np.float32),
            np.stack([truth.betas for truth in truths]).astype(np.float32),
            np.stack([truth.joints_cam for truth in truths]).astype(np.float32),
            np.stack([cut.true_keypoints for cut in cuts]).astype(np.float32),
            np.array([truth.posed for truth in truths], np.float32),
        )
