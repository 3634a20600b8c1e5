"""The lifter system: detect people, lift each one's keypoints to a body, join them to tracks. Online.

``LifterStream`` keeps one record a live track and nothing else, so its memory depends on the people in view and its
state fits into a checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.camera import intrinsics, project
from choros.detection import People, PersonFinder
from choros.detection.neighbours import estimate_apart
from choros.errors import ChorosError
from choros.journal import State
from choros.keypoints import AREA_OF_BOX, box_area, box_iou, box_of_keypoints, oks
from choros.lifter.lift import LiftConfig, Lifting, Past
from choros.lifter.uprightness import UprightRules, nothing_seen, observe, up
from choros.motion import ROW
from choros.tracking.appearance import PARTS, Colours, alikeness, read_colours, remember
from choros.tracking.assignment import assign
from choros.tracking.lifecycle import LifeRules, confirmed, ended, likely
from choros.tracking.similarity import Floats, SimilarityRules, similarity


@dataclass(frozen=True)
class LifterSystemConfig:
    """Everything the lifter system can be told. ``accurate`` takes MoveNet Thunder instead of Lightning."""

    accurate: bool = False
    lift: LiftConfig = field(default_factory=LiftConfig)
    life: LifeRules = field(default_factory=LifeRules)
    alike: SimilarityRules = field(default_factory=SimilarityRules)
    dress_share: float = 0.3  # of the similarity; the rest is where people are
    min_place: float = 0.1  # similarity of place without which no dress helps
    min_dress: float = 0.15  # alikeness that a person unseen for ``lost_dress_s`` must come back with
    lost_dress_s: float = 0.5
    upright: UprightRules = field(default_factory=UprightRules)
    min_similarity: float = 0.25  # of a person seen with certainty
    min_similarity_faint: float = 0.4  # of a detection below the birth score, which may only continue a track
    faint_s: float = 0.3  # that was seen this short a time ago
    same_person_oks: float = 0.6  # a new person this like a tracked one is not new
    crowded_iou: float = 0.2  # overlap with somebody tracked that makes a new person doubtful
    crowded_oks: float = 0.1  # a certain one is doubted only if their skeleton is this like another's
    min_keypoints: int = 5  # confident ones that anybody must show
    confident: float = 0.3
    dim: float = 0.2  # confidence enough where the box is certain: people cut off, or seen from behind
    dress_memory_s: float = 2.0
    dress_overlap: float = 0.3  # IoU with somebody else above which colours are not remembered
    velocity_memory_s: float = 0.4
    depth_velocity_share: float = 0.4  # of what is learned of the speed along the ray: it is mostly noise
    max_speed_m_s: float = 4.0
    coast_memory_s: float = 0.6  # how soon an unseen person's speed is forgotten


def _track_type(hidden_width: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("id", "i4"),  # 0 until confirmed
            ("sights", "i4"),
            ("score", "f8"),  # best detection so far
            ("crowded", "?"),  # first seen where somebody else was
            ("born_s", "f8"),
            ("seen_s", "f8"),
            ("inside_s", "f8"),
            ("rotations", "f8", (24, 3, 3)),
            ("betas", "f8", (10,)),
            ("betas_weight", "f8"),
            ("transl", "f8", (3,)),
            ("velocity_m_s", "f8", (3,)),
            ("confidence", "f8"),
            ("dress_lab", "f8", (len(PARTS), 3)),
            ("dress_weight", "f8", (len(PARTS),)),
            ("hidden", "f4", (hidden_width,)),
        ],
        align=True,  # torch takes no field that lies across its own size
    )


class Look(NamedTuple):
    """What one picture shows."""

    people: People
    dress: Colours
    width: int
    height: int


class LifterStream:
    """One video's tracks, frame by frame; ``update`` is all there is to it.

    ``K`` None assumes the default focal length of ``camera.py`` from the first frame's size.
    """

    def __init__(
        self, finder: PersonFinder, lifting: Lifting, config: LifterSystemConfig, K: Floats | None = None
    ) -> None:
        self._finder, self._lifting, self._config = finder, lifting, config
        self.K = np.zeros((3, 3)) if K is None else K  # until the first frame tells its size
        self._tracks = np.zeros(0, _track_type(lifting.hidden_width))
        self._frame, self._now_s, self._last_id = -1, 0.0, 0
        self._given = False  # the people of the first frame were given, and stay the only ones
        self._people_upright = nothing_seen()
        self._up = up(self._people_upright, config.upright)

    def look(self, image: NDArray[np.uint8]) -> Look:
        """Who is in a picture, (H, W, 3) uint8 RGB, and what they wear; needs nothing of other frames."""
        people = self._finder.find(image)
        dress = read_colours(image, people.keypoints.astype(np.float64), self._config.confident)
        return Look(people, dress, image.shape[1], image.shape[0])

    def update(self, image: NDArray[np.uint8], time_s: float) -> NDArray[np.void]:
        """The people of the next frame, (n,) ROW, camera axes: ``follow`` of ``look``."""
        return self.follow(self.look(image), time_s)

    def begin(
        self, image: NDArray[np.uint8], boxes_px: NDArray[np.floating], time_s: float
    ) -> NDArray[np.void]:
        """The first frame with the people in these boxes, (n, 4) xyxy px: persons 1 to n, for good.

        Nobody is added or dropped later; see ``systems.GivenStream``.
        """
        self._given = True
        boxes = np.asarray(boxes_px, np.float32)
        keypoints = estimate_apart(self._finder.keypoints, image, boxes)
        people = People(boxes, np.ones(len(boxes), np.float32), keypoints)
        dress = read_colours(image, keypoints.astype(np.float64), self._config.confident)
        return self.follow(Look(people, dress, image.shape[1], image.shape[0]), time_s)

    def follow(self, look: Look, time_s: float) -> NDArray[np.void]:
        """The people of the next frame, (n,) ROW, camera axes. ``time_s`` must not go back."""
        people, dress, width, height = look
        if not self.K.any():
            self.K = intrinsics(width, height)
        if self._frame >= 0 and time_s < self._now_s:
            raise ChorosError(
                f"frame times must not go back, but {time_s:.3f} s follows {self._now_s:.3f} s."
            )
        dt_s = time_s - self._now_s if self._frame >= 0 else 0.0
        self._frame, self._now_s = self._frame + 1, time_s
        tracks, config = self._tracks, self._config

        tracks["transl"] += tracks["velocity_m_s"] * dt_s
        tracks["transl"][:, 2] = np.maximum(tracks["transl"][:, 2], 0.3)
        predicted = self._project(tracks)
        keypoints = people.keypoints.astype(np.float64)
        glance_cam = self._lifting.glance(keypoints, self.K) if len(people) else np.zeros((0, 3))
        place = similarity(
            predicted, self._pelvis(tracks["betas"], tracks["transl"]), time_s - tracks["seen_s"],
            keypoints, glance_cam, config.alike,
        )  # fmt: skip

        worn = alikeness(Colours(tracks["dress_lab"], tracks["dress_weight"]), dress)
        # The longer unseen, the less a prediction says and the more the clothes do.
        share = config.dress_share * (1 + np.minimum(time_s - tracks["seen_s"], 1))[:, None]
        # What stands where a lost person was predicted, and looks like nobody, is a signpost.
        possible = place >= config.min_place
        possible &= (worn >= config.min_dress) | (time_s - tracks["seen_s"] < config.lost_dress_s)[:, None]
        bodily = (keypoints[..., 2] >= config.confident).sum(-1) >= config.min_keypoints
        dim = (keypoints[..., 2] >= config.dim).sum(-1) >= config.min_keypoints
        bodily |= dim & (people.scores >= config.life.certain_score)
        possible &= bodily
        likeness = np.where(possible, (1 - share) * place + share * worn, -1)
        mine, theirs = self._match(likeness, people.scores < config.life.birth_score)

        self._see(tracks, mine, keypoints[theirs], people.scores[theirs], time_s)
        rules = config.upright
        self._people_upright = observe(self._people_upright, keypoints[theirs], self.K, dt_s, rules)
        self._up = up(self._people_upright, rules)
        self._dress(tracks, mine, people, dress, theirs, dt_s)
        self._coast(np.setdiff1d(np.arange(len(tracks)), mine), dt_s)
        seen_box = np.full((len(tracks), 4), np.nan)
        seen_keypoints = np.zeros((len(tracks), 17, 3))
        seen_box[mine], seen_keypoints[mine] = people.boxes_px[theirs], keypoints[theirs]

        new = self._newcomers(people, bodily, theirs, seen_keypoints[mine])
        crowded = (place[:, new] >= config.min_place).any(0)
        crowded |= (
            box_iou(people.boxes_px[new], people.boxes_px[theirs]).max(-1, initial=0) > config.crowded_iou
        )
        crowded &= ~self._stands_out(people[new], predicted, seen_keypoints)
        tracks = self._tracks = np.concatenate([tracks, np.zeros(len(new), tracks.dtype)])
        born = np.arange(len(tracks) - len(new), len(tracks))
        tracks["born_s"][born] = tracks["inside_s"][born] = time_s
        tracks["crowded"][born] = crowded
        self._see(tracks, born, keypoints[new], people.scores[new], time_s, first=True)
        self._dress(tracks, born, people, dress, new, dt_s)
        seen_box = np.concatenate([seen_box, people.boxes_px[new]])
        seen_keypoints = np.concatenate([seen_keypoints, keypoints[new]])
        plain = np.zeros(len(tracks), bool)
        plain[born] = self._likely(people)[new]
        return self._report(seen_box, seen_keypoints, plain, width, height)

    def state(self) -> State:
        """All that the next frame depends on, for a checkpoint."""
        clock = np.array([self._frame, self._last_id], np.int64)
        return {
            "tracks": self._tracks,
            "clock": clock,
            "now_s": np.array(self._now_s),
            "K": self.K,
            "upright": self._people_upright,
            "given": np.array(self._given),
        }

    def restore(self, state: State) -> None:
        """Continue from ``state()`` of a stream with the same options."""
        if state["tracks"].dtype != self._tracks.dtype:
            raise ChorosError("the checkpoint was written with other weights; track without --resume.")
        # A type that went through a file has forgotten its alignment.
        self._tracks, self.K = state["tracks"].astype(self._tracks.dtype), state["K"].copy()
        self._frame, self._last_id = (int(v) for v in state["clock"])
        self._now_s, self._given = float(state["now_s"]), bool(state["given"])
        self._people_upright = state["upright"].copy()
        self._up = up(self._people_upright, self._config.upright)

    # ----------------------------------------------------------------------------------------------

    def _match(self, likeness: Floats, faint: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Tracks and the people they are, in three rounds.

        Known people take certain detections first, then what faint ones may continue them; only then do
        unconfirmed tracks get what is left.
        """
        config, known = self._config, self._tracks["id"] > 0
        recent = self._now_s - self._tracks["seen_s"] <= config.faint_s
        mine, theirs = np.zeros(0, np.intp), np.zeros(0, np.intp)
        for who, what, minimum in (
            (known, ~faint, config.min_similarity),
            (known & recent, faint, config.min_similarity_faint),
            (~known, ~faint, config.min_similarity),
        ):
            free = np.where(who[:, None] & what, likeness, -1)
            free[mine], free[:, theirs] = -1, -1
            rows, columns = assign(free, minimum)
            mine, theirs = np.r_[mine, rows], np.r_[theirs, columns]
        return mine, theirs

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
        past = Past(dt_s, old["hidden"], old["rotations"], old["betas"], old["betas_weight"], predicted)
        lifted = self._lifting(keypoints, self.K, past, self._up)
        for name in ("rotations", "betas", "betas_weight", "transl", "hidden", "confidence"):
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

    def _dress(
        self,
        tracks: NDArray[np.void],
        which: NDArray[np.intp],
        people: People,
        dress: Colours,
        seen_as: NDArray[np.intp],
        dt_s: float,
    ) -> None:
        """Remember what the tracks ``which`` wear, unless somebody else may stand before them."""
        overlap = box_iou(people.boxes_px, people.boxes_px)
        np.fill_diagonal(overlap, 0)
        alone = overlap.max(-1, initial=0)[seen_as] < self._config.dress_overlap
        unknown = tracks["dress_weight"][which].max(-1) == 0
        share = (1 - np.exp(-dt_s / self._config.dress_memory_s)) * (alone | unknown)
        old = Colours(tracks["dress_lab"][which], tracks["dress_weight"][which])
        new = remember(
            old, Colours(dress.lab[seen_as], dress.weight[seen_as] * (alone | unknown)[:, None]), share
        )
        tracks["dress_lab"][which], tracks["dress_weight"][which] = new.lab, new.weight

    def _coast(self, which: NDArray[np.intp], dt_s: float) -> None:
        """Nobody saw the tracks ``which``: they drift on, ever slower and less sure."""
        keep = np.exp(-dt_s / self._config.coast_memory_s)
        self._tracks["velocity_m_s"][which] *= keep
        self._tracks["confidence"][which] *= keep

    def _newcomers(
        self, people: People, bodily: NDArray[np.bool_], taken: NDArray[np.intp], tracked: Floats
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

    def _likely(self, people: People) -> NDArray[np.bool_]:
        """Who of the people (n,) need not be seen again: in the first frame alone."""
        clarity = people.keypoints[..., 2].mean(-1)
        return likely(self._config.life, people.scores, clarity) & (self._frame == 0)

    def _stands_out(self, new: People, predicted: Floats, seen: Floats) -> NDArray[np.bool_]:
        """Who of the new people (n,) is certain, and has a skeleton that lies on nobody's who is shown already.

        Those are where they were seen, else where they are ``predicted``, both (tracks, 17, 3) px.
        """
        shown = self._tracks["id"] > 0
        there = np.where(seen[..., 2:].any(1, keepdims=True), seen, predicted)[shown]
        area = AREA_OF_BOX * box_area(new.boxes_px)
        lies_on = oks(new.keypoints, there, area).max(-1, initial=0) >= self._config.crowded_oks
        return (new.scores >= self._config.life.certain_score) & ~lies_on

    def _report(
        self, seen_box: Floats, seen_keypoints: Floats, plain: NDArray[np.bool_], width: int, height: int
    ) -> NDArray[np.void]:
        """End what must end, number who is new, and write the rows of this frame; who is ``plain`` is shown at once."""
        tracks, life, now_s = self._tracks, self._config.life, self._now_s
        seen = np.isfinite(seen_box[:, 0])
        body = self._project(tracks)[..., :2]
        inside = ((body >= 0) & (body < [width, height])).all(-1).mean(-1) > 0.15
        tracks["inside_s"][inside | seen] = now_s
        sure = self._given | confirmed(
            life, tracks["sights"], tracks["score"], tracks["crowded"], tracks["born_s"], tracks["seen_s"]
        )
        shown = (tracks["id"] > 0) | sure | plain
        stay = self._given | ~ended(life, now_s, sure, tracks["seen_s"], tracks["inside_s"])
        tracks = self._tracks = tracks[stay]
        shown, seen, body = shown[stay], seen[stay], body[stay]
        seen_box, seen_keypoints = seen_box[stay], seen_keypoints[stay]
        unnamed = np.flatnonzero(shown & (tracks["id"] == 0))
        tracks["id"][unnamed] = self._last_id + 1 + np.arange(len(unnamed))
        self._last_id += len(unnamed)

        rows = np.zeros(int(shown.sum()), ROW)
        pose = Rotation.from_matrix(tracks["rotations"][shown].reshape(-1, 3, 3)).as_rotvec()
        pose = pose.reshape(-1, 72)
        rows["frame"], rows["person"] = self._frame, tracks["id"][shown]
        rows["global_orient"], rows["body_pose"] = pose[:, :3], pose[:, 3:]
        for name in ("betas", "transl", "confidence"):
            rows[name] = tracks[name][shown]
        rows["visible"] = seen[shown]
        margin = np.concatenate([body, np.ones_like(body[..., :1])], -1)
        rows["box_px"] = np.where(seen[:, None], seen_box, box_of_keypoints(margin))[shown]
        rows["keypoints_px"] = seen_keypoints[shown]
        return rows[np.argsort(rows["person"])]

    def _project(self, tracks: NDArray[np.void]) -> Floats:
        """Keypoints of the tracks as they stand, (n, 17, 3) px, confidence 1 in front of the camera."""
        points = self._lifting.keypoints_cam(tracks["rotations"], tracks["betas"], tracks["transl"])
        in_front = points[..., 2:] > 0.1
        points_px = project(np.where(in_front, points, [0, 0, 1]), self.K)
        return np.concatenate([points_px, in_front], -1)

    def _pelvis(self, betas: Floats, transl: Floats) -> Floats:
        return transl + self._lifting.points.shaped(betas)[0][:, 0]


class LifterSystem:
    """Detect, lift, associate; see ``LifterSystemConfig``.

    ``body_path`` is a user's SMPL file; None takes the open body.
    """

    name = "lifter"

    def __init__(
        self,
        config: LifterSystemConfig | None = None,
        *,
        finder: PersonFinder | None = None,
        body_path: str | Path | None = None,
        weights_path: str | Path | None = None,
    ) -> None:
        self.config = config or LifterSystemConfig()
        self.body = BodyModel.load(body_path)
        self._finder = finder or PersonFinder.default(fast=not self.config.accurate)
        self._lifting = Lifting(self.body, weights_path, self.config.lift)

    def stream(self, K: Floats | None = None) -> LifterStream:
        """A new video. Streams of one system share its networks and nothing else."""
        return LifterStream(self._finder, self._lifting, self.config, K)
