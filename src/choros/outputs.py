"""Files that are written: whole or not at all, by one run at a time, and never over what is read.

Locks are the operating system's (``flock``, ``LockFileEx``): they end with whoever holds them, however that happens,
so that nothing has to be guessed about runs that died.
"""

from __future__ import annotations

import errno
import os
import secrets
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from filelock import lock_descriptor

from choros.errors import ChorosError

_WINDOWS = os.name == "nt"
#: What file systems say that have no locks, such as NFS without its lock service.
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


# --- what may be written --------------------------------------------------------------------------


def check_output(output: str | Path, *read: str | Path | None) -> None:
    """Raise ``ChorosError`` unless the file ``output`` can be written without harm to what is ``read``.

    ``output`` may be none of the files that are read, by whatever name (links), nor lie in a folder whose pictures
    are; it, or the folder that it will be made in, must be this user's to write. Writes nothing.
    """
    output = Path(output)
    if output.is_dir():
        raise ChorosError(f"{output} is a folder; name the file to write.")
    if output.exists() and not output.is_file():
        raise ChorosError(f"{output} is not a file; name a file to write.")
    place = output.resolve()
    for name in read:
        if name is None or "://" in str(name) or not (path := Path(name)).exists():
            continue
        if path.is_dir() and any(above.exists() and above.samefile(path) for above in place.parents):
            raise ChorosError(f"{output} would be written into {path}, which is read; name another folder.")
        if output.exists() and output.samefile(path):
            raise ChorosError(f"{output} would be written over itself; name another file.")
    folder = next(above for above in place.parents if above.exists())
    if not folder.is_dir():
        raise ChorosError(f"{folder} is a file; name a folder to write into.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ChorosError(f"{folder} cannot be written to; name another folder or mend its permissions.")


# --- one run at a time ----------------------------------------------------------------------------

_held: dict[tuple[int, Path], int] = {}  # descriptors of locks by thread and lock file


@contextmanager
def claimed(output: str | Path) -> Iterator[None]:
    """``output``, and what is written beside it, is this thread's alone; claims may be nested.

    The lock is on ``NAME.lock`` beside it, which is gone afterwards. Raises ``ChorosError`` at once if another run, or
    another thread, has it. Where the file system has no locks, a warning says so.
    """
    output = Path(output)
    lock = output.parent.resolve() / f"{output.name}.lock"
    key = threading.get_ident(), lock
    if key in _held:
        yield
        return
    made = [folder for folder in (lock.parent, *lock.parent.parents) if not folder.exists()]
    lock.parent.mkdir(parents=True, exist_ok=True)
    try:
        fd = _locked(lock)
        if fd is None:
            raise ChorosError(
                f"{output} is being written by another run; wait for its end, or name another place."
            )
        _held[key] = fd
        try:
            yield
        finally:
            if _held.pop(key, None) is not None:  # a forked child has let go
                _remove_locked(lock, fd)
    finally:
        for folder in made:  # that nothing was written into
            with suppress(OSError):
                folder.rmdir()


def _locked(path: Path) -> int | None:
    """A descriptor of ``path`` that has its lock; None if somebody else has."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not lock_descriptor(fd, blocking=False):
                os.close(fd)
                return None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(fd)
                raise
            warnings.warn(f"{path.parent} has no locks: run nothing else that writes there.", stacklevel=4)
            return fd
        if _names(path, fd):
            return fd
        os.close(fd)  # whoever had it has just removed it


def _names(path: Path, fd: int) -> bool:
    """Whether ``path`` still is the file of ``fd``."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def _remove_locked(path: Path, fd: int) -> None:
    """Remove a lock file before its lock is let go, so that nobody can hold one that is without its name."""
    with suppress(OSError):
        if not _WINDOWS:
            path.unlink()
    os.close(fd)
    with suppress(OSError):
        if _WINDOWS:  # where nobody can remove what somebody has open
            path.unlink()


def _let_go() -> None:
    """In a forked child: the locks are its parent's."""
    for fd in _held.values():
        os.close(fd)
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


# --- whole or not at all --------------------------------------------------------------------------

_PREFIX = ".choros-"


class PartialFile:
    """A file beside ``target`` that becomes it once it is complete, under a name that no other run can have.

    Parts are locked while they are written; those that runs left which were killed are removed by the next part in
    their folder. ``suffix`` is the end of the name, for libraries that look at it.
    """

    def __init__(self, target: Path, suffix: str = "") -> None:
        self.target = target
        _remove_dead_parts(target.parent)
        while True:
            self.path = target.with_name(f"{_PREFIX}{secrets.token_hex(4)}.part{suffix}")
            try:
                self.file = cast(BinaryIO, open(self.path, "x+b"))  # noqa: SIM115 (closed by keep and drop)
            except OSError as error:
                raise _about(target, error) from None
            if _hold(self.file.fileno()):
                return
            self.file.close()  # taken for a dead one as it was made

    def keep(self) -> None:
        """The file is complete: give it its name."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if _WINDOWS:
            self.file.close()
        try:
            os.replace(self.path, self.target)
        except OSError as error:
            raise _about(self.target, error) from None
        self.file.close()

    def drop(self) -> None:
        """Remove what was written, unless it was kept."""
        with suppress(OSError):  # a full disk has been told of where it was written
            self.file.close()
        self.path.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """For libraries that only write to a name: one with the same suffix; what is written there becomes ``path``."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = PartialFile(path, path.suffix)
    try:
        yield part.path
        part.keep()
    finally:
        part.drop()


@contextmanager
def atomic_write(path: str | Path) -> Iterator[BinaryIO]:
    """A file that appears under its name whole, or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = PartialFile(path)
    try:
        yield part.file
        part.keep()
    finally:
        part.drop()


def _hold(fd: int) -> bool:
    """Lock a part that was just made; False if somebody was quicker and removes it."""
    if _WINDOWS:  # a lock there would keep encoders from writing; and what is open cannot be removed
        return True
    try:
        return lock_descriptor(fd, blocking=False) and os.fstat(fd).st_nlink > 0
    except OSError:  # no locks here: then no part is ever taken for a dead one
        return True


def _remove_dead_parts(folder: Path) -> None:
    for path in folder.glob(f"{_PREFIX}*.part*"):
        with suppress(OSError):
            if _WINDOWS:
                path.unlink()
                continue
            with open(path, "rb") as file:
                if lock_descriptor(file.fileno(), blocking=False):
                    path.unlink()


def _about(target: Path, error: OSError) -> OSError:
    """The same error, of the file that was asked for."""
    return OSError(error.errno, error.strerror, str(target))
