"""What CoMotion's training costs on this machine, stage by stage: rendering, looking, a step, and what follows.

    python benchmarks/comotion_training.py [recipe] [cpu|cuda] [trunk]

A clip is rendered by a worker while the network trains, so a step takes the longer of two times: its own, looking
at new clips included, and rendering ``clips / reuse`` new ones over the number of workers. CPU time tells how far
the machine was from idle.
"""

import sys
import time
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from choros.backbones.trunk import frozen
from choros.comotion.config import PRESETS, TRUNK
from choros.comotion.network import ComotionNetwork
from choros.training.checkpoint import TrainingState
from choros.training.comotion.batch import batch_of, some_people
from choros.training.comotion.feed import Options, clips_of
from choros.training.comotion.recipe import RECIPES
from choros.training.comotion.task import ComotionTask
from choros.training.comotion.unroll import encode_clip
from choros.training.comotion.variation import varied
from choros.training.loop import take_step


class Again(ComotionTask):
    """Learns from the same batch again and again."""

    def batch(self, step, part):
        return self.again


class Stopwatch:
    """``with Stopwatch() as spent``: then ``spent.wall_s`` and ``spent.cpu_s``."""

    def __enter__(self):
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.wall_s, self.cpu_s = time.perf_counter() - self._wall, time.process_time() - self._cpu


def measure(recipe, stage, network, options, rng) -> None:
    """One stage: a line of figures."""
    source, device = stage.sources[0], torch.device(options.device)
    trunk = frozen(network.encoder.trunk) if stage.freezes(TRUNK) else None
    count = min(source.clips_per_scene, stage.clips)
    few = replace(source, clips_per_scene=count)
    with closing(clips_of(few, (0, 1), 0, options, network.body)) as clips:
        list(islice(clips, count))  # compiles
        with Stopwatch() as render:
            made = list(islice(clips, count))
    made = [varied(clip, rng, network.config.image_size_px, options.variation) for clip in made]
    encode_clip(network, made[0], device, trunk)
    with Stopwatch() as looking:
        seen = [encode_clip(network, clip, device, trunk) for clip in made]
    seen = [seen[i % count] for i in range(stage.clips)]
    who = [some_people(one.clip, rng, recipe.people) for one in seen]
    task = Again(replace(recipe, stages=(stage,)), Path(), options, {})
    task.again = batch_of(seen, who, rng, options.variation).to(device)
    state, plan = TrainingState.begin(task.network, task.optimiser), task.prepare(0)
    take_step(task, state, task.loop, plan)
    with Stopwatch() as step:
        take_step(task, state, task.loop, plan)

    clips = stage.clips * stage.accumulate
    new = clips / stage.reuse
    here_s, there_s = step.wall_s + new * looking.wall_s / count, new * render.wall_s / count
    slower_s = max(here_s, there_s)
    print(
        f"{stage.name}, {source.frames} frames: a clip is rendered in {render.wall_s / count:.3f} s "
        f"({render.cpu_s / count:.3f} of CPU) and looked at in {looking.wall_s / count:.3f} s; a step of {clips} "
        f"clips takes {step.wall_s:.2f} s ({step.cpu_s:.2f} of CPU), {here_s:.2f} s with looking at {new:g} new ones\n"
        f"    so with one worker {1 / slower_s:.2f} steps/s, {clips / slower_s:.1f} clips/s of which "
        f"{new / slower_s:.1f} are new, {stage.steps} steps in {stage.steps * slower_s / 3600:.1f} h"
    )


def main(name: str = "small", device: str = "cpu", trunk: str | None = None) -> None:
    recipe = RECIPES[name]
    config = PRESETS[recipe.network]
    options = Options(device=device, workers=0, network=replace(config, trunk=trunk or config.trunk))
    network = ComotionNetwork(options.network).to(device)
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    print(f"{name}: {millions:.1f} M parameters, {torch.get_num_threads()} threads, {device}")
    for stage in recipe.stages:
        measure(recipe, stage, network, options, np.random.default_rng(0))


if __name__ == "__main__":
    main(*sys.argv[1:])
