"""Shells and simple solids that clothes, hair and bags are made of, in the T-pose of the body they fit.

A shell is a piece of the body's own skin, cut clean along the zero line of a field, smoothed and moved
outwards; a ``Piece`` is any such mesh with its bond to the skeleton. What to wear is ``dressing``'s business.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from choros.mesh.normals import vertex_normals
from choros.scenes.motion.routes import smoothstep

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Piece:
    """A mesh in a body's T-pose (M vertices, F faces) and how it hangs on the body."""

    points: Floats  # (M, 3) metres, SMPL axes
    faces: Ints  # (F, 3), counter-clockwise from outside
    weights: Floats  # (M, 24) of the joints
    source: Ints  # (M, 2) the body's vertices whose pose correctives it shares, -1 for none
    share: Floats  # (M,) of the second of them, below 0.5
    uv: Floats  # (M, 2) in repeats of the texture
    texture: int = 0

    def moved(self, points: Floats) -> Piece:
        """The same piece with its points (M, 3) elsewhere."""
        return replace(self, points=points)

    def normals(self) -> Floats:  # (M, 3)
        """Unit normals of the vertices, outwards."""
        return vertex_normals(self.points, self.faces).astype(np.float64)


def cut(piece: Piece, field: Floats) -> Piece:
    """The part of a piece where a field (M,) over its vertices is positive, with clean edges where it is 0."""
    inside = field[piece.faces] > 0
    count = inside.sum(axis=1)
    whole = piece.faces[count == 3]
    # Turn crossing faces so that the vertex alone on its side comes first, then split its two sides.
    crossing = (count == 1) | (count == 2)
    faces, alone = piece.faces[crossing], inside[crossing]
    alone = np.where((count[crossing] == 2)[:, None], ~alone, alone)
    turn = (np.argmax(alone, axis=1)[:, None] + np.arange(3)) % 3
    faces = np.take_along_axis(faces, turn, axis=1)
    sides = np.concatenate([faces[:, [0, 1]], faces[:, [0, 2]]])
    edges, number = np.unique(np.sort(sides, axis=1), axis=0, return_inverse=True)
    number = number.reshape(-1) + len(piece.points)
    next_cut, last_cut = number[: len(faces)], number[len(faces) :]
    tip = count[crossing] == 1
    parts = [
        whole,
        np.stack([faces[:, 0], next_cut, last_cut], 1)[tip],
        np.stack([next_cut, faces[:, 1], faces[:, 2]], 1)[~tip],
        np.stack([next_cut, faces[:, 2], last_cut], 1)[~tip],
    ]
    a, b = edges[:, 0], edges[:, 1]
    share = (field[a] / (field[a] - field[b]))[:, None]

    def on_edges(values: Floats) -> Floats:
        return np.concatenate([values, values[a] * (1 - share) + values[b] * share])

    kept = np.concatenate(parts)
    used, kept = np.unique(kept, return_inverse=True)
    # Between two vertices their correctives are blended, or those of what each of them mostly follows.
    nearer = share < 0.5
    source = np.where(nearer, piece.source[np.stack([a, b], 1), 0], piece.source[np.stack([b, a], 1), 0])
    source = np.concatenate([piece.source, source])
    second = np.concatenate([piece.share, np.minimum(share, 1 - share)[:, 0]])
    return Piece(
        on_edges(piece.points)[used],
        kept.reshape(-1, 3),
        on_edges(piece.weights)[used],
        source[used],
        second[used],
        on_edges(piece.uv)[used],
        piece.texture,
    )


def smoothed(piece: Piece, rounds: int, keep_edge: bool = True) -> Piece:
    """Laplacian smoothing; open edges stay where they are."""
    edges = piece.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    n = len(piece.points)
    links = sp.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (n, n)).tocsr()
    one_sided = links - links.T
    edge = np.asarray(abs(one_sided).sum(axis=1)).ravel() > 0
    links = ((links + links.T) > 0).astype(float)
    mean = sp.diags(1 / np.maximum(np.asarray(links.sum(axis=1)).ravel(), 1)) @ links
    move = np.where(edge & keep_edge, 0.0, 0.6)[:, None]
    points = piece.points
    for _ in range(rounds):
        points = points + move * (mean @ points - points)
    return piece.moved(points)


def shell(
    skin: Piece,
    field: Callable[[Floats], Floats],
    thick_m: float,
    rounds: int = 4,
    taper_m: float = 0.02,
) -> Piece:
    """A layer of cloth on the skin where ``field`` of the points (M, 3) is positive.

    It lies ``thick_m`` off the skin, and half of that along its edges, which it reaches within ``taper_m``.
    """
    under = cut(skin, field(skin.points))
    off = thick_m * (0.5 + 0.5 * smoothstep(field(under.points) / taper_m))
    piece = smoothed(under, rounds)
    return above(piece.moved(piece.points + off[:, None] * piece.normals()), under, off * 0.7)


def above(piece: Piece, under: Piece, least_m: Floats) -> Piece:
    """Lift points (M, 3) that lie less than ``least_m`` (M,) over the skin from which they were cut."""
    normals = under.normals()
    height = np.sum((piece.points - under.points) * normals, axis=1)
    return piece.moved(piece.points + np.maximum(least_m - height, 0)[:, None] * normals)


def drape(piece: Piece, hangs: NDArray[np.bool_], below_m: float, loose: float) -> Piece:
    """Let cloth on the trunk fall straight down from chest, shoulder blades and belly.

    Points in ``hangs`` (M,) below a height move away from the trunk's axis, by ``loose`` of the way to the
    widest place above them in their direction.
    """
    points = piece.points.copy()
    chosen = np.flatnonzero(hangs & (points[:, 1] < below_m))
    if not len(chosen):
        return piece
    middle = np.median(points[chosen, 2])
    x, z = points[chosen, 0], points[chosen, 2] - middle
    radius, direction = np.hypot(x, z), np.arctan2(x, z)
    bins = 24
    sector = np.floor((direction / (2 * np.pi) + 0.5) * bins).astype(int) % bins
    widest, hull = np.zeros(bins), np.empty(len(chosen))
    for i in np.argsort(-points[chosen, 1]):
        s = sector[i]
        widest[s] = max(widest[s], radius[i])
        hull[i] = (widest[s] * 2 + widest[s - 1] + widest[(s + 1) % bins]) / 4
    wanted = np.maximum(radius, radius + loose * (hull - radius))
    points[chosen, 0] = np.sin(direction) * wanted
    points[chosen, 2] = middle + np.cos(direction) * wanted
    return smoothed(piece.moved(points), 3)


def folded(
    piece: Piece,
    rng: np.random.Generator,
    deep_m: float,
    along: tuple[float, float, float],
    field: Callable[[Floats], Floats],
    wave_m: float = 0.09,
) -> Piece:
    """Folds that stand up to ``deep_m`` off a piece where ``field`` of the points (M, 3) is positive.

    ``along`` is how fast they change along x, y and z: a limb's axis for rings, across it for hanging folds.
    """
    points = piece.points
    height = np.zeros(len(points))
    for _ in range(3):
        axis = rng.normal(size=3) * along
        axis /= np.linalg.norm(axis) * wave_m * rng.uniform(0.8, 1.6)
        bent = np.sin(2 * np.pi * points @ (rng.normal(size=3) * 2.0))
        height += 1 - np.abs(np.sin(np.pi * points @ axis + 1.2 * bent + rng.uniform(0, np.pi)))
    inside = smoothstep(field(points) / 0.05)
    return piece.moved(points + (deep_m / 2 * height * inside)[:, None] * piece.normals())


def widen(
    piece: Piece, chosen: NDArray[np.bool_], start: Floats, end: Floats, radius_m: tuple[float, float]
) -> Piece:
    """Make a tube around a limb at least ``radius_m`` wide, from its start (3,) to its end (3,)."""
    points = piece.points.copy()
    axis = end - start
    along = np.clip((points[chosen] - start) @ axis / (axis @ axis), 0, 1)[:, None]
    centre = start + along * axis
    away = points[chosen] - centre
    away -= (away @ axis)[:, None] * axis / (axis @ axis)
    radius = np.linalg.norm(away, axis=1, keepdims=True)
    least = radius_m[0] + (radius_m[1] - radius_m[0]) * along
    # Soft maximum: no crease where the limb itself becomes wider than the tube.
    wider = np.logaddexp(radius * 60, least * 60) / 60
    points[chosen] += away / np.maximum(radius, 1e-6) * (wider - radius)
    return piece.moved(points)


def tube(rings: Floats, weights: Floats, repeat_m: float, texture: int, closed: bool = True) -> Piece:
    """A surface through rings (R, n, 3) of points, top to bottom, with weights (R, n, 24).

    ``closed`` joins the last point of a ring to its first. Rings run counter-clockwise seen from above.
    """
    count, n = rings.shape[:2]
    index = np.arange(count * n).reshape(count, n)
    right = np.roll(index, -1, axis=1)
    if not closed:
        index, right = index[:, :-1], right[:, :-1]
    a, b, c, d = index[:-1], right[:-1], index[1:], right[1:]
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)])
    points = rings.reshape(-1, 3)
    uv = np.stack([points[:, 0], points[:, 1]], 1) / repeat_m
    none = np.full((len(points), 2), -1)
    return Piece(points, faces, weights.reshape(-1, 24), none, np.zeros(len(points)), uv, texture)


def ellipsoid(
    centre: Floats, radii: tuple[float, float, float], joint: int, texture: int, squareness: float = 1.0
) -> Piece:
    """A ball of three radii along x, y, z, rigid on one joint; squareness below 1 turns it into a box."""
    up, around = np.meshgrid(
        np.linspace(np.pi / 2, -np.pi / 2, 9), np.linspace(0, 2 * np.pi, 17)[:-1], indexing="ij"
    )

    def power(x: Floats) -> Floats:
        return np.sign(x) * np.abs(x) ** squareness

    unit = np.stack(
        [
            power(np.cos(up)) * power(np.sin(around)),
            power(np.sin(up)),
            power(np.cos(up)) * power(np.cos(around)),
        ],
        -1,
    )
    rings = centre + unit * np.asarray(radii)
    weights = np.zeros((*rings.shape[:2], 24))
    weights[..., joint] = 1
    return tube(rings, weights, 0.25, texture)
