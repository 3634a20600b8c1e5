"""Photographs that have nothing to do with each other, each with its people drawn over it, in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.motion import Motion
from choros.outputs import atomic_write
from choros.view.overlay import Overlay, OverlayStyle, body_of
from choros.view.panel import PanelBox

if TYPE_CHECKING:
    from choros.body import BodyModel

JPEG_QUALITY = 92


def render_photos(
    motion: Motion,
    source: str | Path,
    folder: str | Path,
    body: BodyModel | None = None,
    style: OverlayStyle | None = None,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> int:
    """Write every picture of a motion of photographs, at its own size and under its own name; returns how many.

    JPEG and PNG stay what they are, other kinds become PNG. ``source`` is the folder that was tracked. Raises
    ``ChorosError`` if the two do not belong together, or the pictures would be written over.
    """
    from choros.reopening import open_again

    folder, body = Path(folder), body_of(motion, body)
    if folder.exists() and folder.resolve() in (Path(source).resolve(), Path(source).resolve().parent):
        raise ChorosError(f"{folder} is where the photographs are; name another folder after -o.")
    index_of = {about.name: index for index, about in enumerate(motion.pictures)}
    written = 0
    with open_again(source, motion, prefetch=2) as reader:
        name_of = {about.number: about.name for about in reader.info.pictures}
        for frame in reader:
            index = index_of.get(name_of[frame.number])
            if index is None:
                continue
            about, camera = motion.pictures[index], motion.frames[index]
            height, width = frame.image.shape[:2]
            if (width, height) != (about.width, about.height):
                raise ChorosError(
                    f"{about.name} of {source} is {width}x{height} px, and {about.width}x{about.height} px when it was "
                    "tracked; track the folder again."
                )
            overlay = Overlay(body, width, height, style, space=motion.space, stage=PanelBox.of(motion))
            drawn = overlay.draw(frame.image, motion.in_frame(index), camera["K"], camera["T_world_camera"])
            _write(folder / _name(about.name), drawn)
            written += 1
            progress(written, len(motion))
    if not written:
        raise ChorosError(
            f"{source} has none of the photographs of the motion; give the folder that was tracked."
        )
    return written


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    how = [] if path.suffix.lower() == ".png" else [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    pixels = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), how)[1]
    with atomic_write(path) as file:
        file.write(pixels.tobytes())


def _name(picture: str) -> str:
    """What a picture is written as. One whose kind changes keeps its suffix in front: a.webp becomes a.webp.png."""
    return picture if Path(picture).suffix.lower() in (".jpg", ".jpeg", ".png") else f"{picture}.png"
