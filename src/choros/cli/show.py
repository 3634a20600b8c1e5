"""``choros show``: a motion drawn over its video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, OptionalFile
from choros.errors import ChorosError


@dataclass
class Show:
    """Draw everyone in a motion over its video."""

    motion: Positional[Annotated[Path, arg(metavar="MOTION")]]
    """The motion.npz that `choros track` wrote."""
    video: Positional[Annotated[str, arg(metavar="VIDEO")]]
    """The video it was tracked in."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("overlay.mp4")
    """The video to write."""
    panels: Literal["none", "side", "top", "both"] = "none"
    """Views from the side and from above, right of the frame."""
    keypoints: Flag = False
    """Also draw the 2D keypoints."""
    no_ghosts: Flag = False
    """Leave out people where they were predicted and not seen."""
    body: OptionalFile = None
    """Your own SMPL file, if the motion was tracked with it."""

    def run(self) -> None:
        from choros.body import BodyModel
        from choros.cli.progress import TrackProgress
        from choros.motion import Motion
        from choros.view.overlay import OverlayStyle, render_video

        self._check_output()
        motion = Motion.load(self.motion)
        style = OverlayStyle(panels=self.panels, keypoints=self.keypoints, ghosts=not self.no_ghosts)
        body = BodyModel.load(self.body) if self.body else None
        with TrackProgress("drawing") as progress:
            render_video(motion, self.video, self.output, body, style, progress.count)
        print(f"{self.output}: {len(motion)} frames")

    def _check_output(self) -> None:
        """Refuse to write over what is read, or over anything but a file."""
        if not self.output.exists():
            return
        if not self.output.is_file():
            raise ChorosError(f"{self.output} is not a file; name the video to write, such as overlay.mp4.")
        for read in (self.motion, Path(self.video)):
            if read.exists() and self.output.samefile(read):
                raise ChorosError(f"{self.output} would be written over itself; name another file after -o.")
