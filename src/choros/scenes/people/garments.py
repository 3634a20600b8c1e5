"""Our own clothes, cut from the body they fit: shirts, coats, dresses, trousers, skirts, shoes, scarves and bags.

Each function puts one garment on a ``Fitting``. Lengths are for somebody of 1.7 m and scale with stature.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from choros.scenes.motion.routes import smoothstep
from choros.scenes.people.cloth import (
    Piece,
    above,
    cut,
    drape,
    ellipsoid,
    folded,
    shell,
    smoothed,
    tube,
    widen,
)
from choros.scenes.people.fitting import JOINT, PERIOD_M, Fitting
from choros.scenes.people.person_appearance import DENIMS, LEATHERS, NEUTRALS
from choros.scenes.place import textures

Floats = NDArray[np.float64]

RINGED = (0.3, 1.0, 0.3)  # creases around a limb that hangs down
HANGING = (1.0, 0.25, 1.0)  # folds that hang down


# --- below the waist -------------------------------------------------------------------------------


def wear_bottom(f: Fitting, texture: int | None = None) -> None:
    """What the appearance says; of a given cloth, or a new one."""
    kind, loose, m, rng = f.appearance.bottom, f.appearance.loose, f.m, f.rng
    low = m.ankle - 0.03 * m.size
    if kind == "none":
        return
    if kind in ("skirt", "long skirt"):
        down = rng.uniform(-0.34, -0.22) if kind == "long skirt" else rng.uniform(-0.2, 0.14)
        cloth = f.cloth(0.4) if texture is None else texture
        _skirt(f, m.waist, m.knee + float(down) * m.size, 0.05 + 0.2 * loose, cloth)
        if kind == "skirt" and rng.uniform() < 0.5:
            _trousers(f, low, (0.0, 0.0), 0.004, f.paint(textures.woven(rng, NEUTRALS[0])))
    elif kind == "jeans":
        painting = textures.creased(rng, textures.denim(rng, DENIMS[rng.integers(len(DENIMS))]))
        _trousers(f, low, (0.08, 0.055 + 0.04 * loose), 0.012, f.paint(painting))
    elif kind == "shorts":
        hem = m.knee + float(rng.uniform(-0.02, 0.12)) * m.size
        _trousers(f, hem, (0.1, 0.1 + 0.03 * loose), 0.016, f.cloth(0.25, 0.75))
    elif kind == "leggings":
        dark = f.paint(textures.woven(rng, NEUTRALS[rng.integers(3)]))
        _trousers(f, low, (0.0, 0.0), 0.005, dark if rng.uniform() < 0.6 else f.cloth(0.15))
    else:
        cloth = f.cloth(0.06, 0.9) if texture is None else texture
        _trousers(f, low, (0.09, 0.065 + 0.04 * loose), 0.015, cloth)


def _trousers(f: Fitting, hem: float, radius_m: tuple[float, float], thick_m: float, texture: int) -> None:
    m = f.m
    waist, fork = m.waist + 0.01, m.crotch + 0.02 * m.size

    def inside(p: Floats) -> Floats:
        return np.minimum(waist - p[:, 1], p[:, 1] - hem)

    piece = shell(f.skin, inside, thick_m, rounds=8)
    radius = (radius_m[0] * m.size, radius_m[1] * m.size)
    for side in ("left", "right"):
        hip, ankle = f.joints[JOINT[f"{side}_hip"]], f.joints[JOINT[f"{side}_ankle"]]
        of_leg = (piece.points[:, 0] * np.sign(hip[0]) > 0) & (piece.points[:, 1] < fork)
        blended = widen(piece, of_leg, hip, ankle, radius)
        share = smoothstep((fork - piece.points[:, 1]) / 0.1)[:, None]
        piece = piece.moved(piece.points + share * (blended.points - piece.points))
    if radius_m[1] > 0:
        piece = folded(piece, f.rng, 0.009 * m.size, RINGED, lambda p: inside(p) - 0.02)
    points = piece.points.copy()
    sign = np.where(piece.points[:, 0] < 0, -1.0, 1.0)
    low = points[:, 1] < m.crotch - 0.02
    points[low, 0] = sign[low] * np.maximum(np.abs(points[low, 0]), 0.004)
    f.wear(piece.moved(points), texture, inside)


def _skirt(
    f: Fitting, waist: float, hem: float, flare: float, texture: int, wider: float = 0.0, gap_rad: float = 0.0
) -> None:
    """A tube from the waist that holds everything above and flares; it follows pelvis and thighs.

    It lies ``wider`` of its width further out, and is open in front by twice the gap.
    """
    n, levels = 48, np.linspace(waist + 0.02, hem, 16)
    points, m = f.skin.points, f.m
    trunk = np.abs(points[:, 0]) < m.shoulder_x
    angles = np.linspace(gap_rad, 2 * np.pi - gap_rad, n, endpoint=gap_rad > 0)
    folds, shift = int(f.rng.integers(7, 12)), f.rng.uniform(0, 6)
    widest, rings = np.zeros(n), []
    for level in levels:
        near = trunk & (np.abs(points[:, 1] - level) < 0.025)
        x, z = points[near, 0], points[near, 2] - m.middle_z
        # Support of the slice in each direction: the distance of a taut cloth.
        support = np.max(x[:, None] * np.sin(angles) + z[:, None] * np.cos(angles), axis=0, initial=0)
        drop = max(float(waist) - level, 0.0)
        widest = np.maximum(widest, support + 0.012) if drop > 0 else support + 0.012
        wave = 1 + 0.07 * min(drop / 0.4, 1) * np.sin(angles * folds + shift + np.sin(2 * angles))
        radius = (widest + flare * drop * 0.5) * wave * (1 + wider)
        rings.append(
            np.stack([np.sin(angles) * radius, np.full(n, level), m.middle_z + np.cos(angles) * radius], -1)
        )
    ring = np.stack(rings)
    weights = np.zeros((*ring.shape[:2], 24))
    hip_y = f.joints[JOINT["left_hip"], 1]
    hips = 0.92 * smoothstep((hip_y + 0.06 - ring[..., 1]) / 0.22)
    left = smoothstep((ring[..., 0] + 0.1) / 0.2)
    weights[..., JOINT["pelvis"]] = 1 - hips
    weights[..., JOINT["left_hip"]], weights[..., JOINT["right_hip"]] = hips * left, hips * (1 - left)
    piece = tube(ring, weights, PERIOD_M, texture, closed=gap_rad == 0)
    if gap_rad > 0:
        f.add_cloth(piece, texture)
    else:
        f.wear(piece, texture, lambda p: np.minimum(waist - p[:, 1], p[:, 1] - hem - 0.06))


# --- above the waist -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cut:
    """How a top is cut."""

    sleeve: str  # "none", "short", "long"
    hem_m: float  # above the crotch
    thick_m: float
    hangs: float  # 0 clings to 1 falls from the chest
    patterned: float  # how often
    printed: float  # how often it carries a print
    neck_m: float  # how far the collar lies from the root of the neck
    collar: str = "none"  # "none", "turned", "hood"
    opens: bool = False  # may be worn open, over a T-shirt


TOPS = {
    "tshirt": Cut("short", 0.08, 0.008, 0.8, 0.35, 0.4, -0.012),
    "shirt": Cut("long", 0.07, 0.01, 0.7, 0.6, 0.0, -0.01, "turned"),
    "sweater": Cut("long", 0.09, 0.017, 0.85, 0.3, 0.3, 0.0),
    "hoodie": Cut("long", 0.08, 0.02, 0.9, 0.1, 0.4, -0.005, "hood", True),
    "vest": Cut("none", 0.08, 0.007, 0.6, 0.3, 0.3, -0.025),
    "jacket": Cut("long", 0.07, 0.022, 0.9, 0.1, 0.0, 0.0, "turned", True),
    "coat": Cut("long", 0.1, 0.024, 0.9, 0.15, 0.0, 0.005, "turned", True),
    "suit": Cut("long", 0.06, 0.018, 0.9, 0.15, 0.0, -0.01, "turned", True),
    "dress": Cut("short", 0.1, 0.007, 0.3, 0.6, 0.0, -0.035),
}


def wear_top(f: Fitting, texture: int, prints: list[int]) -> None:
    """What the appearance says, of that cloth; ``prints`` are textures that may be printed on it."""
    kind, m, rng = f.appearance.top, f.m, f.rng
    how = TOPS[kind]
    is_open = how.opens and rng.uniform() < 0.6
    if is_open:
        under = TOPS["shirt" if kind == "suit" else "tshirt"]
        light = textures.woven(rng, NEUTRALS[int(rng.integers(3, 5))])
        _bodice(
            f, replace(under, thick_m=0.005), f.cloth(0.2) if rng.uniform() < 0.5 else f.paint(light), 0.0
        )
    hem = _bodice(f, how, texture, float(rng.uniform(0.04, 0.09)) * m.size if is_open else 0.0)
    if prints and not is_open:
        half = float(rng.uniform(0.085, 0.13)) * m.size
        f.stamp(
            prints[0], m.armpit - 0.04 * m.size - 0.4 * half, (half, half), front=bool(rng.uniform() < 0.75)
        )
    if how.collar == "turned" and kind != "coat" and not is_open:
        front = textures.buttoned(rng, f.paintings[texture])
        f.stamp(
            f.paint(front), (hem + m.neck[1]) / 2, (0.018 * m.size, (m.neck[1] - hem) / 2 + 0.01), front=True
        )
    if how.collar == "turned":
        _collar(f, texture, 0.008 if kind == "shirt" else 0.02, 0.5 if is_open else 0.2)
    elif how.collar == "hood":
        _hood(f, texture)
    if kind == "coat":
        low = m.knee + float(rng.uniform(0.02, 0.2)) * m.size
        _skirt(f, m.waist, low, 0.25, texture, 0.12, 0.35 if is_open else 0.0)
    elif kind == "dress":
        _skirt(
            f,
            m.waist,
            m.knee + float(rng.uniform(-0.2, 0.12)) * m.size,
            0.1 + 0.3 * f.appearance.loose,
            texture,
        )
        f.pieces[-1] = f.pieces[-1].moved(f.pieces[-1].points + np.array([0, max(hem - m.waist, 0.0), 0]))


def _bodice(f: Fitting, how: Cut, texture: int, gap_m: float) -> float:
    """Trunk and sleeves, open in front by twice the gap at its hem. Returns the height of the hem."""
    m, loose, rng = f.m, f.appearance.loose, f.rng
    sleeve = {
        "none": m.shoulder_x + 0.01 * m.size,
        "short": m.shoulder_x + float(rng.uniform(0.45, 0.75)) * (m.elbow_x - m.shoulder_x),
        "long": m.wrist_x + 0.012 * m.size,
    }[how.sleeve]
    hem = m.crotch + (how.hem_m + float(rng.uniform(-0.03, 0.04))) * m.size
    thick = how.thick_m

    def inside(p: Floats) -> Floats:
        # The collar: a plane around the root of the neck, lower in front.
        collar = (m.neck[1] + how.neck_m * m.size - p[:, 1]) * 0.8 - (p[:, 2] - m.neck[2]) * 0.6
        collar += 2 * np.maximum(np.abs(p[:, 0]) - 0.07 * m.size, 0)  # shoulders may be higher
        field = np.minimum(np.minimum(p[:, 1] - hem, sleeve - np.abs(p[:, 0])), collar)
        if gap_m > 0:
            width = gap_m * (0.45 + 0.55 * smoothstep((m.armpit - p[:, 1]) / (m.armpit - hem)))
            field = np.minimum(field, np.maximum(np.abs(p[:, 0]) - width, 4 * (m.middle_z - p[:, 2])))
        return np.asarray(field, np.float64)

    piece = shell(f.skin, inside, thick, rounds=10)
    trunk = np.abs(piece.points[:, 0]) < m.shoulder_x + 0.02
    piece = drape(piece, trunk, m.armpit, how.hangs * (0.5 + 0.5 * loose))
    for side in ("left", "right"):
        shoulder, wrist = f.joints[JOINT[f"{side}_shoulder"]], f.joints[JOINT[f"{side}_wrist"]]
        arm = piece.points[:, 0] * np.sign(shoulder[0]) > m.shoulder_x + 0.03
        cuff = 0.032 + 0.012 * loose + thick / 2 if how.sleeve == "long" else 0.095 + 0.04 * loose
        if np.any(arm) and thick > 0.006:
            piece = widen(piece, arm, shoulder, wrist, (0.035 * m.size, cuff * m.size))
    # Over the waistband, whatever is worn below.
    over = thick * 0.6 + 0.02 * smoothstep((m.waist + 0.03 - piece.points[:, 1]) / 0.06)
    piece = above(smoothed(piece, 2), cut(f.skin, inside(f.skin.points)), over)
    if thick > 0.006:
        deep = (0.004 + 0.008 * loose) * m.size

        def sleeves(p: Floats) -> Floats:
            return np.minimum(inside(p), np.abs(p[:, 0]) - m.shoulder_x)

        def sides(p: Floats) -> Floats:
            return np.minimum(inside(p), np.minimum(m.armpit - p[:, 1], m.shoulder_x - np.abs(p[:, 0])))

        piece = folded(piece, rng, deep, (1.0, 0.3, 0.3), sleeves)
        piece = folded(piece, rng, deep, HANGING, sides)
    f.wear(piece, texture, inside)
    return hem


def _around_neck(f: Fitting, profile: list[tuple[float, float]], gap_rad: float) -> Piece:
    """A band around the root of the neck: rings of (metres beyond the neck, metres up), open in front."""
    m = f.m
    points = f.skin.points
    near = (np.abs(points[:, 1] - m.neck[1] - 0.045 * m.size) < 0.015) & (np.abs(points[:, 0]) < 0.1)
    centre_z = float(points[near, 2].mean())
    angles = np.linspace(gap_rad, 2 * np.pi - gap_rad, 29)
    x, z = points[near, 0], points[near, 2] - centre_z
    support = np.max(x[:, None] * np.sin(angles) + z[:, None] * np.cos(angles), axis=0)
    front = np.maximum(np.cos(angles), 0)  # the throat leans out further than the root of the neck
    rings = []
    for out, up in profile:
        radius = support * (1 - 0.15 * front) + out * m.size * (1 - 0.4 * front)
        y = m.neck[1] + up * m.size - 0.75 * (np.cos(angles) + 0.35) * 0.05 * m.size
        rings.append(np.stack([np.sin(angles) * radius, y, centre_z + np.cos(angles) * radius], -1))
    weights = np.zeros((len(rings), len(angles), 24))
    weights[..., JOINT["spine3"]], weights[..., JOINT["neck"]] = 0.6, 0.4
    return tube(np.stack(rings), weights, PERIOD_M, 0, closed=gap_rad == 0)


def _collar(f: Fitting, texture: int, high_m: float, gap_rad: float) -> None:
    """A collar that stands up around the neck and is turned down."""
    profile = [
        (0.012, -0.02),
        (0.005, high_m),
        (0.009, high_m + 0.003),
        (0.024, high_m - 0.016),
        (0.04, -0.025),
    ]
    f.pieces.append(replace(_around_neck(f, profile, gap_rad), texture=texture))


def _hood(f: Fitting, texture: int) -> None:
    """A hood that lies on the shoulders: a roll around the neck, thick behind."""
    piece = _around_neck(
        f, [(0.012, -0.01), (0.012, 0.015), (0.03, 0.03), (0.05, 0.012), (0.055, -0.03)], 0.25
    )
    behind = smoothstep(-(piece.points[:, 2] - f.m.neck[2]) / (0.08 * f.m.size))
    back = np.stack([0 * behind, -0.03 * behind, -0.05 * behind], -1) * f.m.size
    lower = np.arange(len(piece.points)) >= 3 * 29
    f.pieces.append(replace(piece.moved(piece.points + back * lower[:, None]), texture=texture))


def wear_scarf(f: Fitting) -> None:
    """Wound around the neck; one end hangs down in front."""
    texture, m = f.cloth(0.6), f.m
    roll = [(0.008, -0.03), (0.03, -0.04), (0.046, -0.015), (0.04, 0.025), (0.02, 0.04), (0.006, 0.03)]
    f.pieces.append(replace(_around_neck(f, roll[::-1], 0.0), texture=texture))
    front = f.skin.points[np.abs(f.skin.points[:, 0] - 0.05) < 0.03]
    rows = []
    for y in np.linspace(m.neck[1] - 0.01, m.neck[1] - 0.33 * m.size, 9):
        z = front[np.abs(front[:, 1] - y) < 0.03, 2].max() + 0.04
        rows.append([[x, y, z + 0.006 * np.cos(90 * x)] for x in np.linspace(0.015, 0.1, 7) * m.size])
    weights = np.zeros((9, 7, 24))
    weights[..., JOINT["spine3"]] = 1
    ring = np.array(rows)[:, ::-1]
    f.pieces.append(tube(ring, weights, PERIOD_M, texture, closed=False))


def wear_bag(f: Fitting, texture: int) -> None:
    """A rucksack."""
    m = f.m
    spine = f.joints[JOINT["spine2"]]
    back = float(f.skin.points[np.abs(f.skin.points[:, 0]) < 0.05, 2].min())
    centre = np.array([0.0, spine[1] + 0.12 * m.size, back - 0.04 * m.size])
    radii = (0.15 * m.size, 0.23 * m.size, 0.09 * m.size)
    f.pieces.append(ellipsoid(centre, radii, JOINT["spine3"], texture, 0.5))
    for side in (-0.1 * m.size, 0.1 * m.size):
        f.pieces.append(_strap(f, side, texture))


def _strap(f: Fitting, x: float, texture: int) -> Piece:
    """A band from the back over a shoulder to the ribs, at x metres to the left."""
    m, wide = f.m, 0.022 * f.m.size
    worn = np.concatenate([p.points for p in f.pieces[:-1]])
    low, high = m.armpit - 0.16 * m.size, m.neck[1] + 0.02 * m.size
    worn = worn[(np.abs(worn[:, 0] - x) < 0.03 * m.size) & (worn[:, 1] > low) & (worn[:, 1] < high)]
    middle = np.array([m.armpit - 0.05 * m.size, m.middle_z])
    angles = np.linspace(-0.9, np.pi + 0.3, 22)  # 0 forward, half a turn backward
    y, z = worn[:, 1] - middle[0], worn[:, 2] - middle[1]
    reach = np.max(y[:, None] * np.sin(angles) + z[:, None] * np.cos(angles), axis=0) + 0.008
    band = np.stack([middle[0] + reach * np.sin(angles), middle[1] + reach * np.cos(angles)], -1)
    rows = np.stack([np.insert(band, 0, x + s * wide, axis=1) for s in (-1.0, 0.0, 1.0)], axis=1)
    weights = np.zeros((*rows.shape[:2], 24))
    weights[..., JOINT["spine3"]] = 1
    return tube(rows[:, ::-1], weights, PERIOD_M, texture, closed=False)


# --- feet -----------------------------------------------------------------------------------------


def wear_shoes(f: Fitting) -> None:
    """Shoes or boots, some with soles of another colour."""
    m, rng = f.m, f.rng
    leather, rubber = (LEATHERS[rng.integers(len(LEATHERS))] for _ in range(2))
    texture = f.paint(textures.plain(rng, leather, grain=0.04))
    sole = f.paint(textures.plain(rng, rubber)) if rng.uniform() < 0.6 else texture
    low = m.ankle - 0.012 * m.size
    f.bare = cut(f.bare, f.bare.points[:, 1] - low + 0.01)
    if rng.uniform() < 0.3:
        high = m.ankle + float(rng.uniform(0.05, 0.2)) * m.size

        def shaft(p: Floats) -> Floats:
            return np.minimum(p[:, 1] - low + 0.012, high - p[:, 1])

        f.wear(shell(f.skin, shaft, 0.012, rounds=6), texture, shaft)
    for side in ("left", "right"):
        shoe = _shoe(f, f.joints[JOINT[f"{side}_ankle"]], f.joints[JOINT[f"{side}_foot"]], side, low)
        edge = m.floor + 0.01 * m.size - shoe.points[:, 1]
        f.pieces += [cut(replace(shoe, texture=sole), edge), cut(replace(shoe, texture=texture), -edge)]


def _shoe(f: Fitting, ankle: Floats, ball: Floats, side: str, high: float) -> Piece:
    """Rings around slices of a foot from heel to toes, as wide as a taut skin around each; its sole is flat."""
    m = f.m
    sign = np.sign(ankle[0])
    foot = f.skin.points[(f.skin.points[:, 0] * sign > 0) & (f.skin.points[:, 1] < high)]
    ahead = np.array([ball[0] - ankle[0], 0, ball[2] - ankle[2]])
    ahead /= np.linalg.norm(ahead)
    right = np.array([-ahead[2], 0, ahead[0]])
    along, across, up = foot @ ahead, foot @ right, foot[:, 1] - m.floor
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    stations = np.linspace(along.min(), along.max(), 14)
    widths = []
    for s in stations:
        near = np.abs(along - s) < 0.022 * m.size
        x, y = across[near], up[near]
        widths.append([x.min(), x.max(), y.max()])
    smooth = np.pad(np.array(widths), ((1, 1), (0, 0)), mode="edge")
    smooth = (smooth[:-2] + 2 * smooth[1:-1] + smooth[2:]) / 4
    rings = []
    ends = np.concatenate([[0.0, 0.6, 0.88], np.ones(9), [0.93, 0.72, 0.35, 0.0]])
    out = 0.009 * m.size
    stations = np.concatenate([[stations[0] - out], stations, [stations[-1] + out]])
    smooth = smooth[np.concatenate([[0], np.arange(14), [13]])]
    for s, (left, wide, top), end in zip(stations, smooth, ends, strict=True):
        # A rounded box: flat below, round above.
        x = np.sign(np.cos(angles)) * np.abs(np.cos(angles)) ** 0.7
        y = np.sign(np.sin(angles)) * np.abs(np.sin(angles)) ** 0.8
        middle, half = (left + wide) / 2, ((wide - left) / 2 + out) * end
        height = (top + out) * (0.55 + 0.45 * end)
        floor = m.floor - 0.012
        ring = s * ahead + np.multiply.outer(middle + half * x, right)
        ring[:, 1] = floor + (height + 0.012) * (0.5 + 0.5 * y) + (1 - end) * 0.004
        rings.append(ring)
    ring = np.stack(rings)[::-1, ::-1] if np.cross(right, [0, 1, 0]) @ ahead > 0 else np.stack(rings)
    toes = smoothstep((ring @ ahead - ball @ ahead + 0.02 * m.size) / (0.04 * m.size))
    weights = np.zeros((*ring.shape[:2], 24))
    weights[..., JOINT[f"{side}_ankle"]], weights[..., JOINT[f"{side}_foot"]] = 1 - toes, toes
    return tube(ring, weights, PERIOD_M, 0)
