"""One door for every kind of video source."""

import re
from fractions import Fraction
from pathlib import Path

from choros.errors import ChorosError
from choros.video.container import ContainerReader
from choros.video.frame import VideoReader
from choros.video.images import STILL_SUFFIXES, ImageReader, natural_key
from choros.video.prefetch import prefetch as prefetched
from choros.video.spool import STANDARD_INPUT, Spool, is_pipe

_URL = re.compile(r"(rtsps?|rtmps?|https?|udp|rtp|srt|tcp)://", re.IGNORECASE)
_CAMERA = re.compile(r"/dev/video\d+")


def open_video(
    source: str | Path,
    start_s: float | None = None,
    end_s: float | None = None,
    *,
    prefetch: int = 0,
    image_fps: Fraction | int = 30,
    timeout_s: float = 15.0,
    spool: Spool | None = None,
) -> VideoReader:
    """Open a video for reading; a context manager whose iteration yields `Frame`.

    ``source``: a video file, a folder of images (in natural order of their names), one image, a camera
    (``/dev/video0``), a pipe (``-`` is standard input), or the URL of a stream. Frames with
    ``start_s <= pts < end_s`` are delivered.
    ``prefetch`` decodes that many frames ahead in a thread. ``image_fps`` is the rate of a folder of
    images. ``timeout_s`` bounds the wait for a source that has gone silent, when opening and per packet.
    ``spool`` keeps what comes through a pipe.

    A damaged file yields every frame that can be decoded, and ``reader.gaps`` says where frames are
    missing. Raises ChorosError if the source is not there, is no video, or holds no readable frame.
    """
    if start_s is not None and end_s is not None and end_s <= start_s:
        raise ChorosError(f"The end ({end_s} s) must come after the start ({start_s} s); swap or widen them.")
    if not str(source).strip():
        raise ChorosError("No video was named; give a file, a folder of images, a camera or a stream.")
    reader = _open(str(source), start_s or 0.0, end_s, Fraction(image_fps), timeout_s, spool)
    return prefetched(reader, prefetch) if prefetch > 0 else reader


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
    image_fps: Fraction,
    timeout_s: float,
    spool: Spool | None,
) -> VideoReader:
    check_there(source)
    if _URL.match(source):
        return ContainerReader(source, source, start_s, end_s, timeout_s)

    path = Path(STANDARD_INPUT if source == "-" else source)
    if spool is not None and is_pipe(path):
        return ContainerReader(f"file:{spool.tee(str(path))}", source, start_s, end_s, timeout_s)
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
    if path.is_socket() and str(path) == STANDARD_INPUT:  # which cannot be opened by that name
        return ContainerReader("pipe:0", source, start_s, end_s, timeout_s)
    # "file:" keeps FFmpeg from reading a colon or a percent sign in the name as more than a name.
    return ContainerReader(f"file:{path}", source, start_s, end_s, timeout_s)
