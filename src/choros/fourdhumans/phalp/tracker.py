"""PHALP' (4DHumans, section 4): lift who is detected to 3D, and join them to whoever was predicted there. Online.

`PhalpTracker` says what is its own in a frame; the rest is `choros.tracking.online`'s. Beyond the paper are the rules
of who is believed in, for the detectors that ship are small ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from choros.body.before import Before
from choros.body.boxes import boxes_of_bodies, whole_boxes
from choros.body.kinematics import posed_joints
from choros.detection import PersonFinder
from choros.fourdhumans.phalp.affinity import FrameDetections, PhalpAffinity, affinity_of, lifted
from choros.fourdhumans.phalp.config import PhalpConfig
from choros.fourdhumans.phalp.gone import go_on, set_aside
from choros.fourdhumans.phalp.predict import Completer, constant_velocity, predict_poses
from choros.fourdhumans.phalp.texture import Skin, Texture, remember
from choros.fourdhumans.phalp.tracks import (
    expect_places,
    fields,
    from_picture,
    picture_place,
    remember_sight,
    turn,
)
from choros.journal import State
from choros.keypoints import box_area, box_iou
from choros.rotation import rotmat_to_rotvec
from choros.tracking.believed import lies_on, likely_at_once, shown_and_staying
from choros.tracking.likelihood import learned_belief
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
from choros.tracking.pose_engine import FollowingEngine, PoseEngine

Floats = NDArray[np.float64]


class PhalpTracker(OnlineTracker[FrameDetections, PhalpAffinity]):
    """It keeps the last who were lost beside its tracks. ``network`` None has everybody go on at constant velocity."""

    def __init__(
        self,
        finder: PersonFinder,
        engine: PoseEngine,
        skin: Skin | None,
        network: Completer | None,
        config: PhalpConfig,
    ) -> None:
        self._finder, self._engine, self._skin, self._network = finder, engine, skin, network
        self._config, self._now_s = config, 0.0
        self._follows = engine if isinstance(engine, FollowingEngine) else None
        self.fields = fields(self._follows.memory_width if self._follows else 0)
        self._gone = np.zeros(0, track_type(self.fields))
        body = engine.body
        self._rest = body.joint_template.double().numpy()  # (24, 3)
        self._rest_dirs = body.joint_dirs.double().numpy().reshape(-1, 10).T  # (10, 72)

    def detect(
        self, image: NDArray[np.uint8], boxes_px: NDArray[np.float32] | None = None
    ) -> FrameDetections:
        """People with keypoints."""
        return FrameDetections(self._finder.find(image, boxes_px), image)

    def begin_shot(self, left: Tracks) -> None:
        """Nobody goes on."""
        self._gone = self._gone[:0]

    def predict(self, tracks: Tracks, moment: Moment[FrameDetections]) -> None:
        """Everybody's pose and place in this frame, by their own sights and at their own time."""
        config = self._config
        if not len(tracks):
            return
        if moment.turn is not None:
            turn(tracks, moment.turn)
        side_px = max(moment.width, moment.height)
        there = expect_places(tracks, moment.time_s, moment.K, side_px, config.place)
        tracks["place"], tracks["half_width"] = there
        tracks["pelvis"] = from_picture(there.place, moment.K, side_px)
        last_s = tracks["sight_s"][:, 0]
        now_s = np.minimum(moment.time_s, last_s + config.place.horizon_s)
        if self._network is None:
            tracks["rotations"], tracks["betas"] = constant_velocity(tracks, now_s, config.place.horizon_s)
        else:
            tracks["rotations"], tracks["betas"] = predict_poses(tracks, now_s, self._network)

    def affinity(self, tracks: Tracks, moment: Moment[FrameDetections]) -> PhalpAffinity:
        """By pose, place and appearance."""
        seen = lifted(self._engine, self._skin, moment, self._config)
        return affinity_of(tracks, self._boxes(tracks, moment.K), seen, self._config, moment)

    def measure(self, tracks: Tracks, affinity: PhalpAffinity, moment: Moment[FrameDetections]) -> None:
        """Who is seen is as the pose engine sees them; of the others the prediction stands."""
        config = self._config
        mine, theirs = seen_as(tracks)
        tracks["confidence"] *= np.exp(-moment.dt_s / config.confidence_memory_s)
        self._see(tracks, mine, affinity, theirs, moment)
        tracks["belief"][mine] = learned_belief(
            tracks["belief"][mine], affinity.seen.evidence[theirs], moment.dt_s,
            config.belief_s, config.belief_step_s, config.max_belief,
        )  # fmt: skip

    def newcomers(self, tracks: Tracks, affinity: PhalpAffinity, moment: Moment[FrameDetections]) -> Flags:
        """Who is detected well enough, and is not a second skeleton on somebody tracked."""
        people, config = moment.found.people, self._config
        fresh = (people.scores >= config.life.birth_score) | self._likely(moment)
        _, theirs = seen_as(tracks)
        tracked = affinity.seen.keypoints[theirs]
        return fresh & affinity.seen.bodily & (lies_on(people, tracked) < config.same_person_oks)

    def begin(
        self,
        tracks: Tracks,
        new: Indices,
        affinity: PhalpAffinity,
        moment: Moment[FrameDetections],
        born: Tracks,
    ) -> None:
        """The new are as they are seen; a doubtful one where somebody is already must last (`LifeRules`)."""
        config, boxes_px = self._config, moment.found.boxes_px
        _, theirs = seen_as(tracks)
        crowded = box_iou(boxes_px[new], boxes_px[theirs]).max(-1, initial=0) > config.crowded_iou
        crowded |= (
            box_iou(boxes_px[new], self._boxes(tracks, moment.K)).max(-1, initial=0) > config.crowded_iou
        )
        born["crowded"] = crowded & ~self._stands_out(new, theirs, affinity, moment)
        self._see(born, np.arange(len(born)), affinity, new, moment, first=True)
        born["belief"] = np.minimum(affinity.seen.evidence[new], config.max_belief)

    def judge(self, tracks: Tracks, sure: Flags, moment: Moment[FrameDetections]) -> Verdict:
        """Shown is who is believed to be somebody; in a shot's first frame, whoever is likely there."""
        self._now_s = moment.time_s
        shown, stays = shown_and_staying(
            tracks, sure, self._likely(moment), moment.given, self._config.min_belief
        )
        boxes_px = self._boxes(tracks, moment.K)
        cut = np.clip(boxes_px, 0, [moment.width, moment.height] * 2)
        inside = box_area(cut) > 0.15 * box_area(boxes_px)
        return Verdict(inside, shown, stays)

    def retire(self, tracks: Tracks, stays: Flags) -> None:
        """Who is lost may come back."""
        self._gone = set_aside(self._gone, tracks[~stays], self._now_s, self._config.gone)

    def rename(self, called: Callable[[NDArray[np.int32]], NDArray[np.int32]]) -> None:
        """Those who are lost."""
        self._gone = self._gone.copy()
        self._gone["id"] = called(self._gone["id"])

    def recognise(self, tracks: Tracks, unnamed: Indices) -> None:
        """Those who were lost a short while ago, by their looks."""
        self._gone = go_on(tracks, unnamed, self._gone, self._config.gone, self._config.texture)

    def state(self) -> State:
        """Who was lost."""
        return {"gone": self._gone}

    def restore(self, state: State) -> None:
        """Continue from a larger state that `state` is part of."""
        self._gone = state["gone"].astype(self._gone.dtype)

    def describe(
        self, rows: NDArray[np.void], tracks: Tracks, shown: Flags, moment: Moment[FrameDetections]
    ) -> None:
        """Bodies of the shown; keypoints as detected, boxes likewise, but of the whole body where parts are hidden."""
        tracks, found = tracks[shown], moment.found
        pose = rotmat_to_rotvec(tracks["rotations"]).reshape(-1, 72)
        rows["global_orient"], rows["body_pose"] = pose[:, :3], pose[:, 3:]
        rows["betas"], rows["confidence"] = tracks["betas"], tracks["confidence"]
        rows["transl"] = tracks["pelvis"] - self._at_rest(tracks)[:, 0]
        mine, theirs = seen_as(tracks)
        keypoints, whole = found.people.keypoints[theirs], self._boxes(tracks, moment.K)
        rows["keypoints_px"][mine] = keypoints
        whole[mine] = whole_boxes(found.boxes_px[theirs], whole[mine], keypoints[..., 2].mean(-1))
        rows["box_px"] = whole

    # ----------------------------------------------------------------------------------------------

    def _see(
        self,
        tracks: Tracks,
        which: Indices,
        affinity: PhalpAffinity,
        seen_as: Indices,
        moment: Moment[FrameDetections],
        *,
        first: bool = False,
    ) -> None:
        """The tracks ``which`` (k,) are the detections ``seen_as`` (k,)."""
        config, seen = self._config, affinity.seen
        if self._follows is None:
            for name in ("rotations", "betas", "pelvis", "place"):
                tracks[name][which] = getattr(seen, name)[seen_as]
        else:
            some = tracks[which]
            self._follow(some, self._follows, affinity, seen_as, moment, first=first)
            tracks[which] = some
        clarity = seen.keypoints[seen_as][..., 2].mean(-1)
        tracks["confidence"][which] = clarity
        remember_sight(tracks, which, moment.time_s)
        old = Texture(tracks["texture_lab"][which], tracks["texture_weight"][which])
        now = Texture(seen.texture.lab[seen_as], seen.texture.weight[seen_as])
        counts = (seen.overlap[seen_as] < config.texture_overlap) | (old.weight.max(-1) == 0)
        now = now._replace(weight=now.weight * counts[:, None])
        rules = config.texture
        # The release's share in each frame, of so many a second, as a share of the time that passed.
        share = 1 - (1 - rules.share * clarity**2) ** (moment.dt_s * rules.rate_hz)
        new = remember(old, now, np.ones(len(which)) if first else share)
        tracks["texture_lab"][which], tracks["texture_weight"][which] = new

    def _follow(
        self,
        tracks: Tracks,
        engine: FollowingEngine,
        affinity: PhalpAffinity,
        seen_as: Indices,
        moment: Moment[FrameDetections],
        *,
        first: bool,
    ) -> None:
        """The ``tracks`` (k,) are the detections ``seen_as``, as the engine goes on to them from the last sights."""
        before = Before.none(len(tracks))
        if not first:
            before = Before(
                np.maximum(moment.time_s - tracks["sight_s"][:, 0], 1e-3),
                tracks["sight_rotations"][:, 0].astype(np.float64),
                tracks["pelvis"] - self._at_rest(tracks)[:, 0],
            )
        posed, tracks["memory"] = engine.again(
            affinity.seen.posed, seen_as, moment.found.people, moment.K, before, tracks["memory"]
        )
        tracks["rotations"], tracks["betas"] = posed.rotations, posed.betas
        tracks["pelvis"] = np.asarray(posed.joints_cam)[:, 0]
        tracks["place"] = picture_place(tracks["pelvis"], moment.K, max(moment.width, moment.height))

    def _at_rest(self, tracks: Tracks) -> Floats:
        """Joints (n, 24, 3) of their bodies in the T-pose, metres."""
        return np.asarray(self._rest + (tracks["betas"] @ self._rest_dirs).reshape(-1, 24, 3))

    def _boxes(self, tracks: Tracks, K: Floats) -> Floats:
        """Boxes (n, 4) xyxy px of the tracks' bodies as they are, or are expected."""
        _, joints = posed_joints(tracks["rotations"], self._at_rest(tracks), tracks["pelvis"])
        return boxes_of_bodies(joints, K)

    def _likely(self, moment: Moment[FrameDetections]) -> Flags:
        """Who of the detections (m,) need not be seen again: in the first frame of a shot alone."""
        return likely_at_once(moment.found.people, moment.begins_shot, self._config.life)

    def _stands_out(
        self, new: Indices, seen: Indices, affinity: PhalpAffinity, moment: Moment[FrameDetections]
    ) -> Flags:
        """Which of the detections ``new`` are certain, and have a skeleton that lies on nobody's of the ``seen``."""
        people = moment.found.people[new]
        covered = lies_on(people, affinity.seen.keypoints[seen])
        return (people.scores >= self._config.life.certain_score) & (covered < self._config.crowded_oks)
