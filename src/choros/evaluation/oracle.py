"""The unrolled-oracle protocol of CoMotion's controlled experiments (appendix A.2).

A clip is cut into windows of 16 or 48 frames. The boxes of everybody who can be seen in a window's first frame
are given to the system, which then follows these people to the window's end without adding or dropping anyone.
So poses and identities are judged apart from detection and from the rules by which tracks begin and end.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from choros.camera import intrinsics
from choros.errors import ChorosError
from choros.motion import Header, Motion
from choros.tracking.stream import GivenStream, System
from choros.video import Frame, open_video


def unroll(
    system: System,
    video: Path,
    truth: Motion,
    n_frames: int,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> list[tuple[Motion, Motion]]:
    """The truth and the prediction of every window of ``n_frames``, people under the same identities.

    Windows do not overlap; what is left at the clip's end is left out, and so is a window in whose first frame
    nobody can be seen. Of the truth only the people who were given stay.
    Raises ChorosError for a system that takes no boxes, or a video shorter than its truth.
    """
    pairs = []
    with open_video(video, image_fps=truth.fps) as reader:
        frames = iter(reader)
        for start in range(0, len(truth) - n_frames + 1, n_frames):
            window = truth[start : start + n_frames]
            given = window.in_frame(0)
            given = given[given["visible"]]
            images = list(islice(frames, n_frames))
            if len(images) < n_frames:
                raise ChorosError(
                    f"{video} ends before its truth, which has {len(truth)} frames; make the clip again."
                )
            if len(given):
                pairs.append((window.select(given["person"]), _follow(system, images, window, given)))
            progress(start + n_frames, len(truth))
    return pairs


def _follow(system: System, images: list[Frame], window: Motion, given: NDArray[np.void]) -> Motion:
    K = intrinsics(window.width, window.height)
    stream = system.stream(K)
    if not isinstance(stream, GivenStream):
        raise ChorosError(
            f"the system {system.name} cannot be given the boxes of a first frame; use the full protocol."
        )
    rows = [stream.begin(images[0].image, given["box_px"], images[0].pts_s).rows]
    rows += [stream.update(frame.image, frame.pts_s).rows for frame in images[1:]]
    for number, people in enumerate(rows):
        people["frame"] = number
        people["person"] = given["person"][people["person"] - 1]
        people.sort(order="person")
    frames = window.frames.copy()
    frames["K"], frames["T_world_camera"], frames["camera_known"] = K, np.eye(4), False
    header = Header(window.fps, window.width, window.height, window.header.source, system.name)
    return Motion(replace(header, body=window.header.body), frames, np.concatenate(rows))
