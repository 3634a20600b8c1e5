"""A motion whose lens nobody gave, with the lens that its people and background tell.

The whole video is looked at, which nobody can who tracks it as it comes; so this stands before the world, and tracking
itself only assumes. One lens is taken for all shots, each of which has a camera of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from choros.camera.plausible import field_deg
from choros.camera_motion.background_lines import Lines, lines_of
from choros.editing.measures import with_K
from choros.glamr.focal_from_people import FocalEstimate, FocalRules, combined, focal_from_looks
from choros.glamr.looks_at_people import looks_of
from choros.glamr.person_trajectories import PersonTrajectory
from choros.glamr.progress import Report, nobody
from choros.motion import Motion
from choros.reopening import open_again

MOST_SHOTS = 8  # whose first frame is looked at for lines; each is a seek in the video


@dataclass(frozen=True)
class Lens:
    """What was found, for ``with_lens``."""

    estimate: FocalEstimate
    better: bool  # than what was assumed


def lens_of(
    motion: Motion,
    people: Sequence[Sequence[PersonTrajectory]],
    video: str | Path | None = None,
    rules: FocalRules | None = None,
    report: Report = nobody,
) -> Lens | None:
    """What the people of a motion in camera axes say of its lens, and in its ``video`` the upright edges.

    ``people`` are those of each shot, see ``trajectories_of_shots``.
    None if nobody was seen. Raises ``ChorosError`` if the video cannot be read or is not that of the motion.
    """
    rules = rules or FocalRules()
    shots, found = motion.shots(), []
    for number, (shot, there) in enumerate(zip(shots, people, strict=True)):
        report("looking for the lens", number, len(shots))
        if there:
            looks = looks_of(shot, there)
            lines = None if video is None or number >= MOST_SHOTS else _lines(shot, video)
            found.append(focal_from_looks(looks, rules, lines))
    if not found:
        return None
    estimate = combined(found, rules)
    return Lens(estimate, estimate.better(rules))


def with_lens(motion: Motion, lens: Lens, body: Any = None) -> Motion:
    """The motion with the lens that was found, if it is better than the assumed one; the header tells either.

    ``body`` as of ``Motion.joints``.
    """
    assumed_px = float(motion.K[0, 0, 0])
    if lens.better:
        K = motion.K[0].copy()
        K[:2, :2] *= lens.estimate.times
        motion = with_K(motion, K, body)
    header = motion.header.told(
        K_source="estimated" if lens.better else "assumed",
        focal_assumed_px=assumed_px,
        focal_spread=round(lens.estimate.spread, 4),
    )
    return replace(motion, header=header)


def sentence_on_lens(motion: Motion) -> str:
    """What ``with_lens`` did to a motion, for people to read; empty if nobody looked for the lens."""
    spread = motion.header.focal_spread
    if spread is None or not len(motion):
        return ""
    longer = max(motion.width, motion.height)
    now = field_deg(longer, motion.K[0, 0, 0])
    before = field_deg(longer, motion.header.provenance["focal_assumed_px"])
    if motion.header.K_source == "estimated":
        return f"lens of {now:.0f} degrees by people (focal length ± {spread:.0%}); {before:.0f} were assumed"
    return (
        f"lens of {before:.0f} degrees is assumed; people say too little of it (focal length ± {spread:.0%})"
    )


def _lines(shot: Motion, video: str | Path) -> Lines | None:
    """Of the first frame of a shot, outside of its people."""
    with open_again(video, shot, float(shot.pts_s[0])) as reader:
        frame = next(iter(reader), None)
    if frame is None:
        return None
    return lines_of(frame.image, shot.box_px[shot.row_frame == 0].astype(np.float64))
