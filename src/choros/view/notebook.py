"""The picture by which a notebook shows a ``Motion``: the moment in which most people are seen."""

from __future__ import annotations

import cv2
import numpy as np

from choros.errors import ChorosError
from choros.motion import Motion
from choros.view.overlay import Overlay, OverlayStyle, body_of
from choros.view.panel import PanelBox, to_stage
from choros.view.world_view import WorldStyle, WorldView

WIDTH_PX, HEIGHT_PX = 640, 420  # the camera's view fits into both; views of the world are this high
GROUND = (233, 236, 240)  # in place of the video's picture
TRAIL_S = 2.0  # of the way that people came, in the world


def picture(motion: Motion) -> bytes | None:
    """PNG: people before the camera, from the side and from above; or in the world, with the way they came.

    None if nobody is seen, or the motion is of a body that is not at hand.
    """
    seen = motion.row_frame[motion.visible]
    if not len(seen):
        return None
    frame = int(np.bincount(seen).argmax())
    try:
        body = body_of(motion, None)
    except ChorosError:
        return None
    if motion.space == "world":
        until = motion[max(0, frame - round(TRAIL_S * motion.fps)) : frame + 1]
        image = WorldView(until, body, WorldStyle(height=HEIGHT_PX)).draw(len(until) - 1)
    else:
        rows = motion.in_frame(frame)
        scale = min(WIDTH_PX / motion.width, HEIGHT_PX / motion.height)
        width, height = round(scale * motion.width), round(scale * motion.height)
        style = OverlayStyle(opacity=1.0, panels="both")
        overlay = Overlay(
            body, width, height, style, stage=PanelBox.around(to_stage(rows["transl"], "camera"))
        )
        ground = np.full((height, width, 3), GROUND, np.uint8)
        image = overlay.draw(ground, rows, np.diag([scale, scale, 1.0]) @ motion.K[frame])
    _, png = cv2.imencode(".png", image[..., ::-1])
    return png.tobytes()
