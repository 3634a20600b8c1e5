"""A motion, or several, as one HTML file that needs no server: people in 3D over time, to turn and to scrub.

The people are the GLB of ``choros.exporters``, so that what the page shows is what other software gets. The page is
``data/page.html`` with its style and script, and three.js as ``tools/bundle_three.py`` packs it.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from choros.body.cast import Cast, curve_keys
from choros.exporters.glb import write_glb
from choros.mesh.colours import PALETTE, colour_of
from choros.motion import Motion
from choros.outputs import atomic_write
from choros.view.film import Film
from choros.view.grounding import grounded, shown_options

if TYPE_CHECKING:
    from choros.body import BodyModel

MOST_POSES = 60_000  # of one motion, in full; a browser takes some seconds for as many
THINNED_FPS = 10  # poses a second of a motion that has more


def write_page(
    motions: Sequence[tuple[str, Motion]],  # with the name that each is shown by
    path: str | Path,
    body: BodyModel | None = None,
    video: str | Path | None = None,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> None:
    """Write ``path``, the motions on one floor beside each other; times are those since the earliest start.

    ``body`` is the embedded light body unless given. ``video``, that of the first motion, is seen behind people
    through its camera, as small pictures. ``progress(done, total)`` is called after each motion. Raises
    ``ChorosError`` if nobody is in a motion, the body is not a motion's, or the video cannot be read or has no
    picture of its time.
    """
    first_s = min(float(motion.pts_s[0]) if len(motion) else 0.0 for _, motion in motions)
    content: dict[str, Any] = {"about": _about([motion for _, motion in motions]), "motions": []}
    first = motions[0][1]
    content["frames"] = {
        "first_s": first_s,
        "times_s": (first.pts_s - first_s).tolist(),
        "numbers": first.number.tolist(),
    }
    content["colours"] = ["#{:02x}{:02x}{:02x}".format(*colour_of(one)) for one in range(len(PALETTE))]
    for done, (name, motion) in enumerate(motions, 1):
        content["motions"].append(_shown(name, motion, body, first_s))
        progress(done, len(motions))
    if video is not None:
        film = Film.of(video, motions[0][1])
        times_s = (film.time_s + content["motions"][0]["start_s"]).tolist()
        content["pictures"] = {"times_s": times_s, "jpegs": [b64encode(each).decode() for each in film.jpegs]}
    title = ", ".join(name for name, _ in motions)
    parts = {
        "title": escape(title),
        "css": _part("page.css"),
        # In a script element only "<" could be taken for HTML.
        "data": json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"),
        "three": _part("three.min.js"),
        "edit": _part("edit.js"),
        "script": _part("page.js"),
    }
    page = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _part("page.html"))
    with atomic_write(path) as file:
        file.write(page.encode())


def _shown(name: str, motion: Motion, body: BodyModel | None, first_s: float) -> dict[str, Any]:
    """What data/page.js reads of a motion; of a long one some poses a second, between which the page leads people."""
    if len(motion.rows) > MOST_POSES and not motion.header.photos and motion.fps > THINNED_FPS:
        motion = motion.at_rate(THINNED_FPS)
    options = shown_options(motion, body)
    cast, T_ground_file = grounded(motion, options)
    with TemporaryDirectory() as folder:
        (glb,) = write_glb(motion, Path(folder) / "motion.glb", options)
        data = glb.read_bytes()
    return {
        "name": name,
        "glb": b64encode(data).decode(),
        "ground": T_ground_file.T.ravel().tolist(),  # in columns, as three.js has matrices
        "fps": float(cast.fps),
        "start_s": float(motion.pts_s[0]) - first_s,
        "duration_s": float(cast.time_s[-1]) + 1 / float(cast.fps),
        "camera_unknown_s": _unknown_s(cast),
        "cuts": {
            "camera": _cuts(cast, np.arange(len(cast.time_s))),
            **{str(person.id): _cuts(cast, person.frame) for person in cast.people},
        },
    }


def _cuts(cast: Cast, frame: NDArray[np.integer[Any]]) -> list[int]:
    """The keys with which other shots begin, of a curve in the GLB through some frames (n,)."""
    keys, _ = curve_keys(cast, frame)
    again = np.flatnonzero(np.diff(keys) == 0) + 1  # the last frame of a shot, for the second time
    return (again + 1).tolist()


def _unknown_s(cast: Cast) -> list[list[float]]:
    """Spells in which nobody knows where the camera was: start and end of each, seconds."""
    changes = np.flatnonzero(np.diff(~cast.camera_known, prepend=False, append=False))
    begins_s = np.append(cast.time_s, cast.time_s[-1] + 1 / float(cast.fps))
    return begins_s[changes].reshape(-1, 2).tolist()


def _about(motions: Sequence[Motion]) -> str:
    """A line below the title."""
    first, count = motions[0], len(motions[0].ids)
    people = f"{count} {'person' if count == 1 else 'people'}" if len(motions) == 1 else ""
    size = f"{first.width} x {first.height} px, {float(first.fps):.4g} frames/s"
    return " · ".join(filter(None, [first.header.system, Path(first.header.source).name, size, people]))


def _part(name: str) -> str:
    return (files("choros.view") / "data" / name).read_text(encoding="utf-8")
