"""Training of CoMotion into a folder: the same loop as for all networks, for every recipe.

Each process of a group makes clips of its own and the gradients are averaged over all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from choros.datasets.test_footage import refuse_test_footage
from choros.errors import ChorosError
from choros.training import loop
from choros.training.comotion.feed import Options
from choros.training.comotion.recipe import Recipe
from choros.training.comotion.task import ComotionTask
from choros.training.distributed import rank


def train(
    recipe: Recipe,
    output: Path,
    options: Options,
    about: Mapping[str, Any],
    *,
    resume: bool = False,
    start: Path | None = None,
    until: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    report: loop.Report = lambda _: None,
) -> bool:
    """Train into the folder ``output``; True if the recipe came to its end, False if it was stopped before.

    There are then: ``weights.safetensors``, averaged over the last steps, with ``about`` in its metadata;
    ``checkpoint.safetensors``, from which ``resume`` goes on if there is one; ``run.json``, what the run was begun
    with; ``log.jsonl``; and ``samples``, pictures of held-out clips, the truth left and the answers right, the first
    before the first step. The run is stopped, and can be resumed, after step ``until``, whatever the recipe's
    schedule has to come, or once ``stop`` says so, which is asked after each step. ``report`` is told of every step:
    its losses, and what was measured on held-out clips. In a process group of torch.distributed only the first
    process writes.

    With ``start``, weights that an earlier run wrote, a new run goes on at their step: not to the last bit, since
    they know nothing of the optimiser, but from a file of a tenth of the size.

    Raises ``ChorosError`` if there is a run already and ``resume`` is not asked for, if it was begun with something
    else, if a source's data is not given, if test footage is among what scenes are made of, and whatever the stream
    of scenes raises.
    """
    refuse_test_footage([options.scene.mocap, options.scene.photos, options.scene.wardrobe])
    checkpoint = output / "checkpoint.safetensors"
    if checkpoint.exists() and not resume:
        raise ChorosError(f"{output} holds a run already; resume it, or give another folder.")
    task = ComotionTask(recipe, output, options, about, None if checkpoint.exists() else start)
    if rank() == 0:
        _same_run(task)
    state = loop.train(
        task, task.loop, checkpoint, output / "log.jsonl", until=until, tensorboard=options.tensorboard,
        stop=stop, report=report,
    )  # fmt: skip
    return state.step == recipe.steps


def _same_run(task: ComotionTask) -> None:
    """Note what the run is begun with, or make sure that it goes on with the same."""
    output, options = task.output, task.options
    output.mkdir(parents=True, exist_ok=True)
    begun = {"recipe": asdict(task.recipe), "network": asdict(task.config), "seed": options.seed}
    # How clips are made is part of it, with how many workers is not.
    begun |= {"variation": asdict(options.variation), "scene": asdict(options.scene)}
    text = json.dumps(begun | {"footage": sorted(options.footage)}, default=str, indent=1)
    path = output / "run.json"
    if (output / "checkpoint.safetensors").exists() and path.exists() and path.read_text() != text:
        raise ChorosError(
            f"{output} holds a run that was begun with other options, or by another version of choros ({path} tells "
            "which); give the same, or another folder."
        )
    path.write_text(text)
