"""Batches for CoMotion's training: scenes or footage, varied, looked at by the trunk, kept and drawn from.

All follows from the run's seed, the stage and the number of the batch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

import numpy as np
import torch

from choros.backbones.trunk import frozen
from choros.body import BodyModel
from choros.comotion.config import ComotionConfig
from choros.comotion.network import TRUNK, ComotionNetwork
from choros.errors import ChorosError
from choros.scenes import SceneConfig, StreamConfig, stream
from choros.training.comotion.batch import Batch, EncodedClip, batch_of, some_people
from choros.training.comotion.labelled_clip import LabelledClip
from choros.training.comotion.labels import clip_of_scene
from choros.training.comotion.recipe import ClipSource, Recipe, TrainingStage
from choros.training.comotion.replay import Replay, turns
from choros.training.comotion.sketched import motions_of, sketched_clips
from choros.training.comotion.unroll import encode_clip
from choros.training.comotion.variation import Variation, varied

#: Data other than scenes: the clips of one name from its ``start``-th on, for a seed and a length in frames.
Footage = Callable[[int, int, int], Generator[LabelledClip]]

#: Seeds of the streams of scenes start here, far above those of the test sets.
FIRST_SEED = 1 << 32

#: What stands for the stage in the seed of the held-out clips: more stages than any recipe has.
HELD_OUT = 1000


@dataclass(frozen=True)
class Options:
    """What a run is told besides its recipe."""

    seed: int = 1
    workers: int = 1  # processes that render scenes ahead, for each source
    device: str = "cpu"
    network: ComotionConfig | None = None  # instead of the recipe's preset
    variation: Variation = field(default_factory=Variation)
    scene: SceneConfig = field(default_factory=lambda: SceneConfig(width=512, height=512))
    footage: Mapping[str, Footage] = field(default_factory=dict)  # by the names of the recipe's sources
    tensorboard: bool = False


class Feed:
    """The batches of stage ``number``: whose turn it is, clips that are encoded once and used several times.

    ``drawn`` batches were drawn before, by this process of its ``rank``.
    """

    def __init__(
        self, recipe: Recipe, number: int, network: ComotionNetwork, options: Options, rank: int, drawn: int
    ) -> None:
        stage = recipe.stages[number]
        self.stage, self.drawn = number, drawn
        self.recipe, self.variation, self.device = recipe, options.variation, torch.device(options.device)
        self._turns = turns(tuple(source.share for source in stage.sources))
        before = list(islice(self._turns, drawn))
        self._replays = []
        for index, source in enumerate(stage.sources):
            seed = (options.seed, number, index, rank)
            clips = partial(encoded_clips, network, options, stage, source, seed)
            drawn_of_it = before.count(index)
            self._replays.append(Replay(clips, seed, stage.clips, stage.kept_clips, stage.reuse, drawn_of_it))

    @property
    def made(self) -> int:
        """Clips that were made so far, in this stage."""
        return sum(replay.made for replay in self._replays)

    def draw(self) -> Batch:
        """The next batch of the stage, on the run's device."""
        self.drawn += 1
        seen, rng = self._replays[next(self._turns)].draw()
        who = [some_people(one.clip, rng, self.recipe.people) for one in seen]
        return batch_of(seen, who, rng, self.variation).to(self.device)

    def close(self) -> None:
        """End the processes that make clips."""
        for replay in self._replays:
            replay.close()


def clips_of(
    source: ClipSource, seed: tuple[int, ...], start: int, options: Options, body: BodyModel
) -> Generator[LabelledClip]:
    """A source's clips as they are, from the ``start``-th on."""
    number = FIRST_SEED + int(np.random.SeedSequence(seed).generate_state(1, np.uint32)[0])
    if source.data != "scenes":
        if source.data not in options.footage:
            raise ChorosError(
                f"this recipe trains on {source.data}; say where it is, or take another recipe."
            )
        yield from options.footage[source.data](number, source.frames, start)
        return
    body = copy.deepcopy(body).cpu()  # truth is made there, wherever the network is
    scene = replace(options.scene, fps=source.fps)
    if source.aspect is not None:
        longer = max(scene.width, scene.height)
        w, h = round(longer * min(source.aspect, 1)), round(longer / max(source.aspect, 1))
        scene = replace(scene, width=w, height=h)
    config = StreamConfig(
        scene, frames=source.frames, clips_per_scene=source.clips_per_scene, people=source.people
    )
    with closing(stream(number, config, start=start, workers=options.workers)) as clips:
        for clip in clips:
            yield clip_of_scene(clip, body)


def held_out_clips(recipe: Recipe, options: Options, body: BodyModel) -> Iterator[LabelledClip]:
    """The held-out clips: of a stream that no stage draws from."""
    seed = (options.seed, HELD_OUT)
    alone = replace(options, workers=0)
    with closing(clips_of(recipe.held_out, seed, 0, alone, body)) as clips:
        yield from islice(clips, recipe.held_out_clips)


def encoded_clips(
    network: ComotionNetwork,
    options: Options,
    stage: TrainingStage,
    source: ClipSource,
    seed: tuple[int, ...],
    start: int,
) -> Generator[EncodedClip]:
    """A source's clips, each varied in its own way and looked at.

    Instead of the pictures there are the trunk's maps of them if it is frozen, else the frames as tensors. Those that
    are "sketched" have never been pictures.
    """
    size, device = network.config.image_size_px, next(network.parameters()).device
    if source.data == "sketched":
        yield from _sketched(network, options, source, seed, start)
        return
    # In turn exactly and in eight bits, as it will be used.
    trunks = [
        frozen(network.encoder.trunk, rounded) if stage.freezes(TRUNK) else None for rounded in (False, True)
    ]
    with closing(clips_of(source, seed, start, options, network.body)) as clips:
        for index, clip in enumerate(clips, start):
            rng = np.random.default_rng([*seed, index])
            clip = varied(clip, rng, size, options.variation, source.aspect, source.frames)
            yield encode_clip(network, clip, device, trunks[index % 2])


def _sketched(
    network: ComotionNetwork, options: Options, source: ClipSource, seed: tuple[int, ...], start: int
) -> Generator[EncodedClip]:
    """Clips of a source of sketched ones; see `choros.training.comotion.sketched`."""
    config, mocap = network.config, options.scene.mocap
    if mocap is None or source.aspect is None or (config.trunk, config.maps) != ("movenet-multipose", (0,)):
        raise ChorosError(
            "this recipe draws MoveNet's answers for people of motion capture; say where that is, --mocap DIR, and "
            "take its own trunk."
        )
    body = copy.deepcopy(network.body).cpu()
    yield from sketched_clips(
        motions_of(mocap),
        body,
        config.image_size_px,
        source.aspect,
        source.frames,
        source.people,
        seed,
        start,
    )
