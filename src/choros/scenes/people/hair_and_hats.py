"""Our own hair and hats, grown from the scalp, and the skin that shows, face painted on.

Each function adds one thing to a ``Fitting``. Lengths are for a head of 14.4 cm from ear to ear, and scale with it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from choros.scenes.motion.routes import smoothstep
from choros.scenes.people.cloth import Piece, cut, ellipsoid, folded, shell, tube
from choros.scenes.people.fitting import JOINT, Fitting
from choros.scenes.people.garments import TOPS
from choros.scenes.place import textures

Floats = NDArray[np.float64]

HAIR_PERIOD_M = 0.25
# How thick hair lies: at its thickest, and how much more on the crown; metres.
FULLNESS = {
    "short": (0.02, 0.016), "crop": (0.007, 0.002), "long": (0.024, 0.012), "bun": (0.014, 0.004),
    "tail": (0.013, 0.006), "afro": (0.05, 0.03), "bob": (0.026, 0.014),
}  # fmt: skip


def scalp(f: Fitting, p: Floats, forehead_m: float, nape_m: float) -> Floats:
    """Metres inside the hairline: up behind a plane from forehead to nape, and off the ears."""
    m, h = f.m, f.m.head
    front = np.array([m.eyes[1] + forehead_m * h, m.eyes[2]])
    back = np.array([m.eyes[1] - nape_m * h, m.ears[2] - 0.03 * h])
    slope = front - back
    normal = np.array([slope[1], -slope[0]]) / np.linalg.norm(slope)  # up and backwards, in (y, z)
    behind = (p[:, 1] - back[0]) * normal[0] + (p[:, 2] - back[1]) * normal[1]
    ears = np.hypot(p[:, 1] - m.ears[1], p[:, 2] - m.ears[2]) - 0.03 * h
    ears = np.where(p[:, 1] < m.ears[1], np.minimum(ears, m.ears[2] - 0.018 * h - p[:, 2]), ears)
    high = p[:, 1] - (m.neck[1] + 0.03 * h)
    return np.minimum(np.minimum(behind, high), np.where(np.abs(p[:, 0]) > 0.05 * h, ears, 1.0))


def strand_uv(f: Fitting, points: Floats) -> Floats:
    """Texture coordinates of hair that falls down around the head; both sides mirror each other."""
    around = np.abs(np.arctan2(points[:, 0], points[:, 2] - f.m.ears[2]))
    return np.stack([0.1 * around, points[:, 1]], 1) / HAIR_PERIOD_M


def grow_hair(f: Fitting) -> None:
    """Hair of the appearance's style, under a hat if there is one."""
    appearance, rng, m, h = f.appearance, f.rng, f.m, f.m.head
    texture = f.paint(textures.strands(rng, appearance.hair))
    thick, crown = FULLNESS[appearance.hair_style]
    if appearance.hat != "none":
        thick, crown = 0.006, 0.0
    parting, fringe = (
        float(rng.uniform(-0.03, 0.03)),
        float(rng.uniform(0, 1) ** 2) * (appearance.hat == "none"),
    )
    teeth = rng.uniform(0, 6, 3)

    def grown(p: Floats) -> Floats:
        # An uneven hairline; a fringe falls lower on one side of the parting.
        x = p[:, 0] / h
        uneven = 0.003 * (np.sin(160 * x + teeth[0]) + np.sin(270 * x + teeth[1]))
        low = 0.022 * fringe * np.exp(-(((x - parting) / 0.05) ** 2)) * (p[:, 2] > m.ears[2])
        return scalp(f, p, 0.062, 0.09) + (uneven + low) * h

    piece = shell(f.skin, grown, thick * h, rounds=6, taper_m=0.035 * h)
    up = smoothstep((piece.points[:, 1] - m.eyes[1] - 0.05 * h) / (0.06 * h))
    rise = crown * h * up * (0.75 + 0.25 * np.tanh((piece.points[:, 0] - parting * h) / 0.02))
    piece = piece.moved(piece.points + rise[:, None] * piece.normals())
    if thick > 0.01:
        lock = (1.0, 0.2, 0.35) if appearance.hair_style != "afro" else (1.0, 1.0, 1.0)
        piece = folded(piece, rng, 0.35 * thick * h, lock, lambda p: grown(p) + 0.01, wave_m=0.035)
    piece = replace(piece, uv=strand_uv(f, piece.points), texture=texture)
    f.bare = cut(f.bare, 0.008 - (grown(f.bare.points) - 0.01))
    f.pieces.append(piece)
    if appearance.hair_style in ("long", "bob"):
        _falling_hair(f, texture, float(rng.uniform(0.14, 0.3) if appearance.hair_style == "long" else 0.045))
    elif appearance.hair_style == "bun":
        knot = np.array([0, m.ears[1] + 0.05 * h, m.ears[2] - 0.1 * h])
        f.pieces.append(ellipsoid(knot, (0.042 * h, 0.04 * h, 0.04 * h), JOINT["head"], texture))
    elif appearance.hair_style == "tail":
        _tail(f, texture, float(rng.uniform(0.15, 0.3)))


def _falling_hair(f: Fitting, texture: int, length_m: float) -> None:
    """From behind the temples down the neck and over the back."""
    m, h, rng = f.m, f.m.head, f.rng
    angles = np.linspace(1.05, 2 * np.pi - 1.05, 31)
    levels = np.linspace(0, 1, 10)
    high = 0.065 if f.appearance.hat == "none" else 0.01
    centre = np.array([0, m.ears[1] + high * h, m.ears[2] + 0.002])
    locks = 0.12 * np.sin(angles * 5 + rng.uniform(0, 6)) + 0.08 * np.sin(angles * 11 + rng.uniform(0, 6))
    over = 0.3 if TOPS[f.appearance.top].collar != "none" or f.appearance.scarf else 0.0  # collars
    rings, weights = [], []
    for level in levels:
        ripple = 1 + 0.05 * level * np.sin(angles * 13 + 2 * level) + over * smoothstep((level - 0.25) / 0.3)
        around, deep = (0.088 + 0.02 * level) * h * ripple, (0.1 + 0.016 * level) * h * ripple
        ring = centre + np.stack([np.sin(angles) * around, 0 * angles, np.cos(angles) * deep], -1)
        ring[:, 1] -= level * (length_m + 0.075) * h * (1 + level * locks)
        ring[:, 2] -= 0.02 * level * (np.cos(angles) < 0)
        weight = np.zeros((len(angles), 24))
        low = 0.75 * smoothstep((m.neck[1] + 0.06 * h - ring[:, 1]) / (0.2 * h))
        weight[:, JOINT["head"]], weight[:, JOINT["spine3"]] = 1 - low, low
        rings.append(ring)
        weights.append(weight)
    curtain = tube(np.stack(rings), np.stack(weights), HAIR_PERIOD_M, texture, closed=False)
    f.pieces.append(replace(curtain, uv=strand_uv(f, curtain.points)))


def _tail(f: Fitting, texture: int, length_m: float) -> None:
    """A pony tail."""
    m, h = f.m, f.m.head
    angles = np.linspace(0, 2 * np.pi, 13)[:-1]
    rings = []
    for level in np.linspace(0, 1, 10):
        middle = np.array([0, m.ears[1] + 0.05 * h, m.ears[2] - 0.085 * h])
        middle += np.array([0, -level * length_m, -0.055 * np.sin(np.pi * min(level * 1.6 + 0.15, 1.0))]) * h
        wide = 0.03 * h * np.sin(np.pi * (0.12 + 0.83 * level)) ** 0.7
        rings.append(middle + wide * np.stack([np.sin(angles), 0 * angles, np.cos(angles)], -1))
    weights = np.zeros((10, 12, 24))
    weights[..., JOINT["head"]] = 1
    f.pieces.append(tube(np.stack(rings), weights, HAIR_PERIOD_M, texture))


def wear_hat(f: Fitting) -> None:
    """A cap with a peak, or a woollen hat."""
    texture, m, h = f.cloth(0.25), f.m, f.m.head
    is_cap = f.appearance.hat == "cap"
    forehead = 0.05 if is_cap else 0.04

    def inside(p: Floats) -> Floats:
        return scalp(f, p, forehead, 0.02)

    piece = shell(f.skin, inside, (0.024 if is_cap else 0.03) * h, rounds=14, taper_m=0.01)
    f.wear(piece, texture, lambda p: inside(p) + 0.02)
    if is_cap:
        # The peak begins on the brim, which is as wide as the head there.
        brim = m.eyes[1] + forehead * h
        slice_ = piece.points[np.abs(piece.points[:, 1] - brim - 0.012 * h) < 0.012 * h]
        angles = np.linspace(-1.05, 1.05, 15)
        x, z = slice_[:, 0], slice_[:, 2] - m.ears[2]
        outline = np.max(x[:, None] * np.sin(angles) + z[:, None] * np.cos(angles), axis=0) - 0.006 * h
        rings = []
        for out in np.linspace(0, 1, 5):
            ahead = outline * np.cos(angles) + 0.075 * h * out * np.cos(angles * 1.4) ** 2
            y = brim + (0.012 - 0.018 * out - 0.02 * np.abs(angles) * out) * h
            rings.append(np.stack([outline * np.sin(angles), y, m.ears[2] + ahead], -1))
        weights = np.zeros((5, 15, 24))
        weights[..., JOINT["head"]] = 1
        f.pieces.append(tube(np.stack(rings), weights, 0.25, texture, closed=False))


def show_skin(f: Fitting) -> None:
    """What shows of the body itself: the face from the front, and the rest."""
    m, appearance, h = f.m, f.appearance, f.m.head
    bare: Piece = f.bare
    points = bare.points
    plain = f.paint(textures.plain(f.rng, appearance.skin, grain=0.018))
    face = f.paint(
        textures.face(f.rng, appearance.skin, appearance.hair, m.eyes_apart_m / h, appearance.beard)
    )
    front = np.minimum(points[:, 2] - m.ears[2] - 0.005, points[:, 1] - (m.eyes[1] - 0.115 * h))
    front = np.minimum(front, 0.1 * h - np.abs(points[:, 0]))
    uv = (points[:, :2] - m.eyes[:2]) / (textures.FACE_M * h) + 0.5
    f.pieces.append(cut(replace(bare, uv=uv, texture=face), front))
    f.pieces.append(cut(replace(bare, uv=points[:, :2] / 0.25, texture=plain), -front))
