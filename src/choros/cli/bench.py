"""``choros bench``: systems measured on test sets, as a table to read, as JSON to keep and as pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import OmitArgPrefixes, Positional, arg

from choros import systems
from choros.cli.arguments import Flag, OptionalFile, OptionalFolder
from choros.cli.networks import PARTS, Networks, with_flags

if TYPE_CHECKING:
    from rich.table import Table

    from choros.evaluation.benchmark import Recorded
    from choros.tracking.stream import System

#: What each table shows: part of the record, key, heading, factor, decimals.
SHOWN = {
    "tracking": (
        ("metrics", "HOTA", "HOTA\n%", 100, 1),
        ("metrics", "DetA", "DetA\n%", 100, 1),
        ("metrics", "AssA", "AssA\n%", 100, 1),
        ("metrics", "IDF1", "IDF1\n%", 100, 1),
        ("metrics", "MOTA", "MOTA\n%", 100, 1),
        ("metrics", "MOTP", "MOTP\n%", 100, 1),
        ("metrics", "id_switches", "id\nswitches", 1, 0),
        ("metrics", "fragmentations", "frag-\nments", 1, 0),
    ),
    "pose": (
        ("metrics", "mpjpe_mm", "\nMPJPE\nmm", 1, 1),
        ("metrics", "mpjpe_occluded_mm", "when\nhidden\nmm", 1, 1),
        ("metrics", "pa_mpjpe_mm", "PA-\nMPJPE\nmm", 1, 1),
        ("metrics", "pve_mm", "\nPVE\nmm", 1, 1),
        ("metrics", "pck_05", "PCK\n@.05\n%", 100, 1),
        ("metrics", "pck_10", "PCK\n@.1\n%", 100, 1),
        ("metrics", "accel_mm_s2", "\naccel\nmm/s²", 1, 0),
        ("metrics", "recall_visible", "\nfound\n%", 100, 1),
        ("metrics", "recall_occluded", "when\nhidden\n%", 100, 1),
    ),
    "world": (
        ("metrics", "g_mpjpe_mm", "G-\nMPJPE\nmm", 1, 0),
        ("metrics", "wa_mpjpe_mm", "WA-\nMPJPE\nmm", 1, 0),
        ("metrics", "w_mpjpe_mm", "W-\nMPJPE\nmm", 1, 0),
        ("metrics", "rte_percent", "\nRTE\n%", 1, 1),
        ("metrics", "foot_slide_cm_s", "feet\nslide\ncm/s", 1, 1),
        ("metrics", "ground_penetration_mm", "in the\nground\nmm", 1, 0),
        ("metrics", "accel_mm_s2", "\naccel\nmm/s²", 1, 0),
        ("metrics", "relative_translation_mm", "rela-\ntive\nmm", 1, 0),
        ("metrics", "relative_rotation_deg", "rela-\ntive\ndeg", 1, 1),
    ),
    "runtime": (
        ("runtime", "fps", "frames\n/s", 1, 1),
        ("runtime", "ms_per_frame", "ms\na frame", 1, 1),
        ("runtime", "peak_mb", "peak\nMB", 1, 0),
    ),
    "oracle": (  # what CoMotion's appendix A.2 reports, whichever table was asked for
        ("metrics", "pck_05", "PCK\n@.05\n%", 100, 1),
        ("metrics", "pck3d_100", "3D\n@.1 m\n%", 100, 1),
        ("metrics", "mpjpe_mm", "\nMPJPE\nmm", 1, 1),
        ("metrics", "mpjpe_occluded_mm", "when\nhidden\nmm", 1, 1),
        ("metrics", "IDF1", "\nIDF1\n%", 100, 1),
        ("metrics", "id_switches", "\nid\nswitches", 1, 0),
    ),
}

RECORDED = "motion:"
#: Of all systems that are named; weights stand behind a name.
_flags = partial(with_flags, Networks, ("system", "weights"))


@dataclass
class Bench:
    """Measure systems on test sets: a table here, everything in the JSON file."""

    what: Positional[Literal["tracking", "pose", "world", "runtime", "real"]]
    """What the table shows: who is who, body poses, motion in the world, speed and memory, or all of real footage."""
    data: Annotated[
        tuple[str, ...],
        arg(
            metavar="NAME|PATH...",
            help_behavior_hint="",
            help="A test set (easy, crossing, crowd, ...), scene:KIND:SEED[:COUNT], a folder of clips, a public set "
            "that you have, SET:DIR with SET one of mot17, posetrack, 3dpw, h36m, 3dhp, coco, ava, emdb, mupots, "
            "panoptic, 3dmpb (or any video to time).",
        ),
    ] = ()
    system: Annotated[
        tuple[str, ...],
        arg(metavar="NAME|NAME:WEIGHTS|motion:DIR...", help_behavior_hint=f"(default: {systems.DEFAULT})"),
    ] = (systems.DEFAULT,)
    """Systems, side by side. With your own weights, NAME:WEIGHTS; any other system's motions, motion:DIR."""
    protocol: Literal["full", "oracle16", "oracle48"] = "full"
    """full: the video and nothing else. oracle16, oracle48: followed for so many frames from boxes that are given."""
    output: Annotated[OptionalFile, arg(aliases=["-o"])] = None
    """File to write: JSON of the whole table, every measure, whichever are shown, also of each clip."""
    plots: OptionalFolder = None
    """Folder for pictures: errors over time, timelines of identities, PCK curves."""
    assets: OptionalFolder = None
    """Folder with pictures/coco128, makehuman/base and mocap, for the sets called *_mocap."""
    keep: OptionalFolder = None
    """Folder for the predicted motions, SYSTEM/CLIP/motion.npz."""
    footage: OptionalFolder = None
    """For real: folder of the footage, filled as docs/benchmarks.md says."""
    rows: Annotated[tuple[str, ...], arg(metavar="NAME...", help_behavior_hint="(default: all)")] = ()
    """For real: only these rows (pose2sim, pictures3d, lsp_extended, coco_bysa, fixtures, vtest)."""
    clips: Annotated[tuple[Path, ...], arg(metavar="FILE...", help_behavior_hint="")] = ()
    """For real: any videos, for agreement with MoveNet Thunder's keypoints and jitter."""
    remember: OptionalFile = None
    """For real: file that keeps what was seen in every picture, so that a run with other weights is quicker."""
    explain: Flag = False
    """For real: why identities switched on vtest, one line a switch, and the causes counted."""
    world: Flag = False
    """For real: also bring vtest into one world and compare places on the ground; takes a while."""
    sheets: OptionalFolder = None
    """For real: folder for sheets of pictures with the bodies drawn over them."""
    networks: Annotated[Networks, OmitArgPrefixes, arg(constructor_factory=_flags)] = field(
        default_factory=lambda: _flags()()
    )

    def run(self) -> None:
        """Track or solve every clip, score it, and print the table; with ``-o`` write it to files too."""
        from rich.console import Console

        from choros.cli.bench_real import bench_real
        from choros.cli.progress import TrackProgress
        from choros.cli.threads import leave_cores_to_the_networks
        from choros.errors import ChorosError
        from choros.evaluation.benchmark import run_benchmark
        from choros.evaluation.sources import open_data
        from choros.outputs import atomic_write

        if self.what == "real":
            leave_cores_to_the_networks()
            return bench_real(self, self._systems())
        if not (self.data and self.system):
            raise ChorosError("--data and --system take at least one name each; try --data easy.")
        if self.plots:
            from choros.evaluation.plots import check_matplotlib, plot_runs

            check_matplotlib()  # not after an hour of tracking
        with TrackProgress("loading") as progress:
            leave_cores_to_the_networks()
            systems = self._systems()

            def tell(what: str, done: int, total: int | None) -> None:
                progress.say(what)
                progress.count(done, total)

            runs = run_benchmark(
                systems,
                {name: open_data(name, self.assets) for name in self.data},
                protocol=self.protocol,
                need_truth=self.what != "runtime",
                keep=self.keep,
                progress=tell,
            )
        records = [run.record() for run in runs]
        shown = self.what if self.protocol == "full" or self.what == "runtime" else "oracle"
        Console().print(_table(self.what, self.protocol, SHOWN[shown], records))
        if self.output:
            with atomic_write(self.output) as file:
                file.write((json.dumps(records, indent=2, allow_nan=False) + "\n").encode())
            print(self.output)
        if self.plots:
            for path in plot_runs(runs, self.plots):
                print(path)

    def _systems(self) -> dict[str, System | Recorded]:
        """By the names that the table calls them."""
        from choros.errors import ChorosError

        systems = dict(map(self._system, self.system))
        if len(systems) < len(self.system):
            raise ChorosError(f"--system names {', '.join(self.system)}; give each a name of its own.")
        return systems

    def _system(self, name: str) -> tuple[str, System | Recorded]:
        """How the table calls a system, and the system."""
        from choros.evaluation.benchmark import Recorded

        if name.startswith(RECORDED):
            folder = Path(name.removeprefix(RECORDED))
            return folder.name, Recorded(folder)
        name, weights = _system_and_weights(name)
        told = [Path(weights).stem] if weights else []
        for option, value in self.networks.given().items():
            told.append(option if value is True else f"{option} {value}")
        for part, text in self.networks.parts().items():
            told.append(f"{PARTS[part].flag} {Path(text).stem}")
        return ", ".join([name, *told]), self.networks.loaded(name, weights_path=weights or None)


def _system_and_weights(text: str) -> tuple[str, str]:
    """``NAME``, ``NAME:WEIGHTS`` or ``NAME:ENGINE:WEIGHTS``, where a system takes an engine, as name and weights."""
    name, _, rest = text.partition(":")
    engine, _, weights = rest.partition(":")
    whole = f"{name}:{engine}"
    return (whole, weights) if systems.spelled(whole)[1] else (name, rest)


def _table(
    what: str,
    protocol: str,
    columns: tuple[tuple[str, str, str, int, int], ...],
    records: list[dict[str, Any]],
) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    title = what if protocol == "full" else f"{what}, {protocol}"
    table = Table(box=SIMPLE_HEAD, padding=0, title=title, title_justify="left")  # twelve columns in 80
    for heading in ("data", "system"):
        table.add_column(heading, overflow="fold")
    for heading in ("frames", *(column[2] for column in columns)):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        data = record["data"]
        cells = [Path(data).name if "/" in data else data, record["system"], str(record["frames"])]
        for part, key, _, factor, decimals in columns:
            value = record[part][key]
            cells.append("-" if value is None else f"{value * factor:.{decimals}f}")
        table.add_row(*cells)
    return table
