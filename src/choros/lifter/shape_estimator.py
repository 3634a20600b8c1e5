"""Everybody's shape over their whole track: limbs from keypoints, girth from outlines, stature from the floor.

Three sources, each of constant size a person: ``body/shape_filter.py`` adds up what keypoints and outlines say of the
shape but for its size, which one camera cannot see; ``shared_floor.py`` compares people by the floor they share; a
height that somebody was told settles the rest. Each frame's answer is computed from these accounts anew.

``LifterTracker`` keeps the fields of ``FIELDS`` in its tracks and asks for shapes once a frame, after the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.gauss_newton import PosePrior
from choros.body.shape_filter import (
    KID,
    N_SHAPE,
    Belief,
    Measurement,
    PoseDoubt,
    ShapePrior,
    Shapes,
    believe,
    without,
    without_pose,
)
from choros.detection.silhouette import Segmenter, Silhouette
from choros.keypoints import RELATIVE_SIGMAS, box_iou
from choros.lifter import shared_floor
from choros.lifter.outline import OutlineRules, measure_outline

Floats = NDArray[np.float64]

#: What a track remembers of its shape.
FIELDS = [
    ("betas", "f8", (10,)),
    ("kid", "f8"),
    ("stature_m", "f8"),
    ("stature_std_m", "f8"),
    ("shape_information", "f8", (N_SHAPE, N_SHAPE)),
    ("shape_pull", "f8", (N_SHAPE,)),
    ("shape_s", "f8"),  # when keypoints were last measured
    ("outline_s", "f8"),
    ("outlines", "i4"),  # looks at the outline so far
    ("floor", "f8", (3, shared_floor.N_PITCHES)),
    ("floor_s", "f8"),
]


@dataclass(frozen=True)
class ShapeRules:
    """How often shapes are looked at, and how much a look says."""

    every_s: float = 0.4  # between measurements
    sight_s: float = 1.0  # seconds of one person that count as one independent sight
    most_sights: float = 10.0  # after which older ones fade: keypoints err the same way on the same clothes
    keypoint_std: float = 0.03  # share of the person's size, at confidence 1; the fit's are narrower
    keypoint_robust: float = 3.0
    min_confidence: float = 0.3
    min_keypoints: int = 8
    outline_every_s: float = 0.5
    most_outlines: int = 8
    outline_share: float = 1.0  # of a look at the outline: the next one shows the same clothes
    outline_height_px: float = 200.0  # of the person's box; smaller outlines say too little
    alone_iou: float = 0.3  # overlap with somebody else's box above which an outline is not looked at
    limit: float = 3.0  # of every beta
    given_height_std_m: float = 0.01
    prior: ShapePrior = field(default_factory=ShapePrior)
    doubt: PoseDoubt = field(default_factory=PoseDoubt)
    outline: OutlineRules = field(default_factory=OutlineRules)
    floor: shared_floor.FloorRules = field(default_factory=shared_floor.FloorRules)


class ShapeEstimator:
    """Shapes of the tracks of one stream; holds nothing of a video itself but ``gone``, see ``shared_floor.retire``.

    ``heights_m`` are statures by person, as somebody measured them. ``segmenter`` None looks at no outlines.
    """

    def __init__(
        self,
        body: BodyModel,
        prior: PosePrior,
        rules: ShapeRules | None = None,
        heights_m: Mapping[int, float] | None = None,
        segmenter: Segmenter | None = None,
    ) -> None:
        self.shapes, self._faces = Shapes.of(body), body.faces.numpy()
        self._pose_prior, self.rules = prior, rules or ShapeRules()
        self._heights_m, self._segmenter = dict(heights_m or {}), segmenter
        self._has_kid = body.has_kid

    def due(self, since_s: float) -> bool:
        """Whether it is time to measure, so long after the last time."""
        return since_s >= self.rules.every_s - 1e-6

    def begin(self, tracks: NDArray[np.void], time_s: float) -> None:
        """New tracks, of which nothing is known: the mean shape."""
        tracks["shape_s"], tracks["outline_s"], tracks["floor_s"] = -np.inf, -np.inf, time_s
        stature = self.shapes.stature
        tracks["stature_m"], tracks["stature_std_m"] = stature[0], np.linalg.norm(stature[1:KID])

    def see(
        self,
        tracks: NDArray[np.void],  # (n,) of those seen, fitted to this frame; changed in place
        keypoints: Floats,  # (n, 17, 3) x_px, y_px, confidence
        boxes_px: Floats,  # (n, 4)
        everybody_px: Floats,  # (m, 4) boxes of all people in the picture
        K: Floats,
        time_s: float,
        image: NDArray[np.uint8] | None = None,
    ) -> None:
        """Add what this frame says of the people in it. Shapes change in ``settle``."""
        if not len(tracks):
            return
        rules = self.rules
        tracks["floor"] = shared_floor.observe(
            tracks["floor"], keypoints, K, time_s - tracks["floor_s"], rules.floor
        )
        tracks["floor_s"] = time_s
        overlap = box_iou(boxes_px, everybody_px)
        own = overlap >= overlap.max(-1, keepdims=True, initial=0)
        alone = np.where(own, 0, overlap).max(-1, initial=0) <= rules.alone_iou
        tall = boxes_px[:, 3] - boxes_px[:, 1] >= rules.outline_height_px
        for i, track in enumerate(tracks):
            due_s = time_s - track["shape_s"]
            silhouette = None
            wanted = track["outlines"] < rules.most_outlines
            wanted &= time_s - track["outline_s"] >= rules.outline_every_s
            if image is not None and self._segmenter is not None and wanted and alone[i] and tall[i]:
                silhouette = self._segmenter.silhouette(image, boxes_px[i])
                track["outline_s"] = time_s
            weight = min(due_s, rules.sight_s) / rules.sight_s if np.isfinite(due_s) else rules.every_s
            self._measure(track, keypoints[i], K, weight, silhouette, everybody_px[~own[i]])
            track["shape_s"] = time_s

    def settle(self, tracks: NDArray[np.void], gone: shared_floor.Gone) -> None:
        """Everybody's shape as all accounts have it; who is seen keeps their place in the picture."""
        if not len(tracks):
            return
        accounts = [self._account(track) for track in tracks]
        beliefs = [self._beliefs(*account) for account in accounts]
        row = self.shapes.ankle_to_shoulder
        ruler = shared_floor.rulers(tracks["floor"], *self._log_lengths(beliefs), gone, self.rules.floor)
        for i, track in enumerate(tracks):
            kind = int(ruler.child[i] > 0.5)
            belief = beliefs[i][kind]
            length, std = belief.length(row)
            # What the floor added, as one more measurement of the length: logs are linear over so small a doubt.
            more = 1 / ruler.variance[i, kind] - (length / std) ** 2
            if more > 1e-6:
                pull = (ruler.log_length[i, kind] - np.log(length)) / ruler.variance[i, kind] / more
                precision, value = more / length**2, length * pull + row[1:] @ belief.shape
                information, sights = accounts[i]
                information = information + precision * np.outer(row[1:], row[1:])
                belief = believe(
                    information, sights + precision * value * row[1:], self.rules.prior, child=kind > 0
                )
            self._take(track, belief)

    def retire(self, gone: shared_floor.Gone, tracks: NDArray[np.void]) -> shared_floor.Gone:
        """The account of those who left, with these tracks in it."""
        if not len(tracks):
            return gone
        beliefs = [self._beliefs(*self._account(track)) for track in tracks]
        return shared_floor.retire(gone, tracks["floor"], *self._log_lengths(beliefs), self.rules.floor)

    def faded(self, gone: shared_floor.Gone, dt_s: float) -> shared_floor.Gone:
        """The account of those who left, some time later."""
        return shared_floor.faded(gone, dt_s, self.rules.floor)

    # ----------------------------------------------------------------------------------------------

    def _measure(
        self,
        track: np.void,
        keypoints: Floats,  # (17, 3)
        K: Floats,
        weight: float,
        silhouette: Silhouette | None,
        others_px: Floats,  # (m, 4)
    ) -> None:
        rules = self.rules
        shape = np.r_[track["betas"], track["kid"]]
        confidence = keypoints[:, 2]
        shown = confidence >= rules.min_confidence
        points = self.shapes.posed(self.shapes.coco17, shape, track["rotations"], track["transl"])
        if shown.sum() < rules.min_keypoints or points.places[:, 2].min() < 0.3:
            return
        size = track["stature_m"] / points.places[:, 2].mean()  # on the plane z = 1
        std = rules.keypoint_std * size * RELATIVE_SIGMAS / np.clip(confidence, 1e-3, 1)
        std = np.where(shown, std, np.inf)
        plane = (keypoints[:, :2] - K[:2, 2]) / [K[0, 0], K[1, 1]]
        seen = [Measurement.of_keypoints(plane, std, points, rules.keypoint_robust)]
        pose, doubt = (track["rotations"], track["transl"]), rules.doubt
        information, pull = without_pose(seen, pose[0], self._pose_prior, doubt)
        information, pull = weight * information, weight * pull
        if silhouette is not None:
            outline = measure_outline(
                self.shapes, self._faces, silhouette, K, shape, *pose, others_px, rules.outline
            )
            if outline is not None:
                track["outlines"] += 1
                # Clothes must not pass for stature: of that, outlines say nothing.
                more = without_pose([*seen, outline], pose[0], self._pose_prior, doubt)
                alone = more[0] - information / weight, more[1] - pull / weight
                more = without(*alone, self.shapes.stature[1:])
                information = information + rules.outline_share * more[0]
                pull = pull + rules.outline_share * more[1]
        keep = 1 - weight / rules.most_sights
        track["shape_information"] = keep * track["shape_information"] + information
        track["shape_pull"] = keep * track["shape_pull"] + pull + information @ shape

    def _account(self, track: np.void) -> tuple[Floats, Floats]:
        """Information and pull of a track's own sights, and of its height if that is given."""
        information, pull = track["shape_information"].copy(), track["shape_pull"].copy()
        if (height_m := self._heights_m.get(int(track["id"]))) is not None:
            stature, precision = self.shapes.stature, self.rules.given_height_std_m**-2
            information += precision * np.outer(stature[1:], stature[1:])
            pull += precision * (height_m - stature[0]) * stature[1:]
        return information, pull

    def _beliefs(self, information: Floats, pull: Floats) -> tuple[Belief, Belief]:
        """As an adult and as a child."""
        prior = self.rules.prior
        return believe(information, pull, prior, child=False), believe(information, pull, prior, child=True)

    def _log_lengths(self, beliefs: list[tuple[Belief, Belief]]) -> tuple[Floats, Floats, Floats]:
        """Log lengths and their standard deviations (n, 2), as adults and children, and chances of children (n,)."""
        row, rate = self.shapes.ankle_to_shoulder, self.rules.prior.child_rate
        lengths = np.array([[belief.length(row) for belief in both] for both in beliefs])  # (n, 2, 2)
        mean = np.maximum(lengths[..., 0], 0.2)
        odds = np.array([child.evidence - adult.evidence for adult, child in beliefs])
        odds = np.clip(odds + np.log(rate / (1 - rate)), -50, 50)
        chance = np.where(self._has_kid, 1 / (1 + np.exp(-odds)), 0.0)
        return np.log(mean), lengths[..., 1] / mean, chance

    def _take(self, track: np.void, belief: Belief) -> None:
        """Give a track its shape; the body grows or shrinks about the camera, so that it looks the same."""
        shape = np.clip(belief.shape, -self.rules.limit, self.rules.limit)
        stature = self.shapes.stature
        height = float(stature[0] + stature[1:] @ shape)
        before = self.shapes.joints[0] @ np.r_[1.0, track["betas"], track["kid"]]
        after = self.shapes.joints[0] @ np.r_[1.0, shape]
        track["transl"] = (track["transl"] + before) * (height / track["stature_m"]) - after
        track["betas"], track["kid"], track["stature_m"] = shape[:KID], min(shape[KID], 1.0), height
        track["stature_std_m"] = np.sqrt(stature[1:] @ belief.covariance @ stature[1:])
