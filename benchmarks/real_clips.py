"""Systems on real video without truth: agreement with MoveNet Thunder's keypoints, and how steady they are.

    python benchmarks/real_clips.py CLIP... [--system lifter comotion[:WEIGHTS]] [--seconds 12] [--keep DIR]

Agreement is PCK@0.05: of the keypoints that Thunder is sure of, in people that the embedded detector is sure of, the
share within 5 % of the longer side of the person's box of where the body that overlaps that box most has them; a
person whom nobody overlaps by half counts as missed in all. "found" is the share of these people who are overlapped.
Jitter is the median third derivative of all joints about the pelvis, over runs of one person. The lifter system sees
keypoints of MoveNet Lightning, so agreement favours it; identities are for eyes (``--keep`` writes motions, for
``choros show``).
"""

import argparse
from pathlib import Path

import numpy as np

import choros
from choros.body import BodyModel
from choros.camera import project
from choros.cli.threads import leave_cores_to_the_networks
from choros.detection import PersonFinder
from choros.evaluation.bodies import joints_m, keypoints_m
from choros.evaluation.metrics.motion_quality import jitter_m_s3
from choros.keypoints import box_iou
from choros.motion import Motion
from choros.systems import System, TrackOptions, track

SURE_PERSON, SURE_KEYPOINT = 0.5, 0.5


def agreement(motion: Motion, clip: str, body: BodyModel) -> tuple[int, int, int, int]:
    """Keypoints that agree, keypoints asked for, people found, people asked for."""
    finder = PersonFinder.default()
    points_cam = keypoints_m(motion.rows, body)
    points_px = project(points_cam, motion.K[motion.rows["frame"]][:, None])
    index_of = {pts: index for index, pts in enumerate(motion.pts)}
    right = asked = found = people = 0
    with choros.open_video(clip) as video:
        for frame in video:
            index = index_of.get(frame.pts)
            if index is None:
                continue
            seen = finder.find(frame.image)
            seen = seen[seen.scores >= SURE_PERSON]
            mine = np.flatnonzero(motion.rows["frame"] == index)
            overlap = box_iou(seen.boxes_px, motion.rows["box_px"][mine])
            for person, (x0, y0, x1, y1) in enumerate(seen.boxes_px):
                sure = seen.keypoints[person, :, 2] >= SURE_KEYPOINT
                asked, people = asked + int(sure.sum()), people + 1
                if not len(mine) or overlap[person].max() < 0.5:
                    continue
                body_px = points_px[mine[overlap[person].argmax()]]
                error = np.linalg.norm(body_px - seen.keypoints[person, :, :2], axis=-1)
                right += int((error[sure] < 0.05 * max(x1 - x0, y1 - y0)).sum())
                found += 1
    return right, asked, found, people


def jitter(motion: Motion, body: BodyModel) -> float:
    """m/s³, joints about the pelvis, over people who were there in four frames one after the other."""
    values = []
    for person in np.unique(motion.rows["person"]):
        rows = motion.rows[motion.rows["person"] == person]
        for run in np.split(rows, np.flatnonzero(np.diff(rows["frame"]) != 1) + 1):
            if len(run) > 3:
                joints = joints_m(run, body)
                values.append(np.ravel(jitter_m_s3(joints - joints[:, :1], float(motion.fps))))
    return float(np.median(np.concatenate(values))) if values else float("nan")


def load(name: str) -> System:
    system, _, weights = name.partition(":")
    return choros.load(system, weights_path=weights or None)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+")
    parser.add_argument("--system", nargs="+", default=["lifter", "comotion"])
    parser.add_argument("--seconds", type=float, default=12.0, help="of each clip")
    parser.add_argument("--keep", type=Path, help="folder for the motions")
    args = parser.parse_args()
    leave_cores_to_the_networks()
    body = BodyModel.load()
    print(f"{'clip':44}{'system':12}{'PCK@.05':>9}{'found':>8}{'ids':>6}{'jitter m/s3':>13}")
    totals = {name: np.zeros(4, int) for name in args.system}
    for clip in args.clips:
        for name in args.system:
            motion = track(clip, load(name), TrackOptions(end_s=args.seconds))
            if args.keep:
                args.keep.mkdir(parents=True, exist_ok=True)
                motion.save(args.keep / f"{Path(clip).stem}_{name.partition(':')[0]}.npz")
            counts = agreement(motion, clip, body)
            right, asked, found, people = counts
            totals[name] += counts
            print(
                f"{Path(clip).name:44}{name[:11]:12}{right / max(asked, 1):9.3f}{found / max(people, 1):8.3f}"
                f"{len(np.unique(motion.rows['person'])):6d}{jitter(motion, body):13.1f}",
                flush=True,
            )
    for name, (right, asked, found, people) in totals.items():
        print(f"{'all':44}{name[:11]:12}{right / max(asked, 1):9.3f}{found / max(people, 1):8.3f}")


if __name__ == "__main__":
    main()
