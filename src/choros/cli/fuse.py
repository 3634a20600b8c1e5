"""``choros fuse``: motions of the same people from several cameras as one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from choros.cli.arguments import OptionalFile
from choros.cli.motions import motion_file
from choros.cli.stopping import whole_or_not


@dataclass
class Fuse:
    """Put motions of the same people from several cameras together; no common clock, no calibration."""

    motions: Positional[Annotated[tuple[Path, ...], arg(metavar="MOTION...")]]
    """The motion.npz files of the clips, or their folders; the first gives frames, axes and numbers of people."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("fused.npz")
    """File to write: the fused motion."""
    body: OptionalFile = None
    """Your own SMPL file, if the motions were tracked with it."""

    def run(self) -> None:
        """Align the motions in time and space, fuse them and say how they lie to each other.

        Raises ``ChorosError`` for fewer than two motions and those that do not show the same people moving.
        """
        from choros.outputs import check_output

        files = [motion_file(path) for path in self.motions]
        check_output(self.output, *files, self.body)
        with whole_or_not(self.output):
            from choros.fusing import fuse

            fusion = fuse(files, names=[str(path) for path in files], body=self.body)
            fusion.motion.save(self.output)
        for view in fusion.views[1:]:
            people = ", ".join(f"{theirs} is {ours}" for theirs, ours in view.people.items())
            print(
                f"{view.name}: {view.lag_s:+.3f} s; person {people}; keypoints {view.misfit:.1f} deviations off"
            )
        motion = fusion.motion
        print(f"{self.output}: {len(motion)} frames, {len(motion.ids)} people, {motion.space} space")
