"""The training loop, one for all networks: on the CPU, a GPU, or several processes of torch.distributed.

A `Task` supplies a network, batches and losses; here are accumulation, mixed precision, clipping, the average of the
weights, the log, samples, figures by the clock, checkpoints and stopping. What a step does follows from the seed, the
step and the last checkpoint, so that a run which was stopped and resumed, or watched, ends with the weights of one that
was not, bit for bit.
"""

from __future__ import annotations

import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from choros import weights
from choros.errors import ChorosError
from choros.seeding import seeded
from choros.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint
from choros.training.distributed import anyone, average_gradients, average_losses, rank, wait_for_all
from choros.training.log import Log

#: Is told of every step, and of what was measured.
Report = Callable[[dict[str, Any]], None]

PART_SEED = 1_000_000_007_003  # between what micro-batches of a step draw from torch's generators

#: Is told, in a few words, what is being done before the first step.
Tell = Callable[[str], None]


@dataclass(frozen=True)
class LoopConfig:
    """How a run goes on, whatever it learns."""

    steps: int  # of the whole schedule
    seed: int = 1
    clip_norm: float = 1.0  # longest gradient
    ema: float = 0.999  # how much of the weights' average stays in a step
    bf16: bool = False  # predictions in bfloat16 where that will do (autocast); weights and losses are not
    log_every: int = 50  # steps, as the next two
    checkpoint_every: int = 250
    sample_every: int = 0  # 0: never


@dataclass(frozen=True)
class StepPlan:
    """How one step is taken."""

    lr: float  # of groups of the optimiser that have an "lr_share" this share of it
    accumulate: int = 1  # micro-batches whose gradients are averaged
    stage: str | None = None  # of a recipe that has several, for the log


class Task(ABC):
    """What is learned, and from what: all that the loop needs to know of a network."""

    system: str  # whose weights they are, as their metadata say
    network: nn.Module
    optimiser: torch.optim.Optimizer
    first_step: int = 0  # more where it begins with the weights of an earlier run

    @abstractmethod
    def prepare(self, step: int) -> StepPlan:
        """Make the network ready for the step after ``step`` steps: its mode, what is frozen."""

    @abstractmethod
    def batch(self, step: int, part: int) -> Any:
        """Micro-batch ``part`` of that step, of all processes; follows from these two and the run's seed."""

    @abstractmethod
    def predict(self, batch: Any) -> Any:
        """What the network makes of a batch. Torch's own generators are seeded for the step here."""

    @abstractmethod
    def losses(self, predicted: Any, batch: Any, step: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """The sum that is minimised, and its terms by name as far as they are to be told."""

    def notes(self) -> dict[str, Any]:
        """What else a line of the log tells."""
        return {}

    def sample(self, average: nn.Module, step: int) -> dict[str, Any]:
        """Figures of held-out data (names begin with ``held_out/``), and under "sample" where pictures of them are."""
        return {}

    def keep(self, average: nn.Module, step: int) -> None:
        """Called with every checkpoint, for files of the task's own."""
        return

    def unchanged(self) -> Sequence[str]:
        """How the names of weights begin that are as the network was made: no checkpoint needs to hold them."""
        return ()

    def write(self, path: Path, average: nn.Module, step: int) -> None:
        """The file of weights as it would ship after ``step`` steps."""
        weights.save(path, average.state_dict(), {"system": self.system, "steps": step})

    def close(self) -> None:
        """Let go of whoever makes batches."""
        return


@dataclass(frozen=True)
class Watch:
    """What is measured by the clock while a run goes on, and at its end.

    ``measure`` is given a file of weights as they would ship, and returns figures by name; none if it was broken off.
    """

    measure: Callable[[Path], Mapping[str, float]]
    every_s: float


def train(
    task: Task,
    config: LoopConfig,
    checkpoint: Path,
    log_path: Path,
    *,
    until: int | None = None,
    tensorboard: bool = False,
    stop: Callable[[], bool] = lambda: False,
    report: Report = lambda _: None,
    watch: Watch | None = None,
    tell: Tell = lambda _: None,
) -> TrainingState:
    """Take steps to the end of the schedule or to step ``until``; or until ``stop`` says so, asked after each.

    Goes on from ``checkpoint`` if there is one; it is written every so many steps and at the end. ``report`` is told of
    every step: "step" of "steps", the losses, and what was measured, on held-out data and by ``watch``. Of several
    processes the first alone writes and tells; ``tell`` is told what comes before the first step. Raises
    ``ChorosError`` if the checkpoint is of something else, another seed or more steps, and whatever the task's batches
    raise.
    """
    state = _begun(task, config, checkpoint)
    last = config.steps if until is None else min(until, config.steps)
    teller = None
    if rank() == 0:
        teller = _Teller(task, last, Log(log_path, state.step, tensorboard), report, watch)
    stopped = False
    with closing(task):
        if state.step == 0 and config.sample_every and teller:
            tell("drawing the first sample")
            teller.sample(state, task.prepare(0))
        tell("making the first batch")
        while state.step < last and not stopped:
            plan = task.prepare(state.step)
            began = time.monotonic()
            try:
                losses = take_step(task, state, config, plan)
            except (KeyboardInterrupt, ChorosError):
                if not stop():
                    raise
                _keep(task, state, checkpoint)
                break  # Ctrl-C reaches those who make batches too: the step lacks one and is not taken
            stopped = anyone(stop())
            ends = stopped or state.step == last
            if teller:
                teller.step(state, plan, losses | {"step_s": time.monotonic() - began})
                if state.step % config.log_every == 0 or ends:
                    teller.log_line(state, plan)
                if config.sample_every and (state.step % config.sample_every == 0 or state.step == last):
                    teller.sample(state, plan)
            if state.step % config.checkpoint_every == 0 or ends:
                _keep(task, state, checkpoint)
            if ends:
                wait_for_all()  # whoever goes on from the checkpoint reads the one that the first has written
            if teller:
                teller.look(state, plan, ends)
    return state


def _begun(task: Task, config: LoopConfig, checkpoint: Path) -> TrainingState:
    """A new run, or where the one of the checkpoint stands."""
    state = TrainingState.begin(task.network, task.optimiser, task.first_step)
    state.seed = config.seed
    if checkpoint.is_file():
        load_checkpoint(checkpoint, task.system, state)
        if state.step > config.steps:
            raise ChorosError(
                f"{checkpoint} has come to step {state.step} already, and the whole run is to have {config.steps}; "
                "give as many steps or more, or another output."
            )
    return state


def take_step(task: Task, state: TrainingState, config: LoopConfig, plan: StepPlan) -> dict[str, float]:
    """One step of the optimiser and of the average; gives the losses, means over all micro-batches.

    Of W processes each takes ``plan.accumulate`` of them, the first process the first ones: a step is that of one
    process which accumulates W times as many.
    """
    for group in state.optimiser.param_groups:
        group["lr"] = plan.lr * group.get("lr_share", 1.0)
    state.optimiser.zero_grad(set_to_none=True)
    device = next(state.network.parameters()).device
    losses: dict[str, float] = {}
    for part in range(rank() * plan.accumulate, (rank() + 1) * plan.accumulate):
        with seeded(config.seed * 1_000_003 + state.step + PART_SEED * part, device):
            batch = task.batch(state.step, part)
            with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
                predicted = task.predict(batch)
            total, terms = task.losses(predicted, batch, state.step)
            (total / plan.accumulate).backward()
            for name, value in {**terms, "loss": total}.items():
                losses[name] = losses.get(name, 0.0) + value.item() / plan.accumulate
    learning = [p for p in state.network.parameters() if p.requires_grad]
    average_gradients(learning)
    losses = average_losses(losses, device)
    norm = nn.utils.clip_grad_norm_(learning, config.clip_norm)
    if norm.isfinite():  # else a step that would spoil the run is left out, and its loss tells
        state.optimiser.step()
    state.step += 1
    move_average(state.average, state.network, config.ema, state.step)
    return losses


@torch.no_grad()
def move_average(average: nn.Module, network: nn.Module, ema: float, step: int) -> None:
    """Move the average towards the network after ``step`` steps, faster at first than ``ema`` says.

    Frozen parameters stay; what is no parameter is taken over as it is.
    """
    keep = min(ema, step / (step + 10))
    for slow, fast in zip(average.parameters(), network.parameters(), strict=True):
        if fast.requires_grad:
            slow.lerp_(fast, 1 - keep)
    for kept, now in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(now)


def _keep(task: Task, state: TrainingState, checkpoint: Path) -> None:
    if rank() == 0:
        save_checkpoint(checkpoint, task.system, state, task.unchanged())
        task.keep(state.average, state.step)


@dataclass
class _Teller:
    """Tells the log and whoever asked for reports where a run stands."""

    task: Task
    last: int
    log: Log
    report: Report
    watch: Watch | None

    def __post_init__(self) -> None:
        self._looked = time.monotonic()

    def step(self, state: TrainingState, plan: StepPlan, losses: dict[str, float]) -> None:
        """A step was taken."""
        self.log.count(losses)
        told = {name: value for name, value in losses.items() if name != "step_s"}
        self.report(self._where(state, plan) | {"steps": self.last} | told)

    def log_line(self, state: TrainingState, plan: StepPlan) -> None:
        """A line of the log: means since the last one."""
        self.log.write(self._where(state, plan) | {"lr": plan.lr} | self.task.notes())

    def sample(self, state: TrainingState, plan: StepPlan) -> None:
        """Have held-out data measured."""
        told = self.log.write(self._where(state, plan) | self.task.sample(state.average, state.step))
        self.report(told | {"steps": self.last})

    def look(self, state: TrainingState, plan: StepPlan, ends: bool) -> None:
        """Have the weights measured if it is time. Whoever measures draws from torch's generators as if alone."""
        watch = self.watch
        if watch is None or not (ends or time.monotonic() - self._looked >= watch.every_s):
            return
        with tempfile.TemporaryDirectory(prefix="choros-") as folder, seeded(0):
            path = Path(folder) / "weights.safetensors"
            self.task.write(path, state.average, state.step)
            figures = watch.measure(path)
        if figures:
            record = self.log.add(self._where(state, plan) | dict(figures))
            self.report(record | {"steps": self.last})
        self._looked = time.monotonic()

    def _where(self, state: TrainingState, plan: StepPlan) -> dict[str, Any]:
        return {"step": state.step} | ({} if plan.stage is None else {"stage": plan.stage})
