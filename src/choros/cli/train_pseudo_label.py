"""``choros train pseudo-label``: real footage, labelled by the lifter system, as data for ``choros train comotion``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, OptionalFile
from choros.errors import ChorosError


@dataclass
class PseudoLabel:
    """Label real footage with the lifter system; give the folder to choros train comotion as --data NAME=DIR."""

    inputs: Positional[Annotated[tuple[Path, ...], arg(metavar="VIDEO...", help_behavior_hint="")]]
    """Videos, pictures, and folders of a video's frames."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="DIR")]
    """New folder to write to: pictures, bodies and what became of whom."""
    photos: Flag = False
    """Folders hold photographs that have nothing to do with each other, at any depth."""
    keypoints: OptionalFile = None
    """Keypoints that somebody marked, in COCO's form: people of the pictures that it names are lifted from these."""
    licence: Annotated[str, arg(metavar="TEXT", help_behavior_hint="")] = "unknown"
    """Of the footage, and where it is from; kept with the set, and with weights that learn from it."""

    def run(self) -> None:
        """Write one set of pseudo-labels for each input. Raises ``ChorosError`` if none is named."""
        from choros.cli.progress import RunProgress
        from choros.cli.threads import leave_cores_to_the_networks
        from choros.training.comotion.pseudo_labels import Labeller, write_set

        if not self.inputs:
            raise ChorosError("nothing was named to label; give videos or pictures.")
        with RunProgress("loading") as progress:
            leave_cores_to_the_networks()
            labelled: set[str] = set()

            def report(name: str, frames: int) -> None:
                if name not in labelled:
                    labelled.add(name)
                    progress.say(f"labelling {name}")
                progress.count(frames, None)

            about = write_set(
                self.inputs, self.output, pictures=self.photos, licence=self.licence,
                labeller=Labeller(marks=self.keypoints), report=report,
            )  # fmt: skip
        for line in summary(about):
            print(line)
        print(f"{self.output}: {about['counts']['frames']} frames in {len(about['parts'])} parts")


def summary(about: dict[str, Any]) -> list[str]:
    """What became of whom; a person in a frame counts once, but may fail several filters."""
    counts, limits = about["counts"], about["filters"]
    filters = {
        "score": f"detected with less than {limits['score']:g}",
        "keypoints": f"fewer than {limits['keypoints']} keypoints",
        "nobody": f"keypoints off by over {100 * limits['nobody']:g} % of the size: no person's",
        "betas": f"betas of {limits['betas']:g} or more",
        "pose": f"pose over {limits['pose']:g} standard deviations",
        "error": f"keypoints off by over {100 * limits['error']:g} % of the size",
    }
    lines = [
        f"{counts.get('detected', 0)} people in frames, {counts.get('not_followed', 0)} of them not followed"
    ]
    lines += [f"  {counts.get(f'failed_{name}', 0):6d}  {text}" for name, text in filters.items()]
    lines.append(f"  {counts.get('only_2d', 0):6d}  keep their keypoints alone")
    lines.append(
        f"  {counts.get('passed', 0):6d}  keep all; {counts.get('everyone', 0)} frames where everyone does"
    )
    if counts.get("unread"):
        lines.append(f"  {counts['unread']} pictures could not be read")
    return lines
