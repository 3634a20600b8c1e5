"""The smallest system there is: boxes that go on as fast as they went, and a body of stone that stands in each."""

from typing import NamedTuple

import numpy as np

from choros.detection.protocols import checked_detections
from choros.keypoints import box_iou
from choros.tracking.online import Affinity, OnlineStream, OnlineTracker, Verdict, seen_as

HEIGHT_M = 1.7


class Boxes(NamedTuple):
    boxes_px: np.ndarray
    scores: np.ndarray


class ToyTracker(OnlineTracker[Boxes, Affinity]):
    fields = (("box_px", "f8", (4,)), ("speed_px_s", "f8", (4,)))

    def __init__(self, detector):
        self.detector = detector

    def detect(self, image, boxes_px=None):
        if boxes_px is None:
            return Boxes(*checked_detections(self.detector, image))
        return Boxes(boxes_px, np.ones(len(boxes_px), np.float32))

    def predict(self, tracks, moment):
        tracks["box_px"] += moment.dt_s * tracks["speed_px_s"]

    def affinity(self, tracks, moment):
        return Affinity(box_iou(tracks["box_px"], moment.found.boxes_px) - 0.3)

    def measure(self, tracks, affinity, moment):
        mine, theirs = seen_as(tracks)
        missed_px = moment.found.boxes_px[theirs] - tracks["box_px"][mine]
        tracks["box_px"][mine] += missed_px
        tracks["speed_px_s"][mine] += 0.3 * missed_px / max(moment.dt_s, 0.01)

    def newcomers(self, tracks, affinity, moment):
        return moment.found.scores >= 0.4

    def begin(self, tracks, new, affinity, moment, born):
        born["box_px"] = moment.found.boxes_px[new]
        born["crowded"] = (affinity.similarity[:, new] >= 0).any(0)

    def judge(self, tracks, sure, moment):
        low, high = tracks["box_px"][:, :2], tracks["box_px"][:, 2:]
        inside = ((high > 0) & (low < [moment.width, moment.height])).all(-1)
        return Verdict(inside, sure, np.ones(len(tracks), bool))

    def describe(self, rows, tracks, shown, moment):
        box_px = rows["box_px"] = tracks["box_px"][shown]
        depth_m = moment.K[1, 1] * HEIGHT_M / np.maximum(box_px[:, 3] - box_px[:, 1], 1)
        middle_px = 0.5 * (box_px[:, :2] + box_px[:, 2:])
        rows["transl"][:, :2] = (middle_px - moment.K[:2, 2]) / moment.K[[0, 1], [0, 1]] * depth_m[:, None]
        rows["transl"][:, 2], rows["global_orient"][:, 0], rows["confidence"] = depth_m, np.pi, 1


class ToySystem:
    name = "toy"

    def __init__(self, detector):
        self.detector = detector

    def stream(self, K=None):
        return OnlineStream(ToyTracker(self.detector), K)
