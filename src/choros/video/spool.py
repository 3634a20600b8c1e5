"""A copy of what comes through a pipe, kept while it is read, for whoever wants to see the video once more."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from choros.errors import ChorosError
from choros.outputs import PartialFile

SPOOL_BYTES = 4 << 30  # the most that is kept
_CHUNK = 1 << 16  # bytes; what a pipe holds
#: What "-" is called where the system has names for what is open already.
STANDARD_INPUT = "/dev/stdin"


def is_pipe(source: str | Path) -> bool:
    """Whether ``source`` can be read once only, from its beginning: a pipe, by whatever name, or a socket.

    The word "-" is standard input; the path ``Path("-")`` is a file of that name.
    """
    path = Path(STANDARD_INPUT if source == "-" else source)
    return path.is_fifo() or path.is_socket()


class Spool:
    """Keeps up to ``limit`` bytes of a pipe in a file in ``folder``, which goes when this is closed.

    >>> with Spool("out") as spool:
    ...     track_to_file("/dev/stdin", "out/motion.npz", system, spool=spool)
    ...     render_video(motion, spool.kept(), "out/overlay.mp4")
    """

    def __init__(self, folder: str | Path, limit: int = SPOOL_BYTES) -> None:
        self._folder, self._limit = Path(folder), limit
        self._part: PartialFile | None = None
        self._lost: str | None = None  # why not everything is kept
        self._onward: int | None = None  # end of a pipe of our own, which FFmpeg reads instead
        self._thread: threading.Thread | None = None

    def tee(self, source: str) -> str:
        """Begin to copy the pipe ``source``; returns the path to read instead of it, once.

        Raises ``ChorosError`` where the system has no names for pipes.
        """
        if not Path("/dev/fd").exists():
            raise ChorosError(f"{source} can be read once only here; save it to a file, and name that.")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._part = PartialFile(self._folder / "spool")
        self._onward, into = os.pipe()
        self._thread = threading.Thread(
            target=self._copy, args=(source, into, self._part), name="choros-spool", daemon=True
        )
        self._thread.start()
        return f"/dev/fd/{self._onward}"

    def kept(self) -> Path:
        """The file with all that was read. Raises ``ChorosError`` if it is not all there."""
        if self._part is None:
            raise ChorosError("no pipe was read; give the spool to what reads it.")
        if self._lost is not None:
            raise ChorosError(
                f"what came through the pipe was not kept ({self._lost}); save it to a file and name that."
            )
        self._part.file.flush()
        return self._part.path

    def close(self) -> None:
        """Remove the copy. The thread ends by itself with the pipe, or with what is written to it next."""
        if self._onward is not None:
            os.close(self._onward)
            self._onward = None
        if self._part is not None:
            self._lost = self._lost or "the spool is closed"
            self._part.drop()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # In the thread ------------------------------------------------------------------------------------

    def _copy(self, source: str, into: int, part: PartialFile) -> None:
        # A socket, which some programs give as standard input, cannot be opened by a name.
        name = 0 if source == STANDARD_INPUT else source
        try:
            with open(name, "rb", buffering=0, closefd=name != 0) as pipe, suppress(BrokenPipeError):
                while data := pipe.read(_CHUNK):
                    self._keep(data, part)
                    while data:
                        data = data[os.write(into, data) :]
        except OSError as error:
            self._lost = error.strerror or str(error)
        finally:
            os.close(into)

    def _keep(self, data: bytes, part: PartialFile) -> None:
        """Add to the copy; what is too much, or finds the disk full, ends it and gives the room back."""
        if self._lost is not None:
            return
        try:
            if part.file.tell() + len(data) > self._limit:
                self._lost = f"it is more than {self._limit:,} bytes"
            else:
                part.file.write(data)
        except (OSError, ValueError) as error:
            self._lost = getattr(error, "strerror", None) or str(error)
        if self._lost is not None:
            with suppress(OSError, ValueError):
                part.file.truncate(0)
