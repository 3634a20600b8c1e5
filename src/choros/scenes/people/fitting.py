"""One body being dressed: its measures, and the pieces and textures that pile up on it from the skin outwards.

``garments`` and ``hair_and_hats`` cut our own clothes and hair with it, ``dressing`` puts on MakeHuman's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from choros.scenes.people.cloth import Piece, cut
from choros.scenes.people.person_appearance import PersonAppearance, sample_colour
from choros.scenes.place import textures
from choros.skeleton import COCO17, JOINT_NAMES

Floats = NDArray[np.float64]
JOINT = {name: j for j, name in enumerate(JOINT_NAMES)}

PERIOD_M = 0.3  # of cloth's textures
PAINTED_PX = 128  # side of everybody's textures
STATURE_M = 1.7  # of the person that lengths of garments are written for
EARS_APART_M = 0.144  # of their head

Field: TypeAlias = Callable[[Floats], Floats]  # points (M, 3) to metres inside something, (M,)


@dataclass(frozen=True)
class RestBody:
    """One body in its T-pose, SMPL axes, metres."""

    skin: Piece
    joints: Floats  # (24, 3)
    face: Floats  # (17, 3) COCO-17


class Measures:
    """Where garments begin and end on a body in its T-pose: metres, heights are y.

    ``size`` is the body's share of the stature that lengths are written for, ``head`` that of the head's width.
    """

    def __init__(self, rest: RestBody) -> None:
        points, joints, face = rest.skin.points, rest.joints, rest.face
        y = joints[:, 1]
        self.size = float(np.ptp(points[:, 1])) / STATURE_M
        self.floor = float(points[:, 1].min())
        self.crotch = float(points[np.abs(points[:, 0]) < 0.012, 1].min())
        self.waist = float(y[JOINT["spine1"]] - 0.01)
        self.neck = joints[JOINT["neck"]]
        self.armpit = float(y[JOINT["left_shoulder"]] - 0.09 * self.size)
        self.ankle, self.knee = float(y[JOINT["left_ankle"]]), float(y[JOINT["left_knee"]])
        self.shoulder_x = float(joints[JOINT["left_shoulder"], 0])
        self.elbow_x, self.wrist_x = (
            float(joints[JOINT["left_elbow"], 0]),
            float(joints[JOINT["left_wrist"], 0]),
        )
        left, right = (face[COCO17.index(f"{side}_ear")] for side in ("left", "right"))
        self.ears = (left + right) / 2
        self.head = float(np.linalg.norm(left - right)) / EARS_APART_M
        left, right = (face[COCO17.index(f"{side}_eye")] for side in ("left", "right"))
        self.eyes, self.eyes_apart_m = (left + right) / 2, float(np.linalg.norm(left - right))
        trunk = points[np.abs(points[:, 0]) < self.shoulder_x]
        self.middle_z = float(np.median(trunk[np.abs(trunk[:, 1] - self.waist) < 0.1 * self.size, 2]))


class Fitting:
    """A body being dressed.

    ``pieces``  what is worn so far, inner things first
    ``bare``    what of the skin still shows
    ``rng``     chance of this person's clothes
    """

    def __init__(self, rest: RestBody, appearance: PersonAppearance) -> None:
        self.appearance, self.rng = appearance, np.random.default_rng(appearance.seed)
        self.skin, self.joints = rest.skin, rest.joints
        self.m = Measures(rest)
        self.bare = rest.skin
        self.pieces: list[Piece] = []
        self.paintings: list[Floats] = []

    @cached_property
    def skin_normals(self) -> Floats:  # (V, 3)
        """Unit normals of the body's skin."""
        return self.skin.normals()

    def paint(self, painting: Floats) -> int:
        """Number of a new texture (S, S, 3), 0 to 1; larger ones are made smaller."""
        if len(painting) != PAINTED_PX:
            share = len(painting) // PAINTED_PX
            painting = painting.reshape(PAINTED_PX, share, PAINTED_PX, share, 3).mean(axis=(1, 3))
        self.paintings.append(painting)
        return len(self.paintings) - 1

    def cloth(self, patterned: float, sober: float = 0.6) -> int:
        """A new cloth, with a pattern, and in black, white, grey or beige, as often as that."""
        colour, other = sample_colour(self.rng, sober), sample_colour(self.rng)
        if self.rng.uniform() < patterned:
            pattern = textures.PATTERNS[self.rng.choice(list(textures.PATTERNS))]
            return self.paint(textures.creased(self.rng, pattern(self.rng, colour, other)))
        return self.paint(textures.woven(self.rng, colour))

    def wear(self, piece: Piece, texture: int, covers: Field) -> None:
        """Add a garment and drop skin and clothes well inside of what it ``covers``."""
        self.bare = cut(self.bare, 0.008 - covers(self.bare.points))
        self.pieces = [cut(under, 0.03 - covers(under.points)) for under in self.pieces]
        self.add_cloth(piece, texture)

    def add_cloth(self, piece: Piece, texture: int) -> None:
        """Add a garment, its texture running along arms and trunk; they meet in a seam, the trunk comes last."""
        m, p = self.m, piece.points
        arm = np.minimum(np.abs(p[:, 0]) - m.shoulder_x - 0.01 * m.size, p[:, 1] - m.armpit + 0.05 * m.size)
        along_arm = np.stack([p[:, 2], np.abs(p[:, 0])], 1) / PERIOD_M
        if np.any(arm > 0):
            self.pieces.append(cut(replace(piece, texture=texture, uv=along_arm), arm))
        self.pieces.append(cut(replace(piece, texture=texture, uv=p[:, :2] / PERIOD_M), -arm))

    def stamp(self, picture: int, centre_y: float, half_m: tuple[float, float], front: bool) -> None:
        """Print a texture once on the trunk of the garment worn last, on chest or back: half its width and height."""
        piece = self.pieces.pop()
        p = piece.points
        towards = 1.0 if front else -1.0
        inside = np.minimum(half_m[0] - np.abs(p[:, 0]), half_m[1] - np.abs(p[:, 1] - centre_y))
        field = np.minimum(inside, towards * (p[:, 2] - self.m.middle_z) - 0.02)
        uv = np.stack([towards * p[:, 0], p[:, 1] - centre_y], 1) / (2 * np.asarray(half_m)) + 0.5
        self.pieces += [cut(replace(piece, uv=uv, texture=picture), field), cut(piece, -field)]

    def lift(
        self, points: Floats, nearest: NDArray[np.int64], least_m: float, reach_m: float = 0.03
    ) -> Floats:
        """Move points (M, 3) next to vertices (M,) of the skin so that they lie that far above it, if near."""
        normals = self.skin_normals[nearest]
        height = np.sum((points - self.skin.points[nearest]) * normals, axis=1)
        raised = np.where(height > -reach_m, np.maximum(least_m - height, 0), 0)
        return np.asarray(points + raised[:, None] * normals, np.float64)
