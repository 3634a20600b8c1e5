"""``choros view``: motions in 3D, in the browser or as a page of its own."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from choros.cli.arguments import PORT, Flag, OptionalFile, Port, check_port
from choros.cli.grammar import check_compared, check_places
from choros.cli.motions import loaded, motion_file
from choros.cli.stopping import whole_or_not
from choros.errors import ChorosError


@dataclass
class View:
    """Look at motions in 3D: time line, orbit and camera view, trails, several beside each other."""

    motion: Positional[
        Annotated[Path | None, arg(metavar="MOTION", constructor=Path, help_behavior_hint="")]
    ] = None
    """The motion.npz that `choros track` or `choros world` wrote, or the folder with it."""
    video: Positional[Annotated[tuple[str, ...], arg(metavar="[VIDEO]", help_behavior_hint="")]] = ()
    """The video it was tracked in, to be seen behind people through its camera."""
    compare: UseAppendAction[
        Annotated[tuple[tuple[Path, ...], ...], arg(metavar="MOTION...", help_behavior_hint="")]
    ] = ()
    """Other motions, to stand beside the first one; may be said again for each."""
    html: Annotated[OptionalFile, arg(aliases=["-o"])] = None
    """File to write, instead of serving a view: one page that opens in any browser without a server."""
    port: Port = PORT
    """Where pages are served on this machine, or the next port that is free; 0 takes any."""
    tentative: Flag = False
    """Also people who were in sight for less than .2 s, who may be nobody."""
    body: OptionalFile = None
    """Your own SMPL file, if the motions were tracked with it."""

    def run(self) -> None:
        """Serve the motions to a browser, or write them as one HTML page.

        Raises ``ChorosError`` if no motion is named or files do not fit together.
        """
        if self.motion is None:
            raise ChorosError("give a motion.npz that `choros track` wrote.")
        check_port(self.port)
        compared = tuple(chain.from_iterable(self.compare))
        video = check_places("view", self.motion, self.video)
        check_compared(self.motion, compared)
        files = [motion_file(path) for path in (self.motion, *compared)]
        if self.html is not None:
            self._check_html(self.html, files, video)
        with nullcontext() if self.html is None else whole_or_not(self.html):
            self._show(files, video)

    def _show(self, files: list[Path], video: str | None) -> None:
        from choros.body import BodyModel

        given = [(_name(path, files), loaded(path, self.tentative)) for path in files]
        motions = [each for each in given if len(each[1].rows)]
        for name, motion in given:
            if not len(motion.rows):
                print(f"nobody is in {name}, so it is not shown")
        if not motions:
            return
        video = video if motions[0] is given[0] else None  # it is the first motion's
        body = BodyModel.load(self.body) if self.body else None
        if self.html is not None:
            from choros.view.html_page import write_page

            write_page(motions, self.html, body, video)
            print(f"{self.html}: {self.html.stat().st_size / 1e6:.1f} MB")
            return

        from choros.view.browser import Browser

        with Browser(motions, self.port, body, video) as browser:
            print(f"{browser.address} (Ctrl-C ends it)", flush=True)
            with suppress(KeyboardInterrupt):  # how a view is meant to end
                browser.run()

    def _check_html(self, html: Path, files: list[Path], video: str | None) -> None:
        """Refuse to write over anything but a page."""
        from choros.outputs import check_output

        if html.suffix.lower() not in (".html", ".htm") or html.is_dir():
            raise ChorosError(f"{html} is not a page; name a file such as motion.html after --html.")
        check_output(html, *files, video, self.body)


def _name(path: Path, files: list[Path]) -> str:
    """What a motion is called: its file's name, with the folder if two have the same."""
    alike = sum(other.stem == path.stem for other in files)
    return path.stem if alike == 1 else f"{path.resolve().parent.name}/{path.stem}"
