"""All rows of the bench of real footage, for every system: what ``choros bench real`` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from choros.detection import PersonFinder
from choros.errors import ChorosError
from choros.evaluation.real import clips as on_clips
from choros.evaluation.real import fixtures, footage, pictures, pictures3d, pose2sim, tracking
from choros.evaluation.real.causes import explain as causes_of_switches
from choros.evaluation.real.remembered import Memory
from choros.evaluation.real.result import Result
from choros.evaluation.sources import ProgressCall
from choros.glamr.into_world import world
from choros.motion import Motion
from choros.track_video import track
from choros.tracking.stream import System


@dataclass(frozen=True)
class Job:
    """One system to measure on the footage under a folder."""

    name: str
    system: System
    root: Path
    progress: ProgressCall
    tracked: Callable[[str, Motion], None]  # told the motion of every clip
    world: bool = False  # also bring vtest into one world


@dataclass(frozen=True)
class Row:
    """A row, what it needs, and what measures it."""

    label: str
    part: footage.FootageFiles
    measure: Callable[[Job], list[Result]]


def _pose2sim(job: Job) -> list[Result]:
    *videos, truth = (job.root / file for file in footage.POSE2SIM.files)
    return [pose2sim.measure(job.name, job.system, videos, truth, job.progress, job.tracked)]


def _pictures3d(job: Job) -> list[Result]:
    folder = footage.fixtures(job.root)
    samples = pictures3d.read_pictures(folder / "h36m", folder / "mpi_inf_3dhp")
    return [pictures3d.measure(job.name, job.system, samples, job.progress)]


def _both_ways(job: Job, row: str) -> list[Result]:
    """Labelled pictures with boxes given, and found."""
    label, labelled = ROWS[row].label, pictures.labelled_pictures(row, job.root)
    return [
        way(row, label, job.name, job.system, labelled, job.progress)
        for way in (pictures.measure_given, pictures.measure_found)
    ]


def _fixtures(job: Job) -> list[Result]:
    return [fixtures.measure(job.name, job.system, footage.fixtures(job.root), job.progress)]


def _vtest(job: Job) -> list[Result]:
    """One run over vtest, as it is and, if asked for, in one world; and C-BIoU on the boxes that the system saw."""
    job.progress(f"{job.name}: vtest", 0, None)
    clip = job.root / footage.VTEST.files[0]
    motion = track(clip, job.system)
    job.tracked(clip.stem, motion)
    measures = tracking.vtest_row(motion, job.root)
    causes = [{"causes": causes_of_switches(motion, job.root)}]
    results = [Result("vtest", "vtest", job.name, measures, causes, on_clips.shots_of(clip, motion, 12))]
    if job.world:
        job.progress(f"{job.name}: vtest, in one world", 0, None)
        placed = world(motion, clip)
        results.append(Result("vtest", "vtest", f"{job.name}, world", tracking.vtest_row(placed, job.root)))
    finder = getattr(job.system, "finder", None)
    if isinstance(finder, PersonFinder) and find_spec("trackers"):

        def seen(done: int) -> None:
            job.progress(f"{job.name}: boxes of vtest", done, None)

        bare = tracking.box_tracker_row(tracking.found_boxes(job.root, finder, seen), job.root)
        results.append(Result("vtest", "vtest", f"{job.name}'s boxes, C-BIoU", bare))
    return results


ROWS: dict[str, Row] = {
    "pose2sim": Row("Pose2Sim", footage.POSE2SIM, _pose2sim),
    "pictures3d": Row("8 pictures with 3D", footage.PICTURES_3D, _pictures3d),
    "lsp_extended": Row("LSP extended", footage.LSP_EXTENDED, partial(_both_ways, row="lsp_extended")),
    "coco_bysa": Row("COCO by-sa", footage.COCO_BYSA, partial(_both_ways, row="coco_bysa")),
    "fixtures": Row("mmpose's pictures", footage.FIXTURES, _fixtures),
    "vtest": Row("vtest", footage.VTEST, _vtest),
}


def run_real(
    systems: Mapping[str, System],
    root: Path | None,
    *,
    rows: Sequence[str] = (),
    clips: Sequence[Path] = (),
    remember: Path | None = None,
    keep: Path | None = None,
    seconds: float = 12.0,
    world: bool = False,
    progress: ProgressCall = lambda what, done, total: None,
) -> list[Result]:
    """Every row of every system; row by row, so that systems stand side by side.

    root: the folder of the footage; None measures the clips alone. rows: keys of ``ROWS``, none for all. clips: any
    videos, of which the first ``seconds`` are looked at. remember: a file that keeps what the systems' person finders
    say of every picture (see ``remembered``), for this run's other systems and for other runs. keep: a folder for
    the predicted motions of clips, SYSTEM/CLIP/motion.npz. world: also bring vtest into one world, which takes a
    while, and compare places on the ground. Rows whose footage is missing come back with ``needs``.
    Raises ChorosError on a row that there is not.
    """
    for name in rows:
        if name not in ROWS:
            raise ChorosError(f"there is no row called {name!r}; choose among: {', '.join(ROWS)}.")
    judge = PersonFinder.default()
    if remember:
        memory = Memory(remember)
        judge = memory.finder(judge)
        for system in systems.values():
            if isinstance(finder := getattr(system, "finder", None), PersonFinder):
                system.finder = memory.finder(finder)  # type: ignore[attr-defined]
    results = _of_rows(systems, root, rows, keep, world, progress) if root else []
    for clip in clips:
        seen = on_clips.found_by(clip, judge, seconds, progress)
        for name, system in systems.items():
            tracked = _keeper(keep, name)
            results.append(on_clips.measure(name, system, clip, seen, seconds, progress, tracked))
    return results


def _of_rows(
    systems: Mapping[str, System],
    root: Path,
    rows: Sequence[str],
    keep: Path | None,
    world: bool,
    progress: ProgressCall,
) -> list[Result]:
    results = []
    for key in rows or ROWS:
        row = ROWS[key]
        if needs := row.part.missing(root):
            results.append(Result(key, row.label, "", needs=needs))
            continue
        made = [
            result
            for name, system in systems.items()
            for result in row.measure(Job(name, system, root, progress, _keeper(keep, name), world))
        ]
        labels = list(dict.fromkeys(result.label for result in made))
        results += sorted(made, key=lambda result: labels.index(result.label))
    return results


def _keeper(folder: Path | None, system: str) -> Callable[[str, Motion], None]:
    """Saves motions for another time, if a folder is given."""

    def save(clip: str, motion: Motion) -> None:
        if folder:
            path = folder / system / clip / "motion.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            motion.save(path)

    return save
