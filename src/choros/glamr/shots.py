"""A video of several shots, of which each is a world of its own: taken apart before the global stage, and put together.

Nothing is known of where one shot's camera stood from another's, so floor and origin are each shot's own, and what
the background or a given path say over a cut counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.glamr.cameras import CameraEvidence, CameraPath, GroundEvidence, turned_camera
from choros.motion import Motion

Floats = NDArray[np.float64]

#: A camera that shows nobody is level, looks along y and stands this high, as somebody holds it.
EYE_M = 1.6
LEVEL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


class Shot(NamedTuple):
    """Frames of one shot, and what is known of its camera."""

    motion: Motion
    evidence: CameraEvidence | None
    given: CameraPath | None


def shots_of(motion: Motion, evidence: CameraEvidence | None, given: CameraPath | None) -> Iterator[Shot]:
    """The shots of a motion, in order; one that was never cut is all one."""
    starts = [0, *np.flatnonzero(np.diff(motion.shot)) + 1]
    for start, end in zip(starts, [*starts[1:], len(motion)], strict=True):
        yield Shot(
            motion[start:end] if len(starts) > 1 else motion,
            evidence and _between(evidence, start, end),
            given and CameraPath(given.R_world_camera[start:end], given.place_m[start:end]),
        )


def _between(evidence: CameraEvidence, start: int, end: int) -> CameraEvidence:
    steps = slice(start, max(end - 1, start))
    ground = evidence.ground
    return CameraEvidence(
        evidence.turn[steps],
        evidence.weight[steps],
        None if evidence.went is None else evidence.went[steps],
        ground and GroundEvidence(ground.step[steps], ground.up[steps], ground.weight[steps]),
    )


def empty_world(shot: Shot) -> Motion:
    """A shot in which nobody is seen: its camera is the given one, or stands and turns as the background says."""
    frames = shot.motion.frames.copy()
    frames["T_world_camera"] = np.eye(4)
    if shot.given is not None:
        R, place = shot.given.R_world_camera, shot.given.place_m
    else:
        R, place = LEVEL @ turned_camera(len(frames), shot.evidence), np.array([0, 0, EYE_M])
    frames["T_world_camera"][:, :3, :3], frames["T_world_camera"][:, :3, 3] = R, place
    said = {"camera": "given" if shot.given is not None else "unknown"}
    header = shot.motion.header
    header = replace(header, space="world", provenance=header.provenance | {"world": said})
    return Motion(header, frames, shot.motion.rows[:0])


def joined(worlds: Sequence[Motion]) -> Motion:
    """The shots one after the other; what is said of their cameras is said of each kind once."""
    if len(worlds) == 1:
        return worlds[0]
    tables, start = [], 0
    for world in worlds:
        rows = world.rows.copy()
        rows["frame"] += start
        tables.append(rows)
        start += len(world)
    said = [world.header.provenance["world"] for world in worlds]
    kinds = dict.fromkeys(one["camera"] for one in said)
    about = max(said, key=len) | {"camera": ", ".join(kinds), "shots": len(worlds)}
    header = worlds[0].header
    header = replace(header, provenance=header.provenance | {"world": about})
    return Motion(header, np.concatenate([world.frames for world in worlds]), np.concatenate(tables))
