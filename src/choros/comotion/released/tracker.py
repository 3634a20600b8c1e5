"""The released CoMotion as a tracker: its own detector begins people and tells how they do, its update follows them.

Rules are those of the released code, which counts frames; here they are told in seconds, at its 30 frames a second.
Left out are what are plainly slips there: of two young tracks on one person the one that agrees less ends (its code
names the other where the second is young), and shots are told by choros.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.body import BodyModel, BodyParams
from choros.camera import intrinsics
from choros.camera_motion.background import BackgroundRules
from choros.comotion.released.detection import SIDE_PX, Found
from choros.comotion.released.files import Released
from choros.comotion.released.points import best_of, likeness, points_cam
from choros.comotion.released.update import WIDTH, Updated
from choros.crops import Letterbox
from choros.keypoints import box_iou
from choros.rotation import rotmat_to_rotvec, rotvec_to_rotmat
from choros.tracking.lifecycle import LifeRules
from choros.tracking.online import Affinity, Flags, Indices, Moment, OnlineTracker, Tracks, Verdict
from choros.video.cuts import CutRules

Floats = NDArray[np.floating]

NEAR_M = 0.05
#: Candidates among which whoever is in given boxes is looked for, at least.
MOST_GIVEN = 64


@dataclass(frozen=True)
class ReleasedRules:
    """The released rules (`utils/track.py`), its frames at 30 a second as seconds."""

    #: Everybody whom it finds is shown at once; ends are its own (`judge`).
    life: LifeRules = field(
        default_factory=lambda: LifeRules(
            certain_score=0.0, birth_score=0.2, first_score=0.0, confirm_s=0.0, confirm_crowded_s=0.0,
            doubt_s=1e6, lost_s=1e6, outside_s=1e6,
        )
    )  # fmt: skip
    candidate: float = 0.1  # probability of a detection that counts
    same: float = 0.4  # likeness of two detections of one person
    begin: float = 0.2  # probability of a detection that begins somebody
    taken: float = 0.2  # likeness to a track from which on a detection is that person
    consistent: float = 0.75  # likeness of a new person before and after the first update
    memory_s: float = -1 / (30 * float(np.log(0.8)))  # of means that keep .8 a frame
    least: float = 0.15  # of those means, and of a young person's likeness
    young_s: float = 3 / 30
    same_track: float = 0.6  # likeness of two tracks that may be one person's
    both_young_s: float = 5 / 30
    #: Of a second over which two older ones were the same, more than this share ends one.
    doubled: float = 20 / 30
    margin: float = 0.05  # of boxes, of the longer side
    visible_s: float = 0.2  # ours: how long somebody is seen without a detection
    cuts: CutRules = field(default_factory=CutRules)
    background: BackgroundRules = field(default_factory=BackgroundRules)


class ReleasedDetections(NamedTuple):
    """What one picture shows by itself."""

    features: Tensor  # (1, 256, 64, 64) for the update
    boxes_px: Floats  # (m, 4) xyxy
    scores: Floats  # (m,)
    points_px: Floats  # (m, 27, 2)
    rotvec: Floats  # (m, 24, 3) axis-angle, rad
    betas: Floats  # (m, 10)
    transl: Floats  # (m, 3) metres


@dataclass(frozen=True)
class ReleasedAffinity(Affinity):
    """Likeness of tracks and detections."""

    alike: Floats  # (n, m)


FIELDS: list[Any] = [
    ("match", "f8"),  # recent mean of the likeness to the nearest detection
    ("now", "f8"),  # that likeness in this frame
    ("inside", "f8"),  # recent mean of the share of points in the picture
    ("doubled", "f8"),  # share of the last second in which an older track was on the same person
    ("consistent", "?"),  # the first update left them where they were found
    ("rotvec", "f4", (24, 3)),
    ("betas", "f4", (10,)),
    ("transl", "f4", (3,)),
    ("hidden", "f4", (WIDTH,)),
    ("points_cam", "f4", (27, 3)),
    ("points_px", "f4", (27, 2)),
    ("box_px", "f8", (4,)),
]


class ReleasedTracker(OnlineTracker[ReleasedDetections, ReleasedAffinity]):
    """What the released CoMotion does in a frame. ``K`` (3, 3) is the stream's, None the default of the first size."""

    fields = FIELDS

    def __init__(
        self, released: Released, body: BodyModel, rules: ReleasedRules, K: NDArray[np.float64] | None = None
    ) -> None:
        self._released, self._body, self._rules, self._given_K = released, body, rules, K
        self._mean = rotvec_to_rotmat(released.mean_pose.to(body.device))

    @torch.inference_mode()
    def detect(
        self, image: NDArray[np.uint8], boxes_px: NDArray[np.float32] | None = None
    ) -> ReleasedDetections:
        """Everybody whom the detector sees; of given boxes those who are most in them, as far as it sees anybody."""
        height, width = image.shape[:2]
        box = Letterbox(width, height, SIDE_PX)
        K = intrinsics(width, height, K=self._given_K)
        square = torch.from_numpy(box.cut(image)).to(self._body.device).permute(2, 0, 1)[None].float() / 255
        found, features = self._released.detector(square, self._tensor(box.K(K)[:2])[None])
        found = Found(*(part[0] for part in found))
        chance = found.confidence.sigmoid()
        kept = (chance > self._rules.candidate).nonzero()[:, 0]
        if boxes_px is not None:
            kept = chance.argsort(descending=True)[: max(MOST_GIVEN, len(kept))]
        rotvec = self._posed(found.root_turn[kept], found.pose_turns[kept])
        params = _params(rotvec, found.betas[kept], found.transl[kept])
        points = points_cam(self._body, params).cpu().numpy()
        points_px = _seen(points, K)
        sure = chance[kept].cpu().numpy()
        if boxes_px is not None:
            boxes = _boxes(points_px, self._rules.margin)
            chosen = box_iou(boxes_px, boxes).argmax(-1)
            sure, boxes = np.ones(len(sure)), boxes_px
        else:
            chosen = best_of(points_px, sure, self._rules.same)
            boxes = _boxes(points_px[chosen], self._rules.margin)
        parts = (
            points_px,
            rotvec.cpu().numpy(),
            found.betas[kept].cpu().numpy(),
            found.transl[kept].cpu().numpy(),
        )
        return ReleasedDetections(features, boxes, sure[chosen], *(part[chosen] for part in parts))

    @torch.inference_mode()
    def predict(self, tracks: Tracks, moment: Moment[ReleasedDetections]) -> None:
        """Everybody as the update sees them in this frame."""
        if not len(tracks):
            return
        if moment.turn is not None:
            turn = np.asarray(moment.turn)
            tracks["points_cam"] = tracks["points_cam"] @ turn.T
            turned = turn @ rotvec_to_rotmat(tracks["rotvec"][:, 0].astype(np.float64))
            pelvis = tracks["points_cam"][:, 0]
            before = self._points(tracks)[:, 0]
            tracks["rotvec"][:, 0] = rotmat_to_rotvec(turned)
            tracks["transl"] += pelvis - before
        self._update(tracks, moment)

    def affinity(self, tracks: Tracks, moment: Moment[ReleasedDetections]) -> ReleasedAffinity:
        """Who is like which detection; each detection is taken by one, though the release lets all count it."""
        alike = likeness(tracks["points_px"].astype(np.float64), moment.found.points_px)
        return ReleasedAffinity(np.where(alike >= self._rules.taken, alike, -np.inf), alike)

    def measure(self, tracks: Tracks, affinity: ReleasedAffinity, moment: Moment[ReleasedDetections]) -> None:
        """How well everybody agrees with what is detected, and how much of them is in the picture."""
        tracks["now"] = affinity.alike.max(-1, initial=0.0)
        share = 1 - np.exp(-moment.dt_s / self._rules.memory_s)
        inside = _share_inside(tracks["points_px"], moment.width, moment.height)
        for name, now in (("match", tracks["now"]), ("inside", inside)):
            tracks[name] += share * (now - tracks[name])

    def newcomers(
        self, tracks: Tracks, affinity: ReleasedAffinity, moment: Moment[ReleasedDetections]
    ) -> Flags:
        """Who is like nobody that there is."""
        return (affinity.alike.max(0, initial=0.0) < self._rules.taken) & (
            moment.found.scores > self._rules.begin
        )

    @torch.inference_mode()
    def begin(
        self,
        tracks: Tracks,
        new: Indices,
        affinity: ReleasedAffinity,
        moment: Moment[ReleasedDetections],
        born: Tracks,
    ) -> None:
        """As detected, without memory, then updated in the same frame."""
        found = moment.found
        born["rotvec"], born["betas"], born["transl"] = found.rotvec[new], found.betas[new], found.transl[new]
        born["points_cam"] = self._points(born)
        before = _seen(born["points_cam"].astype(np.float64), moment.K)
        self._update(born, moment)
        after = born["points_px"].astype(np.float64)
        born["consistent"] = np.diagonal(likeness(before, after)) > self._rules.consistent
        born["now"] = np.diagonal(likeness(after, found.points_px[new]))
        born["match"] = born["now"]
        born["inside"] = _share_inside(born["points_px"], moment.width, moment.height)

    def judge(self, tracks: Tracks, sure: Flags, moment: Moment[ReleasedDetections]) -> Verdict:
        """Who is healthy and on nobody else's person."""
        rules, age_s = self._rules, moment.time_s - tracks["born_s"]
        healthy = (tracks["match"] >= rules.least) & (tracks["inside"] >= rules.least)
        healthy &= (age_s > rules.young_s) | (tracks["now"] >= rules.least)
        new = tracks["born_s"] == moment.time_s
        healthy &= ~new | tracks["consistent"]
        points = tracks["points_px"].astype(np.float64)
        alike = likeness(points, points) > rules.same_track
        np.fill_diagonal(alike, False)
        lesser = tracks["match"][:, None] < tracks["match"][None]
        lesser |= (tracks["match"][:, None] == tracks["match"][None]) & (
            np.arange(len(tracks))[:, None] > np.arange(len(tracks))
        )
        worse = alike & lesser  # (n, n): the row agrees less than the column
        young = age_s < rules.both_young_s
        at_once = (worse & young[:, None] & young[None]).any(-1)
        share = 1 - np.exp(-moment.dt_s)
        tracks["doubled"] += share * (worse.any(-1) - tracks["doubled"])
        # A mean over a second comes to 1 - exp(-t) in t seconds of nothing else.
        doubled = tracks["doubled"] > 1 - np.exp(-rules.doubled)
        everyone = np.ones(len(tracks), bool)
        stays = everyone if moment.given else healthy & ~at_once & ~doubled
        return Verdict(everyone, stays, stays)

    def describe(
        self,
        rows: NDArray[np.void],
        tracks: Tracks,
        shown: Flags,
        moment: Moment[ReleasedDetections],
    ) -> None:
        """Bodies of the shown; it has no keypoints that are evidence."""
        some = tracks[shown]
        rows["global_orient"], rows["body_pose"] = some["rotvec"][:, 0], some["rotvec"][:, 1:].reshape(-1, 69)
        rows["betas"], rows["transl"] = some["betas"], some["transl"]
        rows["visible"] = moment.time_s - some["seen_s"] <= self._rules.visible_s + 1e-9
        rows["confidence"] = np.clip(some["match"], 0, 1)
        edge = np.array([moment.width, moment.height] * 2)
        cut = np.clip(some["box_px"], 0, edge)
        rows["box_px"] = np.where(rows["visible"][:, None], cut, some["box_px"])

    # ----------------------------------------------------------------------------------------------

    def _update(self, tracks: Tracks, moment: Moment[ReleasedDetections]) -> None:
        """The tracks (n,) in the frame in hand, in place."""
        K = self._tensor(Letterbox(moment.width, moment.height, SIDE_PX).K(moment.K)[:2])[None]
        known = [
            self._tensor(tracks[name])[None] for name in ("betas", "rotvec", "transl", "points_cam", "hidden")
        ]
        known[1] = known[1].flatten(-2)
        said: Updated = self._released.updater(moment.found.features, K, *known)
        tracks["rotvec"] = self._posed(said.root_turn[0], said.pose_turns[0]).cpu().numpy()
        tracks["transl"], tracks["hidden"] = said.transl[0].cpu().numpy(), said.hidden[0].cpu().numpy()
        tracks["points_cam"] = self._points(tracks)
        tracks["points_px"] = _seen(tracks["points_cam"].astype(np.float64), moment.K)
        tracks["box_px"] = _boxes(tracks["points_px"].astype(np.float64), self._rules.margin)

    def _posed(self, root_turn: Tensor, pose_turns: Tensor) -> Tensor:
        """Axis-angles (n, 24, 3) of turns (n, 3) and (n, 69) from the mean pose."""
        turns = torch.cat([root_turn[:, None], pose_turns.unflatten(-1, (23, 3))], 1)
        return rotmat_to_rotvec(rotvec_to_rotmat(turns) @ self._mean)

    def _points(self, tracks: Tracks) -> Floats:
        params = _params(*(self._tensor(tracks[name]) for name in ("rotvec", "betas", "transl")))
        return np.asarray(points_cam(self._body, params).cpu().numpy())

    def _tensor(self, array: Floats) -> Tensor:
        return torch.tensor(np.ascontiguousarray(array), dtype=torch.float32, device=self._body.device)


def _params(rotvec: Tensor, betas: Tensor, transl: Tensor) -> BodyParams:
    return BodyParams(rotvec[:, 0], rotvec[:, 1:].flatten(-2), betas, transl)


def _seen(points: Floats, K: Floats) -> Floats:
    """Points (..., 3) metres in the picture, (..., 2) px."""
    at = points / np.maximum(points[..., 2:], NEAR_M)
    return np.asarray((at @ np.asarray(K).T)[..., :2])


def _boxes(points_px: Floats, margin: float) -> Floats:
    """Boxes (n, 4) around points (n, 27, 2), with a margin of the longer side."""
    low, high = points_px.min(1), points_px.max(1)
    room = margin * (high - low).max(-1, keepdims=True)
    return np.concatenate([low - room, high + room], -1)


def _share_inside(points_px: Floats, width: int, height: int) -> Floats:
    return np.asarray(((points_px >= 0) & (points_px < [width, height])).all(-1).mean(-1))
