"""A report of a motion on one page: who is there when, where they went, and how their joints bent.

Needs matplotlib, the extra ``plots``; the figures are SVG inside the page. Angles are those of swing and twist: a
joint's turn is one about the bone that it moves (twist) after one about an axis across it (swing), which has no
singular poses but for bones turned right round.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.body.cast import Cast, CastPerson, camera_runs, cast_of, unbroken
from choros.errors import ChorosError
from choros.mesh.colours import colour_of
from choros.motion import Motion
from choros.outputs import atomic_write
from choros.rotation import quat_wxyz_to_rotvec, rotvec_composition, rotvec_to_quat_wxyz
from choros.skeleton import JOINT_NAMES
from choros.view.grounding import shown_options

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from choros.body import BodyModel

Floats = NDArray[np.float64]

DEFAULT_JOINTS = ("hip", "knee", "shoulder", "elbow")
ANGLES = ("flexion", "sideways", "twist")
#: Of the limbs, both sides; of the trunk, one.
JOINTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist", "spine1", "spine2", "spine3", "neck", "head")
ARM = ("shoulder", "elbow", "wrist")
#: Joints that flex about +x: shins go back, what is above the trunk's joints goes forward. Hips and ankles flex
#: about -x, arms about y.
FLEX_ABOUT_X = ("knee", "spine1", "spine2", "spine3", "neck", "head")

INK, QUIET, GRID = "#2b2f38", "#6d7380", "#e7e9ee"
# Text stays text; ids within the file do not differ from one run to the next.
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "choros", "font.family": "sans-serif", "font.size": 9,
    "axes.edgecolor": QUIET, "axes.labelcolor": QUIET, "xtick.color": QUIET, "ytick.color": QUIET,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": GRID,
    "axes.axisbelow": True,
}  # fmt: skip
ANGLES_ABOUT = (
    "Degrees from the T-pose, of a joint against the body part before it. Flexion: hips and shoulders forward, knees "
    "and elbows bent, toes up, trunk and head forward. Sideways: away from the body; trunk and head to their left. "
    "Twist: inwards; trunk and head to their left. Pale grey: predicted, not seen."
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<style>
body {{ margin: 32px auto; max-width: 1060px; padding: 0 24px; color: #2b2f38; background: #fff;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
h1 {{ font-size: 24px; margin: 0; }} h2 {{ font-size: 17px; margin: 36px 0 4px; }}
p {{ margin: 4px 0 12px; color: #6d7380; max-width: 46em; }} svg {{ width: 100%; height: auto; }}
.id {{ display: inline-block; width: .8em; height: .8em; border-radius: 50%; margin-right: .45em; }}
</style></head><body>
<h1>{title}</h1><p>{about}</p>
<h2>Who is there when</h2>
<p>Full colour: seen. Pale: predicted, not seen.</p>{timeline}
<h2>Paths from above</h2><p>{paths_about}</p>{paths}
<h2>Joint angles</h2>
<p>{angles_about}</p>
{people}
</body></html>
"""


def write_report(
    motion: Motion,
    path: str | Path,
    title: str,
    joints: Sequence[str] = DEFAULT_JOINTS,
    people: Sequence[int] = (),
    body: BodyModel | None = None,
) -> None:
    """Write the page ``path``. ``joints`` are names of ``JOINTS``; no ``people`` means everybody.

    ``body`` is the embedded light body unless given. Raises ``ChorosError`` without matplotlib, for joints and
    people that there are not, and as ``cast_of`` does.
    """
    check_matplotlib(path)
    if people:
        for identity in people:
            motion.person(identity)
        motion = motion.select(people)
    figures = figures_of(motion, joints, body)
    page = PAGE.format(title=escape(title), **figures._asdict() | {"about": escape(figures.about)})
    with atomic_write(path) as file:
        file.write(page.encode())


def check_matplotlib(path: str | Path) -> None:
    """Raise ``ChorosError`` where figures of a page ``path`` cannot be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ChorosError(
            f"{path} cannot be drawn without matplotlib; run `pip install choros[plots]`."
        ) from error


class Figures(NamedTuple):
    """What a page shows of a motion: SVG, but for the words on it."""

    about: str  # plain text
    timeline: str
    paths_about: str
    paths: str
    angles_about: str
    people: str  # a heading and curves of everybody


def figures_of(motion: Motion, joints: Sequence[str], body: BodyModel | None = None) -> Figures:
    """Timeline, paths and joint angles. Raises ``ChorosError`` for unknown joints, and as ``cast_of`` does."""
    import matplotlib

    for joint in joints:
        if joint not in JOINTS:
            raise ChorosError(f"there are no angles of a joint {joint}; choose from {', '.join(JOINTS)}.")
    cast = cast_of(motion, shown_options(motion, body))
    with matplotlib.rc_context(STYLE):
        sections = []
        for person in cast.people:
            colour = "#{:02x}{:02x}{:02x}".format(*colour_of(person.id))
            figure = angle_curves(person, cast, joints)
            sections.append(
                f'<h2><span class="id" style="background:{colour}"></span>Person {person.id}</h2>{svg_of(figure)}'
            )
        return Figures(
            about=_about(motion, cast),
            timeline=svg_of(timeline(cast)),
            paths_about=_paths_about(cast),
            paths=svg_of(paths_from_above(cast)),
            angles_about=ANGLES_ABOUT,
            people="\n".join(sections),
        )


def joint_angles(
    rotvec: NDArray[np.floating[Any]],  # (n, 24, 3) axis-angle of each joint in its parent, SMPL's axes, rad
    joint: str,  # of JOINT_NAMES, such as left_knee
) -> Floats:  # (n, 3) degrees: flexion, sideways, twist
    """How far a joint is from where it is in the T-pose; the page says which way is positive."""
    turn = np.asarray(rotvec[:, JOINT_NAMES.index(joint)], np.float64)
    side, _, kind = joint.rpartition("_")
    along = 0 if kind in ARM else 1  # arms lie along x in the T-pose, all else along y
    wxyz = rotvec_to_quat_wxyz(turn)
    about_bone = np.zeros((len(rotvec), 4))
    about_bone[:, [0, 1 + along]] = wxyz[:, [0, 1 + along]]
    about_bone[np.hypot(*about_bone[:, [0, 1 + along]].T) < 1e-9, 0] = 1.0  # right round: any twist would do
    twist = quat_wxyz_to_rotvec(about_bone)
    swing = rotvec_composition(turn, -twist)
    mirror = -1.0 if side == "right" else 1.0
    sideways = swing[:, 2] * (mirror if side else -1.0)
    inwards = twist[:, along]
    if kind in ARM:
        flexion = -mirror * swing[:, 1]
    else:
        flexion = swing[:, 0] * (1.0 if kind in FLEX_ABOUT_X else -1.0)
        inwards = inwards * (-mirror if side else 1.0)
    return np.degrees(np.stack([flexion, sideways, inwards], axis=1))


# --- figures ----------------------------------------------------------------------------------------


def timeline(cast: Cast) -> Figure:
    """A bar for each person; pale where they are predicted and not seen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 0.6 + 0.28 * len(cast.people)), layout="constrained")
    ax = figure.subplots()
    frame_s = 1 / float(cast.fps)
    for row, person in enumerate(cast.people):
        for spells, alpha in ((person.stretches(), 0.3), (_seen(person), 1.0)):
            spans = [_span_s(person, start, end, frame_s) for start, end in spells]
            bars = [(start, end - start) for start, end in spans]
            ax.broken_barh(bars, (row - 0.32, 0.64), facecolors=_colour(person), alpha=alpha, linewidth=0)
    ax.set_yticks(range(len(cast.people)), [f"person {person.id}" for person in cast.people])
    ax.set_ylim(len(cast.people) - 0.5, -0.5)
    ax.set_xlim(0, cast.time_s[-1] + frame_s)
    ax.set_xlabel("time in s")
    ax.grid(axis="y", visible=False)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return figure


def paths_from_above(cast: Cast) -> Figure:
    """Where pelvises and the camera went, metres; the video's first view looks up the page in camera space."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    ax = figure.subplots()
    for person in cast.people:
        across, along = person.pelvis[:, 0], -person.pelvis[:, 2]
        for start, end in unbroken(person, cast):
            ax.plot(across[start:end], along[start:end], color=_colour(person), linewidth=1.8)
        for start, end in person.unseen():
            ax.plot(across[start:end], along[start:end], color="white", linewidth=1, linestyle=(0, (1, 2)))
        ax.plot(across[0], along[0], "o", color=_colour(person), markersize=4)
        ax.annotate(
            str(person.id),
            (across[-1], along[-1]),
            (5, 5),
            textcoords="offset points",
            color=INK,
            weight="bold",
        )
        ax.plot(across[-1], along[-1], "o", color="white", markeredgecolor=_colour(person), markersize=6)
    if cast.T_file_camera is not None:
        across, along = cast.T_file_camera[:, 0, 3], -cast.T_file_camera[:, 2, 3]
        for start, end in camera_runs(cast):
            ax.plot(across[start:end], along[start:end], color=QUIET, linewidth=1)
        first = int(np.argmax(cast.camera_known))
        begins, ahead = (across[first], along[first]), cast.T_file_camera[first, :3, 2]
        ax.plot(*begins, "s", color=INK, markersize=5)
        ax.annotate("camera", begins, (8, -4), textcoords="offset points", color=QUIET)
        ax.quiver(
            *begins, ahead[0], -ahead[2],
            color=QUIET, angles="xy", scale_units="xy", scale=1.5, width=0.003,
        )  # fmt: skip
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.08)
    ax.set_xlabel("m")
    ax.set_ylabel("m")
    return figure


def angle_curves(person: CastPerson, cast: Cast, joints: Sequence[str]) -> Figure:
    """A row for each joint, a column for each angle; left and right limbs in one picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 0.5 + 1.35 * len(joints)), layout="constrained")
    axes = figure.subplots(len(joints), len(ANGLES), sharex=True, sharey="row", squeeze=False)
    frame_s = 1 / float(cast.fps)
    for row, kind in zip(axes, joints, strict=True):
        sides = ("",) if kind in JOINT_NAMES else ("left", "right")
        for side in sides:
            name = f"{side}_{kind}" if side else kind
            angles = joint_angles(person.rotvec, name)
            for ax, curve in zip(row, angles.T, strict=True):
                _curve(ax, person, unbroken(person, cast), curve, side)
        for ax in row:
            for start, end in person.unseen():
                ax.axvspan(*_span_s(person, start, end, frame_s), color="#f0f1f4", linewidth=0)
            ax.axhline(0, color=QUIET, linewidth=0.6)
        row[0].set_ylabel(kind)
    for ax, name in zip(axes[0], ANGLES, strict=True):
        ax.set_title(name, loc="left", color=INK, fontsize=10)
    for ax in axes[-1]:
        ax.set_xlabel("time in s")
        ax.set_xlim(0, cast.time_s[-1] + frame_s)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if labels:
        figure.legend(handles, labels, loc="upper right", ncols=2, frameon=False)
    return figure


def _curve(ax: Axes, person: CastPerson, spells: list[tuple[int, int]], angle_deg: Floats, side: str) -> None:
    """A line through some spells, as rows; the right side's is darker and dashed."""
    label = side or None
    for start, end in spells:
        ax.plot(
            person.time_s[start:end], angle_deg[start:end], label=label,
            color=INK if side == "right" else _colour(person), linestyle="--" if side == "right" else "-",
            linewidth=1.0 if side == "right" else 1.5,
        )  # fmt: skip
        label = None


def _seen(person: CastPerson) -> Iterator[tuple[int, int]]:
    """Stretches in which they were seen, as rows."""
    for start, end in person.stretches():
        visible = person.visible[start:end]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], visible, [False]]).astype(np.int8)))
        yield from zip((start + edges[::2]).tolist(), (start + edges[1::2]).tolist(), strict=True)


def _span_s(person: CastPerson, start: int, end: int, frame_s: float) -> tuple[float, float]:
    """From the first of some rows to the end of the last one's frame."""
    return float(person.time_s[start]), float(person.time_s[end - 1]) + frame_s


def _colour(person: CastPerson) -> tuple[float, ...]:
    return tuple(part / 255 for part in colour_of(person.id))


def svg_of(figure: Figure) -> str:
    """A figure as text for a page."""
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(text, format="svg", metadata={"Date": None})
    whole = text.getvalue()
    return whole[whole.index("<svg") :]


def _about(motion: Motion, cast: Cast) -> str:
    count = len(cast.people)
    parts = [
        PurePath(motion.header.source).name,  # whoever gets the page need not know whose folder it was
        f"{count} {'person' if count == 1 else 'people'}",
        f"{len(motion)} frames, {cast.time_s[-1] + 1 / float(cast.fps):.1f} s",
        motion.header.system,
    ]
    return " · ".join(filter(None, parts))


def _paths_about(cast: Cast) -> str:
    where = (
        "in the world"
        if cast.space == "world"
        else "before the camera of each frame, which looks up the page"
    )
    unknown = int((~cast.camera_known).sum())
    camera = "" if not unknown else f" The camera is not known in {unknown} of {len(cast.time_s)} frames."
    return f"Metres, {where}. A dot: where the path begins; a ring: where it ends; dotted: predicted, not seen.{camera}"
