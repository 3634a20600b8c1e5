"""A clip tracked again from a moment on, by people as somebody mended them until then.

What was before that moment stays. The system looks at ``WARM_UP_S`` before it once more, its people are found among the
mended ones by their boxes, get their identities, and it goes on with those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from choros.clip_identity import identity_of
from choros.errors import ChorosError
from choros.journal import INPUT, MotionJournal
from choros.keypoints import box_iou
from choros.motion import Motion
from choros.options import TrackOptions
from choros.outputs import check_output, claimed
from choros.track_video import Progress, Recorder, Tracked, encoded_ahead, header_of
from choros.tracking.steady import Steady
from choros.tracking.stream import MeasuringStream, NamingStream, System, cut_before
from choros.video import Frame, VideoReader

WARM_UP_S = 2.0  # looked at again before the moment
VOTES_S = 1.0  # of it, the last part, in which people are compared
SAME_IOU = 0.5  # of boxes of one person


def track_again(
    source: str | Path,
    mended: Motion,
    from_s: float,
    output: str | Path,
    system: System | Callable[[], System],
    options: TrackOptions | None = None,
    *,
    provenance: dict[str, Any] | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Tracked:
    """Track ``source`` into ``output`` from the first frame at ``from_s`` or later on; before it is ``mended``.

    ``options`` are as of ``track_to_file``; where they say nothing of the camera, it has the K of ``mended``. Whoever
    is new gets numbers that nobody in ``mended`` has. Raises ``ChorosError`` as ``track_to_file`` does, if nothing of
    ``mended`` lies before that moment, and for a system whose people cannot be given identities.
    """
    chosen, output = options or TrackOptions(), Path(output)
    options = _of_the_same_camera(chosen, mended)
    check_output(output, source)
    kept = mended[: int(np.searchsorted(mended.pts_s, from_s - 1e-9))]
    if not len(kept):
        raise ChorosError(
            f"nothing of {mended.header.source or 'the motion'} lies before {from_s:g} s; track the whole clip instead."
        )
    system = system if isinstance(system, System) else system()
    begin_s = max(float(kept.pts_s[0]), from_s - WARM_UP_S)
    clip = identity_of(source)
    about = (provenance or {}) | ({INPUT: clip} if clip else {})
    with (
        claimed(output),
        replace(options, start_s=max(begin_s - 1e-3, 0.0)).open(source, prefetch=4) as reader,
    ):
        K = options.intrinsics(reader.info.width, reader.info.height)
        stream = system.stream(K)
        if not isinstance(stream, NamingStream):
            raise ChorosError(
                f"people of {system.name} cannot be given identities; track the whole clip instead."
            )
        header = header_of(reader.info, source, system, K, options, about)
        if options is not chosen:  # the lens is the motion's, which knows where it has it from
            header = header.told(K_source=mended.header.K_source)
        journal = MotionJournal.start(output, header)
        _keep(journal, kept)
        recorder = Recorder(journal, system, options)
        again = _Again(stream, recorder, kept, from_s, int(mended.row_person.max(initial=0)))
        n_people = again.run(reader, progress)
        return Tracked(
            output,
            journal.n_frames,
            n_people,
            list(reader.gaps),
            again.statures,
            reader.info.notes + again.steady.notes(),
        )


@dataclass
class _Again:
    """A stream over the end of what is kept, and on from there."""

    stream: NamingStream
    recorder: Recorder
    kept: Motion
    from_s: float
    last_id: int

    def __post_init__(self) -> None:
        self.statures: dict[int, tuple[float, float]] = {}
        self.steady = Steady(self.stream)
        self._frame_of = {int(number): frame for frame, number in enumerate(self.kept.number)}
        self._votes: dict[tuple[int, int], int] = {}

    def run(self, reader: VideoReader, progress: Callable[[Progress], None]) -> int:
        """Look again, then record; returns how many people were seen in all."""
        journal, done = self.recorder.journal, False
        with journal:
            try:
                for frame, features in self._frames(reader):
                    result = self.steady.step(features, frame.image, frame.pts_s)
                    lost = self.steady.why is not None
                    rows = self.recorder.add(frame, result, cut_before(self.stream), lost)
                    if isinstance(self.stream, MeasuringStream):
                        self.statures |= self.stream.statures()
                    people = int(rows["visible"].sum())
                    progress(Progress(reader.info, journal.n_frames, len(self.kept), people, frame.pts_s))
                done = True
            finally:
                n_people = journal.finish(keep=not done, settled_until=len(self.kept))
        return n_people

    def _frames(self, reader: VideoReader) -> Iterator[tuple[Frame, Any]]:
        """The frames to be recorded; those before them are looked at, and people get their names in between."""
        named = False
        for frame, features in encoded_ahead(reader, self.stream):
            if frame.pts_s < self.from_s - 1e-9:
                rows = self.steady.step(features, frame.image, frame.pts_s).rows
                if frame.pts_s >= self.from_s - VOTES_S:
                    self._vote(rows, self._frame_of.get(frame.number))
                continue
            if not named:
                self.stream.rename(same_people(self._votes), self.last_id, len(self.kept) - 1)
                named = True
            yield frame, features

    def _vote(self, rows: NDArray[np.void], frame: int | None) -> None:
        if frame is None:
            return
        theirs = self.kept.in_frame(frame)
        rows, theirs = rows[rows["visible"]], theirs[theirs["visible"]]
        overlap = box_iou(rows["box_px"].astype(np.float64), theirs["box_px"].astype(np.float64))
        for i, j in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[i, j] >= SAME_IOU:
                pair = int(rows["person"][i]), int(theirs["person"][j])
                self._votes[pair] = self._votes.get(pair, 0) + 1


def same_people(votes: dict[tuple[int, int], int]) -> dict[int, int]:
    """Of pairs (person now, person before) and the frames in which they are one: who is who, one to one."""
    now, before = (sorted({pair[side] for pair in votes}) for side in (0, 1))
    table = np.zeros((len(now), len(before)))
    for (one, other), count in votes.items():
        table[now.index(one), before.index(other)] = count
    rows, columns = linear_sum_assignment(-table)
    return {now[i]: before[j] for i, j in zip(rows, columns, strict=True) if table[i, j] > 0}


def _of_the_same_camera(options: TrackOptions, mended: Motion) -> TrackOptions:
    """The options, with the motion's K where they say nothing of the camera."""
    if options.photos or mended.header.photos:
        raise ChorosError("photographs have nothing before them; track those anew that are to be mended.")
    if options.live_world or (mended.space == "world") != (options.camera_pose is not None):
        where = "world" if mended.space == "world" else "camera"
        raise ChorosError(
            f"the mended motion is in {where} space; give the camera's pose as when it was tracked."
        )
    if (options.focal_px, options.fov_deg, options.K, options.calibration) != (None, None, None, None):
        return options
    fx, skew, cx = mended.K[-1][0].tolist()
    _, fy, cy = mended.K[-1][1].tolist()
    return replace(options, K=((fx, skew, cx), (0.0, fy, cy), (0.0, 0.0, 1.0)))


def _keep(journal: MotionJournal, kept: Motion) -> None:
    """What is before the moment, as it is."""
    ends = np.searchsorted(kept.row_frame, np.arange(len(kept) + 1))
    for frame in range(len(kept)):
        journal.append(kept.frames[frame], kept.rows[ends[frame] : ends[frame + 1]])
