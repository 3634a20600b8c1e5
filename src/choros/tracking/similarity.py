"""How likely a person seen now is one who was predicted: in the image, and in space.

Image: OKS between predicted and seen keypoints, more forgiving the longer ago the person was seen. Space:
distance between where they stand, more forgiving along the ray, where a single camera tells little.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.keypoints import AREA_OF_BOX, box_area, box_of_keypoints, oks

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SimilarityRules:
    """``growth_s`` is the time unseen after which a prediction is taken as twice as vague."""

    image_share: float = 0.7
    slack: float = 2.0  # OKS is made for annotators; a prediction misses by more
    growth_s: float = 0.4
    across_std_m: float = 0.35
    along_share: float = 0.12  # of the distance to the camera


def similarity(
    predicted: Floats,  # (n, 17, 3) keypoints of tracks, x_px, y_px, confidence
    predicted_pelvis_cam: Floats,  # (n, 3) metres
    unseen_s: Floats,  # (n,) seconds since each track was seen
    seen: Floats,  # (m, 17, 3) keypoints of people in this frame
    seen_pelvis_cam: Floats,  # (m, 3) metres
    rules: SimilarityRules,
) -> Floats:  # (n, m) 0 to 1
    """Similarity of every track and every person seen; 0 to 1."""
    vague = 1 + unseen_s / rules.growth_s
    area = AREA_OF_BOX * box_area(box_of_keypoints(predicted)) * (rules.slack * vague) ** 2
    in_image = oks(predicted, seen, np.nan_to_num(area))
    ray = predicted_pelvis_cam / np.linalg.norm(predicted_pelvis_cam, axis=-1, keepdims=True)
    gap = seen_pelvis_cam[None] - predicted_pelvis_cam[:, None]
    along = (gap * ray[:, None]).sum(-1)
    across = np.linalg.norm(gap - along[..., None] * ray[:, None], axis=-1)
    along_std = rules.along_share * np.linalg.norm(predicted_pelvis_cam, axis=-1) + rules.across_std_m
    squared = (along / (along_std * vague)[:, None]) ** 2 + (
        across / (rules.across_std_m * vague)[:, None]
    ) ** 2
    in_space = np.exp(-0.5 * squared)
    return rules.image_share * in_image + (1 - rules.image_share) * in_space
