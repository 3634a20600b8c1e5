"""Loops compiled to machine code by numba: for what NumPy can only do with arrays much larger than the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile

from choros._version import __version__


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


class _KeptCode(FunctionCache):
    """numba's own store, which knows a change of the function's file alone.

    Code of another version of choros is not taken: what it calls may have changed in other files. What names a class
    that is gone, as after an upgrade or a rename, is forgotten where numba would raise.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp(), __version__
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled code for argument types ``sig``, None if there is none that can be taken."""
        try:
            return super().load_overload(sig, target_context)
        except (AttributeError, ImportError):
            self.flush()
            return None


def _compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    try:
        dispatcher = numba.njit(cache=True, nogil=True, **options)(function)
        dispatcher._cache = _KeptCode(function)
        return dispatcher
    except RuntimeError:  # neither the package's folder nor the user's cache folder can be written
        return numba.njit(nogil=True, **options)(function)
