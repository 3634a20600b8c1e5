"""People in one picture: boxes, COCO-17 keypoints, and the protocols to plug other networks in."""

from choros.detection.eyes.recognise import detector_from, keypoints_from
from choros.detection.finder import Detections, FinderOptions, PersonFinder
from choros.detection.movenet import MoveNet
from choros.detection.nanodet import NanoDet
from choros.detection.own import OwnKeypoints
from choros.detection.protocols import Detector, KeypointEstimator

__all__ = [
    "Detections",
    "Detector",
    "FinderOptions",
    "KeypointEstimator",
    "MoveNet",
    "NanoDet",
    "OwnKeypoints",
    "PersonFinder",
    "detector_from",
    "keypoints_from",
]
