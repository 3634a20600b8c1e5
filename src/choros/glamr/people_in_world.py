"""Everybody where the global optimisation put them, with the contacts of their feet, and planted if they are to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.glamr.contacts import ContactRules, contact_probability, stances
from choros.glamr.feet import plant_feet
from choros.glamr.observations import places_of
from choros.glamr.person_trajectories import PersonTrajectory
from choros.glamr.progress import Report, nobody
from choros.glamr.variables import WorldVariables

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PersonInWorld:
    """One person over their n frames in a world with z up, metres."""

    R_local: Floats  # (n, 24, 3, 3), first of the pelvis in the world
    root_m: Floats  # (n, 3) the pelvis
    contact: Floats  # (n, 4) probability of ``contacts.POINTS``


def people_in_world(
    people: Sequence[PersonTrajectory],
    world: WorldVariables,
    floor_m: Floats,
    locked: bool,
    report: Report = nobody,
) -> list[PersonInWorld]:
    """Everybody in ``world``, of which ``floor_m`` (T, S) is the height of what who is in each place stands on.

    That is NaN where it is not known. ``locked``: feet that stand do not move, see ``feet``.
    """
    found = []
    for one, s in zip(people, places_of(people), strict=True):
        R_root, root_m, floor = (part[one.frames, s] for part in (world.R_world_root, world.root_m, floor_m))
        soles_m = one.skeleton.soles @ np.swapaxes(R_root, -1, -2) + root_m[:, None]
        predicted_m = one.skeleton.soles @ np.swapaxes(one.R_path_root, -1, -2) + one.path_m[:, None]
        contact = contact_probability(soles_m, predicted_m, one.times_s, floor)
        R_local = np.concatenate([R_root[:, None], one.body_rotations], 1)
        if locked:
            stands = stances(contact, one.times_s, ContactRules().shortest_s)
            skeleton = one.skeleton
            R_local, root_m = plant_feet(
                R_local, root_m, stands, floor, skeleton.joints_rest, skeleton.sole_m, one.times_s
            )
        found.append(PersonInWorld(R_local, root_m, contact))
        report("planting feet", len(found), len(people))
    return found
