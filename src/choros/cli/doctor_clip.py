"""``choros doctor CLIP``: all that choros sees in a clip, and what it would do with it, in plain lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

    from choros.video import VideoInfo
    from choros.video.framing import Orientation
    from choros.video.report import Claims, SampledFrame, VideoReport

MOST = 12  # cuts and gaps that are listed
LIVE_S = 5.0  # a camera is looked at for so long, and not a file's length
KINDS = {"mov": "MP4 or MOV", "matroska": "Matroska or WebM", "mpegts": "MPEG-TS", "avi": "AVI", "flv": "FLV"}


def tell(clip: str, seconds: float) -> None:
    """Print what is seen in the first ``seconds`` of a clip. Raises ChorosError if nothing in it can be read."""
    from choros.video import open_video
    from choros.video.report import claims, report_of

    path = Path(clip)
    said = claims(path) if path.is_file() else None
    _print(_claimed(path, said))
    with open_video(clip) as reader:
        info = reader.info
        _print(_opened(clip, info, said))
        seen = report_of(reader, min(seconds, LIVE_S) if info.is_live else seconds, said)
    _print(_seen(seen, said))
    _print(_people(seen.samples))
    _print(_plan(info, seen, path.is_dir()))


def _print(lines: Iterator[tuple[str, str]]) -> None:
    for name, text in lines:
        print(f"{name + ':':<9}{text}", flush=True)


def _claimed(path: Path, said: Claims | None) -> Iterator[tuple[str, str]]:
    if not path.exists():
        return  # an address, or nothing; opening it will tell
    if path.is_dir():
        n_files = sum(1 for _ in path.iterdir())
        yield "source", f"a folder of {n_files} {'file' if n_files == 1 else 'files'}"
        return
    if not path.is_file():
        yield "source", "a camera or pipe, which is read once: what a container claims is not told"
        return
    yield "file", f"{path.stat().st_size / 1e6:.2f} MB"
    if said is None:
        return
    kind = said.container.split(",")[0]
    sounds = {0: "no sound", 1: "sound"}.get(said.n_sounds, f"{said.n_sounds} streams of sound")
    more = f", {said.n_videos} streams of video, the largest is taken" if said.n_videos > 1 else ""
    yield (
        "kind",
        f"{KINDS.get(kind, kind.removesuffix('_pipe'))}, {said.codec}, {said.pixels}, {sounds}{more}",
    )
    width, height = said.size
    if not width or not height or kind.endswith("_pipe"):
        return  # a picture, which claims no times
    shape = "square" if said.sar in (None, 1) else f"{said.sar.numerator}:{said.sar.denominator}"
    yield "stored", f"{width}x{height} px, pixels {shape}"
    yield "turned", _turn(said.orientation)
    length = "no length" if said.duration_s is None else f"{said.duration_s:.2f} s"
    frames = "frames not counted" if said.n_frames is None else f"{said.n_frames} frames"
    yield (
        "claims",
        f"{_rate(said.average_fps)} on average, {_rate(said.clock_fps)} at base; {length}, {frames}",
    )


def _opened(clip: str, info: VideoInfo, said: Claims | None) -> Iterator[tuple[str, str]]:
    if info.is_live:
        yield "source", f"{clip} is live: {LIVE_S:g} s of it are looked at"
    yield "shown", f"{info.width}x{info.height} px"
    for note in info.notes:
        yield "odd", note


def _seen(seen: VideoReport, said: Claims | None) -> Iterator[tuple[str, str]]:
    if seen.rate is not None:
        uneven = (
            f"variable: {1000 * seen.shortest_s:.0f} to {1000 * seen.longest_s:.0f} ms from frame to frame"
        )
        text = f"{float(seen.rate.fps):.2f} frames/s by the times of the frames, "
        yield "rate", text + ("constant" if seen.rate.steady else uneven)
    first, last = seen.numbers
    text = f"{seen.n_frames} frames, numbers {first} to {last}, {seen.first_s:.2f} s to {seen.last_s:.2f} s"
    if seen.n_frames == 1:
        text = f"1, number {first}"
    yield "frames", text + ("" if seen.whole else "; not the whole of it")
    if not seen.whole and seen.wrong is None:
        yield "looked", "at the beginning only; --seconds says how much"
    elif seen.wrong is not None:
        yield "wrong", f"reading ended there: {seen.wrong}"
    missing = said is not None and said.n_frames is not None and seen.whole and said.n_frames - seen.n_frames
    if missing and missing > 0:
        yield "missing", f"{missing} of the {said.n_frames} frames that are claimed"  # type: ignore[union-attr]
    yield "cuts", _few([f"{time_s:.2f} s" for time_s in seen.cuts_s])
    yield "gaps", str(len(seen.gaps) or "none")
    for gap in seen.gaps[:MOST]:
        end = "the end" if gap.end_s is None else f"{gap.end_s:.2f} s"
        yield "gap", f"{gap.start_s:.2f} s to {end}: {gap.reason}"
    if len(seen.gaps) > MOST:
        yield "gap", f"and {len(seen.gaps) - MOST} more"


def _people(samples: Sequence[SampledFrame]) -> Iterator[tuple[str, str]]:
    from choros.detection import PersonFinder
    from choros.detection.turned import rotation_hint

    finder = PersonFinder.default(fast=True)
    for sample in samples:
        people = finder.find(sample.image)
        heights = sorted((people.boxes_px[:, 3] - people.boxes_px[:, 1]) * sample.scale, reverse=True)
        tall = f", {', '.join(f'{height:.0f}' for height in heights[:MOST])} px tall" if heights else ""
        who = f"{len(heights)} {'person' if len(heights) == 1 else 'people'}" if heights else "nobody found"
        yield "people", f"{who} at {sample.time_s:.2f} s{tall}{', ...' if len(heights) > MOST else ''}"
    if hint := rotation_hint(finder, [sample.image for sample in samples]):
        yield (
            "hint",
            f"turned by {hint} degrees, people stand upright; if it was filmed so, say --rotate {hint}",
        )


def _plan(info: VideoInfo, seen: VideoReport, is_folder: bool) -> Iterator[tuple[str, str]]:
    from choros.camera import default_focal_px, focal_px_of_35mm

    focal_px = default_focal_px(info.width, info.height)
    if info.focal_35mm is not None:
        focal_px = focal_px_of_35mm(info.focal_35mm, info.width, info.height)
    angle = 2 * math.degrees(math.atan(max(info.width, info.height) / 2 / focal_px))
    taken = (
        f"focal length {focal_px:.0f} px ({angle:.0f} degrees across), its axis in the middle of the picture"
    )
    if info.focal_35mm is not None:
        taken += f", by the metadata ({info.focal_35mm:g} mm on 35 mm film)"
    yield "camera", f"{taken}, unless --focal, --fov or --K says better"
    rate = f"{float(info.fps):.3f}".rstrip("0").rstrip(".")
    whose = (
        ", for pictures do not say when they were taken" if is_folder else ", and every frame at its own time"
    )
    yield "time", f"{rate} frames/s are taken{whose}"
    if any("changes" in gap.reason for gap in seen.gaps):
        yield "size", f"pictures of another size are fitted into {info.width}x{info.height} px"
    if seen.cuts_s:
        yield "shots", f"{len(seen.cuts_s) + 1}; nobody is followed over a cut"


def _turn(orientation: Orientation | None) -> str:
    if orientation is None:
        return "unknown, since the first picture cannot be decoded"
    transpose, across, down = orientation.transpose, orientation.flip_x, orientation.flip_y
    mirrored = across != down if not transpose else across == down
    if not mirrored:
        degrees = (90 if across else 270) if transpose else (180 if across else 0)
        return f"by {degrees} degrees clockwise, as its metadata says" if degrees else "no"
    return "mirrored, as its metadata says" + (" and by a quarter turn" if transpose else "")


def _rate(fps: Fraction | None) -> str:
    return "no rate" if fps is None else f"{float(fps):.2f} frames/s"


def _few(texts: Sequence[str]) -> str:
    more = f", and {len(texts) - MOST} more" if len(texts) > MOST else ""
    return f"{len(texts)}, at {', '.join(texts[:MOST])}{more}" if texts else "none"
