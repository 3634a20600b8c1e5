"""How likely it is that somebody seen now is one who was predicted, against being somebody new or nobody.

For every pair, the logarithm of p(what is seen | that person) over p(what is seen | somebody new, or a false
find): place, size, depth, pose and colours, each with its own uncertainty and *normalised*. A prediction that
has become vague spreads over more places and says less of each, so it cannot outbid one that is fresh
(as in the joint probabilistic data association of Bar-Shalom, Daum and Huang 2009, and in PHALP).
Student's t stands for Gauss, because detectors err grossly now and then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from choros.tracking.appearance import Colours
from choros.tracking.box_filter import BoxRules, noise_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LikelihoodRules:
    """Uncertainties of the same person seen again, and what the world holds besides.

    Lengths are shares of the person's height in the image. Fitted on frames 1 to 400 of vtest and scenes of
    seeds from 900001.
    """

    freedom: float = 5.0  # of Student's t
    reach: float = 0.75  # nobody is farther from where they are expected than this and
    reach_std: float = 4.0  # so many standard deviations, however alike
    log_depth_std: float = 0.15
    log_depth_drift: float = 0.1  # after one second
    log_depth_std_others: float = 0.5  # of anybody's depth
    pose_std: tuple[float, float] = (
        0.03,
        0.055,
    )  # of a keypoint in its box: from frame to frame, and long after
    pose_memory_s: float = 0.3
    pose_std_others: float = 0.09
    pose_keypoints: float = 3.0  # how many of the 17 count as independent
    lab_std: tuple[float, float, float] = (7.0, 4.0, 4.0)  # of the mean colour of the same clothes
    lab_std_others: tuple[float, float, float] = (30.0, 9.0, 11.0)
    lab_parts: float = 0.6  # how far trunk, thighs and shins count as independent
    log_new: float = -5.0  # expected new people and false finds: per frame, height² and unit of log height
    evidence: tuple[float, float, float] = (-7.7, 8.5, 4.5)  # see ``evidence``; half people, half false finds
    evidence_keypoints: int = 8  # the surest, so that somebody cut off counts as much as somebody whole
    found: float = 0.95  # chance that a person who was seen a moment ago is found
    found_lost: float = 0.2  # and one unseen for long
    found_memory_s: float = 0.5


class Predicted(NamedTuple):
    """n people as they are expected in this frame."""

    boxes: NDArray[np.void]  # (n,) BOX_STATE
    shape: Floats  # (n, 17, 3) keypoints in their box when last seen: x, y in heights from its centre; confidence
    depth_m: Floats  # (n,); NaN where it is not known
    colours: Colours
    unseen_s: Floats  # (n,) since last seen
    doubt: Floats  # (n,) log odds against there being such a person: 0 for the confirmed


class Observed(NamedTuple):
    """m people of this frame."""

    boxes_px: Floats  # (m, 4) xyxy
    keypoints: Floats  # (m, 17, 3) x_px, y_px, confidence
    depth_m: Floats  # (m,); NaN where it is not known
    colours: Colours
    evidence: Floats  # (m,) see ``evidence``
    overlap: Floats  # (m,) IoU with the box nearest to theirs


def log_place(a: Predicted, b: Observed, rules: LikelihoodRules, box: BoxRules) -> Floats:  # (n, m)
    """log p(place and size | person), per height² and unit of log height."""
    height = np.exp(a.boxes["log_size"][:, 1])
    centre = 0.5 * (b.boxes_px[:, :2] + b.boxes_px[:, 2:])
    miss = (centre[None] - a.boxes["centre_px"][:, None]) / height[:, None, None]
    centre_std, size_std = noise_of(b.boxes_px, box, b.overlap)
    std = np.sqrt(a.boxes["place_var"][:, None] + centre_std[None] ** 2) / height[:, None, None]
    log_height = np.log(np.maximum(b.boxes_px[:, 3] - b.boxes_px[:, 1], 1.0))
    taller = log_height[None] - a.boxes["log_size"][:, None, 1]
    std_size = np.sqrt(a.boxes["log_size_var"][:, None, 1] + size_std[None, :, 1] ** 2)
    density = log_student(miss, std, rules.freedom).sum(-1) + log_student(taller, std_size, rules.freedom)
    within = (abs(miss) <= rules.reach + rules.reach_std * std).all(-1)
    return np.where(within, density, -np.inf)


def log_depth(a: Predicted, b: Observed, rules: LikelihoodRules) -> Floats:  # (n, m)
    """log p(depth | person) / p(depth | anybody); 0 where one of the two is not known."""
    farther = np.log(np.maximum(b.depth_m, 0.1))[None] - np.log(np.maximum(a.depth_m, 0.1))[:, None]
    std = np.sqrt(rules.log_depth_std**2 + rules.log_depth_drift**2 * a.unseen_s)
    same = log_student(farther, std[:, None], rules.freedom)
    anybody = log_student(farther, np.array(rules.log_depth_std_others), rules.freedom)
    return np.where(np.isnan(farther), 0, same - anybody)


def log_pose(
    a: Predicted, b: Observed, rules: LikelihoodRules, min_confidence: float = 0.3
) -> Floats:  # (n, m)
    """log p(keypoints in their box | person) / p(keypoints | anybody)."""
    shape = shape_of(b.boxes_px, b.keypoints)
    squared = ((shape[None, ..., :2] - a.shape[:, None, :, :2]) ** 2).sum(-1)
    both = (a.shape[:, None, :, 2] >= min_confidence) & (shape[None, ..., 2] >= min_confidence)
    early, late = rules.pose_std
    std = late - (late - early) * np.exp(-a.unseen_s / rules.pose_memory_s)
    std = std[:, None, None]
    each = 0.5 * squared * (1 / rules.pose_std_others**2 - 1 / std**2) + 2 * np.log(
        rules.pose_std_others / std
    )
    share = rules.pose_keypoints / both.shape[-1]
    return np.where(both, np.maximum(each, -2 * np.log(rules.pose_std_others / early)), 0).sum(-1) * share


def log_colours(a: Predicted, b: Observed, rules: LikelihoodRules) -> Floats:  # (n, m)
    """log p(colours | person) / p(colours | anybody); 0 where no part of both was read."""
    weight = a.colours.weight[:, None] * b.colours.weight[None]
    miss = b.colours.lab[None] - a.colours.lab[:, None]  # (n, m, 3 parts, 3)
    same = log_student(miss, np.array(rules.lab_std), rules.freedom).sum(-1)
    anybody = log_student(miss, np.array(rules.lab_std_others), rules.freedom).sum(-1)
    return rules.lab_parts * (weight * (same - anybody)).sum(-1)


def log_likelihood_ratio(
    a: Predicted, b: Observed, rules: LikelihoodRules, box: BoxRules
) -> Floats:  # (n, m)
    """log p(seen | that person) / p(seen | somebody new or nobody); above 0 they are rather the same."""
    found = rules.found_lost + (rules.found - rules.found_lost) * np.exp(-a.unseen_s / rules.found_memory_s)
    alike = (
        log_place(a, b, rules, box)
        + log_depth(a, b, rules)
        + log_pose(a, b, rules)
        + log_colours(a, b, rules)
    )
    return (
        alike + (np.log(found / (1 - found)) - a.doubt)[:, None] - rules.log_new + np.minimum(b.evidence, 0)
    )


def evidence(scores: Floats, keypoints: Floats, rules: LikelihoodRules) -> Floats:  # (m,)
    """log p(score, keypoints' confidence | a person) / p(... | none): a logistic regression on both."""
    surest = np.sort(keypoints[..., 2], -1)[..., -rules.evidence_keypoints :].mean(-1)
    constant, of_score, of_keypoints = rules.evidence
    return constant + of_score * scores + of_keypoints * surest


def learned_belief(
    belief: Floats,  # (n,) log odds that each is somebody
    seen: Floats,  # (n,) the ``evidence`` of one more sight
    dt_s: float,  # since the frame before
    independent_s: float,
    step_s: float,
    most: float,
) -> Floats:  # (n,)
    """``belief`` after another sight, at most ``most``.

    Sights over ``independent_s`` count as one that knows nothing of the others, and one for at most ``step_s`` of it.
    """
    return np.minimum(belief + seen * min(dt_s, step_s) / independent_s, most)


def shape_of(boxes_px: Floats, keypoints: Floats) -> Floats:  # (n, 17, 3)
    """Keypoints as they lie in their box: x, y in heights of the box from its centre, and confidence."""
    boxes = np.asarray(boxes_px, np.float64)
    centre = 0.5 * (boxes[:, None, :2] + boxes[:, None, 2:])
    height = np.maximum(boxes[:, 3] - boxes[:, 1], 1.0)[:, None, None]
    return np.concatenate([(keypoints[..., :2] - centre) / height, keypoints[..., 2:]], -1)


def log_student(miss: Floats, std: Floats, freedom: float) -> Floats:
    """log density of Student's t with scale ``std``: that of Gauss with heavier tails."""
    constant = gammaln((freedom + 1) / 2) - gammaln(freedom / 2) - 0.5 * np.log(freedom * np.pi)
    return constant - np.log(std) - 0.5 * (freedom + 1) * np.log1p((miss / std) ** 2 / freedom)
