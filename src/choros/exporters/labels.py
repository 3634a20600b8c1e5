"""What a system saw in the image, as COCO's and PoseTrack21's JSON: for their tools of evaluation and labelling.

Points that it saw are its evidence, others those of the bodies. The coordinates are those of the two forms
(``choros.exporters.coco``), whatever space is asked for. Images have the numbers of the source's frames
(``Motion.number_from_1``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.body.cast import QUARTER_TURN, cast_of
from choros.camera import project_in_front
from choros.errors import ChorosError
from choros.exporters.coco import CocoFile, PoseTrackFile, posetrack_points
from choros.exporters.formats import ExportOptions
from choros.exporters.points import keypoints_m
from choros.motion import Motion
from choros.skeleton import KEYPOINT_SETS, POSETRACK15
from choros.video.frame import Picture

#: Evidence that is surer than this makes a keypoint seen; what ``choros.keypoints.oks`` asks for.
SURE = 0.2
HEAD = [POSETRACK15.index(name) for name in ("head_bottom", "head_top")]


def write_coco(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """Everybody as COCO annotations with a ``score``; the list of them is what COCO's evaluation takes.

    Keypoints are the system's evidence, seen (2), where it is sure, else the body's, hidden (1). ``visible``
    false tells that the person was predicted in that frame.

    Raises ``ChorosError`` as ``cast_of`` does, and where the motion does not tell its camera's place.
    """
    out = CocoFile(motion.width, motion.height)
    pictures: Sequence[Picture | None] = motion.pictures or [None] * len(motion)
    frames = _frames(motion, path, options or ExportOptions(), "coco17")
    for picture, (number, rows, bodies_px) in zip(pictures, frames, strict=True):
        out.frame(number, picture)
        for row, body_px in zip(rows, bodies_px, strict=True):
            seen = row["keypoints_px"][:, 2] > SURE
            points_px = np.where(seen[:, None], row["keypoints_px"][:, :2], body_px)
            about = {"score": float(row["confidence"]), "visible": bool(row["visible"])}
            out.person(int(row["person"]), row["box_px"], points_px, seen, **about)
    out.save(path)
    return [path]


def write_posetrack(motion: Motion, path: Path, options: ExportOptions | None = None) -> list[Path]:
    """Everybody as PoseTrack21 takes predictions: tracks, and ``scores`` of the keypoints.

    Keypoints are the system's evidence; the head's two, which COCO-17 lacks, are the body's, as sure as the
    person is. Whoever was predicted, not seen (``visible`` false), has a box and no keypoints.

    Raises ``ChorosError`` as ``write_coco`` does, and for a body that has no top of the head.
    """
    last = int(motion.ids.max(initial=0))
    name = path.name.removesuffix(".json").removesuffix(".posetrack")
    out = PoseTrackFile(name, motion.width, motion.height, len(motion), last)
    pictures: Sequence[Picture | None] = motion.pictures or [None] * len(motion)
    frames = _frames(motion, path, options or ExportOptions(), "posetrack15")
    for picture, (number, rows, bodies_px) in zip(pictures, frames, strict=True):
        out.frame(number, len(rows) > 0, np.zeros((0, 4)), picture)
        for row, body_px in zip(rows, bodies_px, strict=True):
            points, head_px = np.zeros((17, 3)), np.zeros((2, 3))
            if row["visible"]:
                points[:] = row["keypoints_px"]
                if np.isfinite(body_px[HEAD]).all():
                    head_px[:, :2], head_px[:, 2] = body_px[HEAD], row["confidence"]
            scores = posetrack_points(points, head_px)[:, 2]
            points[:, 2], head_px[:, 2] = points[:, 2] > 0, head_px[:, 2] > 0
            about = {"scores": scores.tolist(), "visible": bool(row["visible"])}
            out.person(int(row["person"]), row["box_px"], head_px, points, **about)
    out.save(path)
    return [path]


def _frames(
    motion: Motion, path: Path, options: ExportOptions, keypoints: str
) -> Iterator[tuple[int, NDArray[np.void], NDArray[np.float64]]]:
    """Number of each frame, its rows (n,) and the keypoints of their bodies (n, K, 2) px, NaN behind the camera."""
    if motion.space == "world" and not motion.tells_camera:
        raise ChorosError(
            f"{path} holds places in the image, and the motion of {motion.header.source or 'this video'} "
            "does not tell where its camera was; export it in a format of 3D places."
        )
    cast = cast_of(motion, replace(options, space="camera"), up="z", may_be_empty=True)
    rows = motion.select([person.id for person in cast.people]).rows
    points_px = np.empty((len(rows), len(KEYPOINT_SETS[keypoints]), 2))
    for person in cast.people:
        points_cam = keypoints_m(cast.body, person, keypoints) @ QUARTER_TURN
        points_px[rows["person"] == person.id], _ = project_in_front(
            points_cam, cast.K[person.frame][:, None]
        )
    ends = np.searchsorted(rows["frame"], np.arange(len(motion) + 1))
    for number, (start, end) in zip(motion.number_from_1.tolist(), pairwise(ends), strict=True):
        yield number, rows[start:end], points_px[start:end]
