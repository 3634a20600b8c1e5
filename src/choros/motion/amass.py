"""The layout of AMASS's npz files, which many programs read; of one person of a motion."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError

if TYPE_CHECKING:
    from choros.motion.record import Motion

#: SMPL's pelvis at zero pose and mean shape, metres; what ``to_amass`` turns people about by default.
SMPL_PELVIS = (-0.0018, -0.2233, 0.0282)


def amass_layout(
    turns: NDArray[np.float64],  # (n, 24, 3) axis-angle, rad, the pelvis's z up
    trans: NDArray[np.float64],  # (n, 3) metres
    betas: NDArray[Any],  # (10,)
    fps: Fraction,
) -> dict[str, NDArray[Any]]:
    """AMASS's own arrays of one person; see ``Motion.to_amass``."""
    poses = np.zeros((len(turns), 156))
    poses[:, :66] = turns[:, :22].reshape(-1, 66)
    return {
        "poses": poses,
        "trans": trans,
        "betas": np.concatenate([betas, np.zeros(6)]),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(float(fps)),
    }


def one_to_amass(
    motion: Motion, person: int, pelvis_rest: tuple[float, float, float]
) -> dict[str, NDArray[Any]]:
    """See ``Motion.to_amass``."""
    from choros.rotation import rotmat_to_rotvec, rotvec_composition

    given, even = motion.person(person), motion.evenly(filled=True)
    one = even.person(person)
    if even.cut_before[one.frame[0] + 1 : one.frame[-1] + 1].any():
        raise ChorosError(
            f"person {person} is in several shots of {motion.header.source or 'this video'}, and no motion "
            "goes on over a cut; take those of motion.shots() that they are in."
        )
    turns = np.concatenate([one.global_orient, one.body_pose], axis=1).astype(np.float64).reshape(-1, 24, 3)
    trans = one.transl.astype(np.float64)
    if motion.space == "camera":
        up = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
        turns[:, 0] = rotvec_composition(rotmat_to_rotvec(up), turns[:, 0])
        trans = (trans + pelvis_rest) @ up.T - pelvis_rest
    about = {"times_s": one.pts_s, "visible": one.visible.copy(), "frames": motion.number[given.frame]}
    return amass_layout(turns, trans, np.median(given.betas, axis=0), motion.fps) | about
