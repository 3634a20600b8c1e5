"""``choros refine``: people while nobody saw them, said anew when it is known how they came back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from choros.cli.arguments import OptionalFile
from choros.cli.motions import motion_file
from choros.cli.stopping import whole_or_not


@dataclass
class Refine:
    """Complete everyone's motion between two sights by the pose transformer (4DHumans); what was seen stays."""

    motion: Positional[Annotated[Path, arg(metavar="MOTION")]]
    """The motion.npz that `choros track` wrote, or the folder with it; of any system."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("refined.npz")
    """File to write: the completed motion."""
    body: OptionalFile = None
    """Your own SMPL file, if the motion was tracked with it."""

    def run(self) -> None:
        """Complete a motion's gaps, and write that motion."""
        from choros.outputs import check_output

        self.motion = motion_file(self.motion)
        check_output(self.output, self.motion, self.body)
        with whole_or_not(self.output):
            from choros.fourdhumans.phalp.refine import refine
            from choros.motion import Motion

            motion = Motion.load(self.motion)
            made = refine(motion, self.body)
            made.save(self.output)
        print(f"{self.output}: {int((~made.visible).sum())} rows of people whom nobody saw")
