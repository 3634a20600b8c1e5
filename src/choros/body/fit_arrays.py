"""What the loops of ``least_squares.py`` read and write: tuples of arrays, in the order that they were compiled for."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class Hanging(NamedTuple):
    """A body's keypoints and the joints they hang on, as lists without the pairs that say nothing."""

    parents: Integers  # (24,)
    slots: Integers  # (24,) place of a joint's turn among the unknown ones, -1 where it is held
    free: int  # how many turns are unknown
    joint_template: Floats  # (24, 3)
    joint_dirs: Floats  # (24, 3, 11) by betas and kid
    pair_starts: Integers  # (18,) keypoint k hangs on pairs pair_starts[k] to pair_starts[k + 1]
    pair_joints: Integers  # (pairs,)
    pair_weights: Floats  # (pairs,)
    pair_offsets: Floats  # (pairs, 3)
    pair_offset_betas: Floats  # (pairs, 3, 11)
    chain_starts: Integers  # (18,) the same for the joints that move it
    chain_joints: Integers  # (links,) ascending for each keypoint, from the root


class Prior(NamedTuple):
    """Of the 21 joints below the root, weight included."""

    mean: Floats  # (63,)
    information: Floats  # (3 free - 3, 3 free - 3) of the turns that are unknown
    pull: Floats  # (3 free - 3, 63) of those, by all


class Aims(NamedTuple):
    """``gauss_newton.Target``, and the shapes of its people."""

    betas: Floats  # (n, 10), or (n, 11) with kid
    keypoints_plane: Floats
    keypoint_std: Floats
    rotations: Floats
    rotation_std: Floats
    previous: Floats
    previous_std: Floats
    transl: Floats
    transl_information: Floats
    up_cam: Floats
    up_std: float


class Rules(NamedTuple):
    """What the loops need of ``gauss_newton.FitConfig``."""

    steps: int
    damping: float
    keypoint_robust: float
    lean_robust_rad: float


class Said(NamedTuple):
    """What the loops give back, of all people."""

    rotations: Floats  # (n, 24, 3, 3) where to start, then where they ended
    transl: Floats  # (n, 3) likewise
    residual: Floats  # (n, 17, 2) in standard deviations, where the normal equations were last set up

    @classmethod
    def of(cls, rotations: Floats, transl: Floats) -> Said:
        """To start from copies of these."""
        turns, places = (np.array(part, np.float64, order="C") for part in (rotations, transl))
        return cls(turns, places, np.zeros((len(turns), 17, 2)))


class Workspace(NamedTuple):
    """Room for one person's numbers."""

    rest: Floats  # (24, 3)
    offsets: Floats  # (pairs, 3)
    turned: Floats  # (24, 3, 3) global rotations
    places: Floats  # (24, 3)
    hung: Floats  # (24, 4) of one keypoint: the shares, and their weight, of all that a joint moves
    rows: Floats  # (2, unknowns) of one keypoint's Jacobian
    columns: Integers  # (unknowns,) what these numbers are by
    apart: Floats  # (3, 3) between two rotations
    body: Floats  # (63,) axis-angle, from the prior's mean
    information: Floats  # (unknowns, unknowns) upper triangle
    gradient: Floats  # (unknowns,)
    scales: Floats  # (unknowns,) diagonal of the information

    @classmethod
    def of(cls, hanging: Hanging) -> Workspace:
        """Zeros of the shapes that this body's free joints and keypoint pairs need, used anew for each person."""
        unknowns = 3 * hanging.free + 3
        return cls(
            rest=np.zeros((24, 3)),
            offsets=np.zeros((len(hanging.pair_joints), 3)),
            turned=np.zeros((24, 3, 3)),
            places=np.zeros((24, 3)),
            hung=np.zeros((24, 4)),
            rows=np.zeros((2, unknowns)),
            columns=np.zeros(unknowns, np.int64),
            apart=np.zeros((3, 3)),
            body=np.zeros(63),
            information=np.zeros((unknowns, unknowns)),
            gradient=np.zeros(unknowns),
            scales=np.zeros(unknowns),
        )
