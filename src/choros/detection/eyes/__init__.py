"""A user's own eyes: detectors and keypoint networks in ONNX files, of the families that are common."""

from choros.detection.eyes.recognise import detector_from, keypoints_from

__all__ = ["detector_from", "keypoints_from"]
