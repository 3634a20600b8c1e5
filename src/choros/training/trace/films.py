"""Clips of scenes for TRACE: rendered and looked at once, kept in a folder, a file each.

Scenes are those of `choros.scenes`, whose cameras and people are known exactly; what comes of one follows from the
seed, its number and the ingredients alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.backbones.trunk import ImageTrunk
from choros.body import BodyModel
from choros.scenes import SceneConfig
from choros.scenes.stream import SceneClip, StreamConfig, stream
from choros.training.comotion.labelled_clip import in_square
from choros.training.comotion.labels import clip_of_scene
from choros.training.trace.clip import TraceClip, answered, load_clip, save_clip


@dataclass(frozen=True)
class FilmRecipe:
    """Which scenes; all ours."""

    kinds: tuple[str, ...] = ("world", "moving", "crossing", "crowd")  # of one scene after another
    sizes: tuple[tuple[int, int], ...] = ((512, 288), (512, 288), (384, 512))  # width and height, likewise
    frames: int = 12
    clips_per_scene: int = 4
    seconds: float = 8.0
    people: tuple[int, int] = (2, 7)
    #: Every so many clips one scene's are held out.
    held_out_every: int = 6


def film(recipe: FilmRecipe, seed: int, scene: int, ingredients: dict[str, Any]) -> list[SceneClip]:
    """The clips of the ``scene``-th scene, rendered."""
    kind = recipe.kinds[scene % len(recipe.kinds)]
    width, height = recipe.sizes[scene % len(recipe.sizes)]
    config = StreamConfig(
        scene=SceneConfig(width, height, Fraction(25), recipe.seconds, device="cpu", **ingredients),
        kinds=(kind,),
        frames=recipe.frames,
        clips_per_scene=recipe.clips_per_scene,
        people=recipe.people,
    )
    start = scene * recipe.clips_per_scene
    return list(islice(stream(seed, config, start=start), recipe.clips_per_scene))


def clip_of_film(
    clip: SceneClip, body: BodyModel, trunk: ImageTrunk, square_px: int, map_size: int
) -> TraceClip:
    """A rendered clip, looked at; its camera is known."""
    world = clip.truth.T_world_camera
    to_first = np.linalg.inv(world[0]) @ world
    return answered(in_square(clip_of_scene(clip, body), square_px), trunk, to_first, map_size)


def kept_films(
    folder: Path,
    recipe: FilmRecipe,
    seed: int,
    scenes: int,
    ingredients: dict[str, Any],
    look: Callable[[SceneClip], TraceClip],
    *,
    tell: Callable[[int], None] = lambda done: None,
    stop: Callable[[], bool] = lambda: False,
) -> list[TraceClip]:
    """The clips of so many scenes; those that the folder lacks are made, unless ``stop`` says so."""
    folder.mkdir(parents=True, exist_ok=True)
    clips: list[TraceClip] = []
    for scene in range(scenes):
        paths = [folder / f"scene-{scene:04d}-{part}.npz" for part in range(recipe.clips_per_scene)]
        if not all(path.is_file() for path in paths):
            if stop():
                break
            for path, filmed in zip(paths, film(recipe, seed, scene, ingredients), strict=True):
                save_clip(path, look(filmed))
        clips += [load_clip(path) for path in paths]
        tell(scene + 1)
    return clips


def divided(clips: Sequence[TraceClip], recipe: FilmRecipe) -> tuple[list[TraceClip], list[TraceClip]]:
    """Those to learn from, and those that are held out: of other scenes."""
    scene: NDArray[np.int64] = np.arange(len(clips)) // recipe.clips_per_scene
    held = scene % recipe.held_out_every == recipe.held_out_every - 1
    return (
        [clip for clip, out in zip(clips, held, strict=True) if not out],
        [clip for clip, out in zip(clips, held, strict=True) if out],
    )
