"""What was measured of MoveNet Thunder and Lightning: the constants of ``keypoint_noise.py``.

Fitted to the keypoints of given boxes of the people with true joints in 354 pictures of COCO val2017 (CC BY 2.0;
782 of 994 show shoulders and hips), and of the same people with a part of the picture cut off or covered. Errors
given confidences are by maximum likelihood; spreads of confidences, chances of misses and of changed sides were
then set by hand until samples had the measured shares. ``benchmarks/keypoint_noise.py`` prints both.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

Groups = tuple[float, float, float, float, float, float, float]

#: face, shoulders, elbows, wrists, hips, knees, ankles: which of them each keypoint is.
GROUP = np.array([0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6])

# MoveNet's own confidences, 0 to .9, are chances with logits from -2.24 to 5 (``movenet.chance_of_right``).
FLOOR, CEILING, TOP = -2.24, 5.0, 6.0


@dataclass(frozen=True)
class NetworkErrors:
    """Errors of one keypoint network, as fitted to its answers on labelled pictures.

    Confidences are logits of the chance that ``MoveNet`` reports. Errors are shares of the person's longer side in
    the image. Tuples have an entry for each ``GROUP`` of keypoints.
    """

    # Confidence: TOP - (TOP - median) exp(-z sd / (TOP - median)), z a standard normal, for a person of 200 px.
    visible: Groups  # median of what the annotators see
    visible_px: Groups  # change for a person e times as large, up to 400 px
    visible_sd: Groups
    hidden: Groups  # the same of what they could only guess, behind the body or a sleeve
    hidden_sd: Groups
    # Outside the image, from people whose pictures were cut: far + (near - far) exp(-beyond / reach).
    outside_near: Groups
    outside_far: Groups
    outside_reach: Groups
    outside_sd: Groups
    # Behind something, from people of whom a part was covered with another picture.
    covered_near: Groups
    covered_far: Groups
    covered_reach: Groups
    covered_sd: Groups
    # Error, given the logit L: core share exp(-slope (L - 2.5)), log-normal from person to person.
    core: Groups
    core_slope: Groups
    core_spread: float  # standard deviation of the logarithm
    core_px: float  # added in quadrature: px of the image
    # Misses: chance logistic(miss - slope (L - 2.5)), and how far off.
    miss: Groups
    miss_slope: Groups
    miss_share: Groups
    hidden_core: float  # added to the logarithm of the core's size, for what is hidden
    hidden_miss: float  # added to the logit of a miss
    # Chance per frame that sides are exchanged, and that both lie on one; by group.
    swap_whole: float
    swap_shoulders: float
    swap_arms: float
    swap_lower: float
    swap_legs: float
    collapse: Groups


THUNDER_ERRORS = NetworkErrors(
    visible=(2.89, 3.32, 2.52, 2.1, 3.16, 2.83, 2.65),
    visible_px=(0.43, 0.27, 0.5, 0.73, 0.09, 0.38, 0.37),
    visible_sd=(1.08, 1.2, 1.45, 1.6, 1.1, 1.36, 1.45),
    hidden=(1.6, 1.99, 1.15, 0.49, 1.44, 0.91, 0.63),
    hidden_sd=(1.4, 1.5, 1.8, 1.45, 1.6, 1.85, 1.8),
    outside_near=(1.04, 1.83, 0.26, 0.46, 2.47, 1.48, 0.64),
    outside_far=(-1.47, -1.39, -1.03, -1.24, -2.05, -1.37, -1.59),
    outside_reach=(0.08, 0.25, 0.09, 0.08, 0.231, 0.08, 0.113),
    outside_sd=(1.11, 1.36, 1.08, 1.07, 1.45, 1.11, 0.88),
    covered_near=(1.61, 1.73, 0.35, -0.03, 1.75, 0.77, 0.62),
    covered_far=(-0.82, -1.11, -1.03, -0.88, -1.65, -1.87, -1.89),
    covered_reach=(0.101, 0.25, 0.25, 0.08, 0.225, 0.25, 0.25),
    covered_sd=(1.43, 1.43, 1.38, 1.26, 1.39, 1.24, 0.95),
    core=(0.0073, 0.0193, 0.0153, 0.0133, 0.0315, 0.0208, 0.0183),
    core_slope=(0.465, 0.182, 0.256, 0.29, 0.203, 0.285, 0.275),
    core_spread=0.53,
    core_px=0.92,
    miss=(-4.41, -4.14, -4.34, -4.48, -5.62, -4.45, -4.53),
    miss_slope=(1.09, 1.15, 1.08, 1.21, 1.15, 1.15, 1.16),
    miss_share=(0.205, 0.196, 0.173, 0.203, 0.129, 0.219, 0.225),
    hidden_core=0.37,
    hidden_miss=0.57,
    swap_whole=0.01,
    swap_shoulders=0.006,
    swap_arms=0.006,
    swap_lower=0.003,
    swap_legs=0.021,
    collapse=(0.0, 0.003, 0.014, 0.052, 0.012, 0.03, 0.034),
)

LIGHTNING_ERRORS = NetworkErrors(
    visible=(2.39, 3.02, 1.99, 1.6, 2.88, 2.38, 2.18),
    visible_px=(0.39, 0.22, 0.4, 0.57, 0.0, 0.34, 0.29),
    visible_sd=(1.0, 1.2, 1.4, 1.42, 1.18, 1.34, 1.5),
    hidden=(1.4, 1.65, 1.03, 0.36, 1.2, 0.68, 0.36),
    hidden_sd=(1.25, 1.5, 1.4, 1.2, 1.5, 1.55, 1.6),
    outside_near=(0.97, 1.48, 0.24, 0.28, 1.92, 1.26, 0.64),
    outside_far=(-1.26, -1.12, -0.81, -0.94, -1.2, -1.17, -1.45),
    outside_reach=(0.095, 0.25, 0.17, 0.08, 0.172, 0.086, 0.135),
    outside_sd=(1.02, 1.29, 1.03, 0.99, 1.25, 1.01, 0.88),
    covered_near=(1.09, 1.39, 0.29, -0.07, 1.29, 0.57, 0.48),
    covered_far=(-0.77, -1.25, -1.35, -0.82, -1.44, -1.63, -1.62),
    covered_reach=(0.095, 0.25, 0.25, 0.08, 0.23, 0.25, 0.25),
    covered_sd=(1.23, 1.36, 1.07, 1.04, 1.22, 1.12, 0.94),
    core=(0.0089, 0.0204, 0.0163, 0.0159, 0.0311, 0.0216, 0.0205),
    core_slope=(0.474, 0.176, 0.34, 0.313, 0.18, 0.263, 0.295),
    core_spread=0.47,
    core_px=0.98,
    miss=(-5.04, -4.36, -4.67, -3.90, -4.29, -4.49, -5.22),
    miss_slope=(0.97, 1.52, 1.23, 1.10, 1.21, 1.49, 1.45),
    miss_share=(0.259, 0.159, 0.144, 0.185, 0.15, 0.175, 0.236),
    hidden_core=0.37,
    hidden_miss=0.39,
    swap_whole=0.013,
    swap_shoulders=0.006,
    swap_arms=0.008,
    swap_lower=0.013,
    swap_legs=0.03,
    collapse=(0.0, 0.01, 0.012, 0.066, 0.014, 0.034, 0.038),
)


def no_errors() -> NetworkErrors:
    """A network that is right about everything inside the image, with a confidence of .95."""
    all_seven = {
        field.name: (0.0,) * 7 for field in dataclasses.fields(NetworkErrors) if field.type == "Groups"
    }
    single = {field.name: 0.0 for field in dataclasses.fields(NetworkErrors) if field.type == "float"}
    values: dict[str, Any] = (
        all_seven | single | {"visible": (3.0,) * 7, "hidden": (3.0,) * 7, "miss": (-50.0,) * 7}
    )
    values |= {"outside_near": (-2.0,) * 7, "outside_far": (-2.0,) * 7}
    values |= {"outside_reach": (1.0,) * 7, "covered_reach": (1.0,) * 7}
    return NetworkErrors(**values)
