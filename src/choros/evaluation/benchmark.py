"""Systems on data sets: every clip is tracked, timed and compared with its truth; out comes a table.

``choros bench`` prints what this returns. Systems are given the video and nothing else: no focal length, no
boxes, as anybody's video would be. Which clips there are is in ``sources``, what is measured in ``pooled``.
"""

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from choros.errors import ChorosError
from choros.evaluation.pooled import METRICS, pooled_scores
from choros.evaluation.sources import ProgressCall, Source, open_data
from choros.motion import Motion
from choros.systems import Progress, System, track_to_file


@dataclass
class _Run:
    """What one system made of the clips so far."""

    pairs: list[tuple[Motion, Motion]] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0
    peak_mb: float | None = None


def run_benchmark(
    systems: Mapping[str, System],
    data: Sequence[str],
    *,
    need_truth: bool = True,
    progress: ProgressCall = lambda what, done, total: None,
) -> list[dict[str, Any]]:
    """Every system on every data set (names as in ``open_data``), one record each, ready for JSON.

    A record has ``system`` (the mapping's key), ``data``, ``clips``, ``frames``; ``metrics``, the keys of
    ``METRICS``, None where one does not apply; ``runtime``: ``fps`` and ``ms_per_frame`` from the opened video
    to the written motion, loading of the system left out, and ``peak_mb``, the most memory this process held
    while tracking (None where Linux does not tell). Clips are filmed into temporary files, one at a time.

    need_truth: False admits videos without truth, which are timed and have no metrics.
    Raises ChorosError on unknown data, missing truth, and what cannot be tracked or compared.
    """
    sets = {name: open_data(name) for name in data}
    for source in (source for sources in sets.values() for source in sources):
        if need_truth and not source.has_truth:
            raise ChorosError(
                f"{source.name} is a video without truth; give a folder with video.mp4 and motion.npz."
            )
    return [
        record for name, sources in sets.items() for record in _on_one_set(systems, name, sources, progress)
    ]


def _on_one_set(
    systems: Mapping[str, System], data: str, sources: Sequence[Source], progress: ProgressCall
) -> list[dict[str, Any]]:
    runs = {label: _Run() for label in systems}
    for number, source in enumerate(sources, start=1):
        with tempfile.TemporaryDirectory() as folder:
            clip = source.open(Path(folder), progress)
            for label, system in systems.items():
                what = f"{label}: {data}, clip {number} of {len(sources)}"
                _track(runs[label], system, clip.video, clip.truth, Path(folder), what, progress)
    return [_record(label, data, len(sources), run) for label, run in runs.items()]


def _track(
    run: _Run,
    system: System,
    video: Path,
    truth: Motion | None,
    folder: Path,
    what: str,
    progress: ProgressCall,
) -> None:
    def tell(now: Progress) -> None:
        progress(what, now.n_frames, now.info.n_frames_hint)

    _forget_peak_memory()
    began = time.perf_counter()
    done = track_to_file(video, folder / "predicted.npz", system, progress=tell)
    run.seconds += time.perf_counter() - began
    run.frames += done.n_frames
    run.peak_mb = max(filter(None, (run.peak_mb, _peak_memory_mb())), default=None)
    if truth is not None:
        run.pairs.append((truth, Motion.load(done.path)))


def _record(label: str, data: str, clips: int, run: _Run) -> dict[str, Any]:
    scores = pooled_scores(run.pairs) if run.pairs else dict.fromkeys(METRICS, math.nan)
    return {
        "system": label,
        "data": data,
        "clips": clips,
        "frames": run.frames,
        "metrics": {name: None if math.isnan(score) else score for name, score in scores.items()},
        "runtime": {
            "fps": run.frames / run.seconds,
            "ms_per_frame": 1000 * run.seconds / run.frames,
            "peak_mb": run.peak_mb,
        },
    }


def _forget_peak_memory() -> None:
    with suppress(OSError):  # not Linux, or not allowed: the peak is then that of the whole run
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory_mb() -> float | None:
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    lines = (line.split() for line in status.splitlines())
    return next((int(line[1]) / 1024 for line in lines if line[0] == "VmHWM:"), None)
