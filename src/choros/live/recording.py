"""Everyone's motion from a camera or stream, recorded while it runs, with what it costs in time.

The loop never has more than one frame in hand: it takes the newest, finds its people, writes them to the
journal of ``choros.journal`` and looks again. Drawing is left to whoever is told of each frame.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.journal import CHECKPOINT_S, MotionJournal, folder_of
from choros.live.live_source import LiveFrame, LiveOptions, LiveSource
from choros.motion import Header
from choros.options import TrackOptions
from choros.outputs import check_output, claimed
from choros.track_video import Recorder, header_of
from choros.tracking.steady import Steady
from choros.tracking.stream import System, cut_before
from choros.video import VideoInfo

REPORT_S = 0.25  # how often it is told how things stand while no frame comes
LATENCIES = 1000  # frames that the percentiles are of


class LiveState(NamedTuple):
    """How things stand, after each frame and a few times a second while there is none."""

    info: VideoInfo
    K: NDArray[np.float64]  # (3, 3) px
    connection: str  # "streaming", or what is wrong and what is done about it
    n_captured: int
    n_processed: int
    n_dropped: int  # a newer one came before it could be worked on
    n_breaks: int  # how often the stream broke
    latency_p50_s: float  # from decoded to people known, of the last LATENCIES frames; nan before the first
    latency_p99_s: float
    n_people: int  # seen in the last frame
    frame: LiveFrame | None  # the one just worked on
    rows: NDArray[np.void] | None  # (n,) motion.ROW, its people, in camera axes


def live_to_file(
    source: int | str | Path,
    output: str | Path,
    system: System,
    options: TrackOptions | None = None,
    *,
    live: LiveOptions | None = None,
    provenance: dict[str, Any] | None = None,
    report: Callable[[LiveState], None] = lambda _: None,
) -> int:
    """Track a ``LiveSource`` into ``output`` (motion.npz) and ``tracks.txt`` beside it until it ends.

    A stream ends with an exception only, such as Ctrl-C's; both files are whole then. Frames have the times at
    which they were taken, in seconds from the first one, and the motion's ``fps`` is the rate that was reached;
    ``gap_before`` tells of breaks and damage, not of dropped frames. ``options`` are the camera's intrinsics, its
    lens, how it is turned and, if that is known, its place. Memory does not grow. ``report`` is called in the loop and
    holds it up as long as it takes. Returns the number of frames. Raises ``ChorosError`` if the source cannot be
    opened, or ``output`` is a recording that was killed and not yet rescued, the source, or what another run writes.
    """
    options, output = options or TrackOptions(), Path(output)
    for written in (output, output.with_name("tracks.txt")):
        check_output(written, None if isinstance(source, int) else source)
    with claimed(output):
        refuse_killed(output)
        return _record(source, output, system, options, live, provenance, report)


def _record(
    source: int | str | Path,
    output: Path,
    system: System,
    options: TrackOptions,
    live: LiveOptions | None,
    provenance: dict[str, Any] | None,
    report: Callable[[LiveState], None],
) -> int:
    latencies_s: deque[float] = deque(maxlen=LATENCIES)
    with LiveSource(source, live, rotate=options.rotate, calibration=options.calibration) as camera:
        K = options.intrinsics(camera.info.width, camera.info.height)
        about = (provenance or {}) | {"live": True}
        header = header_of(camera.info, camera.name, system, K, options, about)
        stream = system.stream(K)
        steady = Steady(stream)
        first = last = None
        saved_s, n_people = -math.inf, 0
        with MotionJournal.start(output, header) as journal:
            recorder = Recorder(journal, system, options)
            try:
                while not camera.over:
                    rows, frame = None, camera.take(REPORT_S)
                    if frame is not None:
                        result = steady.update(frame.image, frame.pts_s)
                        rows = recorder.add(frame, result, cut_before(stream), lost=steady.why is not None)
                        latencies_s.append(time.monotonic() - frame.arrived_s)
                        n_people = int(rows["visible"].sum())
                        first, last = first or frame, frame
                        if frame.pts_s - saved_s >= CHECKPOINT_S:
                            journal.checkpoint({**stream.state(), **recorder.state()})
                            saved_s = frame.pts_s
                    report(_state(camera, K, journal.n_frames, latencies_s, n_people, frame, rows))
            finally:
                if first is not None and last is not None and last.pts > first.pts:
                    rate = (journal.n_frames - 1) / (last.pts - first.pts)
                    journal.header = replace(header, fps=rate.limit_denominator(1000))
                journal.finish()
        return journal.n_frames


def _state(
    camera: LiveSource,
    K: NDArray[np.float64],
    n_processed: int,
    latencies_s: deque[float],
    n_people: int,
    frame: LiveFrame | None,
    rows: NDArray[np.void] | None,
) -> LiveState:
    p50_s, p99_s = np.percentile(latencies_s, (50, 99)) if latencies_s else (math.nan, math.nan)
    return LiveState(
        camera.info, K, camera.connection, camera.n_captured, n_processed, camera.n_dropped, camera.n_breaks,
        float(p50_s), float(p99_s), n_people, frame, rows,
    )  # fmt: skip


def refuse_killed(output: Path) -> None:
    """Raise ``ChorosError`` if ``output`` is a recording that was killed and not yet rescued."""
    if (folder_of(output) / "checkpoint").is_file():
        raise ChorosError(
            f"{folder_of(output)} holds a recording that was killed; rescue it (choros live --rescue -o {output}), "
            "delete the folder, or name another output."
        )


def rescue(output: str | Path) -> int:
    """Write ``output`` from what a recording that was killed had confirmed; returns the number of frames.

    Raises ``ChorosError`` if there is no such recording, or if it goes on.
    """
    folder = folder_of(Path(output))
    if not (folder / "checkpoint").is_file():
        raise ChorosError(
            f"{folder}: there is no killed recording of {output} to rescue; check the path after -o."
        )
    with claimed(output):
        header = Header.from_json((folder / "header.json").read_text())
        resumed = MotionJournal.resume(output, header)
        if resumed is None:  # it was there a moment ago
            raise ChorosError(f"{folder} was removed while it was being rescued; nothing is left to rescue.")
        journal, _ = resumed
        with journal:
            journal.finish()
        return journal.n_frames
