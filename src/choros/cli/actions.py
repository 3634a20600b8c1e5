"""``choros actions``: what everybody in a motion does, when."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, OptionalFile
from choros.cli.motions import loaded, motion_file
from choros.cli.stopping import whole_or_not
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.motion import Motion
    from choros.motion.actions import ActionInterval

COLUMNS = ("person", "action", "start_s", "end_s", "score")


@dataclass
class Actions:
    """Tell what everybody in a motion does and when: stand, walk, run, sit, wave, talk and others."""

    motion: Positional[Annotated[Path, arg(metavar="MOTION")]]
    """The motion.npz that `choros track` or `choros world` wrote, or the folder with it."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="DIR")] = Path("actions")
    """Folder for motion.npz with a score of each action in every row, actions.csv, elan.txt and timeline.png."""
    sure: float = 0.5
    """Score from which on an action is told, 0 to 1."""
    tentative: Flag = False
    """Also people who were in sight for less than .2 s, who may be nobody."""
    weights: OptionalFile = None
    """Weights that `choros train actions` wrote, instead of those that ship."""

    def run(self) -> None:
        """Write and print the timelines. Raises ``ChorosError`` for a score that is none."""
        from choros.fourdhumans.actions.telling import ActionTeller
        from choros.motion.actions import IntervalRules, action_intervals
        from choros.outputs import check_output

        if not 0 < self.sure < 1:
            raise ChorosError(f"--sure {self.sure} is no score; give one between 0 and 1.")
        file = motion_file(self.motion)
        check_output(self.output / "motion.npz", file)
        told = ActionTeller(self.weights).tell(loaded(file, self.tentative))
        found = action_intervals(told, IntervalRules(sure=self.sure))
        self.output.mkdir(parents=True, exist_ok=True)
        with whole_or_not(self.output / "motion.npz"):
            told.save(self.output / "motion.npz")
            self._write(told, found)
        for line in timelines(found):
            print(line)
        print(f"{self.output}: {len(told.ids)} people, {len(found)} intervals")

    def _write(self, told: Motion, found: list[ActionInterval]) -> None:
        from choros.outputs import atomic_write
        from choros.view.action_timeline import write_timeline

        with atomic_write(self.output / "actions.csv") as file:
            file.write(table(found).encode())
        # ELAN (archive.mpi.nl/tla/elan), File > Import > CSV / tab-delimited text: a tier for each person.
        with atomic_write(self.output / "elan.txt") as file:
            file.write(
                "".join(
                    f"person {one.person}\t{one.start_s:.3f}\t{one.end_s:.3f}\t{one.action}\n"
                    for one in found
                ).encode()
            )
        try:
            write_timeline(told, found, self.output / "timeline.png")
        except ChorosError as lacking:
            print(lacking)


def table(found: list[ActionInterval]) -> str:
    """Intervals as comma-separated values, seconds to the millisecond."""
    lines = [
        f"{one.person},{one.action},{one.start_s:.3f},{one.end_s:.3f},{one.score:.2f}\n" for one in found
    ]
    return "".join([",".join(COLUMNS) + "\n", *lines])


def timelines(found: list[ActionInterval]) -> list[str]:
    """A line for each person: what they do, in order, with seconds and scores."""
    lines: dict[int, list[str]] = {}
    for one in found:
        lines.setdefault(one.person, []).append(
            f"{one.action} {one.start_s:.1f}-{one.end_s:.1f} s ({one.score:.2f})"
        )
    return [f"person {person}: {', '.join(parts)}" for person, parts in lines.items()]
