"""Tensors of a checkpoint into a module of ours, and a count of what went where.

A wrong prefix before all names gives a network of random weights and, in many a program, no error. Here hits and misses
are counted, and a network that would lack a weight is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from choros.checkpoints.reading import read_state_dict
from choros.checkpoints.shells import Shape
from choros.errors import ChorosError

if TYPE_CHECKING:
    from torch import Tensor, nn

NAMED = 3  # names of each kind that a sentence lists


@dataclass(frozen=True)
class LoadReport:
    """Which tensors of a checkpoint fit a module, by their names in the module (unexpected ones: in the checkpoint)."""

    matched: tuple[str, ...]
    missing: tuple[str, ...]  # the module has them, the checkpoint does not
    unexpected: tuple[str, ...]  # the checkpoint has them, the module does not
    misshapen: Mapping[str, tuple[Shape, Shape]]  # both have them: the shape in the checkpoint, in the module

    @property
    def complete(self) -> bool:
        """Whether the module has every weight from the checkpoint."""
        return not self.missing and not self.misshapen

    def __str__(self) -> str:
        """One line: the counts, and the first names of what is amiss."""
        shapes = [f"{name} {theirs} for {ours}" for name, (theirs, ours) in self.misshapen.items()]
        parts = [f"{len(self.matched)} tensors fit"]
        for what, names in (
            ("are missing", self.missing),
            ("have another shape", shapes),
            ("are not asked for", self.unexpected),
        ):
            if names:
                parts.append(f"{len(names)} {what} ({_some(names)})")
        return ", ".join(parts)


def load_into(
    module: nn.Module,
    path: str | Path,
    *,
    key: str | None = None,
    rename: Callable[[str], str | None] | None = None,
    partly: bool = False,
) -> LoadReport:
    """Take the weights of a module from somebody's checkpoint, and count what fits.

    Numbers become what the module has: its type, its device. A module on the meta device gets the mapped numbers
    themselves, without a copy where they are of its type; it is then on the CPU.

    Args:
        module: whose parameters and buffers are filled.
        path: a file that `read_state_dict` reads.
        key: where in it the network is, if not where networks usually are.
        rename: a name in the checkpoint to that in the module, or None for what is to be left aside uncounted.
        partly: also take what fits if the module lacks some of its weights then.

    Raises:
        ChorosError: the file cannot be read, or a weight of the module is missing or has another shape in it, and
            ``partly`` is not set; or nothing fits at all. The module is then as it was.
    """
    import torch

    tensors = _renamed(Path(path), read_state_dict(path, key), rename)
    own = module.state_dict()
    report = compare(tensors, own)
    if not report.matched or not (report.complete or partly):
        raise ChorosError(
            f"{path} does not fit {type(module).__name__}: {report}; give this network's checkpoint."
        )
    mapped = {name: tensors[name].to(own[name].dtype) for name in report.matched if own[name].is_meta}
    module.load_state_dict(mapped, strict=False, assign=True)
    with torch.no_grad():
        for name in report.matched:
            if name not in mapped:
                own[name].copy_(tensors[name])
    return report


def compare(tensors: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> LoadReport:
    """Which of a checkpoint's ``tensors`` fit a module's ``own``."""
    shapes = {name: (tuple(tensors[name].shape), tuple(own[name].shape)) for name in own if name in tensors}
    return LoadReport(
        matched=tuple(name for name, (theirs, ours) in shapes.items() if theirs == ours),
        missing=tuple(name for name in own if name not in tensors),
        unexpected=tuple(name for name in tensors if name not in own),
        misshapen={name: pair for name, pair in shapes.items() if pair[0] != pair[1]},
    )


def _renamed(
    path: Path, tensors: Mapping[str, Tensor], rename: Callable[[str], str | None] | None
) -> dict[str, Tensor]:
    if rename is None:
        return dict(tensors)
    renamed: dict[str, Tensor] = {}
    for theirs, tensor in tensors.items():
        ours = rename(theirs)
        if ours in renamed:
            raise ChorosError(f'{path} has two tensors for "{ours}"; rename them apart.')
        if ours is not None:
            renamed[ours] = tensor
    return renamed


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
