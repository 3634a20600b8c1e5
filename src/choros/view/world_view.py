"""A motion in the world: people on one floor seen from beside the camera that filmed them, and from above.

Bodies have their colours and numbers of the overlay; behind each runs a trail of where they were, faint where they
were not seen. The filming camera is drawn with its path, and the floor that it sees is brighter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.body.skinned import vertices_of
from choros.errors import ChorosError
from choros.mesh.colours import colour_of
from choros.mesh.rasteriser import Canvas
from choros.mesh.shading import paint
from choros.motion import Motion
from choros.view.floor_drawing import lay_floor, shadows
from choros.view.gathering import gathered
from choros.view.marks import Box, tag
from choros.view.overlay import body_of, label_place
from choros.view.viewpoint import Viewpoint, follow, looking

if TYPE_CHECKING:
    from choros.body import BodyModel

Floats = NDArray[np.float64]
Views = Literal["both", "third", "top"]

DOWN_RAD, ASIDE_RAD = (
    np.radians(24.0),
    np.radians(32.0),
)  # how the third person looks, against the camera's heading
FOV_DEG = {"third": 42.0, "top": 10.0}  # from above nearly parallel, so that metres are alike all over
TRAIL_S, KEPT_S = 5.0, 20.0  # a trail fades over that time, and stays faint for that long
GHOST = 0.35  # opacity of somebody who is not seen
PIECES = 40  # that a line is drawn in, each hidden by somebody or not
CAMERA_M = 0.5  # size of the camera
INK = (46, 50, 60)
NOTE = (104, 110, 122)


@dataclass(frozen=True)
class WorldStyle:
    """What a world is drawn like."""

    views: Views = "both"  # from beside the camera, from above, or one beside the other
    ghosts: bool = True  # draw who is not seen
    height: int = 720  # px


class WorldView:
    """Draws the frames of a motion whose camera is known, or that is in the world already.

    Raises ``ChorosError`` if the motion has no frames, is of another body, or says nothing of the world.
    """

    def __init__(
        self, motion: Motion, body: BodyModel | None = None, style: WorldStyle | None = None
    ) -> None:
        self.motion, self.style = motion, style or WorldStyle()
        self.body = body_of(motion, body)
        if not len(motion):
            raise ChorosError("the motion has no frames to draw; run `choros track` on its video again.")
        if motion.space != "world" and not motion.tells_camera:
            raise ChorosError(
                "this motion is in its camera's axes, and nothing is known of where the camera was; "
                "run `choros world` on it first and show what that writes."
            )
        self._faces = np.ascontiguousarray(np.asarray(self.body.faces), np.int32)
        self._hips = self._pelvis_world()
        self._framed = gathered(self._hips, motion.row_person)
        self._heading = _heading(motion.T_world_camera[motion.camera_known])
        self.shape: dict[str, tuple[int, int]] = {}  # of each view, width and height px
        tall = self.style.height
        if self.style.views != "top":
            self.shape["third"] = tall * 16 // 9 // 2 * 2, tall
        if self.style.views != "third":
            self.shape["top"] = (tall * 8 // 9 // 2 * 2, tall)
        self.width, self.height = sum(width for width, _ in self.shape.values()), tall
        seen = [self._in_view(frame) for frame in range(len(motion))]
        self.viewpoints = {
            name: follow(seen, self._axes(name), FOV_DEG[name], *size, float(motion.fps))
            for name, size in self.shape.items()
        }
        self._canvas = {name: Canvas(2 * width, 2 * tall) for name, (width, tall) in self.shape.items()}

    def draw(self, frame: int) -> NDArray[np.uint8]:  # (height, width, 3) RGB
        """One frame, the views beside one another."""
        rows = self.motion.in_frame(frame)
        if not self.style.ghosts:
            rows = rows[rows["visible"]]
        vertices = vertices_of(rows, self.body)
        if self.motion.space != "world":
            T = self.motion.T_world_camera[frame]
            vertices = (vertices @ T[:3, :3].T + T[:3, 3]).astype(np.float32)
        views = [self._view(name, frame, rows, vertices) for name in self.shape]
        for right in views[1:]:
            right[:, 0] = NOTE
        return np.concatenate(views, axis=1)

    def _view(
        self,
        name: str,
        frame: int,
        rows: NDArray[np.void],  # (n,) ROW
        vertices_world: NDArray[np.float32],  # (n, V, 3)
    ) -> NDArray[np.uint8]:
        view, canvas, motion = self.viewpoints[name][frame], self._canvas[name], self.motion
        camera = motion.K[frame], motion.T_world_camera[frame], motion.width, motion.height
        middle, reach_m = _on_floor(view)
        step_m = next(step for step in (1.0, 5.0, 25.0, 0.0) if step * 30 > reach_m or step == 0)
        image = lay_floor(
            view,
            shadows(vertices_world[rows["visible"]]),
            middle,
            reach_m,
            step_m,
            camera if motion.camera_known[frame] else None,
        )
        self._trails(image, view, frame)
        in_eye = view.to_eye(vertices_world).astype(np.float32)
        colours = np.array([colour_of(int(p)) for p in rows["person"]], np.uint8).reshape(-1, 3)
        for shown, opacity in ((~rows["visible"], GHOST), (rows["visible"], 1.0)):
            paint(image, canvas, in_eye[shown], self._faces, colours[shown], view.K, opacity)
        if motion.camera_known[frame]:
            self._camera(image, view, canvas, frame)
        taken: list[Box] = []
        for i in np.argsort(in_eye[..., 2].mean(1)):
            place = label_place(in_eye[i], None, view.K, view.width, view.height)
            if place is not None:
                person, visible = int(rows["person"][i]), bool(rows["visible"][i])
                taken.append(tag(image, str(person), place, colour_of(person), visible, taken))
        _note(image, f"{motion.pts_s[frame]:.2f} s" if name == next(iter(self.shape)) else "", INK, "left")
        where = "from above" if name == "top" else "beside the camera"
        grid = f", grid {step_m:.0f} m" if step_m else ""
        unknown = "" if motion.camera_known[frame] else ", camera not known here"
        _note(image, where + grid + unknown, NOTE, "right")
        return image

    # --- what is in a view --------------------------------------------------------------------------

    def _axes(self, name: str) -> Floats:
        if name == "top":
            return looking(self._heading, np.pi / 2)
        return looking(self._heading, DOWN_RAD, ASIDE_RAD)

    def _pelvis_world(self) -> Floats:  # (N, 3) metres
        import torch

        from choros.body import BodyParams

        rows = self.motion.rows
        shape = [torch.from_numpy(np.array(rows[name], np.float32)) for name in ("betas", "kid")]
        zeros = torch.zeros(len(rows), 72)
        at_rest = BodyParams(zeros[:, :3], zeros[:, 3:], shape[0], zeros[:, :3], shape[1])
        with torch.inference_mode():
            pelvis = self.body.joints(at_rest)[:, 0].double().numpy() + rows["transl"]
        if self.motion.space == "world":
            return np.asarray(pelvis)
        T = self.motion.T_world_camera[rows["frame"]]
        return np.asarray((T[:, :3, :3] @ pelvis[..., None])[..., 0] + T[:, :3, 3])

    def _in_view(self, frame: int) -> Floats:  # (n, 3)
        """Corners of boxes around the arms and head of everybody but strays, and of the camera."""
        start, end = np.searchsorted(self.motion.row_frame, [frame, frame + 1])
        hips = self._hips[start:end]
        shown = self._framed[start:end].copy()
        if not self.style.ghosts:
            shown &= self.motion.visible[start:end]
        hips = hips[shown]
        boxes = [
            np.column_stack([hips[:, 0] + x, hips[:, 1] + y, hips[:, 2] * low + high])
            for x in (-0.6, 0.6)
            for y in (-0.6, 0.6)
            for low, high in ((0.0, 0.0), (1.0, 1.0))
        ]
        if self.motion.camera_known[frame]:
            boxes.append(_frustum(self.motion, frame, CAMERA_M))
        return np.concatenate(boxes)

    def _since(self, frame: int) -> int:
        """The first frame whose places are shown in this one: lately, and of the same shot, whose world it is."""
        lately = np.searchsorted(self.motion.pts_s, self.motion.pts_s[frame] - KEPT_S)
        return max(int(lately), int(np.searchsorted(self.motion.shot, self.motion.shot[frame])))

    def _trails(self, image: NDArray[np.uint8], view: Viewpoint, frame: int) -> None:
        """Where people's hips were, on the floor; the latest comes last and on top."""
        motion = self.motion
        since = self._since(frame)
        lately = slice(*np.searchsorted(motion.row_frame, [since, frame + 1]))
        rows, floor = motion.rows[lately], self._hips[lately] * [1, 1, 0]
        places = view.to_px(floor)
        age = (motion.pts_s[frame] - motion.pts_s[rows["frame"]]) / TRAIL_S
        wide = max(view.height / 200, 1.5)
        for person in np.unique(rows["person"]):
            amount = np.zeros(image.shape[:2], np.uint8)
            for a, b in pairwise(np.flatnonzero(rows["person"] == person)):
                if rows["frame"][b] - rows["frame"][a] > 1 or not np.isfinite(places[[a, b]]).all():
                    continue
                seen = bool(rows["visible"][b])
                ink = round(255 * (0.2 + 0.65 * max(1 - age[b], 0.0)) * (1.0 if seen else 0.45))
                ends = _fine(places[a]), _fine(places[b])
                cv2.line(amount, *ends, ink, max(round(wide if seen else wide / 2), 1), cv2.LINE_AA, 4)
            some = np.nonzero(amount)
            share = amount[some][:, None] / 255
            image[some] = np.round((1 - share) * image[some] + share * colour_of(int(person)))

    def _camera(self, image: NDArray[np.uint8], view: Viewpoint, canvas: Canvas, frame: int) -> None:
        """The camera as a pyramid with a mark on top, its path until now, and a plumb line to the floor."""
        since = self._since(frame)
        known, places = self.motion.camera_known[since : frame + 1], self.motion.T_world_camera[since:, :3, 3]
        edges_of_known = np.flatnonzero(np.diff(known, prepend=False, append=False))
        for first, end in edges_of_known.reshape(-1, 2):
            _line(image, canvas, view, places[first:end], NOTE, 2)
        eye, left_top, right_top, right_bottom, left_bottom, up = _frustum(self.motion, frame, CAMERA_M)
        _line(image, canvas, view, _pieces(eye * [1, 1, 0], eye), NOTE, 1)
        ring = (left_top, right_top, right_bottom, left_bottom, left_top)
        edges = [*pairwise(ring), *((eye, corner) for corner in ring[:4]), (left_top, up), (up, right_top)]
        for start, end in edges:
            _line(image, canvas, view, _pieces(start, end), INK, 2)


def render_world(
    motion: Motion,
    path: str | Path,
    body: BodyModel | None = None,
    style: WorldStyle | None = None,
    progress: Callable[[int, int], Any] = lambda done, total: None,
) -> int:
    """Write a video of people and camera in the world, as ``VideoWriter`` does; returns the number of frames.

    ``body`` is the embedded light body unless given. ``progress(done, total)`` is called after each frame. Raises
    ``ChorosError`` as ``WorldView`` does. Ctrl-C leaves a playable file, or the one that was there.
    """
    from choros.video import VideoWriter

    view = WorldView(motion, body, style)
    with VideoWriter(path, view.width, view.height, motion.fps) as writer:
        for frame, (pts, number) in enumerate(zip(motion.pts, motion.number.tolist(), strict=True)):
            writer.write(view.draw(frame), pts, number)
            progress(frame + 1, len(motion))
    return len(motion)


# --- geometry ---------------------------------------------------------------------------------------


def _heading(T_world_camera: Floats) -> Floats:  # (2,)
    """Which way over the floor a camera looked, on the whole; along y if nobody knows."""
    ahead = T_world_camera[:, :2, 2].sum(axis=0) / max(len(T_world_camera), 1)
    return ahead if np.linalg.norm(ahead) > 1e-3 else np.array([0.0, 1.0])


def _frustum(motion: Motion, frame: int, long_m: float) -> Floats:  # (6, 3) metres
    """A camera's centre; left top, right top, right bottom and left bottom of its picture; and a point above."""
    w, h = motion.width, motion.height
    ends = np.array([[0, 0, 1], [w, 0, 1], [w, h, 1], [0, h, 1], [w / 2, -0.35 * h, 1]])
    rays = ends @ np.linalg.inv(motion.K[frame]).T
    rays *= long_m / max(np.linalg.norm(rays, axis=1))
    T = motion.T_world_camera[frame]
    return np.concatenate([T[None, :3, 3], rays @ T[:3, :3].T + T[:3, 3]])


def _on_floor(view: Viewpoint) -> tuple[tuple[float, float], float]:
    """Where the middle of a view meets the floor, x and y, and how far from there the floor is worth drawing."""
    T = view.T_world_eye
    far = -T[2, 3] / min(T[2, 2], -1e-3)
    middle = T[:2, 3] + far * T[:2, 2]
    return (float(middle[0]), float(middle[1])), float(1.1 * far * view.width / view.K[0, 0] / 2)


# --- marks ------------------------------------------------------------------------------------------


def _pieces(start: Floats, end: Floats) -> Floats:  # (3,), (3,) -> (PIECES + 1, 3)
    return start + np.linspace(0, 1, PIECES + 1)[:, None] * (end - start)


def _line(
    image: NDArray[np.uint8],
    canvas: Canvas,  # with the bodies that may hide it, two samples a pixel
    view: Viewpoint,
    points_world: Floats,  # (n, 3) metres
    colour: tuple[int, int, int],
    wide: int,
) -> None:
    """A line in space from point to point, but for the pieces that somebody hides."""
    depth = view.to_eye((points_world[:-1] + points_world[1:]) / 2)[:, 2]
    places = view.to_px(points_world)
    in_front = np.isfinite(places[:, 0])
    x, y = np.nan_to_num(places[:-1] + places[1:]).astype(int).T
    size = canvas.depth.shape
    shown = in_front[:-1] & in_front[1:] & (x >= 0) & (y >= 0) & (x < size[1]) & (y < size[0])
    shown[shown] = depth[shown] < canvas.depth[y[shown], x[shown]]
    for first, end in np.flatnonzero(np.diff(shown, prepend=False, append=False)).reshape(-1, 2):
        run = np.array([_fine(place) for place in places[first : end + 1]], np.int32)
        cv2.polylines(image, [run], False, colour, wide, cv2.LINE_AA, 4)


def _fine(place: Floats) -> tuple[int, int]:
    """Pixels in the sixteenths of cv2, which counts from the first pixel's centre."""
    x, y = np.round((place - 0.5) * 16).clip(-(2**20), 2**20)
    return int(x), int(y)


def _note(
    image: NDArray[np.uint8], text: str, colour: tuple[int, int, int], side: Literal["left", "right"]
) -> None:
    """A line of text at the bottom."""
    scale, stroke = image.shape[0] / 1100, max(1, round(image.shape[0] / 600))
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, stroke)
    x = height if side == "left" else image.shape[1] - width - height
    place = (x, image.shape[0] - height)
    cv2.putText(image, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, stroke, cv2.LINE_AA)
