"""Human3.6M: one person in a laboratory with four cameras.

`read_human36m` reads the official 3D and 2D positions of a video, `read_human36m_npz` the npz of selected frames
that SPIN and mmpose keep. The latter, and the cameras, are checked against a real excerpt; of the official CDF
files only the layout that other projects document was known.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from choros.datasets.hmr_npz import SPIN24, read_rows
from choros.datasets.official import Official
from choros.datasets.sample import Floats, PersonLabel, Sample, Samples, intrinsics, rigid
from choros.errors import ChorosError

HUMAN36M = Official(
    "Human3.6M",
    "vision.imar.ro/human3.6m (Poses D3 Positions mono, Poses D2 Positions, Videos)",
    "academic use only, as agreed to on registration",
)

#: The 17 of 32 joints that evaluations use, in Human3.6M's own order.
H36M17 = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "spine",
    "thorax", "h36m_jaw", "h36m_head", "left_shoulder", "left_elbow", "left_wrist", "right_shoulder",
    "right_elbow", "right_wrist",
)  # fmt: skip
_OF_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
_FPS = 50


def read_human36m(positions_3d: Path, cameras: Path | None = None) -> Samples:
    """The frames of one video, from ``.../S1/*D3_Positions_mono/Directions 1.54138969.cdf``.

    The 2D positions are looked for in ``*D2_Positions`` beside that folder, the video in the subject's
    ``Videos``. CDF files take the package cdflib; ``.cdf.mat``, their form saved by MATLAB, do not. cameras is
    the ``cameras.pkl`` of mmpose's conversion of the official camera parameters: with it samples have K and
    T_world_camera (K is without the lens's distortion, which the 2D positions have: up to some px at the edge).
    """
    stem = positions_3d.name.removesuffix(".mat").removesuffix(".cdf")
    folder = positions_3d.parent
    subject = folder.parent.parent if folder.parent.name == "MyPoseFeatures" else folder.parent
    path_2d = folder.parent / folder.name.replace("D3_Positions_mono", "D2_Positions") / positions_3d.name
    joints_m = _positions(positions_3d, 3) / 1000
    points_px = _positions(path_2d, 2)
    with HUMAN36M.reading(path_2d):
        if len(points_px) != len(joints_m):
            raise ValueError(f"{len(points_px)} frames for {len(joints_m)} of {positions_3d.name}")
    seen = np.ones((len(points_px), len(H36M17), 1))
    keypoints = np.concatenate([points_px, seen], axis=2)
    with HUMAN36M.reading(cameras or positions_3d):
        view = _views(cameras)[subject.name, stem.rsplit(".", 1)[-1]] if cameras else Sample()

    def build(frame: int) -> Sample:
        person = PersonLabel(
            subject.name,
            keypoints_px=keypoints[frame],
            keypoint_names=H36M17,
            joints_m=joints_m[frame],
            joint_names=H36M17,
        )
        return replace(
            view,
            image=subject / "Videos" / f"{stem}.mp4",
            frame=frame,
            sequence=f"{subject.name} {stem}",
            time_s=frame / _FPS,
            people=(person,),
        )

    return HUMAN36M.samples(positions_3d, len(joints_m), build, f"{subject.name} {stem}")


def read_human36m_npz(labels: Path, images: Path, cameras: Path | None = None) -> Samples:
    """Selected frames as SPIN's (24 keypoints, SMPL fits) or mmpose's (17) npz lists them.

    Pictures are named ``S1_Directions_1.54138969_000001.jpg``; with cameras (see `read_human36m`) the view is
    looked up by subject and camera in that name. SMPL's translation is not in these files.
    """
    rows = read_rows(HUMAN36M, labels, H36M17, SPIN24)
    views = _views(cameras) if cameras else None

    def build(row: int) -> Sample:
        name = rows.image(row)
        video, frame = Path(name).stem.rsplit("_", 1)
        subject, camera = video.split("_", 1)[0], video.rsplit(".", 1)[-1]
        return replace(
            views[subject, camera] if views else Sample(),
            image=images / name,
            frame=int(frame) - 1,
            sequence=video,
            people=(replace(rows.person(row), identity=subject),),
        )

    return HUMAN36M.samples(labels, len(rows), build)


def _positions(path: Path, axes: int) -> Floats:  # (frames, 17, axes) mm or px
    """The variable Pose of a CDF file, or ``data`` of its MATLAB form: (frames, 32 x axes)."""
    if path.suffix == ".mat":
        content: Any = HUMAN36M.mat(path, ["data"])["data"]
        content = content.item() if content.dtype == object else content
    else:
        content = _cdf(HUMAN36M.there(path))
    with HUMAN36M.reading(path):
        joints = np.asarray(content, dtype=np.float64).reshape(-1, 32, axes)
        return joints[:, _OF_32]


def _cdf(path: Path) -> Any:
    try:
        cdflib: Any = import_module("cdflib")
    except ImportError as error:
        raise ChorosError(
            f"{path}: a CDF file, which takes cdflib to read; install choros[datasets], or save the variable Pose from "
            f"MATLAB as data in {path.name}.mat"
        ) from error
    with HUMAN36M.reading(path):
        return cdflib.CDF(path).varget("Pose")


def _views(path: Path) -> dict[tuple[str, str], Sample]:
    """The parts of a sample that each camera gives, by subject and camera, metres.

    In the file T is the camera's place in the world and R its axes there.
    """
    content = HUMAN36M.pickle(path)
    with HUMAN36M.reading(path):
        return {
            key: Sample(
                size_px=(int(about["w"]), int(about["h"])),
                K=intrinsics(about["f"], about["c"]),
                T_world_camera=rigid(about["R"], about["T"]),
            )
            for key, about in content.items()
        }
