"""A folder of images, or one image, read as a video with a constant frame rate."""

import re
import struct
from collections.abc import Iterator
from fractions import Fraction
from math import ceil
from pathlib import Path

import cv2
import numpy as np

from choros.errors import ChorosError
from choros.video.frame import Frame, Gap, VideoInfo, VideoReader
from choros.video.limits import MAX_PIXELS, MAX_SIDE_PX

STILL_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Sort key by which ``frame_9`` comes before ``frame_10``."""
    parts = re.split(r"([0-9]+)", name.lower())
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts if part]


class ImageReader(VideoReader):
    """The images of ``paths`` as frames at k / fps seconds; an unreadable image leaves a gap."""

    def __init__(
        self, source: str, paths: list[Path], fps: Fraction, start_s: float, end_s: float | None
    ) -> None:
        self._paths = paths
        self._fps = fps
        self._next = _first_frame_at(start_s, fps)
        self._stop = len(paths) if end_s is None else min(len(paths), _first_frame_at(end_s, fps))
        if self._next >= self._stop:
            raise ChorosError(
                f"{source}: no image between {start_s} s and {end_s} s; its {len(paths)} images end at "
                f"{float(len(paths) / fps):.2f} s."
            )
        self._first = self._next
        self.gaps: list[Gap] = []

        image = None
        reasons = []
        while image is None and self._next < self._stop:
            image, reason = _read_image(paths[self._next])
            self._next += 1
            reasons += [reason] if reason else []
        if image is None:
            raise ChorosError(
                f"{source}: no image can be read ({reasons[0]}); check or export the files again."
            )
        self._waiting = image
        self._reason = reasons[0] if reasons else None
        height, width = image.shape[:2]
        self.info = VideoInfo(width, height, fps, self._stop - self._first, source, is_live=False)

    def __iter__(self) -> Iterator[Frame]:
        last_s = float(self._first / self._fps)
        index = 0
        for position, image, reason in self._images():
            if image is None:
                self._reason = self._reason or reason
                continue
            pts = Fraction(position) / self._fps
            if self._reason:
                self.gaps.append(Gap(last_s, float(pts), self._reason))
            yield Frame(index, float(pts), pts, image, self._reason is not None, number=position)
            last_s, self._reason, index = float(pts), None, index + 1
        if self._reason:
            self.gaps.append(Gap(last_s, None, self._reason))

    def _images(self) -> Iterator[tuple[int, np.ndarray | None, str | None]]:
        yield self._next - 1, self._waiting, None
        expected = (self.info.height, self.info.width, 3)
        while self._next < self._stop:
            path = self._paths[self._next]
            image, reason = _read_image(path)
            if image is not None and image.shape != expected:
                raise ChorosError(
                    f"{path}: this image is {image.shape[1]}x{image.shape[0]} px but the ones before it are "
                    f"{expected[1]}x{expected[0]} px; a folder must hold the frames of one video."
                )
            self._next += 1
            yield self._next - 1, image, reason

    def close(self) -> None:
        self._stop = self._next


def _first_frame_at(time_s: float, fps: Fraction) -> int:
    """The first frame whose time as a float is at or after ``time_s``."""
    frame = max(0, ceil(Fraction(time_s) * fps))
    return frame - 1 if frame > 0 and float((frame - 1) / fps) >= time_s else frame


def _read_image(path: Path) -> tuple[np.ndarray | None, str | None]:
    """(H, W, 3) uint8 RGB with EXIF orientation applied, or None and the reason."""
    try:
        data = np.fromfile(path, np.uint8)  # not cv2.imread, which cannot open every name on Windows
    except OSError as error:
        return None, f"{path.name} cannot be opened: {error.strerror}"
    width, height = _declared_size(data[: 1 << 20].tobytes())
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        return None, f"{path.name} declares {width}x{height} px, more than is read"
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except cv2.error:
        image = None
    if image is None:
        return None, f"{path.name} is not a readable image"
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), None


def _declared_size(data: bytes) -> tuple[int, int]:
    """Width and height from the header of a PNG or JPEG, so that a bomb is refused before it is unpacked.

    (0, 0) for other formats and for headers that make no sense: the decoder will have its say.
    """
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        return struct.unpack(">II", data[16:24])
    if data[:2] != b"\xff\xd8":
        return 0, 0
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return 0, 0
