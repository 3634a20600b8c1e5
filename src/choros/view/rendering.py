"""``choros.render``: a motion as a film or as pictures, over its video or in the world."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from choros.errors import ChorosError
from choros.motion import Motion

if TYPE_CHECKING:
    from choros.body import BodyModel


def render(
    motion: Motion | str | Path,
    video: str | Path | None = None,
    output: str | Path = "overlay.mp4",
    *,
    panels: Literal["none", "side", "top", "both"] = "none",
    keypoints: bool = False,
    ghosts: bool = True,
    view: Literal["both", "third", "top"] = "both",
    tentative: bool = False,
    body: BodyModel | str | Path | None = None,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> int:
    """Draw everyone over the video they were tracked in, or, without one, in the world; returns how many frames.

    >>> choros.render(motion, "clip.mp4", "overlay.mp4")

    ``output`` ends in .mp4, .mov, .webm, .gif or .webp, or names pictures, ``frames/%06d.png``; of photographs it is a
    folder, and ``video`` the one they are in. ``panels`` adds views from the side and from above, ``keypoints`` what
    was found in the picture; without ``ghosts`` people are left out where they were predicted and not seen. In the
    world ``view`` is from beside the camera (third), from above (top), or both. ``tentative`` draws those too who
    were in sight for less than .2 s. ``body`` is the model or SMPL file that the motion was tracked with.
    ``progress(done, total)`` is called after each frame. Raises ``ChorosError`` if motion, video and body do not belong
    together, or nothing is written under such a name.
    """
    from choros.body.skinned import model_of
    from choros.view.overlay import OverlayStyle, render_video
    from choros.view.photo_overlays import render_photos
    from choros.view.world_view import WorldStyle, render_world

    motion = Motion.of(motion)
    motion = motion if tentative else motion.settled()
    model = None if body is None else model_of(body)
    over = OverlayStyle(panels=panels, keypoints=keypoints, ghosts=ghosts)
    if motion.header.photos:
        if video is None:
            raise ChorosError(
                f"{motion.header.source or 'this motion'} holds photographs, which have no world; "
                "give the folder they are in."
            )
        return render_photos(motion, video, output, model, over, progress)
    if video is None:
        return render_world(motion, output, model, WorldStyle(views=view, ghosts=ghosts), progress)
    return render_video(motion, video, output, model, over, progress)
