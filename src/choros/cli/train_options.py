"""What all trainings are told alike, and how they are watched: one grammar for ``choros train``.

Every training goes on from its checkpoint with the same command, stops after the step in hand at Ctrl-C, at the end of
``--minutes`` and at step ``--until``, and writes its weights with every checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from choros.cli.arguments import Flag, OptionalFolder
from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.cli.progress import RunProgress
    from choros.cli.stopping import Stop
    from choros.training.loop import Watch

OptionalOutput = Annotated[
    Path | None, arg(metavar="FILE|DIR", constructor=Path, help_behavior_hint="", aliases=["-o"])
]
OptionalCount = Annotated[int | None, arg(metavar="N", constructor=int, help_behavior_hint="")]

EVERY_MINUTES = 10.0
#: Of a run that was stopped.
GOES_ON = "the same command goes on"


@dataclass(kw_only=True)
class RunOptions:
    """How a run goes, whatever it learns."""

    output: OptionalOutput = None
    """Weights to write, FILE.safetensors, with checkpoint, log and pictures beside them; or a folder for all that."""
    steps: OptionalCount = None
    """Gradient steps in all, to which the schedule is scaled; those of the recipe if not given."""
    minutes: Annotated[float | None, arg(metavar="MINUTES", constructor=float, help_behavior_hint="")] = None
    """Stop after that time; the same command goes on."""
    until: Annotated[int | None, arg(metavar="STEP", constructor=int, help_behavior_hint="")] = None
    """Stop when the run has come to this step; its schedule stays the whole run's, and the same command goes on."""
    seed: int = 1
    """Another seed gives another run; the same one, the same weights."""
    tensorboard: Flag = False
    """Also write the log for TensorBoard."""

    def check_run(self) -> None:
        """Raise ``ChorosError`` for numbers that no run has, and where TensorBoard is not there."""
        if self.seed < 0 or min(n for n in (self.steps, self.until, 1) if n is not None) < 1:
            raise ChorosError(
                "--seed is 0 or more, --steps and --until are 1 or more; leave them out for the recipe's."
            )
        if self.minutes is not None and not self.minutes > 0:
            raise ChorosError(f"--minutes {self.minutes} trains nothing; give more than 0.")
        if self.tensorboard:
            from choros.training.log import check_tensorboard

            check_tensorboard()  # not after a minute of reading

    def said(self) -> str:
        """The options among these that make the weights what they are, as they are written."""
        numbers = {"seed": self.seed, "steps": self.steps, "until": self.until}
        return " ".join(f"--{name} {value}" for name, value in numbers.items() if value is not None)


def leads() -> bool:
    """Whether this process writes; under ``torchrun`` it is joined with the others, on the CPU, which do not."""
    import torch

    if torch.distributed.is_torchelastic_launched() and not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo")
    return os.environ.get("RANK", "0") == "0"


@dataclass(kw_only=True)
class WatchOptions:
    """Figures on real footage while a system learns."""

    real: OptionalFolder = None
    """Footage of choros bench real, of which a few figures are measured while it learns; never trained on."""
    real_every: Annotated[float, arg(metavar="MINUTES")] = EVERY_MINUTES
    """Minutes from one measurement to the next."""

    def watch(self, system: str, progress: RunProgress, stop: Stop, device: str = "cpu") -> Watch | None:
        """What measures weights of ``system`` on ``device``; None where no footage is given, which is said."""
        from choros import systems
        from choros.evaluation.real.watched import WatchedFootage
        from choros.training.loop import Watch

        if not self.real_every > 0:
            raise ChorosError(
                f"--real-every {self.real_every} is no time between measurements; give more than 0."
            )
        if self.real is None:
            progress.note(
                "real figures: off, for no footage is given; --real DIR takes that of choros bench real"
            )
            return None

        said = ""

        def tell(what: str, done: int, total: int | None) -> None:
            nonlocal said
            if stop.interrupted:
                raise _BrokenOff
            if what != said:
                progress.say(said := what)
            progress.count(done, total, what="pictures")

        footage = WatchedFootage(
            self.real, lambda weights: systems.load(system, weights_path=weights, device=device), tell
        )
        for needs in footage.lacks:
            progress.note(f"real figures: without {needs}")
        return Watch(unless_broken_off(footage.measure), 60 * self.real_every)


class _BrokenOff(Exception):
    """Ctrl-C came while footage was measured: the step in hand is done, and nobody waits for figures."""


def unless_broken_off(
    measure: Callable[[Path], Mapping[str, float]],
) -> Callable[[Path], Mapping[str, float]]:
    """The same, with no figures where Ctrl-C came meanwhile."""

    def measured(weights: Path) -> Mapping[str, float]:
        try:
            return measure(weights)
        except _BrokenOff:
            return {}

    return measured
