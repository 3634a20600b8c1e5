"""What people wear: skin, face, hair, hats, shirts, trousers, skirts, coats, shoes and bags.

``dress`` cuts and paints what a ``Look`` says, for one body in its T-pose. Only the skin that shows is kept.
Garments are ours, made from the body itself (``cloth``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from choros.body.skeleton import COCO17, JOINT_NAMES
from choros.scenes import textures
from choros.scenes.cloth import Piece, above, cut, drape, ellipsoid, shell, smoothed, tube, widen
from choros.scenes.looks import DENIMS, LEATHERS, NEUTRALS, Look, sample_colour
from choros.scenes.paths import smoothstep

Floats = NDArray[np.float64]
JOINT = {name: j for j, name in enumerate(JOINT_NAMES)}

PERIOD_M = 0.3  # of cloth's textures

Field: TypeAlias = Callable[[Floats], Floats]  # points (M, 3) to metres inside something, (M,)


@dataclass(frozen=True)
class Rest:
    """One body in its T-pose, SMPL axes, metres."""

    skin: Piece
    joints: Floats  # (24, 3)
    face: Floats  # (17, 3) COCO-17


@dataclass(frozen=True)
class Dressed:
    """One mesh of all that shows of somebody, ready to be posed and painted."""

    points: NDArray[np.float32]  # (M, 3) metres, T-pose
    faces: NDArray[np.int32]  # (F, 3)
    skin_joints: NDArray[np.int32]  # (M, 4)
    skin_weights: NDArray[np.float32]  # (M, 4), rows sum to 1
    source: NDArray[np.int32]  # (M,) vertex of the body with the same pose correctives, -1 none
    uv: NDArray[np.float32]  # (M, 2) repeats of the texture
    texture: NDArray[np.int32]  # (F,) into textures
    textures: NDArray[np.uint8]  # (n, LEVELS, S, S, 3)
    sole_m: float  # lowest point, y


def dress(rest: Rest, look: Look) -> Dressed:
    """Clothes, hair and skin of one body."""
    return _Tailor(rest, look).finish()


class _Tailor:
    """One body being dressed: pieces pile up from the skin outwards, textures along with them."""

    def __init__(self, rest: Rest, look: Look) -> None:
        self.look, self.rng = look, np.random.default_rng(look.seed)
        self.skin, self.joints, self.face = rest.skin, rest.joints, rest.face
        self.paintings: list[Floats] = []
        self.pieces: list[Piece] = []
        self.bare = rest.skin  # what of the skin still shows
        points, y = rest.skin.points, rest.joints[:, 1]
        middle = np.abs(points[:, 0]) < 0.012
        self.crotch = float(points[middle, 1].min())
        self.floor = float(points[:, 1].min())
        self.waist = float(y[JOINT["spine1"]] - 0.01)
        self.chest = float(y[JOINT["spine3"]] + 0.02)
        self.neck = rest.joints[JOINT["neck"]]
        self.armpit = float(y[JOINT["left_shoulder"]] - 0.09)
        self.ankle, self.knee = float(y[JOINT["left_ankle"]]), float(y[JOINT["left_knee"]])
        self.shoulder_x = float(rest.joints[JOINT["left_shoulder"], 0])
        self.elbow_x = float(rest.joints[JOINT["left_elbow"], 0])
        self.wrist_x = float(rest.joints[JOINT["left_wrist"], 0])
        self.eyes = (rest.face[COCO17.index("left_eye")] + rest.face[COCO17.index("right_eye")]) / 2
        self.ears = (rest.face[COCO17.index("left_ear")] + rest.face[COCO17.index("right_ear")]) / 2

    def finish(self) -> Dressed:
        self._shoes()
        self._bottom()
        self._top()
        self._hair()
        if self.look.bag:
            self._bag()
        self._skin()
        return _sewn(self.pieces, np.stack([textures.stack(p) for p in self.paintings]))

    # --- cloth -------------------------------------------------------------------------------

    def _paint(self, painting: Floats) -> int:
        size = 128
        if len(painting) != size:
            painting = painting.reshape(size, len(painting) // size, size, -1, 3).mean(axis=(1, 3))
        self.paintings.append(painting)
        return len(self.paintings) - 1

    def _cloth(self, patterned: float) -> int:
        colour, other = sample_colour(self.rng), sample_colour(self.rng)
        if self.rng.uniform() < patterned:
            pattern = textures.PATTERNS[self.rng.choice(list(textures.PATTERNS))]
            return self._paint(pattern(self.rng, colour, other))
        return self._paint(textures.plain(self.rng, colour, grain=0.05))

    def _trousers(self, hem: float, radius_m: tuple[float, float], thick_m: float, texture: int) -> None:
        waist = self.waist + 0.01

        def inside(p: Floats) -> Floats:
            return np.minimum(waist - p[:, 1], p[:, 1] - hem)

        piece = shell(self.skin, inside, thick_m, rounds=8)
        for side in ("left", "right"):
            hip, ankle = self.joints[JOINT[f"{side}_hip"]], self.joints[JOINT[f"{side}_ankle"]]
            of_leg = (piece.points[:, 0] * np.sign(hip[0]) > 0) & (piece.points[:, 1] < self.crotch + 0.02)
            blended = widen(piece, of_leg, hip, ankle, radius_m)
            share = smoothstep((self.crotch + 0.02 - piece.points[:, 1]) / 0.1)[:, None]
            piece = piece.moved(piece.points + share * (blended.points - piece.points))
        points = piece.points.copy()
        sign = np.where(piece.points[:, 0] < 0, -1.0, 1.0)
        low = points[:, 1] < self.crotch - 0.02
        points[low, 0] = sign[low] * np.maximum(np.abs(points[low, 0]), 0.004)
        piece = piece.moved(points)
        self._wear(piece, texture, inside)

    def _wear(self, piece: Piece, texture: int, covers: Field) -> None:
        """Add a garment, its texture running along the limbs, and drop skin and clothes well inside of it."""
        self.bare = cut(self.bare, 0.008 - covers(self.bare.points))
        self.pieces = [cut(under, 0.03 - covers(under.points)) for under in self.pieces]
        arm = (np.abs(piece.points[:, 0]) > self.shoulder_x + 0.03) & (piece.points[:, 1] > self.armpit)
        across = np.where(arm, piece.points[:, 2], piece.points[:, 0])
        along = np.where(arm, np.abs(piece.points[:, 0]), piece.points[:, 1])
        uv = np.stack([across, along], 1) / PERIOD_M
        self.pieces.append(replace(piece, texture=texture, uv=uv))

    def _bottom(self) -> None:
        kind, loose = self.look.bottom, self.look.loose
        low = self.ankle - 0.03
        if kind == "skirt":
            hem = self.knee + float(self.rng.uniform(-0.2, 0.14))
            texture = self._cloth(0.4)
            self._skirt(self.waist, hem, 0.05 + 0.2 * loose, texture)
            if self.rng.uniform() < 0.5:
                self._trousers(low, (0.0, 0.0), 0.004, self._paint(textures.plain(self.rng, NEUTRALS[0])))
        elif kind == "jeans":
            painting = textures.denim(self.rng, DENIMS[self.rng.integers(len(DENIMS))])
            self._trousers(low, (0.08, 0.055 + 0.04 * loose), 0.012, self._paint(painting))
        elif kind == "shorts":
            hem = self.knee + float(self.rng.uniform(-0.02, 0.12))
            self._trousers(hem, (0.1, 0.1 + 0.03 * loose), 0.016, self._cloth(0.3))
        elif kind == "leggings":
            self._trousers(low, (0.0, 0.0), 0.005, self._cloth(0.1))
        else:
            self._trousers(low, (0.09, 0.065 + 0.04 * loose), 0.015, self._cloth(0.1))

    def _skirt(self, waist: float, hem: float, flare: float, texture: int) -> None:
        """A tube from the waist that holds everything above and flares; it follows pelvis and thighs."""
        n, levels = 48, np.linspace(waist + 0.02, hem, 16)
        points = self.skin.points
        trunk = np.abs(points[:, 0]) < self.shoulder_x
        angles = np.linspace(-np.pi, np.pi, n, endpoint=False)
        middle = float(np.median(points[trunk & (np.abs(points[:, 1] - waist) < 0.1), 2]))
        widest, rings = np.zeros(n), []
        for level in levels:
            near = trunk & (np.abs(points[:, 1] - level) < 0.025)
            x, z = points[near, 0], points[near, 2] - middle
            # Support of the slice in each direction: the distance of a taut cloth.
            support = np.max(x[:, None] * np.sin(angles) + z[:, None] * np.cos(angles), axis=0, initial=0)
            drop = max(float(waist) - level, 0.0)
            widest = np.maximum(widest, support + 0.012) if drop > 0 else support + 0.012
            folds = 1 + 0.06 * min(drop / 0.4, 1) * np.sin(angles * 9 + 1)
            radius = (widest + flare * drop * 0.5) * folds
            rings.append(
                np.stack([np.sin(angles) * radius, np.full(n, level), middle + np.cos(angles) * radius], -1)
            )
        ring = np.stack(rings)
        weights = np.zeros((*ring.shape[:2], 24))
        hip_y = self.joints[JOINT["left_hip"], 1]
        hips = 0.92 * smoothstep((hip_y + 0.06 - ring[..., 1]) / 0.22)
        left = smoothstep((ring[..., 0] + 0.1) / 0.2)
        weights[..., JOINT["pelvis"]] = 1 - hips
        weights[..., JOINT["left_hip"]], weights[..., JOINT["right_hip"]] = hips * left, hips * (1 - left)
        piece = tube(ring, weights, PERIOD_M, texture, np.full(ring.shape[:2], -1))
        self._wear(piece, texture, lambda p: np.minimum(waist - p[:, 1], p[:, 1] - hem - 0.06))

    def _top(self) -> None:
        kind, loose, rng = self.look.top, self.look.loose, self.rng
        sleeve, hem, thick, hangs, patterned = {
            "tshirt": (0.5 * (self.shoulder_x + self.elbow_x) + 0.05, self.crotch + 0.06, 0.008, 0.8, 0.4),
            "shirt": (self.wrist_x - 0.01, self.crotch + 0.06, 0.01, 0.7, 0.6),
            "sweater": (self.wrist_x + 0.0, self.crotch + 0.08, 0.017, 0.85, 0.35),
            "vest": (self.shoulder_x + 0.01, self.crotch + 0.08, 0.007, 0.6, 0.3),
            "jacket": (self.wrist_x + 0.01, self.crotch + 0.04, 0.022, 0.9, 0.1),
            "coat": (self.wrist_x + 0.01, self.crotch + 0.1, 0.024, 0.9, 0.15),
        }[kind]
        hem += float(rng.uniform(-0.03, 0.04))
        texture = self._cloth(patterned)
        opening = 0.01 if kind in ("tshirt", "vest") else 0.035

        def inside(p: Floats) -> Floats:
            # The collar: a plane around the root of the neck, lower in front.
            collar = (self.neck[1] + opening - p[:, 1]) * 0.86 - (p[:, 2] - self.neck[2]) * 0.5
            return np.minimum(np.minimum(p[:, 1] - hem, sleeve - np.abs(p[:, 0])), collar)

        piece = shell(self.skin, inside, thick, rounds=10)
        trunk = np.abs(piece.points[:, 0]) < self.shoulder_x + 0.02
        piece = drape(piece, trunk, self.armpit, hangs * (0.5 + 0.5 * loose))
        for side in ("left", "right"):
            shoulder, wrist = self.joints[JOINT[f"{side}_shoulder"]], self.joints[JOINT[f"{side}_wrist"]]
            arm = piece.points[:, 0] * np.sign(shoulder[0]) > self.shoulder_x + 0.03
            cuff = 0.036 + 0.016 * loose + thick if sleeve > self.elbow_x else 0.1 + 0.05 * loose
            if np.any(arm):
                piece = widen(piece, arm, shoulder, wrist, (0.035, cuff))
        # Over the waistband, whatever is worn below.
        over = thick * 0.6 + 0.02 * smoothstep((self.waist + 0.03 - piece.points[:, 1]) / 0.06)
        piece = above(smoothed(piece, 2), cut(self.skin, inside(self.skin.points)), over)
        self._wear(piece, texture, inside)
        if kind == "coat":
            self._skirt(self.waist, self.knee + float(rng.uniform(0.02, 0.2)), 0.25, texture)
            # The coat's skirt lies over whatever is worn below.
            points = self.pieces[-1].points
            centre = np.array([0, 0, np.median(points[:, 2])])
            wider = points + (points - centre) * np.array([1, 0, 1]) * 0.12
            self.pieces[-1] = self.pieces[-1].moved(wider)

    def _shoes(self) -> None:
        boots = self.rng.uniform() < 0.3
        top = self.ankle + (0.07 if boots else 0.0)
        texture = self._paint(
            textures.plain(self.rng, LEATHERS[self.rng.integers(len(LEATHERS))], grain=0.04)
        )

        def inside(p: Floats) -> Floats:
            return top - p[:, 1]

        piece = smoothed(cut(self.skin, inside(self.skin.points)), 40)
        piece = piece.moved(piece.points + 0.012 * piece.normals())
        for side in ("left", "right"):
            # A last without toes: round the front of the foot about its axis.
            ankle, ball = self.joints[JOINT[f"{side}_ankle"]], self.joints[JOINT[f"{side}_foot"]]
            heel = np.array([ankle[0], self.floor + 0.035, ankle[2] - 0.03])
            tip = np.array([2 * ball[0] - ankle[0], self.floor + 0.025, ball[2] + 0.07])
            low = (piece.points[:, 0] * ankle[0] > 0) & (piece.points[:, 1] < self.floor + 0.06)
            piece = widen(piece, low, heel, tip, (0.036, 0.038))
        piece = smoothed(piece, 6)
        points = piece.points.copy()
        # A flat sole.
        points[:, 1] = np.maximum(points[:, 1], self.floor - 0.012)
        low = points[:, 1] < self.floor + 0.012
        points[low, 1] = self.floor - 0.012
        self._wear(piece.moved(points), texture, inside)

    # --- head --------------------------------------------------------------------------------

    def _scalp(self, p: Floats, forehead_m: float, nape_m: float) -> Floats:
        """Metres inside the hairline: up behind a plane from forehead to nape, and off the ears."""
        front = np.array([self.eyes[1] + forehead_m, self.eyes[2]])
        back = np.array([self.eyes[1] - nape_m, self.ears[2] - 0.03])
        slope = front - back
        normal = np.array([slope[1], -slope[0]]) / np.linalg.norm(slope)  # up and backwards, in (y, z)
        behind = (p[:, 1] - back[0]) * normal[0] + (p[:, 2] - back[1]) * normal[1]
        ears = np.hypot(p[:, 1] - self.ears[1], p[:, 2] - self.ears[2]) - 0.03
        high = p[:, 1] - (self.neck[1] + 0.03)
        return np.minimum(np.minimum(behind, high), np.where(np.abs(p[:, 0]) > 0.05, ears, 1.0))

    def _hair(self) -> None:
        look = self.look
        hair = self._paint(textures.strands(self.rng, look.hair))
        if look.hair_style != "bald":
            self._grow_hair(hair)
        if look.hat != "none":
            self._hat(look.hat)

    def _grow_hair(self, hair: int) -> None:
        look, rng = self.look, self.rng

        def scalp(p: Floats) -> Floats:
            return self._scalp(p, 0.062, 0.09)

        thick = {"short": 0.022, "crop": 0.008, "long": 0.026, "bun": 0.016}[look.hair_style]
        if look.hat != "none":
            thick = 0.007
        piece = shell(self.skin, scalp, thick, rounds=6, taper_m=0.035)
        if look.hair_style in ("short", "long"):
            # Fuller on top.
            lift = 0.014 * smoothstep((piece.points[:, 1] - self.eyes[1] - 0.05) / 0.06)
            piece = piece.moved(piece.points + lift[:, None] * piece.normals())
        self._wear(piece, hair, lambda p: scalp(p) - 0.01)
        if look.hair_style == "long":
            self._long_hair(hair, float(rng.uniform(0.14, 0.32)))
        if look.hair_style == "bun":
            knot = np.array([0, self.ears[1] + 0.05, self.ears[2] - 0.1])
            self.pieces.append(ellipsoid(knot, (0.042, 0.04, 0.04), JOINT["head"], hair))

    def _long_hair(self, texture: int, length_m: float) -> None:
        """A curtain from behind the temples down the back of the neck."""
        angles = np.linspace(0.62, 2 * np.pi - 0.62, 25)
        levels = np.linspace(0, 1, 10)
        centre = np.array([0, self.ears[1] + 0.06, self.ears[2] + 0.005])
        rings, weights = [], []
        for level in levels:
            around = 0.083 + 0.018 * level
            deep = 0.098 + 0.012 * level
            ring = centre + np.stack([np.sin(angles) * around, 0 * angles, np.cos(angles) * deep], -1)
            ring[:, 1] -= level * (length_m + 0.06) * (1 - 0.25 * np.clip(np.cos(angles), 0, 1))
            ring[:, 2] -= 0.02 * level * (np.cos(angles) < 0)
            weight = np.zeros((len(angles), 24))
            low = 0.75 * smoothstep((self.neck[1] + 0.06 - ring[:, 1]) / 0.2)
            weight[:, JOINT["head"]], weight[:, JOINT["spine3"]] = 1 - low, low
            rings.append(ring)
            weights.append(weight)
        source = np.full((len(levels), len(angles)), -1)
        self.pieces.append(tube(np.stack(rings), np.stack(weights), 0.25, texture, source, closed=False))

    def _hat(self, kind: str) -> None:
        texture = self._cloth(0.25)
        forehead = 0.05 if kind == "cap" else 0.04

        def inside(p: Floats) -> Floats:
            return self._scalp(p, forehead, 0.02)

        piece = shell(self.skin, inside, 0.024 if kind == "cap" else 0.03, rounds=14, taper_m=0.01)
        self._wear(piece, texture, lambda p: inside(p) + 0.02)
        if kind == "cap":
            angles = np.linspace(-1.0, 1.0, 15)
            rings = []
            for out in np.linspace(0, 1, 5):
                reach = 0.06 + 0.085 * out * np.cos(angles * 0.9)
                x = np.sin(angles) * (0.075 + 0.01 * out)
                z = self.eyes[2] - 0.055 + reach * (0.5 + 0.5 * np.cos(angles)) + 0.01
                y = self.eyes[1] + forehead + 0.006 - 0.018 * out - 0.02 * np.abs(angles) * out
                rings.append(np.stack([x, np.broadcast_to(y, x.shape), z], -1))
            weights = np.zeros((5, 15, 24))
            weights[..., JOINT["head"]] = 1
            self.pieces.append(
                tube(np.stack(rings), weights, 0.25, texture, np.full((5, 15), -1), closed=False)
            )

    def _bag(self) -> None:
        texture = self._cloth(0.1)
        spine = self.joints[JOINT["spine2"]]
        back = float(self.skin.points[np.abs(self.skin.points[:, 0]) < 0.05, 2].min())
        centre = np.array([0.0, spine[1] + 0.12, back - 0.04])
        self.pieces.append(ellipsoid(centre, (0.15, 0.23, 0.09), JOINT["spine3"], texture, 0.5))

    # --- skin --------------------------------------------------------------------------------

    def _skin(self) -> None:
        """What shows of the body itself: the face from the front, and the rest."""
        points, middle = self.bare.points, self.eyes
        plain = self._paint(textures.plain(self.rng, self.look.skin, grain=0.03))
        apart = float(
            np.linalg.norm(self.face[COCO17.index("left_eye")] - self.face[COCO17.index("right_eye")])
        )
        face = self._paint(textures.face(self.rng, self.look.skin, self.look.hair, apart, self.look.beard))
        front = np.minimum(points[:, 2] - self.ears[2] - 0.005, points[:, 1] - (self.eyes[1] - 0.115))
        front = np.minimum(front, 0.1 - np.abs(points[:, 0]))
        uv = (points[:, :2] - middle[:2]) / textures.FACE_M + 0.5
        self.pieces.append(cut(replace(self.bare, uv=uv, texture=face), front))
        self.pieces.append(cut(replace(self.bare, uv=points[:, :2] / 0.25, texture=plain), -front))


def _sewn(pieces: list[Piece], paintings: NDArray[np.uint8]) -> Dressed:
    """All pieces as one mesh with four weights a vertex."""
    starts = np.cumsum([0, *(len(p.points) for p in pieces)])
    points = np.concatenate([p.points for p in pieces])
    weights = np.concatenate([p.weights for p in pieces])
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    four = np.take_along_axis(weights, joints, axis=1)
    return Dressed(
        points=points.astype(np.float32),
        faces=np.concatenate([p.faces + s for p, s in zip(pieces, starts[:-1], strict=True)]).astype(
            np.int32
        ),
        skin_joints=joints.astype(np.int32),
        skin_weights=(four / four.sum(axis=1, keepdims=True)).astype(np.float32),
        source=np.concatenate([p.source for p in pieces]).astype(np.int32),
        uv=np.concatenate([p.uv for p in pieces]).astype(np.float32),
        texture=np.concatenate([np.full(len(p.faces), p.texture) for p in pieces]).astype(np.int32),
        textures=paintings,
        sole_m=float(points[:, 1].min()),
    )
