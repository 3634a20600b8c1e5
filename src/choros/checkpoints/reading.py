"""The tensors of other people's checkpoints, by name: PyTorch's files of both forms, pickles of arrays, safetensors.

Numbers are mapped from the file, not read: of a checkpoint with an optimiser's states beside the network, as
Lightning writes, only the network comes into memory.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from choros.checkpoints.kinds import (
    FETCH_AGAIN,
    MAX_NAMES_BYTES,
    MAX_PICKLE_BYTES,
    TORCH_MAGIC,
    pickle_entry,
    what_is,
)
from choros.checkpoints.shells import ITEM_BYTES, Shell, Storage, TensorShell, load_shells, tensors_in
from choros.errors import ChorosError

if TYPE_CHECKING:
    from torch import Tensor

Bytes = NDArray[np.uint8]

#: Where training frameworks put a network among what else they keep; the first that is there.
PLACES = ("state_dict", "model_state_dict", "model", "network", "net", "module")
#: What wrappers of a network put before all of its names: of parallel training and of torch.compile.
WRAPPERS = ("module.", "_orig_mod.")


def read_state_dict(path: str | Path, key: str | None = None) -> dict[str, Tensor]:
    """The tensors of a network in a checkpoint, by the names that the network has for them.

    Reads PyTorch's files (.pt, .pth, .ckpt, also Lightning's, of the form before 1.6 too, and networks that were saved
    whole), pickles of NumPy arrays, and safetensors. Nothing in the file runs. The network is what is under ``key``
    (with dots, "ema.model", into what is nested) or, without it, in one of ``PLACES``, else everything there is;
    "module." and "_orig_mod." before names are taken off. The tensors are mapped from the file: copy those that are to
    outlive it. Raises ``ChorosError`` for a file of another kind, a damaged one, and where nothing is under ``key``.
    """
    path = Path(path)
    if not path.is_file():
        raise ChorosError(f"{path} does not exist; give the path of a checkpoint.")
    with open(path, "rb") as file:
        head = file.read(512)
        file.seek(0)
        if head.startswith(b"PK\x03\x04"):
            tree, storage = _archive(path)
        elif head[8:9] == b"{":
            return _unwrapped(_safetensors(path, key))
        elif head.startswith(TORCH_MAGIC):
            tree, storage = _before_1_6(path, file)
        elif head[:1] == b"\x80" and path.stat().st_size <= MAX_PICKLE_BYTES:
            tree, storage = load_shells(file, path, FETCH_AGAIN), _no_storage
        else:
            raise _refusal(path)
    found = {
        name: _tensor(path, name, tensor, storage) for name, tensor in tensors_in(_network(path, tree, key))
    }
    tensors = {name: tensor for name, tensor in found.items() if tensor is not None}
    if not tensors:
        raise ChorosError(
            f"{path} holds no tensors where a network would be; give a checkpoint of a network."
        )
    return _unwrapped(tensors)


def _refusal(path: Path) -> ChorosError:
    found = what_is(path)
    return ChorosError(f"{path} is {found.what}, not a checkpoint whose tensors choros reads; {found.mend}.")


def _network(path: Path, tree: Any, key: str | None) -> Any:
    """The part of a checkpoint that is the network."""
    if key is not None:
        for part in key.split("."):
            if not isinstance(tree, dict) or part not in tree:
                raise ChorosError(f'{path} has nothing under "{key}"; name another part of it.')
            tree = tree[part]
        return tree
    for _ in range(len(PLACES)):
        if not isinstance(tree, dict) or any(isinstance(v, TensorShell | np.ndarray) for v in tree.values()):
            break
        held = (tree[place] for place in PLACES if isinstance(tree.get(place), dict | Shell))
        inner = next((part for part in held if next(tensors_in(part), None) is not None), None)
        if inner is None:
            break
        tree = inner
    return tree


def _unwrapped(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    for wrapper in WRAPPERS * 2:  # one may be in the other
        if all(name.startswith(wrapper) for name in tensors):
            tensors = {name.removeprefix(wrapper): tensor for name, tensor in tensors.items()}
    return {name.replace("._orig_mod.", "."): tensor for name, tensor in tensors.items()}


# Numbers --------------------------------------------------------------------------------------------------

Numbers = Callable[[Storage], Bytes]  # the bytes of a storage from its offset on


def _tensor(path: Path, name: str, shell: TensorShell | np.ndarray, storage: Numbers) -> Tensor | None:
    """A tensor from its shell; None for an array of what is no numbers."""
    import torch

    if isinstance(shell, np.ndarray):
        if shell.dtype.kind not in "fiub":
            return None
        return torch.from_numpy(np.require(shell, shell.dtype.newbyteorder("="), "W"))
    try:
        kept, first, size, stride = shell.layout()
        dtype = getattr(torch, kept.dtype)
        raw = torch.from_numpy(storage(kept)) if kept.numel else torch.empty(0, dtype=dtype)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise ChorosError(f'{path} has in "{name}" {error}; {FETCH_AGAIN}.') from error
    numbers = raw.ne(0) if dtype is torch.bool else raw if raw.dtype is dtype else raw.view(dtype)
    return numbers.as_strided(size, stride, first)


def _no_storage(storage: Storage) -> Bytes:
    raise ValueError("a tensor without its numbers")


def _part(mapped: Bytes, begin: int, storage: Storage) -> Bytes:
    """The bytes of a storage that begins at a byte of the file; copied where they lie askew."""
    each = ITEM_BYTES[storage.dtype]
    begin += storage.offset * each
    end = begin + storage.numel * each
    if end > len(mapped):
        raise ValueError("fewer numbers than it should have")
    part = mapped[begin:end]
    return np.array(part) if begin % each else np.asarray(part)


def _mapped(path: Path) -> Bytes:
    return np.memmap(path, np.uint8, "c")  # writeable, for PyTorch wants that, and never written back


def _archive(path: Path) -> tuple[Any, Numbers]:
    """PyTorch's zip archive: a pickle, and a file for each storage."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            found = pickle_entry(entries)
            if found is None or found.file_size > MAX_NAMES_BYTES:
                raise _refusal(path)
            folder = found.filename.removesuffix("data.pkl")
            order = archive.read(f"{folder}byteorder") if f"{folder}byteorder" in entries else b"little"
            if order != b"little":
                raise ChorosError(f"{path} was written by a big-endian machine; save it again on another.")
            with archive.open(found) as file:
                tree = load_shells(file, path, FETCH_AGAIN)
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise _refusal(path) from error
    mapped = _mapped(path)

    def numbers(storage: Storage) -> Bytes:
        entry = entries.get(f"{folder}data/{storage.key}")
        if entry is None or entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise ValueError("a tensor without its numbers")
        local = mapped[entry.header_offset : entry.header_offset + 30].tobytes()
        if local[:4] != b"PK\x03\x04":
            raise ValueError("a tensor whose numbers are not where they should be")
        name_and_extra = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
        begin = entry.header_offset + 30 + name_and_extra
        return _part(mapped[: begin + entry.file_size], begin, storage)

    return tree, numbers


def _before_1_6(path: Path, file: BinaryIO) -> tuple[Any, Numbers]:
    """What torch.save wrote before 1.6: magic, version, machine, content, keys, then each storage's count and bytes."""
    mend = FETCH_AGAIN
    storages: dict[str, Storage] = {}
    _, _, machine, tree, keys = (load_shells(file, path, mend, storages) for _ in range(5))
    if not (isinstance(keys, list) and isinstance(machine, dict) and machine.get("little_endian", True)):
        raise ChorosError(f"{path} is a PyTorch file of a form that choros does not read; save it again.")
    mapped, begins, at = _mapped(path), {}, file.tell()
    for key in keys:
        if not isinstance(key, str) or key not in storages:
            break  # how long its numbers are nobody says, so what follows cannot be found
        count = int.from_bytes(mapped[at : at + 8].tobytes(), "little", signed=True)
        begins[key] = at + 8
        at += 8 + max(count, 0) * ITEM_BYTES[storages[key].dtype]

    def numbers(storage: Storage) -> Bytes:
        if storage.key not in begins:
            raise ValueError("a tensor without its numbers")
        return _part(mapped, begins[storage.key], storage)

    return tree, numbers


def _safetensors(path: Path, key: str | None) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: Mapping[str, Tensor] = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise _refusal(path) from error
    if key is None:
        return dict(tensors)
    under = {name.removeprefix(f"{key}."): t for name, t in tensors.items() if name.startswith(f"{key}.")}
    if not under:
        raise ChorosError(f'{path} has nothing under "{key}"; name another part of it.')
    return under
