"""Training of CoMotion: one readable loop, the same for every recipe, on the CPU, a GPU or several of them.

Each process renders and looks at clips of its own and the gradients are averaged over all. Everything a step needs
follows from the seed, the step and the last checkpoint, so a run that was stopped and resumed goes on with the
losses of one that was not.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from choros import weights
from choros.comotion.config import PRESETS, TRUNK, ComotionConfig
from choros.comotion.network import SYSTEM, ComotionNetwork
from choros.datasets.test_footage import refuse_test_footage
from choros.errors import ChorosError
from choros.training.checkpoint import load_checkpoint, save_checkpoint
from choros.training.comotion.feed import Feed, Options, watched_clips
from choros.training.comotion.held_out import Watch
from choros.training.comotion.losses import weighted
from choros.training.comotion.recipe import Recipe, Stage
from choros.training.comotion.unroll import batch_losses
from choros.training.log import Log
from choros.training.schedule import follow, set_rate


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
    report: Callable[[dict[str, Any]], None] = lambda _: None,
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
    rank = dist.get_rank() if dist.is_initialized() else 0
    checkpoint = output / "checkpoint.safetensors"
    if checkpoint.exists() and not resume:
        raise ChorosError(f"{output} holds a run already; resume it, or give another folder.")
    config = options.network or PRESETS[recipe.network]
    network = ComotionNetwork(config, seed=options.seed)
    step = 0
    if start is not None and not checkpoint.exists():
        tensors, metadata = weights.load(start, SYSTEM)
        if metadata.get("config") != json.loads(json.dumps(asdict(config))):
            raise ChorosError(
                f"{start} holds a network of another size; give weights of an earlier part of this run."
            )
        network.restore(tensors)
        step = int(metadata["steps"])
    device = torch.device(options.device)
    network.to(device)
    average = copy.deepcopy(network).requires_grad_(False).eval()
    modules = {"model": network, "average": average}
    # Of all parameters: those that a stage freezes have no gradient and are passed over.
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=recipe.weight_decay)
    if checkpoint.exists():
        step = load_checkpoint(checkpoint, SYSTEM, modules, optimiser)
    log = watch = None
    if rank == 0:
        _same_run(output, recipe, config, options)
        log = Log(output / "log.jsonl", step, options.tensorboard)
        held_out = watched_clips(recipe, options, network.body)
        watch = Watch(held_out, output / "samples", config.image_size_px, recipe.people)

    def keep() -> None:
        if rank == 0:
            save_checkpoint(checkpoint, SYSTEM, modules, optimiser, step)
            average.save(output / "weights.safetensors", {**about, "steps": step, "seed": options.seed})

    def measure(stage: str) -> None:
        if log is not None and watch is not None and recipe.watched_clips:
            told = log.write({"step": step, "stage": stage} | watch.look(average, step))
            report(told | {"steps": last, "sample": str(watch.sample(step))})

    last = recipe.steps if until is None else min(until, recipe.steps)
    stopped = False
    if step == 0 < last:
        measure(recipe.stages[0].name)
    while step < last and not stopped:
        number, first = recipe.stage_at(step)
        stage = recipe.stages[number]
        _freeze(network, stage)
        feed = Feed(recipe, number, network, options, rank, (step - first) * stage.accumulate)
        with closing(feed):
            while step < min(first + stage.steps, last) and not stopped:
                began = time.monotonic()
                lr = _learning_rate(stage, step - first)
                try:
                    parts = _step(network, optimiser, feed, recipe, stage, lr)
                except (KeyboardInterrupt, ChorosError):
                    if not stop():
                        raise
                    stopped = True  # Ctrl-C reaches the workers too: the step lacks clips and is not taken
                    keep()
                    break
                step += 1
                follow(average, network, recipe.ema, step)
                stopped = _anyone(stop())
                if log is not None:
                    log.count(parts | {"step_s": time.monotonic() - began})
                    if step % recipe.log_every == 0 or step == last or stopped:
                        log.write({"step": step, "stage": stage.name, "lr": lr, "clips": feed.made})
                    report({"step": step, "steps": last, "stage": stage.name} | parts)
                if step % recipe.watch_every == 0 or step == last:
                    measure(stage.name)
                if step % recipe.checkpoint_every == 0 or step == last or stopped:
                    keep()
    return step == recipe.steps


def _step(
    network: ComotionNetwork,
    optimiser: torch.optim.Optimizer,
    feed: Feed,
    recipe: Recipe,
    stage: Stage,
    lr: float,
) -> dict[str, float]:
    """One step of the optimiser; gives the losses, means over the micro-batches of this process."""
    network.train()
    if stage.freezes(TRUNK):
        network.encoder.trunk.eval()  # type: ignore[attr-defined]
    set_rate(optimiser, lr)
    optimiser.zero_grad(set_to_none=True)
    told: dict[str, float] = {}
    for _ in range(stage.accumulate):
        parts = batch_losses(network, feed.draw())
        loss = weighted(parts, stage.losses) / stage.accumulate
        loss.backward()
        for name, value in (parts | {"loss": loss * stage.accumulate}).items():
            told[name] = told.get(name, 0.0) + value.item() / stage.accumulate
    parameters = [p for p in network.parameters() if p.requires_grad]
    _average_gradients(parameters)
    norm = nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
    if norm.isfinite():  # else a step that would spoil the run is left out, and its loss tells
        optimiser.step()
    return told


def _average_gradients(parameters: list[nn.Parameter]) -> None:
    """The mean over all processes; a parameter that this one did not use counts with zero."""
    if not dist.is_initialized():
        return
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    flat = nn.utils.parameters_to_vector(gradients)
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        parameter.grad = part.view_as(parameter)


def _anyone(stop: bool) -> bool:
    """Whether any process wants to stop: all of them stop after the same step."""
    if not dist.is_initialized():
        return stop
    wishes = [False] * dist.get_world_size()
    dist.all_gather_object(wishes, stop)
    return any(wishes)


def _same_run(output: Path, recipe: Recipe, config: ComotionConfig, options: Options) -> None:
    """Note what the run is begun with, or make sure that it goes on with the same."""
    output.mkdir(parents=True, exist_ok=True)
    begun = {"recipe": asdict(recipe), "network": asdict(config), "seed": options.seed}
    # How clips are made is part of it, with how many workers is not.
    begun |= {"variation": asdict(options.variation), "scene": asdict(options.scene)}
    text = json.dumps(begun | {"footage": sorted(options.footage)}, default=str, indent=1)
    path = output / "run.json"
    if (output / "checkpoint.safetensors").exists() and path.exists() and path.read_text() != text:
        raise ChorosError(
            f"{output} holds a run that was begun with other options ({path} tells them); give the same, or "
            "another folder."
        )
    path.write_text(text)


def _freeze(network: ComotionNetwork, stage: Stage) -> None:
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(not stage.freezes(name))


def _learning_rate(stage: Stage, step: int) -> float:
    """Rising in a line, then falling along half a cosine; ``step`` counts from the stage's first."""
    rise = min(1.0, (step + 1) / max(1, min(stage.warmup, stage.steps // 10)))
    fall = 0.5 * (1 + np.cos(np.pi * step / stage.steps))
    return float(stage.lr * rise * max(fall, stage.least_lr))
