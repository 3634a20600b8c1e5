"""Reads pickles of plain data without trusting them: numbers, text, containers and numpy arrays, nothing else.

A pickle is a program. This reader knows the few names that plain data needs and refuses a file that asks for
any other before it runs; a caller may let stand-ins take the place of further names (`stand_in`).
"""

from __future__ import annotations

import copyreg
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, BinaryIO

import numpy as np

from choros.errors import ChorosError

StandIn = Callable[[str, str], Any]
Persistent = Callable[[Any], Any]


def load_pickle(path: Path, mend: str, stand_in: StandIn | None = None) -> Any:
    """The content of a pickle file, Python 2's (as latin1) or Python 3's.

    Args:
        path: the file.
        mend: what to do about a bad file; ends every error ("give SMPL's own file").
        stand_in: (module, name) -> what to build in that name's place, or None to refuse it.

    Raises:
        ChorosError: it asks for a name that plain data does not need, or is damaged; names the file.
    """
    with path.open("rb") as file:
        return load_open_pickle(file, path, mend, stand_in)


def load_open_pickle(
    file: BinaryIO,
    path: Path,
    mend: str,
    stand_in: StandIn | None = None,
    persistent: Persistent | None = None,
) -> Any:
    """`load_pickle` from the present place of an open file; `path` names it in errors.

    ``persistent`` gives what stands for data that the pickle keeps elsewhere; without it there may be none.
    """
    try:
        return _Unpickler(file, path, mend, stand_in, persistent).load()
    except ChorosError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise ChorosError(f"{path}: not a readable pickle ({error}); {mend}") from error


class _NumpyArray:
    """Stands for `numpy.ndarray` where a pickle names the class."""


def _empty_array(*ignored: Any) -> np.ndarray:
    """Where numpy starts an unpickled array; its true shape comes with the data: no size can be claimed."""
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _scalar(dtype: np.dtype[Any], content: Any = b"") -> Any:
    """A numpy number from its bytes; a dtype that holds objects is refused by `frombuffer`."""
    raw = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(raw, dtype, 1)[0]


def _from_buffer(buffer: Any, dtype: np.dtype[Any], shape: tuple[int, ...], order: Any) -> np.ndarray:
    """A numpy array as protocol 5 keeps it, no longer than its bytes; objects are refused by `frombuffer`."""
    return np.frombuffer(buffer, dtype).reshape(shape, order=order)


def _empty_bytes() -> bytes:
    """How Python 3 writes no bytes at all into such a pickle; `bytes` itself would take a size."""
    return b""


def _latin1_bytes(text: str, encoding: str = "latin1") -> bytes:
    """How Python 3 writes bytes into a pickle that Python 2 can read."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"encoding {encoding!r} is not one of a plain pickle")
    return text.encode("latin1")


_ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NumpyArray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1_bytes,
    ("collections", "OrderedDict"): OrderedDict,
    **{(module, "object"): object for module in ("builtins", "__builtin__")},
    **{(module, "bytes"): _empty_bytes for module in ("builtins", "__builtin__")},
    **{(module, "set"): set for module in ("builtins", "__builtin__")},
    **{(module, "_reconstructor"): copyreg._reconstructor for module in ("copyreg", "copy_reg")},  # type: ignore[attr-defined]
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _empty_array for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _from_buffer for core in ("core", "_core")},
}


def _own(allowed: Any) -> Any:
    """A copy of a function of ours, for a pickle may set attributes of what it is given: another's defaults, say."""
    if isinstance(allowed, FunctionType):
        return FunctionType(allowed.__code__, allowed.__globals__, allowed.__name__, allowed.__defaults__)
    return type("ndarray", (), {}) if allowed is _NumpyArray else allowed


class _Unpickler(pickle.Unpickler):
    """Knows `_ALLOWED` and the caller's stand-ins; refuses every other name."""

    def __init__(
        self, file: BinaryIO, path: Path, mend: str, stand_in: StandIn | None, persistent: Persistent | None
    ) -> None:
        super().__init__(file, encoding="latin1")
        self.path, self.mend, self.stand_in, self.persistent = path, mend, stand_in, persistent

    def persistent_load(self, pid: Any) -> Any:
        if self.persistent is None:
            raise pickle.UnpicklingError("it keeps data outside of itself")
        return self.persistent(pid)

    def find_class(self, module: str, name: str) -> Any:
        found = _own(_ALLOWED.get((module, name)))
        if found is None and self.stand_in is not None:
            found = self.stand_in(module, name)
        if found is None:
            raise ChorosError(
                f"{self.path}: asks for {module}.{name}, which plain data does not need; it was refused "
                f"before it could run; {self.mend}"
            )
        return found
