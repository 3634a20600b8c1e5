"""Visual odometry against the true camera: error of its turn and way per frame and added up, weight, and time.

    python benchmarks/odometry.py [--data moving] [--clips 3] [--keep DIR]

Data are named as for `choros bench`. People are left out by their true boxes, hidden ones too. `none` is what the
same camera would be off by if it were taken to stand still. `ground` is the share of frames in which ground was
seen to pass; over these, the way is compared in the camera's heights: how far it went, and how far that is off at
the end and, as a root mean square, per frame. Clips are filmed first; --keep has a folder for them.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.spatial.transform import Rotation

from choros.camera_motion.odometry import camera_evidence
from choros.evaluation.sources import FolderSource, Source, open_data
from choros.motion import Motion


def angles_deg(R: np.ndarray) -> np.ndarray:
    return np.degrees(Rotation.from_matrix(R).magnitude())


def added_up(turns: np.ndarray) -> np.ndarray:  # (T - 1, 3, 3) -> (T - 1, 3, 3) since the first frame
    since = [np.eye(3)]
    for turn in turns:
        since.append(since[-1] @ turn)
    return np.array(since[1:])


def opened(source: Source, folder: Path) -> tuple[Path, Motion]:
    """Video and truth, filmed unless the folder has them."""
    there = FolderSource(folder)
    clip = (there if there.exists() else source).open(folder, lambda *done: None)
    if clip.truth is None:
        raise SystemExit(f"{source.name} has no truth to compare with; name a set or a scene.")
    return clip.video, clip.truth


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="moving")
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    print(
        f"{'clip':22} {'moved':>7} {'none':>14} {'per frame, degrees':>26} {'added up':>15} "
        f"{'':17} {'way, heights':>31}"
    )
    print(
        f"{'':22} {'m':>7} {'frame':>6} {'end':>7} {'mean':>8} {'median':>8} {'most':>8} {'end':>7} {'most':>7}"
        f" {'weight':>8} {'ms/frame':>8} {'ground':>7} {'went':>7} {'off':>7} {'frame':>7}"
    )
    with TemporaryDirectory() as scratch:
        for source in open_data(options.data)[: options.clips]:
            video, truth = opened(source, (options.keep or Path(scratch)) / source.name.replace(":", "_"))
            start = time.perf_counter()
            evidence = camera_evidence(truth, video)
            spent_ms = 1e3 * (time.perf_counter() - start) / len(truth)
            R = truth.T_world_camera[:, :3, :3]
            true = R[:-1].mT @ R[1:]
            error = angles_deg(true.mT @ evidence.turn)
            drift = angles_deg(added_up(true).mT @ added_up(evidence.turn))
            ground = evidence.ground
            assert ground is not None
            passed = ground.weight > 0
            place_m = truth.T_world_camera[:, :3, 3]
            way = (R[:-1].mT @ np.diff(place_m, axis=0)[..., None])[..., 0] / place_m[:-1, 2:]
            off = (ground.step - way)[passed]
            off_frame = np.sqrt((off**2).sum() / max(len(off), 1))
            moved_m = np.linalg.norm(np.diff(place_m, axis=0), axis=1).sum()
            none, none_end = angles_deg(true).mean(), angles_deg(added_up(true))[-1]
            print(
                f"{source.name:22} {moved_m:7.2f} {none:6.3f} {none_end:7.3f} {error.mean():8.4f} "
                f"{np.median(error):8.4f} {error.max():8.3f} {drift[-1]:7.3f} {drift.max():7.3f} "
                f"{evidence.weight.mean():8.2f} {spent_ms:8.0f} {passed.mean():7.2f} "
                f"{np.linalg.norm(way[passed].sum(0)):7.3f} {np.linalg.norm(off.sum(0)):7.3f} {off_frame:7.4f}"
            )


if __name__ == "__main__":
    main()
