"""The one loop that runs any system over any video into a ``Motion``.

The loop decodes ahead, keeps the journal and survives being stopped; it knows nothing of how people are found.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros._version import __version__
from choros.body.posed import Skeleton
from choros.clip_identity import identity_of
from choros.journal import CHECKPOINT_S, INPUT, MotionJournal, check_same_clip, frames_if_finished
from choros.motion import FRAME, Header, Motion
from choros.options import TrackOptions
from choros.outputs import check_output, claimed
from choros.run_identity import identity_of as identity_of_system
from choros.systems import DEFAULT, load
from choros.tracking.photos import PhotoStream
from choros.tracking.stream import MeasuringStream, Stream, System, cut_before
from choros.video import Frame, Gap, Spool, VideoInfo, VideoReader, check_there, is_address


class Progress(NamedTuple):
    """Told after each frame."""

    info: VideoInfo
    n_frames: int  # so far, those of an earlier run included
    n_resumed: int  # of them, done by the earlier run
    n_people: int  # in this frame
    pts_s: float


@dataclass
class Tracked:
    """What a run left behind: the file, what could not be read of the video or was odd, and how tall everybody is.

    ``statures`` are metres and their standard deviation by person, of systems that know them, as last known; after
    a resumed run, of those whom this run has seen.
    """

    path: Path
    n_frames: int
    n_people: int | None  # who were seen; None if the run had come to its end before
    gaps: list[Gap] = field(default_factory=list)
    statures: dict[int, tuple[float, float]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()  # what the video claims and is not believed


def track(
    source: str | Path,
    system: str | System = DEFAULT,
    options: TrackOptions | None = None,
) -> Motion:
    """Everyone's motion in a video file, an image, a folder of images or a stream.

    >>> motion = choros.track("clip.mp4")
    >>> motion.people[0].transl

    Raises ``ChorosError`` if the source cannot be read. For long videos use ``track_to_file``, which keeps
    nothing in memory.
    """
    given = partial(load, system) if isinstance(system, str) else system
    with tempfile.TemporaryDirectory() as folder:
        return Motion.load(track_to_file(source, Path(folder) / "motion.npz", given, options).path)


def track_to_file(
    source: str | Path,
    output: str | Path,
    system: System | Callable[[], System],
    options: TrackOptions | None = None,
    *,
    resume: bool = False,
    provenance: dict[str, Any] | None = None,
    spool: Spool | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Tracked:
    """Track ``source`` into ``output`` (motion.npz) and ``tracks.txt`` beside it, in constant memory.

    Whatever ends the run early (Ctrl-C, a broken stream), both files hold what was done until then, and the
    journal stays: ``resume`` goes on from it and ends with the same bytes as a run that was never stopped; a
    run that had come to its end is not done again. ``system`` may be what loads one, which is then called when
    ``source`` is known to be readable. ``provenance`` is what else the header is to tell of the run. A ``spool``
    keeps what comes through a pipe.
    Raises ``ChorosError`` if the source cannot be read, ``output`` is the source or lies in it, another run is writing
    it, or ``resume`` finds another run there, finished or not: of another clip, system, weights, body or choice of
    options, of which it names the first.
    """
    options, output = options or TrackOptions(), Path(output)
    for written in (output, output.with_name("tracks.txt")):
        check_output(written, source)
    check_there(source)
    with claimed(output):
        clip = identity_of(source)
        if resume:
            check_same_clip(output, source, clip)
        if is_address(source) and not isinstance(system, System):
            system = system()  # before a stream begins, which waits for nobody
        with options.open(source, prefetch=4, spool=spool) as reader:
            info = reader.info
            K = options.intrinsics(info.width, info.height)
            system = system if isinstance(system, System) else system()
            about = (provenance or {}) | ({INPUT: clip} if clip else {})
            header = header_of(info, source, system, K, options, about)
            stream = PhotoStream(system.stream, options.intrinsics) if options.photos else system.stream(K)
            if resume and (n_frames := frames_if_finished(output, header)) is not None:
                return Tracked(output, n_frames, None)
            resumed = MotionJournal.resume(output, header) if resume else None
            if resumed:
                journal, state = resumed
                stream.restore(state)
            else:
                journal = MotionJournal.start(output, header)
            n_people, statures = _follow(
                reader, stream, journal, options, Place.of(options, system), progress
            )
            return Tracked(output, journal.n_frames, n_people, list(reader.gaps), statures, info.notes)


def _follow(
    reader: VideoReader,
    stream: Stream,
    journal: MotionJournal,
    options: TrackOptions,
    place: Place,
    progress: Callable[[Progress], None],
) -> tuple[int, dict[int, tuple[float, float]]]:
    """Write the frames that ``journal`` lacks into it, and finish it; returns how many were seen, and statures."""
    done, n_resumed, saved_s = False, journal.n_frames, None
    K = options.intrinsics(reader.info.width, reader.info.height)
    statures: dict[int, tuple[float, float]] = {}
    with journal:
        try:
            for frame, features in _encode_ahead(reader, stream, n_resumed):
                rows = stream.step(features, frame.pts_s)
                if options.photos:
                    K = options.intrinsics(frame.image.shape[1], frame.image.shape[0])
                record = frame_record(frame, K, place.T_world_camera, cut_before=cut_before(stream))
                journal.append(record, place.placed(rows))
                if saved_s is None or frame.pts_s - saved_s >= CHECKPOINT_S:
                    journal.checkpoint(stream.state())
                    saved_s = frame.pts_s
                if isinstance(stream, MeasuringStream):
                    statures |= stream.statures()
                people = int(rows["visible"].sum())
                progress(Progress(reader.info, journal.n_frames, n_resumed, people, frame.pts_s))
            done = True
        finally:
            n_people = journal.finish(keep=not done)
    return n_people, statures


ENCODERS = 2  # frames looked at side by side; more would only wait for cores


def _encode_ahead(reader: VideoReader, stream: Stream, skip: int) -> Iterator[tuple[Frame, Any]]:
    """Frames after the first ``skip`` with what ``stream.encode`` says of them, in order, a few ahead."""
    with ThreadPoolExecutor(ENCODERS) as pool:
        waiting: deque[tuple[Frame, Future[Any]]] = deque()
        try:
            for frame in reader:
                if frame.index < skip:
                    continue
                waiting.append((frame, pool.submit(stream.encode, frame.image)))
                if len(waiting) > ENCODERS:
                    ready, features = waiting.popleft()
                    yield ready, features.result()
            while waiting:
                ready, features = waiting.popleft()
                yield ready, features.result()
        finally:
            for _, features in waiting:
                features.cancel()


def header_of(
    info: VideoInfo,
    source: str | Path,
    system: System,
    K: NDArray[np.float64],
    options: TrackOptions,
    provenance: dict[str, Any] | None = None,
) -> Header:
    """What a motion says of itself: of ``source``, by ``system``, with intrinsics ``K`` (3, 3), px, and ``options``.

    ``provenance`` is what else it is to tell.
    """
    body = getattr(getattr(system, "body", None), "name", "open")
    about = (provenance or {}) | {
        "choros": __version__,
        "K": K.tolist(),
        "system": identity_of_system(system),
    }
    about |= options.provenance(info)
    if info.pictures:
        del about["K"]  # each has its own
        about["pictures"] = [asdict(picture) for picture in info.pictures]
    return Header(
        info.fps,
        info.width,
        info.height,
        str(source),
        system.name,
        body,
        space="camera" if options.camera_pose is None else "world",
        numbers=info.numbers,
        provenance=about,
    )


@dataclass(frozen=True)
class Place:
    """Where the camera is, if that is known, and with it the people."""

    T_world_camera: NDArray[np.float64] | None = None  # (4, 4); None: not known
    skeleton: Skeleton | None = None  # of the people to be moved; None leaves them where they are

    @classmethod
    def of(cls, options: TrackOptions, system: System) -> Place:
        if options.camera_pose is None:
            return cls()
        return cls(np.array(options.camera_pose), Skeleton.of(getattr(system, "body", None)))

    def placed(self, rows: NDArray[np.void]) -> NDArray[np.void]:
        """People (n,) ``motion.ROW`` in camera axes, in the space of the record."""
        if self.skeleton is None or self.T_world_camera is None:
            return rows
        return self.skeleton.moved(rows, self.T_world_camera)


def frame_record(
    frame: Frame, K: NDArray[np.float64], T_world_camera: NDArray[np.float64] | None, *, cut_before: bool
) -> NDArray[np.void]:
    """One entry, () ``motion.FRAME``, of a camera with intrinsics ``K`` (3, 3), px, at a place, if it is known."""
    record = np.zeros((), FRAME)
    pts: Fraction = frame.pts
    record["pts"] = pts.numerator, pts.denominator
    record["number"], record["gap_before"], record["cut_before"] = frame.number, frame.gap_before, cut_before
    record["K"], record["camera_known"] = K, T_world_camera is not None
    record["T_world_camera"] = np.eye(4) if T_world_camera is None else T_world_camera
    return record
