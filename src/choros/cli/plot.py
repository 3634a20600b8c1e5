"""``choros plot``: a report of a motion, in one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, OptionalFile
from choros.cli.motions import loaded, motion_file
from choros.cli.stopping import whole_or_not
from choros.errors import ChorosError


@dataclass
class Plot:
    """Draw who is there when, paths from above and joint angles of a motion, in one page."""

    motion: Positional[Annotated[Path, arg(metavar="MOTION")]]
    """The motion.npz that `choros track` or `choros world` wrote, or the folder with it."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("report.html")
    """File to write: the page."""
    joints: Annotated[
        tuple[str, ...], arg(metavar="JOINT...", help_behavior_hint="(default: hip knee shoulder elbow)")
    ] = ()
    """Whose angles to draw: hip, knee, ankle, shoulder, elbow, wrist, spine1, spine2, spine3, neck or head."""
    people: Annotated[tuple[int, ...], arg(metavar="ID...", help_behavior_hint="")] = ()
    """Only these people."""
    tentative: Flag = False
    """Also people who were in sight for less than .2 s, who may be nobody."""
    body: OptionalFile = None
    """Your own SMPL file, if the motion was tracked with it."""

    def run(self) -> None:
        """Write the page of curves over time. Raises ``ChorosError`` if the output is no HTML file."""
        from choros.outputs import check_output

        if self.output.suffix.lower() not in (".html", ".htm") or self.output.is_dir():
            raise ChorosError(f"{self.output} is not a page; name a file such as report.html after -o.")
        file = motion_file(self.motion)
        check_output(self.output, file, self.body)
        with whole_or_not(self.output):
            self._write(file)

    def _write(self, file: Path) -> None:
        from choros.body import BodyModel
        from choros.view.motion_report import DEFAULT_JOINTS, write_report

        motion = loaded(file, self.tentative)
        body = BodyModel.load(self.body) if self.body else None
        write_report(motion, self.output, file.stem, self.joints or DEFAULT_JOINTS, self.people, body)
        print(f"{self.output}: {self.output.stat().st_size / 1000:,.0f} kB")
