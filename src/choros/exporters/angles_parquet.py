"""The table of joint angles as an Apache Parquet file, by the package pyarrow."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from choros.exporters.angles import angle_table
from choros.exporters.formats import ExportOptions
from choros.motion import Motion
from choros.outputs import atomic_write

UNITS = {"_deg": "degree", "_s": "second"}


def write_angles_parquet(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """``angles.angle_table``, null where an angle cannot be told; a column's unit is in its metadata, ``unit``.

    Raises ``ChorosError`` as ``cast_of`` does.
    """
    arrays, fields = [], []
    for name, column in angle_table(motion, options or ExportOptions()).items():
        arrays.append(pa.array(column, from_pandas=True))
        unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), None)
        fields.append(pa.field(name, arrays[-1].type, metadata={"unit": unit} if unit else None))
    about = {"source": motion.header.source, "system": motion.header.system}
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=about))
    with atomic_write(path) as file:
        pq.write_table(table, file)
    return [path]
