"""Pictures of how systems did: errors over time, timelines of identities, and PCK curves.

Needs matplotlib, the extra ``plots``; figures are drawn without a window and written as PNG. Colours tell
systems apart in curves and predicted identities in timelines.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from choros.errors import ChorosError
from choros.evaluation.benchmark import Run
from choros.evaluation.compare import Comparison

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Shares of the crop at which PCK curves are drawn.
THRESHOLDS = np.linspace(0, 0.2, 41)

_TOP_MM = 400  # where error curves end; nobody reads more from them than that it is wrong
_HIDDEN = "0.86"  # grey behind people whom nobody can see


def plot_runs(runs: Sequence[Run], folder: Path) -> list[Path]:
    """Draw all pictures of the runs into ``folder`` and return their paths.

    ``pck_DATA.png`` for each data set; ``errors_DATA_CLIP.png`` and ``identities_DATA_CLIP.png`` for each clip,
    all systems in each. Raises ChorosError without matplotlib.
    """
    check_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for data in dict.fromkeys(run.data for run in runs):
        here = [run for run in runs if run.data == data]
        name = "".join(c if c.isalnum() else "_" for c in Path(data).name)
        paths.append(_write(pck_curves(here), folder / f"pck_{name}.png"))
        for number, clip in enumerate(here[0].clips):
            if not all(run.comparisons[number] for run in here):  # no truth, or nobody to follow
                continue
            clips = {run.system: one_after_another(run.comparisons[number]) for run in here}
            for what, figure in (("errors", error_curves(clips)), ("identities", identity_timelines(clips))):
                figure.suptitle(clip)
                paths.append(_write(figure, folder / f"{what}_{name}_{clip}.png"))
    return paths


def check_matplotlib() -> None:
    """Raises ChorosError, naming the extra, if matplotlib is not installed."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ChorosError("plots need matplotlib; run: pip install 'choros[plots]'.") from error


def error_curves(clips: dict[str, Comparison]) -> "Figure":
    """MPJPE over time of everyone found, a row for each true person, a line for each system.

    Grey: the person is in the image and nobody can see them. A line ends where the person is not found.
    """
    first = next(iter(clips.values()))
    people = np.unique(first.asked["person"])
    figure, axes = _rows_of_axes(len(people), height_in=1.1)
    top_mm = min(max(clip.mpjpe_mm.max(initial=100) for clip in clips.values()), _TOP_MM)
    for person, ax in zip(people, axes, strict=True):
        for start, end in _spells(_frames(first.asked, person, visible=False)):
            ax.axvspan(start / first.fps, end / first.fps, color=_HIDDEN, linewidth=0)
        for number, (system, clip) in enumerate(clips.items()):
            mine = clip.true["person"] == person
            course = np.full(clip.n_frames, np.nan)
            course[clip.true["frame"][mine]] = clip.mpjpe_mm[mine]
            time_s = (np.arange(clip.n_frames) + 0.5) / clip.fps
            ax.plot(time_s, course, ".-", color=f"C{number}", linewidth=1.2, markersize=2.5, label=system)
        ax.set_ylim(0, 1.05 * top_mm)
        ax.set_ylabel(f"person {person}", rotation=0, ha="right", va="center")
    axes[0].set_title("MPJPE in mm; grey: hidden", loc="left")
    axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(clips), frameon=False)
    _time_axis(axes[-1], first)
    return figure


def identity_timelines(clips: dict[str, Comparison]) -> "Figure":
    """Who was called what, when: for each system a row for each true person, coloured by the predicted identity.

    Light grey: in the image and not found; a tick marks a switch, when somebody gets another identity than at
    their last match. The thin grey line below a bar marks when nobody can see the person.
    """
    first = next(iter(clips.values()))
    people = np.unique(first.asked["person"])
    figure, axes = _rows_of_axes(len(clips), height_in=0.5 + 0.32 * len(people))
    for ax, (system, clip) in zip(axes, clips.items(), strict=True):
        switches = 0
        for row, person in enumerate(people):
            _bars(ax, _frames(clip.asked, person), row, clip.fps, color="0.9")
            _bars(ax, _frames(clip.asked, person, visible=False), row + 0.41, clip.fps, 0.08, color="0.5")
            mine = clip.true["person"] == person
            order = np.argsort(clip.true["frame"][mine])
            frame, called = clip.true["frame"][mine][order], clip.said["person"][mine][order]
            for identity in np.unique(called):
                _bars(ax, frame[called == identity], row, clip.fps, color=_colour(int(identity)))
            for start, end in _spells(frame, called):
                if end - start > 0.02 * clip.n_frames:  # in a shorter spell there is no room for its name
                    name = str(called[frame == start][0])
                    ax.text((start + 1) / clip.fps, row, name, va="center", fontsize=7, clip_on=True)
            new = frame[1:][np.diff(called) != 0]
            ax.plot(new / clip.fps, np.full(len(new), row), "k|", markersize=15, markeredgewidth=2)
            switches += len(new)
        ax.set_yticks(range(len(people)), [f"person {person}" for person in people])
        ax.set_ylim(len(people) - 0.4, -0.6)
        ax.set_title(f"{system}, id switches: {switches}", loc="left")
    _time_axis(axes[-1], first)
    axes[-1].set_xlabel("time in s        light grey: not found, dark line: hidden, tick: another identity")
    return figure


def pck_curves(runs: Sequence[Run]) -> "Figure":
    """Share of the visible true keypoints of found people that come nearer than a share of the crop."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=120, layout="constrained")
    ax = figure.subplots()
    for run in runs:
        clips = [clip for parts in run.comparisons for clip in parts]
        if clips:
            sums = np.array([[clip.pck(float(t)) for t in THRESHOLDS] for clip in clips]).sum(axis=0)
            ax.plot(THRESHOLDS, 100 * sums[:, 0] / np.maximum(sums[:, 1], 1), label=run.system)
    ax.set(xlim=(0, THRESHOLDS[-1]), ylim=(0, 100), xlabel="threshold, share of the crop", ylabel="PCK, %")
    ax.set_title(Path(runs[0].data).name, loc="left")
    ax.grid(color="0.9")
    ax.legend(loc="lower right", frameon=False)
    return figure


def one_after_another(windows: Sequence[Comparison]) -> Comparison:
    """The windows of an unrolled clip as one clip, as far as it is drawn."""
    starts = np.cumsum([0, *(window.n_frames for window in windows)])

    def joined(name: str) -> np.ndarray:
        parts = [getattr(window, name).copy() for window in windows]
        for part, start in zip(parts, starts, strict=False):
            part["frame"] += start
        return np.concatenate(parts)

    return replace(
        windows[0],
        n_frames=int(starts[-1]),
        asked=joined("asked"),
        true=joined("true"),
        said=joined("said"),
        mpjpe_mm=np.concatenate([window.mpjpe_mm for window in windows]),
    )


def _rows_of_axes(rows: int, height_in: float) -> "tuple[Figure, list[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 0.9 + height_in * max(rows, 1)), dpi=120, layout="constrained")
    axes = figure.subplots(max(rows, 1), 1, sharex=True, squeeze=False)[:, 0]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def _time_axis(ax: "Axes", clip: Comparison) -> None:
    ax.set_xlim(0, clip.n_frames / clip.fps)
    ax.set_xlabel("time in s")


def _frames(rows: np.ndarray, person: int, visible: bool | None = None) -> np.ndarray:
    """Frames in which a person has a row, (n,) int; visible: only those in which they can or cannot be seen."""
    keep = rows["person"] == person
    if visible is not None:
        keep &= rows["visible"] == visible
    return np.sort(rows["frame"][keep])


def _spells(frames: np.ndarray, called: np.ndarray | None = None) -> Iterator[tuple[int, int]]:
    """First frame and the one after the last of each unbroken run of frames (n,), and of one name if given."""
    if not len(frames):
        return
    breaks = np.diff(frames) != 1
    if called is not None:
        breaks |= np.diff(called) != 0
    for run in np.split(frames, np.flatnonzero(breaks) + 1):
        yield int(run[0]), int(run[-1]) + 1


def _bars(
    ax: "Axes", frames: np.ndarray, at: float, fps: float, height: float = 0.7, *, color: object
) -> None:
    spans = [(start / fps, (end - start) / fps) for start, end in _spells(frames)]
    ax.broken_barh(spans, (at - height / 2, height), facecolors=color, linewidth=0)


def _colour(identity: int) -> tuple[float, float, float]:
    """A light colour of its own for every identity; neighbours in number are far apart in hue."""
    from matplotlib.colors import hsv_to_rgb

    red, green, blue = hsv_to_rgb(((identity * 0.618034) % 1, 0.45, 0.95))
    return float(red), float(green), float(blue)


def _write(figure: "Figure", path: Path) -> Path:
    figure.savefig(path)
    return path
