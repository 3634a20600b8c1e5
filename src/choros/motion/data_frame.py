"""A motion as one flat table, a row for each person in each frame: for pandas, polars, DuckDB and statistics.

Columns have one number each and tell their unit. Which they are stands in ``columns``; spaces, units and what is not
seen are those of ``Motion``. Extras are ``extra.score``, or ``extra.embedding.0`` and on where an entry has several.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.motion.extras import PREFIX
from choros.skeleton import COCO17, JOINT_NAMES

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from choros.motion.record import Motion


def columns(motion: Motion) -> dict[str, NDArray[Any]]:
    """Each column (N,) by its name, in order of ``motion.rows``."""
    rows, frames = motion.rows, motion.frames[motion.rows["frame"]]
    table: dict[str, NDArray[Any]] = {
        "frame": rows["frame"],
        "number": frames["number"],
        "time_s": motion.pts_s[rows["frame"]],
        "person": rows["person"],
        "visible": rows["visible"],
        "confidence": rows["confidence"],
        "gap_before": frames["gap_before"],
        "cut_before": frames["cut_before"],
    }
    turns = np.concatenate([rows["global_orient"], rows["body_pose"]], axis=1)
    joints = ("global_orient", *JOINT_NAMES[1:])
    K, evidence = frames["K"], rows["keypoints_px"].reshape(len(rows), 3 * len(COCO17))
    for names, values in (
        (("x0_px", "y0_px", "x1_px", "y1_px"), rows["box_px"]),
        (("transl_x_m", "transl_y_m", "transl_z_m"), rows["transl"]),
        ([f"{joint}_{axis}_rad" for joint in joints for axis in "xyz"], turns),
        ([f"betas_{axis}" for axis in range(10)], rows["betas"]),
        (("kid",), rows["kid"][:, None]),
        ([f"{point}_{what}" for point in COCO17 for what in ("x_px", "y_px", "confidence")], evidence),
        (("fx_px", "fy_px", "cx_px", "cy_px"), K[:, (0, 1, 0, 1), (0, 1, 2, 2)]),
    ):
        table |= dict(zip(names, values.T, strict=True))
    for name, values in motion.extras.items():
        for place in np.ndindex(values.shape[1:]):
            table[".".join((PREFIX + name, *map(str, place)))] = values[(slice(None), *place)]
    return {name: np.ascontiguousarray(column) for name, column in table.items()}


def to_pandas(motion: Motion) -> pandas.DataFrame:
    """``Motion.to_pandas``."""
    return _package("pandas").DataFrame(columns(motion))


def to_arrow(motion: Motion) -> pyarrow.Table:
    """``Motion.to_arrow``."""
    return _package("pyarrow").table(columns(motion))


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise ChorosError(f"this table needs the package {name}; run `pip install {name}`.") from error
