"""Plots: every picture is written, and what they are drawn from is what happened."""

import sys

import numpy as np
import pytest

from choros.body import BodyModel
from choros.errors import ChorosError
from choros.evaluation.benchmark import Run
from choros.evaluation.compare import compare

from .truths import FPS, FRAMES, standing, swapped


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    body = BodyModel.load(detail="light")
    truth = standing(2, body)
    found = {"truth": truth, "swapped": swapped(truth)}
    windows = {name: [compare(truth, motion, body)] for name, motion in found.items()}
    return [Run(name, "folder/set", clips=["one"], comparisons=[w]) for name, w in windows.items()]


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    from choros.evaluation.plots import check_matplotlib

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "matplotlib.figure", raising=False)
    with pytest.raises(ChorosError, match=r"choros\[plots\]"):
        check_matplotlib()


def test_every_picture_is_written(runs, tmp_path):
    pytest.importorskip("matplotlib")
    from choros.evaluation.plots import plot_runs

    paths = plot_runs(runs, tmp_path / "new")
    names = ["pck_set.png", "errors_set_one.png", "identities_set_one.png"]
    assert [path.name for path in paths] == names
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


def test_switches_are_marked_where_they_happen(runs):
    pytest.importorskip("matplotlib")
    from choros.evaluation.plots import identity_timelines

    figure = identity_timelines({run.system: run.comparisons[0][0] for run in runs})
    for ax, switches in zip(figure.axes, (0, 1), strict=True):
        marks = [line.get_xdata() for line in ax.lines]
        assert [len(mark) for mark in marks] == [switches] * 2
        assert np.all(np.concatenate(marks) == FRAMES // 2 / FPS)
    assert figure.axes[1].get_title(loc="left") == "swapped, id switches: 2"


def test_errors_end_where_nobody_is_found_and_windows_follow_one_another(runs):
    pytest.importorskip("matplotlib")
    from choros.evaluation.plots import error_curves, one_after_another

    comparison = one_after_another(runs[0].comparisons[0] * 2)
    assert comparison.n_frames == 2 * FRAMES
    figure = error_curves({"truth": comparison})
    (line,) = figure.axes[1].lines
    assert len(line.get_xdata()) == 2 * FRAMES
    np.testing.assert_allclose(line.get_ydata(), 0, atol=1e-2)
    hidden = sorted(patch.get_x() for patch in figure.axes[1].patches)
    assert hidden == pytest.approx([4 / FPS, (4 + FRAMES) / FPS])
