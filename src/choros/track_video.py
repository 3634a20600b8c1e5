"""The one loop that runs any system over any video into a ``Motion``.

The loop decodes ahead, keeps the journal and survives being stopped; it knows nothing of how people are found.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros._version import __version__
from choros.body.posed import Skeleton
from choros.clip_identity import identity_of
from choros.encoders import Encoders, Makes, Threads, gone
from choros.glamr.live_world import LiveWorld
from choros.journal import CHECKPOINT_S, INPUT, MotionJournal, State, check_same_clip, frames_if_finished
from choros.motion import FRAME, FrameResult, Header, Motion
from choros.motion.extras import with_extras
from choros.motion.frame_result import checked
from choros.options import TrackOptions
from choros.outputs import check_output, claimed
from choros.run_identity import identity_of as identity_of_system
from choros.systems import DEFAULT, load
from choros.tracking.photo_stream import PhotoStream
from choros.tracking.steady import Steady
from choros.tracking.stream import BatchStream, MeasuringStream, Stream, System, cut_before
from choros.video import Frame, Gap, Spool, VideoInfo, VideoReader, check_there, is_address

OF_WORLD = "live_world."  # how names in a checkpoint begin that are not the stream's


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
    >>> motion.people[1].transl

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
    called: str | None = None,
    encoders: Makes | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Tracked:
    """Track ``source`` into ``output`` (motion.npz) and ``tracks.txt`` beside it, in constant memory.

    Whatever ends the run early (Ctrl-C, a broken stream), both files hold what was done until then, and the
    journal stays: ``resume`` goes on from it and ends with the same bytes as a run that was never stopped; a
    run that had come to its end is not done again. ``system`` may be what loads one, which is then called when
    ``source`` is known to be readable. ``provenance`` is what else the header is to tell of the run. A ``spool``
    keeps what comes through a pipe. ``called`` is what the header calls the source, where that is a copy;
    ``encoders`` makes those who look at frames, where it is not threads of this process.
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
            options = options.of_source(info)
            K = options.intrinsics(info.width, info.height)
            system = system if isinstance(system, System) else system()
            about = (provenance or {}) | ({INPUT: clip} if clip else {})
            header = header_of(info, called or source, system, K, options, about)
            stream = PhotoStream(system.stream, options.intrinsics) if options.photos else system.stream(K)
            if resume and (n_frames := frames_if_finished(output, header)) is not None:
                return Tracked(output, n_frames, None)
            resumed = MotionJournal.resume(output, header) if resume else None
            if resumed:
                journal, state = resumed
            else:
                journal = MotionJournal.start(output, header)
            recorder = Recorder(journal, system, options)
            if resumed:
                stream.restore(recorder.restore(state))
            steady = Steady(stream, hold=not options.photos)
            looking = None if encoders is None else encoders(stream, K)
            n_people, statures = _follow(reader, steady, recorder, progress, looking)
            notes = info.notes + steady.notes()
            return Tracked(output, journal.n_frames, n_people, list(reader.gaps), statures, notes)


def _follow(
    reader: VideoReader,
    steady: Steady,
    recorder: Recorder,
    progress: Callable[[Progress], None],
    encoders: Encoders | None,
) -> tuple[int, dict[int, tuple[float, float]]]:
    """Record the frames that the journal lacks, and finish it; returns how many were seen, and statures."""
    journal, stream = recorder.journal, steady.stream
    done, n_resumed, saved_s = False, journal.n_frames, None
    statures: dict[int, tuple[float, float]] = {}
    with journal:
        try:
            for frame, features in encoded_ahead(reader, stream, max(n_resumed - 1, 0), encoders):
                if frame.index < n_resumed:  # what may have to stand in for the next
                    steady.saw(features)
                    continue
                result = steady.step(features, frame.image, frame.pts_s)
                rows = recorder.add(frame, result, cut_before(stream), lost=steady.why is not None)
                if saved_s is None or frame.pts_s - saved_s >= CHECKPOINT_S:
                    journal.checkpoint({**stream.state(), **recorder.state()})
                    saved_s = frame.pts_s
                if isinstance(stream, MeasuringStream):
                    statures |= stream.statures()
                people = int(rows["visible"].sum())
                progress(Progress(reader.info, journal.n_frames, n_resumed, people, frame.pts_s))
            done = True
        finally:
            n_people = journal.finish(keep=not done)
    return n_people, statures


def encoded_ahead(
    reader: VideoReader, stream: Stream, skip: int = 0, encoders: Encoders | None = None
) -> Iterator[tuple[Frame, Any]]:
    """Frames after the first ``skip`` with what ``stream.encode`` says of them, in order, a few ahead.

    Of a frame that a network gave no numbers of, that is the `NotNumbers` which says so. ``encoders`` look at them,
    two threads if it is not said, and are closed at the end.
    """
    size, overlap = (stream.batch, stream.overlap) if isinstance(stream, BatchStream) else (1, 0)
    looking, waiting = encoders or Threads(stream), deque[tuple[list[Frame], Future[Sequence[Any]]]]()

    def looked_at() -> Iterator[tuple[Frame, Any]]:
        frames, features = waiting.popleft()
        try:
            pairs = zip(frames, features.result(), strict=True)
        except BrokenProcessPool as error:
            raise gone() from error
        yield from (pair for pair in pairs if pair[0].index >= skip)

    try:
        for frames, before in _batches(reader, size, overlap, skip):
            asked = looking.look([frame.image for frame in frames], [frame.image for frame in before])
            waiting.append((frames, asked))
            if len(waiting) > looking.ahead:
                yield from looked_at()
        while waiting:
            yield from looked_at()
    finally:
        looking.close()


def _batches(
    reader: Iterable[Frame], size: int, overlap: int, skip: int
) -> Iterator[tuple[list[Frame], list[Frame]]]:
    """All frames in runs of ``size`` from the first, each with the ``overlap`` before it; the last may be shorter.

    A run in which all are among the first ``skip`` is left out, so that a video that is gone on with is cut as before.
    """
    frames: list[Frame] = []
    before: list[Frame] = []
    for frame in reader:
        frames.append(frame)
        if len(frames) == size:
            if frame.index >= skip:
                yield frames, before
            before, frames = [*before, *frames][-overlap:] if overlap else [], []
    if frames:
        yield frames, before


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
        space=options.space,
        numbers=info.numbers,
        provenance=about,
    )


class Recorder:
    """Puts what a system says of each frame into a journal, with the frame's times and camera.

    Where ``options`` tell the camera's pose, that holds and people are put into its world; with ``live_world`` into one
    that is told from them as they come (``glamr.live_world``). Else the system's word on the camera is kept, and
    people stay in camera axes.
    """

    def __init__(self, journal: MotionJournal, system: System, options: TrackOptions) -> None:
        self.journal, self._system, self._options = journal, system, options
        pose = options.camera_pose
        self._T_world_camera = None if pose is None else np.array(pose)
        self._size, self._K = (0, 0), np.zeros((3, 3))
        body = getattr(system, "body", None)
        self._skeleton = Skeleton.of(body) if options.space == "world" else None
        self._live = LiveWorld(body) if options.live_world else None

    def add(
        self, frame: Frame, result: FrameResult, cut_before: bool, lost: bool = False
    ) -> NDArray[np.void]:
        """The next frame; returns its people, (n,) ``motion.ROW`` in camera axes.

        ``lost`` says that they are not of this frame's own picture, which the motion tells as a gap.
        Raises ``ChorosError`` for what is no result of a frame (``motion.frame_result``).
        """
        result = checked(result, self._system, self.journal.n_frames)
        if self._live is not None:
            result = self._live.step(result, frame.pts_s, cut_before)
        rows, T_world_camera = result.rows, result.T_world_camera
        if self._T_world_camera is not None:
            T_world_camera = self._T_world_camera
        if self._skeleton is not None and T_world_camera is not None:
            rows = self._skeleton.moved(rows, T_world_camera)
        size = frame.image.shape[1], frame.image.shape[0]
        if size != self._size:  # photographs have one each
            self._K, self._size = self._options.intrinsics(*size), size
        record = _frame_record(frame, self._K, T_world_camera, cut_before)
        record["gap_before"] |= lost
        self.journal.append(record, with_extras(rows, result.extras))
        return result.rows

    def state(self) -> State:
        """What the next frame depends on beside the stream, for a checkpoint."""
        live = {} if self._live is None else self._live.state()
        return {OF_WORLD + name: array for name, array in live.items()}

    def restore(self, state: State) -> State:
        """Go on from ``state``; returns what is the stream's of it."""
        live = {name[len(OF_WORLD) :]: array for name, array in state.items() if name.startswith(OF_WORLD)}
        if self._live is not None:
            self._live.restore(live)
        return {name: array for name, array in state.items() if not name.startswith(OF_WORLD)}


def _frame_record(
    frame: Frame, K: NDArray[np.float64], T_world_camera: NDArray[np.float64] | None, cut_before: bool
) -> NDArray[np.void]:
    """One entry, () ``motion.FRAME``, of a camera with intrinsics ``K`` (3, 3), px, at a place, if it is known."""
    record = np.zeros((), FRAME)
    record["pts"] = frame.pts.numerator, frame.pts.denominator
    record["number"], record["gap_before"], record["cut_before"] = frame.number, frame.gap_before, cut_before
    record["K"], record["camera_known"] = K, T_world_camera is not None
    record["T_world_camera"] = np.eye(4) if T_world_camera is None else T_world_camera
    return record
