"""``choros doctor``: what is installed, what is written where, and that nothing is sent; or all about one clip."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from choros.cli.traces import traces
from choros.errors import ChorosError

CODECS = ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "libx264")
#: Ends of names of files of weights, which are no clips.
OF_WEIGHTS = (".safetensors", ".pt", ".pth", ".ckpt", ".pkl")
PACKAGES = ("torch", "numpy", "scipy", "safetensors", "av", "onnxruntime", "roma", "numba", "tyro")


@dataclass
class Doctor:
    """Show what choros runs on, what it writes where, and that nothing is sent; or all it sees in a CLIP."""

    clip: Positional[Annotated[str | None, arg(metavar="[CLIP]", constructor=str, help_behavior_hint="")]] = (
        None
    )
    """A clip: what it claims and holds, and what choros would do with it; or a file of weights: whose they are."""
    seconds: Annotated[float, arg(metavar="SECONDS")] = 120
    """How much of the clip to look at."""

    def run(self) -> None:
        """Report on the installation, or measure the system on a clip.

        Raises ``ChorosError`` if the clip cannot be opened or no time of it is asked for.
        """
        if self.clip is None:
            self._installation()
            return
        if Path(self.clip).suffix.lower() in OF_WEIGHTS and Path(self.clip).is_file():
            self._weights(Path(self.clip))
            return
        if not self.seconds > 0:
            raise ChorosError(f"{self.seconds} s of a clip show nothing; give --seconds above 0.")
        from choros.cli.doctor_clip import tell

        tell(self.clip, self.seconds)

    def _weights(self, path: Path) -> None:
        from math import prod

        from choros.checkpoints import conversion_of, what_is

        found = what_is(path)
        print(f"{path} is {found.what}")
        if found.shapes:
            numbers = sum(prod(shape) for shape in found.shapes.values())
            print(f"{len(found.shapes)} tensors, {numbers:,} numbers")
        for part in (conversion_of(path) or {}).get("parts", {}).values():
            print(f"made of {part.get('file')} (SHA-256 {str(part.get('sha256'))[:8]})")
        if found.terms is not None:
            print(f"terms: {found.terms}")
        print("choros loads it" if found.loads else f"what to do: {found.mend}")

    def _installation(self) -> None:
        from rich.console import Console
        from rich.table import Column, Table

        from choros._version import __version__
        from choros.weights import SHIPPED

        console = Console()
        console.print(f"choros {__version__}, Python {platform.python_version()}, {platform.platform()}")

        packages = Table("package", "version", title="packages", title_justify="left")
        for name in PACKAGES:
            packages.add_row(name, _version(name))
        packages.add_row("opencv", _opencv_version())
        console.print(packages)

        weights = Table("weights", "what", "licence", "size", title="weights", title_justify="left")
        missing = []
        for file in SHIPPED:
            found = file.path.is_file()
            size = f"{file.path.stat().st_size / 1e6:.1f} MB" if found else "missing"
            weights.add_row(file.name, file.what, file.licence, size)
            if not found:
                missing.append(file)
        console.print(weights)
        console.print("body: the open body ships; give your own SMPL file with --body (its licence is yours)")

        console.print(f"video: {_codecs()}")
        for library, devices in _devices():
            console.print(f"devices of {library}: {', '.join(devices)}")
        where = Column("where, with choros", overflow="fold")
        written = Table("of", "what", where, title="written and sent", title_justify="left")
        for row in traces():
            written.add_row(*row)
        console.print(written)
        console.print(
            "nothing is sent: no machine is asked but those whose addresses you give, and by `choros eyes get` the one "
            "that it names"
        )
        if missing:
            print(
                f"choros: {missing[0].path} is missing from this installation; install choros again.",
                file=sys.stderr,
            )
            sys.exit(2)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _opencv_version() -> str:
    import cv2

    return str(cv2.__version__)


def _codecs() -> str:
    import av

    ffmpeg = ".".join(map(str, av.library_versions.get("libavcodec", ())))
    have = [name if name in av.codecs_available else f"no {name}" for name in CODECS]
    return f"libavcodec {ffmpeg}; {', '.join(have)}"


def _devices() -> list[tuple[str, list[str]]]:
    """What --device may name here, of each library that networks run in."""
    import onnxruntime
    import torch

    from choros.devices import PROVIDERS, torch_devices

    there = [
        f"{name} ({torch.cuda.get_device_name(name)})" if name.startswith("cuda") else name
        for name in torch_devices()
    ]
    names = {provider: name for name, provider in PROVIDERS.items()}
    found = [names[one] for one in reversed(onnxruntime.get_available_providers()) if one in names]
    return [("PyTorch", there), ("onnxruntime", found)]
