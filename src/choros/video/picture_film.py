"""A picture file that holds many pictures, as a film: animated WebP and APNG, and TIFF of several pages.

GIF and animated AVIF are read by FFmpeg, with all other films.
Animations are shown once, with the durations that they state (``animation.NO_DURATION_S`` where that is none);
pages have no times and take the rate of a folder of pictures. Memory does not grow with the film.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from choros.crops import in_bars
from choros.errors import ChorosError
from choros.video.animation import NO_DURATION_S, animation_of, pictures
from choros.video.frame import Frame, Gap, VideoInfo, VideoReader
from choros.video.picture import Unreadable, check_size, opened, pages_of, pixels_of

#: (H, W, 3) RGB or None, its time in seconds, and what is wrong with it or before it, if anything.
Shown: TypeAlias = tuple[NDArray[np.uint8] | None, Fraction, str | None]


class PictureFilm(VideoReader):
    """The pictures of one file with ``start_s <= pts < end_s``. Raises ChorosError if none can be read."""

    def __init__(
        self,
        name: str,
        shown: Iterator[Shown],
        fps: Fraction,
        n_frames: int | None,
        start_s: float,
        end_s: float | None,
    ) -> None:
        self._start_s, self._end_s = start_s, end_s
        self.gaps: list[Gap] = []
        self._shown = enumerate(shown)
        self._reason: str | None = None
        self._waiting = self._next()
        while self._waiting is not None and float(self._waiting[1]) < start_s:
            self._reason = None
            self._waiting = self._next()
        if self._waiting is None:
            why = f" ({self._reason})" if self._reason else ""
            raise ChorosError(
                f"{name}: no picture of it can be read{why}; start earlier, or export the file again."
            )
        height, width = self._waiting[2].shape[:2]
        in_range = n_frames if not start_s and end_s is None else None
        self.info = VideoInfo(width, height, fps, in_range, name, is_live=False)

    def _next(self) -> tuple[int, Fraction, NDArray[np.uint8]] | None:
        """Number, time and pixels of the next picture that can be read; what is wrong goes to ``_reason``."""
        for number, (image, pts, reason) in self._shown:
            if self._end_s is not None and float(pts) >= self._end_s:
                break
            self._reason = self._reason or reason
            if image is not None:
                return number, pts, image
        return None

    def __iter__(self) -> Iterator[Frame]:
        last_s, index = self._start_s, 0
        while self._waiting is not None:
            number, pts, image = self._waiting
            height, width = image.shape[:2]
            if (width, height) != (self.info.width, self.info.height):
                image = in_bars(image, self.info.width, self.info.height)
                unlike = f"picture {number + 1} is {width}x{height} px, shown in the size of the first"
                self._reason = self._reason or unlike
            if self._reason:
                self.gaps.append(Gap(last_s, float(pts), self._reason))
            yield Frame(index, float(pts), pts, image, self._reason is not None, number=number)
            last_s, index, self._reason = float(pts), index + 1, None
            self._waiting = self._next() if self._waiting is not None else None
        if self._reason:
            self.gaps.append(Gap(last_s, None, self._reason))

    def close(self) -> None:
        """Release the source. May be called at any time, and more than once."""
        self._waiting = None
        self._shown = enumerate(())


def film_of(
    path: Path, source: str, kind: str, page_fps: Fraction, start_s: float, end_s: float | None
) -> PictureFilm | None:
    """The film in a picture file of this ``kind``; None if it is a single picture, or cannot be opened as a film.

    Raises ChorosError where none of several pictures can be read.
    """
    try:
        if kind in ("webp", "png") and (animation := animation_of(path, kind)) is not None:
            durations = [part.duration_s for part in animation.parts() if not isinstance(part, str)]
            shown = pictures(animation, path.name)
            return PictureFilm(source, shown, _rate(durations), len(durations), start_s, end_s)
        if kind == "tiff":
            with open(path, "rb") as file:
                pages = pages_of(opened(path, file))
            if len(pages) > 1:
                shown = _page_pictures(path, pages, page_fps)
                return PictureFilm(source, shown, page_fps, len(pages), start_s, end_s)
    except (Unreadable, OSError):
        pass  # the reader of stills says why
    return None


def _rate(durations: list[Fraction]) -> Fraction:
    """Frames per second by the duration that most of them have, if half have; else on average."""
    if not durations:
        return 1 / NO_DURATION_S
    usual, count = Counter(durations).most_common(1)[0]
    return 1 / usual if 2 * count >= len(durations) else len(durations) / sum(durations, Fraction(0))


# TIFF -------------------------------------------------------------------------------------------------


def _page_pictures(path: Path, pages: list[int], fps: Fraction) -> Iterator[Shown]:
    with open(path, "rb") as file:
        image = opened(path, file)
        for index, page in enumerate(pages):
            pixels, reason = None, None
            try:
                image.seek(page)
                check_size(path.name, *image.size)
                pixels = pixels_of(image, path.name)
            except Exception as error:  # Pillow raises all there is on damage
                reason = f"page {page + 1}: {error}"
                # What a damaged page leaves behind must not spoil the next.
                file.seek(0)
                image = opened(path, file)
            yield pixels, index / fps, reason
