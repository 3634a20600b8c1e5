"""H.264 video out, with the frame times of the source.

The file appears under its name only when it is complete (``outputs.Part``).
"""

import math
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter

from choros.errors import ChorosError
from choros.outputs import Part

# Ticks per second in which the time stamps of nearly every container are whole: the least common multiple
# of 90000 (MPEG), 1000 (Matroska), 600 (QuickTime), 15360, 12800, 16000 and 24000 (FFmpeg's MP4).
_COMMON_TICKS = 5_760_000
_MAX_TICKS = 2**31 - 1  # of an MP4 track


class VideoWriter:
    """Writes frames of ``width`` x ``height`` px to an MP4 file (H.264, yuv420p, x264's CRF ``crf``).

    Time starts at zero with the first frame. An odd width or height is padded by one repeated column or
    row, which H.264 needs. A context manager: on leaving it, by an exception or Ctrl-C too, the file is
    finished and playable. With no frame written there is no file. Raises ChorosError if the folder does
    not exist or a frame has another size.
    """

    def __init__(self, path: str | Path, width: int, height: int, fps: Fraction, *, crf: int = 20) -> None:
        self.path = Path(path)
        self._shape = (height, width, 3)
        self._interval = 1 / Fraction(fps)
        ticks = math.lcm(_COMMON_TICKS, Fraction(fps).numerator)
        self._time_base = Fraction(1, ticks if ticks <= _MAX_TICKS else _COMMON_TICKS)
        self._first: Fraction | None = None
        self._last_pts: Fraction | None = None
        self._last_ticks = -1
        self._closed = False
        try:
            self._part = Part(self.path)  # FFmpeg would complain at the first frame only
        except OSError as error:
            raise ChorosError(
                f"{self.path}: cannot be written ({error.strerror}); name a folder that exists and is yours."
            ) from None
        self._container = av.open(str(self._part.path), "w", format="mp4")
        try:
            self._stream = self._container.add_stream("libx264", rate=Fraction(fps))
        except ValueError:
            self._container.close()
            self._part.drop()
            raise ChorosError(
                f"{self.path}: this build of PyAV has no H.264 encoder; install av from its wheels."
            ) from None
        self._stream.width, self._stream.height = width + width % 2, height + height % 2
        self._stream.pix_fmt = "yuv420p"
        # No B-frames: an MP4 that reorders frames needs an edit list to start at zero, which is inexact.
        self._stream.options = {"crf": str(crf), "preset": "veryfast", "bf": "0"}
        encoder = self._stream.codec_context
        encoder.colorspace, encoder.color_range = Colorspace.ITU709, ColorRange.MPEG
        encoder.color_primaries, encoder.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        self._reformatter = VideoReformatter()
        self._stream.time_base = self._time_base
        encoder.time_base = self._time_base

    def write(self, image: np.ndarray, pts: Fraction | None = None) -> None:
        """Add ``image``, (H, W, 3) uint8 RGB, shown at ``pts`` seconds (None: an interval after the last)."""
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ChorosError(
                f"{self.path}: a frame is {image.dtype} {image.shape}, the video uint8 {self._shape}; "
                "write frames of one size."
            )
        if pts is None:
            pts = Fraction(0) if self._last_pts is None else self._last_pts + self._interval
        if self._first is None:
            self._first = pts
        ticks = max(round((pts - self._first) / self._time_base), self._last_ticks + 1)
        self._last_pts, self._last_ticks = pts, ticks

        odd_rows, odd_columns = image.shape[0] % 2, image.shape[1] % 2
        if odd_rows or odd_columns:
            image = np.pad(image, ((0, odd_rows), (0, odd_columns), (0, 0)), mode="edge")
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = self._reformatter.reformat(picture, format="yuv420p", dst_colorspace=Colorspace.ITU709)
        frame.pts, frame.time_base = ticks, self._time_base
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """Finish the file and give it its name. More calls do nothing."""
        if self._closed:
            return
        self._closed = True
        try:
            try:
                if self._first is not None:
                    self._container.mux(self._stream.encode(None))
            finally:
                self._container.close()
            if self._first is not None:
                self._part.keep()
        finally:
            self._part.drop()

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
