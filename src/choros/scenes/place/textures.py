"""Procedural textures: cloth, skin, hair, faces, floors and fronts of houses, painted from a random generator.

Every texture repeats without a seam. They are painted in display colours (sRGB, 0 to 1) and handed on as a
stack of ever blurrier copies of one size, so that a renderer takes the copy that suits a pixel's footprint.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]

LEVELS = 7  # level l is blurred to texels of 2^l


def stack(painting: Floats) -> NDArray[np.uint8]:  # (S, S, 3) -> (LEVELS, S, S, 3)
    """A painting, 0 to 1, with its blurred copies; the borders wrap."""
    levels = [np.asarray(painting * 255, np.float32)]
    for level in range(1, LEVELS):
        radius = 2 ** (level - 1)
        wrapped = cv2.copyMakeBorder(levels[-1], radius, radius, radius, radius, cv2.BORDER_WRAP)
        blurred = cv2.blur(wrapped, (2 * radius + 1, 2 * radius + 1))[radius:-radius, radius:-radius]
        levels.append(np.asarray(blurred, np.float32))
    return np.clip(np.stack(levels) + 0.5, 0, 255).astype(np.uint8)


def noise(rng: np.random.Generator, size: int, cells: int, octaves: int = 4) -> Floats:  # (size, size)
    """Smooth seamless noise of mean 0 and about unit deviation; ``cells`` bumps across the texture."""
    total = np.zeros((size, size))
    for octave in range(octaves):
        n = cells * 2**octave
        if n > size:
            break
        grid = np.pad(rng.normal(size=(n, n)), 2, mode="wrap")
        scale = size / n
        fine = cv2.resize(grid, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        edge = round(2 * scale)
        total += fine[edge : edge + size, edge : edge + size] * 0.55**octave
    return total / total.std()


def plain(rng: np.random.Generator, colour: Colour, size: int = 128, grain: float = 0.02) -> Floats:
    """One colour, a little uneven."""
    cloud = 0.6 * noise(rng, size, 4) + 0.6 * noise(rng, size, 32, 2)
    return np.clip(np.asarray(colour) * (1 + grain * cloud[..., None]), 0, 1)


def _coordinates(size: int) -> tuple[Floats, Floats]:
    """Across and up, 0 to 1."""
    middle = (np.arange(size) + 0.5) / size
    across, up = np.meshgrid(middle, middle)
    return across, up


# --- cloth ----------------------------------------------------------------------------------------


def stripes(rng: np.random.Generator, a: Colour, b: Colour, size: int = 128) -> Floats:
    """Bands around the body."""
    _, up = _coordinates(size)
    share, count = rng.uniform(0.25, 0.6), int(rng.choice([2, 4, 8]))
    return np.where(((up * count) % 1 < share)[..., None], plain(rng, a, size), plain(rng, b, size))


def pinstripes(rng: np.random.Generator, a: Colour, b: Colour, size: int = 128) -> Floats:
    """Thin lines that run down."""
    across, _ = _coordinates(size)
    count = int(rng.choice([6, 10, 16]))
    return np.where(((across * count) % 1 < 0.16)[..., None], plain(rng, b, size), plain(rng, a, size))


def checks(rng: np.random.Generator, a: Colour, b: Colour, size: int = 128) -> Floats:
    """Two crossed sets of bands, as in a lumberjack shirt."""
    across, up = _coordinates(size)
    count = int(rng.choice([3, 5, 7]))
    share = ((across * count) % 1 < 0.5).astype(float) + ((up * count) % 1 < 0.5)
    mix = (share / 2)[..., None]
    return plain(rng, a, size) * (1 - mix) + plain(rng, b, size) * mix


def dots(rng: np.random.Generator, a: Colour, b: Colour, size: int = 128) -> Floats:
    """Round spots in rows."""
    across, up = _coordinates(size)
    count = int(rng.choice([6, 8, 12]))
    row = np.floor(up * count)
    x, y = (across * count + 0.5 * (row % 2)) % 1 - 0.5, (up * count) % 1 - 0.5
    inside = 1 / (1 + np.exp(40 * (np.hypot(x, y) - 0.27)))
    return plain(rng, a, size) * (1 - inside[..., None]) + plain(rng, b, size) * inside[..., None]


def blotches(rng: np.random.Generator, a: Colour, b: Colour, size: int = 128) -> Floats:
    """Flowers from afar, or camouflage."""
    cloud = noise(rng, size, int(rng.choice([4, 8, 12])), 2)
    third = np.clip(np.asarray(a) * 0.45 + 0.1 * rng.uniform(size=3), 0, 1)
    painting = np.where((cloud > 0.4)[..., None], np.asarray(b), np.asarray(a))
    painting = np.where((noise(rng, size, 6, 2) > 1.1)[..., None], third, painting)
    return np.clip(painting * (1 + 0.02 * noise(rng, size, 32, 1)[..., None]), 0, 1)


def denim(rng: np.random.Generator, colour: Colour, size: int = 128) -> Floats:
    """Twill, a little uneven."""
    across, up = _coordinates(size)
    weave = np.sin(2 * np.pi * 24 * (across + up)) * 0.03 + 0.03 * noise(rng, size, 3, 3)
    return np.clip(np.asarray(colour) * (1 + weave[..., None]), 0, 1)


def woven(rng: np.random.Generator, colour: Colour, size: int = 128) -> Floats:
    """Plain cloth: fine weave and faint creases."""
    weave = 1 + 0.012 * rng.normal(size=(size, size, 1))
    return creased(rng, np.asarray(colour) * weave)


def creased(rng: np.random.Generator, cloth: Floats) -> Floats:
    """Cloth (S, S, 3) with the light and shade of small folds."""
    size = len(cloth)
    bends = 0.6 * noise(rng, size, 3, 2)
    across, up = _coordinates(size)
    folds = np.sin(2 * np.pi * (2 * across + up) + 2 * bends) * noise(rng, size, 2, 2)
    return np.clip(cloth * (1 + 0.035 * folds[..., None]), 0, 1)


def buttoned(rng: np.random.Generator, cloth: Floats) -> Floats:
    """A front's edge with a row of buttons, to be laid once over a strip of cloth (S, S, 3) from hem to neck."""
    across, up = _coordinates(len(cloth))
    painting = cloth * (1 - 0.25 * np.exp(-(((across - 0.1) / 0.05) ** 2))[..., None])
    colour = np.clip(cloth.mean(axis=(0, 1)) * rng.choice([0.45, 1.5]) + 0.05, 0, 1)
    x, y = (across - 0.5) * 0.036, ((up * 7) % 1 - 0.5) * 0.09
    return np.where((np.hypot(x, y) < 0.006)[..., None], colour, painting)


def mirror_tiled(picture: NDArray[np.uint8]) -> Floats:
    """A picture (S, S, 3) beside and above its mirror images, which repeats without a seam: (2 S, 2 S, 3), 0 to 1."""
    wide = np.concatenate([picture[::-1], picture[::-1, ::-1]], axis=1)
    return np.concatenate([wide, wide[::-1]], axis=0) / 255.0


def emblem(rng: np.random.Generator, cloth: Floats) -> Floats:
    """A print for a chest on its cloth (S, S, 3): a disc, bars, or a word's letters as blocks."""
    size = len(cloth)
    painting, (across, up) = cloth.copy(), _coordinates(size)
    colours = [np.clip(rng.uniform(0.1, 1.0, 3), 0, 1) for _ in range(2)]
    kind = rng.integers(3)
    if kind == 0:
        away = np.hypot(across - 0.5, up - 0.5)
        painting[away < 0.42] = colours[0]
        painting[(away < 0.3) & (np.sin(up * 50) > 0)] = colours[1]
    elif kind == 1:
        for y in rng.uniform(0.15, 0.85, 3):
            painting[np.abs(up - y) < 0.06] = colours[int(rng.integers(2))]
    else:
        for line in range(int(rng.integers(1, 4))):
            for letter in range(6):
                x0, y0 = 0.06 + 0.15 * letter, 0.68 - 0.26 * line
                inside = (across > x0) & (across < x0 + 0.11) & (up > y0) & (up < y0 + 0.18)
                hole = (
                    np.hypot(across - x0 - rng.uniform(0.03, 0.1), up - y0 - rng.uniform(0.03, 0.15)) < 0.035
                )
                painting[inside & ~hole] = colours[0]
    return np.clip(painting, 0, 1)


PATTERNS: dict[str, Callable[[np.random.Generator, Colour, Colour], Floats]] = {
    "stripes": stripes,
    "pinstripes": pinstripes,
    "checks": checks,
    "dots": dots,
    "blotches": blotches,
}


# --- people ---------------------------------------------------------------------------------------

FACE_M = 0.256  # width and height that a face's painting covers, the eyes' middle at its centre


def face(
    rng: np.random.Generator, skin: Colour, hair: Colour, eyes_apart_m: float, beard: bool, size: int = 256
) -> Floats:
    """A face from the front; row 0 is at its chin's end, so that the texture's second axis goes up."""
    tone = np.asarray(skin)
    painting = plain(rng, skin, size, 0.025)
    across, up = _coordinates(size)
    x, y = (across - 0.5) * FACE_M, (up - 0.5) * FACE_M  # metres from between the eyes

    def blend(weight: Floats, colour: Floats | Colour) -> None:
        painting[:] = painting * (1 - weight[..., None]) + np.asarray(colour) * weight[..., None]

    def spot(cx: float, cy: float, rx: float, ry: float, soft: float = 0.25) -> Floats:
        away = np.hypot((x - cx) / rx, (y - cy) / ry)
        return np.clip((1 + soft - away) / (2 * soft), 0, 1)

    half = eyes_apart_m / 2
    iris = np.asarray(IRISES[rng.integers(len(IRISES) if skin[0] > 0.8 else 2)])
    for side in (-1, 1):
        blend(0.35 * spot(side * half * 1.2, -0.045, 0.022, 0.02, 0.9), tone * np.array([1.08, 0.86, 0.84]))
        blend(0.45 * spot(side * half, 0.0, 0.021, 0.013, 0.8), tone * 0.62)
        blend(spot(side * half, 0.0, 0.0135, 0.0048), (0.84, 0.82, 0.8))
        blend(spot(side * half, 0.0, 0.0056, 0.0056), iris)
        blend(spot(side * half, 0.0, 0.0026, 0.0026), (0.03, 0.03, 0.03))
        blend(0.85 * spot(side * half, 0.0062, 0.0155, 0.002), tone * 0.28)
        brow_y = 0.021 - 6.0 * (np.abs(x) - half - 0.002) ** 2 * 4
        brow = np.exp(-(((y - brow_y) / 0.0038) ** 2)) * spot(side * (half + 0.001), 0.02, 0.019, 0.02)
        blend(0.85 * brow, np.asarray(hair) * 0.7)
        blend(0.6 * spot(side * 0.0075, -0.0385, 0.004, 0.0025), tone * 0.4)
        blend(0.22 * spot(side * 0.0125, -0.03, 0.004, 0.02, 0.9), tone * 0.65)
    blend(0.3 * spot(0.0, -0.044, 0.016, 0.004, 0.8), tone * 0.6)
    if beard:
        jaw = spot(0.0, -0.105, 0.075, 0.06, 0.25) + spot(0.0, -0.052, 0.03, 0.006, 0.5)
        stubble = 0.75 + 0.12 * noise(rng, size, 64, 1)
        blend(np.clip(jaw, 0, 1) * np.clip(stubble, 0, 1), np.asarray(hair) * 0.8)
    lips = np.clip(tone * np.array([0.9, 0.66, 0.65]), 0, 1)
    blend(0.9 * spot(0.0, -0.066, 0.024, 0.0075), lips)
    blend(0.8 * spot(0.0, -0.0655, 0.0235, 0.0016), tone * 0.35)
    return np.clip(painting, 0, 1)


IRISES = ((0.25, 0.16, 0.1), (0.2, 0.13, 0.08), (0.3, 0.4, 0.5), (0.3, 0.36, 0.25))


def strands(rng: np.random.Generator, colour: Colour, size: int = 128) -> Floats:
    """Hair, falling down."""
    lines = cv2.blur(np.tile(rng.normal(size=(1, size)), (size, 1)), (3, 1))
    shade = 0.13 * lines / lines.std() + 0.1 * noise(rng, size, 4)
    return np.clip(np.asarray(colour) * (1 + shade[..., None]), 0, 1)


# --- places ---------------------------------------------------------------------------------------


def tiles(rng: np.random.Generator, colour: Colour, count: int, size: int = 512) -> Floats:
    """Paving: square slabs, each of its own shade, with dark joints."""
    across, up = _coordinates(size)
    slab = rng.normal(size=(count, count))
    shade = 0.05 * np.kron(slab, np.ones((size // count + 1, size // count + 1)))[:size, :size]
    x, y = (across * count) % 1, (up * count) % 1
    joint = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) < 0.025
    painting = plain(rng, colour, size, 0.035) * (1 + shade[..., None])
    painting *= 1 + 0.05 * noise(rng, size, 128, 1)[..., None]
    return np.clip(np.where(joint[..., None], painting * 0.62, painting), 0, 1)


def asphalt(rng: np.random.Generator, colour: Colour, size: int = 512) -> Floats:
    """Tarmac, or sand: fine grit."""
    grit = 0.09 * noise(rng, size, 256, 1) + 0.05 * noise(rng, size, 4)
    return np.clip(np.asarray(colour) * (1 + grit[..., None]), 0, 1)


def grass(rng: np.random.Generator, colour: Colour, size: int = 512) -> Floats:
    """A lawn."""
    blades = 0.2 * noise(rng, size, 128, 2) + 0.12 * noise(rng, size, 4, 3)
    painting = np.asarray(colour) * (1 + blades[..., None])
    painting[..., 0] *= 1 + 0.05 * noise(rng, size, 6, 2)
    return np.clip(painting, 0, 1)


def boards(rng: np.random.Generator, colour: Colour, size: int = 512) -> Floats:
    """A wooden floor."""
    across, up = _coordinates(size)
    row = np.floor(up * 16).astype(int)
    shade = 0.1 * rng.normal(size=16)[row] + 0.06 * cv2.blur(noise(rng, size, 64, 2), (41, 1))
    ends = (across + rng.uniform(size=16)[row]) % 1 < 0.006
    joint = ((up * 16) % 1 < 0.06) | ends
    painting = np.clip(np.asarray(colour) * (1 + shade[..., None]), 0, 1)
    return np.where(joint[..., None], painting * 0.55, painting)


def plaster(rng: np.random.Generator, colour: Colour, size: int = 512) -> Floats:
    """A plastered wall."""
    return np.clip(np.asarray(colour) * (1 + 0.035 * noise(rng, size, 3, 6)[..., None]), 0, 1)


def bricks(rng: np.random.Generator, colour: Colour, size: int = 512) -> Floats:
    """A wall of bricks with light joints."""
    across, up = _coordinates(size)
    row = np.floor(up * 48).astype(int)
    along = across * 16 + 0.5 * (row % 2)
    shade = 0.12 * rng.normal(size=(48, 17))[row, np.floor(along).astype(int)]
    joint = ((up * 48) % 1 < 0.14) | (along % 1 < 0.05)
    painting = np.asarray(colour) * (1 + shade + 0.04 * noise(rng, size, 128, 1))[..., None]
    return np.clip(np.where(joint[..., None], np.array([0.66, 0.64, 0.6]), painting), 0, 1)


def facade(rng: np.random.Generator, colour: Colour, size: int = 512) -> Floats:
    """The front of a house: two storeys with windows in a wall of brick or plaster."""
    wall = bricks if rng.uniform() < 0.4 else plaster
    painting = wall(rng, colour, size)
    columns, rows = int(rng.integers(2, 5)), 2
    frame = np.asarray(rng.choice([(0.9, 0.89, 0.86), (0.25, 0.24, 0.24), (0.45, 0.33, 0.25)]))
    wide, high = rng.uniform(0.4, 0.7), rng.uniform(0.45, 0.62)
    across, up = _coordinates(size)
    x, y = (across * columns) % 1 - 0.5, (up * rows) % 1 - 0.5
    inside_frame = (np.abs(x) < wide / 2) & (np.abs(y) < high / 2)
    glass = (np.abs(x) < wide / 2 - 0.03) & (np.abs(y) < high / 2 - 0.03) & (np.abs(x) > 0.015)
    pane = np.floor(across * columns) + columns * np.floor(up * rows)
    tint = rng.uniform(0.6, 1.3, columns * rows)[pane.astype(int)]
    sheen = (0.16 + 0.25 * np.clip(y / high + 0.5 + 0.25 * noise(rng, size, 4, 2), 0, 1)) * tint
    painting = np.where(inside_frame[..., None], frame, painting)
    painting = np.where(glass[..., None], sheen[..., None] * np.array([0.85, 0.95, 1.05]), painting)
    sill = (np.abs(x) < wide / 2 + 0.03) & (np.abs(y + high / 2 + 0.015) < 0.015)
    return np.clip(np.where(sill[..., None], frame * 0.8, painting), 0, 1)


def hedge(rng: np.random.Generator, colour: Colour, size: int = 512) -> Floats:
    """Leaves."""
    leaves = 0.35 * noise(rng, size, 48, 3) + 0.2 * noise(rng, size, 6, 2)
    return np.clip(np.asarray(colour) * (1 + leaves[..., None]), 0.02, 1)
