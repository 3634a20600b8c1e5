"""``choros doctor``: what is installed, which weights and bodies were found and under which licence."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

CODECS = ("h264", "hevc", "vp9", "av1", "mpeg4", "mjpeg", "libx264")
PACKAGES = ("torch", "numpy", "scipy", "safetensors", "av", "onnxruntime", "roma", "numba", "tyro")


@dataclass
class Doctor:
    """Show what choros runs on: packages, weights and their licences, video codecs, GPU."""

    def run(self) -> None:
        from rich.console import Console
        from rich.table import Table

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
        console.print(f"accelerator: {_accelerator()}")
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


def _accelerator() -> str:
    import torch

    if torch.cuda.is_available():
        return f"CUDA, {torch.cuda.get_device_name(0)}"
    if torch.backends.mps.is_available():
        return "Apple GPU (mps)"
    return "none; everything runs on the CPU"
