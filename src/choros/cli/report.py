"""``choros report``: a clip and its people on one page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, OptionalFile
from choros.cli.grammar import check_places
from choros.cli.motions import is_motion, loaded, motion_file
from choros.cli.stopping import whole_or_not
from choros.errors import ChorosError


@dataclass
class Report:
    """One page on a clip: film, 3D, who is there when, actions, joint angles, and what all that is worth."""

    motion: Positional[Annotated[Path, arg(metavar="MOTION|VIDEO")]]
    """The motion.npz that `choros track` wrote, or the folder with it; a video is tracked first, as by default."""
    video: Positional[
        Annotated[str | None, arg(metavar="[VIDEO]", constructor=str, help_behavior_hint="")]
    ] = None
    """The video that the motion was tracked in; without it there is no film."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("report.html")
    """File to write: the page."""
    tentative: Flag = False
    """Also people who were in sight for less than .2 s, who may be nobody."""
    body: OptionalFile = None
    """Your own SMPL file, if the motion was tracked with it."""

    def run(self) -> None:
        """Write the page. Raises ``ChorosError`` if the output is no HTML file, or nobody is in the motion."""
        from choros.outputs import check_output
        from choros.view.motion_report import check_matplotlib

        if self.output.suffix.lower() not in (".html", ".htm") or self.output.is_dir():
            raise ChorosError(f"{self.output} is not a page; name a file such as report.html after -o.")
        check_matplotlib(self.output)
        check_places("report", self.motion, [self.video] if self.video else [])
        check_output(self.output, self.motion, self.video, self.body)
        film = self.motion.is_file() and self.motion.suffix.lower() != ".npz" and not is_motion(self.motion)
        with whole_or_not(self.output), TemporaryDirectory() as folder:
            if film and self.video is None:
                self._write(self._tracked(Path(folder)), str(self.motion), self.motion.stem)
            else:
                file = motion_file(self.motion)
                self._write(file, self.video, file.stem)

    def _tracked(self, folder: Path) -> Path:
        from choros.cli.track import Track

        Track(str(self.motion), output=folder).run()
        return folder / "motion.npz"

    def _write(self, file: Path, video: str | None, title: str) -> None:
        from choros.body import BodyModel
        from choros.cli.progress import RunProgress
        from choros.view.clip_report import write_clip_report

        motion = loaded(file, self.tentative)
        body = BodyModel.load(self.body) if self.body else None
        with RunProgress("drawing", stream="stderr") as progress:
            write_clip_report(
                motion,
                self.output,
                title,
                video,
                body=body,
                progress=lambda what, done, total: progress.count(done, total),
            )
        print(f"{self.output}: {self.output.stat().st_size / 1e6:.1f} MB")
