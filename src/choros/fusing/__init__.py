"""Motions of the same people from several cameras, put together: alignment in time and space, and one body a person."""

from choros.fusing.fusion import FusedView, Fusion, fuse

__all__ = ["FusedView", "Fusion", "fuse"]
