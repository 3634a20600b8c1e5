"""All rows of the bench of real footage, for every system: what ``choros bench real`` prints."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from choros.detection import PersonFinder
from choros.errors import ChorosError
from choros.evaluation.real import clips as on_clips
from choros.evaluation.real import fixtures, footage, pictures, pictures3d, pose2sim
from choros.evaluation.real.record import Result
from choros.evaluation.real.remembered import Memory
from choros.evaluation.sources import ProgressCall
from choros.systems import System, track

#: Measures one row of one system on the footage under a folder.
Measure = Callable[[str, System, Path, ProgressCall], list[Result]]


@dataclass(frozen=True)
class Row:
    """A row, what it needs, and what measures it."""

    label: str
    part: footage.Part
    measure: Measure


def _pose2sim(name: str, system: System, root: Path, progress: ProgressCall) -> list[Result]:
    *videos, truth = (root / file for file in footage.POSE2SIM.files)
    return [pose2sim.measure(name, system, videos, truth, progress)]


def _pictures3d(name: str, system: System, root: Path, progress: ProgressCall) -> list[Result]:
    folder = footage.fixtures(root)
    samples = pictures3d.read_pictures(folder / "h36m", folder / "mpi_inf_3dhp")
    return [pictures3d.measure(name, system, samples, progress)]


def _lsp(name: str, system: System, root: Path, progress: ProgressCall) -> list[Result]:
    labelled = pictures.read_lsp(root / "real/lsp_extended")
    return [
        way("lsp_extended", "LSP extended", name, system, labelled, progress)
        for way in (pictures.measure_given, pictures.measure_found)
    ]


def _coco_bysa(name: str, system: System, root: Path, progress: ProgressCall) -> list[Result]:
    folder = root / "real/coco_bysa"
    labelled = pictures.read_coco_pictures(folder / "person_keypoints.json", folder / "images")
    return [
        way("coco_bysa", "COCO by-sa", name, system, labelled, progress)
        for way in (pictures.measure_given, pictures.measure_found)
    ]


def _fixtures(name: str, system: System, root: Path, progress: ProgressCall) -> list[Result]:
    return [fixtures.measure(name, system, footage.fixtures(root), progress)]


def _vtest(name: str, system: System, root: Path, progress: ProgressCall) -> list[Result]:
    """The measures of ``tracking``, of one run over vtest, and twelve of its frames."""
    progress(f"{name}: vtest", 0, None)
    motion = track(root / footage.VTEST.files[0], system)
    measures = import_module(_TRACKING).vtest_row(motion, root)
    shots = on_clips.shots_of(root / footage.VTEST.files[0], motion, 12)
    return [Result("vtest", "vtest", name, measures, [], shots)]


_TRACKING = "choros.evaluation.real.tracking"

ROWS: dict[str, Row] = {
    "pose2sim": Row("Pose2Sim, four views", footage.POSE2SIM, _pose2sim),
    "pictures3d": Row("8 pictures with 3D", footage.PICTURES_3D, _pictures3d),
    "lsp_extended": Row("LSP extended", footage.LSP_EXTENDED, _lsp),
    "coco_bysa": Row("COCO by-sa", footage.COCO_BYSA, _coco_bysa),
    "fixtures": Row("people of fixtures", footage.FIXTURES, _fixtures),
}
if find_spec(_TRACKING):
    ROWS["vtest"] = Row("vtest", footage.VTEST, _vtest)


def run_real(
    systems: Mapping[str, System],
    root: Path | None,
    *,
    rows: Sequence[str] = (),
    clips: Sequence[Path] = (),
    eyes: Path | None = None,
    seconds: float = 12.0,
    progress: ProgressCall = lambda what, done, total: None,
) -> list[Result]:
    """Every row of every system; row by row, so that systems stand side by side.

    root: the folder of the footage; None measures the clips alone. rows: keys of ``ROWS``, none for all. clips: any
    videos, of which the first ``seconds`` are looked at. eyes: a file that keeps what the systems' person finders
    say of every picture (see ``remembered``), for this run's other systems and for other runs. Rows whose footage is
    missing come back with ``needs``.
    Raises ChorosError on a row that there is not.
    """
    for name in rows:
        if name not in ROWS:
            raise ChorosError(f"there is no row called {name!r}; choose among: {', '.join(ROWS)}.")
    if eyes:
        memory = Memory(eyes)
        for system in systems.values():
            if isinstance(finder := getattr(system, "finder", None), PersonFinder):
                system.finder = memory.finder(finder)  # type: ignore[attr-defined]
    results = []
    for key in (rows or ROWS) if root is not None else ():
        row = ROWS[key]
        if needs := row.part.missing(root):
            results.append(Result(key, row.label, "", needs=needs))
            continue
        for name, system in systems.items():
            results += row.measure(name, system, root, progress)
    for clip in clips:
        seen = on_clips.look_at(clip, seconds, progress)
        for name, system in systems.items():
            results.append(on_clips.measure(name, system, clip, seen, seconds, progress))
    return results
