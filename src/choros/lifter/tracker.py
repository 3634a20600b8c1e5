"""The lifter system: detect people, lift each one's keypoints to a body, join them to tracks. Online.

``LifterTracker`` says what is the lifter's own in a frame; the rest is ``tracking.online``'s.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from choros.camera import project_in_front
from choros.detection import Detections, PersonFinder
from choros.detection.silhouette import Segmenter
from choros.journal import State
from choros.keypoints import box_iou
from choros.lifter.across_cuts import go_on, set_aside
from choros.lifter.affinity import FrameDetections, LifterAffinity, affinity_of
from choros.lifter.config import LifterSystemConfig
from choros.lifter.ghosts import end, ghosts_of_the_seen, hand_on_ids, pushed_behind
from choros.lifter.lift import Lifting, Past
from choros.lifter.shape_estimator import ShapeEstimator
from choros.lifter.shared_floor import nobody_gone
from choros.lifter.tracks import coast, fields
from choros.lifter.uprightness import nothing_seen, observe, up
from choros.rotation import rotmat_to_rotvec
from choros.tracking import box_filter
from choros.tracking.appearance import Colours, read_colours
from choros.tracking.believed import lies_on, likely_at_once, shown_and_staying
from choros.tracking.box_filter import boxes_of
from choros.tracking.likelihood import Predicted, learned_belief
from choros.tracking.online import (
    Flags,
    Indices,
    Moment,
    OnlineTracker,
    Tracks,
    Verdict,
    seen_as,
    track_type,
)
from choros.tracking.sights import remember_appearance, remember_outlines
from choros.tracking.speed import learned_velocity

Floats = NDArray[np.float64]


class LifterTracker(OnlineTracker[FrameDetections, LifterAffinity]):
    """What the lifter knows of one video beside its tracks: how the camera looks down, and where the floor is."""

    def __init__(
        self,
        finder: PersonFinder,
        lifting: Lifting,
        config: LifterSystemConfig,
        segmenter: Segmenter | None = None,
    ) -> None:
        self._finder, self._lifting, self._config = finder, lifting, config
        self.fields = fields(lifting.hidden_width)
        self._shapes = ShapeEstimator(lifting.body, lifting.prior, config.shape, config.heights_m, segmenter)
        self._left = np.zeros(0, track_type(self.fields))  # followed when a shot ended
        self.begin_shot(self._left)

    def detect(
        self, image: NDArray[np.uint8], boxes_px: NDArray[np.float32] | None = None
    ) -> FrameDetections:
        """People with keypoints and the colours of their clothes."""
        people = self._finder.find(image, boxes_px)
        colours = read_colours(image, people.keypoints.astype(np.float64), self._config.confident)
        return FrameDetections(people, colours, image)

    def begin_shot(self, left: Tracks) -> None:
        """Nothing is known of camera and floor; who is followed may be known again, if that is wanted."""
        if self._config.same_people:
            self._left = set_aside(self._left, left)
        self._together = np.zeros((0, 0), bool)  # which tracks were ever seen in one frame
        self._people_upright = nothing_seen()
        self._up = up(self._people_upright, self._config.upright)
        self._shaped_s, self._gone = -np.inf, nobody_gone()

    def predict(self, tracks: Tracks, moment: Moment[FrameDetections]) -> None:
        """Everybody walks on, and is where the camera that turned shows them."""
        tracks["transl"] += tracks["velocity_m_s"] * moment.dt_s
        if moment.turn is not None and len(tracks):
            self._turn(tracks, moment.turn, moment.K)
        tracks["transl"][:, 2] = np.maximum(tracks["transl"][:, 2], 0.3)
        tracks["box"] = box_filter.predict(tracks["box"], moment.dt_s, self._config.box)

    def affinity(self, tracks: Tracks, moment: Moment[FrameDetections]) -> LifterAffinity:
        """By place, size, depth, pose and appearance; whoever shows too few keypoints is nobody."""
        found, keypoints = moment.found, moment.found.keypoints
        depth_m = self._lifting.glance(keypoints, moment.K)[:, 2] if len(keypoints) else np.zeros(0)
        expected = self._expected(tracks, moment)
        return affinity_of(expected, found, depth_m, self._config)

    def measure(self, tracks: Tracks, affinity: LifterAffinity, moment: Moment[FrameDetections]) -> None:
        """Lift who is seen; the others drift on, and end if they are ghosts of somebody who is seen."""
        config, seen, dt_s = self._config, affinity.seen, moment.dt_s
        mine, theirs = seen_as(tracks)
        in_place = np.where(affinity.same_place, affinity.similarity, -np.inf)
        ghosts = ghosts_of_the_seen(in_place, self._together, mine, theirs, config.min_ghost_ratio)
        if len(mine):
            people = tracks[mine]
            self._lift(people, seen.keypoints[theirs], moment)
            tracks[mine] = people
        remember_outlines(tracks, mine, seen, theirs, config.box)
        tracks["belief"][mine] = learned_belief(
            tracks["belief"][mine], seen.evidence[theirs], dt_s,
            config.belief_s, config.belief_step_s, config.max_belief,
        )  # fmt: skip
        self._people_upright = observe(
            self._people_upright, seen.keypoints[theirs], moment.K, dt_s, config.upright
        )
        self._up = up(self._people_upright, config.upright)
        remember_appearance(
            tracks, mine, seen, theirs, self._appearance_share(moment), config.appearance_overlap
        )
        coast(tracks, np.setdiff1d(np.arange(len(tracks)), mine), dt_s, config.coast_memory_s, config.box)
        hand_on_ids(tracks, ghosts)
        if not moment.given:
            end(tracks, ghosts)
        in_sight = tracks["detection"] >= 0
        depth_m = tracks["transl"][:, 2]
        behind_m = pushed_behind(
            boxes_of(tracks["box"]), depth_m, in_sight, config.hidden_iou, config.hidden_gap_m
        )
        tracks["transl"] *= (behind_m / np.maximum(depth_m, 1e-6))[:, None]

    def newcomers(self, tracks: Tracks, affinity: LifterAffinity, moment: Moment[FrameDetections]) -> Flags:
        """Who is detected well enough, and is not a second skeleton on somebody tracked."""
        people, config = moment.found.people, self._config
        fresh = (people.scores >= config.life.birth_score) | self._likely(moment)
        _, theirs = seen_as(tracks)
        tracked = affinity.seen.keypoints[theirs]
        return fresh & affinity.bodily & (lies_on(people, tracked) < config.same_person_oks)

    def begin(
        self,
        tracks: Tracks,
        new: Indices,
        affinity: LifterAffinity,
        moment: Moment[FrameDetections],
        born: Tracks,
    ) -> None:
        """The new are lifted without a past; a doubtful one where somebody is already must last (`LifeRules`)."""
        config, seen, boxes_px = self._config, affinity.seen, moment.found.boxes_px
        _, theirs = seen_as(tracks)
        crowded = affinity.same_place[:, new].any(0)
        crowded |= box_iou(boxes_px[new], boxes_px[theirs]).max(-1, initial=0) > config.crowded_iou
        born["crowded"] = crowded & ~self._stands_out(moment.found.people[new], tracks, moment)
        self._lift(born, seen.keypoints[new], moment, first=True)
        all_of_them = np.arange(len(born))
        remember_appearance(
            born, all_of_them, seen, new, self._appearance_share(moment), config.appearance_overlap
        )
        born["belief"] = np.minimum(seen.evidence[new], config.max_belief)
        remember_outlines(born, all_of_them, seen, new, config.box, first=True)

    def judge(self, tracks: Tracks, sure: Flags, moment: Moment[FrameDetections]) -> Verdict:
        """Shown is who is believed to be somebody; in a shot's first frame, whoever is likely there."""
        mine, _ = seen_as(tracks)
        self._together = np.pad(self._together, (0, len(tracks) - len(self._together)))
        self._together[np.ix_(mine, mine)] = True
        self._measure_shapes(tracks, moment)
        shown, stays = shown_and_staying(
            tracks, sure, self._likely(moment), moment.given, self._config.min_belief
        )
        body = self._project(tracks, moment.K)[..., :2]
        inside = ((body >= 0) & (body < [moment.width, moment.height])).all(-1).mean(-1) > 0.15
        return Verdict(inside, shown, stays)

    def retire(self, tracks: Tracks, stays: Flags) -> None:
        """What those who leave said of the floor is kept."""
        self._gone = self._shapes.retire(self._gone, tracks[~stays & (tracks["id"] > 0)])
        self._together = self._together[np.ix_(stays, stays)]

    def recognise(self, tracks: Tracks, unnamed: Indices) -> None:
        """Those of an earlier shot, by their appearance, if that is wanted."""
        self._left = go_on(tracks, unnamed, self._left)

    def rename(self, called: Callable[[NDArray[np.int32]], NDArray[np.int32]]) -> None:
        """Those of earlier shots."""
        self._left = self._left.copy()
        self._left["id"] = called(self._left["id"])

    def describe(
        self, rows: NDArray[np.void], tracks: Tracks, shown: Flags, moment: Moment[FrameDetections]
    ) -> None:
        """Bodies of the shown; boxes as detected and filtered, keypoints as detected."""
        tracks, found = tracks[shown], moment.found
        pose = rotmat_to_rotvec(tracks["rotations"]).reshape(-1, 72)
        rows["global_orient"], rows["body_pose"] = pose[:, :3], pose[:, 3:]
        for name in ("betas", "kid", "transl", "confidence"):
            rows[name] = tracks[name]
        mine, theirs = seen_as(tracks)
        boxes_px = boxes_of(tracks["box"])
        detected_px = found.boxes_px[theirs].astype(np.float64)
        boxes_px[mine] = detected_px + self._config.smooth_share * (boxes_px[mine] - detected_px)
        rows["box_px"] = boxes_px
        rows["keypoints_px"][mine] = found.keypoints[theirs]

    def statures(self, tracks: Tracks) -> dict[int, tuple[float, float]]:
        """Stature and its standard deviation, metres, by person."""
        return {int(t["id"]): (float(t["stature_m"]), float(t["stature_std_m"])) for t in tracks}

    def state(self) -> State:
        """What is known of camera, floor, and those who left."""
        return {
            "together": self._together,
            "upright": self._people_upright,
            "shaped_s": np.array(self._shaped_s),
            "gone": self._gone,
            "left": self._left,
        }

    def restore(self, state: State) -> None:
        """Continue from a larger state that `state` is part of."""
        self._together = state["together"].copy()
        self._people_upright = state["upright"].copy()
        self._up = up(self._people_upright, self._config.upright)
        self._shaped_s, self._gone = float(state["shaped_s"]), state["gone"].copy()
        self._left = state["left"].astype(self._left.dtype)

    # ----------------------------------------------------------------------------------------------

    def _turn(self, tracks: Tracks, turn: Floats, K: Floats) -> None:
        """The camera turned: everybody is, and walks and faces, where ``turn`` (3, 3) takes them."""
        at_rest = self._pelvis(_shape(tracks), np.zeros((len(tracks), 3)))
        tracks["transl"] = (tracks["transl"] + at_rest) @ turn.T - at_rest
        tracks["velocity_m_s"] = tracks["velocity_m_s"] @ turn.T
        tracks["rotations"][:, 0] = turn @ tracks["rotations"][:, 0]
        tracks["box"] = box_filter.turn(tracks["box"], K @ turn @ np.linalg.inv(K))

    def _expected(self, tracks: Tracks, moment: Moment[FrameDetections]) -> Predicted:
        """The tracks as they are expected in this frame."""
        config = self._config
        doubt = np.where(tracks["crowded"], config.doubt_crowded, config.doubt)
        return Predicted(
            tracks["box"],
            tracks["shape"],
            self._pelvis(_shape(tracks), tracks["transl"])[:, 2],
            Colours(tracks["appearance_lab"], tracks["appearance_weight"]),
            moment.time_s - tracks["seen_s"],
            np.where((tracks["id"] > 0) | moment.given, 0, doubt),
        )

    def _lift(
        self, people: Tracks, keypoints: Floats, moment: Moment[FrameDetections], *, first: bool = False
    ) -> None:
        """Lift the ``people`` (k,) seen with these ``keypoints`` (k, 17, 3), and learn how fast they are."""
        config = self._config
        dt_s = np.zeros(len(people)) if first else np.maximum(moment.time_s - people["seen_s"], 1e-3)
        predicted = people["transl"].copy()
        if first:
            self._shapes.begin(people, moment.time_s)
        known = np.full(len(people), np.inf)
        past = Past(dt_s, people["hidden"], people["rotations"], _shape(people), known, predicted)
        lifted = self._lifting(keypoints, moment.K, past, self._up)
        for name in ("rotations", "transl", "hidden", "confidence"):
            people[name] = getattr(lifted, name)
        if first:
            return
        people["velocity_m_s"] = learned_velocity(
            people["velocity_m_s"], predicted, people["transl"], dt_s,
            config.velocity_memory_s, config.depth_velocity_share, config.max_speed_m_s,
        )  # fmt: skip

    def _appearance_share(self, moment: Moment[FrameDetections]) -> float:
        """How much of what is remembered of an appearance one more sight replaces."""
        return float(1 - np.exp(-moment.dt_s / self._config.appearance_memory_s))

    def _measure_shapes(self, tracks: Tracks, moment: Moment[FrameDetections]) -> None:
        """What this frame tells of the shapes of those seen in it, if it is time for that."""
        now_s, found = moment.time_s, moment.found
        since_s = now_s - self._shaped_s
        if not self._shapes.due(since_s):
            return
        self._shaped_s, self._gone = now_s, self._shapes.faded(self._gone, since_s)
        mine, theirs = seen_as(tracks)
        seen, everybody = tracks[mine], found.boxes_px.astype(np.float64)
        self._shapes.see(
            seen, found.keypoints[theirs], everybody[theirs], everybody, moment.K, now_s, found.image
        )
        tracks[mine] = seen
        self._shapes.settle(tracks, self._gone)

    def _likely(self, moment: Moment[FrameDetections]) -> Flags:
        """Who of the detections (m,) need not be seen again: in the first frame of a shot alone."""
        return likely_at_once(moment.found.people, moment.begins_shot, self._config.life)

    def _stands_out(self, new: Detections, tracks: Tracks, moment: Moment[FrameDetections]) -> Flags:
        """Who of the new people (k,) is certain, and has a skeleton that lies on nobody's who is shown already.

        Those are where they are seen, else where they are predicted.
        """
        mine, theirs = seen_as(tracks)
        there = self._project(tracks, moment.K)
        seen = moment.found.keypoints[theirs]
        there[mine] = np.where(seen[..., 2:].any(1, keepdims=True), seen, there[mine])
        covered = lies_on(new, there[tracks["id"] > 0])
        return (new.scores >= self._config.life.certain_score) & (covered < self._config.crowded_oks)

    def _project(self, tracks: Tracks, K: Floats) -> Floats:
        """Keypoints of the tracks as they stand, (n, 17, 3) px, confidence 1 in front of the camera.

        Others are in the middle of the picture: nobody has left it for coming too near.
        """
        points = self._lifting.keypoints_cam(tracks["rotations"], _shape(tracks), tracks["transl"])
        points_px, in_front = project_in_front(points, K, 0.1)
        points_px = np.where(in_front[..., None], points_px, K[:2, 2])
        return np.concatenate([points_px, in_front[..., None]], -1)

    def _pelvis(self, betas: Floats, transl: Floats) -> Floats:
        return transl + self._lifting.points.shaped(betas)[0][:, 0]


def _shape(tracks: Tracks) -> Floats:
    """Betas and kid, (n, 11)."""
    return np.concatenate([tracks["betas"], tracks["kid"][:, None]], 1)
