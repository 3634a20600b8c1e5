"""Functions of rooms above that a room offers to its users, by name, imported when they are first called for.

A ``Motion`` has joints, vertices and a picture for notebooks, though bodies and drawing are rooms above it. Where each
of these functions is defined is registered in ``choros/__init__.py``, which runs before any room is imported.
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
