"""The bench of real footage as tables to read: one for each kind of row, a line for each system."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from choros.evaluation.real.result import Result

if TYPE_CHECKING:
    from rich.table import Table

#: A column: key of the metrics, heading, factor, decimals.
Column = tuple[str, str, float, int]

#: What each kind of table shows, and of which rows.
TABLES: dict[str, tuple[tuple[str, ...], tuple[Column, ...]]] = {
    "bodies in 3D": (
        ("pose2sim", "pictures3d"),
        (
            ("pa_mpjpe_mm", "PA-\nMPJPE\nmm", 1, 1),
            ("mpjpe_mm", "\nMPJPE\nmm", 1, 1),
            ("body_px", "body\noff\npx", 1, 1),
            ("eyes_px", "eyes\noff\npx", 1, 1),
            ("missed", "\n\nmissed", 1, 0),
            ("Human3.6M pa_mpjpe_mm", "Human-\n3.6M\nmm", 1, 1),
            ("MPI-INF-3DHP pa_mpjpe_mm", "MPI-\n3DHP\nmm", 1, 1),
        ),
    ),
    "knees and elbows of Pose2Sim's views, degrees": (
        ("pose2sim",),
        (
            ("knee_rms_deg", "knee\nRMS", 1, 1),
            ("knee_r", "corre-\nlation", 1, 2),
            ("knee_agreement_deg", "between\nviews", 1, 1),
            ("knee_median_deg", "\nmedian", 1, 0),
            ("knee_true_median_deg", "\n(true)", 1, 0),
            ("knee_p5_deg", "5th\ncentile", 1, 0),
            ("knee_true_p5_deg", "\n(true)", 1, 0),
            ("elbow_rms_deg", "elbow\nRMS", 1, 1),
            ("elbow_r", "corre-\nlation", 1, 2),
            ("elbow_agreement_deg", "between\nviews", 1, 1),
        ),
    ),
    "people in pictures, %": (
        ("lsp_extended", "coco_bysa", "fixtures"),
        (
            ("people", "\npeople", 1, 0),
            ("found", "\nfound", 100, 1),
            ("extra", "more\nshown", 1, 0),
            ("pck_05", "PCK\n@.05", 100, 1),
            ("pck_10", "PCK\n@.1", 100, 1),
            ("eyes_pck_05", "eyes\n@.05", 100, 1),
            ("eyes_pck_10", "eyes\n@.1", 100, 1),
            ("oks", "\nOKS", 100, 1),
        ),
    ),
    "identities": (
        ("vtest",),
        (
            ("HOTA", "\nHOTA", 100, 1),
            ("IDF1", "\nIDF1", 100, 1),
            ("MOTA", "\nMOTA", 100, 1),
            ("id_switches", "\nswitches", 1, 0),
            ("HOTA_seen", "seen\nHOTA", 100, 1),
            ("IDF1_seen", "seen\nIDF1", 100, 1),
            ("HOTA_401_795", "2nd half\nHOTA", 100, 1),
            ("IDF1_401_795", "2nd half\nIDF1", 100, 1),
            ("ground_error_m", "ground\nm", 1, 2),
        ),
    ),
    "clips without truth": (
        ("clips",),
        (
            ("agreement", "agree-\nment %", 100, 1),
            ("found", "\nfound %", 100, 1),
            ("ids", "\nids", 1, 0),
            ("jitter_m_s3", "jitter\nm/s³", 1, 1),
        ),
    ),
}


def tables(results: Sequence[Result]) -> list[Table]:
    """A table for each kind of which some row was asked for, in the order of ``TABLES``."""
    made = []
    for title, (rows, columns) in TABLES.items():
        mine = [result for result in results if result.row in rows]
        if mine:
            made.append(_table(title, mine, columns))
    return made


def _table(title: str, results: Iterable[Result], columns: Sequence[Column]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=title, title_justify="left")
    for heading in ("footage", "system"):
        table.add_column(heading, overflow="fold")
    for column in columns:
        table.add_column(column[1], justify="right", no_wrap=True)
    for result in results:
        if result.needs is not None:
            table.add_row(result.label, f"not measured (needs {result.needs})")
            continue
        cells = [
            cell(result.metrics.get(key, math.nan), factor, places) for key, _, factor, places in columns
        ]
        table.add_row(result.label, result.system, *cells)
    return table


def cell(value: float, factor: float, decimals: int) -> str:
    """A number of a table; a dash where the measure does not apply."""
    return f"{value * factor:.{decimals}f}" if math.isfinite(value) else "-"
