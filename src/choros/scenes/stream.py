"""An endless stream of clips with truth, for training: ``for clip in stream(seed): ...``.

Clip k is decided by the stream's seed, its options and k alone. So a training run that stopped goes on with
``start=k``, and any number of worker processes gives the same clips, to the last bit and in the same order, on
one machine or on any without a graphics card (cards draw a little differently; ``SceneConfig.device`` says which).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from multiprocessing import get_context

import cv2
import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController, threadpool_limits

from choros.errors import ChorosError
from choros.scenes.motion.directing import KINDS
from choros.scenes.scene import Scene, SceneConfig, make_scene
from choros.scenes.truth.scene_truth import SceneTruth

#: Seeds of scenes that systems are tested on. No stream makes a scene of one of them.
TEST_SEEDS = range(700_000, 800_000)
#: Seeds of a stream's scenes; so many that two streams have none in common.
TRAINING_SEEDS = range(1_000_000, 2**63)


@dataclass(frozen=True)
class StreamConfig:
    """What the clips of a stream are like."""

    scene: SceneConfig = field(default_factory=lambda: SceneConfig(width=512, height=512))
    kinds: tuple[str, ...] = tuple(KINDS)  # drawn from, each as likely as the others
    frames: int = 16  # of a clip
    clips_per_scene: int = 4  # at places drawn apart: making a scene takes a while
    people: tuple[int, int] = (1, 8)  # at least and at most in a scene, unless ``scene`` says how many
    masks: bool = False  # also who is seen in each pixel


@dataclass(frozen=True, eq=False)
class SceneClip:
    """T frames of a scene. The truth is of the P people who are in the picture at some time of the clip."""

    index: int  # in the stream
    kind: str  # of the scene
    seed: int  # of the scene
    first_frame: int  # of the clip, in the scene
    images: NDArray[np.uint8]  # (T, H, W, 3) RGB
    truth: SceneTruth
    masks: NDArray[np.uint8] | None  # (T, H, W) the person seen in each pixel, 0 nobody; None if not asked


def stream(
    seed: int, config: StreamConfig | None = None, *, start: int = 0, workers: int = 0
) -> Generator[SceneClip]:
    """Clips without end, from the ``start``-th on. Close the generator to end its workers.

    ``workers`` processes make clips ahead, each one scene at a time, and a scene more waits: memory is that of
    ``workers`` scenes and of ``(workers + 2) * clips_per_scene`` clips at most. With 0 all is made in this
    process when it is asked for. Processes are started anew, not forked, so a script that streams with workers
    keeps its work under ``if __name__ == "__main__":``.

    What goes wrong in a worker is raised here. Raises ChorosError on a seed of the test sets, an unknown kind, a
    scene too short for its clips, and if a worker is ended from outside.
    """
    config = config or StreamConfig()
    if seed in TEST_SEEDS or seed < 0:
        raise ChorosError(
            f"{seed} is no seed for training: {TEST_SEEDS.start} to {TEST_SEEDS.stop - 1} belong to the test sets, "
            "and none is negative; take another."
        )
    if not config.kinds or set(config.kinds) - set(KINDS):
        raise ChorosError(f"kinds are {config.kinds}; stream one or more of: {', '.join(KINDS)}.")
    length = int(config.scene.seconds * config.scene.fps)
    if config.frames < 1 or config.clips_per_scene < 1 or config.frames * config.clips_per_scene > length:
        raise ChorosError(
            f"{config.clips_per_scene} clips of {config.frames} frames cannot be cut from a scene of {length}; "
            "take longer scenes, or fewer or shorter clips, of one frame or more."
        )
    if start < 0 or workers < 0:
        raise ChorosError("a stream starts at clip 0 or later, with 0 workers or more.")
    return _here(seed, config, start) if workers == 0 else _ahead(seed, config, start, workers)


def _here(seed: int, config: StreamConfig, start: int) -> Generator[SceneClip]:
    for number in count(start // config.clips_per_scene):
        yield from _cut(seed, config, number, start)


def _ahead(seed: int, config: StreamConfig, start: int, workers: int) -> Generator[SceneClip]:
    numbers = count(start // config.clips_per_scene)
    with ProcessPoolExecutor(workers, get_context("spawn"), _on_one_core) as pool:
        waiting: deque[Future[list[SceneClip]]] = deque()
        try:
            while True:
                while len(waiting) <= workers:
                    waiting.append(pool.submit(_scene, seed, config, next(numbers), start))
                yield from waiting.popleft().result()
        except BrokenProcessPool as error:
            raise ChorosError(
                "a worker of the stream was ended from outside, mostly because memory ran out; take fewer "
                "workers or smaller pictures."
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _on_one_core() -> None:
    """One thread for a worker's libraries: its products are small, and threads that wait for them spin."""
    threadpool_limits(1)
    cv2.setNumThreads(1)


@cache
def _libraries() -> ThreadpoolController:
    """Whose threads make a scene: a product that they share differs in its last bit with their number."""
    import torch  # noqa: F401  # to be among them

    return ThreadpoolController()


def _scene(seed: int, config: StreamConfig, number: int, start: int) -> list[SceneClip]:
    return list(_cut(seed, config, number, start))


def _cut(seed: int, config: StreamConfig, number: int, start: int) -> Iterator[SceneClip]:
    """The clips of the stream's ``number``-th scene, those before the ``start``-th of the stream left out."""
    rng = np.random.default_rng([seed, number])
    kind = str(rng.choice(config.kinds))
    scene_seed = int(rng.integers(TRAINING_SEEDS.start, TRAINING_SEEDS.stop))
    people = int(rng.integers(config.people[0], config.people[1] + 1))
    apart = int(config.scene.seconds * config.scene.fps) // config.clips_per_scene
    firsts = [
        part * apart + int(rng.integers(apart - config.frames + 1)) for part in range(config.clips_per_scene)
    ]
    scene = None
    for index, first in enumerate(firsts, start=number * config.clips_per_scene):
        if index >= start:
            with _libraries().limit(limits=1):
                if scene is None:
                    people = people if config.scene.people is None else config.scene.people
                    scene = make_scene(kind, scene_seed, replace(config.scene, people=people))
                clip = _clip(scene, index, range(first, first + config.frames), config.masks)
            yield clip


def _clip(scene: Scene, index: int, frames: range, masks: bool) -> SceneClip:
    truth = scene.arrays_of(frames)
    return SceneClip(
        index,
        scene.kind,
        scene.seed,
        frames.start,
        np.stack([scene.frame(frame) for frame in frames]),
        truth.of(np.any(truth.in_frame, axis=0)),
        np.stack([scene.masks(frame).astype(np.uint8) for frame in frames]) if masks else None,
    )
