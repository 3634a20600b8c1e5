"""BEDLAM: synthetic people in synthetic scenes, one npz of labels a scene.

Reads the processed labels, for SMPL (``all_npz_12_smpl_training``) and for SMPL-X (``all_npz_12_training``) alike.
The layout is that of the project's own processing scripts; no real file was seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.datasets.official import Official
from choros.datasets.sample import PersonLabel, Sample, Samples, SmplPose, square_box
from choros.skeleton import JOINT_NAMES

BEDLAM = Official(
    "BEDLAM",
    "bedlam.is.tue.mpg.de (processed labels, images)",
    "non-commercial research only, as agreed to on registration",
)
_NEEDED = ("imgname", "center", "scale", "pose_cam", "shape", "trans_cam", "cam_int", "cam_ext")
_WANTED = ("gtkps", "gender", "sub")
_SCALE_PX = 200  # a box's side over 200 px
_SHARED_JOINTS = 22  # SMPL and SMPL-X name the same first joints


def read_bedlam(labels: Path, images: Path) -> Samples:
    """The labelled pictures of one scene; images is its folder ``png`` that holds ``seq_NNNNNN``.

    In the file a body is posed by ``pose_cam`` and ``trans_cam`` and then moved by the camera's ``cam_ext``; transl
    is the sum. Identity is the subject's name (``sub``). Keypoints are the first 22 or 24 joints projected,
    whether hidden or not. SMPL-X labels keep 10 of their betas and no hands (`SmplPose.model` is "smplx").
    Scenes named ``closeup`` are stored lying on their side: see `Sample.quarter_turns_cw`.
    """
    rows = BEDLAM.npz(labels, _NEEDED, _WANTED)
    with BEDLAM.reading(labels):
        names, first = np.unique(rows["imgname"], return_index=True)
        by_picture: dict[str, list[int]] = {str(name): [] for name in names[np.argsort(first)]}
        for row, name in enumerate(rows["imgname"]):
            by_picture[str(name)].append(row)
        pictures = list(by_picture)
        smplx = rows["pose_cam"].shape[1] != 72
    joint_names = JOINT_NAMES[:_SHARED_JOINTS] if smplx else JOINT_NAMES

    def person(row: int) -> PersonLabel:
        keypoints = None
        if "gtkps" in rows:
            points_px = rows["gtkps"][row][: len(joint_names), :2].astype(np.float64)
            keypoints = np.concatenate([points_px, np.ones((len(joint_names), 1))], axis=1)
        return PersonLabel(
            identity=str(rows["sub"][row]) if "sub" in rows else None,
            box_px=square_box(rows["center"][row], rows["scale"][row] * _SCALE_PX),
            keypoints_px=keypoints,
            keypoint_names=joint_names if keypoints is not None else (),
            smpl=SmplPose(
                rows["pose_cam"][row, :3].astype(np.float64),
                _body_pose(rows["pose_cam"][row], smplx),
                rows["shape"][row, :10].astype(np.float64),
                (rows["trans_cam"][row] + rows["cam_ext"][row][:3, 3]).astype(np.float64),
                str(rows["gender"][row]) if "gender" in rows else "neutral",
                "smplx" if smplx else "smpl",
            ),
        )

    def build(index: int) -> Sample:
        name = pictures[index]
        mine = by_picture[name]
        K = rows["cam_int"][mine[0]].astype(np.float64)
        return Sample(
            image=images / name,
            frame=int(Path(name).stem.rsplit("_", 1)[-1]),
            sequence=f"{labels.stem} {Path(name).stem.rsplit('_', 1)[0]}",
            size_px=(round(2 * K[0, 2]), round(2 * K[1, 2])),
            K=K,
            people=tuple(person(row) for row in mine),
            quarter_turns_cw=int("closeup" in labels.stem),
        )

    return BEDLAM.samples(labels, len(pictures), build)


def _body_pose(pose: NDArray[np.floating], smplx: bool) -> NDArray[np.float64]:  # (69,)
    body = np.zeros(69)
    end = 3 * _SHARED_JOINTS if smplx else 72
    body[: end - 3] = pose[3:end]
    return body
