"""How faithfully motion capture arrives on SMPL's joints: limb directions, sliding feet, reading time.

    python benchmarks/mocap_retarget.py ../shared/assets/mocap [--sheet DIR]

With --sheet, draws the captured skeleton above our body, from the front and the side, for clips of many kinds.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch
from scipy.spatial.transform import Rotation

from choros.body import BodyModel, BodyParams
from choros.body.kinematics import joint_places
from choros.datasets.mocap.folder import LICENCES, open_body_rest, read_sources
from choros.datasets.mocap.mocap_clip import MocapClip
from choros.datasets.mocap.retarget import LIMBS, retarget, upright
from choros.datasets.mocap.source_motion import SourceMotion
from choros.mesh.rasteriser import Canvas
from choros.mesh.shading import paint
from choros.skeleton import JOINT_NAMES, PARENTS

SHEET_CLIPS = (
    "02_01", "02_05", "02_08", "01_05", "01_09", "03_03", "test/walking/walking_1", "running/running_1",
    "washwindow_1", "basketball_signal_1", "directing_traffic_4", "jumping_1", "soccer_1", "3d_walk", "3d_run",
    "kick", "spinkick", "cartwheel", "crawl", "dance_a", "dance_b", "getup_faceup", "roll", "punch", "fosbury",
    "sprint__", "walk_normal_001", "kick_normal_001", "dance-long_normal_001", "throw_normal_001",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sources", nargs="*", default=["cmu-asf", "cmu-expmap", "deepmimic", "jump"])
    parser.add_argument("--sheet", type=Path)
    options = parser.parse_args()

    rest_joints, sole_m = open_body_rest()
    body = BodyModel.load()
    errors: dict[str, dict[str, list[np.ndarray]]] = defaultdict(lambda: defaultdict(list))
    slides: dict[str, list[np.ndarray]] = defaultdict(list)
    bends: dict[str, list[np.ndarray]] = defaultdict(list)
    seconds: dict[str, float] = defaultdict(float)
    started = time.perf_counter()
    for source, motion in read_sources(options.folder, options.sources):
        clip = retarget(
            motion,
            rest_joints,
            sole_m,
            source=source,
            licence=LICENCES[source][0],
            shippable=LICENCES[source][1],
        )
        ours = posed(clip, rest_joints)
        theirs = upright(motion)
        seconds[source] += clip.seconds
        for start, end in LIMBS:
            errors[source][start.split("_")[1]].append(direction_error_deg(theirs, ours, start, end))
        bends[source].append(clip.body_pose.reshape(-1, 23, 3))
        slides[source].append(foot_slide_m_s(ours, clip.fps))
        wanted = next((part for part in SHEET_CLIPS if part in clip.name), None)
        if options.sheet and wanted:
            options.sheet.mkdir(parents=True, exist_ok=True)
            picture = sheet(theirs, clip, body)
            name = f"{source}_{wanted.replace('/', '_')}.png"
            cv2.imwrite(str(options.sheet / name), picture[..., ::-1])
    taken = time.perf_counter() - started

    print(f"{sum(seconds.values()) / 60:.1f} min of motion read and retargeted in {taken:.1f} s")
    print("direction error of limb bones, degrees, mean / max; sliding of the standing foot, cm/s, median")
    bones = ("shoulder", "elbow", "hip", "knee")
    print(f"{'source':14}{'min':>6}" + "".join(f"{bone:>20}" for bone in bones) + f"{'slide':>8}")
    for source, found in errors.items():
        cells = (np.concatenate(found[bone]) for bone in bones)
        row = "".join(f"{cell.mean():12.4f} /{cell.max():6.3f}" for cell in cells)
        slide = 100 * np.median(np.concatenate(slides[source]))
        print(f"{source:14}{seconds[source] / 60:6.1f}{row}{slide:8.1f}")
    print("\nhow joints turn: axis-angle x, y, z in radians, mean ± standard deviation")
    print(
        "(a knee bends about +x alone; a left elbow about -y, a right one about +y, its x is the forearm's twist)"
    )
    for source, poses in bends.items():
        pose = np.concatenate(poses)
        for joint in (
            "left_knee",
            "right_knee",
            "left_elbow",
            "right_elbow",
            "left_shoulder",
            "right_shoulder",
        ):
            turn = pose[:, JOINT_NAMES.index(joint) - 1]
            cells = "".join(
                f"{m:8.2f} ±{d:5.2f}" for m, d in zip(turn.mean(axis=0), turn.std(axis=0), strict=True)
            )
            print(f"{source:14}{joint:16}{cells}")


def posed(clip: MocapClip, rest_joints: np.ndarray) -> np.ndarray:  # (T, 24, 3) metres
    vectors = np.concatenate([clip.global_orient, clip.body_pose], axis=1).reshape(-1, 3)
    rotations = Rotation.from_rotvec(vectors).as_matrix().reshape(len(clip), 24, 3, 3)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            rotations[:, joint] = rotations[:, parent] @ rotations[:, joint]
    return joint_places(rotations, rest_joints, rest_joints[0] + clip.transl)


def direction_error_deg(theirs: SourceMotion, ours: np.ndarray, start: str, end: str) -> np.ndarray:  # (T,)
    a = theirs.positions[:, theirs.index(end)] - theirs.positions[:, theirs.index(start)]
    b = ours[:, JOINT_NAMES.index(end)] - ours[:, JOINT_NAMES.index(start)]
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), np.sum(a * b, axis=1)))


def foot_slide_m_s(ours: np.ndarray, fps: float) -> np.ndarray:
    """Speed along the floor of the lower foot, while it is down (toe joint under 6 cm)."""
    toes = ours[:, [10, 11]]
    lower = toes[..., 1].argmin(axis=1)
    track = toes[np.arange(len(toes)), lower]
    speed = (
        np.linalg.norm(np.diff(toes[..., [0, 2]], axis=0), axis=-1)[np.arange(len(toes) - 1), lower[:-1]]
        * fps
    )
    return speed[track[:-1, 1] < 0.06]


def sheet(theirs: SourceMotion, clip: MocapClip, body: BodyModel, moments: int = 8) -> np.ndarray:
    """Front and side views at moments spread over the clip: the captured skeleton above our body."""
    frames = np.linspace(0, len(clip) - 1, moments + 2).astype(int)[1:-1]
    left = [role == "left" for role in _sides(theirs)]
    pelvis = theirs.index("pelvis")
    bones = [parent if pelvis in theirs.ancestors(parent) else -1 for parent in theirs.parents]
    rows = [
        np.hstack([stick(theirs.positions[frame], bones, left, axis) for frame in frames]) for axis in (0, 2)
    ]
    chosen = (torch.from_numpy(array[frames]) for array in (clip.global_orient, clip.body_pose, clip.transl))
    global_orient, body_pose, transl = chosen
    vertices = body.vertices(BodyParams(global_orient, body_pose, torch.zeros(moments, 10), transl)).numpy()
    for side in (False, True):
        rows.append(np.hstack([mesh(points, body.faces.numpy(), side) for points in vertices]))
    return np.vstack(rows)


def mesh(vertices: np.ndarray, faces: np.ndarray, side: bool, size: int = 260) -> np.ndarray:
    """The body seen from the front or from its right side, from 12 m away."""
    points = vertices - (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    to_camera = np.array([[0, 0, 1], [0, -1, 0], [1, 0, 0]]) if side else np.diag([1, -1, -1])
    points = (points @ to_camera.T + [0, 0, 12]).astype(np.float32)
    K = np.array([[size * 12 / 2.1, 0, size / 2], [0, size * 12 / 2.1, size / 2], [0, 0, 1]])
    image = np.full((size, size, 3), 255, np.uint8)
    canvas = Canvas(2 * size, 2 * size)
    skin = np.array([[200, 170, 150]], np.uint8)
    paint(image, canvas, points[None], faces.astype(np.int32), skin, K, opacity=1.0)
    return image


def _sides(motion: SourceMotion) -> list[str]:
    """For each joint "left", "right" or "" from the limb that it belongs to."""
    sides = [""] * len(motion.joints)
    for joint in range(len(sides)):
        for ancestor in motion.ancestors(joint):
            for role, name in motion.roles.items():
                if motion.joints[ancestor] == name and role.partition("_")[0] in ("left", "right"):
                    sides[joint] = role.partition("_")[0]
    return sides


def stick(joints: np.ndarray, parents: list[int], left: list[bool], axis: int, size: int = 260) -> np.ndarray:
    """One skeleton seen along z (axis 0 to the right) or along -x (z to the right); left limbs are red."""
    canvas = np.full((size, size, 3), 255, np.uint8)
    centre = joints.mean(axis=0)
    px_m = size / 2.1
    flat = np.stack([joints[:, axis] - centre[axis], -(joints[:, 1] - centre[1])], axis=1)
    points = np.round((flat * px_m + size / 2) * 16).astype(int)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            colour = (210, 40, 40) if left[joint] else (30, 60, 200)
            cv2.line(
                canvas,
                tuple(map(int, points[parent])),
                tuple(map(int, points[joint])),
                colour,
                2,
                cv2.LINE_AA,
                4,
            )
    return canvas


if __name__ == "__main__":
    main()
