"""``choros train``: train the networks that ship, on one's own machine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from tyro.conf import Positional, arg

from choros.cli.arguments import Flag, OptionalFile
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.datasets.mocap import MocapClip


@dataclass
class Train:
    """Train a network that ships: the lifter, from 2D keypoints to bodies, on two cores in under an hour; or
    the motion model, which moves people in synthetic scenes, in a quarter of an hour."""

    network: Positional[Literal["lifter", "motion-model"]]
    """Which network."""
    mocap: Annotated[Path, arg(metavar="DIR")]
    """Folder of motion capture: BVH, asf/amc, exponential maps, DeepMimic; or a packed .npz of clips."""
    output: Annotated[OptionalFile, arg(aliases=["-o"])] = None
    """Weights to write; NETWORK.safetensors if not given. Run the same command again to go on after a stop."""
    steps: Annotated[int | None, arg(metavar="N", constructor=int, help_behavior_hint="")] = None
    """Gradient steps; as many as the network that ships took if not given."""
    seed: int = 1
    """Another seed gives another run; the same one, the same weights."""
    any_licence: Flag = False
    """Also train on clips whose licence forbids giving the weights away."""

    def run(self) -> None:
        from choros.cli.progress import TrackProgress
        from choros.datasets.mocap import load_folder, load_packed, split, without_duplicates
        from choros.training.lifter import write_log

        if self.mocap.is_file():
            found = load_packed(self.mocap)
        else:
            every = load_folder(self.mocap, shippable_only=not self.any_licence)
            found, _ = split(without_duplicates(every))
        if not found:
            raise ChorosError(f"{self.mocap} holds no motion capture that may be used; give another folder.")
        about = {
            "licence": "Apache-2.0" if all(clip.shippable for clip in found) else "not for distribution",
            "data": sorted({f"{clip.source} ({clip.licence})" for clip in found}),
            "frames": sum(len(clip.transl) for clip in found),
            "commit": _commit(),
            "command": self._command(),
        }
        output = self.output or Path(f"{self.network}.safetensors")
        log = write_log(output.with_name(output.name + ".jsonl"))
        train = _lifter if self.network == "lifter" else _motion_model
        with TrackProgress("training") as progress:

            def report(record: dict[str, float]) -> None:
                log(record)
                progress.count(int(record["step"]), int(record["steps"]))

            train(found, output, self, about, report)
        print(f"{output}: trained on {about['frames']} frames of motion")

    def _command(self) -> str:
        """What makes the same weights again, from a folder of that name."""
        said = [f"choros train {self.network} --mocap {self.mocap.name} --seed {self.seed}"]
        if self.steps is not None:
            said.append(f"--steps {self.steps}")
        if self.any_licence:
            said.append("--any-licence")
        return " ".join(said)


Report = Callable[[dict[str, float]], None]


def _lifter(
    found: Sequence[MocapClip], output: Path, options: Train, about: dict[str, Any], report: Report
) -> None:
    from choros.baseline.lifter import LifterConfig
    from choros.training.lifter import LifterTraining, train
    from choros.training.lifter_data import Clip, ClipConfig

    run = LifterTraining(seed=options.seed)
    if options.steps is not None:
        run = replace(run, steps=options.steps)
    clips = [Clip.of(clip) for clip in found]
    train(clips, output, run, LifterConfig(), ClipConfig(), about, lambda r: report(r | {"steps": run.steps}))


def _motion_model(
    found: Sequence[MocapClip], output: Path, options: Train, about: dict[str, Any], report: Report
) -> None:
    from choros.scenes.motion_model import MotionModelConfig
    from choros.training.motion_model import MotionTraining, train

    run = MotionTraining(seed=options.seed)
    if options.steps is not None:
        run = replace(run, steps=options.steps)
    train(found, output, run, MotionModelConfig(), about, lambda r: report(r | {"steps": run.steps}))


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
