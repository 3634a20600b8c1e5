"""Camera files of users: what they mean, and how damage is said."""

import json
import struct

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from choros.camera_motion.solved_cameras import read_colmap, read_poses
from choros.errors import ChorosError


def poses(n=3):
    rng = np.random.default_rng(2)
    T = np.tile(np.eye(4), (n, 1, 1))
    T[:, :3, :3] = Rotation.random(n, random_state=3).as_matrix()
    T[:, :3, 3] = rng.normal(size=(n, 3))
    return T


def colmap_numbers(T_world_camera):
    """qw qx qy qz tx ty tz of the world in the camera's axes, as COLMAP writes them."""
    T = np.linalg.inv(T_world_camera)
    x, y, z, w = Rotation.from_matrix(T[:3, :3]).as_quat()
    return [w, x, y, z, *T[:3, 3]]


def write_text(folder, T, names):
    lines = ["# Image list"]
    for number, (pose, name) in enumerate(zip(T, names, strict=True), start=1):
        lines += [f"{number} {' '.join(repr(float(v)) for v in colmap_numbers(pose))} 1 {name}", "1.0 2.0 -1"]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")


def write_binary(folder, T, names):
    data = struct.pack("<Q", len(T))
    for number, (pose, name) in enumerate(zip(T, names, strict=True), start=1):
        data += struct.pack("<i7di", number, *colmap_numbers(pose), 1) + name.encode() + b"\0"
        data += struct.pack("<Q", 2) + 2 * struct.pack("<ddq", 1.0, 2.0, -1)
    (folder / "images.bin").write_bytes(data)


def test_json_is_taken_as_it_is(tmp_path):
    T = poses()
    (tmp_path / "poses.json").write_text(json.dumps({"T_world_camera": T.tolist()}))
    camera = read_poses(tmp_path / "poses.json")
    np.testing.assert_array_equal(camera.R_world_camera, T[:, :3, :3])
    np.testing.assert_array_equal(camera.place_m, T[:, :3, 3])


@pytest.mark.parametrize("write", [write_text, write_binary])
def test_colmap_in_the_order_of_names(tmp_path, write):
    T = poses()
    write(tmp_path, T[[2, 0, 1]], ["frame 3.png", "frame 1.png", "frame 2.png"])
    camera = read_colmap(tmp_path)
    np.testing.assert_allclose(camera.R_world_camera, T[:, :3, :3], atol=1e-12)
    np.testing.assert_allclose(camera.place_m, T[:, :3, 3], atol=1e-12)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no json", "no file of camera poses"),
        ('{"poses": []}', "no file of camera poses"),
        ('{"T_world_camera": [[1, 2], [3, 4]]}', r"shape \(2, 2\)"),
        (json.dumps({"T_world_camera": (2 * poses()).tolist()}), "do not rotate"),
    ],
)
def test_files_that_are_none(tmp_path, text, says):
    (tmp_path / "poses.json").write_text(text)
    with pytest.raises(ChorosError, match=says) as error:
        read_poses(tmp_path / "poses.json")
    assert "poses.json" in str(error.value)


def test_folders_that_are_no_model(tmp_path):
    with pytest.raises(ChorosError, match="holds no images"):
        read_colmap(tmp_path)
    write_binary(tmp_path, poses(), ["a", "b", "c"])
    whole = (tmp_path / "images.bin").read_bytes()
    (tmp_path / "images.bin").write_bytes(whole[:-60])
    with pytest.raises(ChorosError, match=r"images\.bin is damaged"):
        read_colmap(tmp_path)
