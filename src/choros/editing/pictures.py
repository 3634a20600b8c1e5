"""A picture of each suggested pair: the first as they were last seen, the second as they were first seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.editing.suggestions import Suggestion
from choros.motion import Motion
from choros.outputs import atomic_write
from choros.reopening import open_again
from choros.view.sheet import contact_sheet

SIGHTS, APART_S = 3, 0.4  # of each, and how far apart
AROUND = 0.25  # of the box's height, shown about it
HEIGHT_PX = 240


def draw_pairs(
    motion: Motion, video: str | Path, suggestions: Sequence[Suggestion], folder: Path
) -> list[Path]:
    """A PNG for each pair, ``3_and_7.png``; returns the files. Raises ``ChorosError`` if the video cannot be read."""
    shown = [(each, chosen(motion, each.earlier, -1), chosen(motion, each.later, 0)) for each in suggestions]
    crops = _crops(motion, video, [row for _, before, after in shown for row in (*before, *after)])
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for each, before, after in shown:
        places = [(int(row["frame"]), int(row["person"])) for row in (*before, *after)]
        places = [place for place in places if place in crops]
        if not places:
            continue
        captions = [f"{person}  {motion.pts_s[frame]:.1f} s" for frame, person in places]
        pictures = [crops[place] for place in places]
        sheet = contact_sheet(pictures, len(pictures), captions)
        paths.append(folder / f"{each.earlier}_and_{each.later}.png")
        with atomic_write(paths[-1]) as file:
            file.write(cv2.imencode(".png", sheet[..., ::-1])[1].tobytes())
    return paths


def chosen(motion: Motion, person: int, end: int) -> NDArray[np.void]:
    """Up to ``SIGHTS`` rows in which somebody is seen, from their first sight (0) on or before the last (-1)."""
    one = motion.people[person]
    rows, times_s = one.rows[one.visible], one.pts_s[one.visible]
    if not len(rows):
        return rows
    way = 1 if end == 0 else -1
    at = times_s[end] + way * APART_S * np.arange(SIGHTS)
    places = np.unique(np.clip(np.searchsorted(times_s, at - 1e-6), 0, len(rows) - 1))
    picked: NDArray[np.void] = rows[places]
    return picked


def _crops(
    motion: Motion, video: str | Path, rows: Sequence[NDArray[np.void]]
) -> dict[tuple[int, int], NDArray[np.uint8]]:
    """Pictures of these rows, () ROW, by frame and person."""
    found: dict[tuple[int, int], NDArray[np.uint8]] = {}
    wanted: dict[int, list[NDArray[np.void]]] = {}
    for row in rows:
        wanted.setdefault(int(row["frame"]), []).append(row)
    if not wanted:
        return found
    by_number = {int(motion.number[frame]): frame for frame in wanted}
    half_frame_s = 0.5 / float(motion.fps)
    start_s, end_s = motion.pts_s[min(wanted)] - half_frame_s, motion.pts_s[max(wanted)] + half_frame_s
    with open_again(video, motion, max(float(start_s), 0.0), float(end_s)) as reader:
        for picture in reader:
            frame = by_number.get(picture.number, -1)
            for row in wanted.get(frame, ()):
                found[frame, int(row["person"])] = _crop(picture.image, row["box_px"])
    return found


def _crop(image: NDArray[np.uint8], box_px: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Somebody and a little around them, ``HEIGHT_PX`` high, their box drawn in it."""
    x0, y0, x1, y1 = (float(value) for value in box_px)
    reach = AROUND * max(y1 - y0, 1.0)
    left, top = max(int(x0 - reach), 0), max(int(y0 - reach), 0)
    right, bottom = min(int(x1 + reach) + 1, image.shape[1]), min(int(y1 + reach) + 1, image.shape[0])
    if right - left < 2 or bottom - top < 2:
        return np.full((HEIGHT_PX, HEIGHT_PX // 2, 3), 128, np.uint8)
    part = image[top:bottom, left:right]
    scale = HEIGHT_PX / part.shape[0]
    shown = cv2.resize(part, (max(round(part.shape[1] * scale), 2), HEIGHT_PX), interpolation=cv2.INTER_AREA)
    low, high = ((round((x - left) * scale), round((y - top) * scale)) for x, y in ((x0, y0), (x1, y1)))
    cv2.rectangle(shown, low, high, (255, 210, 0), 1)
    return np.asarray(shown, np.uint8)
