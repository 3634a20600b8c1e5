"""EgoHumans: groups at sports and play, seen by their glasses and by up to fifteen cameras around them.

Reads the view of an outer camera: COLMAP's cameras, and for each frame a .npy of 3D keypoints and one of SMPL by
person. The layout is that of the project's own code; no real file was seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from choros.datasets.official import Official
from choros.datasets.sample import Floats, PersonLabel, Sample, Samples, SmplPose, intrinsics, rigid
from choros.rotation import quat_wxyz_to_rotmat
from choros.skeleton import COCO17

EGOHUMANS = Official(
    "EgoHumans",
    "github.com/rawalkhirodkar/egohumans (assets/DOWNLOAD.md)",
    "the terms in its repository",
)


def read_egohumans(folder: Path, camera: str = "cam01", anchor: str = "aria01") -> Samples:
    """The frames of ``01_tagging/001_tagging`` and the like, as one outer camera sees them.

    The world is that of the anchor's glasses, metres; COLMAP's is a similarity of it, whose scale is taken out
    of the camera's place. The lenses are fisheye: K is the pinhole part of ``cameras.txt``, and points project
    where they are in the undistorted picture (``undistorted_images``, which the project's script makes) rather
    than in ``images``. SMPL is None in frames without a fit. Each camera keeps its first calibrated place, as it
    stands on a tripod.
    """
    colmap = folder / "colmap" / "workplace"
    transforms_path = colmap / "colmap_from_aria_transforms.pkl"
    transforms = EGOHUMANS.pickle(transforms_path)
    with EGOHUMANS.reading(transforms_path):
        S_colmap_world = np.asarray(transforms[anchor], dtype=np.float64)
    T_camera_colmap, camera_id = _place(colmap / "images.txt", camera)
    K, size = _lens(colmap / "cameras.txt", camera_id)
    with EGOHUMANS.reading(transforms_path):
        T_camera_world = T_camera_colmap @ S_colmap_world
        T_camera_world[:3] /= np.cbrt(np.linalg.det(S_colmap_world[:3, :3]))
        T_world_camera: Floats = np.linalg.inv(T_camera_world).astype(np.float64)
    poses = EGOHUMANS.there(folder / "processed_data" / "poses3d")
    files = sorted(poses.glob("*.npy"))
    sequence = f"{folder.parent.name}/{folder.name} {camera}"

    def build(index: int) -> Sample:
        file = files[index]
        smpl_file = folder / "processed_data" / "smpl" / file.name
        bodies = EGOHUMANS.npy(smpl_file) if smpl_file.exists() else {}
        return Sample(
            image=folder / "exo" / camera / "images" / f"{file.stem}.jpg",
            frame=int(file.stem) - 1,
            sequence=sequence,
            size_px=size,
            K=K,
            T_world_camera=T_world_camera,
            people=tuple(
                _person(name, joints, bodies.get(name), T_camera_world)
                for name, joints in sorted(EGOHUMANS.npy(file).items())
            ),
        )

    return EGOHUMANS.samples(poses, len(files), build, sequence)


def _person(name: str, joints: Any, body: dict[str, Any] | None, T_camera_world: Floats) -> PersonLabel:
    points = np.asarray(joints, dtype=np.float64).reshape(len(COCO17), 4)
    joints_cam = points[:, :3] @ T_camera_world[:3, :3].T + T_camera_world[:3, 3]
    joints_cam[points[:, 3] <= 0] = np.nan
    smpl = None
    if body is not None:
        orient, pose, betas, transl = (
            np.asarray(body[key], dtype=np.float64).ravel()
            for key in ("global_orient", "body_pose", "betas", "transl")
        )
        pelvis = np.asarray(body["joints"], dtype=np.float64).reshape(-1, 3)[0]
        smpl = SmplPose(orient, pose, betas[:10], transl).moved(T_camera_world, pelvis)
    return PersonLabel(name, joints_m=joints_cam, joint_names=COCO17, smpl=smpl)


def _rows(path: Path) -> Iterator[list[str]]:
    for line in EGOHUMANS.there(path).read_text().splitlines():
        if not line.startswith("#"):
            yield line.split()


def _place(path: Path, camera: str) -> tuple[Floats, str]:
    """T_camera_colmap (4, 4) of a camera's first picture in ``images.txt``, and the id of its lens.

    Two lines a picture: id, quaternion wxyz, translation, lens, name; then its points.
    """
    with EGOHUMANS.reading(path):
        for row in list(_rows(path))[::2]:
            if row[9].split("/")[0] == camera:
                numbers = np.array(row[1:8], np.float64)
                return rigid(quat_wxyz_to_rotmat(numbers[:4]), numbers[4:]), row[8]
        raise ValueError(f"no picture of {camera}")


def _lens(path: Path, camera_id: str) -> tuple[Floats, tuple[int, int]]:
    """K and size of a lens in ``cameras.txt``: id, model, width, height, fx, fy, cx, cy, distortion."""
    with EGOHUMANS.reading(path):
        row = next(row for row in _rows(path) if row and row[0] == camera_id)
        fx, fy, cx, cy = (float(number) for number in row[4:8])
        return intrinsics([fx, fy], [cx, cy]), (int(row[2]), int(row[3]))
