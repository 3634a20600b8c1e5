"""Reads users' official SMPL files without trusting them: `.pkl` (chumpy arrays inside) and `.npz`.

A pickle is a program; it goes through `restricted_pickle`, with stand-ins for sparse matrices and chumpy's
array holders, so that a file with anything more is refused before it runs. chumpy itself is never imported.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from choros.body.tables import N_BETAS, N_JOINTS, BodyTables
from choros.errors import ChorosError
from choros.npz import open_npz
from choros.restricted_pickle import load_pickle
from choros.skeleton import PARENTS

MAX_BYTES = 512 * 2**20
LICENCE = "SMPL body model licence (smpl.is.tue.mpg.de), as agreed to by whoever fetched the file"

#: Vertices of SMPL's 6,890 that stand for a landmark, as its users number them.
LANDMARK_VERTICES = {
    "nose": 332, "right_eye": 6260, "left_eye": 2800, "right_ear": 4071, "left_ear": 583,
    "left_big_toe": 3216, "left_small_toe": 3226, "left_heel": 3387,
    "right_big_toe": 6617, "right_small_toe": 6624, "right_heel": 6787,
}  # fmt: skip
SMPL_VERTICES = 6890
KEYS = frozenset(("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table"))


def read_smpl(path: Path) -> BodyTables:
    """An SMPL model of 24 joints from its official `.pkl` or an `.npz` with the same keys.

    Landmarks are single vertices of the face and feet; the limbs of COCO-17 and BODY-25 are then SMPL's own
    joints, from which annotators' hips and shoulders differ by a few centimetres. A model of other than 6,890
    vertices gets no landmarks. Raises `ChorosError` for anything that is not such a file.
    """
    arrays = read_arrays(path, KEYS)
    try:
        template, weights = arrays["v_template"].astype(np.float64), arrays["weights"].astype(np.float64)
        parents = tuple(arrays["kintree_table"][0].astype(np.int64))
        shape_dirs, pose_dirs = arrays["shapedirs"].astype(np.float64), arrays["posedirs"].astype(np.float32)
        regressor, faces = arrays["J_regressor"].astype(np.float64), arrays["f"].astype(np.int64)
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise ChorosError(f"{path}: an array of it cannot be read ({error}); fetch the file again") from error
    if parents[1:] != PARENTS[1:]:
        raise ChorosError(
            f"{path}: a skeleton of {len(parents)} joints that is not SMPL's {N_JOINTS}; "
            "give an SMPL model, not SMPL-H, SMPL-X or another"
        )
    if shape_dirs.ndim != 3 or shape_dirs.shape[2] < N_BETAS:
        raise ChorosError(f"{path}: shapedirs of shape {shape_dirs.shape} hold fewer than {N_BETAS} betas")
    n = len(template)
    marks = LANDMARK_VERTICES if n == SMPL_VERTICES else {}
    return BodyTables(
        name="smpl",
        source=str(path),
        licence=LICENCE,
        template=template,
        shape_dirs=shape_dirs[..., :N_BETAS],
        joint_regressor=regressor,
        skin_weights=weights,
        faces=faces,
        pose_dirs=pose_dirs,
        landmarks={name: np.eye(1, n, v)[0] for name, v in marks.items()},
    )


def read_arrays(path: Path, keys: frozenset[str]) -> dict[str, np.ndarray]:
    """Arrays of such a file by name, as they stand there. Raises `ChorosError` if it is none or lacks one."""
    if not path.is_file():
        raise ChorosError(
            f"{path}: no such file; give the path of an SMPL .pkl or .npz, or none for the open body"
        )
    if path.suffix.lower() not in (".pkl", ".npz"):
        raise ChorosError(f'{path}: an SMPL model ends in .pkl or .npz, not "{path.suffix}"')
    content = _read_pickle(path) if path.suffix.lower() == ".pkl" else _read_npz(path)
    missing = keys - set(content)
    if missing:
        raise ChorosError(
            f"{path}: not an SMPL model, it lacks {', '.join(sorted(missing))}; give SMPL's own file"
        )
    try:
        return {key: _plain(content[key]) for key in sorted(keys)}
    except (TypeError, ValueError, IndexError, KeyError) as error:
        raise ChorosError(f"{path}: an array of it cannot be read ({error}); fetch the file again") from error


def _read_npz(path: Path) -> Mapping[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > MAX_BYTES:
            raise ChorosError(f"{path}: {size >> 20} MB unpacked, more than any SMPL model; it was not read")
        with open_npz(path) as npz:
            return {key: npz[key] for key in KEYS.intersection(npz.files)}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ChorosError(f"{path}: not an npz of plain arrays ({error}); give SMPL's own file") from error


def _read_pickle(path: Path) -> Mapping[str, Any]:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ChorosError(f"{path}: {size >> 20} MB, more than any SMPL model; it was not read")
    content = load_pickle(path, "give SMPL's own file", _stand_in)
    if not isinstance(content, dict):
        raise ChorosError(f"{path}: a pickle of something other than SMPL's dictionary; give SMPL's own file")
    return content


class _Held:
    """Stands for any chumpy or scipy.sparse object: keeps what it was pickled with, runs nothing."""

    def __init__(self, *args: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.state = state if isinstance(state, dict) else {}


def _stand_in(module: str, name: str) -> Any:
    if module == "chumpy" or module.startswith("chumpy."):
        return _Held
    if module in ("scipy.sparse.csc", "scipy.sparse._csc") and name == "csc_matrix":
        return _Held
    return None


def _plain(value: Any) -> np.ndarray:
    """A numpy array out of an array, a sparse matrix or a chumpy object."""
    if isinstance(value, _Held):
        s = value.state
        if "indptr" in s:
            shape = s["_shape"] if "_shape" in s else s["shape"]
            if np.prod(shape, dtype=np.float64) > MAX_BYTES // 8:
                raise ValueError(f"a sparse matrix of {shape}")
            columns = (s["data"], s["indices"], s["indptr"])
            return np.asarray(sparse.csc_matrix(columns, shape=shape).toarray())
        if "idxs" in s:  # chumpy.reordering.Select
            chosen = _plain(s["a"]).ravel()[_plain(s["idxs"]).astype(np.int64)]
            return chosen.reshape(s["preferred_shape"]) if s.get("preferred_shape") is not None else chosen
        return np.asarray(s["x"])
    array = np.asarray(value)
    if array.dtype == object:
        raise ValueError("objects in place of numbers")
    return array
