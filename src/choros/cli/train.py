"""``choros train``: train the networks that ship, on one's own machine."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag
from choros.errors import ChorosError


@dataclass
class Train:
    """Train a network that ships: the lifter, from 2D keypoints to bodies, on two cores in under an hour."""

    network: Positional[Literal["lifter"]]
    """Which network."""
    mocap: Annotated[Path, arg(metavar="DIR")]
    """Folder of motion capture: BVH, asf/amc, exponential maps, DeepMimic; or a packed .npz of clips."""
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE")] = Path("lifter.safetensors")
    """Weights to write. Run the same command again to go on after a stop."""
    steps: int = 6500
    """Gradient steps of 48 clips of 12 frames."""
    seed: int = 1
    """Another seed gives another run; the same one, the same weights."""
    any_licence: Flag = False
    """Also train on clips whose licence forbids giving the weights away."""

    def run(self) -> None:
        from choros.baseline.lifter import LifterConfig
        from choros.cli.progress import TrackProgress
        from choros.datasets.mocap import load_folder, load_packed, split, without_duplicates
        from choros.training.lifter import LifterTraining, train, write_log
        from choros.training.lifter_data import Clip, ClipConfig

        if self.mocap.is_file():
            found = load_packed(self.mocap)
        else:
            every = load_folder(self.mocap, shippable_only=not self.any_licence)
            found, _ = split(without_duplicates(every))
        if not found:
            raise ChorosError(f"{self.mocap} holds no motion capture that may be used; give another folder.")
        clips = [Clip.of(clip) for clip in found]
        about = {
            "licence": "Apache-2.0" if all(clip.shippable for clip in found) else "not for distribution",
            "data": sorted({f"{clip.source} ({clip.licence})" for clip in found}),
            "frames": sum(len(clip.transl) for clip in found),
            "commit": _commit(),
        }
        run = LifterTraining(steps=self.steps, seed=self.seed)
        log = write_log(self.output.with_name(self.output.name + ".jsonl"))
        with TrackProgress("training") as progress:

            def report(record: dict[str, float]) -> None:
                log(record)
                progress.count(int(record["step"]), self.steps)

            train(clips, self.output, run, LifterConfig(), ClipConfig(), about, report)
        print(f"{self.output}: {self.steps} steps on {about['frames']} frames of motion")


def _commit() -> str:
    """The commit of a source tree; an installed package has none."""
    try:
        out = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
        return out.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
