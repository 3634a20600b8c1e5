"""C3D, the file of motion capture laboratories (c3d.org), written by the package ezc3d: everybody's markers."""

from __future__ import annotations

from pathlib import Path

import ezc3d
import numpy as np

from choros.body.cast import Cast, cast_of
from choros.errors import ChorosError
from choros.exporters.formats import ExportOptions
from choros.exporters.points import MARKERS, markers_m, over_time
from choros.motion import Motion
from choros.motion.actions import action_intervals
from choros.motion.resampling import places
from choros.outputs import atomic_path

MOST_FRAMES = 65_535  # that the header can count


def write_c3d(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """One file of all frames, at the constant rate of ``Motion.evenly``: points ``person_1:left_knee``, mm, z up.

    Its first frame has the source's number (``Motion.number_from_1``), or 1 where the format cannot count to the
    last one's. Points of people who are not there have residual -1. A point was seen by camera 1 or, where its person
    was predicted, by none (the camera mask). The analogue channels, one sample a frame, are ``time_s`` since the first
    frame and ``person_1:confidence``. Raises ``ChorosError`` as ``cast_of`` does, for a body without landmarks, and for
    more frames than the format can count.
    """
    count = round(places(motion.frames, motion.fps).max(initial=0)) + 1
    if count > MOST_FRAMES:
        raise ChorosError(
            f"{path} cannot hold {count} frames, C3D counts {MOST_FRAMES}; export trc, or a part of the motion."
        )
    cast = cast_of(motion.evenly(), options or ExportOptions(), up="z")
    names = [person.name for person in cast.people]
    points_mm, seen, channels = _points(cast)
    absent = np.isnan(points_mm[:1])

    out = ezc3d.c3d()
    out["parameters"]["POINT"]["LABELS"]["value"] = [
        f"{name}:{marker}" for name in names for marker in MARKERS
    ]
    out["parameters"]["POINT"]["UNITS"]["value"] = ["mm"]
    out["parameters"]["POINT"]["RATE"]["value"] = [float(cast.fps)]
    first = int(motion.number_from_1[0])
    if 0 < first <= MOST_FRAMES + 1 - count:
        out["header"]["points"]["first_frame"] = first - 1  # ezc3d counts from 0, the file from 1
    out["data"]["points"] = np.concatenate([points_mm, np.ones_like(points_mm[:1])])
    cameras = np.zeros((7, *seen.shape), bool)
    cameras[0] = seen
    out["data"]["meta_points"] = {"residuals": np.where(absent, -1.0, 0.0), "camera_masks": cameras}
    out["parameters"]["ANALOG"]["LABELS"]["value"] = ["time_s", *(f"{name}:confidence" for name in names)]
    out["parameters"]["ANALOG"]["UNITS"]["value"] = ["s", *[""] * len(names)]
    out["parameters"]["ANALOG"]["RATE"]["value"] = [float(cast.fps)]
    out["data"]["analogs"] = channels[None]
    out.add_parameter("POINT", "X_SCREEN", "+X")
    out.add_parameter("POINT", "Y_SCREEN", "+Z")
    out.add_parameter("SUBJECTS", "USES_PREFIXES", [1])
    out.add_parameter("SUBJECTS", "USED", [len(names)])
    out.add_parameter("SUBJECTS", "NAMES", names)
    out.add_parameter("SUBJECTS", "LABEL_PREFIXES", [f"{name}:" for name in names])
    _add_events(out, motion, cast)
    with atomic_path(path) as part:
        out.write(str(part))
    return [path]


def _add_events(out: ezc3d.c3d, motion: Motion, cast: Cast) -> None:
    """What people do, if the motion tells (`choros actions`): an event where an action begins, one where it ends."""
    names = {person.id: person.name for person in cast.people}
    found = [one for one in action_intervals(motion) if one.person in names]
    if not found:
        return
    start = float(motion.pts_s[0])
    events = sorted(
        (time_s - start, names[one.person], f"{one.action} {what}")
        for one in found
        for time_s, what in ((one.start_s, "begins"), (one.end_s, "ends"))
    )
    out.add_parameter("EVENT", "USED", [len(events)])
    out.add_parameter("EVENT", "CONTEXTS", ["General"] * len(events))
    out.add_parameter("EVENT", "SUBJECTS", [name for _, name, _ in events])
    out.add_parameter("EVENT", "LABELS", [label for _, _, label in events])
    # Minutes and seconds (c3d.org): the file's clock begins with its first frame.
    out.add_parameter("EVENT", "TIMES", np.array([[t // 60, t % 60] for t, _, _ in events]).T)


def _points(cast: Cast) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(3, P M, T) mm, NaN where people are not there; (P M, T) whether seen; (1 + P, T) time and confidence."""
    points, seen, channels = [], [], [cast.time_s]
    for person in cast.people:
        over_all = over_time(cast, person, 1000 * markers_m(cast.body, person))  # (T, M, 3)
        points.append(over_all.transpose(2, 1, 0))
        in_sight = over_time(cast, person, person.visible) == 1
        seen.append(np.tile(in_sight, (len(MARKERS), 1)))
        channels.append(np.nan_to_num(over_time(cast, person, person.confidence)))
    return np.concatenate(points, axis=1), np.concatenate(seen), np.stack(channels)
