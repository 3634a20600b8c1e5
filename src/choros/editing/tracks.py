"""What a motion and its clip tell of each person's whole track, by which two tracks are told to be of one person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.keypoints import box_iou
from choros.motion import Motion
from choros.reopening import open_again
from choros.tracking.appearance import PARTS, Colours, read_colours

Floats = NDArray[np.float64]

END_S = 1.0  # of sight, at either end of a track, from which place and speed are told
SIGHTS = 24  # looked at for colours, spread over a track
ALONE = 0.2  # IoU with somebody else above which a sight is not looked at, if there are others
PAST_S = 0.1  # what is added to the span of an end, so that one sight has no speed


@dataclass(frozen=True)
class TrackEnd:
    """Where somebody is when a track begins or ends, and how fast they go; px and seconds."""

    time_s: float
    centre_px: Floats  # (2,) of the box
    height_px: float
    velocity_px_s: Floats  # (2,)
    inside: float  # how far from the nearest side of the picture but the upper one, in heights; below 0 cut off by it


@dataclass(frozen=True)
class Track:
    """One person as far as they were seen."""

    id: int
    frames: NDArray[np.int32]  # (n,) of the motion, in which they are seen
    begin: TrackEnd
    end: TrackEnd
    shots: tuple[int, int]  # in which they begin and end
    colours: Colours | None  # of one; None where no clip was given
    picture_px: tuple[int, int]  # its width and height


def tracks_of(
    motion: Motion,
    video: str | Path | None = None,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> list[Track]:
    """Everybody who is seen, by identity; with colours of their clothes where the ``video`` is given.

    ``progress(done, total)`` is called after each frame that is read. Raises ``ChorosError`` if the video cannot be
    read or is of another size.
    """
    colours = {} if video is None else colours_of(motion, video, progress)
    tracks = []
    for person in motion.people:
        rows, times_s = person.rows[person.visible], person.pts_s[person.visible]
        if not len(rows):
            continue
        size = motion.width, motion.height
        begin = _end(rows, times_s, times_s <= times_s[0] + END_S, 0, size)
        end = _end(rows, times_s, times_s >= times_s[-1] - END_S, -1, size)
        shots = int(motion.shot[rows["frame"][0]]), int(motion.shot[rows["frame"][-1]])
        tracks.append(Track(person.id, rows["frame"], begin, end, shots, colours.get(person.id), size))
    return tracks


def _end(
    rows: NDArray[np.void], times_s: Floats, near: NDArray[np.bool_], which: int, size: tuple[int, int]
) -> TrackEnd:
    """The first (0) or last (-1) sight, by a straight line through the ``near`` ones; ``size`` is the picture's, px."""
    boxes = rows["box_px"][near].astype(np.float64)
    centres, time_s = 0.5 * (boxes[:, :2] + boxes[:, 2:]), float(times_s[which])
    since = times_s[near] - time_s
    spread = since - since.mean()
    velocity = (spread[:, None] * (centres - centres.mean(0))).sum(0) / (
        (spread**2).sum() + len(spread) * PAST_S**2
    )
    height_px = max(float(np.median(boxes[:, 3] - boxes[:, 1])), 1.0)
    x0, _, x1, y1 = boxes[which]  # a head that the upper side cuts off says nothing of coming and going
    inside = min(x0, size[0] - x1, size[1] - y1) / height_px
    return TrackEnd(time_s, centres[which], height_px, velocity, float(inside))


def colours_of(
    motion: Motion,
    video: str | Path,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> dict[int, Colours]:
    """Colours of everybody's clothes over their track, by identity: medians over up to ``SIGHTS`` sights."""
    wanted = chosen_sights(motion)
    read: dict[int, list[Colours]] = {person: [] for person in motion.ids.tolist()}
    if not len(wanted):
        return {}
    by_number = {int(number): frame for frame, number in enumerate(motion.number)}
    last = motion.number[wanted["frame"].max()]
    first_s, last_s = motion.pts_s[0], motion.pts_s[wanted["frame"].max()]
    half_frame_s = 0.5 / float(motion.fps)
    with open_again(video, motion, max(first_s - half_frame_s, 0.0), last_s + half_frame_s) as reader:
        for done, picture in enumerate(reader, 1):
            rows = wanted[wanted["frame"] == by_number.get(picture.number, -1)]
            if len(rows):
                found = read_colours(picture.image, rows["keypoints_px"].astype(np.float64))
                for place, person in enumerate(rows["person"].tolist()):
                    read[person].append(Colours(found.lab[place], found.weight[place]))
            progress(done, int(last) + 1)
    return {person: _median(each) for person, each in read.items() if each}


def chosen_sights(motion: Motion, most: int = SIGHTS) -> NDArray[np.void]:
    """Rows in which to look at people, (n,) ROW: up to ``most`` of each, spread over time, rather of people alone."""
    crowded = np.zeros(len(motion.rows))
    starts = np.searchsorted(motion.row_frame, np.arange(len(motion) + 1))
    for start, end in pairwise(starts):
        if end - start > 1:
            overlaps = box_iou(*[motion.box_px[start:end].astype(np.float64)] * 2)
            np.fill_diagonal(overlaps, 0)
            crowded[start:end] = overlaps.max(-1)
    chosen = []
    for person in motion.ids.tolist():
        mine = np.flatnonzero((motion.row_person == person) & motion.visible)
        alone = mine[crowded[mine] < ALONE]
        mine = alone if len(alone) else mine
        if len(mine):
            chosen.append(mine[np.unique(np.linspace(0, len(mine) - 1, most).round().astype(int))])
    rows: NDArray[np.void] = motion.rows[np.sort(np.concatenate(chosen))] if chosen else motion.rows[:0]
    return rows


def _median(colours: list[Colours]) -> Colours:
    """Of several sights one, (1, 3, 3): the median of what was read of each part, and how much that was at best."""
    lab = np.stack([each.lab for each in colours])  # (k, parts, 3)
    weight = np.stack([each.weight for each in colours])
    middle = np.zeros((1, len(PARTS), 3))
    for part in range(len(PARTS)):
        clear = weight[:, part] > 0.3
        if clear.any():
            middle[0, part] = np.median(lab[clear, part], axis=0)
        else:
            weight[:, part] = 0
    return Colours(middle, weight.max(0)[None])
