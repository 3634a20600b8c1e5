"""Who stands on the common floor; the others are on what they stand on: stands, stairs, furniture.

Where the floor meets the ray of somebody's feet, the system's body would have to be so many times larger. Nobody is
twice as large as they look; who would have to be is not on that floor. Neither is who climbs: a wrong size or a tilted
camera puts somebody too high, but not higher and higher on the spot. People whose legs nobody saw, cut off at the
waist, say little of any floor.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from choros.glamr.contacts import spells
from choros.glamr.observations import Observations
from choros.glamr.variables import WorldVariables
from choros.skeleton import COCO17

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Frames about a flight in which feet push off or land: the change of speed there is nobody's guess.
EDGE = 2

#: Keypoints of knees and ankles.
LEGS = [COCO17.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("knee", "ankle")]


@dataclass(frozen=True)
class FloorRules:
    """What is evidence against the floor; ours."""

    larger: float = 1.5  # times that a body may be larger, or smaller, than the system says
    off_m: float = 0.5  # height over the floor that is within errors
    off_share: float = 0.08  # and so much more a metre of distance: a tilt of the camera of 4.6 degrees
    span_s: float = 1.0  # over which both are taken: medians
    climb_m: float = 0.35  # height over somebody's own lowest that is within errors
    climb_share: float = 0.05  # and so much more a metre further or nearer than there
    climb_size: float = (
        0.1  # and so much of how far below the camera that is: errors of size move people along their ray
    )
    foot_m: float = 0.1  # so high over their own lowest, climbing began, or ends
    confident: float = 0.3  # legs seen with this confidence count whole
    flight_m: float = 0.1  # both feet so high over the floor,
    flight_s: float = 1.0  # for no longer than this, are in the air
    least: float = 0.05  # what height and floor count of somebody whose legs nobody saw
    known: float = 0.5  # who counts less for the floor stands on what is not known


def with_floors(
    observations: Observations, world: WorldVariables, rules: FloorRules | None = None
) -> Observations:
    """The observations with how much each counts for the floor, ``grounded``, in a first guess of the world."""
    rules = rules or FloorRules()
    legs = observations.confidence[..., LEGS].mean(-1) / rules.confident
    weight = np.where(observations.seen, np.clip(legs, rules.least, 1), 1.0)
    off = off_the_floor(observations, world, rules)
    return replace(observations, grounded=np.where(off, 0.0, weight) * observations.there)


def off_the_floor(observations: Observations, world: WorldVariables, rules: FloorRules) -> Bools:
    """Who is not on the floor at 0, (T, S)."""
    lowest = _lowest(observations, world)
    away = np.linalg.norm(world.root_m - world.camera_m[:, None], axis=-1)
    eye = world.camera_m[:, None, 2]
    drop = eye - lowest  # how far below the camera their feet are
    with np.errstate(divide="ignore", invalid="ignore"):
        larger = np.where(drop * eye > 0, np.abs(np.log(eye / drop)), np.inf)
    off = np.zeros(observations.there.shape, bool)
    for s in range(observations.there.shape[1]):
        for first, end in _tenures(observations, s):
            seen = first + np.flatnonzero(observations.seen[first:end, s])
            if not len(seen):
                continue
            frames = _frames(observations.times_s[seen], rules.span_s)
            high = _median(np.abs(lowest[seen, s]) - rules.off_share * away[seen, s], frames)
            ratio = _median(np.minimum(larger[seen, s], 1e3), frames)
            out = (high > rules.off_m) & (ratio > np.log(rules.larger))
            low, far = _median(lowest[seen, s], frames), _median(away[seen, s], frames)
            out |= _climbs(low, far, eye[seen, 0], out, rules)
            nearest = np.abs(np.arange(first, end)[:, None] - seen).argmin(1)
            off[first:end, s] = out[nearest]
    return off


def _climbs(lowest_m: Floats, away_m: Floats, eye_m: Floats, out: Bools, rules: FloorRules) -> Bools:
    """When somebody is higher than where they are lowest, (n,), which is on the floor unless it is ``out`` of it.

    From where they leave that height to where they are back, if they come too high for errors in between.
    """
    at = int(np.argmin(lowest_m))
    if out[at] or rules.climb_size * abs(eye_m[at] - lowest_m[at]) > rules.climb_m:
        return np.zeros(len(out), bool)
    above = lowest_m - lowest_m[at] - rules.climb_share * np.abs(away_m - away_m[at])
    up = np.zeros(len(out), bool)
    for first, end in spells(above > rules.foot_m):
        up[first:end] = above[first:end].max() > rules.climb_m
    return up


def without_flights(
    observations: Observations, world: WorldVariables, rules: FloorRules | None = None
) -> Observations:
    """The observations where who jumps falls freely, and predicted height and floor count nothing.

    Seen in a world that is not quite optimised, in which flights are too low but there.
    """
    rules = rules or FloorRules()
    times_s = observations.times_s
    lowest = _lowest(observations, world)
    flight = np.zeros(observations.there.shape, np.int8)
    for s in range(observations.there.shape[1]):
        for first, end in _tenures(observations, s):
            for a, b in spells(lowest[first:end, s] > rules.flight_m):
                lands = a > 0 and first + b < end
                a, b = first + a, first + b
                if lands and times_s[b] - times_s[a] <= rules.flight_s:
                    near = slice(max(a - EDGE, first), min(b + EDGE, end))
                    flight[near, s] = np.maximum(flight[near, s], 1)
                    flight[a:b, s] = 2
    return replace(observations, grounded=np.where(flight > 0, 0.0, observations.grounded), flight=flight)


def _lowest(observations: Observations, world: WorldVariables) -> Floats:
    """Height (T, S) of everybody's lowest sole, metres."""
    arm = np.einsum("tsij,tskj->tski", world.R_world_root, observations.soles)
    return np.asarray((arm[..., 2] + world.root_m[..., None, 2]).min(-1))


def floor_heights(observations: Observations, rules: FloorRules | None = None) -> Floats:
    """Height (T, S) of what everybody stands on, as ``with_floors`` has it: 0; NaN of who is not known to be there."""
    rules = rules or FloorRules()
    return np.where(observations.grounded < rules.known, np.nan, 0.0)


def _tenures(observations: Observations, s: int) -> list[tuple[int, int]]:
    """First frame and the frame after the last of everybody who is in place s, in order."""
    there = observations.there[:, s]
    begins = there & ~np.concatenate([[False], observations.linked[:, s]])
    firsts = np.flatnonzero(begins)
    ends = [*firsts[1:], len(there)]
    return [(int(a), int(a + there[a:b].sum())) for a, b in zip(firsts, ends, strict=True)]


def _frames(times_s: Floats, span_s: float) -> int:
    """An odd number of frames that last about ``span_s``."""
    return 2 * int(0.5 * span_s / float(np.median(np.diff(times_s)))) + 1 if len(times_s) > 1 else 1


def _median(values: Floats, frames: int) -> Floats:
    return np.asarray(median_filter(values, size=frames, mode="nearest"))
