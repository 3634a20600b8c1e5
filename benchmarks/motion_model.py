"""The motion model of scenes against captured motion: speed, sliding feet, jitter, kinetic FID, and how new it is.

    python benchmarks/motion_model.py ../shared/assets/mocap

Captured motion is cut into the same pieces of people on their feet that the model learned from. New is how far
the poses of half a second are from the nearest half second of the training clips, as rad a joint.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from choros.datasets.mocap import MocapClip, learned_and_held_out
from choros.evaluation.metrics.motion_quality import (
    foot_contact,
    foot_sliding_cm_s,
    frechet_distance,
    jitter_m_s3,
    kinetic_features,
)
from choros.scenes.motion.motion_features import FPS, MOVED
from choros.scenes.motion.motion_model import MotionModelConfig, improvise
from choros.scenes.motion.rest_skeleton import Floats, Poses, joint_motion
from choros.skeleton import JOINT_NAMES
from choros.training.motion_model.recipe import MotionModelRecipe
from choros.training.motion_model.windows import open_skeleton, rows_of, usable

PIECE_S, RATE = 3.2, 30
PERFORMANCES, PERFORMED_S = 40, 9.6
FEET = [JOINT_NAMES.index("left_foot"), JOINT_NAMES.index("right_foot")]
Z_UP = Rotation.from_matrix([[-1.0, 0, 0], [0, 0, 1], [0, 1, 0]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    torch.set_num_threads(1)
    body = open_skeleton()

    times = np.arange(0, PERFORMED_S, 1 / RATE)
    improvise(np.random.default_rng(0), body, times)
    began = time.perf_counter()
    performed = [improvise(np.random.default_rng(seed), body, times) for seed in range(PERFORMANCES)]
    spent = (time.perf_counter() - began) / PERFORMANCES
    learned, held_out = learned_and_held_out(folder)
    sets = {
        "performed": [joints for poses in performed for joints in pieces(poses)],
        "captured, learned from": [joints for clip in learned for joints in captured(clip)],
        "captured, held out": [joints for clip in held_out for joints in captured(clip)],
    }
    known = torch.cat([half_seconds(poses_of(clip)) for clip in learned])
    halves = {
        "performed": torch.cat([half_seconds(poses) for poses in performed]),
        "captured, held out": torch.cat([half_seconds(poses_of(clip)) for clip in held_out]),
    }

    table = Table("", "pieces", "foot sliding cm/s", "jitter m/s³", "kinetic FID", "new: least", "median rad")
    features = {name: np.array([kinetic_features(p, RATE) for p in parts]) for name, parts in sets.items()}
    rng = np.random.default_rng(0)
    for name, parts in sets.items():
        slide = np.nanmean([foot_sliding_cm_s(p[:, FEET], contact(p), RATE) for p in parts])
        jitter = np.mean([jitter_m_s3(p, RATE).mean() for p in parts])
        n = min(len(parts), len(features["captured, learned from"]) // 2)
        other = features["captured, learned from"][rng.permutation(len(sets["captured, learned from"]))]
        mine = (
            features[name][rng.permutation(len(parts))[:n]]
            if name != "captured, learned from"
            else other[-n:]
        )
        fid = frechet_distance(mine, other[:n])
        new = ["-", "-"]
        if name in halves:
            apart = torch.cdist(halves[name], known).min(dim=1).values / half_size() ** 0.5
            new = [f"{apart.min():.3f}", f"{apart.median():.3f}"]
        table.add_row(name, str(len(parts)), f"{slide:.1f}", f"{jitter:.0f}", f"{fid:.1f} (n {n})", *new)
    console = Console()
    console.print(table)
    far = max(np.linalg.norm(poses.transl[:, :2], axis=1).max() for poses in performed)
    console.print(f"{spent:.2f} s for {PERFORMED_S} s of motion; nobody goes further than {far:.1f} m")


def pieces(poses: Poses) -> list[Floats]:
    """Joints (T, 24, 3) in pieces of ``PIECE_S``."""
    _, places = joint_motion(open_skeleton().joints_rest, poses)
    size = round(PIECE_S * RATE)
    return [places[k : k + size] for k in range(0, len(places) - size + 1, size)]


def poses_of(clip: MocapClip) -> Poses:
    """A clip in a world with z up."""
    body = open_skeleton()
    orient = (Z_UP * Rotation.from_rotvec(clip.global_orient)).as_rotvec()
    pelvis = Z_UP.apply(clip.transl + body.joints_rest[0])
    return Poses(orient, clip.body_pose.astype(np.float64), pelvis - body.joints_rest[0])


def captured(clip: MocapClip) -> list[Floats]:
    """The pieces of a clip in which all windows would be learned from."""
    rows, window, run = rows_of(clip, open_skeleton()), MotionModelConfig().window, MotionModelRecipe()
    size = round(PIECE_S * FPS)
    _, places = joint_motion(open_skeleton().joints_rest, poses_of(clip))
    found, start = [], 0
    while start + size <= len(rows):
        if all(usable(rows[k : k + window], run) for k in range(start, start + size - window + 1, 4)):
            found.append(places[2 * start : 2 * (start + size)])
            start += size
        else:
            start += 4
    return found


def contact(joints: Floats) -> np.ndarray:
    """Steps in which a foot rests: slow, and no higher than it gets when standing."""
    low = joints[:, FEET, 2] < np.quantile(joints[:, FEET, 2], 0.05) + 0.02
    return foot_contact(joints[:, FEET], RATE) & low[1:] & low[:-1]


def half_seconds(poses: Poses) -> torch.Tensor:
    """Rotations of all joints but the pelvis, hands and toes, over half seconds (n, D)."""
    R = Rotation.from_rotvec(poses.body_pose.reshape(-1, 3)).as_matrix().reshape(-1, 23, 3, 3)
    rows = R[::2, [j - 1 for j in MOVED[1:]], :, :2].reshape(len(R[::2]), -1)
    size = int(FPS / 2)
    if len(rows) < size:
        return torch.zeros(0, size * rows.shape[1])
    return torch.from_numpy(
        np.array([rows[k : k + size].ravel() for k in range(len(rows) - size + 1)])
    ).float()


def half_size() -> int:
    """A squared distance of ``half_seconds`` over this is a joint's squared angle, of which two columns show 4/3."""
    return int(FPS / 2) * (len(MOVED) - 1) * 4 // 3


if __name__ == "__main__":
    main()
