"""CoMotion as a tracker (paper 3, algorithm 1): everyone's pose updated from the pixels of every frame, online.

Detected boxes begin tracks and end them, by whether they agree with where the network says people are; they never
move anybody. `ComotionStream` keeps one record a live track (`tracks`) and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from choros.camera import Letterbox
from choros.camera_motion.background import Background, BackgroundMotion, BackgroundRules, background
from choros.comotion.alignment import AlignmentConfig
from choros.comotion.encoder import ImageTokens
from choros.comotion.heatmap_sampling import peaks
from choros.comotion.network import ComotionNetwork
from choros.comotion.person_states import NEAR_M, PersonStates, project_safely
from choros.comotion.tracks import alike, outdone, people_of, remember, track_type, turned
from choros.comotion.trunk import COARSEST_PX, ImageTrunk
from choros.detection import Detector
from choros.detection.finder import FinderOptions
from choros.detection.protocols import checked_detections
from choros.errors import ChorosError
from choros.journal import State
from choros.keypoints import box_area, box_iou
from choros.motion import ROW
from choros.tracking.assignment import assign
from choros.tracking.lifecycle import LifeRules, confirmed, ended
from choros.tracking.steps import checked_picture, checked_step, first_K, stream_K
from choros.tracking.turns import Turn, in_turn, with_few_threads
from choros.video.cuts import CutDetector, CutRules, Sketch, sketch

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
    cuts: CutRules = field(default_factory=CutRules)  # ours: nobody is followed into another shot
    background: BackgroundRules = field(
        default_factory=BackgroundRules
    )  # ours: predictions turn with the camera
    # Ours: evidence of a keypoint is the heatmap's peak within so many sizes of the person, and higher than this.
    evidence_reach: float = 0.15
    least_logit: float = -2.0

    def strict(self) -> TrackerConfig:
        """The same for certain people only (paper 5)."""
        return replace(self, life=replace(self.life, birth_score=0.7))


class FrameFeatures(NamedTuple):
    """What one picture says by itself."""

    image: ImageTokens
    boxes_px: Floats  # (m, 4) xyxy of detected people, cut at the picture's edge
    scores: Floats  # (m,)
    width: int
    height: int
    behind: Background  # the people
    sketch: Sketch  # by which a cut is told


class Bodies(NamedTuple):
    """Tracked people in the image."""

    keypoints: Floats  # (n, 17, 3) x_px, y_px, 1 in front of the camera and 0 behind
    boxes_px: Floats  # (n, 4) xyxy of the whole person in clothes, hidden or beyond the edge
    inside: NDArray[np.bool_]  # (n, 17) keypoints that are in the picture

    def chosen(self, which: NDArray[np.bool_]) -> Bodies:
        return Bodies(self.keypoints[which], self.boxes_px[which], self.inside[which])

    def joined(self, others: Bodies) -> Bodies:
        return Bodies(
            np.concatenate([self.keypoints, others.keypoints]),
            np.concatenate([self.boxes_px, others.boxes_px]),
            np.concatenate([self.inside, others.inside]),
        )


class ComotionStream:
    """One video's tracks, frame by frame; `look` may run ahead in other threads, `follow` is in order.

    ``trunk`` gives the maps of the network's own; ``threads`` as of `systems.load`. ``K`` None assumes the
    default focal length of ``camera.py`` from the first frame's size.
    """

    def __init__(
        self,
        network: ComotionNetwork,
        trunk: ImageTrunk,
        detector: Detector,
        config: TrackerConfig,
        K: NDArray[np.float64] | None = None,
        threads: int | None = 1,
    ) -> None:
        self.turn, self.threads = Turn(), threads
        self._network, self._trunk, self._detector, self._config = network, trunk, detector, config
        self.K, self._size = stream_K(K), np.zeros(2, np.int64)  # until the first frame tells its size
        width = network.config.hidden_width if network.config.hidden_state else 0
        self._tracks = np.zeros(0, track_type(width))
        self._frame, self._now_s, self._last_id = -1, 0.0, 0
        self._given = False  # the people of the first frame were given, and stay the only ones
        self._cuts = CutDetector(config.cuts)
        self.cut_before = False  # whether another shot began with the last frame
        self._background = BackgroundMotion(config.background)

    @with_few_threads
    def encode(self, image: NDArray[np.uint8]) -> FrameFeatures:
        """A picture, (H, W, 3) uint8 RGB, encoded, and its people's boxes; needs nothing of other frames."""
        image = checked_picture(image)
        boxes, scores = checked_detections(self._detector, image)
        features = self._features(image, boxes, scores)
        there = (boxes[:, 3] - boxes[:, 1] >= self._config.min_height_px) & (box_area(features.boxes_px) > 0)
        return features._replace(boxes_px=features.boxes_px[there], scores=scores[there])

    @in_turn
    def update(self, image: NDArray[np.uint8], time_s: float) -> NDArray[np.void]:
        """The people of the next frame, (n,) ROW, camera axes: ``step`` of ``encode``."""
        return self.step(self.encode(image), time_s)

    @in_turn
    @with_few_threads
    def begin(
        self, image: NDArray[np.uint8], boxes_px: NDArray[np.floating], time_s: float
    ) -> NDArray[np.void]:
        """The first frame with the people in these boxes, (n, 4) xyxy px: persons 1 to n, for good.

        Nobody is added or dropped later; see ``stream.GivenStream`` and paper A.2.
        """
        image = checked_picture(image)
        time_s = checked_step(image.shape[1::-1], time_s, self._size, None)
        self._given = True
        boxes = np.asarray(boxes_px, np.float32).reshape(-1, 4)
        return self.step(self._features(image, boxes, np.ones(len(boxes), np.float32)), time_s)

    @in_turn
    @with_few_threads
    @torch.inference_mode()
    def step(self, features: FrameFeatures, time_s: float) -> NDArray[np.void]:
        """The people of the next frame, (n,) ROW, camera axes. ``time_s`` must not go back."""
        before_s = self._now_s if self._frame >= 0 else None
        time_s = checked_step((features.width, features.height), time_s, self._size, before_s)
        if not self._size.any():
            self.K, self._size = (
                first_K(self.K, features.width, features.height),
                np.array([features.width, features.height]),
            )
        self.cut_before = not self._given and self._cuts.step(features.sketch, time_s)
        if self.cut_before:
            self._tracks = self._tracks[:0]
            self._background = BackgroundMotion(self._config.background)
        dt_s = time_s - self._now_s if self._frame >= 0 and not self.cut_before else 0.0
        self._frame, self._now_s = self._frame + 1, time_s
        tracks, config = self._tracks, self._config

        letterbox = self._letterbox(features)
        K = self._tensor(letterbox.K(self.K))[None]
        turn = self._background.step(features.behind, self.K, time_s)
        if len(tracks):
            tracks = tracks if turn is None else turned(tracks, turn)
            people = self._updated(features, people_of(tracks, K.device), K)
            tracks = tracks.copy()
            remember(tracks, people)
        bodies = self._bodies(tracks, features)

        overlap = box_iou(_cut(bodies.boxes_px, features), features.boxes_px)
        new = self._agree(tracks, overlap, features, dt_s)
        if self._given:  # everybody of the first frame, and nobody later
            new = np.arange(len(features.boxes_px) if self._frame == 0 else 0)
        if len(new):
            born = self._born(tracks, features, new, K)
            born["crowded"] = (overlap[:, new] > config.crowded_iou).any(0)
            more = self._bodies(born, features)
            born["agreement"] = np.diagonal(box_iou(_cut(more.boxes_px, features), features.boxes_px[new]))
            tracks, bodies = np.concatenate([tracks, born]), bodies.joined(more)
        return self._report(tracks, bodies, features)

    @in_turn
    def state(self) -> State:
        """All that the next frame depends on, for a checkpoint."""
        return {
            "tracks": self._tracks,
            "clock": np.array([self._frame, self._last_id], np.int64),
            "now_s": np.array(self._now_s),
            "K": self.K,
            "size": self._size,
            "given": np.array(self._given),
            **self._cuts.state(),
            **self._background.state(),
        }

    @in_turn
    def restore(self, state: State) -> None:
        """Continue from ``state()`` of a stream with the same options and weights."""
        if state["tracks"].dtype != self._tracks.dtype:
            raise ChorosError("the checkpoint was written with other weights; track without --resume.")
        # A type that went through a file has forgotten its alignment.
        self._tracks, self.K = state["tracks"].astype(self._tracks.dtype), state["K"].copy()
        self._size = np.array(state.get("size", self._size))
        self._frame, self._last_id = (int(v) for v in state["clock"])
        self._now_s, self._given = float(state["now_s"]), bool(state["given"])
        self._cuts.restore(state)
        self._background.restore(state)

    # ----------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def _features(self, image: NDArray[np.uint8], boxes_px: Floats, scores: Floats) -> FrameFeatures:
        height, width = image.shape[:2]
        config = self._network.config
        finer = self._finer(boxes_px * config.image_size_px / max(width, height), scores)
        letterbox = Letterbox(width, height, round(config.image_size_px * finer))
        square = letterbox.image(image)
        x0, y0, x1, y1 = (0, 0, *square.shape[:2]) if config.padded else letterbox.content_px(COARSEST_PX)
        part = torch.tensor(square[y0:y1, x0:x1], device=self._network.body.device)
        maps = self._trunk(part.permute(2, 0, 1)[None].float() / 255)
        tokens = self._network.encoder.tokens(maps, (x0 / finer, y0 / finer), finer)
        behind = background(image, boxes_px, self._config.background)
        shown = sketch(image, self._config.cuts)
        features = FrameFeatures(tokens, boxes_px, scores, width, height, behind, shown)
        return features._replace(boxes_px=_cut(boxes_px, features))

    def _finer(self, boxes_px: Floats, scores: Floats) -> float:
        """How many times finer than its square the network is to see a picture with people in these boxes of it."""
        config = self._config
        sure = boxes_px[scores >= config.begin_score]
        if not len(sure) or not self._network.config.evidence:
            return 1.0
        wanted = config.best_height_px / float(np.median(sure[:, 3] - sure[:, 1]))
        return min(max(1.0, round(wanted / FINER_STEP) * FINER_STEP), config.finest)

    def _letterbox(self, features: FrameFeatures) -> Letterbox:
        return Letterbox(features.width, features.height, self._network.config.image_size_px)

    def _agree(
        self, tracks: NDArray[np.void], overlap: Floats, features: FrameFeatures, dt_s: float
    ) -> NDArray[np.intp]:
        """Note which boxes agree with the tracks, by their ``overlap`` (n, m); indices of boxes left for new ones."""
        config = self._config
        counts = features.scores >= config.life.birth_score
        # Of two tracks on one person, the one that boxes agreed with so far keeps them.
        wanted = overlap + config.loyalty * tracks["agreement"][:, None]
        mine, theirs = assign(np.where((overlap >= config.min_iou) & counts, wanted, -1.0), 0.0)
        now = np.zeros(len(tracks))
        now[mine] = overlap[mine, theirs]
        share = 1 - np.exp(-dt_s / config.agreement_memory_s)
        tracks["agreement"] += share * (now - tracks["agreement"])
        tracks["sights"][mine] += 1
        tracks["seen_s"][mine] = self._now_s
        tracks["score"][mine] = np.maximum(tracks["score"][mine], features.scores[theirs])
        counts[theirs] = False
        return np.flatnonzero(counts & (features.scores >= config.begin_score))

    def _born(
        self, tracks: NDArray[np.void], features: FrameFeatures, new: NDArray[np.intp], K: torch.Tensor
    ) -> NDArray[np.void]:
        """New tracks (m,) for the boxes ``new``: initialised, then updated once as in training (paper 4).

        The update sees those who are there already, so that the new take other pixels.
        """
        corners_px = features.boxes_px[new].reshape(-1, 2, 2)
        square_px = self._letterbox(features).to_square(corners_px).reshape(1, -1, 4)
        begun = self._network.initialise(features.image, self._tensor(square_px), K)
        everyone = people_of(tracks, K.device).joined(begun)
        updated = self._updated(features, everyone, K)
        born = np.zeros(len(new), self._tracks.dtype)
        remember(born, updated.chosen(torch.arange(len(tracks), len(tracks) + len(born))))
        born["sights"], born["score"] = 1, features.scores[new]
        for name in ("born_s", "seen_s", "inside_s", "apart_s"):
            born[name] = self._now_s
        return born

    def _updated(self, features: FrameFeatures, people: PersonStates, K: torch.Tensor) -> PersonStates:
        """``people`` of the frame before in this one."""
        updated, how = self._network.update(features.image, people, K), self._config.alignment
        return updated if how is None else self._network.align(features.image, updated, K, how)

    def _bodies(self, tracks: NDArray[np.void], features: FrameFeatures) -> Bodies:
        """The tracks' bodies in the picture."""
        if not len(tracks):
            return Bodies(np.zeros((0, 17, 3)), np.zeros((0, 4)), np.zeros((0, 17), bool))
        body = self._network.body
        K = self._tensor(self.K)
        params = people_of(tracks, K.device).params(body)
        keypoints_cam = body.keypoints(params)[0]
        skin_px = project_safely(body.vertices(params)[0], K).cpu().numpy()
        points_px = project_safely(keypoints_cam, K).cpu().numpy()
        in_front = (keypoints_cam[..., 2] > NEAR_M).cpu().numpy()
        inside = in_front & ((points_px >= 0) & (points_px < [features.width, features.height])).all(-1)
        metre_px = self.K[[0, 1], [0, 1]] / np.maximum(tracks["pelvis_cam"][:, 2:], NEAR_M)
        clothes_px = self._config.clothes_m * metre_px
        boxes_px = np.concatenate([skin_px.min(1) - clothes_px, skin_px.max(1) + clothes_px], -1)
        return Bodies(np.concatenate([points_px, in_front[..., None]], -1), boxes_px, inside)

    def _report(self, tracks: NDArray[np.void], bodies: Bodies, features: FrameFeatures) -> NDArray[np.void]:
        """End what must end, number who is new, and write the rows of this frame."""
        config, life, now_s = self._config, self._config.life, self._now_s
        sure = confirmed(
            life, tracks["sights"], tracks["score"], tracks["crowded"], tracks["born_s"], tracks["seen_s"]
        )
        shown = self._given | (tracks["id"] > 0) | sure
        in_view = bodies.inside.mean(-1) > config.min_inside
        tracks["inside_s"][in_view | (tracks["seen_s"] == now_s)] = now_s
        same = alike(
            bodies.keypoints, bodies.boxes_px, tracks["pelvis_cam"],
            config.same_oks, config.same_m, config.same_share,
        )  # fmt: skip
        lesser = outdone(tracks, same)
        tracks["apart_s"][~lesser] = now_s
        double = lesser & ((tracks["id"] == 0) | (now_s - tracks["apart_s"] > config.merge_s + 1e-9))
        stay = self._given | ~(ended(life, now_s, shown, tracks["seen_s"], tracks["inside_s"]) | double)
        tracks = self._tracks = tracks[stay]
        shown, bodies = shown[stay], bodies.chosen(stay)
        unnamed = np.flatnonzero(shown & (tracks["id"] == 0))
        tracks["id"][unnamed] = self._last_id + 1 + np.arange(len(unnamed))
        self._last_id += len(unnamed)

        rows = np.zeros(int(shown.sum()), ROW)
        if len(rows):
            body = self._network.body
            params = people_of(tracks[shown], body.device).params(body)
            for name in ("global_orient", "body_pose", "betas", "transl"):
                rows[name] = getattr(params, name)[0].cpu().numpy()
        rows["frame"], rows["person"] = self._frame, tracks["id"][shown]
        visible = now_s - tracks["seen_s"][shown] <= config.visible_s + 1e-9
        rows["visible"], rows["confidence"] = visible, tracks["agreement"][shown]
        boxes_px = bodies.boxes_px[shown]
        rows["box_px"] = np.where(visible[:, None], _cut(boxes_px, features), boxes_px)
        rows["keypoints_px"][visible] = self._evidence(tracks, bodies, features)[shown][visible]
        return rows[np.argsort(rows["person"])]

    def _evidence(self, tracks: NDArray[np.void], bodies: Bodies, features: FrameFeatures) -> Floats:
        """What the heatmaps show of everybody, (n, 17, 3) x_px, y_px, confidence; 0 where they show nothing."""
        network, config, letterbox = self._network, self._config, self._letterbox(features)
        if not network.config.evidence:
            return np.zeros_like(bodies.keypoints)
        metre_px = letterbox.K(self.K)[0, 0] / np.maximum(tracks["pelvis_cam"][:, 2], NEAR_M)
        at_px = letterbox.to_square(bodies.keypoints[..., :2])
        found = peaks(
            features.image, self._tensor(at_px), self._tensor(network.config.standing_height_m * metre_px),
            config.evidence_reach, config.least_logit,
        ).cpu().numpy().astype(np.float64)  # fmt: skip
        found[..., :2] = letterbox.to_image(found[..., :2])
        there = (found[..., 2] > 0) & (bodies.keypoints[..., 2] > 0)
        there &= ((found[..., :2] >= 0) & (found[..., :2] < [features.width, features.height])).all(-1)
        return np.where(there[..., None], found, 0)

    def _tensor(self, array: Floats) -> torch.Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self._network.body.device)


def _cut(boxes_px: Floats, features: FrameFeatures) -> Floats:
    """Boxes (n, 4) xyxy px without what lies beyond the picture's edge."""
    return np.clip(boxes_px, 0, np.array([features.width, features.height] * 2, boxes_px.dtype))
