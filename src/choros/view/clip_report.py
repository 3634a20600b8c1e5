"""One page on a clip: the film with people drawn over it, the same in 3D, who did what when, and what it is all worth.

The page needs no server and fetches nothing. Its 3D view is the page of ``html_page``, inside; its figures are those
of ``motion_report``. Needs matplotlib, the extra ``plots``.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from fractions import Fraction
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from choros.errors import ChorosError
from choros.mesh.colours import colour_of
from choros.motion import Motion
from choros.motion.actions import action_intervals
from choros.outputs import atomic_write
from choros.view.film import Film
from choros.view.html_page import write_page
from choros.view.limits_told import limits_of
from choros.view.motion_report import DEFAULT_JOINTS, INK, QUIET, check_matplotlib, figures_of, svg_of
from choros.view.overlay import render_video

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from choros.body import BodyModel

#: Row, start and end in seconds, colour, opacity.
Bar = tuple[int, float, float, tuple[float, ...], float]
CONTACT = "contact"  # in the name of an extra that tells which parts of the feet stand
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; media-src data:; connect-src data: blob:; frame-src 'self'">
<title>{title}</title>
<style>
body {{ margin: 32px auto; max-width: 1060px; padding: 0 24px; color: #2b2f38; background: #fff;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
h1 {{ font-size: 24px; margin: 0; }} h2 {{ font-size: 17px; margin: 36px 0 4px; }}
p {{ margin: 4px 0 12px; color: #6d7380; max-width: 46em; }} svg {{ width: 100%; height: auto; }}
li {{ max-width: 46em; margin: 3px 0; }}
video, iframe {{ display: block; width: 100%; border: 1px solid #dfe2e8; border-radius: 8px; background: #f3f4f7; }}
video {{ max-height: min(76vh, 560px); }} code {{ color: #2b2f38; }} iframe {{ height: min(620px, 90vh); }}
.id {{ display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .45em; }}
@media (max-width: 640px) {{ body {{ margin: 16px auto; padding: 0 12px; }} }}
</style></head><body>
<h1>{title}</h1><p>{about}</p>
{sections}
</body></html>
"""  # noqa: E501


def write_clip_report(
    motion: Motion,
    path: str | Path,
    title: str,
    video: str | Path | None = None,
    joints: Sequence[str] = DEFAULT_JOINTS,
    body: BodyModel | None = None,
    progress: Callable[[str, int, int], Any] = lambda what, done, total: None,
) -> None:
    """Write the page ``path`` on a motion and, where it is given, the ``video`` that it was tracked in.

    ``joints`` are names of ``motion_report.JOINTS``. ``body`` is the embedded light body unless given.
    ``progress(what, done, total)`` is called as the work goes on. Raises ``ChorosError`` without matplotlib, if nobody
    is in the motion, and as ``write_page`` and ``render_video`` do.
    """
    check_matplotlib(path)
    if not len(motion.rows):
        raise ChorosError(f"nobody is in {title}, so there is nothing to report.")
    figures = figures_of(motion, joints, body)
    sections = [_list("Quality and limits", limits_of(motion))]
    if video is not None:
        film = _film(motion, video, body, progress)
        sections.append(f"<h2>The clip</h2><p>Dashed: predicted, not seen.</p>{film}")
    progress("3D", 0, 1)
    sections.append(
        "<h2>In 3D</h2><p>Drag to turn; the button <i>keys</i> tells the rest.</p>"
        + _in_3d(motion, title, body)
    )
    sections.append(
        "<h2>Who is there when</h2><p>Full colour: seen. Pale: predicted, not seen.</p>" + figures.timeline
    )
    sections += _actions(motion)
    sections += _contacts(motion)
    sections.append(f"<h2>Paths from above</h2><p>{figures.paths_about}</p>{figures.paths}")
    sections.append(f"<h2>Joint angles</h2><p>{figures.angles_about}</p>{figures.people}")
    page = PAGE.format(title=escape(title), about=escape(figures.about), sections="\n".join(sections))
    with atomic_write(path) as file:
        file.write(page.encode())


def _list(heading: str, sentences: Sequence[str]) -> str:
    items = (re.sub(r"`(.+?)`", r"<code>\1</code>", escape(one)) for one in sentences)
    return f"<h2>{heading}</h2><ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def _film(
    motion: Motion, video: str | Path, body: BodyModel | None, progress: Callable[[str, int, int], Any]
) -> str:
    """The video with everybody drawn over it, small, in a form that every browser plays."""
    from choros.video import VideoWriter

    with TemporaryDirectory() as folder:
        drawn, small = Path(folder) / "drawn.mp4", Path(folder) / "small.webm"
        render_video(
            motion, video, drawn, body, progress=lambda done, total: progress("drawing", done, total)
        )
        film = Film.of(drawn, motion)
        height, width = film.image(0).shape[:2]
        times_s = film.time_s - film.time_s[0]
        apart_s = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0
        rate = Fraction(1 / apart_s).limit_denominator(1000)
        with VideoWriter(small, width // 2 * 2, height // 2 * 2, rate) as writer:
            for number, time_s in enumerate(times_s):
                image = film.image(number)[: height // 2 * 2, : width // 2 * 2]
                writer.write(np.ascontiguousarray(image), Fraction(time_s).limit_denominator(10**6))
        data = b64encode(small.read_bytes()).decode()
    return f'<video controls loop muted playsinline src="data:video/webm;base64,{data}"></video>'


def _in_3d(motion: Motion, title: str, body: BodyModel | None) -> str:
    with TemporaryDirectory() as folder:
        page = Path(folder) / "view.html"
        write_page([(title, motion)], page, body)
        inside = page.read_text()
    return f'<iframe title="People in 3D" srcdoc="{escape(inside)}"></iframe>'


def _actions(motion: Motion) -> list[str]:
    """Bars of what everybody does, where the motion has actions."""
    found = action_intervals(motion)
    if not found:
        return []
    names = list(dict.fromkeys((one.person, one.action) for one in found))
    bars = [
        (
            names.index((one.person, one.action)),
            one.start_s,
            one.end_s,
            _colour(one.person),
            max(0.3, one.score),
        )
        for one in found
    ]
    labels = [f"person {person}: {action}" for person, action in names]
    return ["<h2>Actions</h2><p>Surer is fuller.</p>" + svg_of(_bars(motion, labels, bars))]


def _contacts(motion: Motion) -> list[str]:
    """Bars of standing feet, where the motion's extras tell of them."""
    sections = []
    for name, values in motion.extras.items():
        if CONTACT not in name or values.dtype.kind not in "fb":
            continue
        parts = values.reshape(len(values), -1).astype(float)
        told = motion.header.provenance.get(name)
        count = parts.shape[1]
        names = told if isinstance(told, list) and len(told) == count else [f"{k + 1}" for k in range(count)]
        labels: list[str] = []
        bars: list[Bar] = []
        frame_s = 1 / float(motion.fps)
        for person in motion.ids.tolist():
            mine = np.flatnonzero(motion.row_person == person)
            frames = motion.row_frame[mine]
            for part, called in enumerate(names):
                standing = np.zeros(len(motion) + 2, bool)
                standing[frames[parts[mine, part] > 0.5] + 1] = True
                edges = np.flatnonzero(np.diff(standing)).reshape(-1, 2)
                bars += [
                    (len(labels), motion.pts_s[a], motion.pts_s[b - 1] + frame_s, _colour(person), 1.0)
                    for a, b in edges
                ]
                labels.append(f"person {person}: {called}")
        sections.append("<h2>Feet on the ground</h2>" + svg_of(_bars(motion, labels, bars)))
    return sections


def _bars(motion: Motion, labels: list[str], bars: list[Bar]) -> Figure:
    """Rows of bars over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 0.6 + 0.24 * max(len(labels), 1)), layout="constrained")
    ax = figure.subplots()
    for row, start_s, end_s, colour, opacity in bars:
        ax.broken_barh(
            [(start_s, end_s - start_s)], (row - 0.34, 0.68), facecolors=colour, alpha=opacity, linewidth=0
        )
    ax.set_yticks(range(len(labels)), labels, color=INK)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.set_xlim(float(motion.pts_s[0]), float(motion.pts_s[-1]) + 1 / float(motion.fps))
    ax.set_xlabel("time in s", color=QUIET)
    ax.tick_params(axis="y", length=0)
    return figure


def _colour(person: int) -> tuple[float, ...]:
    return tuple(part / 255 for part in colour_of(person))
