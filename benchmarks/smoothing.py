"""What smoothing leaves of fast limbs, and of tremble.

    python benchmarks/smoothing.py                              a made kick, and joints beside it that rest and walk
    python benchmarks/smoothing.py --of TRUTH.npz SAID.npz ...  clips: the truth, and what a system said of it

Of a kick with a tremble of .03 rad: its speed at its true peak, along its axis, so that tremble does not count as
speed; its peak, in which tremble does; and of joints that rest and walk, what is left of their error and of their
jitter. Of clips, wrists and ankles about the pelvis: their speed over three frames while the truth is in the fastest
twentieth of a limb and above 1.5 m/s, as a share of the true speed; the median of their peaks as a share of true ones;
and jitter of all joints.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

from choros.body.kinematics import posed_joints
from choros.body.posed import Skeleton
from choros.evaluation.metrics.motion_quality import jitter_m_s3
from choros.evaluation.metrics.tracking import clear_matches, frames_from_boxes
from choros.evaluation.world_errors import unbroken_runs
from choros.glamr.options import WorldOptions
from choros.glamr.smoothing import smoothed
from choros.motion import Motion
from choros.rotation import rotmat_geodesic_distance, rotvec_to_rotmat, special_procrustes
from choros.skeleton import JOINT_NAMES

WIDEST_S = WorldOptions().smooth_s
TREMBLE_RAD, TRIES = 0.03, 20
LIMBS = [JOINT_NAMES.index(f"{side}_{name}") for name in ("wrist", "ankle") for side in ("left", "right")]
FAST_M_S, FAST_SHARE = 1.5, 0.05
SHORTEST = 20  # frames of a person that are asked

Smooth = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def as_it_is(rotations: np.ndarray, seen: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    return rotations


def averaged(rotations: np.ndarray, seen: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    width = WIDEST_S / np.median(np.diff(times_s))
    return special_procrustes(gaussian_filter1d(rotations, width, axis=0, mode="nearest"))


def by_errors(rotations: np.ndarray, seen: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    return smoothed(rotations, seen, times_s, WIDEST_S)


WAYS: dict[str, Smooth] = {"as it is": as_it_is, "averaged": averaged, "smoothed": by_errors}


def kicks() -> None:
    """A knee that kicks within .15 s, one that rests, and a hip that walks."""
    for fps in (25, 30, 60):
        t = np.arange(3 * fps) / fps
        kick = 1.6 / (1 + np.exp(-(t - 1.2) / 0.05)) / (1 + np.exp((t - 1.5) / 0.06))
        angle = np.stack([kick, 0 * t + 0.2, 0.5 * np.sin(2 * np.pi * t)], 1)[..., None] * [1.0, 0, 0]
        true, fastest = rotvec_to_rotmat(angle), int(np.abs(np.diff(kick)).argmax())
        for name, way in WAYS.items():
            found = []
            for seed in range(TRIES):
                noise = TREMBLE_RAD * np.random.default_rng(seed).normal(size=angle.shape)
                said = rotvec_to_rotmat(angle + noise)
                R = way(said, np.ones(len(t), bool), t)
                about_x = np.arctan2(R[:, 0, 2, 1], R[:, 0, 1, 1])
                peaks = [rotmat_geodesic_distance(A[1:, 0], A[:-1, 0]).max() for A in (R, true)]
                errors = [rotmat_geodesic_distance(A, true).mean(0)[1:] for A in (R, said)]
                jitters = [_jitter(A)[1:] for A in (R, said)]
                found.append([
                    np.diff(about_x)[fastest] / np.diff(kick)[fastest], peaks[0] / peaks[1],
                    *(errors[0] / errors[1]), *(jitters[0] / jitters[1]),
                ])  # fmt: skip
            at_peak, peak, rest, walk, rest_jitter, walk_jitter = np.mean(found, 0)
            print(
                f"{fps} frames/s, {name}: speed at the kick's true peak {at_peak:.0%}, peak {peak:.0%}; of errors are "
                f"left {rest:.0%} at rest, {walk:.0%} of a walk; of jitter {rest_jitter:.0%} and {walk_jitter:.0%}"
            )


def _jitter(R: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(R, n=3, axis=0), axis=(-1, -2)).mean(0)


def clips(pairs: list[list[Path]]) -> None:
    """Wrists and ankles of those who were found, and the jitter of all their joints."""
    found = {name: ([], [], []) for name in WAYS}
    truth_jitter = []
    for truth, said in ((Motion.load(a), Motion.load(b)) for a, b in pairs):
        fps, skeleton = float(truth.fps), Skeleton.of()
        seen = said.rows[said.rows["visible"]]
        matches = clear_matches(frames_from_boxes(
            *(truth.rows[name] for name in ("frame", "person", "box_px")),
            *(seen[name] for name in ("frame", "person", "box_px")),
        ))  # fmt: skip
        true_rows, said_rows = truth.rows[matches.gt], seen[matches.pred]
        true = about_pelvis(true_rows, _poses(true_rows), skeleton)
        runs = [run for run in unbroken_runs(true_rows, said_rows) if len(run) >= SHORTEST]
        truth_jitter += [jitter_m_s3(true[run], fps) for run in runs]
        for name, way in WAYS.items():
            made = about_pelvis(said_rows, smoothed_poses(said, seen, way)[matches.pred], skeleton)
            for run in runs:
                shares, peaks, jitter = of_run(true[run], made[run], fps)
                found[name][0].append(shares)
                found[name][1].append(peaks)
                found[name][2].append(jitter)
    for name, (shares, peaks, jitter) in found.items():
        speeds, tops = np.concatenate(shares), np.concatenate(peaks)
        print(
            f"{name}: {speeds[:, 0].sum() / speeds[:, 1].sum():.1%} of the true speed of fast wrists and ankles "
            f"({len(speeds)} moments), peaks {np.median(tops[:, 0] / tops[:, 1]):.1%} ({len(tops)}), "
            f"jitter {np.concatenate(jitter).mean():.1f} m/s³ (truth {np.concatenate(truth_jitter).mean():.1f})"
        )


def of_run(true: np.ndarray, made: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Speeds (k, 2) said and true of fast moments, peaks (l, 2) likewise, m/s, and jitter; of joints (n, 24, 3)."""
    said_m_s, true_m_s = (
        np.linalg.norm(joints[2:, LIMBS] - joints[:-2, LIMBS], axis=-1) * fps / 2 for joints in (made, true)
    )
    fast = (true_m_s > FAST_M_S) & (true_m_s >= np.quantile(true_m_s, 1 - FAST_SHARE, axis=0))
    peaks = np.stack([said_m_s.max(0), true_m_s.max(0)], 1)
    return (
        np.stack([said_m_s[fast], true_m_s[fast]], 1),
        peaks[peaks[:, 1] > FAST_M_S],
        jitter_m_s3(made, fps),
    )


def smoothed_poses(said: Motion, rows: np.ndarray, way: Smooth) -> np.ndarray:
    """Body rotations (n, 23, 3, 3) of the rows of a motion, smoothed as the world's stage does: person by person."""
    poses = _poses(rows)
    for person in np.unique(rows["person"]):
        mine = np.flatnonzero(rows["person"] == person)
        frame = rows["frame"][mine]
        span = np.arange(frame[0], frame[-1] + 1)
        whole, seen = np.tile(np.eye(3), (len(span), 23, 1, 1)), np.isin(span, frame)
        whole[seen] = poses[mine]
        poses[mine] = way(whole, seen, said.pts_s[span])[seen] if seen.sum() > 4 else poses[mine]
    return poses


def _poses(rows: np.ndarray) -> np.ndarray:
    return rotvec_to_rotmat(rows["body_pose"].astype(np.float64).reshape(-1, 23, 3))


def about_pelvis(rows: np.ndarray, poses: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Joints (n, 24, 3) of body rotations (n, 23, 3, 3), metres, in the axes of the pelvis."""
    rest = skeleton.rest(rows)
    local = np.concatenate([np.tile(np.eye(3), (len(rows), 1, 1, 1)), poses], 1)
    return posed_joints(local, rest)[1] - rest[:, :1]


def pairs_of(paths: list[Path]) -> Iterator[list[Path]]:
    if len(paths) % 2:
        raise SystemExit("give a truth and a said motion of each clip, in turn.")
    return (paths[n : n + 2] for n in range(0, len(paths), 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--of", nargs="+", type=Path, metavar="FILE", help="TRUTH.npz SAID.npz of clips, in turn"
    )
    args = parser.parse_args()
    clips(list(pairs_of(args.of))) if args.of else kicks()


if __name__ == "__main__":
    main()
