"""Who does what when, as a picture: a row for each action of each person. Needs matplotlib, the extra ``plots``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from choros.errors import ChorosError
from choros.mesh.colours import colour_of
from choros.motion import Motion
from choros.motion.actions import ActionInterval
from choros.outputs import atomic_path

#: Inches: of the picture's width, and of each row and what is around them.
WIDTH, ROW, AROUND = 10.0, 0.22, 0.9


def write_timeline(motion: Motion, found: Sequence[ActionInterval], path: Path) -> None:
    """Write the picture ``path`` of what was ``found`` that people of a motion do; surer is fuller.

    Raises ``ChorosError`` without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ChorosError(
            f"{path} cannot be drawn without matplotlib; run `pip install choros[plots]`."
        ) from error
    rows = list(dict.fromkeys((one.person, one.action) for one in found))
    figure = Figure(figsize=(WIDTH, AROUND + ROW * max(len(rows), 1)), layout="constrained")
    ax = figure.subplots()
    for one in found:
        colour = "#{:02x}{:02x}{:02x}".format(*colour_of(one.person))
        bar = [(one.start_s, one.end_s - one.start_s)]
        ax.broken_barh(
            bar,
            (rows.index((one.person, one.action)) - 0.36, 0.72),
            facecolors=colour,
            alpha=max(0.3, one.score),
            linewidth=0,
        )
    ax.set_yticks(range(len(rows)), [f"person {person}: {action}" for person, action in rows], fontsize=8)
    ax.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    ends = motion.pts_s[-1:].tolist() or [1.0]
    ax.set_xlim(float(motion.pts_s[0]) if len(motion) else 0.0, ends[0] + 1e-3)
    ax.set_xlabel("time in s")
    ax.grid(axis="x", color="#e7e9ee")
    ax.set_axisbelow(True)
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)
    ax.tick_params(axis="y", length=0)
    with atomic_path(path) as part:
        figure.savefig(part, format="png", dpi=150)
