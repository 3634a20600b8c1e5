"""CoMotion as a tracker (paper 3, algorithm 1): everyone's pose updated from the pixels of every frame, online.

Detected boxes begin tracks and end them, by whether they agree with where the network says people are; they never
move anybody. Keypoints found in them do, unless that is switched off (`choros.comotion.keypoint_fit`).
`ComotionTracker` says what is CoMotion's own in a frame; the rest is `choros.tracking.online`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray

from choros.backbones.trunk import COARSEST_PX, ImageTrunk
from choros.body.onto_keypoints import KeypointFitRules
from choros.camera_motion.background import BackgroundRules
from choros.comotion.affinity import (
    ComotionAffinity,
    EvidenceRules,
    FrameDetections,
    astray,
    by_evidence,
    by_overlap,
    lies_on_nobody,
    remember_sights,
    walk_on,
)
from choros.comotion.alignment import AlignmentConfig
from choros.comotion.duplicates import lesser_of, on_one_person
from choros.comotion.heatmap_sampling import peaks
from choros.comotion.network import ComotionNetwork
from choros.comotion.person_states import NEAR_M, PersonStates, project_safely
from choros.comotion.tracked_fit import fit_tracks
from choros.comotion.tracks import fields, people_of, remember, turn_with_camera
from choros.crops import Letterbox
from choros.detection import PersonFinder
from choros.detection.finder import FinderOptions
from choros.detection.protocols import checked_detections
from choros.keypoints import box_area, box_iou
from choros.tracking.appearance import read_colours
from choros.tracking.fitted import FITTED
from choros.tracking.lifecycle import LifeRules, likely
from choros.tracking.online import (
    Flags,
    Indices,
    Moment,
    OnlineTracker,
    Tracks,
    Verdict,
    seen_as,
)
from choros.video.cuts import CutRules

Floats = NDArray[np.floating]

#: Pictures of few sizes, of sides that the trunk's strides divide: onnxruntime plans each size anew.
FINER_STEP = 0.25


@dataclass(frozen=True)
class TrackerConfig:
    """When people begin and end. Times are in seconds, so frame rates do not enter.

    A box below ``life.birth_score`` counts for nothing: 0.3, or 0.7 where people are to be certain (paper 5). Who
    is unmatched for ``life.lost_s``, or out of view for ``life.outside_s``, ends (paper 3). The paper shows
    everybody at once; here a box of little certainty must come twice (`LifeRules`), and a faint one only keeps who
    is there, for the embedded detector is a small one, to which signs and cones look like people.
    """

    life: LifeRules = field(
        default_factory=lambda: LifeRules(birth_score=0.3, confirm_crowded_s=0.7, lost_s=1.0, outside_s=0.5)
    )
    # Ours: of a box that begins somebody; fainter ones only keep. What the embedded detector is tuned for.
    begin_score: float = 0.4
    min_height_px: float = FinderOptions.min_height_px  # of a box that counts
    min_iou: float = 0.3  # ours: of a box and a body that agree; a half hidden person has half a box
    loyalty: float = 0.2  # ours: how much the past of a track weighs when two could have a box
    crowded_iou: float = 0.1  # ours: overlap with somebody tracked that makes a new person doubtful
    min_inside: float = 0.15  # release: share of the keypoints in the image that counts as being in view
    clothes_m: float = 0.03  # ours: that clothes and hair stand out from the body, in boxes
    visible_s: float = 0.2  # ours: a detector that misses a frame or two hides nobody
    agreement_memory_s: float = 1.0  # ours
    # Ours: two tracks this alike are on one person, if they stand in one place, which these weights tell to about
    # this share of the distance; two confirmed tracks must be so for a time, others for none. (Release: 0.6.)
    same_oks: float = 0.4
    same_m: float = 0.5
    same_share: float = 0.15
    merge_s: float = 0.4
    # Ours: up to so many times finer than the network's square the picture is shown to a network that reads heatmaps
    # (`ComotionConfig.evidence`), so that people have about this height in it, which it is best at.
    finest: float = 1.5
    best_height_px: float = 180.0
    alignment: AlignmentConfig | None = field(default_factory=AlignmentConfig)  # ours, after every update
    # Ours, of who is detected; None is the paper's system, which no keypoints move. The network goes on from there,
    # but in a crowd, where it knows better who is who.
    keypoint_fit: KeypointFitRules | None = field(default_factory=KeypointFitRules)
    evidence: EvidenceRules = field(
        default_factory=EvidenceRules
    )  # of who is who, where keypoints are looked at
    cuts: CutRules = field(default_factory=CutRules)  # ours: nobody is followed into another shot
    background: BackgroundRules = field(
        default_factory=BackgroundRules
    )  # ours: predictions turn with the camera
    # Ours: evidence of a keypoint is the heatmap's peak within so many sizes of the person, and higher than this.
    evidence_reach: float = 0.15
    least_logit: float = -2.0

    def pixels_alone(self) -> TrackerConfig:
        """The same without keypoints."""
        return replace(self, keypoint_fit=None)

    def strict(self) -> TrackerConfig:
        """The same for certain people only (paper 5)."""
        return replace(self, life=replace(self.life, birth_score=0.7))


class ComotionTracker(OnlineTracker[FrameDetections, ComotionAffinity]):
    """What CoMotion does in a frame; it keeps nothing of a video but its tracks.

    ``trunk`` gives the maps of the network's own.
    """

    def __init__(
        self, network: ComotionNetwork, trunk: ImageTrunk, finder: PersonFinder, config: TrackerConfig
    ) -> None:
        self._network, self._trunk, self._finder, self._config = network, trunk, finder, config
        self.fields = fields(network.config.hidden_width if network.config.hidden_state else 0)

    @torch.inference_mode()
    def detect(
        self, image: NDArray[np.uint8], boxes_px: NDArray[np.float32] | None = None
    ) -> FrameDetections:
        """A picture encoded, and its people's boxes, with keypoints if they count."""
        boxes, scores, keypoints = self._found(image, boxes_px)
        height, width = image.shape[:2]
        config = self._network.config
        finer = self._finer(boxes * config.image_size_px / max(width, height), scores)
        letterbox = Letterbox(width, height, round(config.image_size_px * finer))
        square = letterbox.cut(image)
        x0, y0, x1, y1 = (0, 0, *square.shape[:2]) if config.padded else letterbox.content_px(COARSEST_PX)
        part = torch.tensor(square[y0:y1, x0:x1], device=self._network.body.device)
        maps = self._trunk(part.permute(2, 0, 1)[None].float() / 255)
        encoder = self._network.encoder
        tokens = encoder.tokens(encoder.taken(maps), (x0 / finer, y0 / finer), finer)
        colours = None if keypoints is None else read_colours(image, keypoints.astype(np.float64))
        return FrameDetections(tokens, boxes, scores, keypoints, colours)

    @torch.inference_mode()
    def predict(self, tracks: Tracks, moment: Moment[FrameDetections]) -> None:
        """Everybody as the network sees them in this frame's pixels; boxes have no part in it."""
        tracks["on_keypoints"] = False
        if not len(tracks):
            return
        if moment.turn is not None:
            turn_with_camera(tracks, moment.turn)
        if moment.found.keypoints is not None:
            walk_on(tracks, moment, self._config.evidence)
        remember(tracks, self._updated(moment, people_of(tracks, self._network.body.device)))
        self._place(tracks, moment)

    def affinity(self, tracks: Tracks, moment: Moment[FrameDetections]) -> ComotionAffinity:
        """By all that keypoints tell; without them by overlap and the past, for which see ``loyalty``."""
        config, found = self._config, moment.found
        boxes_px = found.boxes_px
        in_picture_px = _cut(boxes_px, moment)
        counts = (found.scores >= config.life.birth_score) & (box_area(in_picture_px) > 0)
        counts &= boxes_px[:, 3] - boxes_px[:, 1] >= config.min_height_px
        bodies_px = _cut(tracks["box_px"], moment)
        if found.keypoints is not None:
            return by_evidence(tracks, moment, box_iou(bodies_px, in_picture_px), counts, config.evidence)
        loyalty = config.loyalty * tracks["agreement"]
        return by_overlap(bodies_px, in_picture_px, loyalty, config.min_iou, counts)

    @torch.inference_mode()
    def measure(self, tracks: Tracks, affinity: ComotionAffinity, moment: Moment[FrameDetections]) -> None:
        """Note how boxes agree with the tracks, and put people on their keypoints.

        Those are they who are detected by themselves, or whom the network sees rather where somebody else is.
        """
        mine, theirs = seen_as(tracks)
        now = np.zeros(len(tracks))
        now[mine] = affinity.overlap[mine, theirs]
        share = 1 - np.exp(-moment.dt_s / self._config.agreement_memory_s)
        tracks["agreement"] += share * (now - tracks["agreement"])
        if affinity.seen is None:
            return
        remember_sights(tracks, mine, affinity.seen, theirs, moment, self._config.evidence)
        others = box_iou(tracks["box_px"][mine], tracks["box_px"]) * (mine[:, None] != np.arange(len(tracks)))
        alone = others.max(-1, initial=0) <= self._config.crowded_iou
        moved = mine[alone | astray(affinity.overlap, mine, theirs)]
        seen = tracks[moved]
        self._put_on_keypoints(seen, seen["detection"], moment)
        tracks[moved] = seen

    def newcomers(self, tracks: Tracks, affinity: ComotionAffinity, moment: Moment[FrameDetections]) -> Flags:
        """Faint boxes only keep who is there, but for plain skeletons at the beginning."""
        return affinity.counts & ((moment.found.scores >= self._config.begin_score) | self._likely(moment))

    @torch.inference_mode()
    def begin(
        self,
        tracks: Tracks,
        new: Indices,
        affinity: ComotionAffinity,
        moment: Moment[FrameDetections],
        born: Tracks,
    ) -> None:
        """New people are initialised, then updated once as in training (paper 4).

        The update sees those who are there already, so that the new take other pixels.
        """
        boxes_px = _cut(moment.found.boxes_px[new], moment)
        square_px = self._letterbox(moment).to_crop(boxes_px.reshape(-1, 2, 2)).reshape(1, -1, 4)
        begun = self._network.initialise(moment.found.image, self._tensor(square_px), self._K(moment))
        everyone = people_of(tracks, self._network.body.device).joined(begun)
        updated = self._updated(moment, everyone)
        remember(born, updated.chosen(torch.arange(len(tracks), len(tracks) + len(born))))
        self._place(born, moment)
        born["apart_s"], born["fitted_s"] = moment.time_s, -np.inf
        born["crowded"] = (affinity.overlap[:, new] > self._config.crowded_iou).any(0)
        born["agreement"] = np.diagonal(box_iou(_cut(born["box_px"], moment), boxes_px))
        if affinity.seen is not None:
            certain = moment.found.scores[new] >= self._config.life.certain_score
            born["crowded"] &= ~(certain & lies_on_nobody(tracks, affinity.seen, new, self._config.evidence))
            remember_sights(
                born, np.arange(len(born)), affinity.seen, new, moment, self._config.evidence, first=True
            )
        alone = ~born["crowded"]
        seen = born[alone]
        self._put_on_keypoints(seen, new[alone], moment)
        born[alone] = seen

    def judge(self, tracks: Tracks, sure: Flags, moment: Moment[FrameDetections]) -> Verdict:
        """Who is confirmed is shown, or likely there in a shot's first frame.

        Of two tracks that are on one person for a while, one ends; without keypoints also where both have a box.
        """
        config, now_s = self._config, moment.time_s
        same = on_one_person(
            tracks["keypoints_px"], tracks["box_px"], tracks["pelvis_cam"],
            config.same_oks, config.same_m, config.same_share,
        )  # fmt: skip
        mine, theirs = seen_as(tracks)
        if moment.found.keypoints is not None:
            same[np.ix_(mine, mine)] = False  # two skeletons are two people, wherever the network sees them
        lesser = lesser_of(tracks, same)
        tracks["apart_s"][~lesser] = now_s
        double = lesser & ((tracks["id"] == 0) | (now_s - tracks["apart_s"] > config.merge_s + 1e-9))
        likely_new = np.zeros(len(tracks), bool)
        likely_new[mine] = self._likely(moment)[theirs]
        shown, stays = sure | likely_new, ~double
        if moment.found.keypoints is not None:
            belief = tracks["belief"]
            shown &= (tracks["id"] > 0) | likely_new | moment.given | (belief > 0)
            stays &= (belief >= config.evidence.min_belief) | ~shown | likely_new
        return Verdict(tracks["in_picture"].mean(-1) > config.min_inside, shown, stays)

    @torch.inference_mode()
    def describe(
        self, rows: NDArray[np.void], tracks: Tracks, shown: Flags, moment: Moment[FrameDetections]
    ) -> None:
        """Bodies of the shown; keypoints as they were found in their boxes, else as the heatmaps show them.

        Who is in a crowd is put on their keypoints here alone, so that another's cannot lead the network astray.
        """
        some = tracks[shown]
        mine, theirs = seen_as(some)
        if moment.found.keypoints is not None:
            crowded = mine[~some["on_keypoints"][mine]]
            seen = some[crowded]
            self._put_on_keypoints(seen, seen["detection"], moment)
            some[crowded] = seen
            theirs_too = np.flatnonzero(shown)[crowded]
            for name in FITTED:
                tracks[name][theirs_too] = seen[name]
        if len(some):
            body = self._network.body
            params = people_of(some, body.device).params(body)
            for name in ("global_orient", "body_pose", "betas", "transl"):
                rows[name] = getattr(params, name)[0].cpu().numpy()
        visible = moment.time_s - some["seen_s"] <= self._config.visible_s + 1e-9
        rows["visible"], rows["confidence"] = visible, some["agreement"]
        rows["box_px"] = np.where(visible[:, None], _cut(some["box_px"], moment), some["box_px"])
        if moment.found.keypoints is not None:
            rows["keypoints_px"][mine] = moment.found.keypoints[theirs]
            visible[mine] = False  # of the others the heatmaps show something
        if visible.any():
            rows["keypoints_px"][visible] = self._evidence(tracks, moment)[shown][visible]

    # ----------------------------------------------------------------------------------------------

    def _found(
        self, image: NDArray[np.uint8], boxes_px: NDArray[np.float32] | None
    ) -> tuple[Floats, Floats, Floats | None]:
        """Boxes (m, 4) and scores (m,) of a picture's people, and keypoints (m, 17, 3) if they count."""
        if self._config.keypoint_fit is not None:
            people = self._finder.find(image, boxes_px)
            return people.boxes_px, people.scores, people.keypoints
        if boxes_px is not None:
            return boxes_px, np.ones(len(boxes_px), np.float32), None
        return *checked_detections(self._finder.detector, image), None

    def _put_on_keypoints(self, tracks: Tracks, detections: Indices, moment: Moment[FrameDetections]) -> None:
        """Move the ``tracks`` (k,) onto the keypoints of the ``detections`` (k,) that they are, if that is wanted."""
        keypoints, rules = moment.found.keypoints, self._config.keypoint_fit
        if keypoints is None or rules is None or not len(tracks):
            return
        fit_tracks(tracks, self._network.body, keypoints[detections], moment.K, moment.time_s, rules)
        self._place(tracks, moment)

    def _likely(self, moment: Moment[FrameDetections]) -> Flags:
        """Who of the detections (m,) need not be seen again: in the first frame of a shot, and by keypoints alone."""
        found = moment.found
        if found.keypoints is None or not moment.begins_shot:
            return np.zeros(len(found.scores), bool)
        return likely(self._config.life, found.scores, found.keypoints[..., 2].mean(-1))

    def _finer(self, boxes_px: Floats, scores: Floats) -> float:
        """How many times finer than its square the network is to see a picture with people in these boxes of it."""
        config = self._config
        sure = boxes_px[scores >= config.begin_score]
        if not len(sure) or not self._network.config.evidence:
            return 1.0
        wanted = config.best_height_px / max(float(np.median(sure[:, 3] - sure[:, 1])), 1.0)
        return min(max(1.0, round(wanted / FINER_STEP) * FINER_STEP), config.finest)

    def _letterbox(self, moment: Moment[FrameDetections]) -> Letterbox:
        return Letterbox(moment.width, moment.height, self._network.config.image_size_px)

    def _K(self, moment: Moment[FrameDetections]) -> torch.Tensor:
        """Intrinsics of the network's square, (1, 3, 3) px."""
        return self._tensor(self._letterbox(moment).K(moment.K))[None]

    def _updated(self, moment: Moment[FrameDetections], people: PersonStates) -> PersonStates:
        """``people`` of the frame before in this one."""
        image, K, how = moment.found.image, self._K(moment), self._config.alignment
        updated = self._network.update(image, people, K)
        return updated if how is None else self._network.align(image, updated, K, how)

    def _place(self, tracks: Tracks, moment: Moment[FrameDetections]) -> None:
        """Note where the tracks' bodies are in the picture."""
        body = self._network.body
        K = self._tensor(moment.K)
        params = people_of(tracks, K.device).params(body)
        keypoints_cam = body.keypoints(params)[0]
        skin_px = project_safely(body.vertices(params)[0], K).cpu().numpy()
        points_px = project_safely(keypoints_cam, K).cpu().numpy()
        in_front = (keypoints_cam[..., 2] > NEAR_M).cpu().numpy()
        inside = in_front & ((points_px >= 0) & (points_px < [moment.width, moment.height])).all(-1)
        metre_px = moment.K[[0, 1], [0, 1]] / np.maximum(tracks["pelvis_cam"][:, 2:], NEAR_M)
        clothes_px = self._config.clothes_m * metre_px
        tracks["box_px"] = np.concatenate([skin_px.min(1) - clothes_px, skin_px.max(1) + clothes_px], -1)
        tracks["keypoints_px"] = np.concatenate([points_px, in_front[..., None]], -1)
        tracks["in_picture"] = inside

    def _evidence(self, tracks: Tracks, moment: Moment[FrameDetections]) -> Floats:
        """What the heatmaps show of everybody, (n, 17, 3) x_px, y_px, confidence; 0 where they show nothing."""
        network, config, letterbox = self._network, self._config, self._letterbox(moment)
        expected_px = np.ascontiguousarray(tracks["keypoints_px"])
        if not network.config.evidence:
            return np.zeros_like(expected_px)
        metre_px = letterbox.K(moment.K)[0, 0] / np.maximum(tracks["pelvis_cam"][:, 2], NEAR_M)
        at_px = letterbox.to_crop(expected_px[..., :2])
        found = peaks(
            moment.found.image, self._tensor(at_px), self._tensor(network.config.standing_height_m * metre_px),
            config.evidence_reach, config.least_logit,
        ).cpu().numpy().astype(np.float64)  # fmt: skip
        found[..., :2] = letterbox.from_crop(found[..., :2])
        there = (found[..., 2] > 0) & (expected_px[..., 2] > 0)
        there &= ((found[..., :2] >= 0) & (found[..., :2] < [moment.width, moment.height])).all(-1)
        return np.where(there[..., None], found, 0)

    def _tensor(self, array: Floats) -> torch.Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self._network.body.device)


def _cut(boxes_px: Floats, moment: Moment[FrameDetections]) -> Floats:
    """Boxes (n, 4) xyxy px without what lies beyond the picture's edge."""
    return np.clip(boxes_px, 0, np.array([moment.width, moment.height] * 2, boxes_px.dtype))
