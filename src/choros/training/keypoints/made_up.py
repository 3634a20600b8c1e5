"""Pictures of made-up crowds (`choros.scenes`) with true joints, as a set that the keypoint network learns from."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from choros.scenes import SceneConfig, make_scene
from choros.skeleton import COCO17
from choros.training.keypoints.people_set import LEAST_PX, Shown
from choros.training.keypoints.teachers import Taught

#: Kinds with people close together, and how many pictures of each scene are kept, a second apart.
KINDS, PICTURES = ("crossing", "crowd", "longgone", "moving"), 3
#: Whom a part of this much at least is seen of; less, and a detector gives them no box of their own.
LEAST_SEEN = 0.35
#: A body's own hips, eyes and ears lie elsewhere than annotators put them.
LEFT_OUT = [k for k, name in enumerate(COCO17) if name.endswith(("hip", "eye", "ear"))]


def made_up(pictures: int, seed: int, mocap: Path | None = None) -> Iterator[Shown]:
    """So many pictures of people who stand in each other's way; what is not seen of a body is not taught.

    With a folder of motion capture most people do what was captured there: acrobats turn over.
    """
    for number in range(pictures):
        if number % PICTURES == 0:
            rng = np.random.default_rng([seed, number])
            width, height = ((640, 480), (480, 640), (640, 360))[rng.integers(3)]
            config = SceneConfig(
                width=width, height=height, fps=Fraction(1), seconds=float(PICTURES), mocap=mocap, device="cpu"
            )  # fmt: skip
            scene = make_scene(str(rng.choice(KINDS)), seed * 100_000 + number, config)
            truth = scene.arrays
        frame = number % PICTURES
        boxes = truth.box_px[frame].astype(np.float64)
        seen = (truth.visible_fraction[frame] >= LEAST_SEEN) & (boxes[:, 3] - boxes[:, 1] >= LEAST_PX)
        points = truth.keypoints_px[frame].astype(np.float64)
        points[:, LEFT_OUT] = 0
        points[points[..., 2] == 0] = 0
        points[~((points[..., :2] >= 0) & (points[..., :2] < [width, height])).all(-1)] = 0
        keep = seen & ((points[..., 2] > 0).sum(-1) >= 4)
        nobody = np.zeros((int(keep.sum()), len(COCO17)), bool)
        yield Shown(scene.frame(frame), boxes[keep], Taught(points[keep], nobody))
