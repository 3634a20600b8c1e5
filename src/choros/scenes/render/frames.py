"""Frames of a scene before lens and sensor: people and things that pass, drawn in front of their surroundings.

On the CPU, to the last bit the same everywhere, or on a graphics card if there is one (``gpu``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from choros.mesh.normals import vertex_normals
from choros.mesh.rasteriser import Canvas
from choros.scenes.camera.camera_moves import CameraSetup, FrameCameras
from choros.scenes.place.solids import solid_table
from choros.scenes.place.surroundings import Surroundings
from choros.scenes.render.gpu import GpuRenderer, RenderedFrame, open_gpu
from choros.scenes.render.illumination import ContactMap, Meshes, SunView, contact_map, shade
from choros.scenes.render.motion_blur import InterFrameMotion, inter_frame_motion, optical_flow
from choros.scenes.render.tracing import Backdrop, trace_backdrop, trace_depth

Floats = NDArray[np.float64]
Points = NDArray[np.float32]  # (M, 3) metres


class PaintedMesh(Protocol):
    """What is drawn of somebody, or of a thing that passes: all but where its vertices are."""

    @property
    def points(self) -> Points:
        """Vertices at rest, (M, 3) metres."""
        ...

    @property
    def faces(self) -> NDArray[np.int32]:
        """Vertices of the faces, (F, 3)."""
        ...

    @property
    def uv(self) -> NDArray[np.float32]:
        """Repeats of the texture at the vertices, (M, 2)."""
        ...

    @property
    def texture(self) -> NDArray[np.int32]:
        """Texture of each face, (F,)."""
        ...

    @property
    def textures(self) -> NDArray[np.uint8]:
        """The textures with their blurred copies, (n, LEVELS, S, S, 3)."""
        ...


class FrameRenderer:
    """Draws any frame of a scene.

    ``posed(frame)`` gives the vertices in the world, (M, 3) each, of ``painted``, the meshes of everybody and
    everything that moves; ``grounded(frame)`` points (n, 3) of feet and wheels, which darken the floor beside them.
    ``device`` is one of ``gpu.DEVICES``.
    """

    def __init__(
        self,
        surroundings: Surroundings,
        camera_setup: CameraSetup,
        cameras: FrameCameras,
        painted: Sequence[PaintedMesh],
        posed: Callable[[int], list[Points]],
        grounded: Callable[[int], Floats],
        device: str,
    ) -> None:
        self.surroundings, self.camera_setup, self.cameras = surroundings, camera_setup, cameras
        self.painted, self.posed, self.grounded, self.device = painted, posed, grounded, device
        self.meshes = joined(painted)
        self._occluders = solid_table(surroundings.occluders)

    def render(self, frame: int, moving: bool) -> RenderedFrame:
        """Light, depth and owners of a frame's pixels, and if asked how far they move to the next frame."""
        posed_world = self.posed(frame)
        K, T_world_camera = self.cameras.K[frame], self.cameras.T_world_camera[frame]
        contact = self._contact(frame)
        going = self._inter_frame_motion(frame) if moving else None
        if self.gpu is not None:
            points = np.concatenate(posed_world)
            normals = vertex_normals(points, self.meshes.faces)
            finer = 3 if self.cameras.still else 1
            return self.gpu.draw(points, normals, K, T_world_camera, self._sun, contact, finer, going)
        backdrop = self._backdrop(frame)
        canvas, normals = self._drawn(frame, posed_world, backdrop.depth)
        light = shade(
            canvas, backdrop, normals, self.meshes, K, T_world_camera, self.surroundings.light,
            self._sun_view(posed_world), contact, self._occluders,
        )  # fmt: skip
        flow = None
        if going is not None:
            flow = optical_flow(canvas, going, self.meshes.face_start, self.meshes.faces)
        return RenderedFrame(light, canvas.depth, canvas.mesh, backdrop.solid, flow)

    def owners(self, frame: int) -> NDArray[np.int32]:
        """Number of the mesh seen in each pixel, (H, W), -1 for the surroundings; always drawn on the CPU."""
        return self._drawn(frame, self.posed(frame), self._depth(frame))[0].mesh

    @cached_property
    def gpu(self) -> GpuRenderer | None:
        """The graphics card, set up for this scene; None where the CPU draws."""
        setup = self.camera_setup
        return open_gpu(self.device, self.surroundings, self.meshes, setup.width, setup.height)

    def _inter_frame_motion(self, frame: int) -> InterFrameMotion | None:
        """How everything goes on to the next frame, which it also does while the shutter is open."""
        if len(self.cameras.K) == 1:
            return None
        first = min(frame, len(self.cameras.K) - 2)
        two = [first, first + 1]
        before, after = (np.concatenate(self.posed(f)) for f in two)
        return inter_frame_motion((before, after), self.cameras.K[two], self.cameras.T_world_camera[two])

    # --- surroundings ---------------------------------------------------------------------------------

    def _backdrop(self, frame: int) -> Backdrop:
        """The place; traced once, and finely, for a camera that stands still."""
        if self.cameras.still:
            return self._still_backdrop
        return self._traced(frame, finer=1)

    def _depth(self, frame: int) -> NDArray[np.float32]:
        if self.cameras.still:
            return self._still_backdrop.depth
        setup, cameras = self.camera_setup, self.cameras
        return trace_depth(
            self.surroundings, cameras.K[frame], cameras.T_world_camera[frame], setup.width, setup.height
        )

    @cached_property
    def _still_backdrop(self) -> Backdrop:
        return self._traced(0, finer=3)

    def _traced(self, frame: int, finer: int) -> Backdrop:
        setup = self.camera_setup
        K, T_world_camera = self.cameras.K[frame], self.cameras.T_world_camera[frame]
        return trace_backdrop(self.surroundings, K, T_world_camera, setup.width, setup.height, finer)

    # --- people -----------------------------------------------------------------------------------------

    @cached_property
    def _canvas(self) -> Canvas:
        return Canvas(self.camera_setup.width, self.camera_setup.height)

    def _drawn(
        self, frame: int, posed_world: list[Points], depth: NDArray[np.float32]
    ) -> tuple[Canvas, NDArray[np.float32]]:
        """Everybody in front of the surroundings, and the normals of all their vertices in camera axes."""
        canvas = self._canvas
        canvas.clear()
        canvas.depth[:] = depth
        T_camera_world = np.linalg.inv(self.cameras.T_world_camera[frame])
        normals = []
        for number, (mesh, points) in enumerate(zip(self.painted, posed_world, strict=True)):
            points_cam = (points @ T_camera_world[:3, :3].T + T_camera_world[:3, 3]).astype(np.float32)
            canvas.draw(number, points_cam, mesh.faces, self.cameras.K[frame])
            normals.append(vertex_normals(points_cam, mesh.faces))
        return canvas, np.concatenate(normals)

    @cached_property
    def _sun(self) -> SunView:
        setup = self.camera_setup
        near, far = setup.near_m, setup.far_m + setup.travel_m
        reach = 0.5 * np.hypot(far + 1, 2 * setup.half_width_m(setup.far_m))
        return SunView(self.surroundings.light, (0.0, (near + far) / 2, 0.9), float(reach))

    def _sun_view(self, posed_world: list[Points]) -> SunView:
        sun = self._sun
        sun.clear()
        for mesh, points in zip(self.painted, posed_world, strict=True):
            sun.draw(points, mesh.faces)
        return sun

    def _contact(self, frame: int) -> ContactMap:
        setup = self.camera_setup
        half, far = setup.half_width_m(setup.far_m) + 1, setup.far_m + setup.travel_m
        return contact_map(self.grounded(frame), (-half, 0.0), (2 * half, far + 1))


def joined(painted: Sequence[PaintedMesh]) -> Meshes:
    """Several meshes in one, for the shader."""
    vertex = np.cumsum([0, *(len(mesh.points) for mesh in painted)])
    texture = np.cumsum([0, *(len(mesh.textures) for mesh in painted)])
    faces = [mesh.faces + first for mesh, first in zip(painted, vertex[:-1], strict=True)]
    textures = [mesh.texture + first for mesh, first in zip(painted, texture[:-1], strict=True)]
    return Meshes(
        face_start=np.cumsum([0, *(len(mesh.faces) for mesh in painted)])[:-1].astype(np.int32),
        faces=np.concatenate(faces).astype(np.int32),
        uv=np.concatenate([mesh.uv for mesh in painted]),
        texture=np.concatenate(textures).astype(np.int32),
        textures=np.concatenate([mesh.textures for mesh in painted]),
    )
