"""Rows of a motion as parameters and skinned vertices of a body model."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body.model import BodyModel, BodyParams

CHUNK = 500  # rows skinned at once, so that a long motion needs little more memory than its answer


def params_of(rows: NDArray[np.void]) -> BodyParams:
    """What poses a body like rows (n,) ``motion.ROW``, in their space (float32, n poses)."""
    return BodyParams(
        *(torch.from_numpy(np.array(rows[name], np.float32, order="C")) for name in BodyParams._fields)
    )


def vertices_of(
    rows: NDArray[np.void], body: BodyModel | str | Path | None = None
) -> NDArray[np.float32]:  # (n,) ROW -> (n, V, 3)
    """Vertices of each row's body, metres, in the space of the rows.

    ``body`` is a model or a user's SMPL file; None is the open body. Raises ``ChorosError`` on a file that is none.
    """
    model = model_of(body)
    answer = np.empty((len(rows), model.n_vertices, 3), np.float32)
    with torch.inference_mode():
        for start in range(0, len(rows), CHUNK):
            params = params_of(rows[start : start + CHUNK])
            params = BodyParams._make(part.to(model.template) for part in params if part is not None)
            answer[start : start + CHUNK] = model.vertices(params).cpu().numpy()
    return answer


def model_of(body: BodyModel | str | Path | None) -> BodyModel:
    """A model as it is, a user's SMPL file read, the open body for None; the last ones are kept."""
    return body if isinstance(body, BodyModel) else _loaded(Path(body).resolve() if body else None)


@lru_cache(maxsize=2)
def _loaded(path: Path | None) -> BodyModel:
    return BodyModel.load(path)
