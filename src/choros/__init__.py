"""choros: the 3D motion of everyone in a video.

``import choros`` loads nothing heavy; names below are imported on first use.
"""

from importlib import import_module
from typing import Any

from choros._version import __version__

_HOME = {
    "BodyModel": "choros.body",
    "ChorosError": "choros.errors",
    "Motion": "choros.motion",
    "load": "choros.systems",
    "track": "choros.systems",
}

__all__ = ["BodyModel", "ChorosError", "Motion", "__version__", "load", "track"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'choros' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
