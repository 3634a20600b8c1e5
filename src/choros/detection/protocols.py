"""What a person detector and a keypoint network must do to be plugged into choros.

Both are plain protocols: any class with the method fits, nothing is inherited or registered. What they
return is checked where `PersonFinder` receives it, and a fault is reported under the name of the class.
"""

from typing import Protocol, runtime_checkable

import numpy as np

from choros.errors import ChorosError, NotNumbers


@runtime_checkable
class Detector(Protocol):
    """Finds the people of one picture.

    The picture is uint8 RGB, (H, W, 3), contiguous, and must not be written to. Coordinates are continuous
    pixels: (0, 0) is the top-left corner of the picture and the centre of its first pixel is (0.5, 0.5).

    - Boxes are x_min, y_min, x_max, y_max. They may reach outside the picture, where a person is cut off by
      its border. Their order does not matter, and each person should have one: suppress your own duplicates.
    - Scores lie in 0..1. Return faint ones too (down to about 0.25): the tracker starts a track only on a
      good score, but a faint box keeps a half-hidden person alive.
    - ``detect`` is called from several threads at once (`PersonFinder.find_all`). Keep no state between
      calls: the same picture must always give the same answer, for a stream is promised to give bit for bit
      what the file gives.
    - Raise `ChorosError` for what the user can mend, such as a missing weight file; anything else is passed
      on.

    A torchvision detector, for example::

        class TorchvisionPeople:
            def __init__(self) -> None:
                self.net = fasterrcnn_resnet50_fpn_v2(weights="DEFAULT").eval()

            @torch.inference_mode()
            def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
                pixels = torch.from_numpy(image).permute(2, 0, 1).float() / 255
                found = self.net([pixels])[0]
                person = (found["labels"] == 1) & (found["scores"] > 0.25)
                return found["boxes"][person].numpy(), found["scores"][person].numpy()

        finder = PersonFinder(TorchvisionPeople(), MoveNet("thunder"))
    """

    def detect(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (n, 4) float32 xyxy px and scores (n,) float32 of the people in ``image``; n may be 0."""
        ...


@runtime_checkable
class KeypointEstimator(Protocol):
    """Finds the 17 COCO keypoints (`choros.skeleton.COCO17`) of people whose boxes are known.

    The picture and its coordinates are those of `Detector`. ``boxes_px`` is (n, 4) and may be empty; row i of
    the answer belongs to box i. A keypoint outside the picture is allowed; one that the network does not see
    gets a best guess and a low confidence, never NaN. Confidence should be near the chance that the
    keypoint is right, because fitting weighs by it.

    ``estimate`` is called from several threads at once and must not depend on earlier calls. It may be called
    with a part of the picture in which neighbours are painted over, at any size from 1 x 1 up; one that has an
    attribute ``tells_people_apart`` that is true is asked about everybody at once, in the picture as it is.

    The smallest estimator there is, useful for testing a detector::

        class StandingStill:
            def estimate(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
                size = boxes_px[:, None, 2:] - boxes_px[:, None, :2]
                points = boxes_px[:, None, :2] + self.pose * size  # pose (17, 2), as shares of the box
                return np.concatenate([points, np.ones_like(points[..., :1])], -1)
    """

    def estimate(self, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
        """Keypoints (n, 17, 3) float32, x_px, y_px, confidence 0..1, of the people in the boxes (n, 4)."""
        ...


def check_image(image: np.ndarray) -> None:
    """Raise `ChorosError` unless ``image`` is uint8 RGB of shape (H, W, 3) with at least one pixel."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        what = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ChorosError(
            f"An image must be a uint8 RGB array of shape (H, W, 3), but this is {what}; convert it."
        )
    if image.size == 0:
        raise ChorosError(f"An image must have pixels, but this one has shape {image.shape}.")


def checked_detections(detector: Detector, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What ``detector`` finds, as float32 boxes (n, 4) and scores (n,).

    Raises `ChorosError` naming the detector's class where shapes, numbers or scores break the protocol.
    """
    who = f"Detector {type(detector).__name__}"
    answer = detector.detect(image)
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise ChorosError(
            f"{who} must return a pair (boxes_px, scores), but returned {type(answer).__name__}."
        )
    boxes, scores = (np.asarray(part, np.float32) for part in answer)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or scores.shape != boxes.shape[:1]:
        raise ChorosError(
            f"{who} must return boxes (n, 4) and scores (n,), but returned {boxes.shape} and {scores.shape}."
        )
    if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
        raise NotNumbers(f"{who} returned a box or score that is not a finite number.")
    if (boxes[:, 2:] <= boxes[:, :2]).any():
        raise ChorosError(f"{who} returned a box without area; boxes are x_min, y_min, x_max, y_max.")
    if ((scores < 0) | (scores > 1)).any():
        raise ChorosError(f"{who} returned a score outside 0..1.")
    return boxes, scores


def checked_keypoints(estimator: KeypointEstimator, image: np.ndarray, boxes_px: np.ndarray) -> np.ndarray:
    """What ``estimator`` finds in the boxes (n, 4), as float32 (n, 17, 3).

    Raises `ChorosError` naming the estimator's class where shape, numbers or confidence break the protocol.
    """
    if len(boxes_px) == 0:
        return np.zeros((0, 17, 3), np.float32)
    who = f"KeypointEstimator {type(estimator).__name__}"
    keypoints = np.asarray(estimator.estimate(image, boxes_px), np.float32)
    if keypoints.shape != (len(boxes_px), 17, 3):
        raise ChorosError(f"{who} must return ({len(boxes_px)}, 17, 3), but returned {keypoints.shape}.")
    if not np.isfinite(keypoints).all():
        raise NotNumbers(
            f"{who} returned a keypoint that is not a finite number; give unseen ones confidence 0."
        )
    if ((keypoints[..., 2] < 0) | (keypoints[..., 2] > 1)).any():
        raise ChorosError(f"{who} returned a confidence outside 0..1.")
    return keypoints
