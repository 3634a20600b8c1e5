"""Device and dtype of networks: one name for PyTorch and onnxruntime alike.

A device that is asked for by its name is used or refused. ``auto`` is CUDA for whichever of the two libraries has it
and the CPU else; the GPU of a Mac, which has not been measured yet, must be asked for.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from choros.errors import ChorosError

if TYPE_CHECKING:
    import torch

AUTO = "auto"
DTYPES = ("float32", "bfloat16", "float16")

#: What onnxruntime calls that which computes on a device.
PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider", "cpu": "CPUExecutionProvider"}
#: What to install where a library knows no such device.
_MENDS = {
    "cuda": "onnxruntime-gpu in place of onnxruntime, with the CUDA that it names",
    "mps": "onnxruntime on a Mac",
}


@dataclass(frozen=True)
class Device:
    """A device by its name (auto, cpu, cuda, cuda:1, mps), and the type of numbers that networks compute in there.

    Whether it is there is seen when a library is asked for it. Raises ``ChorosError`` on names that no device has.
    """

    name: str = "cpu"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", self.name):
            raise ChorosError(
                f"there is no device called {self.name!r}; give auto, cpu, cuda, cuda:1 or mps."
            )
        if self.dtype not in DTYPES:
            raise ChorosError(f"networks do not compute in {self.dtype!r}; give one of {', '.join(DTYPES)}.")
        if self.name == "cuda":
            object.__setattr__(self, "name", "cuda:0")

    @property
    def kind(self) -> str:
        """The name without its number."""
        return self.name.partition(":")[0]

    def torch_device(self) -> torch.device:
        """As PyTorch knows it. Raises ``ChorosError`` where PyTorch has no such device."""
        import torch

        there = torch_devices()
        if self.name == AUTO:
            return torch.device(next((name for name in there if name.startswith("cuda")), "cpu"))
        if self.name not in there:
            raise ChorosError(
                f"PyTorch has no device {self.name} here, but {' and '.join(there)}; give one of these or auto, or "
                "install a PyTorch and a driver for it."
            )
        return torch.device(self.name)

    def providers(self) -> list[Any]:
        """What onnxruntime is to compute with, the best first. Raises ``ChorosError`` where it has no such device."""
        import onnxruntime

        there = onnxruntime.get_available_providers()
        kind = "cuda" if self.name == AUTO else self.kind
        if PROVIDERS[kind] not in there:
            if self.name != AUTO:
                raise self.refusal()
            kind = "cpu"
        number = int(self.name.partition(":")[2] or 0)
        cpu = PROVIDERS["cpu"]  # also where the others lack an operation
        return [cpu] if kind == "cpu" else [
            (PROVIDERS[kind], {"device_id": number} if kind == "cuda" else {}), cpu
        ]  # fmt: skip

    def refusal(self) -> ChorosError:
        """What is said where onnxruntime cannot compute on it."""
        import onnxruntime

        names = {provider: kind for kind, provider in PROVIDERS.items()}
        there = [names[one] for one in onnxruntime.get_available_providers() if one in names]
        return ChorosError(
            f"onnxruntime cannot compute on {self.name} here, but on {' and '.join(sorted(there))}; give one of these "
            f"or auto, or install {_MENDS.get(self.kind, 'onnxruntime')}."
        )

    def torch_dtype(self) -> torch.dtype | None:
        """The type that PyTorch is to compute in instead of single precision; None if it is that."""
        if self.dtype == "float32":
            return None
        import torch

        return {"bfloat16": torch.bfloat16, "float16": torch.float16}[self.dtype]

    def identity(self, place: str) -> dict[str, str]:
        """What a header tells of networks that run at ``place``: nothing of the CPU and single precision."""
        told = {"device": place, "dtype": self.dtype}
        usual = {"device": "cpu", "dtype": "float32"}
        return {name: value for name, value in told.items() if value != usual[name]}


CPU = Device()


def torch_devices() -> list[str]:
    """The devices that PyTorch has here, by their names."""
    import torch

    cuda = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return ["cpu", *(cuda if torch.cuda.is_available() else []), *["mps"] * torch.backends.mps.is_available()]


def autocast(device: str, lower: torch.dtype | None) -> AbstractContextManager[Any]:
    """In which PyTorch computes in ``lower`` where that is safe; without it, as it would anyway."""
    if lower is None:
        return nullcontext()
    import torch

    return torch.autocast(device, lower)
