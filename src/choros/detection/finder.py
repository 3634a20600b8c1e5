"""From a picture to its people: boxes, keypoints, and each skeleton on its own person.

`PersonFinder` joins any `Detector` with any `KeypointEstimator`, checks what they return, and keeps
neighbours apart. It knows nothing of time: the same picture always gives the same people.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from choros.detection.movenet import MoveNet
from choros.detection.nanodet import NanoDet
from choros.detection.neighbours import estimate_apart, skeletons_to_keep
from choros.detection.protocols import Detector, KeypointEstimator, check_image, checked_detections
from choros.devices import CPU, Device
from choros.run_identity import Identity, changed, part_identity


@dataclass(frozen=True)
class Detections:
    """The people of one picture, best score first. Continuous px, (0, 0) the image's top-left corner.

    Scores go down to `FinderOptions.min_score`, 0.25 or 0.3: whoever starts a track should ask for more (0.4
    is what the embedded detector is tuned for), but a faint find may continue one.
    """

    boxes_px: np.ndarray  # (n, 4) float32 xyxy, may reach outside the image
    scores: np.ndarray  # (n,) float32 in 0..1
    keypoints: np.ndarray  # (n, 17, 3) float32 COCO-17 x_px, y_px, confidence in 0..1

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, which: np.ndarray | slice) -> "Detections":
        """The people that a mask, an index array or a slice picks."""
        return Detections(self.boxes_px[which], self.scores[which], self.keypoints[which])


@dataclass(frozen=True)
class FinderOptions:
    """Whom `PersonFinder` keeps."""

    min_score: float = 0.25
    min_height_px: float = 40.0  # smaller people show no pose worth lifting, and signs look like them
    same_skeleton: float = 0.7  # OKS above which two skeletons are on one person
    certain_score: float = 0.4  # with nobody of it the picture is looked at upside down, too
    upside_down_score: float = 0.5  # of people who are found so


@dataclass(frozen=True)
class PersonFinder:
    """Finds everyone in a picture. Thread-safe if its two parts are.

    ``PersonFinder.default(fast=True).find(image)`` is all that most callers need.
    """

    detector: Detector
    keypoints: KeypointEstimator
    options: FinderOptions = field(default_factory=FinderOptions)

    @classmethod
    def default(
        cls,
        fast: bool = False,
        *,
        detector: Detector | None = None,
        keypoints: KeypointEstimator | None = None,
        device: Device = CPU,
        exact: bool = False,
    ) -> "PersonFinder":
        """The embedded networks: NanoDet with MoveNet Lightning (fast) or Thunder (more accurate).

        Fast also looks at smaller pictures, which finds as many people, and at fewer faint ones, which does not; and
        it lets NanoDet round, unless it is to be ``exact``, the same on every machine but for the last digits.
        ``detector`` and ``keypoints`` take the place of one of them. Raises `ChorosError` where onnxruntime has no
        such ``device``.
        """
        options = FinderOptions(min_score=0.30) if fast else FinderOptions()
        sizes = (320, 576) if fast else (416, 640)
        return cls(
            detector or NanoDet(sizes, options.min_score, device=device, rounded=fast and not exact),
            keypoints or MoveNet("lightning" if fast else "thunder", device=device),
            options,
        )

    def identity(self) -> Identity:
        """By what its results are decided, for a header; parts of others are known by their class."""
        return {
            "detector": part_identity(self.detector),
            "keypoints": part_identity(self.keypoints),
            "options": changed(self.options, FinderOptions()),
        }

    def find(self, image: np.ndarray, boxes_px: np.ndarray | None = None) -> Detections:
        """The people in ``image``, uint8 RGB (H, W, 3); with ``boxes_px`` (n, 4) those, of score 1, in this order.

        Raises `ChorosError` for an image of another form, and where detector or estimator break their
        protocol.
        """
        check_image(image)
        if boxes_px is not None:
            scores = np.ones(len(boxes_px), np.float32)
            return Detections(boxes_px, scores, estimate_apart(self.keypoints, image, boxes_px))
        people = self._upright(image)
        if not (people.scores >= self.options.certain_score).any():
            # Networks that learned from people on their feet hardly see one who stands on their hands.
            over = self._upright(np.ascontiguousarray(image[::-1, ::-1]))
            over = over[over.scores >= self.options.upside_down_score]
            if len(over):
                return _turned_back(over, image.shape[1], image.shape[0])
        return people

    def _upright(self, image: np.ndarray) -> Detections:
        """The people whom the networks find in a picture as it is."""
        boxes, scores = checked_detections(self.detector, image)
        order = np.argsort(-scores, kind="stable")
        tall = boxes[order, 3] - boxes[order, 1] >= self.options.min_height_px
        order = order[tall & (scores[order] >= self.options.min_score)]
        boxes, scores = boxes[order], scores[order]
        people = Detections(boxes, scores, estimate_apart(self.keypoints, image, boxes))
        return people[skeletons_to_keep(boxes, scores, people.keypoints, self.options.same_skeleton)]

    def find_all(self, images: Iterable[np.ndarray], workers: int = 2) -> Iterator[Detections]:
        """`find` on every image, in order and bit for bit, ``workers`` images at a time.

        At most ``workers`` + 1 images are held. An error of `find` is raised at its image's turn.
        """
        with ThreadPoolExecutor(workers) as pool:
            waiting: deque[Future[Detections]] = deque()
            for image in images:
                waiting.append(pool.submit(self.find, image))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def _turned_back(people: Detections, width: int, height: int) -> Detections:
    """People found in a picture that was turned by half a turn, in the picture as it is; left stays left."""
    size = np.array([width, height], np.float32)
    boxes = np.concatenate([size - people.boxes_px[:, 2:], size - people.boxes_px[:, :2]], -1)
    keypoints = people.keypoints.copy()
    keypoints[..., :2] = size - keypoints[..., :2]
    return Detections(boxes, people.scores, keypoints)
