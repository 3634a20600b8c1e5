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
from choros.outputs import atomic_write
from choros.training import loop
from choros.training.comotion.feed import Options
from choros.training.comotion.recipe import Recipe
from choros.training.comotion.task import ComotionTask
from choros.training.distributed import rank
from choros.training.run_files import RunFiles


def train(
    recipe: Recipe,
    output: Path,
    options: Options,
    about: Mapping[str, Any],
    *,
    start: Path | None = None,
    until: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    report: loop.Report = lambda _: None,
    watch: loop.Watch | None = None,
    tell: loop.Tell = lambda _: None,
) -> bool:
    """Train into ``output``; True if the recipe came to its end, False if it was stopped before.

    In a folder there are then: ``weights.safetensors``, averaged over the last steps, with ``about`` in its metadata;
    ``checkpoint.safetensors``, from which the same call goes on; ``run.json``, what the run was begun with;
    ``log.jsonl``; and ``samples``, pictures of held-out clips, the truth left and the answers right, the first before
    the first step. An ``output`` that ends in .safetensors is the file of weights, with the others beside it. The run
    is stopped, and can go on, after step ``until``, whatever the recipe's schedule has to come, or once ``stop`` says
    so, which is asked after each step. ``report`` is told of every step: its losses, and what was measured on
    held-out clips and by ``watch``; ``tell`` of what comes before the first. In a process group of torch.distributed
    only the first process writes.

    With ``start``, weights that an earlier run wrote, a new run goes on at their step: not to the last bit, since
    they know nothing of the optimiser, but from a file of a tenth of the size.

    Raises ``ChorosError`` if a run is there that was begun with something else, if a source's data is not given, if
    test footage is among what scenes are made of, and whatever the stream of scenes raises.
    """
    refuse_test_footage([options.scene.mocap, options.scene.photos, options.scene.wardrobe])
    files = RunFiles.of(output)
    task = ComotionTask(recipe, output, options, about, None if files.checkpoint.exists() else start)
    if rank() == 0:
        _same_run(task)
    state = loop.train(
        task, task.loop, files.checkpoint, files.log, until=until, tensorboard=options.tensorboard,
        stop=stop, report=report, watch=watch, tell=tell,
    )  # fmt: skip
    return state.step == recipe.steps


def _same_run(task: ComotionTask) -> None:
    """Note what the run is begun with, or make sure that it goes on with the same."""
    files, options = task.files, task.options
    files.begun.parent.mkdir(parents=True, exist_ok=True)
    begun = {"recipe": asdict(task.recipe), "network": asdict(task.config), "seed": options.seed}
    # How clips are made is part of it, with how many workers is not.
    begun |= {"variation": asdict(options.variation), "scene": asdict(options.scene)}
    text = json.dumps(begun | {"footage": sorted(options.footage)}, default=str, indent=1)
    path = files.begun
    if files.checkpoint.exists() and path.exists() and path.read_text() != text:
        raise ChorosError(
            f"{files.weights.parent} holds a run that was begun with other options, or by another version of choros "
            f"({path} tells which); give the same, or another output."
        )
    with atomic_write(path) as file:
        file.write(text.encode())
