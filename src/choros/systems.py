"""Systems by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from choros.errors import ChorosError
from choros.tracking.stream import System

SYSTEMS = ("lifter", "comotion")
#: Best on real footage that nobody trained on, by the rule in docs/choosing.md.
DEFAULT = "lifter"
#: Older names of systems, which go on working.
ALIASES = {"baseline": "lifter"}


def load(
    name: str = DEFAULT,
    *,
    accurate: bool = False,
    fast: bool = False,
    strict: bool = False,
    body_path: str | Path | None = None,
    weights_path: str | Path | None = None,
    heights_m: Mapping[int, float] | None = None,
    same_people: bool = False,
    threads: int | None = 1,
) -> System:
    """A system ready to track.

    ``accurate`` takes slower and better networks; ``fast`` computes CoMotion's image features in eight bits (the
    lifter is fast unless it is accurate); ``strict`` follows only people whom the detector is certain of (CoMotion's
    stricter score); ``body_path`` is a user's SMPL file, ``weights_path`` a user's weights; None the ones that ship.
    ``heights_m`` are statures that somebody measured, by person; with ``same_people`` whoever is dressed like one
    person of an earlier shot, and like no other, goes on under their number after a cut (both the lifter alone).
    ``threads`` is how many PyTorch, NumPy's linear algebra and OpenCV have while a frame is worked on, in whichever
    thread does that; afterwards they have as many as before, and None leaves them alone. Those of the last two are the
    whole process's. With more than one, a frame takes many times as long where anything else uses the cores.
    Raises ``ChorosError`` on an unknown name, files that do not fit, or a choice that the system does not have.
    """
    if fast and accurate:
        raise ChorosError("fast and accurate exclude each other; give one of them.")
    if threads is not None and threads < 1:
        raise ChorosError(
            f"{threads} threads compute nothing; give 1 or more, or None for as many as there are."
        )
    name = ALIASES.get(name, name)
    if name == "comotion":
        if heights_m:
            raise ChorosError(
                "comotion takes no heights of people; leave them out or take the lifter system."
            )
        if same_people:
            raise ChorosError(
                "comotion does not know people again after a cut; leave out --same-people or take the lifter system."
            )
        from choros.comotion.system import Comotion
        from choros.comotion.tracker import TrackerConfig

        config = TrackerConfig().strict() if strict else TrackerConfig()
        return Comotion(
            config,
            accurate=accurate,
            fast=fast,
            body_path=body_path,
            weights_path=weights_path,
            threads=threads,
        )
    if name == "lifter":
        from choros.lifter.config import LifterSystemConfig
        from choros.lifter.system import LifterSystem

        if strict:
            raise ChorosError("the lifter system has no strict choice; leave it out or take comotion.")
        lifter_config = LifterSystemConfig(
            accurate=accurate, heights_m=dict(heights_m or {}), same_people=same_people
        )
        return LifterSystem(lifter_config, body_path=body_path, weights_path=weights_path, threads=threads)
    raise ChorosError(f"there is no system called {name!r}; choose one of: {', '.join(SYSTEMS)}.")
