"""PoseTrack18 and PoseTrack21: one JSON a video, in COCO's form with tracks and ignore regions.

Frames of both sets are partly labelled: look at `Sample.labelled`. Checked against three real files of
PoseTrack18's validation set; PoseTrack21 follows its published description of the format and was not seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from choros.datasets.coco import by_image, flat_keypoints, keypoint_names
from choros.datasets.official import Official
from choros.datasets.sample import Floats, PersonLabel, Sample, Samples, box_from_xywh

POSETRACK = Official(
    "PoseTrack",
    "posetrack.net (2018) or, with an access token, github.com/anDoer/PoseTrack21 (2021)",
    "research only, as agreed to on request",
)


def read_posetrack(annotations: Path, root: Path) -> Samples:
    """The frames of one video, ``annotations/val/*.json`` or ``posetrack_data/val/*.json``.

    root is the folder that ``images/`` lies in. Keypoints are the file's own 17 (15 with two ears that nobody
    labelled), coordinates as they stand; PoseTrack21's people without keypoints have a box only. The identity
    is ``track_id``. A frame counts as labelled if it has keypoints or, in PoseTrack21, boxes.
    """
    content = POSETRACK.json(annotations)
    with POSETRACK.reading(annotations):
        names = keypoint_names(content["categories"][0]["keypoints"])
        people, frames = by_image(content["annotations"]), content["images"]

    def build(index: int) -> Sample:
        frame = frames[index]
        size = (frame["width"], frame["height"]) if "width" in frame else None
        regions = zip(frame.get("ignore_regions_x", ()), frame.get("ignore_regions_y", ()), strict=True)
        return Sample(
            image=root / frame["file_name"],
            frame=index,
            sequence=annotations.stem,
            size_px=size,
            people=tuple(_person(label, names) for label in people.get(frame["id"], ())),
            ignore_px=tuple(polygon for x, y in regions if len(polygon := _polygon(x, y)) > 2),
            labelled=bool(frame.get("is_labeled", True) or frame.get("has_labeled_person", False)),
        )

    return POSETRACK.samples(annotations, len(frames), build)


def _polygon(x: Any, y: Any) -> Floats:  # (corners, 2)
    """A region with a single point is written without brackets; it encloses nothing."""
    return np.stack([np.atleast_1d(x), np.atleast_1d(y)], axis=1).astype(np.float64)


def _person(label: dict[str, Any], names: tuple[str, ...]) -> PersonLabel:
    has_box, has_head = label.get("bbox"), label.get("bbox_head")
    points = flat_keypoints(label["keypoints"], len(names))[0] if label.get("keypoints") else None
    return PersonLabel(
        identity=label["track_id"],
        box_px=box_from_xywh(has_box) if has_box else None,
        head_box_px=box_from_xywh(has_head) if has_head else None,
        keypoints_px=points,
        keypoint_names=names if points is not None else (),
    )
