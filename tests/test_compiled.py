"""Compiled loops that were kept on disk."""

import os
import subprocess
import sys
from pathlib import Path

import choros

LOOP = """
from choros.compiled import compiled


@compiled
def total(table):
    sum_of_all = 0.0
    for x in table.values:
        sum_of_all += x
    return sum_of_all
"""
TABLES = """
from typing import NamedTuple

import numpy as np


class {name}(NamedTuple):
    values: np.ndarray
"""
RUN = """import numpy as np, loop, tables
print(loop.total(tables.{name}(np.arange(4.0))), len(loop.total.stats.cache_hits))"""


def test_code_for_a_class_that_is_gone_is_compiled_anew(tmp_path):
    """An upgrade changes the file that has the class, not the one that has the loop."""
    (tmp_path / "loop.py").write_text(LOOP)
    paths = os.pathsep.join([str(tmp_path), str(Path(choros.__file__).parents[1])])
    said = []
    for name in ("Table", "Table", "Record", "Record"):
        (tmp_path / "tables.py").write_text(TABLES.format(name=name))
        run = [sys.executable, "-B", "-c", RUN.format(name=name)]
        environment = {**os.environ, "PYTHONPATH": paths}
        said.append(subprocess.run(run, env=environment, capture_output=True, text=True, check=True).stdout)
    assert [line.split()[0] for line in said] == ["6.0"] * 4
    assert [line.split()[1] for line in said] == ["0", "1", "0", "1"]  # kept code that was taken
