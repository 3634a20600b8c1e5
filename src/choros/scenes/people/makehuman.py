"""MakeHuman's fitted clothes, shoes, hats and hair, from a folder of ``.mhclo`` and ``.obj`` files, on our body.

A ``.mhclo`` ties each vertex of a garment to three vertices of MakeHuman's base mesh hm08: their weighted mean, and
an offset in units of distances on the body. That places it on the base mesh in the base mesh's own stance, arms half
lowered; ``scenes/data/hm08.npz`` holds that mesh and our body standing alike (``tools/build_stance.py``). From there
a garment follows our body into any shape's T-pose: turned with the limbs, then moved with the skin next to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from choros.body.open_body import read_open_body
from choros.errors import ChorosError
from choros.mesh.normals import vertex_normals

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BASE_VERTICES = 19158
KINDS = ("outfit", "shoes", "hat", "hair")


@dataclass(frozen=True)
class Garment:
    """One fitted mesh on the base mesh hm08 in its stance; M vertices."""

    path: Path
    kind: str  # one of KINDS
    points: Floats  # (M, 3) metres, SMPL axes
    faces: Ints  # (F, 3) counter-clockwise from outside
    parts: Ints  # (M,) number of the connected piece each vertex lies in, largest first
    hides: NDArray[np.bool_]  # (19158,) vertices of the base mesh that it covers for good


class Wardrobe:
    """The garments of a folder and of those inside it, in the order of their names.

    Raises ``ChorosError`` for a folder without ``.mhclo`` files.
    """

    def __init__(self, folder: Path) -> None:
        paths = sorted(Path(folder).rglob("*.mhclo"))
        if not paths:
            raise ChorosError(
                f"{folder} holds no .mhclo files; give a folder of MakeHuman's clothes and hair, or none."
            )
        self.tags = {path: _tags(path) for path in paths}
        self.paths = {kind: [path for path in paths if _kind(path) == kind] for kind in KINDS}

    def pick(self, rng: np.random.Generator, kind: str, never: str = "none") -> Garment | None:
        """One of a kind, if there is any, without that tag.

        Raises ``ChorosError`` for a file that is not what it should be.
        """
        paths = [path for path in self.paths[kind] if never not in self.tags[path]]
        return read_garment(paths[int(rng.integers(len(paths)))]) if paths else None


@lru_cache(maxsize=4)
def read_wardrobe(folder: Path) -> Wardrobe:
    """A folder's wardrobe, looked through once."""
    return Wardrobe(folder)


@lru_cache(maxsize=1024)
def _tags(path: Path) -> frozenset[str]:
    """Lower-case words of a file's lines ``tag WORD``."""
    words = [line.split() for line in _lines(path) if line.startswith("tag ")]
    return frozenset(word[1].lower() for word in words if len(word) > 1)


def _kind(path: Path) -> str:
    """By the file's tags, else by the folder it lies in."""
    words = _tags(path)
    if "shoes" in words or "hats" in words:
        return "shoes" if "shoes" in words else "hat"
    return "hair" if "hair" in path.parts[-3:-1] or "hair" in words else "outfit"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise ChorosError(f"{path} cannot be read ({error.strerror}); fetch the folder again.") from error


@lru_cache(maxsize=64)
def read_garment(path: Path) -> Garment:
    """A ``.mhclo`` and the ``.obj`` it names. Raises ``ChorosError`` naming the file where one is malformed."""
    try:
        points, mesh, hides = read_mhclo(path, stance().base)
    except (ValueError, IndexError) as error:
        raise ChorosError(
            f"{path} is not a .mhclo of MakeHuman ({error}); take it out of the folder."
        ) from error
    if not mesh.is_file():
        raise ChorosError(f"{mesh} is missing, which {path} names; fetch the folder again.")
    try:
        faces = read_faces(mesh)
        parts = _pieces(faces, len(points))
    except (ValueError, IndexError) as error:
        raise ChorosError(f"{mesh} is not the mesh of {path} ({error}); fetch the folder again.") from error
    return Garment(path, _kind(path), points, faces, parts, hides)


def read_mhclo(path: Path, base: Floats) -> tuple[Floats, Path, NDArray[np.bool_]]:
    """Points (M, 3) of a garment on a base mesh (n, 3), its ``.obj``, and which of the n vertices it hides.

    A vertex is ``sum_k w_k base[i_k] + offset * scale``, where the scale along an axis is the distance of two
    vertices along it over a length in the file. Raises ``ValueError`` or ``IndexError`` where that fails.
    """
    scale, ties = np.ones(3), []
    hides = np.zeros(len(base), bool)
    mesh, section = None, ""
    for line in _lines(path):
        word, *rest = line.split("#")[0].split() or [""]
        if word in ("x_scale", "y_scale", "z_scale"):
            axis = "xyz".index(word[0])
            one, other = base[int(rest[0]), axis], base[int(rest[1]), axis]
            scale[axis] = abs(one - other) / float(rest[2])
        elif word == "obj_file":
            mesh = path.parent / " ".join(rest)
        elif word in ("verts", "delete_verts"):
            section = word
        elif word[:1].isdecimal() and section == "verts":
            ties.append([float(x) for x in (word, *rest)])
        elif word[:1].isdecimal() and section == "delete_verts":
            _hide(hides, [word, *rest])
    if mesh is None or not ties:
        raise ValueError("it names no obj_file or ties no vertices")
    # A line of one number ties a vertex to that vertex of the base mesh.
    table = np.array([tie if len(tie) == 9 else [tie[0], 0, 0, 1, 0, 0, 0, 0, 0] for tie in ties])
    near = base[table[:, :3].astype(np.int64)]
    return np.einsum("nk,nkc->nc", table[:, 3:6], near) + table[:, 6:] * scale, mesh, hides


def _hide(hides: NDArray[np.bool_], words: list[str]) -> None:
    """Mark numbers and ranges, as in ``3 7 - 9``."""
    text = " ".join(words).replace(" - ", "-")
    for span in text.split():
        first, _, last = span.partition("-")
        hides[int(first) : int(last or first) + 1] = True


def read_faces(path: Path) -> Ints:
    """Faces of an ``.obj`` as triangles (F, 3)."""
    triangles = []
    for line in _lines(path):
        if line.startswith("f "):
            ring = [int(corner.split("/")[0]) - 1 for corner in line.split()[1:]]
            triangles += [(ring[0], ring[k], ring[k + 1]) for k in range(1, len(ring) - 1)]
    if not triangles:
        raise ValueError("it has no faces")
    return np.array(triangles, np.int64)


def _pieces(faces: Ints, n: int) -> Ints:
    """Connected pieces of n vertices, numbered from the largest."""
    if faces.min() < 0 or faces.max() >= n:
        raise ValueError(f"faces name vertices beyond its {n}")
    links = sp.coo_matrix((np.ones(faces.size), (faces.ravel(), np.roll(faces, 1, axis=1).ravel())), (n, n))
    number = connected_components(links, directed=False)[1]
    order = np.argsort(-np.bincount(number), kind="stable")
    return np.argsort(order)[number].astype(np.int64)


# --- from the base mesh's stance to a body's T-pose -----------------------------------------------


@dataclass(frozen=True)
class Stance:
    """MakeHuman's base mesh, and our body standing and built like it; metres, SMPL axes."""

    base: Floats  # (19158, 3)
    body: Floats  # (V, 3)
    faces: Ints  # (F, 3) of our body

    @cached_property
    def of_base(self) -> Ints:  # (V,)
        """The vertex of the base mesh next to each of our body's."""
        return np.asarray(
            cKDTree(self.base[:13380]).query(self.body)[1], np.int64
        )  # skin comes first in hm08


@lru_cache(maxsize=1)
def stance() -> Stance:
    """What ships with choros."""
    faces = read_open_body().faces
    with as_file(files("choros.scenes") / "data/hm08.npz") as path, np.load(path, allow_pickle=False) as npz:
        return Stance(npz["base"] * 1e-4, npz["body"] * 1e-4, faces)


@dataclass(frozen=True)
class Bond:
    """How a garment of M vertices hangs on our body of V."""

    share: sp.csr_matrix  # (M, V) rows sum to 1: whose skin it follows
    nearest: Ints  # (M,)


@lru_cache(maxsize=64)
def bond(path: Path) -> Bond:
    """A garment's bond to our body; each is found once."""
    garment, body = read_garment(path), stance().body

    # Skin that faces the same way counts as nearer: the inside of a trouser leg follows its own leg.
    def place(points: Floats, of: Ints) -> Floats:
        return np.concatenate([points, 0.03 * vertex_normals(points, of)], axis=1)

    away, near = cKDTree(place(body, stance().faces)).query(place(garment.points, garment.faces), k=6)
    weight = 1 / (away + 0.004) ** 2
    rows = np.repeat(np.arange(len(near)), near.shape[1])
    share = sp.csr_matrix(
        ((weight / weight.sum(axis=1, keepdims=True)).ravel(), (rows, near.ravel())), (len(near), len(body))
    )
    mean = _means(garment.points, garment.faces)
    for _ in range(8):
        share = 0.4 * share + 0.6 * (mean @ share)
    return Bond(share.tocsr(), np.asarray(near[:, 0], np.int64))


def _means(points: Floats, faces: Ints) -> sp.csr_matrix:
    """(M, M): each vertex to the mean of its neighbours; seams, where two vertices lie in one place, are closed."""
    same = np.unique(np.round(points, 4), axis=0, return_inverse=True)[1].reshape(-1)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    n = int(same.max()) + 1
    merge = sp.csr_matrix((np.ones(len(same)), (same, np.arange(len(same)))), (n, len(same)))
    one = sp.csr_matrix((np.ones(len(edges)), (same[edges[:, 0]], same[edges[:, 1]])), (n, n))
    links = ((one + one.T + sp.identity(n)) > 0).astype(float)
    links = sp.diags(1 / np.asarray(links.sum(axis=1)).ravel()) @ links
    merge_mean = sp.diags(1 / np.asarray(merge.sum(axis=1)).ravel()) @ merge
    return (merge.T @ links @ merge_mean).tocsr()


def limb_moves(before: Floats, after: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """For each of 24 joints the similarity ``x -> A x + b`` that best takes its skin (V, 3) to (V, 3).

    ``weights`` (V, 24) are those of skinning. Returns A (24, 3, 3) and b (24, 3). Umeyama 1991, equations 39 to 42.
    """
    A, b = np.zeros((24, 3, 3)), np.zeros((24, 3))
    for j, w in enumerate((weights / weights.sum(axis=0)).T):
        p, q = before - w @ before, after - w @ after
        U, d, Vt = np.linalg.svd((w[:, None] * q).T @ p)
        sign = np.array([1.0, 1.0, np.sign(np.linalg.det(U @ Vt))])
        A[j] = (U * sign) @ Vt * (d @ sign) / np.sum(w[:, None] * p * p)
        b[j] = w @ after - A[j] @ (w @ before)
    return A, b


def _blend(A: Floats, b: Floats, weights: Floats, points: Floats) -> Floats:
    return np.einsum("nj,jab,nb->na", weights, A, points, optimize=True) + weights @ b


def fitted(garment: Garment, skin: Floats, weights: Floats) -> tuple[Floats, Floats, Ints]:
    """A garment on one of our bodies in its T-pose: skin (V, 3), its weights (V, 24) of the joints.

    Returns its points (M, 3), their weights (M, 24) and the nearest vertex (M,) of the body.
    """
    standing = stance().body
    tied = bond(garment.path)
    A, b = limb_moves(standing, skin, weights)
    left_over = skin - _blend(A, b, weights, standing)
    own = tied.share @ weights
    points = _blend(A, b, own, garment.points) + tied.share @ left_over
    return points, own, tied.nearest


def hidden_skin(garment: Garment) -> NDArray[np.bool_]:
    """Vertices (V,) of our body that the garment covers for good."""
    return np.asarray(garment.hides[stance().of_base], bool)
