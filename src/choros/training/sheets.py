"""Sample pictures of a run: skeletons on a floor, and sheets with truth and answer side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.mesh.colours import colour_of
from choros.outputs import atomic_write
from choros.skeleton import PARENTS
from choros.view.floor_drawing import lay_floor, shadows
from choros.view.sheet import contact_sheet
from choros.view.viewpoint import Viewpoint, follow, looking

TRUTH, ANSWER = 3, 2  # whose colours they have: green and orange
APART_M = 0.9  # between moments of somebody who is drawn as if passing by
_ROOM_M = 0.25  # around joints: head, hands and feet go on
_DOWN_RAD, _FIELD_DEG = 0.22, 40.0

Floats = NDArray[np.floating[Any]]


def write_sheet(path: Path, pictures: list[NDArray[np.uint8]], columns: int) -> None:
    """A PNG of pictures in rows; it appears whole or not at all, for somebody may be looking at it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet = cv2.cvtColor(contact_sheet(pictures, columns), cv2.COLOR_RGB2BGR)
    with atomic_write(path) as file:
        file.write(cv2.imencode(".png", sheet)[1].tobytes())


def side_by_side(
    truth: Floats, answer: Floats, width: int = 480, height: int = 200
) -> list[NDArray[np.uint8]]:
    """Joints (n, 24, 3) of the same moments, metres, z up: a picture of the truth and one of the answer.

    Both are seen from the same place before +y, from which everything of both is in the picture.
    """
    around = np.concatenate([truth, answer]).reshape(-1, 3)
    corners = np.concatenate([around - _ROOM_M, around + _ROOM_M])
    view = follow([corners], looking(np.array([0.0, -1.0]), _DOWN_RAD), _FIELD_DEG, width, height, 1.0)[0]
    return [skeletons(truth, view, TRUTH), skeletons(answer, view, ANSWER)]


def passing(joints: Floats) -> Floats:
    """Moments (n, 24, 3) of one person in a row from the left, whose pelvis otherwise stays, as seen from before +y."""
    n, moved = len(joints), np.array(joints, np.float64)
    moved[..., :2] -= moved[:, :1, :2]
    moved[..., 0] += APART_M * ((n - 1) / 2 - np.arange(n))[:, None]  # the eye's right is -x
    return moved


def skeletons(joints: Floats, view: Viewpoint, person: int) -> NDArray[np.uint8]:
    """Joints (n, 24, 3) joined by bones in a person's colour, on a floor at z = 0."""
    feet = joints.reshape(-1, 3)
    middle = feet[:, :2].mean(0)
    reach_m = 3.0 + float(np.linalg.norm(feet[:, :2] - middle, axis=1).max())
    image = lay_floor(view, shadows(joints), (float(middle[0]), float(middle[1])), reach_m, 1.0)
    points = view.to_px(joints)
    thickness = max(1, round(view.height / 100))
    for ink, width in (((40, 42, 48), 2 * thickness), (colour_of(person), thickness)):
        for body in points:
            for joint, parent in enumerate(PARENTS):
                ends = body[[joint, parent]]
                if parent >= 0 and np.isfinite(ends).all():
                    a, b = (tuple(map(int, end)) for end in np.round(ends * 16))
                    cv2.line(image, a, b, ink, width, cv2.LINE_AA, 4)
    return image
