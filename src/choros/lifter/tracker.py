"""The lifter system: detect people, lift each one's keypoints to a body, join them to tracks. Online.

``LifterStream`` keeps one record a live track and nothing else, so its memory depends on the people in view and its
state fits into a checkpoint.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.camera import project
from choros.camera_motion.background import Background, BackgroundMotion, background
from choros.detection import Detections, PersonFinder
from choros.detection.neighbours import estimate_apart
from choros.detection.silhouette import Segmenter
from choros.errors import ChorosError
from choros.journal import State
from choros.keypoints import AREA_OF_BOX, box_area, box_iou, oks
from choros.lifter.config import LifterSystemConfig
from choros.lifter.floor import nobody_gone
from choros.lifter.ghosts import Ghosts, ghosts_of_the_seen, pushed_behind
from choros.lifter.lift import Lifting, Past
from choros.lifter.shape import ShapeEstimator
from choros.lifter.shots import go_on, set_aside
from choros.lifter.tracks import coast, overlap_with_others, remember_clothes, remember_outlines, track_type
from choros.lifter.uprightness import nothing_seen, observe, up
from choros.motion import ROW
from choros.tracking import box_filter
from choros.tracking.appearance import Colours, read_colours
from choros.tracking.assignment import assign
from choros.tracking.box_filter import boxes_of
from choros.tracking.lifecycle import confirmed, ended, likely
from choros.tracking.likelihood import (
    Predicted,
    Seen,
    evidence,
    log_likelihood_ratio,
    log_place,
)
from choros.tracking.steps import checked_picture, checked_step, first_K, stream_K
from choros.tracking.turns import Turn, in_turn, with_few_threads
from choros.video.cuts import CutDetector, Sketch, sketch

Floats = NDArray[np.float64]


class FrameFeatures(NamedTuple):
    """What one picture shows."""

    people: Detections
    dress: Colours
    width: int
    height: int
    behind: Background | None = None  # the people; without it the camera counts as standing still
    image: NDArray[np.uint8] | None = None  # for a look at outlines, if wanted
    sketch: Sketch | None = None  # by which a cut is told, if wanted


class LifterStream:
    """One video's tracks, frame by frame; ``update`` is all there is to it.

    ``K`` None assumes the default focal length of ``camera.py`` from the first frame's size; ``threads`` as of
    `systems.load`.
    """

    def __init__(
        self,
        finder: PersonFinder,
        lifting: Lifting,
        config: LifterSystemConfig,
        K: Floats | None = None,
        segmenter: Segmenter | None = None,
        threads: int | None = 1,
    ) -> None:
        self.turn, self.threads = Turn(), threads
        self._finder, self._lifting, self._config = finder, lifting, config
        self.K, self._size = stream_K(K), np.zeros(2, np.int64)  # until the first frame tells its size
        self._left = np.zeros(0, track_type(lifting.hidden_width))  # followed when a shot ended
        self._frame, self._now_s, self._last_id = -1, 0.0, 0
        self._given = False  # the people of the first frame were given, and stay the only ones
        self._shapes = ShapeEstimator(lifting.body, lifting.prior, config.shape, config.heights_m, segmenter)
        self._cuts = CutDetector(config.cuts)
        self.cut_before = False  # whether another shot began with the last frame
        self._begin_shot()

    def _begin_shot(self) -> None:
        """Nobody is followed, and nothing known of camera and floor."""
        self._tracks = self._left[:0].copy()
        self._together = np.zeros((0, 0), bool)  # which tracks were ever seen in one frame
        self._people_upright = nothing_seen()
        self._up = up(self._people_upright, self._config.upright)
        self._background = BackgroundMotion(self._config.background)
        self._shaped_s, self._gone = -np.inf, nobody_gone()

    @with_few_threads
    def encode(self, image: NDArray[np.uint8]) -> FrameFeatures:
        """Who is in a picture, (H, W, 3) uint8 RGB, and what they wear; needs nothing of other frames."""
        image = checked_picture(image)
        return self._features(image, self._finder.find(image))

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

        Nobody is added or dropped later; see ``stream.GivenStream``.
        """
        image = checked_picture(image)
        time_s = checked_step(image.shape[1::-1], time_s, self._size, None)
        self._given = True
        boxes = np.asarray(boxes_px, np.float32)
        keypoints = estimate_apart(self._finder.keypoints, image, boxes)
        people = Detections(boxes, np.ones(len(boxes), np.float32), keypoints)
        return self.step(self._features(image, people), time_s)

    @in_turn
    @with_few_threads
    def step(self, features: FrameFeatures, time_s: float) -> NDArray[np.void]:
        """The people of the next frame, (n,) ROW, camera axes. ``time_s`` must not go back."""
        people, dress, width, height, behind, image, shown = features
        before_s = self._now_s if self._frame >= 0 else None
        time_s = checked_step((width, height), time_s, self._size, before_s)
        if not self._size.any():
            self.K, self._size = first_K(self.K, width, height), np.array([width, height])
        self.cut_before = shown is not None and not self._given and self._cuts.step(shown, time_s)
        if self.cut_before:
            if self._config.same_people:
                self._left = set_aside(self._left, self._tracks)
            self._begin_shot()
        dt_s = time_s - self._now_s if self._frame >= 0 and not self.cut_before else 0.0
        self._frame, self._now_s = self._frame + 1, time_s
        tracks, config = self._tracks, self._config

        tracks["transl"] += tracks["velocity_m_s"] * dt_s
        if behind is not None:
            self._turn(self._background.step(behind, self.K, time_s))
        tracks["transl"][:, 2] = np.maximum(tracks["transl"][:, 2], 0.3)
        tracks["box"] = box_filter.predict(tracks["box"], dt_s, config.box)
        keypoints = people.keypoints.astype(np.float64)
        glance_cam = self._lifting.glance(keypoints, self.K) if len(people) else np.zeros((0, 3))
        expected = self._expected(time_s)
        sure = evidence(people.scores.astype(np.float64), keypoints, config.alike)
        boxes_px = people.boxes_px.astype(np.float64)
        seen = Seen(boxes_px, keypoints, glance_cam[:, 2], dress, sure, overlap_with_others(boxes_px))
        bodily = (keypoints[..., 2] >= config.confident).sum(-1) >= config.min_keypoints
        dim = (keypoints[..., 2] >= config.dim).sum(-1) >= config.min_keypoints
        bodily |= dim & (people.scores >= config.life.certain_score)
        ratio = log_likelihood_ratio(expected, seen, config.alike, config.box)
        mine, theirs = assign(np.where(bodily, ratio, -np.inf), 0.0)
        place = log_place(expected, seen, config.alike, config.box) > config.same_place_log
        in_place = np.where(place, ratio, -np.inf)
        ghosts = ghosts_of_the_seen(in_place, self._together, mine, theirs, config.min_ghost_ratio)

        self._see(tracks, mine, keypoints[theirs], people.scores[theirs], time_s)
        remember_outlines(tracks, mine, seen, theirs, config.box)
        learned = sure[theirs] * min(dt_s, config.belief_step_s) / config.belief_s
        tracks["belief"][mine] = np.minimum(tracks["belief"][mine] + learned, config.max_belief)
        rules = config.upright
        self._people_upright = observe(self._people_upright, keypoints[theirs], self.K, dt_s, rules)
        self._up = up(self._people_upright, rules)
        dress_share = 1 - np.exp(-dt_s / config.dress_memory_s)
        remember_clothes(tracks, mine, seen, theirs, dress_share, config.dress_overlap)
        coast(tracks, np.setdiff1d(np.arange(len(tracks)), mine), dt_s, config.coast_memory_s, config.box)
        seen_box = np.full((len(tracks), 4), np.nan)
        seen_keypoints = np.zeros((len(tracks), 17, 3))
        seen_box[mine], seen_keypoints[mine] = people.boxes_px[theirs], keypoints[theirs]

        self._haunt(ghosts, mine)
        new = self._newcomers(people, bodily, theirs, seen_keypoints[mine])
        crowded = place[:, new].any(0)
        crowded |= (
            box_iou(people.boxes_px[new], people.boxes_px[theirs]).max(-1, initial=0) > config.crowded_iou
        )
        crowded &= ~self._stands_out(people[new], seen_keypoints)
        tracks = self._tracks = np.concatenate([tracks, np.zeros(len(new), tracks.dtype)])
        born = np.arange(len(tracks) - len(new), len(tracks))
        tracks["born_s"][born] = tracks["inside_s"][born] = time_s
        tracks["crowded"][born] = crowded
        self._see(tracks, born, keypoints[new], people.scores[new], time_s, first=True)
        remember_clothes(tracks, born, seen, new, dress_share, config.dress_overlap)
        tracks["belief"][born] = np.minimum(sure[new], config.max_belief)
        remember_outlines(tracks, born, seen, new, config.box, first=True)
        present = np.concatenate([mine, born])
        self._together = np.pad(self._together, (0, len(new)))
        self._together[np.ix_(present, present)] = True
        seen_box = np.concatenate([seen_box, people.boxes_px[new]])
        seen_keypoints = np.concatenate([seen_keypoints, keypoints[new]])
        self._measure_shapes(seen_box, seen_keypoints, people.boxes_px, image)
        plain = np.zeros(len(tracks), bool)
        plain[born] = self._likely(people)[new]
        return self._report(seen_box, seen_keypoints, plain, width, height)

    @in_turn
    def state(self) -> State:
        """All that the next frame depends on, for a checkpoint."""
        clock = np.array([self._frame, self._last_id], np.int64)
        return {
            "tracks": self._tracks,
            "together": self._together,
            "clock": clock,
            "now_s": np.array(self._now_s),
            "K": self.K,
            "size": self._size,
            "upright": self._people_upright,
            "given": np.array(self._given),
            "shaped_s": np.array(self._shaped_s),
            "gone": self._gone,
            "left": self._left,
            **self._cuts.state(),
            **self._background.state(),
        }

    @in_turn
    def restore(self, state: State) -> None:
        """Continue from ``state()`` of a stream with the same options."""
        if state["tracks"].dtype != self._tracks.dtype:
            raise ChorosError("the checkpoint was written with other weights; track without --resume.")
        # A type that went through a file has forgotten its alignment.
        self._tracks, self.K = state["tracks"].astype(self._tracks.dtype), state["K"].copy()
        self._size = np.array(state.get("size", self._size))
        self._frame, self._last_id = (int(v) for v in state["clock"])
        self._together = state["together"].copy()
        self._now_s, self._given = float(state["now_s"]), bool(state["given"])
        self._people_upright = state["upright"].copy()
        self._up = up(self._people_upright, self._config.upright)
        self._background.restore(state)
        self._shaped_s, self._gone = float(state["shaped_s"]), state["gone"].copy()
        self._left = state["left"].astype(self._left.dtype)
        self._cuts.restore(state)

    def statures(self) -> dict[int, tuple[float, float]]:
        """Stature and its standard deviation, metres, of everybody named who is still followed."""
        named = self._tracks[self._tracks["id"] > 0]
        return {int(t["id"]): (float(t["stature_m"]), float(t["stature_std_m"])) for t in named}

    # ----------------------------------------------------------------------------------------------

    def _expected(self, time_s: float) -> Predicted:
        """The tracks as they are expected in this frame."""
        tracks, config = self._tracks, self._config
        doubt = np.where(tracks["crowded"], config.doubt_crowded, config.doubt)
        return Predicted(
            tracks["box"],
            tracks["shape"],
            self._pelvis(_shape(tracks), tracks["transl"])[:, 2],
            Colours(tracks["dress_lab"], tracks["dress_weight"]),
            time_s - tracks["seen_s"],
            np.where((tracks["id"] > 0) | self._given, 0, doubt),
        )

    def _features(self, image: NDArray[np.uint8], people: Detections) -> FrameFeatures:
        config, height, width = self._config, *image.shape[:2]
        dress = read_colours(image, people.keypoints.astype(np.float64), config.confident)
        behind = background(image, people.boxes_px, config.background)
        return FrameFeatures(people, dress, width, height, behind, image, sketch(image, config.cuts))

    def _turn(self, turn: Floats | None) -> None:
        """The camera turned: everybody is, and walks and faces, where ``turn`` (3, 3) takes them; None leaves all."""
        tracks = self._tracks
        if turn is None or not len(tracks):
            return
        at_rest = self._pelvis(_shape(tracks), np.zeros((len(tracks), 3)))
        tracks["transl"] = (tracks["transl"] + at_rest) @ turn.T - at_rest
        tracks["velocity_m_s"] = tracks["velocity_m_s"] @ turn.T
        tracks["rotations"][:, 0] = turn @ tracks["rotations"][:, 0]
        tracks["box"] = box_filter.turn(tracks["box"], self.K @ turn @ np.linalg.inv(self.K))

    def _see(
        self,
        tracks: NDArray[np.void],
        which: NDArray[np.intp],
        keypoints: Floats,
        scores: NDArray[np.float32],
        time_s: float,
        *,
        first: bool = False,
    ) -> None:
        """Lift the people seen on the tracks ``which`` and remember them."""
        if not len(which):
            return
        old, config = tracks[which], self._config
        dt_s = np.zeros(len(which)) if first else np.maximum(time_s - old["seen_s"], 1e-3)
        predicted = old["transl"].copy()
        if first:
            self._shapes.begin(old, time_s)
        known = np.full(len(which), np.inf)
        past = Past(dt_s, old["hidden"], old["rotations"], _shape(old), known, predicted)
        lifted = self._lifting(keypoints, self.K, past, self._up)
        for name in ("rotations", "transl", "hidden", "confidence"):
            old[name] = getattr(lifted, name)
        if not first:
            # An alpha-beta filter: the prediction's miss corrects the velocity that made it.
            share = 1 - np.exp(-dt_s / config.velocity_memory_s)
            miss = lifted.transl - predicted
            ray = lifted.transl / np.linalg.norm(lifted.transl, axis=-1, keepdims=True)
            along = (miss * ray).sum(-1, keepdims=True) * ray
            miss -= (1 - config.depth_velocity_share) * along
            velocity = old["velocity_m_s"] + (share / dt_s)[:, None] * miss
            speed = np.linalg.norm(velocity, axis=-1, keepdims=True)
            old["velocity_m_s"] = velocity * np.minimum(1, config.max_speed_m_s / np.maximum(speed, 1e-9))
        old["seen_s"], old["sights"] = time_s, old["sights"] + 1
        old["score"] = np.maximum(old["score"], scores)
        tracks[which] = old

    def _measure_shapes(
        self,
        seen_box: Floats,
        seen_keypoints: Floats,
        boxes_px: NDArray[np.float32],
        image: NDArray[np.uint8] | None,
    ) -> None:
        """What this frame tells of the shapes of those seen in it, if it is time for that."""
        since_s = self._now_s - self._shaped_s
        if not self._shapes.due(since_s):
            return
        self._shaped_s, self._gone = self._now_s, self._shapes.faded(self._gone, since_s)
        seen = np.flatnonzero(np.isfinite(seen_box[:, 0]))
        tracks, everybody = self._tracks[seen], boxes_px.astype(np.float64)
        self._shapes.see(tracks, seen_keypoints[seen], seen_box[seen], everybody, self.K, self._now_s, image)
        self._tracks[seen] = tracks
        self._shapes.settle(self._tracks, self._gone)

    def _haunt(self, ghosts: Ghosts, seen: NDArray[np.intp]) -> None:
        """Ghosts end, and leave their number to whoever they are the ghost of and has none; the hidden stand behind."""
        tracks, config = self._tracks, self._config
        for ghost, one in zip(*ghosts, strict=True):
            if tracks["id"][one] == 0 and tracks["id"][ghost] > 0:
                tracks["id"][one] = tracks["id"][ghost]
        if not self._given:
            tracks["seen_s"][ghosts.ghost], tracks["id"][ghosts.ghost] = -np.inf, 0
        in_sight = np.zeros(len(tracks), bool)
        in_sight[seen] = True
        depth = tracks["transl"][:, 2]
        behind = pushed_behind(
            boxes_of(tracks["box"]), depth, in_sight, config.hidden_iou, config.hidden_gap_m
        )
        tracks["transl"] *= (behind / np.maximum(depth, 1e-6))[:, None]

    def _newcomers(
        self, people: Detections, bodily: NDArray[np.bool_], taken: NDArray[np.intp], tracked: Floats
    ) -> NDArray[np.intp]:
        """Indices of the people who begin a track; ``bodily`` (n,) says who shows enough keypoints."""
        if self._given:  # everybody of the first frame, and nobody later
            return np.arange(len(people) if self._frame == 0 else 0)
        config = self._config
        fresh = ((people.scores >= config.life.birth_score) | self._likely(people)) & bodily
        fresh[taken] = False
        if len(tracked):
            area = AREA_OF_BOX * box_area(people.boxes_px)
            fresh &= oks(people.keypoints, tracked, area).max(-1) < config.same_person_oks
        return np.flatnonzero(fresh)

    def _likely(self, people: Detections) -> NDArray[np.bool_]:
        """Who of the people (n,) need not be seen again: in the first frame of a shot alone."""
        clarity = people.keypoints[..., 2].mean(-1)
        return likely(self._config.life, people.scores, clarity) & (self._frame == 0 or self.cut_before)

    def _stands_out(self, new: Detections, seen: Floats) -> NDArray[np.bool_]:
        """Who of the new people (n,) is certain, and has a skeleton that lies on nobody's who is shown already.

        Those are where they were ``seen``, (tracks, 17, 3) px, else where they are predicted.
        """
        if not len(new):
            return np.zeros(0, bool)
        shown = self._tracks["id"] > 0
        there = np.where(seen[..., 2:].any(1, keepdims=True), seen, self._project(self._tracks))[shown]
        area = AREA_OF_BOX * box_area(new.boxes_px)
        lies_on = oks(new.keypoints, there, area).max(-1, initial=0) >= self._config.crowded_oks
        return (new.scores >= self._config.life.certain_score) & ~lies_on

    def _report(
        self, seen_box: Floats, seen_keypoints: Floats, plain: NDArray[np.bool_], width: int, height: int
    ) -> NDArray[np.void]:
        """End what must end, number who is new, and write the rows of this frame; who is ``plain`` is shown at once."""
        tracks, config, life, now_s = self._tracks, self._config, self._config.life, self._now_s
        seen = np.isfinite(seen_box[:, 0])
        body = self._project(tracks)[..., :2]
        inside = ((body >= 0) & (body < [width, height])).all(-1).mean(-1) > 0.15
        tracks["inside_s"][inside | seen] = now_s
        sure = self._given | confirmed(
            life, tracks["sights"], tracks["score"], tracks["crowded"], tracks["born_s"], tracks["seen_s"]
        )
        shown = (tracks["id"] > 0) | sure | plain
        shown &= (tracks["id"] > 0) | self._given | plain | (tracks["belief"] > 0)
        stay = self._given | (
            ~ended(life, now_s, sure, tracks["seen_s"], tracks["inside_s"])
            & ((tracks["belief"] >= config.min_belief) | ~shown | plain)
        )
        self._gone = self._shapes.retire(self._gone, tracks[~stay & (tracks["id"] > 0)])
        tracks = self._tracks = tracks[stay]
        self._together = self._together[np.ix_(stay, stay)]
        shown, seen, body = shown[stay], seen[stay], body[stay]
        seen_box, seen_keypoints = seen_box[stay], seen_keypoints[stay]
        self._left = go_on(tracks, np.flatnonzero(shown & (tracks["id"] == 0)), self._left)
        unnamed = np.flatnonzero(shown & (tracks["id"] == 0))
        tracks["id"][unnamed] = self._last_id + 1 + np.arange(len(unnamed))
        self._last_id += len(unnamed)

        rows = np.zeros(int(shown.sum()), ROW)
        pose = Rotation.from_matrix(tracks["rotations"][shown].reshape(-1, 3, 3)).as_rotvec()
        pose = pose.reshape(-1, 72)
        rows["frame"], rows["person"] = self._frame, tracks["id"][shown]
        rows["global_orient"], rows["body_pose"] = pose[:, :3], pose[:, 3:]
        for name in ("betas", "kid", "transl", "confidence"):
            rows[name] = tracks[name][shown]
        rows["visible"] = seen[shown]
        mixed = seen_box + config.smooth_share * (boxes_of(tracks["box"]) - seen_box)
        rows["box_px"] = np.where(seen[:, None], mixed, boxes_of(tracks["box"]))[shown]
        rows["keypoints_px"] = seen_keypoints[shown]
        return rows[np.argsort(rows["person"])]

    def _project(self, tracks: NDArray[np.void]) -> Floats:
        """Keypoints of the tracks as they stand, (n, 17, 3) px, confidence 1 in front of the camera."""
        points = self._lifting.keypoints_cam(tracks["rotations"], _shape(tracks), tracks["transl"])
        in_front = points[..., 2:] > 0.1
        points_px = project(np.where(in_front, points, [0, 0, 1]), self.K)
        return np.concatenate([points_px, in_front], -1)

    def _pelvis(self, betas: Floats, transl: Floats) -> Floats:
        return transl + self._lifting.points.shaped(betas)[0][:, 0]


def _shape(tracks: NDArray[np.void]) -> Floats:
    """Betas and kid, (n, 11)."""
    return np.concatenate([tracks["betas"], tracks["kid"][:, None]], 1)
