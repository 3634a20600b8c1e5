"""Whom a run of the small HMR 2.0 learns from, gathered: looked at now, or kept from an earlier time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from choros.training.fourdhumans.small.crops import Looker
from choros.training.fourdhumans.small.kept import Seen, gather
from choros.training.fourdhumans.small.recipe import SmallRecipe
from choros.training.fourdhumans.small.sources import Marked, Scenes, lifter
from choros.training.keypoints.people import People, split
from choros.training.lifter.poses import PoseClip


@dataclass(frozen=True, eq=False)
class Lessons:
    """Who is learned from, and who is held out."""

    scenes: Seen
    marked: Seen
    clips: Sequence[PoseClip]  # of motion capture, for sketched people
    held_out_scenes: Seen
    held_out_marked: Seen


def gathered(
    folder: Path,
    recipe: SmallRecipe,
    mocap: Path,
    clips: Sequence[PoseClip],
    marked: Mapping[str, People],
    *,
    tell: Callable[[str, int], None] = lambda name, done: None,
    stop: Callable[[], bool] = lambda: False,
) -> Lessons:
    """All crops of a recipe, kept in a ``folder``: those that lack are looked at, unless ``stop`` says so.

    ``mocap`` is the folder by which people of scenes move, ``clips`` what is in it; ``marked`` are people with marked
    joints by the names of their pictures, as of `read_people`. The folder is one run's: what is in it is by number.
    """
    look, one, seed = Looker(), recipe.crops, recipe.seed

    def looked_at(name: str, source: Scenes | Marked, count: int) -> Seen:
        return gather(folder, name, count, lambda number: source.seen(number, look), tell, stop)

    learned, held_out = split(dict(marked), one.held_out)
    lifting = lifter()
    of_marked = Marked(one, seed, learned, lifting)
    held_marked = Marked(one, seed, held_out, lifting, held_out=True)
    return Lessons(
        held_out_scenes=looked_at(
            "held-scenes", Scenes(one, seed, mocap, held_out=True), one.held_out_scenes
        ),
        held_out_marked=looked_at("held-people", held_marked, len(held_marked)),
        marked=looked_at("people", of_marked, len(of_marked)),
        scenes=looked_at("scenes", Scenes(one, seed, mocap), one.scenes),
        clips=clips,
    )
