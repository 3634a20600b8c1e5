"""What a pickle of PyTorch holds, in shells: objects that keep what they were made with and run nothing.

A tensor is a shell, too: it says which numbers of which storage it would be, and its shape can be known without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from choros.restricted_pickle import load_open_pickle

Shape = tuple[int, ...]

TAKE_OURS = "give weights that choros train wrote, or none for those that ship"

#: Types of numbers, by the storages that PyTorch's files name.
STORAGES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "UntypedStorage": "uint8",
}  # fmt: skip
ITEM_BYTES = {
    "float32": 4, "float64": 8, "float16": 2, "bfloat16": 2,
    "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1, "bool": 1,
}  # fmt: skip


#: Tensors in parameters in tensors of classes of their own: no more than these.
MAX_WRAPPED = 8


class Shell:
    """Stands for any object: keeps what it was made with and what it holds, runs nothing."""

    #: What it stands for, such as ``omegaconf.dictconfig.DictConfig``.
    name: ClassVar[str] = ""

    args: tuple[Any, ...]
    state: Any
    items: dict[Any, Any]
    members: list[Any]

    def __new__(cls, *args: Any, **named: Any) -> Shell:
        """Keep what an object is made with; a pickle may also fill one that was never made."""
        shell = super().__new__(cls)
        shell.args, shell.state, shell.items, shell.members = args, None, {}, []
        return shell

    def __init__(self, *args: Any, **named: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def __repr__(self) -> str:
        return f"<shell of {self.name}>"

    def append(self, member: Any) -> None:
        """As a list's, for objects that a pickle fills like one."""
        self.members.append(member)

    def extend(self, members: Any) -> None:
        """As a list's, for objects that a pickle fills like one."""
        self.members.extend(members)


class Storage(NamedTuple):
    """Numbers that a file keeps beside its pickle."""

    key: str
    dtype: str  # a key of ``ITEM_BYTES``
    numel: int  # how many there are
    offset: int = 0  # of the first one in what is kept under the key, in numbers


class TensorShell(Shell):
    """What ``torch._utils._rebuild_...`` would make of a storage, an offset, a size and strides."""

    @property
    def shape(self) -> Shape:
        """The first numbers among the arguments; those of a parameter are a tensor's, or in a tuple of their own."""
        return next((arg for arg in self._plain().args if _numbers(arg)), ())

    def layout(self) -> tuple[Storage, int, Shape, Shape]:
        """Its storage, the place of its first number in it, its size and its strides.

        Raises ``ValueError`` unless it is a plain tensor within its storage.
        """
        args = self._plain().args
        if len(args) < 4 or not isinstance(args[0], Storage) or not (_numbers(args[2]) and _numbers(args[3])):
            raise ValueError("a tensor of a kind that is not plain numbers")
        storage, first, size, stride = args[:4]
        if len(args) > 6 and isinstance(args[6], str):  # _rebuild_tensor_v3 has bytes, and their type apart
            bytes_each = ITEM_BYTES[args[6]]
            whole = storage.numel * ITEM_BYTES[storage.dtype]
            storage = Storage(storage.key, args[6], whole // bytes_each, storage.offset)
        if len(size) != len(stride) or min((first, *size, *stride)) < 0:
            raise ValueError("a tensor whose size and strides do not go together")
        last = first + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if all(size) and last >= storage.numel:
            raise ValueError("a tensor that reaches beyond its storage")
        if np.prod(size, dtype=np.float64) > storage.numel:
            raise ValueError("a tensor that repeats the numbers of its storage")
        return storage, first, size, stride

    def _plain(self) -> TensorShell:
        """The tensor within a parameter or a tensor of a class of its own; itself if it is plain."""
        tensor: Any = self
        for _ in range(MAX_WRAPPED):
            args = tensor.args
            if args and isinstance(args[0], TensorShell):
                tensor = args[0]
            elif args and isinstance(args[0], type) and issubclass(args[0], TensorShell):
                tensor = args[0](*next((arg for arg in args[1:] if isinstance(arg, tuple)), ()))
            else:
                break
        return tensor


def load_shells(
    file: Any, path: Path, mend: str = TAKE_OURS, storages: dict[str, Storage] | None = None
) -> Any:
    """The pickle at the present place of a file: plain data as it is, all else as shells.

    ``storages`` is filled with those that it names, by their keys. Raises ``ChorosError``, which ends with ``mend``,
    for what is no pickle.
    """
    shells: dict[str, type[Shell]] = {}

    def stand_in(module: str, name: str) -> Any:
        if module == "torch" and name in ITEM_BYTES:
            return name
        if module in ("torch", "torch.storage") and name in STORAGES:
            return STORAGES[name]
        full = f"{module}.{name}"
        if full not in shells:
            tensor = module in ("torch._utils", "torch._tensor") and name.startswith("_rebuild")
            shells[full] = type("Shell", (TensorShell if tensor else Shell,), {"name": full})
        return shells[full]

    def persistent(pid: Any) -> Any:
        kept = _storage(pid)
        if storages is not None and isinstance(kept, Storage):
            storages[kept.key] = kept
        return kept

    return load_open_pickle(file, path, mend, stand_in, persistent)


def _storage(pid: Any) -> Any:
    """PyTorch's ("storage", type, key, device, count), and before 1.6 a view into it or None.

    Before 1.6 there is ("module", class, file, its text), too, which is the class.
    """
    if isinstance(pid, tuple) and len(pid) == 4 and pid[0] == "module":
        return pid[1]
    if isinstance(pid, tuple) and len(pid) in (5, 6) and pid[0] == "storage" and pid[1] in ITEM_BYTES:
        key, count = pid[2], pid[4]
        view = pid[5] if len(pid) == 6 else None
        if isinstance(key, str) and isinstance(count, int) and count >= 0:
            if view is None:
                return Storage(key, pid[1], count)
            if (
                isinstance(view, tuple)
                and len(view) == 3
                and _numbers(view[1:])
                and view[1] + view[2] <= count
            ):
                return Storage(key, pid[1], view[2], view[1])
    return Shell()


def tensors_in(content: Any) -> Iterator[tuple[str, TensorShell | np.ndarray]]:
    """Tensors and arrays anywhere in the content, by the keys that lead there with dots between."""
    waiting, seen = [("", content)], set()
    while waiting:
        name, node = waiting.pop()
        if isinstance(node, TensorShell | np.ndarray):
            yield name, node
        elif isinstance(node, dict | list | tuple | Shell) and id(node) not in seen:
            seen.add(id(node))
            inside = [(f"{name}.{key}" if name else key, value) for key, value in _members(node)]
            waiting.extend(reversed(inside))


def _members(node: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield str(key) if isinstance(key, str | int) else type(key).__name__, value
    elif isinstance(node, list | tuple):
        for number, value in enumerate(node):
            yield str(number), value
    else:  # a network that was pickled whole has its parts in its state
        for held in (node.args, node.members, node.items, node.state):
            for key, value in _members(held) if isinstance(held, dict | list | tuple) else ():
                if key in ("_modules", "_parameters", "_buffers") and isinstance(value, dict):
                    yield from _members(value)
                else:
                    yield key, value


def _numbers(arg: Any) -> bool:
    return isinstance(arg, tuple) and all(type(n) is int for n in arg)
