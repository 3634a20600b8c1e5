"""A pose engine beside the lifter on real footage: the rows of ``choros bench real`` that look at poses.

The engine poses whoever the lifter's finder finds, each where the box of the frame before is theirs with a memory of
them. "One look" is each of the two begun anew with every frame. Nothing here is trained on what it measures.

    python benchmarks/pose_engine.py --footage DIR --weights hmr2-small.safetensors --rows pose2sim pictures3d
"""

import argparse
from pathlib import Path

import numpy as np

from choros.body.before import Before
from choros.camera import intrinsics
from choros.detection import Detections, PersonFinder
from choros.detection.neighbours import estimate_apart
from choros.evaluation.real.run import ROWS, run_real
from choros.fourdhumans.hmr2.small.engine import SmallEngine
from choros.keypoints import box_iou
from choros.lifter.system import LifterSystem
from choros.motion import ROW, FrameResult
from choros.rotation import rotmat_to_rotvec
from choros.tracking.assignment import assign

#: Rows of poses.
POSES = ["pose2sim", "pictures3d", "lsp_extended", "coco_bysa", "fixtures"]
SHOWN = (
    "pa_mpjpe_mm",
    "mpjpe_mm",
    "pck_05",
    "pck_10",
    "eyes_pck_05",
    "body_px",
    "knee_rms_deg",
    "elbow_rms_deg",
)


class Posed:
    """A pose engine as a system; it ``remembers`` people, or poses every frame by itself."""

    def __init__(self, engine, finder, remembers):
        self.name, self.engine, self.finder, self.body = "hmr2-small", engine, finder, engine.body
        self.remembers = remembers

    def stream(self, K=None):
        return PosedStream(self, K)


class PosedStream:
    """People are numbered by their boxes' order; who they were before is told by boxes alone."""

    def __init__(self, system, K):
        self.system, self.K, self.frame, self.last = system, K, -1, None

    def encode(self, image):
        people = self.system.finder.find(image)
        return people[people.scores >= 0.4], image

    def step(self, features, time_s):
        people, image = features
        self.frame += 1
        K = intrinsics(image.shape[1], image.shape[0]) if self.K is None else self.K
        posed, hidden = self.system.engine.follow(image, people, K, self.past(people, time_s))
        self.last = (time_s, people.boxes_px, posed, hidden) if self.system.remembers else None
        rows = np.zeros(len(people), ROW)
        pose = rotmat_to_rotvec(posed.rotations).reshape(-1, 72)
        rows["frame"], rows["person"] = self.frame, 1 + np.arange(len(people))
        rows["visible"], rows["confidence"] = True, 1
        rows["global_orient"], rows["body_pose"], rows["betas"] = pose[:, :3], pose[:, 3:], posed.betas
        rows["transl"], rows["box_px"], rows["keypoints_px"] = posed.transl, people.boxes_px, people.keypoints
        return FrameResult(rows)

    def past(self, people, time_s):
        past = self.system.engine.no_past(len(people))
        if self.last is None or not len(self.last[1]) or not len(people):
            return past
        then_s, boxes_px, posed, hidden = self.last
        mine, theirs = assign(box_iou(people.boxes_px.astype(float), boxes_px.astype(float)), 0.3)
        dt_s, rotations, transl = past.before.dt_s.copy(), past.before.rotations.copy(), past.before.transl
        dt_s[mine] = time_s - then_s
        rotations[mine], transl[mine] = posed.rotations[theirs], posed.transl[theirs]
        past.hidden[mine] = hidden[theirs]
        return past._replace(before=Before(dt_s, rotations, transl))

    def update(self, image, time_s):
        return self.step(self.encode(image), time_s)

    def begin(self, image, boxes_px, time_s):
        keypoints = estimate_apart(self.system.finder.keypoints, image, boxes_px)
        return self.step((Detections(boxes_px, np.ones(len(boxes_px), np.float32), keypoints), image), time_s)

    def state(self):
        return {"frame": np.array(self.frame)}

    def restore(self, state):
        self.frame = int(state["frame"])


class OneLook(LifterSystem):
    """The lifter, begun anew with every frame."""

    def stream(self, K=None):
        return OneLookStream(super().stream, K)


class OneLookStream:
    """Frames as pictures that have nothing to do with each other."""

    def __init__(self, stream_of, K):
        self.stream_of, self.K, self.frame = stream_of, K, -1

    def encode(self, image):
        stream = self.stream_of(self.K)
        return stream, stream.encode(image)

    def step(self, features, time_s):
        self.frame += 1
        result = features[0].step(features[1], 0.0)
        rows = result.rows.copy()
        rows["frame"] = self.frame
        return FrameResult(rows)

    def update(self, image, time_s):
        return self.step(self.encode(image), time_s)

    def begin(self, image, boxes_px, time_s):
        return self.stream_of(self.K).begin(image, boxes_px, time_s)

    def state(self):
        return {"frame": np.array(self.frame)}

    def restore(self, state):
        self.frame = int(state["frame"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--footage", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument(
        "--rows",
        nargs="+",
        default=["pose2sim", "pictures3d", "lsp_extended", "coco_bysa", "fixtures"],
        choices=list(ROWS),
    )
    parser.add_argument("--remember", type=Path, help="file that keeps what the finder says, for other runs")
    parser.add_argument("--only", nargs="+", default=[], help="names of the systems to run")
    options = parser.parse_args()
    engine, finder = SmallEngine.load(options.weights), PersonFinder.default(fast=True)
    systems = {
        "hmr2-small": Posed(engine, finder, True),
        "hmr2-small, one look": Posed(engine, finder, False),
        "lifter": LifterSystem(),
        "lifter, one look": OneLook(),
    }
    systems = {name: system for name, system in systems.items() if not options.only or name in options.only}
    for result in run_real(systems, options.footage, rows=options.rows, remember=options.remember):
        told = ", ".join(f"{key} {result.metrics[key]:.4g}" for key in SHOWN if key in result.metrics)
        print(f"{result.label:32} {result.system:18} {told}", flush=True)


if __name__ == "__main__":
    main()
