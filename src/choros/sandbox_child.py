"""What decodes a video that nobody trusts, in a process of its own with few rights; started by `video.sandboxed`.

It may take so much memory, and so long for a frame, write no file, and where the system lets it, reach no network. What
it is to open comes through standard input from its parent, whom it trusts; it answers on standard output with lines of
JSON and bytes of pictures, which nobody needs to trust. Nothing heavy is imported before its rights are gone.
"""

from __future__ import annotations

import ctypes
import json
import pickle
import resource
import struct
import sys
from contextlib import suppress
from typing import Any, BinaryIO

MEMORY_BYTES = 4 << 30
FRAME_CPU_S = 60  # of the processor, for one frame
_NEW_USER, _NEW_NET, _NO_NEW_PRIVILEGES = 0x10000000, 0x40000000, 38


def main() -> None:
    """Give up rights, then decode."""
    give_up_rights()
    answer = sys.stdout.buffer
    source, options = pickle.load(sys.stdin.buffer)  # noqa: S301 (its parent wrote it)
    from choros.errors import ChorosError

    try:
        with options.open(source) as reader:
            decode(reader, answer)
    except ChorosError as error:
        say(answer, {"error": str(error)})
    except MemoryError:
        say(
            answer, {"error": f"{source} takes more memory to decode than it may ({MEMORY_BYTES >> 30} GiB)."}
        )


def give_up_rights() -> None:
    """For good: memory, files, core dumps, network."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with suppress(OSError, ValueError):
            resource.setrlimit(what, (most, most))
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        libc.unshare(_NEW_USER | _NEW_NET)  # refused in many a container; then there is the network still


def decode(reader: Any, answer: BinaryIO) -> None:
    """What there is to know of the video, then every frame, and gaps as they are found."""
    info = reader.info
    plain = ("width", "height", "n_frames_hint", "source", "is_live", "focal_35mm")
    about = {name: getattr(info, name) for name in plain}
    about |= {"fps": info.fps.as_integer_ratio(), "numbers": info.numbers, "notes": list(info.notes)}
    about["pictures"] = [[one.number, one.name, one.width, one.height] for one in info.pictures]
    say(answer, {"info": about})
    told = 0
    allow_a_frame()
    for frame in reader:
        height, width = frame.image.shape[:2]
        gaps, told = _gaps(reader, told)
        head = {
            "index": frame.index,
            "pts": frame.pts.as_integer_ratio(),
            "gap_before": bool(frame.gap_before),
        }
        say(answer, head | {"number": frame.number, "size": [width, height], "gaps": gaps}, frame.image.data)
        allow_a_frame()
    say(answer, {"end": True, "gaps": _gaps(reader, told)[0]})


def allow_a_frame() -> None:
    """So much more time of the processor, after which the system ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + FRAME_CPU_S, most))


def _gaps(reader: Any, told: int) -> tuple[list[Any], int]:
    return [[gap.start_s, gap.end_s, gap.reason] for gap in reader.gaps[told:]], len(reader.gaps)


def say(answer: BinaryIO, head: dict[str, Any], content: Any = b"") -> None:
    """A line: its length, JSON, and what belongs to it."""
    line = json.dumps(head).encode()
    answer.write(struct.pack("<I", len(line)) + line)
    answer.write(content)
    answer.flush()
