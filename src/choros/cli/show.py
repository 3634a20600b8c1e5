"""``choros show``: a motion drawn over its video."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg


@dataclass
class Show:
    """Draw everyone in a motion over its video."""

    motion: Positional[Path]
    """The motion.npz that `choros track` wrote."""
    video: Positional[str]
    """The video it was tracked in."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("overlay.mp4")
    """The video to write."""
    panels: Literal["none", "side", "top", "both"] = "none"
    """Views from the side and from above, right of the frame."""
    keypoints: bool = False
    """Also draw the 2D keypoints."""
    no_ghosts: bool = False
    """Leave out people where they were predicted and not seen."""
    body: Path | None = None
    """Your own SMPL file, if the motion was tracked with it."""

    def run(self) -> None:
        from choros.body import BodyModel
        from choros.cli.progress import TrackProgress
        from choros.motion import Motion
        from choros.view.overlay import OverlayStyle, render_video

        motion = Motion.load(self.motion)
        style = OverlayStyle(panels=self.panels, keypoints=self.keypoints, ghosts=not self.no_ghosts)
        body = BodyModel.load(self.body) if self.body else None
        with TrackProgress("drawing") as progress:
            render_video(motion, self.video, self.output, body, style, progress.count)
        print(f"{self.output}: {len(motion)} frames")
