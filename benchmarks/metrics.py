"""Speed of the tracking metrics against TrackEval, the reference, on one hour of video with 8 people.

Run ``python benchmarks/metrics.py [--frames N]``; needs the dev dependencies. Both sides score the same
frames in this one run, and the figures must agree before the times are printed. Below it, how long all that
``choros bench`` measures takes for a minute of 5 people, bodies and skin included.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from choros.body import BodyModel
from choros.camera import intrinsics
from choros.evaluation.compare import compare, pooled_scores
from choros.evaluation.metrics.hota import hota
from choros.evaluation.metrics.tracking import TrackingFrames, clear, frames_from_boxes, identity
from choros.motion import FRAME, ROW, Header, Motion


def crowd(frames: int, people: int, seed: int = 0) -> TrackingFrames:
    """People walking about a 1280 x 720 picture, and a tracker with noise, misses, ghosts and new ids."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(frames)[:, None] / 30
    beat = rng.uniform(0.05, 0.2, size=(2, people))
    phase = rng.uniform(0, 2 * np.pi, size=(2, people))
    x, y = np.sin(beat[:, None] * time_s + phase[:, None])
    centre = np.stack([640 + 560 * x, 400 + 150 * y], axis=-1)  # (frames, people, 2) px
    half = np.array([45.0, 120.0])
    truth = np.concatenate([centre - half, centre + half], axis=-1)

    found = truth + rng.normal(scale=6, size=truth.shape)
    ghosts = rng.uniform(size=(frames, people)) < 0.03
    found[ghosts] += rng.uniform(-200, 200, size=(ghosts.sum(), 1))
    seen = rng.uniform(size=(frames, people)) < 0.92
    renewed = np.cumsum(rng.uniform(size=(frames, people)) < 1 / 600, axis=0)  # a new id every 20 s
    ids = np.arange(people) + people * renewed

    frame = np.broadcast_to(np.arange(frames)[:, None], ids.shape)
    person = np.broadcast_to(np.arange(people), ids.shape)
    return frames_from_boxes(
        frame.ravel(), person.ravel(), truth.reshape(-1, 4), frame[seen], ids[seen], found[seen]
    )


def trackeval_data(frames: TrackingFrames) -> dict:
    """The frames as TrackEval's metrics want them (ids from 0 without holes)."""
    names = [np.unique(np.concatenate(ids)) for ids in (frames.gt_ids, frames.pred_ids)]
    gt_ids, pred_ids = (
        [np.searchsorted(known, i) for i in ids]
        for known, ids in zip(names, (frames.gt_ids, frames.pred_ids), strict=True)
    )
    return {
        "num_timesteps": len(gt_ids),
        "num_gt_ids": len(names[0]),
        "num_tracker_ids": len(names[1]),
        "num_gt_dets": sum(map(len, gt_ids)),
        "num_tracker_dets": sum(map(len, pred_ids)),
        "gt_ids": gt_ids,
        "tracker_ids": pred_ids,
        "similarity_scores": list(frames.similarity),
    }


def timed(run: Callable[[], dict]) -> tuple[float, dict]:
    """CPU seconds the call took (both sides use one thread, and other work does not count), and its result."""
    start = time.process_time()
    result = run()
    return time.process_time() - start, result


def walkers(frames: int, people: int, seed: int = 0) -> tuple[Motion, Motion]:
    """People walking to and fro before a still camera, and the same with noise in everything."""
    rng = np.random.default_rng(seed)
    table = np.zeros(frames, FRAME)
    table["pts"] = [(i, 25) for i in range(frames)]
    table["K"] = intrinsics(960, 540)
    table["T_world_camera"] = [[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1.5], [0, 0, 0, 1]]
    table["camera_known"] = True
    rows = np.zeros(frames * people, ROW)
    rows["frame"], rows["person"] = np.divmod(np.arange(len(rows)), people)
    rows["person"] += 1
    time_s = rows["frame"] / 25
    rows["global_orient"] = (np.pi, 0, 0)
    rows["body_pose"] = 0.3 * np.sin(2 * np.pi * time_s[:, None] + np.arange(69))
    rows["transl"] = np.stack(
        [np.sin(time_s / 5 + rows["person"]), 0 * time_s, 4.0 + rows["person"]], axis=-1
    )
    rows["visible"] = rng.random(len(rows)) < 0.9
    left = 480 + 400 * rows["transl"][:, 0]
    rows["box_px"] = np.stack([left - 40, 0 * left + 100, left + 40, 0 * left + 400], axis=-1)
    rows["keypoints_px"] = rng.uniform(0, 1, size=(len(rows), 17, 3))
    rows["keypoints_px"][..., :2] = rows["box_px"][:, None, :2] + rows["keypoints_px"][..., :2] * (80, 300)
    truth = Motion(Header(Fraction(25), 960, 540), table, rows)
    said = rows.copy()
    for name, size in (("body_pose", 0.1), ("transl", 0.1), ("box_px", 4.0), ("keypoints_px", 0.01)):
        said[name] += rng.normal(scale=size, size=said[name].shape)
    return truth, replace(truth, rows=said)


def main() -> None:
    from trackeval.metrics import CLEAR, HOTA, Identity

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=108_000, help="an hour at 30 frames/s")
    parser.add_argument("--people", type=int, default=8)
    options = parser.parse_args()

    frames = crowd(options.frames, options.people)
    data = trackeval_data(frames)
    quiet = {"PRINT_CONFIG": False, "THRESHOLD": 0.5}
    build_s, _ = timed(lambda: {"pairs": frames.pairs})
    contested = len(frames.pairs.contested_frames())
    print(
        f"{options.frames} frames, {options.people} people, {frames.pairs.pred_ids} predicted ids, "
        f"{contested} frames in which somebody overlaps two others"
    )
    print(f"{'':10}{'choros':>9}{'TrackEval':>11}{'ratio':>8}   score")
    print(f"{'pairs':10}{build_s:8.2f}s")
    total = [build_s, 0.0]
    for name, ours, reference, field in (
        ("HOTA", hota, HOTA(), "HOTA"),
        ("CLEAR", clear, CLEAR(quiet), "MOTA"),
        ("Identity", identity, Identity(quiet), "IDF1"),
    ):
        ours_s, score = timed(lambda score=ours: score(frames))
        reference_s, expected = timed(lambda metric=reference: metric.eval_sequence(data))
        if abs(score[field] - np.mean(expected[field])) > 1e-9:
            raise SystemExit(f"{field} differs: {score[field]} here, {np.mean(expected[field])} there")
        print(f"{name:10}{ours_s:8.2f}s{reference_s:10.2f}s{reference_s / ours_s:8.1f}   {score[field]:.4f}")
        total = [total[0] + ours_s, total[1] + reference_s]
    print(f"{'all':10}{total[0]:8.2f}s{total[1]:10.2f}s{total[1] / total[0]:8.1f}")

    truth, said = walkers(1500, 5)
    body = BodyModel.load()
    seconds, _ = timed(lambda: pooled_scores([compare(truth, said, body)]))
    print(f"\nall that choros bench measures, 1500 frames, 5 people: {seconds:.2f}s")


if __name__ == "__main__":
    main()
