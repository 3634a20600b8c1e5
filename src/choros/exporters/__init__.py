"""Exporters: one function a format, ``write_bvh(motion, path)``, and the table of them all in ``formats``."""

from choros.exporters.formats import FORMATS, ExportOptions, Format

__all__ = ["FORMATS", "ExportOptions", "Format"]
