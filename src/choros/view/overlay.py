"""Everyone's body drawn over the video: shaded, in their own colour, with their number above the head.

Who was not seen in a frame is a ghost: see-through, with a dashed outline and a hollow label. Nearer people
hide those behind them. Colour is the business of ``shading``, views from elsewhere that of ``panel``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from choros.body.skinned import vertices_of
from choros.camera import project
from choros.errors import ChorosError
from choros.mesh.colours import colour_of
from choros.mesh.rasteriser import Z_NEAR_M, Canvas
from choros.mesh.shading import paint
from choros.motion import ROW, Motion
from choros.view.marks import Box, dashed, skeleton, tag
from choros.view.panel import Panel, PanelBox, to_stage

if TYPE_CHECKING:
    from choros.body import BodyModel

SMOOTH_UP_TO_PX = 2_100_000  # images of more pixels (above 1080p) get one sample a pixel, for their memory


@dataclass(frozen=True)
class OverlayStyle:
    """How people are drawn over a frame."""

    opacity: float = 0.9  # of a person that is seen
    ghost_opacity: float = 0.25  # of a person that is only predicted
    ghosts: bool = True  # draw who is not seen
    labels: bool = True  # the identity above the head
    keypoints: bool = False  # the 2D evidence, as a skeleton
    panels: Literal["none", "side", "top", "both"] = "none"  # views from elsewhere, right of the frame
    smooth: bool = True  # four samples a pixel, up to 1080p


class Overlay:
    """Draws the frames of one video, width x height px; keeps its buffers from frame to frame.

    ``space`` is that of the rows, "camera" or "world"; ``stage`` what the panels show (needed with panels:
    ``PanelBox.of(motion)``).
    """

    def __init__(
        self,
        body: BodyModel,
        width: int,
        height: int,
        style: OverlayStyle | None = None,
        *,
        space: str = "camera",
        stage: PanelBox | None = None,
    ) -> None:
        self.body, self.space, self.style = body, space, style or OverlayStyle()
        self._faces = np.ascontiguousarray(np.asarray(body.faces), np.int32)
        self._crown = int(vertices_of(np.zeros(1, ROW), body)[0, :, 1].argmax())
        samples = 2 if self.style.smooth and width * height <= SMOOTH_UP_TO_PX else 1
        self._canvas = Canvas(samples * width, samples * height)
        self._panels: list[Panel] = []
        if self.style.panels != "none":
            views = ("side", "top") if self.style.panels == "both" else (self.style.panels,)
            heights = np.diff(np.linspace(0, height, len(views) + 1).astype(int))
            self._panels = [
                Panel(
                    view, stage or PanelBox.around(np.zeros((1, 3))), 2 * (height // 3), int(h), samples == 2
                )
                for view, h in zip(views, heights, strict=True)
            ]
        self.width = width + (2 * (height // 3) if self._panels else 0)  # of what ``draw`` returns, px
        self.height = height

    def draw(
        self,
        image: NDArray[np.uint8],  # (H, W, 3) RGB
        rows: NDArray[np.void],  # (n,) motion.ROW of this frame
        K: NDArray[np.float64],  # (3, 3) px
        T_world_camera: NDArray[np.float64] | None = None,  # (4, 4); needed in "world" space
    ) -> NDArray[np.uint8]:  # (H, self.width, 3) RGB
        """The image with the people of its frame over it, and the panels; the image given stays as it was."""
        picture = image.copy()
        if not self.style.ghosts:
            rows = rows[rows["visible"]]
        vertices = vertices_of(rows, self.body)
        if self.space == "camera":
            T_world_camera = np.eye(4)
        elif T_world_camera is None:
            raise ChorosError("people in world space need the camera's place, T_world_camera, to be drawn.")
        # For row vectors: v_cam = R' (v - t) is (v - t) R.
        T = T_world_camera.astype(np.float32)
        vertices_cam = np.asarray((vertices - T[:3, 3]) @ T[:3, :3], np.float32)
        colours = np.array([colour_of(int(p)) for p in rows["person"]], np.uint8).reshape(-1, 3)

        visible = rows["visible"]
        paint(
            picture, self._canvas, vertices_cam[visible], self._faces, colours[visible], K, self.style.opacity
        )
        if not visible.all():
            self._ghosts(picture, vertices_cam[~visible], colours[~visible], K)
        if self.style.keypoints:
            for row in rows:
                skeleton(picture, row["keypoints_px"], colour_of(int(row["person"])))
        if self.style.labels:
            self._labels(picture, rows, vertices_cam, K)
        if not self._panels:
            return picture

        borders = _borders(K, image.shape[1], image.shape[0])
        camera = to_stage(borders @ T_world_camera[:3, :3].T + T_world_camera[:3, 3], self.space)
        stage = to_stage(vertices, self.space)
        column = [panel.draw(stage, self._faces, colours, visible, camera) for panel in self._panels]
        return np.concatenate([picture, np.concatenate(column)], axis=1)

    def _ghosts(
        self,
        picture: NDArray[np.uint8],
        vertices_cam: NDArray[np.float32],  # (n, V, 3)
        colours: NDArray[np.uint8],  # (n, 3)
        K: NDArray[np.float64],
    ) -> None:
        """See-through bodies over everybody else: where somebody is thought to be is worth seeing."""
        canvas, opacity = self._canvas, self.style.ghost_opacity
        touched = paint(picture, canvas, vertices_cam, self._faces, colours, K, opacity)
        step = canvas.mesh.shape[0] // picture.shape[0]
        for i, (x0, y0, x1, y1) in enumerate(touched):
            x0, y0 = x0 // step, y0 // step
            mask = canvas.mesh[y0 * step : y1 : step, x0 * step : x1 : step] == i
            if mask.any():
                dashed(picture, mask, (x0, y0), colours[i].tolist())

    def _labels(
        self,
        picture: NDArray[np.uint8],
        rows: NDArray[np.void],  # (n,)
        vertices_cam: NDArray[np.float32],  # (n, V, 3)
        K: NDArray[np.float64],
    ) -> None:
        """Numbers above heads; those who are seen and near choose their places first."""
        taken: list[Box] = []
        depth_m = vertices_cam[..., 2].mean(1)
        for i in np.lexsort((depth_m, ~rows["visible"])):
            place = label_place(vertices_cam[i], self._crown, K, picture.shape[1], picture.shape[0])
            if place is not None:
                person, visible = int(rows["person"][i]), bool(rows["visible"][i])
                taken.append(tag(picture, str(person), place, colour_of(person), visible, taken))


def draw(
    image: NDArray[np.uint8],  # (H, W, 3) RGB
    rows: NDArray[np.void],  # (n,) motion.ROW in camera space
    K: NDArray[np.float64],  # (3, 3) px
    body: BodyModel,
    style: OverlayStyle | None = None,
) -> NDArray[np.uint8]:  # (H, W or wider, 3) RGB
    """One frame with its people over it; for many frames make one ``Overlay``, which keeps its buffers."""
    stage = PanelBox.around(to_stage(rows["transl"], "camera"))
    return Overlay(body, image.shape[1], image.shape[0], style, stage=stage).draw(image, rows, K)


def render_video(
    motion: Motion,
    source: str | Path,
    path: str | Path,
    body: BodyModel | None = None,
    style: OverlayStyle | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> int:
    """Write a video with its people over it, as ``VideoWriter`` does; returns the number of frames written.

    Frames of the video and of the motion belong together where their time stamps are equal; a motion of a
    part of the video gives a video of that part. ``body`` is the embedded light body unless given; a motion
    of a user's SMPL needs theirs. ``progress(done, total)`` is called after each frame. Raises
    ``ChorosError`` if motion and video do not belong together, or people are in the world and the camera is not known.
    Ctrl-C leaves a playable file, or the one that was there.
    """
    from choros.reopening import open_again
    from choros.video import VideoWriter

    body = body_of(motion, body)
    if motion.pictures:
        raise ChorosError(f"{source} holds photographs, which make no video; draw them with render_photos.")
    if not len(motion):
        raise ChorosError(f"the motion has no frames to draw over {source}; run `choros track` on it again.")
    if motion.space == "world" and not motion.camera_known[motion.row_frame].all():
        raise ChorosError(
            f"the people of this motion are in the world, and it does not tell where its camera was, so they cannot be "
            f"drawn over {source}; look at them in the world."
        )
    index_of = {pts: i for i, pts in enumerate(motion.pts)}
    last = max(index_of)
    overlay = Overlay(body, motion.width, motion.height, style, space=motion.space, stage=PanelBox.of(motion))
    # A little early: the first time stamp must not be lost to rounding.
    start_s = max(float(min(index_of)) - 0.5, 0.0)
    written = 0
    with (
        open_again(source, motion, start_s=start_s, prefetch=2) as reader,
        VideoWriter(path, overlay.width, overlay.height, motion.fps) as writer,
    ):
        for frame in reader:
            if frame.pts > last:
                break
            index = index_of.get(frame.pts)
            if index is None and not written:
                continue
            rows = motion.rows[:0] if index is None else motion.in_frame(index)
            camera = motion.frames[index or 0]
            image = overlay.draw(frame.image, rows, camera["K"], camera["T_world_camera"])
            writer.write(image, frame.pts, frame.number)
            written += 1
            if progress is not None:
                progress(written, len(motion))
    if not written:
        raise ChorosError(
            f"{source} has none of the time stamps of the motion, which was tracked in "
            f"{motion.header.source or 'another video'}; give the video that it came from."
        )
    return written


def body_of(motion: Motion, body: BodyModel | None) -> BodyModel:
    """The body to draw a motion with: ``body`` or, if None, the embedded light one.

    Raises ``ChorosError`` if it is not the motion's.
    """
    from choros.body import BodyModel

    if body is None and motion.header.body == "open":
        body = BodyModel.load(detail="light")
    if body is None or body.name != motion.header.body:
        raise ChorosError(
            f"this motion is of the {motion.header.body} body; "
            f"{'give the model file that it was tracked with' if body is None else 'draw it with that one'}."
        )
    return body


def label_place(
    vertices_cam: NDArray[np.float32],  # (V, 3)
    crown: int | None,  # the vertex on top of the head; None: whatever is highest in the image
    K: NDArray[np.float64],
    width: int,
    height: int,
) -> tuple[float, float] | None:
    """Top of a body's head, px, moved into the image if it is outside; None if no part of the body is inside."""
    front = vertices_cam[vertices_cam[:, 2] > Z_NEAR_M]
    if not len(front):
        return None
    points = project(front, K.astype(np.float32))
    low, high = points.min(0), points.max(0)
    if high[0] <= 0 or high[1] <= 0 or low[0] >= width or low[1] >= height:
        return None
    if crown is not None and vertices_cam[crown, 2] > Z_NEAR_M:
        x, y = project(vertices_cam[crown], K.astype(np.float32))
    else:
        x, y = points[points[:, 1].argmin()]
    return min(max(float(x), 0.0), width), min(max(float(y), 0.0), height)


def _borders(K: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """The camera and what it sees a metre away: centre, middle of left, right, top, bottom, (5, 3) metres."""
    x, y = width / 2, height / 2
    ends = np.array([[0, y, 1], [width, y, 1], [x, 0, 1], [x, height, 1]]) @ np.linalg.inv(K).T
    return np.concatenate([np.zeros((1, 3)), ends])
