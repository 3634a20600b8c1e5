"""Which of the detections of a frame CoMotion's tracks are: by where its bodies are, or by all that keypoints tell.

The paper's system has boxes of bodies and of detections, and their overlap (`by_overlap`). Where people are looked at
for keypoints, one likelihood decides as in the lifter (`choros.tracking.likelihood`); for somebody may be where the
network sees them or where they were going, two predictions of every person stand beside each other (`by_evidence`).
That is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.comotion.encoder import ImageTokens
from choros.keypoints import AREA_OF_BOX, box_area, box_iou, oks
from choros.tracking import box_filter, online
from choros.tracking.appearance import Colours
from choros.tracking.box_filter import BOX_STATE, BoxRules
from choros.tracking.likelihood import (
    LikelihoodRules,
    Observed,
    Predicted,
    evidence,
    learned_belief,
    log_likelihood_ratio,
    shape_of,
)
from choros.tracking.online import Affinity, Flags, Indices, Moment, Tracks
from choros.tracking.sights import overlap_with_others, remember_appearance, remember_outlines

Floats = NDArray[np.floating]


class FrameDetections(NamedTuple):
    """What one picture shows by itself."""

    image: ImageTokens
    boxes_px: Floats  # (m, 4) xyxy as detected, also those that are too small to count
    scores: Floats  # (m,)
    keypoints: Floats | None  # (m, 17, 3) x_px, y_px, confidence; None where nobody is put on them
    colours: Colours | None  # of the people, told by the keypoints


@dataclass(frozen=True)
class ComotionAffinity(Affinity):
    """Who may be whom, and what it was told from."""

    overlap: Floats  # (n, m) IoU of bodies and detections in the picture
    counts: Flags  # (m,) boxes that keep, and perhaps begin, somebody
    seen: Observed | None  # the detections with keypoints, where those are looked at


@dataclass(frozen=True)
class EvidenceRules:
    """How keypoints, clothes and motion tell who is who. Lengths are shares of the person's height in the image."""

    alike: LikelihoodRules = field(default_factory=LikelihoodRules)
    box: BoxRules = field(default_factory=BoxRules)
    network_share: float = 0.5  # odds that somebody is where the network sees them, not where they were going
    network_std: float = 0.08  # of the middle of the network's box
    network_drift: float = 0.15  # more of it, after one second unseen
    network_log_size_std: float = 0.12
    appearance_memory_s: float = 2.0
    appearance_overlap: float = 0.3  # IoU with somebody else above which colours are not remembered
    belief_s: float = 0.5  # seconds of sights that count as one independent one
    belief_step_s: float = 0.2  # the most that one sight counts
    max_belief: float = 4.0
    min_belief: float = -1.0  # below it, somebody shown turns out to be nobody
    crowded_oks: float = 0.1  # a certain detection is doubted only if their skeleton is this like another's
    doubt: float = 2.0  # log odds against a track that is not confirmed yet
    doubt_crowded: float = 3.0  # and began where others are


def by_overlap(
    boxes_px: Floats,  # (n, 4) xyxy, of bodies
    found_px: Floats,  # (m, 4) of detections
    loyalty: Floats,  # (n,) what is added for each track
    min_iou: float,
    counts: Flags,
) -> ComotionAffinity:
    """By how much a body and a box overlap, at least ``min_iou``."""
    overlap = box_iou(boxes_px, found_px)
    allowed = (overlap >= min_iou) & counts
    return ComotionAffinity(np.where(allowed, overlap + loyalty[:, None], -np.inf), overlap, counts, None)


def by_evidence(
    tracks: Tracks,
    moment: Moment[FrameDetections],
    overlap: Floats,  # (n, m) as in `ComotionAffinity`
    counts: Flags,
    rules: EvidenceRules,
) -> ComotionAffinity:
    """By log likelihood ratios of the same person against somebody new."""
    found = moment.found
    if found.keypoints is None or found.colours is None:
        raise ValueError("nobody was looked at for keypoints")
    seen = observed(found, found.keypoints, found.colours, rules)
    going, by_network = _expected(tracks, moment, rules)
    share = rules.network_share
    ratio = np.logaddexp(
        np.log(1 - share) + log_likelihood_ratio(going, seen, rules.alike, rules.box),
        np.log(share) + log_likelihood_ratio(by_network, seen, rules.alike, rules.box),
    )
    return ComotionAffinity(np.where(counts, ratio, -np.inf), overlap, counts, seen)


def observed(found: FrameDetections, keypoints: Floats, colours: Colours, rules: EvidenceRules) -> Observed:
    """The detections as evidence; nothing tells how far away they are beside their size."""
    boxes_px, points = found.boxes_px.astype(np.float64), keypoints.astype(np.float64)
    sure = evidence(found.scores.astype(np.float64), points, rules.alike)
    depth_m = np.full(len(boxes_px), np.nan)
    return Observed(boxes_px, points, depth_m, colours, sure, overlap_with_others(boxes_px))


def _expected(
    tracks: Tracks, moment: Moment[FrameDetections], rules: EvidenceRules
) -> tuple[Predicted, Predicted]:
    """Everybody where they were going, and where the network sees them."""
    unseen_s = moment.time_s - tracks["seen_s"]
    doubt = np.where(tracks["crowded"], rules.doubt_crowded, rules.doubt)
    doubt = np.where((tracks["id"] > 0) | moment.given, 0, doubt)
    colours = Colours(tracks["appearance_lab"], tracks["appearance_weight"])
    going = Predicted(tracks["box"], tracks["shape"], np.full(len(tracks), np.nan), colours, unseen_s, doubt)
    boxes_px, keypoints = tracks["box_px"], tracks["keypoints_px"].astype(np.float64)
    size = np.maximum(boxes_px[:, 2:] - boxes_px[:, :2], 1.0)
    boxes = np.zeros(len(tracks), BOX_STATE)
    boxes["centre_px"], boxes["log_size"] = (boxes_px[:, :2] + boxes_px[:, 2:]) / 2, np.log(size)
    std = np.hypot(rules.network_std, rules.network_drift * np.sqrt(unseen_s))
    boxes["place_var"] = (std * size[:, 1])[:, None] ** 2
    boxes["log_size_var"] = rules.network_log_size_std**2
    return going, going._replace(boxes=boxes, shape=shape_of(boxes_px, keypoints))


def walk_on(tracks: Tracks, moment: Moment[FrameDetections], rules: EvidenceRules) -> None:
    """Take the tracks' boxes to where they were going; who was not seen in the frame before goes ever slower."""
    boxes = tracks["box"].copy()
    if moment.turn is not None:
        boxes = box_filter.turn(boxes, moment.K @ moment.turn @ np.linalg.inv(moment.K))
    unseen = tracks["detection"] < 0
    boxes[unseen] = box_filter.coast(boxes[unseen], moment.dt_s, rules.box)
    tracks["box"] = box_filter.predict(boxes, moment.dt_s, rules.box)


def remember_sights(
    tracks: Tracks,
    which: Indices,
    seen: Observed,
    seen_as: Indices,
    moment: Moment[FrameDetections],
    rules: EvidenceRules,
    *,
    first: bool = False,
) -> None:
    """Boxes, keypoints in them, clothes, and whether they are people: of tracks ``which`` (k,), seen as ``seen_as``."""
    share = float(1 - np.exp(-moment.dt_s / rules.appearance_memory_s))
    remember_outlines(tracks, which, seen, seen_as, rules.box, first=first)
    remember_appearance(tracks, which, seen, seen_as, share, rules.appearance_overlap)
    if first:
        tracks["belief"][which] = np.minimum(seen.evidence[seen_as], rules.max_belief)
    else:
        tracks["belief"][which] = learned_belief(
            tracks["belief"][which], seen.evidence[seen_as], moment.dt_s,
            rules.belief_s, rules.belief_step_s, rules.max_belief,
        )  # fmt: skip


def lies_on_nobody(tracks: Tracks, seen: Observed, new: Indices, rules: EvidenceRules) -> Flags:
    """Whose skeleton, of the detections ``new`` (k,), lies on nobody's who is shown already.

    Those are where they are seen, else where the network sees them.
    """
    mine, theirs = online.seen_as(tracks)
    there = tracks["keypoints_px"].astype(np.float64)
    there[mine] = seen.keypoints[theirs]
    area = AREA_OF_BOX * box_area(seen.boxes_px[new])
    lies_on = oks(seen.keypoints[new], there[tracks["id"] > 0], area).max(-1, initial=0)
    return np.asarray(lies_on < rules.crowded_oks)


def astray(overlap: Floats, mine: Indices, theirs: Indices) -> Flags:  # (n, m), (k,), (k,) -> (k,)
    """Which of the tracks ``mine``, that are the detections ``theirs``, have their body rather on another of these."""
    among = overlap[np.ix_(mine, theirs)]
    others = np.where(np.eye(len(mine), dtype=bool), 0, among)
    return np.asarray(np.diagonal(among) < others.max(-1, initial=0))
