"""Pictures of the bench of real footage: PCK curves, and knees and elbows over time beside the truth.

Needs matplotlib, the extra ``plots``, as `choros.evaluation.plots`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from choros.evaluation.plots import THRESHOLDS, check_matplotlib
from choros.evaluation.real.people import share_within
from choros.evaluation.real.pose2sim import ANGLES, ViewResult, flexion_deg
from choros.evaluation.real.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_FPS = 60  # of Pose2Sim's demo


def plot_real(results: Sequence[Result], folder: Path) -> list[Path]:
    """``pck_FOOTAGE.png`` of every set of labelled pictures, ``knees.png`` and ``elbows.png`` of the four views.

    All systems in each. Raises ChorosError without matplotlib.
    """
    check_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, Figure] = {}
    for label in dict.fromkeys(result.label for result in results):
        mine = [result for result in results if result.label == label and result.scores]
        if mine and mine[0].row == "pose2sim":
            figures |= {f"{limb}s": angles_over_time(mine, limb) for limb in ANGLES}
        elif mine:
            name = "_".join("".join(c if c.isalnum() else " " for c in label.lower()).split())
            figures[f"pck_{name}"] = pck_curves(mine)
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1])
    return paths


def pck_curves(results: Sequence[Result]) -> Figure:
    """Share of the labelled keypoints nearer than a share of the box: bodies, and dashed the eyes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    ax = figure.subplots()
    for number, result in enumerate(results):
        for part, style in (("body", "-"), ("eyes", ":")):
            errors = np.concatenate([getattr(score, part) for score in result.scores])
            course = [100 * share_within(errors, float(threshold)) for threshold in THRESHOLDS]
            label = result.system if part == "body" else f"{result.system}, eyes"
            ax.plot(THRESHOLDS, course, style, color=f"C{number}", label=label)
    ax.set(xlim=(0, THRESHOLDS[-1]), ylim=(0, 100), xlabel="threshold, share of the box", ylabel="PCK, %")
    ax.set_title(results[0].label, loc="left")
    ax.grid(color="0.9")
    ax.legend(loc="lower right", frameon=False)
    return figure


def angles_over_time(results: Sequence[Result], limb: str) -> Figure:
    """The angles of both limbs in every view over time, a line for each system, the truth black."""
    from matplotlib.figure import Figure

    count = len(results[0].scores)
    figure = Figure(figsize=(10, 0.9 + 1.9 * count), dpi=120, layout="constrained")
    axes = figure.subplots(count, 2, sharex=True, sharey=True, squeeze=False)
    for row in range(count):
        for column, (side, triple) in enumerate(zip(("left", "right"), ANGLES[limb], strict=True)):
            ax = axes[row, column]
            for number, result in enumerate(results):
                view: ViewResult = result.scores[row]
                time_s = view.frames / _FPS
                if not number:
                    ax.plot(time_s, flexion_deg(view.truth_cam, triple), color="black", label="truth")
                ax.plot(time_s, flexion_deg(view.body_cam, triple), color=f"C{number}", label=result.system)
            ax.set_title(f"{side} {limb}, view {row + 1}", loc="left", fontsize=9)
            ax.grid(color="0.9")
    axes[0, 0].legend(frameon=False, fontsize=8)
    axes[-1, 0].set(xlabel="time in s", ylabel="flexion, degrees")
    return figure
