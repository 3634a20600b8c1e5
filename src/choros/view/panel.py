"""Panels beside the frame: the people as seen from the side and from above, on a grid of metres.

They show what the frame cannot: depth. A panel looks at the *stage*, axes right, forward and up, from a
kilometre away, which is parallel projection to within a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.mesh.rasteriser import Canvas
from choros.mesh.shading import paint
from choros.motion import Motion

# The stage's axes in camera space (OpenCV) are x, z, -y; in world space (z up) they are x, y, z.
STAGE_FROM_CAMERA = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)
# Axes of each panel's view, rows: right, down and into the page, on the stage.
VIEWS = {
    "side": np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]], np.float32),
    "top": np.array([[1, 0, 0], [0, -1, 0], [0, 0, -1]], np.float32),
}
DISTANCE_M = 1000.0
BACKGROUND, GRID, INK = (30, 32, 36), (58, 61, 67), (170, 174, 182)
REACH_M = 1.2  # around the middle of a person there are arms, legs and head


@dataclass(frozen=True)
class PanelBox:
    """The box of space that panels show: corners (right, forward, up), metres."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    @classmethod
    def around(cls, points_stage: NDArray[np.floating[Any]]) -> PanelBox:
        """The box around the middles of people, (n, 3) metres, but for the odd one far out."""
        points = points_stage[np.isfinite(points_stage).all(1)]
        if not len(points):
            points = np.zeros((1, 3))
        low, high = np.percentile(points, [1, 99], axis=0)
        return cls(tuple((low - REACH_M).tolist()), tuple((high + REACH_M).tolist()))

    @classmethod
    def of(cls, motion: Motion) -> PanelBox:
        """The box in which a motion takes place."""
        return cls.around(to_stage(motion.transl, motion.space))


def to_stage(points: NDArray[np.floating[Any]], space: str) -> NDArray[np.floating[Any]]:
    """Points (..., 3) in the space of a motion, "camera" or "world", to the stage's axes."""
    return points if space == "world" else points @ STAGE_FROM_CAMERA.T


class Panel:
    """One view of the stage, width x height px."""

    def __init__(self, view: str, stage: PanelBox, width: int, height: int, smooth: bool) -> None:
        self.view, self._axes = view, VIEWS[view]
        low, high = np.array(stage.low), np.array(stage.high)
        self._middle = self._axes @ ((low + high) / 2)
        size = np.abs(self._axes @ (high - low))
        self.px_per_m = float(min(width / size[0], height / size[1]))
        focal = self.px_per_m * DISTANCE_M
        self._K = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        self._canvas = Canvas(2 * width, 2 * height) if smooth else Canvas(width, height)
        self._ground = self._grid(width, height)

    def draw(
        self,
        vertices_stage: NDArray[np.floating[Any]],  # (n, V, 3) metres
        faces: NDArray[np.int32],  # (F, 3)
        colours: NDArray[np.uint8],  # (n, 3) RGB
        visible: NDArray[np.bool_],  # (n,)
        camera_stage: NDArray[np.floating[Any]],  # (5, 3) its centre; what it sees left, right, top, bottom
    ) -> NDArray[np.uint8]:  # (height, width, 3) RGB
        """The people of one frame, and the camera with the borders of what it sees."""
        image = self._ground.copy()
        eye, left, right, top, bottom = self._to_px(camera_stage @ self._axes.T)
        for ray in (left, right) if self.view == "top" else (top, bottom):
            far = eye + (ray - eye) * (4 * sum(image.shape) / max(float(np.linalg.norm(ray - eye)), 1e-6))
            cv2.line(image, _corner(eye), _corner(far), (88, 92, 100), 1, cv2.LINE_AA)
        vertices = (vertices_stage @ self._axes.T - self._middle).astype(np.float32)
        vertices[..., 2] += DISTANCE_M
        for shown, opacity in ((~visible, 0.35), (visible, 1.0)):
            paint(image, self._canvas, vertices[shown], faces, colours[shown], self._K, opacity)
        return image

    def _to_px(self, points_view: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
        return (points_view - self._middle)[..., :2] * self.px_per_m + self._K[:2, 2]

    def _grid(self, width: int, height: int) -> NDArray[np.uint8]:
        image = np.full((height, width, 3), BACKGROUND, np.uint8)
        step_m = next(
            step for step in (1, 2, 5, 10, 20, 50, 100, 1000) if step * self.px_per_m >= 22 or step == 1000
        )
        for axis, end in ((0, width), (1, height)):
            first_m = self._middle[axis] - end / 2 / self.px_per_m
            for k in range(
                int(np.ceil(first_m / step_m)), int((first_m + end / self.px_per_m) // step_m) + 1
            ):
                at = round((k * step_m - first_m) * self.px_per_m)
                start, stop = ((at, 0), (at, height)) if axis == 0 else ((0, at), (width, at))
                cv2.line(image, start, stop, GRID, 1)
        text = f"{self.view} view, grid {step_m} m"
        cv2.putText(image, text, (8, height - 9), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
        cv2.rectangle(image, (0, 0), (width - 1, height - 1), GRID, 1)
        return image


def _corner(point: NDArray[np.floating[Any]]) -> tuple[int, int]:
    x, y = np.clip(np.round(point), -(2**15), 2**15 - 1)
    return int(x), int(y)
