"""How many threads the libraries below choros take while it works, and what becomes of them in a forked child.

A frame is made of many small products and pictures. Spread over the threads of PyTorch's OpenMP, of NumPy's BLAS and of
OpenCV, each of them ends with a wait for all threads; where anything else wants the cores, that costs a time slice of
the scheduler a product, which is a hundred times the product.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Protocol

import cv2
from threadpoolctl import ThreadpoolController


@contextmanager
def at_most(threads: int | None) -> Iterator[None]:
    """So many threads for PyTorch, for NumPy's and SciPy's linear algebra and for OpenCV; afterwards as many as before.

    PyTorch's are those of the thread that calls, so that other threads of the process keep theirs. Those of the
    others belong to the whole process: they are limited while anybody is inside, by whoever was first, and put back
    by the last. None leaves all as it is.
    """
    if threads is None:
        yield
        return
    import torch

    torch.get_num_threads()  # at its first use in a thread, PyTorch sets OpenMP's number anew
    openmp, _ = _libraries()
    before = _limited(openmp, threads)
    shared = _shared  # after a fork there is another
    shared.enter(threads)
    try:
        yield
    finally:
        shared.leave()
        _put_back(openmp, before)


class _Threads(Protocol):
    """A library whose number of threads can be chosen: threadpoolctl's, and OpenCV, which that does not know."""

    def get_num_threads(self) -> int | None: ...

    def set_num_threads(self, num_threads: int, /) -> None: ...


class _OpenCV:
    def get_num_threads(self) -> int:
        return cv2.getNumThreads()

    def set_num_threads(self, num_threads: int, /) -> None:
        cv2.setNumThreads(num_threads)


class _Shared:
    """The number of threads of the libraries that have one for the whole process, limited while anybody is inside."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._before: tuple[int, ...] = ()

    def enter(self, threads: int) -> None:
        with self._lock:
            if not self._inside:
                self._before = _limited(_libraries()[1], threads)
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                _put_back(_libraries()[1], self._before)


_shared = _Shared()


@cache
def _libraries() -> tuple[tuple[_Threads, ...], tuple[_Threads, ...]]:
    """OpenMP's libraries of this process, as loaded when a stream first worked; and the linear algebra's and OpenCV."""
    import scipy.linalg  # noqa: F401  which has a BLAS of its own

    found = ThreadpoolController()
    openmp, blas = (found.select(user_api=kind).lib_controllers for kind in ("openmp", "blas"))
    return tuple(openmp), (*blas, _OpenCV())


def _limited(libraries: tuple[_Threads, ...], threads: int) -> tuple[int, ...]:
    """Limit them; how many threads each had."""
    before = tuple(int(library.get_num_threads() or 1) for library in libraries)
    for library, had in zip(libraries, before, strict=True):
        if had > threads:
            _set(library, threads)
    return before


def _put_back(libraries: tuple[_Threads, ...], before: tuple[int, ...]) -> None:
    for library, had in zip(libraries, before, strict=True):
        if library.get_num_threads() != had:
            _set(library, had)


def _set(library: _Threads, threads: int) -> None:
    library.set_num_threads(threads)
    # threadpoolctl lets one thread alone set OpenBLAS's, until that gives it up: here the last to leave puts it back.
    give_up = getattr(library, "clear_controlling_thread", None)
    if give_up is not None:
        give_up()


def _forked() -> None:
    """In a forked child: threads stay behind in the parent, and PyTorch would wait for its own for ever.

    So it has one from now on, as in the workers of its DataLoader. Locks that somebody held are new.
    """
    global _shared
    _shared = _Shared()
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "set_num_threads"):  # else it is only being imported
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
