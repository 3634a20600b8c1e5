"""Small pictures of a video, for viewers that show it behind people: few enough to keep all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.motion import Motion
from choros.video import open_video

PICTURES = 600  # at most,
PICTURES_PER_S = 10.0  # and so many a second,
PICTURE_PX = 640  # so long on the longer side: some 20 MB in all at most
JPEG_QUALITY = 60


@dataclass(frozen=True)
class Film:
    """JPEGs of n pictures and when each is first shown."""

    time_s: NDArray[np.float64]  # (n,) since the motion's first frame, ascending
    jpegs: list[bytes]

    @classmethod
    def of(cls, video: str | Path, motion: Motion) -> Film:
        """The video while the motion lasts. Raises ``ChorosError`` if it cannot be read or has no frame then."""
        first_s, last_s = float(motion.pts_s[0]), float(motion.pts_s[-1])
        half_frame_s = 0.5 / float(motion.fps)
        apart_s = max(1 / PICTURES_PER_S, (last_s - first_s) / PICTURES) - 1e-3
        times_s: list[float] = []
        jpegs: list[bytes] = []
        begin_s, end_s = max(first_s - half_frame_s, 0.0), last_s + half_frame_s
        with open_video(video, begin_s, end_s, rotate=motion.header.rotate) as reader:
            for frame in reader:
                if not times_s or frame.pts_s - first_s >= times_s[-1] + apart_s:
                    times_s.append(frame.pts_s - first_s)
                    jpegs.append(_small_jpeg(frame.image))
        return cls(np.array(times_s), jpegs)

    def at(self, time_s: float) -> int:
        """Which picture is shown at a time."""
        return max(int(np.searchsorted(self.time_s, time_s + 1e-3)) - 1, 0)

    def image(self, index: int) -> NDArray[np.uint8]:
        """One picture, (h, w, 3) RGB."""
        jpeg = np.frombuffer(self.jpegs[index], np.uint8)
        return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


def _small_jpeg(image: NDArray[np.uint8]) -> bytes:
    height, width = image.shape[:2]
    scale = min(PICTURE_PX / max(width, height), 1.0)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    small = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()
