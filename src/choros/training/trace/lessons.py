"""What a run of the small TRACE learns from, gathered: made and looked at now, or kept from an earlier time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from choros.backbones.trunk import frozen, make_trunk
from choros.body import BodyModel
from choros.scenes.stream import SceneClip
from choros.training.comotion.footage import PseudoLabels
from choros.training.lifter.poses import PoseClip
from choros.training.trace.clip import TraceClip
from choros.training.trace.films import clip_of_film, divided, kept_films
from choros.training.trace.footage import kept_footage
from choros.training.trace.recipe import TraceRecipe
from choros.training.trace.sketched import sketched_clip
from choros.training.trace.task import Lessons

#: Seeds of the streams of scenes start here, far above those of the test sets.
FIRST_SEED = 1 << 32
#: Sketches that are held out: they are drawn from this seed on, which no run has.
SKETCHES_HELD_OUT, HELD_OUT_SEED = 12, 1 << 40
#: Kept flow is of this many cells to a side, whatever the network's maps.
FLOW_SIDE = 64


def gathered(
    folder: Path,
    recipe: TraceRecipe,
    motions: Sequence[PoseClip],
    mocap: Path,
    scenes: int,
    sets: Mapping[str, Sequence[PseudoLabels]],
    *,
    tell: Callable[[str, int], None] = lambda what, done: None,
    stop: Callable[[], bool] = lambda: False,
) -> Lessons:
    """Films of so many scenes and clips of ``sets``, kept in a ``folder``, and what is held out of them."""
    body, square_px = BodyModel.load(detail="light"), recipe.square_px
    trunk = frozen(make_trunk("movenet-multipose"))

    def look(clip: SceneClip) -> TraceClip:
        return clip_of_film(clip, body, trunk, square_px, FLOW_SIDE)

    with torch.no_grad():
        films = kept_films(
            folder / "films", recipe.films, FIRST_SEED + recipe.seed, scenes, {"mocap": mocap}, look,
            tell=partial(tell, "filming scenes"), stop=stop,
        )  # fmt: skip
        footage: list[TraceClip] = []
        for name, parts in sets.items():
            footage += kept_footage(
                folder / name, parts, recipe.footage, trunk, body, square_px, FLOW_SIDE, recipe.seed,
                tell=partial(tell, f"looking at {name}"), stop=stop,
            )  # fmt: skip
        sketches = [
            sketched_clip(motions, body, recipe.sketches, square_px, FLOW_SIDE, (HELD_OUT_SEED, number))
            for number in range(SKETCHES_HELD_OUT)
        ]
    learned, held_out = divided(films, recipe.films)
    return Lessons(motions, learned, footage, [*held_out, *sketches])
