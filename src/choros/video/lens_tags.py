"""What a source says of its lens: the focal length that would see as much on 35 mm film.

Phones write it into films (QuickTime's ``com.apple.quicktime.camera.focal_length.35mm_equivalent``) and cameras into
pictures (EXIF's FocalLengthIn35mmFilm). Focal lengths in millimetres say nothing without the sensor's size, and are
left alone. A number that no lens has, and one of a picture that was cut afterwards, is not believed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from choros.video import picture

QUICKTIME = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
_EXIF, _IN_35MM, _WIDTH, _HEIGHT = 0x8769, 0xA405, 0xA002, 0xA003
#: Shortest and longest that is believed, mm: a fish-eye's 120 degrees, and 3.
SHORTEST_MM, LONGEST_MM = 10.0, 800.0
SAME_SHAPE = 0.02  # by how much the sides of a picture may differ from those it was taken with


def focal_35mm_of_film(tables: Iterable[Mapping[str, str]]) -> float | None:
    """Of the metadata of a film, the container's and its streams'; mm, None where they say nothing."""
    for table in tables:
        for key, value in table.items():
            if key.lower() == QUICKTIME:
                return believed_mm(value)
    return None


def focal_35mm_of_picture(path: Path) -> float | None:
    """Of the EXIF of a picture; mm, None where it says nothing, and of a picture that cannot be read."""
    try:
        kind = picture.kind_of(path)
        if kind is None:
            return None
        with open(path, "rb") as file, picture.decoder(kind, path.name, file) as image:
            tags = image.getexif().get_ifd(_EXIF)
            taken = tags.get(_WIDTH), tags.get(_HEIGHT)
            return believed_mm(tags.get(_IN_35MM)) if _whole(taken, image.size) else None
    except Exception:  # EXIF is written by whoever likes; it must not cost the picture
        return None


def believed_mm(value: Any) -> float | None:
    """A focal length on 35 mm film, mm; None for what is no number or no lens's."""
    try:
        focal_mm = float(value)
    except (TypeError, ValueError):
        return None
    return focal_mm if math.isfinite(focal_mm) and SHORTEST_MM <= focal_mm <= LONGEST_MM else None


def _whole(taken: tuple[Any, Any], now: tuple[int, int]) -> bool:
    """Whether a picture still has the shape that it was taken with, if that is known, upright or on its side."""
    try:
        was = float(max(taken)) / float(min(taken))
    except (TypeError, ValueError, ZeroDivisionError):
        return True
    return abs(was * min(now) / max(now) - 1) < SAME_SHAPE
