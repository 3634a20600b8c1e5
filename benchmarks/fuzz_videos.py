"""Breaks small videos in thousands of ways and prints what ``open_video`` makes of them, by container.

Each mutation (bytes and bits changed, blocks cut, zeroed, swapped, doubled, lengths falsified, ends cut off) comes from
a seed. It is read once by choros and once by plain FFmpeg (PyAV; OpenCV for WebP), each in a worker of its own with
limits of time and memory; a worker that hangs or dies is replaced, and that is counted. Every frame that plain
decoding delivers is owed, unless the file is refused for the size of its pictures. Every fourth is also read from
a later start.

    python benchmarks/fuzz_videos.py [--mutations 2000] [--container mp4 ...] [--output FILE.json]
"""

import argparse
import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "video"))
from making import VPX, X264, Kind, numbered, plain_decode, steady, write_video

FRAMES = 12
LIMIT_S = 20.0  # for one file
MEMORY = 6 << 30  # bytes of address space; what libraries map without using counts
MEMORY_MB = 1024  # resident, that choros may use
RESULTS = Path(__file__).resolve().parent / "results" / "fuzz_videos.json"

KINDS: dict[str, list[Kind]] = {
    "mp4": [
        Kind("mp4", "libx264", options=X264),
        Kind("mp4", "libx264", options=X264, movflags="frag_keyframe+empty_moov"),
        Kind("mp4", "mpeg4", options=(("g", "6"),)),
    ],
    "mkv": [Kind("mkv", "libx264", options=X264), Kind("mkv", "ffv1", "bgra")],
    "webm": [Kind("webm", "libvpx-vp9", options=VPX), Kind("webm", "libvpx", options=VPX)],
    "avi": [Kind("avi", "mpeg4", options=(("g", "6"),)), Kind("avi", "mjpeg", "yuvj420p")],
    "ts": [Kind("ts", "libx264", options=X264), Kind("ts", "mpeg2video", options=(("g", "6"),))],
    "gif": [Kind("gif", "gif", "rgb8")],
    "webp": [],
}


@dataclass
class Outcome:
    """What one reader made of one file."""

    frames: int = 0
    refused: str | None = None  # the sentence
    error: str | None = None  # what no reader should come to: a traceback, "hung" or "died"
    seconds: float = 0.0
    peak_mb: float = 0.0  # of the worker so far


@dataclass
class Row:
    """Sums over the mutations of one container."""

    mutations: int = 0
    readable: int = 0
    refused: int = 0
    owed: int = 0
    delivered: int = 0
    short: list[int] = field(default_factory=list)  # seeds of files with fewer frames than owed
    hung: list[int] = field(default_factory=list)
    tracebacks: list[int] = field(default_factory=list)
    plain_failed: int = 0  # the other reader hung, died or used up its memory
    max_s: float = 0.0
    peak_mb: float = 0.0


# The files ------------------------------------------------------------------------------------------------


def intact_files(container: str, folder: Path) -> list[bytes]:
    path = folder / f"intact.{container}"
    if container == "webp":
        film = cv2.Animation()
        film.frames = [np.ascontiguousarray(numbered(index)[..., ::-1]) for index in range(FRAMES)]
        film.durations = np.full(FRAMES, 40, np.int32)
        cv2.imwriteanimation(str(path), film)
        return [path.read_bytes()]
    return [write_video(path, kind, steady(FRAMES)).read_bytes() for kind in KINDS[container]]


def mutated(intact: list[bytes], seed: int) -> bytes:
    """One to four changes to one of the files."""
    chance = random.Random(seed)
    data = bytearray(intact[seed % len(intact)])
    for _ in range(chance.choice((1, 1, 2, 4))):
        if len(data) > 8:
            chance.choice(CHANGES)(data, chance)
    return bytes(data)


def _span(data: bytearray, chance: random.Random) -> slice:
    size = min(len(data) // 2, int(2 ** chance.uniform(0, 12)))
    start = chance.randrange(len(data) - size)
    return slice(start, start + size)


def _flip_bits(data: bytearray, chance: random.Random) -> None:
    for _ in range(int(2 ** chance.uniform(0, 6))):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set_bytes(data: bytearray, chance: random.Random) -> None:
    for _ in range(int(2 ** chance.uniform(0, 4))):
        data[chance.randrange(len(data))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))


def _damage_header(data: bytearray, chance: random.Random) -> None:
    """Near the beginning, or the end, where MP4 and AVI have their tables."""
    at = min(len(data) - 1, int(2 ** chance.uniform(0, 11)))
    data[at if chance.random() < 0.5 else -1 - at] = chance.randrange(256)


def _cut_off(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(1, len(data)) :]


def _zero(data: bytearray, chance: random.Random) -> None:
    span = _span(data, chance)
    data[span] = bytes(span.stop - span.start)


def _noise(data: bytearray, chance: random.Random) -> None:
    span = _span(data, chance)
    data[span] = chance.randbytes(span.stop - span.start)


def _remove(data: bytearray, chance: random.Random) -> None:
    del data[_span(data, chance)]


def _double(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[_span(data, chance)]


def _swap(data: bytearray, chance: random.Random) -> None:
    span = _span(data, chance)
    block = data[span]
    del data[span]
    at = chance.randrange(len(data) + 1)
    data[at:at] = block


def _falsify_length(data: bytearray, chance: random.Random) -> None:
    """Four bytes, as a length or count would be, of either byte order; before a name in half of the cases."""
    at = chance.randrange(len(data) - 4)
    names = [i for i in range(4, len(data) - 4) if data[i : i + 4].isalpha()]
    if names and chance.random() < 0.5:
        at = chance.choice(names) + chance.choice((-4, 4, 8))
    number = chance.choice((0, 1, 7, 8, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, chance.getrandbits(32)))
    data[at : at + 4] = number.to_bytes(4, chance.choice(("big", "little")))


CHANGES: list[Callable[[bytearray, random.Random], None]] = [
    _flip_bits, _set_bytes, _damage_header, _cut_off, _zero, _noise, _remove, _double, _swap, _falsify_length,
]  # fmt: skip


# The readers ----------------------------------------------------------------------------------------------


def by_choros(path: Path, seed: int) -> Outcome:
    from choros.errors import ChorosError
    from choros.video import open_video

    outcome = Outcome()
    try:
        with open_video(path) as reader:
            outcome.frames = sum(1 for _ in reader)
    except ChorosError as error:
        outcome.refused = str(error)
    if seed % 4 == 0 and outcome.refused is None:
        try:
            with open_video(path, start_s=0.2) as reader:
                for _ in reader:
                    pass
        except ChorosError:
            pass
    return outcome


def by_ffmpeg(path: Path, seed: int) -> Outcome:
    if path.suffix == ".webp":
        found, film = cv2.imreadanimation(str(path))
        return Outcome(len(film.frames) if found else 0)
    return Outcome(len(plain_decode(path)))


def serve(pipe: Connection, read: Callable[[Path, int], Outcome]) -> None:
    """A worker: reads what it is told to until it is told to stop."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libraries complain of every file
    while (job := pipe.recv()) is not None:
        path, seed = job
        began = time.monotonic()
        try:
            outcome = read(path, seed)
        except Exception:
            outcome = Outcome(error=traceback.format_exc())
        outcome.seconds = time.monotonic() - began
        outcome.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        pipe.send(outcome)


class Worker:
    """A process that is replaced when it hangs or dies."""

    def __init__(self, read: Callable[[Path, int], Outcome]) -> None:
        self._read = read
        self._start()

    def _start(self) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        self._process = context.Process(target=serve, args=(theirs, self._read), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, path: Path, seed: int) -> None:
        self._pipe.send((path, seed))

    def answer(self) -> Outcome:
        error = "hung"
        try:
            if self._pipe.poll(LIMIT_S):
                return self._pipe.recv()
        except (EOFError, ConnectionError):
            error = "died"
        self._process.kill()
        self._process.join()
        self._start()
        return Outcome(error=error, seconds=LIMIT_S if error == "hung" else 0.0)

    def close(self) -> None:
        self._process.kill()
        self._process.join()


def fuzz(container: str, mutations: int, folder: Path, console: Console) -> Row:
    row, intact = Row(), intact_files(container, folder)
    choros, plain = Worker(by_choros), Worker(by_ffmpeg)
    for seed in range(mutations):
        path = folder / f"mutated.{container}"
        path.write_bytes(mutated(intact, seed))
        choros.ask(path, seed)
        plain.ask(path, seed)
        ours, theirs = choros.answer(), plain.answer()
        row.mutations += 1
        row.max_s, row.peak_mb = max(row.max_s, ours.seconds), max(row.peak_mb, ours.peak_mb)
        row.plain_failed += theirs.error is not None
        if ours.error is not None:
            (row.hung if ours.error in ("hung", "died") else row.tracebacks).append(seed)
            console.print(f"{container} seed {seed}: {ours.error}", markup=False)
            continue
        row.readable += ours.refused is None
        row.refused += ours.refused is not None
        too_large = ours.refused is not None and "px" in ours.refused
        owed = 0 if too_large else theirs.frames
        row.owed += owed
        row.delivered += ours.frames
        if ours.frames < owed:
            row.short.append(seed)
            why = ours.refused or ""
            console.print(f"{container} seed {seed}: {ours.frames} of {owed} frames. {why}", markup=False)
    choros.close()
    plain.close()
    return row


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutations", type=int, default=2000, help="of each container")
    parser.add_argument("--container", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--output", type=Path, default=RESULTS)
    args = parser.parse_args()

    console = Console(width=140)
    rows: dict[str, Row] = {}
    for container in args.container:
        with tempfile.TemporaryDirectory() as folder:
            rows[container] = fuzz(container, args.mutations, Path(folder), console)
    heads = (
        "mutations",
        "readable",
        "refused",
        "owed",
        "delivered",
        "files with loss",
        "hung, died",
        "tracebacks",
    )
    table = Table("container", *heads, "max s", "peak MB")
    for container, row in rows.items():
        counts = (row.mutations, row.readable, row.refused, row.owed, row.delivered)
        faults = (len(row.short), len(row.hung), len(row.tracebacks))
        table.add_row(container, *map(str, counts + faults), f"{row.max_s:.2f}", f"{row.peak_mb:.0f}")
    console.print(table)
    args.output.write_text(json.dumps({name: asdict(row) for name, row in rows.items()}, indent=1) + "\n")
    bad = any(r.short or r.hung or r.tracebacks or r.peak_mb > MEMORY_MB for r in rows.values())
    sys.exit(int(bad))


if __name__ == "__main__":
    main()
