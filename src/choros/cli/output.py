"""Standard output that no reader, no full disk and no odd name can turn into a traceback."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Descriptor(io.RawIOBase):
    """A file descriptor. What is written after its reader left (``| head``) goes nowhere, and the work goes on."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._gone = descriptor, False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        if self._gone:
            return size
        try:
            return os.write(self._descriptor, data)
        except BrokenPipeError:
            self._gone = True
            return size
        except OSError as error:
            self._gone = True  # so that it is said once
            raise OSError(error.errno, error.strerror, "standard output") from error


@contextmanager
def safe_output() -> Iterator[None]:
    """Print to such an output for a while; characters that it cannot show are written as their numbers."""
    before = sys.__stdout__
    if before is None or sys.stdout is not before:  # closed, or somebody else's: a test's, a notebook's
        yield
        return
    with suppress(OSError):
        before.flush()
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(_Descriptor(before.fileno())),
        encoding=before.encoding,
        errors="backslashreplace",
        line_buffering=before.isatty(),
    )
    try:
        yield
    finally:
        mine, sys.stdout = sys.stdout, before
        mine.flush()
