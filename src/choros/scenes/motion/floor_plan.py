"""The floor of a scene while it is directed: its camera, who is cast so far, and whether a role fits.

The camera looks along y from above the origin; one that travels goes ahead along y at a steady pace. Places are
on the floor, in metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from choros.scenes.camera.camera_moves import CameraSetup
from choros.scenes.motion.roles import Proposal, Role
from choros.scenes.motion.visibility import DOUBTFUL, HIDDEN, spells_s, visible_share
from choros.scenes.place.obstacles import Obstacle

Floats = NDArray[np.float64]

CLEAR_OF_PEOPLE_M = 0.75  # between the places of two people; shoulders are half a metre wide
CLEAR_OF_FRIENDS_M = 0.55  # of those who do something together
CLEAR_OF_THINGS_M = 0.5
CLEAR_OF_CAMERA_M = 1.3
STEP_S = 0.05  # of looking where people are


@dataclass
class FloorPlan:
    """Where a scene plays. ``cast`` and ``things`` grow while it is directed."""

    camera_setup: CameraSetup
    frames_s: Floats  # (T,) times of the frames
    collide: bool = False  # whether people may walk through each other
    apart: bool = False  # nobody hides anybody, as far as that can be had
    longest_hidden_s: float = np.inf  # that anybody may be hidden for at a time
    things: list[Obstacle] = field(default_factory=list)
    cast: list[Role] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.seconds = float(self.frames_s[-1]) + 1e-9
        self.times_s = np.arange(-0.3, self.seconds + 0.3, STEP_S)
        self.ahead = self.ahead_m(self.times_s)
        self.eye_m = float(self.camera_setup.T_world_camera[2, 3])
        self.places: list[Floats] = []  # of the cast, (len(times_s), 2) each

    @property
    def depth_m(self) -> tuple[float, float]:
        """Nearest and farthest that people stand from the camera."""
        return self.camera_setup.near_m, self.camera_setup.far_m

    def ahead_m(self, time_s: Floats | float) -> Floats:
        """How far along y the camera is at a time."""
        return self.camera_setup.travel_m * np.clip(np.asarray(time_s) / max(self.seconds, 1e-6), 0, 1)

    def spot(self, rng: np.random.Generator, time_s: float, middle: float = 0.8) -> Floats:  # (2,)
        """Somewhere on the floor that the picture shows at a time; ``middle`` is the share of its width."""
        near, far = self.depth_m
        depth = float(near + (far - near) * rng.uniform(0.05, 0.95) ** 0.8)
        across = float(rng.uniform(-middle, middle)) * self.camera_setup.half_width_m(depth)
        return np.array([across, depth + float(self.ahead_m(time_s))])

    def in_picture(self, places: Floats) -> NDArray[np.bool_]:
        """Whether people at places (..., T, 2), at the plan's times, are between the picture's sides."""
        depth = places[..., 1] - self.ahead
        return np.abs(places[..., 0]) < self.camera_setup.half_width_m(1.0) * depth

    def accept(self, proposal: Proposal) -> None:
        """Cast the roles of a proposal and put up its things."""
        for role in proposal.roles:
            self.cast.append(role)
            self.places.append(role.route.place(self.times_s))
        self.things += proposal.things

    def fits(self, proposal: Proposal) -> bool:
        """Whether everybody of a proposal is in the picture long enough and comes near to nothing and nobody."""
        places = [role.route.place(self.times_s) for role in proposal.roles]
        if not all(self._on_floor(place) for place in places):
            return False
        if not all(self._placeable(thing) for thing in proposal.things):
            return False
        everybody = list(zip((*self.cast, *proposal.roles), (*self.places, *places), strict=True))
        things = (*self.things, *proposal.things)
        for role, place in everybody:
            for thing in proposal.things if any(role is p for p in self.cast) else things:
                clear = 0.05 if thing == role.seat else CLEAR_OF_THINGS_M
                if thing.distance_m(place).min() < clear:
                    return False
        if not self.collide and not self._keeps_clear(places):
            return False
        if self.apart and any(self._beside(a, b) for a in places for b in self.places):
            return False
        return self._hidden_ok(places, proposal.things)

    def longest_hidden(self, proposal: Proposal) -> float:
        """How long the first of a proposal's people is hidden at most while in the picture, seconds."""
        places = [*self.places, *(role.route.place(self.times_s) for role in proposal.roles)]
        things = (*self.things, *proposal.things)
        return self._longest(np.stack(places), things, HIDDEN, [len(self.places)])[0]

    def hides(self, least_s: float) -> bool:
        """Whether anybody of the cast is hidden for so long."""
        return max(self._longest(np.stack(self.places), self.things, HIDDEN)) >= least_s

    def _on_floor(self, place: Floats) -> bool:
        near, far = self.depth_m
        depth = place[:, 1] - self.ahead
        seen = self.in_picture(place)
        during = (self.times_s >= 0) & (self.times_s <= self.seconds)
        if (
            np.mean(seen[during] if during.any() else seen) < 0.35
            or place[:, 1].max() > far + self.camera_setup.travel_m + 0.8
        ):
            return False
        if self.camera_setup.travel_m:  # people may come by the camera, and stay behind
            return bool(np.hypot(place[:, 0], depth).min() > CLEAR_OF_CAMERA_M)
        return bool(depth.min() > CLEAR_OF_CAMERA_M and np.all(depth[seen] > near))

    def _placeable(self, thing: Obstacle) -> bool:
        """Not in the camera's way, and apart from other things."""
        if self.camera_setup.travel_m and abs(thing.x) - thing.half_width_m - thing.radius_m < 0.9:
            return False
        reach = thing.half_width_m + thing.radius_m
        return all(other.distance_m(np.array([thing.x, thing.y])) > reach + 0.3 for other in self.things)

    def _keeps_clear(self, places: Sequence[Floats]) -> bool:
        for i, place in enumerate(places):
            if any(np.linalg.norm(place - p, axis=1).min() < CLEAR_OF_PEOPLE_M for p in self.places):
                return False
            if any(np.linalg.norm(place - p, axis=1).min() < CLEAR_OF_FRIENDS_M for p in places[:i]):
                return False
        return True

    def _beside(self, place: Floats, rival: Floats) -> bool:
        """Whether two people are seen one before the other for more than a moment."""
        depth, other = place[:, 1] - self.ahead, rival[:, 1] - self.ahead
        sideways = np.abs(place[:, 0] / depth - rival[:, 0] / other) * np.minimum(depth, other)
        return bool(np.mean(sideways < 0.55) > 0.1)

    def _hidden_ok(self, places: Sequence[Floats], new_things: Sequence[Obstacle]) -> bool:
        if not np.isfinite(self.longest_hidden_s) or not (self.places or places):
            return True
        everybody = np.stack([*self.places, *places])
        return max(self._longest(everybody, (*self.things, *new_things), DOUBTFUL)) <= self.longest_hidden_s

    def _longest(
        self,
        places: Floats,
        things: Sequence[Obstacle],
        hidden: float,
        who: Sequence[int] | None = None,
    ) -> list[float]:
        shares = visible_share(places, self.ahead, self.eye_m, things, who)
        asked = places if who is None else places[list(who)]
        during = (self.times_s >= 0) & (self.times_s <= self.seconds)
        gone = (shares < hidden) & self.in_picture(asked) & during
        return [max(spells_s(g, STEP_S), default=0.0) for g in gone]
