"""Sheets of pictures with the bodies drawn over them: what the figures of a bench look like.

A row whose pictures have a score gives two sheets, the worst pictures and a random choice; a row of few pictures, or
of frames, gives one. Captions say the picture and its figures (PCK@.05 / @.1, or PA-MPJPE).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.datasets.sample import square_box
from choros.errors import ChorosError
from choros.evaluation.real.pictures import read_picture
from choros.evaluation.real.result import Result, ResultPicture
from choros.video import open_video
from choros.view.overlay import OverlayStyle, draw
from choros.view.sheet import contact_sheet

_CELL_PX = 300  # longer side of a picture on a sheet
_ROOM = 1.2  # around the part worth seeing
_COUNT, _COLUMNS = 24, 6


def write_sheets(results: Sequence[Result], bodies: Mapping[str, BodyModel], folder: Path) -> list[Path]:
    """PNG sheets of every row that was measured; ``bodies`` are those to draw each system's rows with."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for result in results:
        for kind, shots in _choices(result.shots):
            name = "_".join(filter(None, (result.row, *_words(result.label), *_words(result.system), kind)))
            paths.append(folder / f"{name}.png")
            write_png(sheet(shots, bodies[result.system]), paths[-1])
    return paths


def sheet(shots: Sequence[ResultPicture], body: BodyModel) -> NDArray[np.uint8]:  # (H, W, 3) RGB
    """The pictures side by side, their captions in the corner."""
    images = [drawn(shot, image, body) for shot, image in _opened(shots)]
    return contact_sheet(images, _COLUMNS, [shot.caption for shot in shots])


def drawn(shot: ResultPicture, image: NDArray[np.uint8], body: BodyModel) -> NDArray[np.uint8]:
    """One picture (H, W, 3) RGB, or the part worth seeing, at the size of a sheet's cell, its people over it."""
    image, K = _part(image, shot)
    scale = _CELL_PX / max(image.shape[:2])
    width, height = (max(1, round(side * scale)) for side in (image.shape[1], image.shape[0]))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = np.asarray(cv2.resize(image, (width, height), interpolation=how), np.uint8)
    K = np.diag([width / image.shape[1], height / image.shape[0], 1.0]) @ K
    style = OverlayStyle(opacity=0.75, labels=shot.pts is not None)
    return draw(small, shot.rows, K, body, style) if len(shot.rows) else small


def _part(image: NDArray[np.uint8], shot: ResultPicture) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """What of the picture is worth seeing, and its K."""
    if shot.around_px is None:
        return image, shot.K
    size = np.array([image.shape[1], image.shape[0]] * 2)
    side = (shot.around_px[2:] - shot.around_px[:2]).max() * _ROOM  # a square, for captions need width too
    box = square_box((shot.around_px[:2] + shot.around_px[2:]) / 2, side)
    box = np.clip(np.round(box), 0, size).astype(int)
    x0, y0, x1, y1 = box.tolist()
    if x1 <= x0 or y1 <= y0:
        return image, shot.K
    return image[y0:y1, x0:x1], np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1.0]]) @ shot.K


def write_png(image: NDArray[np.uint8], path: Path) -> None:
    """An RGB picture (H, W, 3). Raises ChorosError if it cannot be written."""
    if not cv2.imwrite(str(path), image[..., ::-1]):
        raise ChorosError(f"{path} cannot be written; check the folder and the space left.")


def _choices(shots: Sequence[ResultPicture]) -> Iterator[tuple[str, list[ResultPicture]]]:
    """What is worth seeing of many, and all of a few."""
    if len(shots) <= _COUNT:
        if shots:
            yield "", list(shots)
        return
    scored = [shot for shot in shots if math.isfinite(shot.score)]
    yield "worst", sorted(scored, key=lambda shot: shot.score)[:_COUNT]
    chosen = np.random.default_rng(0).choice(len(shots), _COUNT, replace=False)  # the same for every system
    yield "random", [shots[index] for index in sorted(chosen)]


def _opened(shots: Sequence[ResultPicture]) -> Iterator[tuple[ResultPicture, NDArray[np.uint8]]]:
    """Each shot with its picture, in order; a video is read once."""
    frames: dict[tuple[Path, object], NDArray[np.uint8]] = {}
    for video in dict.fromkeys(shot.source for shot in shots if shot.pts is not None):
        wanted = {shot.pts for shot in shots if shot.source == video}
        with open_video(video) as reader:
            for frame in reader:
                if frame.pts in wanted:
                    frames[video, frame.pts] = frame.image
    for shot in shots:
        yield shot, frames[shot.source, shot.pts] if shot.pts is not None else read_picture(shot.source)


def _words(text: str) -> list[str]:
    return "".join(c if c.isalnum() else " " for c in text.lower()).split()
