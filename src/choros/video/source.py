"""One door for every kind of video source."""

import math
import re
from fractions import Fraction
from pathlib import Path

from choros.errors import ChorosError
from choros.video.container import ContainerReader
from choros.video.frame import VideoReader
from choros.video.images import STILL_SUFFIXES, ImageReader, natural_key
from choros.video.prefetch import prefetch as prefetched
from choros.video.turning import quarters_of, turned

_URL = re.compile(r"(rtsps?|rtmps?|https?|udp|rtp|srt|tcp)://", re.IGNORECASE)
_CAMERA = re.compile(r"/dev/video\d+")


def open_video(
    source: str | Path,
    start_s: float | None = None,
    end_s: float | None = None,
    *,
    rotate: int = 0,
    prefetch: int = 0,
    image_fps: Fraction | int = 30,
    timeout_s: float = 15.0,
) -> VideoReader:
    """Open a video for reading; a context manager whose iteration yields `Frame`.

    ``source``: a video file, a folder of images (in natural order of their names), one image, a camera
    (``/dev/video0``), or the URL of a stream. Frames with ``start_s <= pts < end_s`` are delivered.
    They stand upright by what the source says of itself; ``rotate`` turns them further, clockwise by 90, 180 or
    270 degrees. ``prefetch`` decodes that many frames ahead in a thread. ``image_fps`` is the rate of a folder of
    images. ``timeout_s`` bounds the wait for a source that has gone silent, when opening and per packet.

    A damaged file yields every frame that can be decoded, and ``reader.gaps`` says where frames are
    missing. Pictures whose size changes midway are fitted into the first size, with black bars, and a gap says so;
    the first size's intrinsics hold for them if they show the same, scaled, or less at the sides.
    Raises ChorosError if the source is not there, is no video, or holds no readable frame, and for times or turns
    that make no sense.
    """
    check_range(start_s, end_s)
    quarters_of(rotate)
    if not str(source).strip():
        raise ChorosError("No video was named; give a file, a folder of images, a camera or a stream.")
    reader = _open(str(source), start_s or 0.0, end_s, Fraction(image_fps), timeout_s)
    reader = turned(reader, rotate)
    return prefetched(reader, prefetch) if prefetch > 0 else reader


def check_range(start_s: float | None, end_s: float | None) -> None:
    """Raises ChorosError unless a video can be cut from ``start_s`` to ``end_s``, seconds; None is its own end."""
    for time_s in (start_s, end_s):
        if time_s is not None and not math.isfinite(time_s):
            raise ChorosError(f"a video cannot be cut at {time_s} s; give start and end in seconds.")
    if start_s is not None and start_s < 0:
        raise ChorosError(f"a video cannot start at {start_s:g} s, before it begins; give a start from 0 on.")
    if end_s is not None and end_s <= (start_s or 0):
        raise ChorosError(
            f"the end ({end_s:g} s) must come after the start ({start_s or 0:g} s); swap or widen them."
        )


def _open(
    source: str, start_s: float, end_s: float | None, image_fps: Fraction, timeout_s: float
) -> VideoReader:
    if _URL.match(source):
        return ContainerReader(source, source, start_s, end_s, timeout_s)

    path = Path(source)
    if not path.exists():
        raise ChorosError(f"{source}: no such file or folder; check the path.")
    if _CAMERA.fullmatch(source):
        return ContainerReader(source, source, start_s, end_s, timeout_s, container_format="v4l2")
    if path.is_dir():
        stills = sorted(
            (p for p in path.iterdir() if p.suffix.lower() in STILL_SUFFIXES and not p.name.startswith(".")),
            key=lambda p: natural_key(p.name),
        )
        if not stills:
            kinds = ", ".join(sorted(STILL_SUFFIXES))
            raise ChorosError(f"{source}: the folder holds no images ({kinds}); name a folder of frames.")
        return ImageReader(source, stills, image_fps, start_s, end_s)
    if path.stat().st_size == 0 and path.is_file():
        raise ChorosError(f"{source}: the file is empty; copy or record it again.")
    if path.suffix.lower() in STILL_SUFFIXES:
        return ImageReader(source, [path], image_fps, start_s, end_s)
    # "file:" keeps FFmpeg from reading a colon or a percent sign in the name as more than a name.
    return ContainerReader(f"file:{path}", source, start_s, end_s, timeout_s)
