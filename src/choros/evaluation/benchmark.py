"""Systems on data sets: every clip is tracked, timed and compared with its truth; out comes a table.

``choros bench`` prints what this returns. Systems are given the video and nothing else (no focal length, no
boxes, as anybody's video would be), or, in the unrolled-oracle protocol, the boxes of the first frame. Which
clips there are is in ``sources``, what is measured in ``compare``.
"""

import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from choros.body import BodyModel
from choros.errors import ChorosError
from choros.evaluation.compare import ON_KEYPOINTS, POSE_MEANS, Comparison, compare, pooled_scores
from choros.evaluation.labelled import LabelledVideo, compare_labelled
from choros.evaluation.oracle import unroll
from choros.evaluation.sources import Clip, ProgressCall, SceneSource, Source
from choros.evaluation.world_errors import WORLD_MEANS
from choros.motion import Motion
from choros.options import TrackOptions
from choros.track_video import Progress, track_to_file
from choros.tracking.stream import System

#: What a record holds, in its order.
METRICS = (
    "HOTA", "DetA", "AssA", "IDF1", "IDP", "IDR", "MOTA", "MOTP", "id_switches", "fragmentations",
    *(f"{name}_oks" for name in ON_KEYPOINTS),
    *POSE_MEANS, *WORLD_MEANS,
)  # fmt: skip

#: Frames that the unrolled-oracle protocols of CoMotion (appendix A.2) run for.
PROTOCOLS = {"full": None, "oracle16": 16, "oracle48": 48}


@dataclass(frozen=True)
class Recorded:
    """A system whose answers are in files: ``folder`` holds CLIP.npz or CLIP/motion.npz for every clip.

    CLIP is as in `clip_name`: the name of the clip's folder, or ``crossing_720001`` for a scene.
    """

    folder: Path

    def motion(self, clip: str) -> Motion:
        """What it says of a clip. Raises ChorosError if there is no such file."""
        for path in (self.folder / f"{clip}.npz", self.folder / clip / "motion.npz"):
            if path.is_file():
                return Motion.load(path)
        raise ChorosError(f"{self.folder} holds neither {clip}.npz nor {clip}/motion.npz; track that clip.")


@dataclass
class Run:
    """What one system made of a data set: ``clips`` and ``comparisons`` go together, one a clip."""

    system: str
    data: str
    protocol: str = "full"
    clips: list[str] = field(default_factory=list)
    comparisons: list[list[Comparison]] = field(default_factory=list)  # a clip's windows under an oracle
    clip_frames: list[int] = field(default_factory=list)
    seconds: float = 0.0  # 0 for what was recorded
    peak_mb: float | None = None

    def record(self) -> dict[str, Any]:
        """One object of the JSON file; see `run_benchmark`."""
        frames = sum(self.clip_frames)
        return {
            "system": self.system,
            "data": self.data,
            "protocol": self.protocol,
            "clips": len(self.clips),
            "frames": frames,
            "metrics": _metrics([part for parts in self.comparisons for part in parts]),
            "runtime": {
                "fps": frames / self.seconds if self.seconds else None,
                "ms_per_frame": 1000 * self.seconds / frames if self.seconds and frames else None,
                "peak_mb": self.peak_mb,
            },
            "per_clip": [
                {"clip": clip, "frames": n, "metrics": _metrics(parts)}
                for clip, n, parts in zip(self.clips, self.clip_frames, self.comparisons, strict=True)
            ],
        }


def run_benchmark(
    systems: Mapping[str, System | Recorded],
    data: Mapping[str, Sequence[Source]],
    *,
    protocol: str = "full",
    need_truth: bool = True,
    keep: Path | None = None,
    progress: ProgressCall = lambda what, done, total: None,
) -> list[Run]:
    """Every system on every data set (clips as from ``open_data``), one run each.

    `Run.record` is ready for JSON: ``system``, ``data`` (the keys) and ``protocol``; ``clips``, ``frames``;
    ``metrics``, the keys of ``METRICS``, None where one does not apply; ``runtime``: ``fps`` and ``ms_per_frame``
    from the opened video to the written motion, loading of the system left out, and ``peak_mb``, the most memory
    this process held while tracking (None where Linux does not tell, or for what was recorded); ``per_clip``,
    each clip's own ``metrics``. Clips are filmed into temporary files, one at a time.

    Where a system does not know its camera (``Motion.tells_camera``) it says that the camera stands still,
    and its metrics in the world are those of the true camera of the first frame; see ``bodies.T_world_space``.

    protocol: "full", or "oracle16", "oracle48" (see ``oracle``). keep: a folder that gets every predicted motion
    as SYSTEM/CLIP/motion.npz, from which `Recorded` can answer another time.
    need_truth: False admits videos without truth, which are timed and have no metrics.
    Raises ChorosError on missing truth, and what cannot be tracked or compared.
    """
    for source in (source for sources in data.values() for source in sources):
        if not source.has_truth and (need_truth or PROTOCOLS[protocol]):
            raise ChorosError(
                f"{source.name} is a video without truth; give a folder with video.mp4 and motion.npz."
            )
    return [
        run
        for name, sources in data.items()
        for run in _on_one_set(systems, name, sources, protocol, keep, progress)
    ]


def clip_name(source: Source) -> str:
    """``crossing_000005`` for a scene, as ``choros scenes make`` calls its folder, else the path's last part."""
    if isinstance(source, SceneSource):
        return f"{source.kind}_{source.seed:06d}"
    return Path(source.name).name


def _on_one_set(
    systems: Mapping[str, System | Recorded],
    data: str,
    sources: Sequence[Source],
    protocol: str,
    keep: Path | None,
    progress: ProgressCall,
) -> Iterator[Run]:
    runs = {label: Run(label, data, protocol) for label in systems}
    oracle_frames = PROTOCOLS[protocol]
    body = BodyModel.load()
    for number, source in enumerate(sources, start=1):
        with tempfile.TemporaryDirectory() as folder:
            clip = source.open(Path(folder), progress)
            for label, system in systems.items():
                run = runs[label]
                run.clips.append(clip_name(source))
                told = _Told(f"{label}: {data}, clip {number} of {len(sources)}", progress)
                if oracle_frames:
                    pairs = _unroll(run, system, clip, oracle_frames, told)
                else:
                    pairs = _track(run, system, clip, Path(folder), keep, told)
                given = oracle_frames is not None
                run.comparisons.append([_compared(true, said, body, given) for true, said in pairs])
    yield from runs.values()


def _compared(truth: Motion | LabelledVideo, said: Motion, body: BodyModel, given: bool) -> Comparison:
    if isinstance(truth, LabelledVideo):
        return compare_labelled(truth, said, body)
    return compare(truth, said, body, given=given)


@dataclass(frozen=True)
class _Told:
    """Progress of one system on one clip."""

    what: str
    progress: ProgressCall

    def __call__(self, done: int, total: int | None) -> None:
        self.progress(self.what, done, total)


def _track(
    run: Run, system: System | Recorded, clip: Clip, folder: Path, keep: Path | None, told: _Told
) -> list[tuple[Motion | LabelledVideo, Motion]]:
    """The clip's truth and what the system says of it; nothing for a video without truth."""
    name = run.clips[-1]
    if isinstance(system, Recorded):
        said = system.motion(name)
        run.clip_frames.append(len(said))
    else:
        path = folder / "predicted.npz" if keep is None else keep / run.system / name / "motion.npz"
        _forget_peak_memory()
        began = time.perf_counter()
        options = TrackOptions(image_fps=clip.image_fps)
        tracked = track_to_file(clip.video, path, system, options, progress=lambda p: _tell(told, p))
        run.seconds += time.perf_counter() - began
        run.peak_mb = max(filter(None, (run.peak_mb, _peak_memory_mb())), default=None)
        run.clip_frames.append(tracked.n_frames)
        said = Motion.load(tracked.path)
    return [] if clip.truth is None else [(clip.truth, said)]


def _tell(told: _Told, now: Progress) -> None:
    told(now.n_frames, now.info.n_frames_hint)


def _unroll(
    run: Run, system: System | Recorded, clip: Clip, n_frames: int, told: _Told
) -> list[tuple[Motion | LabelledVideo, Motion]]:
    if isinstance(system, Recorded):
        raise ChorosError(f"{run.system} was recorded and cannot be given boxes; use the full protocol.")
    if not isinstance(clip.truth, Motion):
        raise ChorosError(f"{clip.video} has labels and no bodies to begin from; use the full protocol.")
    _forget_peak_memory()
    began = time.perf_counter()
    pairs = unroll(system, clip.video, clip.truth, n_frames, told)
    run.seconds += time.perf_counter() - began
    run.peak_mb = max(filter(None, (run.peak_mb, _peak_memory_mb())), default=None)
    run.clip_frames.append(len(pairs) * n_frames)
    return list(pairs)


def _metrics(clips: Sequence[Comparison]) -> dict[str, float | None]:
    scores = pooled_scores(clips) if clips else dict.fromkeys(METRICS, math.nan)
    return {name: None if math.isnan(scores[name]) else scores[name] for name in METRICS}


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
