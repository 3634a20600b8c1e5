"""What people of a scene do: a role each, and proposals of roles for one or several who do something together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from choros.scenes.motion.gait import Manner, animate
from choros.scenes.motion.gestures import Gesture
from choros.scenes.motion.rest_skeleton import Poses, RestSkeleton
from choros.scenes.motion.routes import Route
from choros.scenes.motion.sitting import Sitting
from choros.scenes.place.obstacles import Obstacle

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Role:
    """What one person does: along a route in a manner, or, where there is a clip, just what it shows."""

    route: Route
    manner: Manner = field(default_factory=Manner)
    gestures: tuple[Gesture, ...] = ()
    sittings: tuple[Sitting, ...] = ()
    seat: Obstacle | None = None  # which they come nearer to than to other things
    clip: Poses | None = None  # captured or made by a model, at the frames' times

    def perform(self, skeleton: RestSkeleton, times_s: Floats) -> Poses:
        """Poses at the frames' times (T,)."""
        if self.clip is not None:
            return self.clip
        return animate(self.route, skeleton, self.manner, times_s, self.gestures, self.sittings)


@dataclass(frozen=True)
class Proposal:
    """Parts for some people, one each, and things that go with them."""

    roles: tuple[Role, ...]
    things: tuple[Obstacle, ...] = ()
