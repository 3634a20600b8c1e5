"""A video decoded in a process of its own with few rights (`choros.sandbox_child`): the same frames to the last bit.

Decoders are large programs in C that read what strangers made. One that crashes, hangs, or is taken over by a file then
ends alone, or is without files to write and mostly without a network. What it answers is checked like any other input.
"""

from __future__ import annotations

import json
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.video.frame import Frame, Gap, Picture, VideoInfo, VideoReader
from choros.video.lens_tags import believed_mm
from choros.video.limits import MAX_PIXELS, MAX_SIDE_PX

SILENCE_S = 90.0  # between two answers of the child, by the clock
MOST_HEAD_BYTES = 64 << 20  # a folder of a hundred thousand photographs names them all
_START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from choros.sandbox_child import main; main()"
)


class SandboxedReader(VideoReader):
    """The frames that ``options`` (a ``choros.options.TrackOptions``) open of ``source``, a file or a folder.

    Raises ``ChorosError``, which names the source, for whatever is wrong with it, also where its decoder crashed, took
    more than it may, or fell silent.
    """

    def __init__(self, source: str | Path, options: Any) -> None:
        if not Path(source).is_file() and not Path(source).is_dir():
            raise ChorosError(
                f"{source} is no file or folder, which alone a sandbox can open; record it first."
            )
        if os.name == "nt":
            raise ChorosError(
                f"{source} cannot be opened in a sandbox on Windows; leave it out, or use Linux."
            )
        self._source = str(source)
        self._child = subprocess.Popen(  # noqa: S603 (Python itself)
            [sys.executable, "-B", "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is for the parent, which ends it
        )
        question, self._answers = cast("IO[bytes]", self._child.stdin), cast("IO[bytes]", self._child.stdout)
        self.gaps: list[Gap] = []
        try:
            with suppress(BrokenPipeError), question:
                question.write(pickle.dumps((self._source, options)))
            head = self._head()
            self.info = self._believed(lambda: _info(head["info"]))
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Frame]:
        while True:
            head = self._head()
            self.gaps += self._believed(lambda head=head: [_gap(one) for one in head["gaps"]])
            if "end" in head:
                return
            yield self._believed(lambda head=head: self._frame(head))

    def close(self) -> None:
        """End the child."""
        with suppress(ProcessLookupError):
            self._child.kill()
        self._child.wait()
        self._answers.close()

    # ----------------------------------------------------------------------------------------------

    def _head(self) -> dict[str, Any]:
        (length,) = struct.unpack("<I", self._read(bytearray(4)))
        if length > MOST_HEAD_BYTES:
            raise self._nonsense()
        head = self._believed(lambda: json.loads(self._read(bytearray(length))))
        if not isinstance(head, dict):
            raise self._nonsense()
        if "error" in head:
            raise ChorosError(" ".join(str(head["error"]).split()))
        return head

    def _frame(self, head: dict[str, Any]) -> Frame:
        width, height = (int(side) for side in head["size"])
        if not (0 < width <= MAX_SIDE_PX and 0 < height <= MAX_SIDE_PX and width * height <= MAX_PIXELS):
            raise ValueError(f"{width}x{height}")
        image: NDArray[np.uint8] = np.empty((height, width, 3), np.uint8)
        self._read(image.reshape(-1).data)
        pts = Fraction(*(int(part) for part in head["pts"]))
        return Frame(
            int(head["index"]), float(pts), pts, image, bool(head["gap_before"]), int(head["number"])
        )

    def _read(self, into: Any) -> Any:
        """Fill a buffer. Raises ``ChorosError`` where the child has ended, or says nothing for too long."""
        view, done = memoryview(into), 0
        while done < len(view):
            ready, _, _ = select.select([self._answers], [], [], SILENCE_S)
            if not ready:
                raise ChorosError(
                    f"{self._source}: its decoder said nothing for {SILENCE_S:.0f} s; leave the file out, or mend it."
                )
            count = os.readv(self._answers.fileno(), [view[done:]])
            if count == 0:
                raise self._ended()
            done += count
        return into

    def _believed(self, read: Any) -> Any:
        try:
            return read()
        except (ValueError, KeyError, TypeError, IndexError, OverflowError, ZeroDivisionError) as error:
            raise self._nonsense() from error

    def _nonsense(self) -> ChorosError:
        return ChorosError(
            f"{self._source}: its decoder answered with nonsense; the file is not to be trusted."
        )

    def _ended(self) -> ChorosError:
        code = self._child.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
        return ChorosError(
            f"{self._source}: its decoder ended with {how}; the file is damaged, or made to do harm: leave it out."
        )


def _info(told: dict[str, Any]) -> VideoInfo:
    hint = told["n_frames_hint"]
    return VideoInfo(
        int(told["width"]),
        int(told["height"]),
        Fraction(*(int(part) for part in told["fps"])),
        None if hint is None else int(hint),
        str(told["source"]),
        bool(told["is_live"]),
        "named" if told["numbers"] == "named" else "counted",
        tuple(str(note) for note in told["notes"]),
        tuple(Picture(int(n), str(name), int(w), int(h)) for n, name, w, h in told["pictures"]),
        believed_mm(told["focal_35mm"]),
    )


def _gap(told: list[Any]) -> Gap:
    start, end, reason = told
    return Gap(float(start), None if end is None else float(end), str(reason))
