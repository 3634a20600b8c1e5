"""What a room offers of rooms above it, which it does not know: by name, and imported when it is first asked for.

A ``Motion`` gives joints and vertices and shows itself in a notebook, though bodies and drawing are above it. Where
each of these is done stands in ``choros/__init__.py``, which runs before any room is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

_PLACES: dict[str, str] = {}


def register(name: str, place: str) -> None:
    """Have ``registered(name)`` give the function at ``place``, ``package.module:function``."""
    _PLACES[name] = place


def registered(name: str) -> Callable[..., Any]:
    """The function that was registered by that name. Raises ``KeyError`` if there is none."""
    module, function = _PLACES[name].split(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
