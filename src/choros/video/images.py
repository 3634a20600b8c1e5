"""A folder of pictures, or one picture, read as a video with a constant frame rate, or as photographs."""

from __future__ import annotations

import mimetypes
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np

from choros.errors import ChorosError
from choros.video import picture
from choros.video.frame import Frame, Gap, Picture, VideoInfo, VideoReader
from choros.video.lens_tags import focal_35mm_of_picture
from choros.video.numbering import Numbering, natural_key, numbering_of

_NAMED = 5  # pictures of one gap that are named one by one


def pictures_in(folder: Path) -> list[Path]:
    """Everything in a folder that looks like a picture, in natural order of the names.

    A picture that cannot be read is among them, unless one of the same name can (a camera's raw file beside its
    JPEG). Raises ChorosError for a folder without pictures.
    """
    files = [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]
    found = [path for path in files if picture.looks_like_one(path)]
    readable = {path.stem for path in found if path.suffix.lower() not in picture.UNREAD_SUFFIXES}
    found = [
        path
        for path in found
        if path.suffix.lower() not in picture.UNREAD_SUFFIXES or path.stem not in readable
    ]
    if not found:
        raise ChorosError(f"{folder}: the folder holds no images{_what_else(folder)}.")
    return sorted(found, key=lambda path: natural_key(path.name))


def _what_else(folder: Path) -> str:
    """What a folder without pictures may have been meant for."""
    paths = sorted(folder.iterdir(), key=lambda path: natural_key(path.name))
    videos = [p.name for p in paths if (mimetypes.guess_type(p.name)[0] or "").startswith("video/")]
    folders = [p.name for p in paths if p.is_dir() and not p.name.startswith((".", "__"))]
    for names, what in ((videos, "videos"), (folders, "folders")):
        if names:
            more = ", ..." if len(names) > 3 else ""
            return f" but {what} ({', '.join(names[:3])}{more}); name one of them"
    return "; name a folder of frames"


class ImageReader(VideoReader):
    """The pictures of ``paths`` as frames; one that cannot be read, or is missing by its number, leaves a gap.

    Times are steps of the numbering at ``fps``. With ``photos`` they have nothing to do with each other: sizes may
    differ, every frame has a ``gap_before``, and holes in the numbers mean nothing.
    """

    def __init__(
        self,
        source: str,
        paths: Sequence[Path],
        fps: Fraction,
        start_s: float = 0.0,
        end_s: float | None = None,
        *,
        numbering: Numbering | None = None,
        photos: bool = False,
    ) -> None:
        self._paths, self._fps, self._photos = paths, fps, photos
        self._start_s = start_s
        counted = tuple(range(len(paths)))
        self._numbering = numbering or Numbering(False, counted, counted, 1)
        self._steps = counted if photos else self._numbering.steps
        self._next = self._first = bisect_left(self._steps, _first_step_at(start_s, fps))
        self._stop = len(paths) if end_s is None else bisect_left(self._steps, _first_step_at(end_s, fps))
        if self._next >= self._stop:
            raise ChorosError(
                f"{source}: no image between {start_s} s and {end_s} s; its {len(paths)} images end at "
                f"{float((self._steps[-1] + 1) / fps):.2f} s."
            )
        self.gaps: list[Gap] = []
        here = slice(self._first, self._stop)
        pictures = _photographs(paths[here], self._numbering.numbers[here])
        if not photos:
            _refuse_unlike(paths[0].parent, pictures)
        self._images = self._read()
        self._lost: list[str] = []
        self._waiting = self._next_readable()
        if self._waiting is None:
            raise ChorosError(
                f"{source}: no image can be read ({self._lost[0]}); check or export the files again."
            )
        height, width = self._waiting.image.shape[:2]
        if photos:
            width, height = max(p.width for p in pictures), max(p.height for p in pictures)
        self.info = VideoInfo(
            width,
            height,
            fps,
            self._stop - self._first,
            source,
            is_live=False,
            numbers="named" if self._numbering.named else "counted",
            focal_35mm=None if photos else focal_35mm_of_picture(self._waiting.path),
            pictures=pictures if photos else (),
        )

    def __iter__(self) -> Iterator[Frame]:
        last_s, index = self._time(self._first), 0
        while self._waiting is not None:
            one = self._waiting
            pts = Fraction(self._steps[one.position]) / self._fps
            self._note(last_s, float(pts))
            gap = one.gap or self._photos
            yield Frame(index, float(pts), pts, one.image, gap, number=self._numbering.numbers[one.position])
            last_s, index = float(pts), index + 1
            self._waiting = self._next_readable() if self._waiting is not None else None
        self._note(last_s, None)

    def close(self) -> None:
        """Release the source. May be called at any time, and more than once."""
        self._waiting = None
        self._images = iter(())

    def _time(self, position: int) -> float:
        return float(Fraction(self._steps[position]) / self._fps)

    def _note(self, start_s: float, end_s: float | None) -> None:
        """Put what was lost since the last frame among the gaps."""
        if self._photos:
            self.gaps += [Gap(start_s, end_s, reason) for reason in self._lost]
        elif self._lost:
            more = len(self._lost) - _NAMED
            words = [*self._lost[:_NAMED], *([f"and {more} more"] if more > 0 else [])]
            self.gaps.append(Gap(start_s, end_s, "; ".join(words)))
        self._lost = []

    def _next_readable(self) -> _Read | None:
        """The next picture that can be read; what was lost before it is added to ``_lost``."""
        return next(self._images, None)

    def _read(self) -> Iterator[_Read]:
        left_over: str | None = None
        for position in range(self._first, self._stop):
            path = self._paths[position]
            missing = None if self._photos else self._numbering.missing_before(position)
            # Of a hole that begins before what is read, only its end may lie in it.
            in_range = (
                position > self._first or float((self._steps[position] - 1) / self._fps) >= self._start_s
            )
            self._lost += [reason for reason in (left_over, missing if in_range else None) if reason]
            left_over = None
            try:
                image, left_over = picture.read(path)
            except picture.Unreadable as error:
                self._lost.append(str(error))
                continue
            yield _Read(position, path, image, gap=bool(self._lost))
        self._lost += [left_over] if left_over else []


@dataclass(frozen=True, eq=False)
class _Read:
    position: int
    path: Path
    image: np.ndarray
    gap: bool


def _photographs(paths: Sequence[Path], numbers: Sequence[int]) -> tuple[Picture, ...]:
    """Of those whose header can be read."""
    found = []
    for path, number in zip(paths, numbers, strict=True):
        try:
            found.append(Picture(number, path.name, *picture.size_of(path)))
        except picture.Unreadable:
            continue  # it is named as a gap when its turn comes
    return tuple(found)


def _refuse_unlike(folder: Path, pictures: Sequence[Picture]) -> None:
    """Before any work, not in the middle of it. Raises ChorosError where sizes differ."""
    sizes = [(about.width, about.height) for about in pictures]
    if not sizes:
        return
    expected = Counter(sizes).most_common(1)[0][0]
    for about, size in zip(pictures, sizes, strict=True):
        if size == expected:
            continue
        with suppress(picture.Unreadable):  # a damaged one may say any size
            picture.read(folder / about.name)
            raise ChorosError(
                f"{folder / about.name}: this image is {about.width}x{about.height} px but the others are "
                f"{expected[0]}x{expected[1]} px; a folder must hold the frames of one video, or be tracked with "
                "--photos, each picture by itself."
            )


def open_pictures(
    folder: Path, source: str, fps: Fraction, start_s: float, end_s: float | None, photos: bool
) -> ImageReader:
    """The pictures of a folder. Raises ChorosError if there are none, or none can be read."""
    paths = pictures_in(folder)
    numbering = numbering_of([path.name for path in paths])
    return ImageReader(source, paths, fps, start_s, end_s, numbering=numbering, photos=photos)


def _first_step_at(time_s: float, fps: Fraction) -> int:
    """The first step whose time as a float is at or after ``time_s``."""
    frame = max(0, ceil(Fraction(time_s) * fps))
    return frame - 1 if frame > 0 and float((frame - 1) / fps) >= time_s else frame
