"""A video of several shots, each a world of its own: taken apart before the global optimisation, and put together.

Nothing is known of where one shot's camera stood from another's, so floor and origin are each shot's own, and what
the background says over a cut counts for nothing; but where the background of an earlier shot is recognised
(``camera_motion.place_recognition``), the camera is that shot's, and so are floor and origin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.camera_motion.camera_path import CameraPath, turned_camera
from choros.camera_motion.evidence import CameraEvidence, GroundEvidence
from choros.glamr.world_motion import FOOT_CONTACT
from choros.motion import Motion
from choros.motion.extras import with_extras

Floats = NDArray[np.float64]

#: A camera that shows nobody is level, looks along y and stands this high, as somebody holds it.
EYE_M = 1.6
UNKNOWN = "unknown"  # what is said of it

MOVES_SHARE = 0.2  # of the frames whose background shows that the camera went about, for one that may
LEVEL = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])


class Shot(NamedTuple):
    """Frames of one shot, and what is known of its camera."""

    start: int  # its first frame in the video
    motion: Motion
    evidence: CameraEvidence | None
    given: CameraPath | None


def shots_of(motion: Motion, evidence: CameraEvidence | None, given: CameraPath | None) -> Iterator[Shot]:
    """The shots of a motion, in order; one that was never cut is all one."""
    end = 0
    for part in motion.shots():
        start, end = end, end + len(part)
        yield Shot(
            start,
            part,
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


def in_the_same_place(shot: Shot, worlds: Sequence[Motion], again: Mapping[int, tuple[int, Floats]]) -> Shot:
    """The shot with its camera given, if it stands where that of an earlier shot did, one of ``worlds``."""
    if shot.given is not None or shot.evidence is None or shot.start not in again:
        return shot
    frame, R_then_now = again[shot.start]
    went = shot.evidence.went
    if (
        went is not None
        and went.any()
        and np.average(went, weights=shot.evidence.weight + 1e-9) > MOVES_SHARE
    ):
        return shot
    for world in worlds:
        if frame < len(world):
            break
        frame -= len(world)
    if not world.camera_known[frame]:
        return shot
    T = world.T_world_camera[frame]
    R = T[:3, :3] @ R_then_now @ turned_camera(len(shot.motion), shot.evidence)
    return shot._replace(given=CameraPath(R, np.tile(T[:3, 3], (len(R), 1))))


def empty_world(shot: Shot) -> Motion:
    """A shot in which nobody is seen: its camera is the given one, or stands and turns as the background says."""
    frames = shot.motion.frames.copy()
    frames["T_world_camera"], frames["camera_known"] = np.eye(4), shot.given is not None
    if shot.given is not None:
        R, place = shot.given.R_world_camera, shot.given.place_m
    else:
        R, place = LEVEL @ turned_camera(len(frames), shot.evidence), np.array([0, 0, EYE_M])
    frames["T_world_camera"][:, :3, :3], frames["T_world_camera"][:, :3, 3] = R, place
    said = {"camera": "given" if shot.given is not None else UNKNOWN}
    header = shot.motion.header
    header = replace(header, space="world", provenance=header.provenance | {"world": said})
    rows = with_extras(shot.motion.rows[:0], {FOOT_CONTACT: np.zeros((0, 4), np.float32)})
    return Motion(header, frames, rows)


def recognised(world: Motion) -> Motion:
    """The world of a shot whose camera was given by an earlier one, which it says."""
    said = world.header.provenance["world"] | {"camera": "recognised"}
    return replace(world, header=replace(world.header, provenance=world.header.provenance | {"world": said}))


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
