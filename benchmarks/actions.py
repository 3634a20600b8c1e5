"""How well actions are told, of people whom nothing was learned from: average precision of each, and their mean.

    python benchmarks/actions.py --mocap ../shared/assets/mocap --scenes 12

Made-up scenes of seeds that no training takes are filmed and tracked as any video is; half of them with people of
held-out motion capture, scenes of one activity (dancing, running, all others) each. What everybody does is known by
construction (`choros.training.actions.by_construction`).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

import choros
from choros.datasets.mocap import learned_and_held_out, pack
from choros.evaluation.actions import Scored, precisions, scored
from choros.fourdhumans.actions.telling import ActionTeller
from choros.scenes import Scene, SceneConfig, make_scene

FIRST_SEED = 770_001  # of the seeds that no stream of training takes; the test sets end before
GROUPS = ("dance", "run", "")
KINDS = ("easy", "longgone")


def filmed(mocap: Path, count: int, folder: Path) -> Iterator[tuple[Scene, str]]:
    """So many scenes, each with what the names of its captured clips have in common."""
    _, held_out = learned_and_held_out(mocap, shippable_only=True)
    packed = {}
    for group in GROUPS:
        clips = [
            clip
            for clip in held_out
            if group in clip.name.lower() or (group == "dance" and "/005_0" in clip.name)
        ]
        named = [
            clip for clip in clips if group or not any(other in clip.name.lower() for other in GROUPS[:2])
        ]
        packed[group] = folder / f"{group or 'others'}.npz"
        pack([clip for clip in named if clip.seconds >= 1], packed[group])
    for number in range(count):
        group = GROUPS[number // 2 % len(GROUPS)] if number % 2 else None
        config = SceneConfig(
            width=768, height=432, seconds=8.0, mocap=None if group is None else packed[group]
        )
        yield make_scene(KINDS[number % len(KINDS)], FIRST_SEED + number, config), group or ""


def main() -> None:
    """Film, track, tell, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mocap", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=12)
    parser.add_argument("--system", default="lifter")
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    teller = ActionTeller(options.weights)
    parts: list[Scored] = []
    with tempfile.TemporaryDirectory() as name:
        for number, (scene, group) in enumerate(filmed(options.mocap, options.scenes, Path(name))):
            scene.write(folder := Path(name) / str(number))
            parts.append(
                scored(scene, teller.tell(choros.track(folder / "video.mp4", options.system)), group)
            )
    found = precisions(parts, teller.actions)
    table = Table("action", "average precision", "seconds")
    for action, value in found.items():
        n = sum(part.true[:, teller.actions.index(action)].sum() for part in parts)
        table.add_row(action, f"{value:.3f}", f"{n / 25:.0f}")
    table.add_row("mean", f"{sum(found.values()) / len(found):.3f}", "")
    Console().print(table)


if __name__ == "__main__":
    main()
