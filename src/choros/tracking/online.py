"""One video tracked online: all that is the same for every system, around the little that is each system's own.

`OnlineStream` is the shell. It keeps the clock, the camera, the shots and the tracks, one record a person, and takes
every frame through the same steps: predict, compare with what was detected, assign, measure, begin the new, end the
lost, number those who are shown. What it cannot know it asks its `OnlineTracker`, which a system supplies; neither
keeps anything of a video but what its live tracks need.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from choros.camera_motion.background import Background, BackgroundMotion, BackgroundRules, background
from choros.errors import ChorosError
from choros.journal import State
from choros.motion import ROW, FrameResult
from choros.tracking.assignment import assign
from choros.tracking.frame_lock import FrameLock, in_turn, with_few_threads
from choros.tracking.lifecycle import LifeRules, confirmed, ended
from choros.tracking.steps import checked_boxes, checked_picture, checked_step, first_K, stream_K
from choros.video.cuts import CutDetector, CutRules, Sketch, sketch

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]
Tracks = NDArray[np.void]

#: What every track has, whatever the system.
COMMON_FIELDS = [
    ("id", "i4"),  # 0 until the person is shown
    ("detection", "i4"),  # which of this frame's detections they are, -1 for none
    ("sights", "i4"),  # frames with a detection
    ("crowded", "?"),  # first seen where somebody else was
    ("score", "f8"),  # of the best detection so far
    ("born_s", "f8"),  # first sight
    ("seen_s", "f8"),  # last sight
    ("inside_s", "f8"),  # last time in view, seen or predicted
]


class Detected(Protocol):
    """What a system finds in one picture by itself: m detections, and anything else that it wants of the picture."""

    @property
    def boxes_px(self) -> Floats:
        """(m, 4) xyxy."""

    @property
    def scores(self) -> Floats:
        """(m,) 0 to 1."""


@dataclass(frozen=True)
class Affinity:
    """How well tracks and detections go together; a system may add what it wants to use again in this frame."""

    similarity: (
        Floats  # (n, m); pairs below 0, and NaN, are forbidden, of the others the greatest sum is taken
    )


D = TypeVar("D", bound=Detected)
A = TypeVar("A", bound=Affinity)


@dataclass(frozen=True)
class FrameFeatures(Generic[D]):
    """What one picture says by itself."""

    found: D
    width: int
    height: int
    behind: Background | None = None  # the people; without it the camera counts as standing still
    sketch: Sketch | None = None  # by which a cut is told, if wanted


@dataclass(frozen=True)
class Moment(Generic[D]):
    """The frame in hand, as the shell gives it to a tracker."""

    found: D
    time_s: float
    dt_s: float  # since the frame before; 0 in the first of a shot
    K: NDArray[np.float64]  # (3, 3)
    width: int
    height: int
    turn: (
        NDArray[np.float64] | None
    )  # (3, 3): what is thought to be at p is at ``turn`` p; None: nothing turned
    begins_shot: bool  # no frame before this one tells anything of it
    given: bool  # the people of the first frame were given, and stay the only ones


class Verdict(NamedTuple):
    """What a tracker says of all its tracks (n,) at the end of a frame."""

    inside: Flags  # where they are is in view, seen or not
    shown: Flags  # who may be shown; who was shown before is anyhow
    stays: Flags  # False ends a track for a reason of the system's own


class OnlineTracker(ABC, Generic[D, A]):
    """What a system is asked in every frame, in this order. It changes ``tracks`` in place, all of one type.

    The fields of `COMMON_FIELDS` are the shell's, but for ``crowded`` of new tracks; `fields` are the tracker's own. A
    tracker keeps no track elsewhere, and what it keeps of a video beside them goes through `state`.
    """

    fields: Sequence[Any]  # of a track, as for ``np.dtype``

    @abstractmethod
    def detect(self, image: NDArray[np.uint8], boxes_px: NDArray[np.float32] | None = None) -> D:
        """Who is in a picture, (H, W, 3) uint8 RGB; called from several threads, and for pictures in any order.

        With ``boxes_px`` (m, 4) these are the detections, of score 1, in this order.
        """

    def recall(self, moment: Moment[D]) -> D:
        """The frame's detections, once those before it are known, of systems that need them for that."""
        return moment.found

    def begin_shot(self, left: Tracks) -> None:
        """Forget camera and place, for another shot begins; ``left`` were followed until now."""

    @abstractmethod
    def predict(self, tracks: Tracks, moment: Moment[D]) -> None:
        """Take the tracks into this frame, as far as its detections need not be known."""

    @abstractmethod
    def affinity(self, tracks: Tracks, moment: Moment[D]) -> A:
        """Which detections the tracks may be."""

    @abstractmethod
    def measure(self, tracks: Tracks, affinity: A, moment: Moment[D]) -> None:
        """Learn from the detections that are the tracks', by ``tracks["detection"]``; see `seen_as`.

        ``sights``, ``score`` and ``seen_s`` are still those of the frame before.
        """

    @abstractmethod
    def newcomers(self, tracks: Tracks, affinity: A, moment: Moment[D]) -> Flags:
        """Which detections (m,) begin a track if they are nobody's yet."""

    @abstractmethod
    def begin(self, tracks: Tracks, new: Indices, affinity: A, moment: Moment[D], born: Tracks) -> None:
        """Fill in the tracks ``born`` (k,) of the detections ``new`` (k,), beside those there are."""

    @abstractmethod
    def judge(self, tracks: Tracks, sure: Flags, moment: Moment[D]) -> Verdict:
        """Look at all tracks together, the new ones too; ``sure`` says who is confirmed (`lifecycle`)."""

    def retire(self, tracks: Tracks, stays: Flags) -> None:
        """Some of the tracks end here, those that do not stay."""

    def recognise(self, tracks: Tracks, unnamed: Indices) -> None:
        """Give an ``id`` to those of the ``unnamed`` who had one before; the others get new ones."""

    @abstractmethod
    def describe(
        self, rows: NDArray[np.void], tracks: Tracks, shown: Flags, moment: Moment[D]
    ) -> Mapping[str, NDArray[Any]] | None:
        """Fill in the ``rows`` of the ``shown`` tracks; gives `FrameResult.extras`, if there are any.

        Frame and person are there already, and visible is who was detected.
        """

    def rename(self, called: Callable[[NDArray[np.int32]], NDArray[np.int32]]) -> None:
        """Whom the tracker keeps beside the tracks get other identities, ``called`` (k,) of theirs (k,)."""

    def camera(self) -> NDArray[np.float64] | None:
        """``T_world_camera`` (4, 4) of this frame, metres, if the system knows it."""
        return None

    def statures(self, tracks: Tracks) -> dict[int, tuple[float, float]]:
        """Stature and its standard deviation, metres, by person, if the system knows any."""
        return {}

    def state(self) -> State:
        """All that the next frame depends on beside the tracks."""
        return {}

    def restore(self, state: State) -> None:
        """Continue from a larger state that `state` is part of."""


class OnlineStream(Generic[D, A]):
    """One video, frame by frame: a ``stream.GivenStream`` that also knows cuts and statures.

    ``K`` None assumes the default focal length of ``camera`` from the first frame's size; ``threads`` as of
    `systems.load`.
    """

    def __init__(
        self,
        tracker: OnlineTracker[D, A],
        K: NDArray[np.float64] | None = None,
        threads: int | None = 1,
        *,
        life: LifeRules | None = None,
        cuts: CutRules | None = None,
        background: BackgroundRules | None = None,
    ) -> None:
        self.turn, self.threads = FrameLock(), threads
        self._tracker, self._life = tracker, life or LifeRules()
        self._cut_rules, self._background_rules = cuts or CutRules(), background or BackgroundRules()
        self.K, self._size = stream_K(K), np.zeros(2, np.int64)  # until the first frame tells its size
        self._tracks = np.zeros(0, track_type(tracker.fields))
        self._frame, self._now_s, self._last_id = -1, 0.0, 0
        self._given = False  # the people of the first frame were given, and stay the only ones
        self._cuts, self._background = (
            CutDetector(self._cut_rules),
            BackgroundMotion(self._background_rules),
        )
        self.cut_before = False  # whether another shot began with the last frame

    @with_few_threads
    def encode(self, image: NDArray[np.uint8]) -> FrameFeatures[D]:
        """What a picture, (H, W, 3) uint8 RGB, shows; needs nothing of other frames."""
        return self._features(checked_picture(image))

    @in_turn
    def update(self, image: NDArray[np.uint8], time_s: float) -> FrameResult:
        """The people of the next frame, camera axes: ``step`` of ``encode``."""
        return self.step(self.encode(image), time_s)

    @in_turn
    @with_few_threads
    def begin(self, image: NDArray[np.uint8], boxes_px: NDArray[np.floating], time_s: float) -> FrameResult:
        """The first frame with the people in these boxes, (n, 4) xyxy px: persons 1 to n, for good.

        Nobody is added or dropped later; see ``stream.GivenStream``. Raises ``ChorosError`` if there was a frame
        before.
        """
        image, boxes = checked_picture(image), checked_boxes(boxes_px)
        time_s = checked_step(image.shape[1::-1], time_s, self._size, None)
        if self._frame >= 0:
            raise ChorosError("people can be given in a stream's first frame only; begin a new stream.")
        features = self._features(image, boxes)
        self._given = True
        return self.step(features, time_s)

    @in_turn
    @with_few_threads
    def step(self, features: FrameFeatures[D], time_s: float) -> FrameResult:
        """The people of the next frame, camera axes. ``time_s`` must not go back."""
        moment = self._next(features, time_s)
        tracker, tracks = self._tracker, self._tracks.copy()  # states that were given out stay as they are
        moment = replace(moment, found=tracker.recall(moment))
        tracker.predict(tracks, moment)
        affinity = tracker.affinity(tracks, moment)
        mine, theirs = assign(affinity.similarity, 0.0)
        tracks["detection"] = -1
        tracks["detection"][mine] = theirs
        tracker.measure(tracks, affinity, moment)
        tracks["sights"][mine] += 1
        tracks["seen_s"][mine] = moment.time_s
        tracks["score"][mine] = np.maximum(tracks["score"][mine], moment.found.scores[theirs])
        if moment.given:  # everybody of the first frame, and nobody later
            new = np.arange(len(moment.found.scores) if self._frame == 0 else 0)
        else:
            fresh = tracker.newcomers(tracks, affinity, moment)
            fresh[theirs] = False
            new = np.flatnonzero(fresh)
        if len(new):
            born = np.zeros(len(new), tracks.dtype)
            born["detection"], born["sights"], born["score"] = new, 1, moment.found.scores[new]
            born["born_s"] = born["seen_s"] = born["inside_s"] = moment.time_s
            tracker.begin(tracks, new, affinity, moment, born)
            tracks = np.concatenate([tracks, born])
        return self._finish(tracks, moment)

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
            **self._tracker.state(),
        }

    @in_turn
    def restore(self, state: State) -> None:
        """Continue from ``state()`` of a stream with the same options and weights."""
        if state["tracks"].dtype != self._tracks.dtype:
            raise ChorosError("the checkpoint was written with other weights; track without --resume.")
        # A type that went through a file has forgotten its alignment.
        self._tracks, self.K = state["tracks"].astype(self._tracks.dtype), state["K"].copy()
        self._size = state["size"].copy()
        self._frame, self._last_id = (int(v) for v in state["clock"])
        self._now_s, self._given = float(state["now_s"]), bool(state["given"])
        self._cuts.restore(state)
        self._background.restore(state)
        self._tracker.restore(state)

    @in_turn
    def rename(self, identities: Mapping[int, int], last_id: int, frame: int) -> None:
        """Go on as part of another run, with its people and the number of its last frame; see `NamingStream`."""
        names, self._last_id, self._frame = dict(identities), max([last_id, *identities.values()]), frame

        def called(ids: NDArray[np.int32]) -> NDArray[np.int32]:
            for one in np.unique(ids[ids > 0]).tolist():
                if one not in names:
                    self._last_id += 1
                    names[one] = self._last_id
            return np.array([names.get(one, 0) for one in ids.tolist()], np.int32)

        tracks = self._tracks.copy()  # states that were given out stay as they are
        tracks["id"] = called(tracks["id"])
        self._tracker.rename(called)
        self._tracks = tracks

    def statures(self) -> dict[int, tuple[float, float]]:
        """Stature and its standard deviation, metres, of everybody numbered who is still followed, if it is known."""
        return self._tracker.statures(self._tracks[self._tracks["id"] > 0])

    # ----------------------------------------------------------------------------------------------

    def _features(
        self, image: NDArray[np.uint8], boxes_px: NDArray[np.float32] | None = None
    ) -> FrameFeatures[D]:
        found = self._tracker.detect(image, boxes_px)
        behind = background(image, found.boxes_px, self._background_rules)
        return FrameFeatures(found, image.shape[1], image.shape[0], behind, sketch(image, self._cut_rules))

    def _next(self, features: FrameFeatures[D], time_s: float) -> Moment[D]:
        """The clock goes on to the next frame, and perhaps to another shot."""
        width, height = features.width, features.height
        before_s = self._now_s if self._frame >= 0 else None
        time_s = checked_step((width, height), time_s, self._size, before_s)
        if not self._size.any():
            self.K, self._size = first_K(self.K, width, height), np.array([width, height])
        self.cut_before = (
            features.sketch is not None and not self._given and self._cuts.step(features.sketch, time_s)
        )
        if self.cut_before:
            self._tracker.begin_shot(self._tracks)
            self._tracks = self._tracks[:0]
            self._background = BackgroundMotion(self._background_rules)
        begins_shot = self.cut_before or self._frame < 0
        dt_s = 0.0 if begins_shot else time_s - self._now_s
        self._frame, self._now_s = self._frame + 1, time_s
        turn = None if features.behind is None else self._background.step(features.behind, self.K, time_s)
        return Moment(features.found, time_s, dt_s, self.K, width, height, turn, begins_shot, self._given)

    def _finish(self, tracks: Tracks, moment: Moment[D]) -> FrameResult:
        """End what must end, number who is new, and write the rows of this frame."""
        sure = moment.given | confirmed(
            self._life,
            tracks["sights"],
            tracks["score"],
            tracks["crowded"],
            tracks["born_s"],
            tracks["seen_s"],
        )
        verdict = self._tracker.judge(tracks, sure, moment)
        tracks["inside_s"][verdict.inside | (tracks["detection"] >= 0)] = moment.time_s
        lost = ended(self._life, moment.time_s, sure, tracks["seen_s"], tracks["inside_s"])
        stays = moment.given | (~lost & verdict.stays)
        shown = (moment.given | (tracks["id"] > 0) | verdict.shown)[stays]
        self._tracker.retire(tracks, stays)
        tracks = self._tracks = tracks[stays]
        self._tracker.recognise(tracks, np.flatnonzero(shown & (tracks["id"] == 0)))
        unnamed = np.flatnonzero(shown & (tracks["id"] == 0))
        tracks["id"][unnamed] = self._last_id + 1 + np.arange(len(unnamed))
        self._last_id += len(unnamed)

        rows = np.zeros(int(shown.sum()), ROW)
        rows["frame"], rows["person"] = self._frame, tracks["id"][shown]
        rows["visible"] = tracks["detection"][shown] >= 0
        extras = self._tracker.describe(rows, tracks, shown, moment) or {}
        order = np.argsort(rows["person"])
        extras = {name: values[order] for name, values in extras.items()}
        return FrameResult(rows[order], self._tracker.camera(), extras)


def track_type(fields: Sequence[Any]) -> np.dtype[np.void]:
    """The type of a track with these fields beside the common ones."""
    return np.dtype(
        [*COMMON_FIELDS, *fields], align=True
    )  # torch takes no field that lies across its own size


def seen_as(tracks: Tracks) -> tuple[Indices, Indices]:
    """The tracks (k,) that are seen in this frame, in order, and the detections (k,) that they are."""
    which = np.flatnonzero(tracks["detection"] >= 0)
    return which, tracks["detection"][which].astype(np.intp)
