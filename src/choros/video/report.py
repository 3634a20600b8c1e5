"""What there is to know of a video before it is worked on: what its container claims, and what its frames say.

For people to read (`choros doctor CLIP`); tracking goes by `VideoReader` alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.video.cuts import CutDetector, sketch
from choros.video.frame import Gap, VideoReader
from choros.video.framing import Orientation, orientation_of
from choros.video.limits import MAX_PIXELS
from choros.video.rates import Rate, rate_of

#: Frames that are kept to look for people in, and px of their longer side at most.
SAMPLES, SAMPLE_SIDE_PX = 5, 1920
TIMEOUT_S = 15.0  # for a file on a disk that has gone silent


@dataclass(frozen=True)
class Claims:
    """What a file says of its video. Rates are frames/s, times seconds; None where it says nothing."""

    container: str  # FFmpeg's name of the format
    codec: str
    pixels: str  # FFmpeg's name of the pixel format
    size: tuple[int, int]  # width, height as stored, px
    sar: Fraction | None  # width over height of a pixel
    orientation: Orientation | None  # how pictures are to be laid; None if the first one cannot be decoded
    average_fps: Fraction | None
    clock_fps: Fraction | None  # the rate that the format would be played at if nothing better were known
    tick_s: Fraction  # what stamps count
    duration_s: float | None
    n_frames: int | None
    n_sounds: int  # streams of sound
    n_videos: int  # streams of video, cover pictures too


def claims(path: Path) -> Claims | None:
    """Those of a file; None if FFmpeg finds no video in it. Reads no more than the first picture."""
    try:
        limits = {"max_pixels": str(MAX_PIXELS)}
        with av.open(f"file:{path}", options=limits, metadata_errors="replace", timeout=TIMEOUT_S) as file:
            videos = [s for s in file.streams.video if s.codec_context is not None and not _is_cover(s)]
            if not videos:
                return None
            stream = max(videos, key=lambda s: s.codec_context.width * s.codec_context.height)
            decoder, tick_s = stream.codec_context, stream.time_base or Fraction(0)
            duration = stream.duration * tick_s if stream.duration and tick_s else None
            if duration is None and file.duration:
                duration = Fraction(file.duration, av.time_base)
            said = Claims(
                file.format.name, decoder.codec.long_name, decoder.pix_fmt or "unknown pixels",
                (decoder.width, decoder.height), stream.sample_aspect_ratio or None, None,
                stream.average_rate or None, stream.base_rate or None, tick_s,
                None if duration is None else float(duration), stream.frames or None,
                len(file.streams.audio), len(file.streams.video),
            )  # fmt: skip
            try:
                picture = next(file.decode(stream))
            except (av.error.FFmpegError, StopIteration, ValueError):
                return said
            return Claims(**{**vars(said), "orientation": orientation_of(picture)})
    except (av.error.FFmpegError, ValueError):
        return None


def _is_cover(stream: VideoStream) -> bool:
    return bool(stream.disposition & type(stream.disposition).attached_pic)


@dataclass
class SampledFrame:
    """A frame to look for people in."""

    time_s: float
    image: NDArray[np.uint8]  # (h, w, 3) RGB, perhaps smaller than the frame
    scale: float  # px of the frame per px of the image


@dataclass
class VideoReport:
    """What the frames of a video say."""

    n_frames: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    numbers: tuple[int, int] = (0, 0)  # of the first and the last frame, the source's own
    rate: Rate | None = None  # None of fewer than two frames
    shortest_s: float = 0.0  # from frame to frame
    longest_s: float = 0.0
    cuts_s: list[float] = field(default_factory=list)  # when another shot begins
    gaps: list[Gap] = field(default_factory=list)
    samples: list[SampledFrame] = field(default_factory=list)  # evenly over what was looked at
    whole: bool = True  # whether it was read to its end
    wrong: str | None = None  # what ended the reading before


def report_of(reader: VideoReader, seconds: float, said: Claims | None = None) -> VideoReport:
    """Read the first ``seconds`` of a video once. Memory does not grow but for a number a frame."""
    seen, cuts, steps, every = VideoReport(), CutDetector(), [], 1
    try:
        for frame in reader:
            if frame.pts_s - (seen.first_s if seen.n_frames else frame.pts_s) >= seconds:
                seen.whole = False
                break
            if not seen.n_frames:
                seen.first_s, seen.numbers = frame.pts_s, (frame.number, frame.number)
            else:
                steps.append(frame.pts_s - seen.last_s)
            if cuts.step(sketch(frame.image), frame.pts_s):
                seen.cuts_s.append(frame.pts_s)
            if seen.n_frames % every == 0:
                seen.samples.append(_sample(frame.image, frame.pts_s))
            if len(seen.samples) > 2 * SAMPLES:  # how long it is nobody knows: keep fewer, further apart
                seen.samples, every = seen.samples[::2], 2 * every
            seen.last_s, seen.numbers = frame.pts_s, (seen.numbers[0], frame.number)
            seen.n_frames += 1
    except ChorosError as error:
        seen.wrong, seen.whole = str(error), False
    seen.gaps = list(reader.gaps)
    if steps:
        claimed = [] if said is None else [said.average_fps, said.clock_fps]
        seen.rate = rate_of(steps, claimed, float(said.tick_s) if said else 0.0)
        seen.shortest_s, seen.longest_s = min(steps), max(steps)
    few = np.unique(np.linspace(0, max(len(seen.samples) - 1, 0), SAMPLES).round().astype(int))
    seen.samples = [seen.samples[i] for i in few] if seen.samples else []
    return seen


def _sample(image: NDArray[np.uint8], time_s: float) -> SampledFrame:
    scale = max(max(image.shape[:2]) / SAMPLE_SIDE_PX, 1.0)
    if scale > 1:
        size = round(image.shape[1] / scale), round(image.shape[0] / scale)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return SampledFrame(time_s, image, scale)
