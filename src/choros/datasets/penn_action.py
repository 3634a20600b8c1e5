"""Penn Action: one person at sports or exercises in each of 2,326 clips, thirteen keypoints, one MATLAB file a clip.

``train`` in a clip's file says which part it is of; there is no third. The layout is that of the set's README (Zhang et
al. 2013); no real file was seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from choros.datasets.official import Official
from choros.datasets.sample import PersonLabel, Sample, Samples

PENN_ACTION = Official(
    "Penn Action",
    "dreamdragon.github.io/PennAction (Penn_Action.tar.gz)",
    "research only, as its README says",
)

PENN13 = (
    "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip",
    "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip

#: MATLAB counts pixels from 1; their centres lie at number - 1/2.
_SHIFT_PX = -0.5

Split = Literal["train", "test"]


def penn_action_clips(folder: Path, split: Split) -> list[Path]:
    """The label files, ``labels/0001.mat`` and so on, of one part of ``Penn_Action``, in order."""
    return [
        path
        for path in sorted(PENN_ACTION.there(folder / "labels").glob("*.mat"))
        if _split_of(path) == split
    ]


def read_penn_action(labels: Path, frames: Path) -> Samples:
    """The frames of one clip; ``frames`` is the set's folder of that name, with ``0001/000001.jpg``.

    A keypoint that is not visible is labelled where the annotators take it to be; one at (1, 1) and not visible is
    outside the picture, and not labelled. Passers-by are not labelled. The file's boxes are left alone.
    """
    content = PENN_ACTION.mat(labels, ["action", "nframes", "dimensions", "x", "y", "visibility"])
    with PENN_ACTION.reading(labels):
        count = int(np.ravel(content["nframes"])[0])
        action = str(np.ravel(content["action"])[0])
        height, width = (int(side) for side in np.ravel(content["dimensions"])[:2])
        points = np.stack([np.asarray(content[name], np.float64) for name in ("x", "y", "visibility")], -1)
        if points.shape != (count, len(PENN13), 3):
            raise ValueError(f"{points.shape[:2]} keypoints of {count} frames")
    name = labels.stem

    def build(frame: int) -> Sample:
        visible = points[frame, :, 2] > 0
        labelled = visible | (points[frame, :, :2] > 1).any(-1)
        keypoints = (
            np.concatenate([points[frame, :, :2] + _SHIFT_PX, labelled[:, None]], -1) * labelled[:, None]
        )
        person = PersonLabel(
            name, keypoints_px=keypoints, keypoint_names=PENN13, keypoints_visible=visible, actions=(action,)
        )
        return Sample(
            image=frames / name / f"{frame + 1:06d}.jpg",
            frame=frame,
            sequence=name,
            size_px=(width, height),
            people=(person,),
        )

    return PENN_ACTION.samples(labels, count, build, name)


def _split_of(path: Path) -> Split:
    """``train`` of a clip is 1, else -1."""
    content = PENN_ACTION.mat(path, ["train"])
    with PENN_ACTION.reading(path):
        return "train" if int(np.ravel(content["train"])[0]) == 1 else "test"
