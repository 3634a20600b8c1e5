"""A motion as both viewers show it: on one floor, y up; in a camera's axes alone, floor and level are guessed.

A motion whose camera is known is shown in the world. For others, up is the way people stand, on the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from choros.body import BodyParams
from choros.body.cast import Cast, cast_of
from choros.exporters.formats import ExportOptions
from choros.motion import Motion
from choros.rotation import rotmat_between
from choros.skeleton import FEET, JOINT_NAMES
from choros.view.gathering import gathered
from choros.view.overlay import body_of

if TYPE_CHECKING:
    from choros.body import BodyModel

Floats = NDArray[np.float64]

POSES = 500  # of each person, spread over their time, are enough to tell up and floor
LOW_PERCENT = 10.0  # of the lowest foot joints stand lower than the floor would have them: errors, and stairs
SOLE_M = 0.03  # below the ball of the foot
HEAD = JOINT_NAMES.index("head")


def shown_options(motion: Motion, body: BodyModel | None = None) -> ExportOptions:
    """World space if the motion tells where its camera was, or is there already; the light body unless given.

    Raises ``ChorosError`` if the body is not the motion's.
    """
    return ExportOptions(
        space="world" if motion.tells_camera else motion.space,  # type: ignore[arg-type]
        body=body_of(motion, body),
        quantised=True,
    )


def grounded(motion: Motion, options: ExportOptions) -> tuple[Cast, Floats]:
    """The cast of a motion, and ``T_ground_file`` (4, 4): from its axes to y up with the floor at 0, metres.

    Raises ``ChorosError`` as ``cast_of`` does.
    """
    cast = cast_of(motion, options, up="y")
    if cast.space == "world":
        return cast, np.eye(4)
    joints_file = joints_of_some_poses(cast)
    towards_head = joints_file[:, HEAD] - joints_file[:, FEET].mean(1)  # the head is above the feet's middle
    up = np.median(towards_head / np.linalg.norm(towards_head, axis=1, keepdims=True), axis=0)
    level = rotmat_between(up, np.array([0.0, 1.0, 0.0]))
    lowest_m = (joints_file[:, FEET] @ level[1]).min(1)
    T_ground_file = np.eye(4)
    T_ground_file[:3, :3] = level
    T_ground_file[1, 3] = SOLE_M - np.percentile(lowest_m, LOW_PERCENT)
    return cast, T_ground_file


def joints_of_some_poses(cast: Cast) -> Floats:
    """Joints (n, 24, 3) of up to ``POSES`` poses of everybody but strays, in the axes of the file, metres."""
    import torch

    poses, who = [], []
    for person in cast.people:
        every = slice(None, None, -(-len(person.frame) // POSES))
        params = BodyParams._make(p[every] for p in person.params() if p is not None)
        with torch.inference_mode():
            poses.append(cast.body.joints(params).numpy().astype(np.float64))
        who.append(np.full(len(poses[-1]), person.id))
    joints = np.concatenate(poses)
    return joints[gathered(joints[:, 0], np.concatenate(who))]
