"""Directing a scene: who does what where and when, and what is in the way.

A kind of scene says which acts are played and how often; acts are drawn one after another, and each is taken
when it fits with everybody cast so far. Whoever finds no room in any act stands where there is most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.datasets.mocap import MocapClip
from choros.errors import ChorosError
from choros.scenes.camera.camera_moves import CameraSetup
from choros.scenes.motion import acts
from choros.scenes.motion.acts import Act
from choros.scenes.motion.floor_plan import FloorPlan
from choros.scenes.motion.motion_clips import captured, improvised
from choros.scenes.motion.rest_skeleton import RestSkeleton
from choros.scenes.motion.roles import Proposal, Role
from choros.scenes.place.obstacles import Obstacle

Floats = NDArray[np.float64]

MOST_PEOPLE = 20
TRIES = 10  # of an act, before another is drawn
CLIP_TRIES = 1  # of captured or improvised motion, tried in many places
SETTINGS = 8  # of obstacles and acts, before it is said that there is no room
CAPTURED_SHARE = 0.7  # of the people, where there is motion capture
IMPROVISED_SHARE = 0.2  # of those who stand about, and no more than
IMPROVISERS = 2  # because a motion takes a while to make up


@dataclass(frozen=True)
class SceneKind:
    """How a kind of scene is cast."""

    people: tuple[int, int]  # at least, at most
    depth_m: float  # of the floor that people use
    acts: tuple[tuple[float, Act, int, int], ...]  # how often, what, for how many at least and at most
    poles: int = 0
    hidden: int = 0  # people who are gone for seconds behind something
    apart: bool = False  # nobody hides anybody, as far as that can be had
    longest_hidden_s: float = np.inf
    least_hidden_s: float = 0.0  # of somebody, where that can be had
    camera: tuple[str, ...] = ("static",)  # of camera_moves.MOVES; one is drawn
    movers: int = 0  # cars and the like that may come by, at most
    furniture: int = 3  # that may stand before people without hiding them on purpose, at most

    def floor_m(self, people: int) -> float:
        """Depth of floor for a number of people: more than the kind's own need more."""
        return self.depth_m * max(1.0, people / self.people[1]) ** 0.6


PASSERS: tuple[tuple[float, Act, int, int], ...] = (
    (8, acts.passing, 1, 1),
    (2, acts.together, 2, 3),
    (1, acts.circle, 2, 4),
    (1, acts.sitting, 1, 1),
    (1, acts.strolling, 1, 1),
)

KINDS: dict[str, SceneKind] = {
    "easy": SceneKind(
        (2, 4),
        4.5,
        ((4, acts.strolling, 1, 1), (1, acts.sitting, 1, 1)),
        apart=True,
        longest_hidden_s=0.4,
        furniture=0,
    ),
    "crossing": SceneKind(
        (5, 5),
        5.5,
        ((6, acts.passing, 1, 1), (2, acts.together, 2, 2), (0.7, acts.strolling, 1, 1)),
        poles=1,
        longest_hidden_s=1.1,
        least_hidden_s=0.25,
        movers=1,
        furniture=0,
    ),
    "crowd": SceneKind((12, 12), 10.0, (*PASSERS, (0.5, acts.circle, 5, 5)), poles=1, movers=2),
    "longgone": SceneKind((3, 5), 6.5, PASSERS, hidden=2, longest_hidden_s=3.6),
    "moving": SceneKind((3, 5), 6.0, PASSERS, poles=1, camera=("pan", "dolly", "handheld", "zoom"), movers=1),
    "world": SceneKind(
        (4, 7),
        9.0,
        (
            (3, acts.along, 1, 2),
            (3, acts.towards, 1, 1),
            (2, acts.passing, 1, 1),
            (1, acts.strolling, 1, 1),
            (1, acts.together, 2, 2),
            (1, acts.circle, 2, 4),
            (1, acts.sitting, 1, 1),
        ),
        poles=2,
        camera=("travel",),
        movers=2,
    ),
}


def direct(
    rng: np.random.Generator,
    kind: SceneKind,
    setup: CameraSetup,
    frames_s: Floats,  # (T,) times of the frames
    skeletons: Sequence[RestSkeleton],
    clips: Sequence[MocapClip] = (),
    collide: bool = False,
) -> tuple[list[Role], tuple[Obstacle, ...]]:
    """A role for everybody, in the order of the skeletons, and what stands in the way.

    With ``clips`` most people do what was captured there. Raises ``ChorosError`` if so many find no room.
    """
    for setting in range(SETTINGS):
        plan = FloorPlan(setup, frames_s, collide)
        strict = setting < SETTINGS // 2
        if strict and len(skeletons) <= kind.people[1]:
            plan.apart, plan.longest_hidden_s = kind.apart, kind.longest_hidden_s
        _furnish(rng, kind, plan)
        order = [int(n) for n in rng.permutation(len(skeletons))]
        filled = _fill(rng, kind, plan, [skeletons[n] for n in order], clips, strict)
        if filled and (not strict or plan.hides(kind.least_hidden_s)):
            roles = {n: role for n, role in zip(order, plan.cast, strict=True)}
            return [roles[n] for n in range(len(skeletons))], tuple(plan.things)
    raise ChorosError(
        f"{len(skeletons)} people find no room in this scene; ask for fewer, or for another seed."
    )


def _furnish(rng: np.random.Generator, kind: SceneKind, plan: FloorPlan) -> None:
    for _ in range(kind.poles):
        x, y = plan.spot(rng, rng.uniform(0, plan.seconds), 0.45)
        pole = Obstacle(float(x), float(y), float(rng.uniform(0.08, 0.45)))
        if plan.fits(proposal := Proposal((), (pole,))):
            plan.accept(proposal)


def _fill(
    rng: np.random.Generator,
    kind: SceneKind,
    plan: FloorPlan,
    skeletons: Sequence[RestSkeleton],
    clips: Sequence[MocapClip],
    strict: bool,
) -> bool:
    """Cast everybody; False if somebody cannot be."""
    for number in range(min(kind.hidden, len(skeletons))):
        if not _hide(rng, plan, skeletons[number]):
            if strict:
                return False
            break  # in clips of a moment nobody can be gone for long
    weights, improvisers = np.array([act[0] for act in kind.acts]), 0
    while left := skeletons[len(plan.cast) :]:
        for _ in range(4):
            _, act, least, most = kind.acts[int(rng.choice(len(weights), p=weights / weights.sum()))]
            count, tries = int(rng.integers(least, most + 1)), TRIES
            if clips and rng.uniform() < CAPTURED_SHARE:
                act, count, tries = captured(clips), 1, CLIP_TRIES
            elif act is acts.strolling and improvisers < IMPROVISERS and rng.uniform() < IMPROVISED_SHARE:
                act, count, tries, improvisers = improvised, 1, CLIP_TRIES, improvisers + 1
            if count <= len(left) and _play(rng, plan, act, left[:count], tries):
                break
        else:
            if not _stand(rng, plan, left[0]):
                return False
    return True


def _play(
    rng: np.random.Generator, plan: FloorPlan, act: Act, skeletons: Sequence[RestSkeleton], tries: int
) -> bool:
    for _ in range(tries):
        if plan.fits(proposal := act(rng, plan, skeletons)):
            plan.accept(proposal)
            return True
    return False


def _hide(rng: np.random.Generator, plan: FloorPlan, skeleton: RestSkeleton) -> bool:
    """Cast somebody who is hidden for a second or more, as long as the clip allows."""
    least = min(1.2, 0.2 * plan.seconds)
    for _ in range(60):
        proposal = acts.hiding(rng, plan, [skeleton])
        if plan.fits(proposal) and plan.longest_hidden(proposal) >= least:
            plan.accept(proposal)
            return True
    return False


def _stand(rng: np.random.Generator, plan: FloorPlan, skeleton: RestSkeleton) -> bool:
    """Cast somebody where there is room, hidden or not."""
    careful = plan.apart, plan.longest_hidden_s
    for plan.apart, plan.longest_hidden_s in (careful, (False, np.inf)):
        found = _play(rng, plan, acts.standing, [skeleton], TRIES)
        if found:
            break
    plan.apart, plan.longest_hidden_s = careful
    return found
