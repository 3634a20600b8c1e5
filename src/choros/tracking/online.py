"""One video tracked online: all that is the same for every system, around the little that is each system's own.

`OnlineStream` is the shell. It keeps the clock, the camera, the shots and the tracks, one record a person, and takes
every frame through the same steps: predict, compare with what was detected, assign, measure, begin the new, end the
lost, number those who are shown. What it cannot know it asks its `OnlineTracker`, which a system supplies; neither
keeps anything of a video but what its live tracks need. Not every frame need be searched for people (`Pace`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray

from choros.camera_motion.background import BackgroundMotion, BackgroundRules, background
from choros.errors import ChorosError
from choros.journal import State
from choros.motion import ROW, FrameResult
from choros.tracking.assignment import assign
from choros.tracking.frame import (
    COMMON_FIELDS,
    A,
    Affinity,
    D,
    Detected,
    Flags,
    Floats,
    FrameFeatures,
    Indices,
    Moment,
    Tracks,
    Verdict,
    seen_as,
    track_type,
)
from choros.tracking.frame_lock import FrameLock, in_turn, with_few_threads
from choros.tracking.lifecycle import LifeRules, confirmed, ended
from choros.tracking.pace import Pace
from choros.tracking.steps import checked_boxes, checked_picture, checked_step, first_K, stream_K
from choros.video.cuts import CutDetector, CutRules, sketch

#: A system needs no more than this module.
__all__ = [
    "COMMON_FIELDS", "Affinity", "Detected", "Flags", "FrameFeatures", "Indices", "Moment", "OnlineStream",
    "OnlineTracker", "Tracks", "Verdict", "seen_as", "track_type",
]  # fmt: skip


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

    def glance(self, image: NDArray[np.uint8], ahead: D | None = None) -> D:
        """What a picture shows beside its people, of a frame that is not searched for them.

        Called as `detect` is, and once more in the frame's turn, then with what it said ``ahead`` of that, if it was
        called.
        """
        return self.detect(image, np.zeros((0, 4), np.float32)) if ahead is None else ahead

    def read(
        self, tracks: Tracks, which: Indices, image: NDArray[np.uint8], moment: Moment[D]
    ) -> tuple[D, Indices]:
        """The predicted tracks ``which`` (k,), as they are found where they are predicted, in a frame not searched.

        Returns detections (m,) and the tracks (m,) that they are: those of ``which`` who may be there still. Asked
        only with a `Pace`.
        """
        raise NotImplementedError(f"{type(self).__name__} searches every frame")

    def crowded(self, tracks: Tracks) -> bool:
        """Whether the next frame is to be searched in any case, for reading would take people for one another."""
        return False

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
    `systems.load`. Frames are searched for people every ``search_s`` (`Pace`), all of them for 0, and whenever a shot
    begins or people are crowded.
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
        search_s: float = 0.0,
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
        self._pace = Pace(search_s)
        self._people_px = np.zeros((0, 4), np.float32)  # boxes in the last frame

    @with_few_threads
    def encode(self, image: NDArray[np.uint8]) -> FrameFeatures[D]:
        """What a picture, (H, W, 3) uint8 RGB, shows; needs nothing of other frames."""
        return self._features(checked_picture(image))

    @with_few_threads
    def glance(self, image: NDArray[np.uint8]) -> FrameFeatures[D]:
        """The same without a search for people, for `step` at times at which none is due (`pace`)."""
        image = checked_picture(image)
        found = self._tracker.glance(image)
        seen = sketch(image, self._cut_rules)
        return FrameFeatures(found, image.shape[1], image.shape[0], None, seen, image, searched=False)

    def pace(self) -> Pace:
        """By which `step` will tell, of the times of the frames to come, which of them are searched."""
        return copy(self._pace)

    @in_turn
    def update(self, image: NDArray[np.uint8], time_s: float) -> FrameResult:
        """The people of the next frame, camera axes: ``step`` of ``encode``, which does no more than it must."""
        size, before_s = checked_picture(image).shape[1::-1], self._now_s if self._frame >= 0 else None
        due = self.pace().due(checked_step(size, time_s, self._size, before_s))
        return self.step(self.encode(image) if due else self.glance(image), time_s)

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
        tracker.predict(tracks, moment)
        of = None
        if not moment.searched and features.image is not None:
            there = np.flatnonzero(tracks["searched_score"] > 0)
            found, of = tracker.read(tracks, there, features.image, moment)
            moment = replace(moment, found=found)
        affinity = tracker.affinity(tracks, moment)
        mine, theirs = assign(affinity.similarity if of is None else _of(affinity, of), 0.0)
        tracks["detection"] = -1
        tracks["detection"][mine] = theirs
        tracker.measure(tracks, affinity, moment)
        tracks["seen_s"][mine] = moment.time_s
        if moment.searched:
            tracks["sights"][mine] += 1
            tracks["searched_score"] = 0
            tracks["searched_score"][mine] = moment.found.scores[theirs]
            tracks["score"] = np.maximum(tracks["score"], tracks["searched_score"])
        if moment.given:  # everybody of the first frame, and nobody later
            new = np.arange(len(moment.found.scores) if self._frame == 0 else 0)
        elif not moment.searched:
            new = np.arange(0)
        else:
            fresh = tracker.newcomers(tracks, affinity, moment)
            fresh[theirs] = False
            new = np.flatnonzero(fresh)
        if len(new):
            born = np.zeros(len(new), tracks.dtype)
            born["detection"], born["sights"], born["score"] = new, 1, moment.found.scores[new]
            born["searched_score"] = born["score"]
            born["born_s"] = born["seen_s"] = born["inside_s"] = moment.time_s
            tracker.begin(tracks, new, affinity, moment, born)
            tracks = np.concatenate([tracks, born])
        self._people_px = moment.found.boxes_px
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
            "searched_s": np.array(self._pace.searched_s),
            "search_next": np.array(self._pace.next),
            "people_px": self._people_px,
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
        self._pace.searched_s = float(state["searched_s"])
        self._pace.next = bool(state["search_next"])
        self._people_px = state["people_px"].copy()
        self._cuts.restore(state)
        self._background.restore(state)
        self._tracker.restore(state)

    def statures(self) -> dict[int, tuple[float, float]]:
        """Stature and its standard deviation, metres, of everybody numbered who is still followed, if it is known."""
        return self._tracker.statures(self._tracks[self._tracks["id"] > 0])

    # ----------------------------------------------------------------------------------------------

    def _features(
        self, image: NDArray[np.uint8], boxes_px: NDArray[np.float32] | None = None
    ) -> FrameFeatures[D]:
        found = self._tracker.detect(image, boxes_px)
        behind = background(image, found.boxes_px, self._background_rules)
        seen = sketch(image, self._cut_rules)
        kept = image if self._pace.every_s else None
        return FrameFeatures(found, image.shape[1], image.shape[0], behind, seen, kept)

    def _searched_or_not(self, features: FrameFeatures[D], due: bool) -> FrameFeatures[D]:
        """The features of a picture that is searched if that is ``due``, and else not, whatever was done ahead."""
        image = features.image
        if image is None or (due and features.searched):
            return features
        if due:
            return self._features(image)
        found = self._tracker.glance(image, None if features.searched else features.found)
        behind = background(image, self._people_px, self._background_rules)
        return replace(features, found=found, behind=behind, searched=False)

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
        features = self._searched_or_not(features, self._pace.due(time_s) or begins_shot)
        dt_s = 0.0 if begins_shot else time_s - self._now_s
        self._frame, self._now_s = self._frame + 1, time_s
        turn = None if features.behind is None else self._background.step(features.behind, self.K, time_s)
        return Moment(
            features.found, time_s, dt_s, self.K, width, height, turn, begins_shot, self._given,
            features.searched,
        )  # fmt: skip

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
        self._pace.next = self._tracker.crowded(tracks)
        self._tracker.recognise(tracks, np.flatnonzero(shown & (tracks["id"] == 0)))
        unnamed = np.flatnonzero(shown & (tracks["id"] == 0))
        tracks["id"][unnamed] = self._last_id + 1 + np.arange(len(unnamed))
        self._last_id += len(unnamed)

        rows = np.zeros(int(shown.sum()), ROW)
        rows["frame"], rows["person"] = self._frame, tracks["id"][shown]
        rows["visible"] = tracks["detection"][shown] >= 0
        extras = self._tracker.describe(rows, tracks, shown, moment) or {}
        order = np.argsort(rows["person"])
        return FrameResult(rows[order], extras={name: values[order] for name, values in extras.items()})


def _of(affinity: Affinity, tracks: Indices) -> Floats:
    """The similarity (n, m) of affinities in which each detection is of its own of the ``tracks`` (m,) or of nobody."""
    only = np.full_like(affinity.similarity, -np.inf)
    own = tracks, np.arange(len(tracks))
    only[own] = affinity.similarity[own]
    return only
