"""The commands: what each is for, and the class that does it, which is imported when it is called.

So ``choros --help`` opens without networks, decoders and pictures. ``choros NAME`` is the class ``Name`` of the module
``choros.cli.name``; its docstring is the sentence below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import make_dataclass
from functools import reduce
from importlib import import_module
from operator import or_
from typing import Annotated, Any

from tyro.conf import subcommand

COMMANDS = {
    "track": "Find everyone in a video and follow their bodies in 3D.",
    "batch": "Track many videos: one folder a clip, a table of all; the same command does what is missing or failed.",
    "live": "Follow everyone before a camera or in a stream as it runs, and record their motion until Ctrl-C.",
    "demo": "Make a short video of several people crossing, track it, and print how well against the truth.",
    "world": "Bring everyone into one world: z up, the floor at 0, nobody missing where they were hidden (GLAMR).",
    "refine": "Complete everyone's motion between two sights by the pose transformer (4DHumans); what was seen stays.",
    "edit": "Mend a motion: who is who, who is there, what lens, people and floor measure. Edits are done as written.",
    "fuse": "Put motions of the same people from several cameras together; no common clock, no calibration.",
    "show": "Draw everyone in a motion over its video; or, with --world, on the floor they walk on.",
    "view": "Look at motions in 3D: time line, orbit and camera view, trails, several beside each other.",
    "report": "One page on a clip: film, 3D, who is there when, actions, joint angles, and what all that is worth.",
    "plot": "Draw who is there when, paths from above and joint angles of a motion, in one page.",
    "export": "Write a motion for other software: Blender, Unity, OpenSim, your own code.",
    "actions": "Tell what everybody in a motion does and when: stand, walk, run, sit, wave, talk and others.",
    "doctor": "Show what choros runs on, what it writes where, and that nothing is sent; or all it sees in a CLIP.",
    "convert": "Write a released checkpoint as safetensors, which opens at once: names stay, nothing of it runs.",
    "eyes": "Networks that find people and their keypoints, beside those that come with choros.",
    "train": "Train choros's networks on your own machine.",
    "bench": "Measure systems on test sets: a table here, everything in the JSON file.",
    "scenes": "Synthetic videos of people, with perfect truth.",
    "completion": "Print a script that lets your shell complete commands, options and their values.",
}  # fmt: skip


def command_named(name: str) -> type[Any]:
    """The class of a command. Raises ``KeyError`` if there is none of that name."""
    if name not in COMMANDS:
        raise KeyError(name)
    found: type[Any] = getattr(import_module(f"choros.cli.{name}"), name.capitalize())
    return found


def grammar(called: Sequence[str]) -> Any:
    """What tyro reads a line by: the ``called`` commands with all that they take, the others by name alone."""

    def alone(name: str) -> type:
        return make_dataclass(name.capitalize(), [], namespace={"__doc__": COMMANDS[name]})

    return reduce(
        or_,
        [
            Annotated[command_named(name) if name in called else alone(name), subcommand(name)]
            for name in COMMANDS
        ],
    )
