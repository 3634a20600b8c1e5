"""MPI-INF-3DHP: one person before fourteen cameras (training), or outdoors and in a studio (test).

Training annotations are MATLAB files with a text of camera calibrations; the test set's are MATLAB 7.3, which takes
h5py. The layouts are those of the set's README and of other projects; only a real excerpt in mmpose's npz form,
whose 17 joints `read_mpi_inf_3dhp_npz` reads, was seen.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from choros.datasets.hmr_npz import SPIN24, read_hmr_npz
from choros.datasets.official import Official
from choros.datasets.sample import Floats, PersonLabel, Sample, Samples

MPI_INF_3DHP = Official(
    "MPI-INF-3DHP",
    "vcai.mpi-inf.mpg.de/3dhp-dataset (get_dataset.sh, get_testset.sh)",
    "non-commercial research only",
)

#: The 28 joints of the training set.
MPI28 = (
    "spine3", "spine4", "spine2", "spine", "pelvis", "neck", "head", "head_top", "left_clavicle",
    "left_shoulder", "left_elbow", "left_wrist", "left_hand", "right_clavicle", "right_shoulder",
    "right_elbow", "right_wrist", "right_hand", "left_hip", "left_knee", "left_ankle", "left_foot",
    "left_toe", "right_hip", "right_knee", "right_ankle", "right_foot", "right_toe",
)  # fmt: skip
#: The 17 joints of the test set.
MPI17 = (
    "head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "pelvis",
    "spine", "head",
)  # fmt: skip


def read_mpi_inf_3dhp(folder: Path, camera: int) -> Samples:
    """The frames of one camera (0 to 13) of a training sequence, ``S1/Seq1``.

    Joints are the metric ones (``annot3``), not those of the universal skeleton. The video is
    ``imageSequence/video_N.avi``.
    """
    path = folder / "annot.mat"
    content = MPI_INF_3DHP.mat(path, ["annot2", "annot3"])
    with MPI_INF_3DHP.reading(path):
        points_px = content["annot2"].ravel()[camera].astype(np.float64).reshape(-1, len(MPI28), 2)
        joints_m = content["annot3"].ravel()[camera].astype(np.float64).reshape(-1, len(MPI28), 3) / 1000
        if len(points_px) != len(joints_m):
            raise ValueError(f"{len(points_px)} frames in 2D, {len(joints_m)} in 3D")
    K, T_world_camera, size = _calibration(folder / "camera.calibration", camera)
    sequence = f"{folder.parent.name} {folder.name} camera {camera}"

    def build(frame: int) -> Sample:
        return Sample(
            image=folder / "imageSequence" / f"video_{camera}.avi",
            frame=frame,
            sequence=sequence,
            size_px=size,
            K=K,
            T_world_camera=T_world_camera,
            people=(_person(folder.parent.name, points_px[frame], joints_m[frame], MPI28),),
        )

    return MPI_INF_3DHP.samples(path, len(points_px), build, sequence)


def read_mpi_inf_3dhp_test(folder: Path) -> Samples:
    """The frames of a test sequence, ``TS1`` to ``TS6``; those without truth (``valid_frame``) are not labelled.

    ``annot_data.mat`` is a MATLAB 7.3 file: install choros[datasets], or save it again with -v7. Pictures are
    ``imageSequence/img_NNNNNN.jpg`` from 1.
    """
    path = folder / "annot_data.mat"
    content = MPI_INF_3DHP.mat(path, ["annot2", "annot3", "valid_frame"])
    with MPI_INF_3DHP.reading(path):
        valid = np.ravel(content["valid_frame"]).astype(bool)
        # (axes, joints, 1 person, frames) -> (frames, joints, axes)
        points_px = content["annot2"].astype(np.float64).reshape(2, len(MPI17), -1).transpose(2, 1, 0)
        joints_m = content["annot3"].astype(np.float64).reshape(3, len(MPI17), -1).transpose(2, 1, 0) / 1000
        if not len(points_px) == len(joints_m) == len(valid):
            raise ValueError(
                f"{len(points_px)} frames in 2D, {len(joints_m)} in 3D, {len(valid)} in valid_frame"
            )

    def build(frame: int) -> Sample:
        person = _person(folder.name, points_px[frame], joints_m[frame], MPI17)
        return Sample(
            image=folder / "imageSequence" / f"img_{frame + 1:06d}.jpg",
            frame=frame,
            sequence=folder.name,
            people=(person,) if valid[frame] else (),
            labelled=bool(valid[frame]),
        )

    return MPI_INF_3DHP.samples(path, len(valid), build, folder.name)


def read_mpi_inf_3dhp_npz(labels: Path, images: Path) -> Samples:
    """Selected frames as mmpose's npz (17 joints) or SPIN's (24 keypoints) lists them; see `hmr_npz`."""
    return read_hmr_npz(MPI_INF_3DHP, labels, images, MPI17, SPIN24)


def _person(subject: str, points_px: Floats, joints_m: Floats, names: tuple[str, ...]) -> PersonLabel:
    keypoints = np.concatenate([points_px, np.ones((len(names), 1))], axis=1)
    return PersonLabel(
        subject, keypoints_px=keypoints, keypoint_names=names, joints_m=joints_m, joint_names=names
    )


def _calibration(path: Path, camera: int) -> tuple[Floats, Floats, tuple[int, int]]:
    """K, T_world_camera in metres and size of one camera: blocks of named rows, matrices of 16 numbers, mm."""
    with MPI_INF_3DHP.reading(MPI_INF_3DHP.there(path)):
        lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
        starts = [i for i, words in enumerate(lines) if words == ["name", str(camera)]]
        if not starts:
            raise ValueError(f"no camera {camera}")
        block = {words[0]: words[1:] for words in lines[starts[0] + 1 : starts[0] + 7]}
        K = np.array(block["intrinsic"], dtype=np.float64).reshape(4, 4)[:3, :3]
        T_camera_world = np.array(block["extrinsic"], dtype=np.float64).reshape(4, 4)
        T_camera_world[:3, 3] /= 1000
        width, height = (int(float(n)) for n in block["size"])
        return K, np.linalg.inv(T_camera_world).astype(np.float64), (width, height)
