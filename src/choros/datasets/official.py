"""Opens the files of public data sets as their owners publish them: JSON, npz, npy, MATLAB, pickle.

A reader names its set once (`Official`: where it is downloaded, under which licence) and opens files through it,
so that a missing or malformed file always gives one error that names the file and the place to fetch it from.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from choros.datasets.sample import Sample, Samples
from choros.errors import ChorosError
from choros.restricted_pickle import load_open_pickle, load_pickle


@dataclass(frozen=True)
class Official:
    """A public data set: its name, where people get it, and the licence they agree to there."""

    name: str
    where: str
    licence: str

    def there(self, path: Path) -> Path:
        """The path itself. Raises `ChorosError` if nothing is there."""
        if not path.exists():
            raise ChorosError(f"{path}: no such file; {self.name} comes from {self.where}")
        return path

    @property
    def mend(self) -> str:
        """What to do about a file that cannot be read, as errors end."""
        return f"fetch {self.name} again from {self.where}"

    @contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """Turns whatever a malformed file raises inside into a `ChorosError` that names the file."""
        try:
            yield
        except ChorosError:
            raise
        except Exception as error:  # every library has its own errors for a damaged file
            what = f"it lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__
            raise ChorosError(f"{path}: not in {self.name}'s official form ({what}); {self.mend}") from error

    def samples(self, path: Path, count: int, build: Callable[[int], Sample], name: str = "") -> Samples:
        """Samples of a file, built on demand under `reading`."""

        def guarded(index: int) -> Sample:
            with self.reading(path):
                return build(index)

        return Samples(count, guarded, name or path.stem)

    def json(self, path: Path) -> Any:
        """The content of a JSON file."""
        with self.reading(self.there(path)):
            return json.loads(path.read_bytes())

    def pickle(self, path: Path) -> Any:
        """The content of a pickle of plain data; see `restricted_pickle`."""
        return load_pickle(self.there(path), self.mend)

    def npz(self, path: Path, needed: Sequence[str], wanted: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """The arrays of an npz that are needed, and those of the wanted that are there; others stay closed."""
        with self.reading(self.there(path)), zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy") for name in archive.namelist()}
            for name in needed:
                if name not in members:
                    raise KeyError(name)
            arrays = {}
            for name in (*needed, *(w for w in wanted if w in members)):
                with archive.open(f"{name}.npy") as file:
                    arrays[name] = self._array(file, path)
            return arrays

    def npy(self, path: Path) -> Any:
        """A .npy; one that was saved from a dictionary gives the dictionary back."""
        with self.reading(self.there(path)), path.open("rb") as file:
            array = self._array(file, path)
            return array.item() if array.dtype == object and array.ndim == 0 else array

    def _array(self, file: Any, path: Path) -> NDArray[Any]:
        """An array from an open .npy; one of objects goes through the restricted pickle reader."""
        version = np.lib.format.read_magic(file)
        read_header = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read_header(file)
        if dtype.hasobject:
            content = load_open_pickle(file, path, self.mend)
            return np.asarray(content, dtype=object).reshape(shape)
        return _plain_array(file, shape, fortran, dtype)

    def mat(self, path: Path, names: Sequence[str]) -> dict[str, Any]:
        """Variables of a MATLAB file; structs become objects with attributes, cells arrays of objects.

        Files of version 7.3 are HDF5; numeric variables of theirs are read if h5py is installed.
        """
        from scipy.io import loadmat
        from scipy.io.matlab import matfile_version

        with self.reading(self.there(path)):
            if matfile_version(str(path))[0] == 2:
                return self._hdf5(path, names)
            content = loadmat(path, struct_as_record=False, squeeze_me=False, variable_names=names)
            return {name: content[name] for name in names}

    def _hdf5(self, path: Path, names: Sequence[str]) -> dict[str, Any]:
        try:
            h5py: Any = import_module("h5py")
        except ImportError as error:
            raise ChorosError(
                f"{path}: a MATLAB 7.3 file, which takes h5py to read; install choros[datasets], or save it "
                "again in MATLAB with -v7"
            ) from error
        with h5py.File(path, "r") as content:
            return {name: np.asarray(content[name]).T for name in names}  # MATLAB's axes run the other way


def _plain_array(file: BinaryIO, shape: tuple[int, ...], fortran: bool, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The numbers after an .npy's header; a file shorter than it claims raises before memory is taken."""
    raw = file.read()
    count = math.prod(shape)
    if min(shape, default=0) < 0 or len(raw) < count * dtype.itemsize:
        raise ValueError(f"{len(raw)} bytes for an array of {shape}")
    return np.frombuffer(raw, dtype, count).reshape(shape, order="F" if fortran else "C")
