"""One door for every kind of video source."""

import math
import re
from fractions import Fraction
from pathlib import Path

from choros.camera.calibration import Calibration
from choros.errors import ChorosError
from choros.video import heif, picture
from choros.video.container import ContainerReader
from choros.video.frame import VideoReader
from choros.video.images import ImageReader, open_pictures
from choros.video.picture_film import film_of
from choros.video.prefetch import prefetch as prefetched
from choros.video.spool import STANDARD_INPUT, Spool, is_pipe
from choros.video.turning import quarters_of, turned
from choros.video.undistorted import Undistorted

_URL = re.compile(r"(rtsps?|rtmps?|https?|udp|rtp|srt|tcp)://", re.IGNORECASE)
IMAGE_FPS = Fraction(30)  # of pictures of which nobody says it
PHOTO_FPS = Fraction(1)  # of photographs, which have no times
_MOST_FPS = 1000
_CAMERA = re.compile(r"/dev/video\d+")


def open_video(
    source: str | Path,
    start_s: float | None = None,
    end_s: float | None = None,
    *,
    rotate: int = 0,
    prefetch: int = 0,
    image_fps: Fraction | float = IMAGE_FPS,
    photos: bool = False,
    timeout_s: float = 15.0,
    spool: Spool | None = None,
    calibration: Calibration | None = None,
) -> VideoReader:
    """Open a video for reading; a context manager whose iteration yields `Frame`.

    ``source``: a video file, a folder of images (in natural order of their names), one image, a camera
    (``/dev/video0``), a pipe (``-`` is standard input), or the URL of a stream. Frames with
    ``start_s <= pts < end_s`` are delivered.
    They stand upright by what the source says of itself; ``rotate`` turns them further, clockwise by 90, 180 or
    270 degrees. ``prefetch`` decodes that many frames ahead in a thread. ``image_fps`` is the rate of a folder of
    images and of a TIFF's pages; all else has its own times. ``photos``: the images of a folder have nothing to do
    with each other; each may have its own size, and one is shown a second (``PHOTO_FPS``). ``timeout_s`` bounds the
    wait for a source that has gone silent, when opening and per packet. ``spool`` keeps what comes through a pipe;
    ``calibration`` makes pictures straight that its lens has bent, as they stand after all turns.

    A damaged file yields every frame that can be decoded, and ``reader.gaps`` says where frames are
    missing. Pictures whose size changes midway are fitted into the first size, with black bars, and a gap says so;
    the first size's intrinsics hold for them if they show the same, scaled, or less at the sides.
    Raises ChorosError if the source is not there, is no video, holds no readable frame or is not of the calibration's
    shape, and for times or turns that make no sense.
    """
    check_range(start_s, end_s)
    quarters_of(rotate)
    if not str(source).strip():
        raise ChorosError("No video was named; give a file, a folder of images, a camera or a stream.")
    reader = turned(_open(str(source), start_s or 0.0, end_s, image_fps, photos, timeout_s, spool), rotate)
    if calibration is not None:
        try:
            reader = Undistorted(reader, calibration)
        except ChorosError:
            reader.close()
            raise
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
            f"the end ({end_s} s) must come after the start ({start_s or 0.0} s); swap or widen them."
        )


def image_rate(image_fps: Fraction | float) -> Fraction:
    """A rate of pictures as a fraction that keeps their times exact: 29.97 is 2997/100. Raises ChorosError."""
    if not 0 < image_fps <= _MOST_FPS:
        raise ChorosError(
            f"pictures cannot come {float(image_fps):g} times a second; give a rate above 0 and up to {_MOST_FPS}, "
            "such as 25 or 30000/1001."
        )
    return Fraction(str(image_fps)).limit_denominator(10**6)


def takes_image_fps(source: str | Path) -> bool:
    """Whether ``image_fps`` is what tells times: of folders, single pictures and pages, not of films and streams."""
    path = Path(source)
    if path.is_dir():
        return True
    if _URL.match(str(source)) or not path.is_file():
        return False
    kind = _picture_kind(path)
    return kind is not None and (
        kind == "tiff" or film_of(path, path.name, kind, Fraction(1), 0.0, None) is None
    )


def is_address(source: str | Path) -> bool:
    """Whether ``source`` is a camera, or an address in a network, where a stream or a file may be."""
    return _URL.match(str(source)) is not None or _CAMERA.fullmatch(str(source)) is not None


def check_there(source: str | Path) -> None:
    """Raise ``ChorosError`` if ``source`` is a path at which there is nothing."""
    if str(source) != "-" and not _URL.match(str(source)) and not Path(source).exists():
        raise ChorosError(f"{source}: no such file or folder; check the path.")


def _open(
    source: str,
    start_s: float,
    end_s: float | None,
    image_fps: Fraction | float,
    photos: bool,
    timeout_s: float,
    spool: Spool | None,
) -> VideoReader:
    check_there(source)
    if photos and is_address(source):
        raise ChorosError(f"{source}: photographs are read from a folder; name one.")
    if _URL.match(source):
        return ContainerReader(source, source, start_s, end_s, timeout_s)

    path = Path(STANDARD_INPUT if source == "-" else source)
    if spool is not None and is_pipe(path):
        return ContainerReader(f"file:{spool.tee(str(path))}", source, start_s, end_s, timeout_s)
    if _CAMERA.fullmatch(source):
        return ContainerReader(source, source, start_s, end_s, timeout_s, container_format="v4l2")
    if path.is_file() and path.stat().st_size == 0:
        raise ChorosError(f"{source}: the file is empty; copy or record it again.")
    kind = _picture_kind(path) if path.is_file() else None
    if kind is None and not path.is_dir():
        if photos:
            raise ChorosError(
                f"{source}: this is a film, no photographs; name a folder of pictures, or do without photos."
            )
        if path.is_socket() and str(path) == STANDARD_INPUT:  # which cannot be opened by that name
            return ContainerReader("pipe:0", source, start_s, end_s, timeout_s)
        # "file:" keeps FFmpeg from reading a colon or a percent sign in the name as more than a name.
        return ContainerReader(f"file:{path}", source, start_s, end_s, timeout_s)
    fps = PHOTO_FPS if photos else image_rate(image_fps)
    if kind is None:
        return open_pictures(path, source, fps, start_s, end_s, photos)
    film = None if photos else film_of(path, source, kind, fps, start_s, end_s)
    return film or ImageReader(source, [path], fps, start_s, end_s, photos=photos)


def _picture_kind(path: Path) -> str | None:
    """The kind of picture that a file holds, by its content or else its name; None for what FFmpeg is to read.

    GIF and animated AVIF are films to FFmpeg; a photo's tiles would be videos to it.
    """
    kind = picture.kind_of(path)
    if kind == "gif" or (kind in ("avif", "heic", "heif") and heif.is_film(path)):
        return None
    if kind is None and path.suffix.lower() in picture.SUFFIXES | picture.UNREAD_SUFFIXES - {".gif"}:
        return "unknown"
    return kind
