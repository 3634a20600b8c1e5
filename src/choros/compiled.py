"""Loops compiled to machine code by numba: for what NumPy can only do with arrays much larger than the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile on first call, without the GIL, and keep the result on disk where there is a place for it."""
    return _compiled(function)


def inner(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same for what compiled functions alone call: a way in from Python takes a third of the time to compile."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def kept_in() -> str | None:
    """The folder of compiled code: beside the sources, else the user's cache folder; None if neither can be written."""
    return getattr(compiled(_example).stats, "cache_path", None)  # type: ignore[attr-defined]


def _example() -> None:
    pass


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache folder can be written
        return numba.njit(nogil=True, **options)(function)
