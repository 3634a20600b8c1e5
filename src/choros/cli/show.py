"""``choros show``: a motion drawn over its video, or people and camera in the world."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, OptionalFile
from choros.cli.grammar import check_places
from choros.cli.motions import loaded, motion_file
from choros.errors import ChorosError


@dataclass
class Show:
    """Draw everyone in a motion over its video; or, with --world, on the floor they walk on."""

    motion: Positional[Annotated[Path, arg(metavar="MOTION")]]
    """The motion.npz that `choros track` wrote, or the folder with it."""
    video: Positional[
        Annotated[str | None, arg(metavar="[VIDEO]", constructor=str, help_behavior_hint="")]
    ] = None
    """The video it was tracked in; --world does without."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("overlay.mp4")
    """File to write: .mp4, .mov, .webm, .gif, .webp, or pictures, as frames/%06d.png; of photographs, a folder."""
    world: Flag = False
    """Everyone and the camera's path in the world, from a motion that `choros world` wrote."""
    view: Literal["both", "third", "top"] = "both"
    """With --world: from beside the camera (third), from above (top), or one beside the other."""
    panels: Literal["none", "side", "top", "both"] = "none"
    """Views from the side and from above, right of the frame."""
    keypoints: Flag = False
    """Also draw the 2D keypoints."""
    no_ghosts: Flag = False
    """Leave out people where they were predicted and not seen."""
    tentative: Flag = False
    """Also people who were in sight for less than .2 s, who may be nobody."""
    body: OptionalFile = None
    """Your own SMPL file, if the motion was tracked with it."""

    def run(self) -> None:
        """Draw the people over their video, or in the world as an onlooker sees them.

        Raises ``ChorosError`` unless exactly one of a video and ``--world`` is given.
        """
        from choros.outputs import check_output
        from choros.video import check_video_name

        if self.world == (self.video is not None):
            raise ChorosError(f"give {self.motion} a video to be drawn over, or --world, one of the two.")
        check_places("show", self.motion, [self.video] if self.video else [])
        self.motion = motion_file(self.motion)
        motion = loaded(self.motion, self.tentative)
        output, unit = self.output, "frames"
        if motion.header.photos:
            output, unit = self._folder(), "pictures"
        else:
            check_video_name(output)
            check_output(output, self.motion, self.video, self.body)

        from choros import render
        from choros.cli.progress import TrackProgress

        with TrackProgress("drawing") as progress:
            written = render(
                motion, self.video, output, panels=self.panels, keypoints=self.keypoints, ghosts=not self.no_ghosts,
                view=self.view, tentative=True, body=self.body, progress=progress.count,
            )  # fmt: skip
        print(f"{output}: {written} {unit}")

    def _folder(self) -> Path:
        """Where a motion of photographs goes: each with its people, in a folder."""
        if self.video is None:
            raise ChorosError(
                f"{self.motion} is of photographs, which have no world; give the folder they are in."
            )
        folder = Path("overlay") if self.output == Path("overlay.mp4") else self.output
        if folder.suffix or folder.is_file():
            raise ChorosError(f"{folder} cannot hold photographs; name a folder to write them to after -o.")
        return folder
