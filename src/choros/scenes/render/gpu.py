"""The same picture from a graphics card: OpenGL without a window, through moderngl and EGL.

The shaders in ``shaders/`` are twins of ``tracing``, ``illumination`` and the rasteriser, in single precision:
their pictures differ from the CPU's in a few pixels along edges and in the last digits, so whatever must be the
same to the last bit is rendered on the CPU. What comes after the light (lens, sensor, damage) stays there anyway.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.recfunctions import structured_to_unstructured
from numpy.typing import NDArray

from choros.errors import ChorosError
from choros.scenes.place.solids import solid_table
from choros.scenes.place.surroundings import Surroundings
from choros.scenes.render.illumination import SHADOW_PX, ContactMap, Meshes, SunView
from choros.scenes.render.motion_blur import InterFrameMotion

if TYPE_CHECKING:
    import moderngl

Floats = NDArray[np.float64]

DEVICES = ("auto", "cpu", "gpu", "software")
#: Where the system shows a card that EGL could use; without any, looking for one would only cost time.
CARDS = ("dri/renderD*", "nvidia[0-9]*", "dxg")
#: Names of renderers that run on the CPU, which is slower there than our own compiled loops.
SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "software")
NEAR_M = 0.05
SUN_NEAR_M = 1.0  # nobody is that near to the sun's camera; the larger, the finer its depth
NOTHING = 1e30  # for shaders, which may not know infinity
FACES_WIDE = 2048  # faces a row in the texture that holds them

#: One context serves the whole process, one thread at a time, and does not survive a fork: the process that opened
#: it, and it or why there is none, for renderers on cards (False) and all (True).
_contexts: dict[bool, tuple[int, moderngl.Context | str]] = {}
_turn = RLock()


@dataclass(frozen=True)
class RenderedFrame:
    """One frame before the lens: what ``illumination``, ``Canvas`` and ``motion_blur`` say of it."""

    light: NDArray[np.float32]  # (H, W, 3) linear RGB
    depth: NDArray[np.float32]  # (H, W) metres along the camera's z
    mesh: NDArray[np.int32]  # (H, W) number of the mesh seen, -1 for the surroundings
    solid: NDArray[np.integer[Any]]  # (H, W) which of the surroundings' solids is behind, or FLOOR or SKY
    motion: NDArray[np.float32] | None  # (H, W, 2) px to the next frame; None if nobody wants to know


def open_gpu(
    device: str, surroundings: Surroundings, meshes: Meshes, width: int, height: int
) -> GpuRenderer | None:
    """A card set up for one scene, or None where its pictures are the CPU's to make.

    ``auto``      on a card if there is one that works, else None, whatever the reason
    ``cpu``       None
    ``gpu``       on a card; raises ``ChorosError`` if there is none
    ``software``  through OpenGL wherever it runs, the CPU too: slow, for tests of this path
    """
    if device not in DEVICES:
        raise ChorosError(f'there is no device "{device}" for scenes; choose one of: {", ".join(DEVICES)}.')
    if device == "cpu":
        return None
    try:
        return GpuRenderer(_context(software=device == "software"), surroundings, meshes, width, height)
    except Exception as error:  # libraries and drivers fail in ways of their own
        if device == "auto":
            return None
        raise ChorosError(
            f'scenes cannot be rendered on the device "{device}" ({error}); install choros[gpu] and a driver '
            'with EGL, or set device="auto".'
        ) from error


def _context(software: bool) -> moderngl.Context:
    """The context of this process, current in no thread. Raises ``RuntimeError`` where there can be none."""
    with _turn:
        if software not in _contexts:
            _contexts[software] = os.getpid(), _opened(software)
        process, found = _contexts[software]
    if isinstance(found, str):
        raise RuntimeError(found)
    if process != os.getpid():
        raise RuntimeError("this process was forked from one that renders")
    return found


def _opened(software: bool) -> moderngl.Context | str:
    """A new context, or why there is none: nobody wants to wait for that twice."""
    if not software and not any(next(Path("/dev").glob(card), None) for card in CARDS):
        return "no graphics card is to be seen"
    try:
        import moderngl

        create: Any = moderngl.create_context  # its stubs do not know what backends take
        context: moderngl.Context = create(standalone=True, require=330, backend="egl")
    except Exception as error:
        return str(error)
    # What a scene leaves behind may be freed by any thread, so it waits for one that has the context.
    context.gc_mode = "context_gc"
    name = context.info["GL_RENDERER"]
    context.__exit__(None, None, None)
    if not software and any(word in name.lower() for word in SOFTWARE):
        return f"the only renderer is {name}, which runs on the CPU"
    return context


class GpuRenderer:
    """A scene's surroundings and people on the card, to be drawn frame by frame from any thread."""

    def __init__(
        self, context: moderngl.Context, surroundings: Surroundings, meshes: Meshes, width: int, height: int
    ) -> None:
        self.context, self.width, self.height = context, width, height
        self._process = os.getpid()
        self._traced: bytes | None = None
        with _turn, context:
            self._build(surroundings, meshes)
            if context.error != "GL_NO_ERROR":
                raise RuntimeError("the card has no room for the scene")

    def _build(self, surroundings: Surroundings, meshes: Meshes) -> None:
        context, size = self.context, (self.width, self.height)
        self._trace, self._place, self._people, self._sun = _programs(context)
        light, floor = surroundings.light, surroundings.floor_light
        self._constants = {
            "to_sun": light.to_sun, "sun": light.sun, "sky": light.sky, "zenith": light.zenith,
            "horizon": light.horizon, "softness": light.softness, "floor_period": surroundings.floor_period_m,
            "floor_from": (*floor.corner, floor.texel_m), "texel_m": meshes.texel_m,
        }  # fmt: skip
        solids, occluders = surroundings.table(), solid_table(surroundings.occluders)
        self._counts = len(solids), len(occluders)
        self._solids, self._occluders = _table(context, solids), _table(context, occluders)
        self._floor_open = context.texture(
            floor.open_.shape[1::-1], 2, np.ascontiguousarray(floor.open_, np.float32), dtype="f4"
        )
        self._place_stacks = _stacks(context, surroundings.textures)
        self._mesh_stacks = _stacks(context, meshes.textures)

        count = len(meshes.faces)
        number = np.searchsorted(meshes.face_start, np.arange(count), side="right") - 1
        table = np.zeros((-(-count // FACES_WIDE) * FACES_WIDE, 2), np.int32)
        table[:count] = np.stack([meshes.texture, number], axis=1)
        self._faces = context.texture((FACES_WIDE, len(table) // FACES_WIDE), 2, table.tobytes(), dtype="i4")
        corners = context.buffer(np.ascontiguousarray(meshes.faces, np.int32))
        self._points = context.buffer(reserve=12 * len(meshes.uv), dynamic=True)
        self._normals = context.buffer(reserve=12 * len(meshes.uv), dynamic=True)
        self._moved = context.buffer(reserve=8 * len(meshes.uv), dynamic=True)
        uv = context.buffer(np.ascontiguousarray(meshes.uv, np.float32))
        seen = [
            (self._points, "3f", "point_world"),
            (self._normals, "3f", "normal_world"),
            (uv, "2f", "place"),
            (self._moved, "2f", "moved_px"),
        ]
        self._crowd = context.vertex_array(self._people, seen, corners)
        self._crowd_from_sun = context.vertex_array(self._sun, seen[:1], corners)
        self._screens = [context.vertex_array(program, []) for program in (self._trace, self._place)]

        self._sunny, self._shady = (context.texture(size, 4, dtype="f4") for _ in range(2))
        self._owner = context.texture(size, 1, dtype="i4")
        self._traced_to = context.framebuffer([self._sunny, self._shady, self._owner])
        self._sun_depth = context.texture((SHADOW_PX, SHADOW_PX), 1, dtype="f4")
        self._sun_to = context.framebuffer(
            [self._sun_depth], context.depth_renderbuffer((SHADOW_PX, SHADOW_PX))
        )
        self._shown_to = context.framebuffer(
            [
                context.texture(size, 4, dtype="f4"),
                context.texture(size, 2, dtype="i4"),
                context.texture(size, 2, dtype="f4"),
            ],
            context.depth_renderbuffer(size),
        )
        self._contact: moderngl.Texture | None = None

    def draw(
        self,
        points_world: NDArray[np.float32],  # (M, 3) of all meshes, one after another
        normals_world: NDArray[np.float32],  # (M, 3)
        K: Floats,
        T_world_camera: Floats,
        sun: SunView,
        contact: ContactMap,
        finer: int,
        going: InterFrameMotion | None,
    ) -> RenderedFrame:
        """One frame.

        ``contact`` is as for ``illumination.shade``, ``finer`` as for ``tracing.trace_backdrop``; without a
        ``going`` the picture knows no motion. The surroundings are traced again only when the camera has changed
        since the last frame. Raises ``ChorosError``
        in a process forked from the one that set the card up.
        """
        if os.getpid() != self._process:
            raise ChorosError('a scene on the GPU cannot go along into a fork; spawn, or set device="cpu".')
        with _turn, self.context as context:
            context.gc()
            self._points.write(np.ascontiguousarray(points_world, np.float32))
            self._normals.write(np.ascontiguousarray(normals_world, np.float32))
            if going is not None:
                self._moved.write(np.ascontiguousarray(going.points_px, np.float32))
                _set(self._place, A_px=going.A_px, b_px=going.b_px)
            self._aim(K, T_world_camera, sun)
            self._trace_surroundings(K, T_world_camera, finer)
            self._draw_from_sun()
            self._draw_from_camera(contact)
            return self._read(going is not None)

    def _aim(self, K: Floats, T_world_camera: Floats, sun: SunView) -> None:
        ray_of_px = T_world_camera[:3, :3] @ np.linalg.inv(K)
        for program in (self._trace, self._place, self._people):
            # Programs are shared: another scene may have used them since.
            _set(
                program, **self._constants, eye=T_world_camera[:3, 3], ray_of_px=ray_of_px, focal_px=K[0, 0],
                T_sun_world=sun.T_sun_world, K_sun=sun.K,
            )  # fmt: skip
        T_camera_world = np.linalg.inv(T_world_camera)
        size = float(self.width), float(self.height)
        _set(self._people, T_camera_world=T_camera_world, K=K, size_px=size, near_m=NEAR_M)
        size = float(SHADOW_PX), float(SHADOW_PX)
        _set(self._sun, T_camera_world=sun.T_sun_world, K=sun.K, size_px=size, near_m=SUN_NEAR_M)

    def _trace_surroundings(self, K: Floats, T_world_camera: Floats, finer: int) -> None:
        camera = K.tobytes() + T_world_camera.tobytes() + bytes([finer])
        if camera == self._traced:
            return
        self._traced = camera
        _see(self._trace, table=self._solids, stacks=self._place_stacks, floor_open=self._floor_open)
        _set(self._trace, solids=self._counts[0], finer=finer)
        self._traced_to.use()
        self.context.disable(self.context.DEPTH_TEST)
        self._screens[0].render(vertices=3)

    def _draw_from_sun(self) -> None:
        self._sun_to.use()
        self._sun_to.clear(red=NOTHING)
        self.context.enable(self.context.DEPTH_TEST)
        self.context.depth_func = "<"
        self._crowd_from_sun.render()

    def _draw_from_camera(self, contact: ContactMap) -> None:
        context = self.context
        open_, x, y, texel_m = contact
        if self._contact is None or self._contact.size != open_.shape[::-1]:
            self._contact = context.texture(open_.shape[::-1], 1, dtype="f4")
        self._contact.write(np.ascontiguousarray(open_, np.float32))
        _see(
            self._place, sunny=self._sunny, shady=self._shady, owner=self._owner, sun_depth=self._sun_depth,
            contact=self._contact,
        )  # fmt: skip
        _set(self._place, contact_from=(x, y, texel_m))
        self._shown_to.use()
        context.depth_func = "1"  # the surroundings are there first
        self._screens[1].render(vertices=3)
        context.depth_func = "<"
        _see(
            self._people, owner=self._owner, faces=self._faces, stacks=self._mesh_stacks, occluders=self._occluders,
            sun_depth=self._sun_depth,
        )  # fmt: skip
        _set(self._people, solids=self._counts[1])
        self._crowd.render()

    def _read(self, moving: bool) -> RenderedFrame:
        shape = self.height, self.width
        drawn = np.frombuffer(self._shown_to.read(components=4, attachment=0, dtype="f4"), np.float32)
        drawn = drawn.reshape(*shape, 4)
        seen = np.frombuffer(self._shown_to.read(components=2, attachment=1, dtype="i4"), np.int32)
        seen = seen.reshape(*shape, 2)
        motion = None
        if moving:
            read = self._shown_to.read(components=2, attachment=2, dtype="f4")
            motion = np.frombuffer(read, np.float32).reshape(*shape, 2)
        light, depth = drawn[..., :3].copy(), drawn[..., 3].copy()
        return RenderedFrame(light, depth, seen[..., 0].copy(), seen[..., 1].copy(), motion)


@lru_cache(maxsize=2)
def _programs(context: moderngl.Context) -> tuple[moderngl.Program, ...]:
    """Compiled once a context: the trace, the surroundings with shadows, people, people from the sun."""
    text = {path.name: path.read_text() for path in (files("choros.scenes.render") / "shaders").iterdir()}
    head, common = "#version 330\n", text["common.glsl"]

    def program(vertex: str, fragment: str) -> moderngl.Program:
        return context.program(head + text[vertex], head + common + text[fragment])

    return (
        program("screen.vert", "trace.frag"),
        program("screen.vert", "place.frag"),
        program("people.vert", "people.frag"),
        program("people.vert", "sun.frag"),
    )


def _table(context: moderngl.Context, solids: NDArray[np.void]) -> moderngl.Texture:
    """Solids (n,) SOLID as a texture three wide; one of nothing if there are none."""
    rows = np.zeros((max(len(solids), 1), 12), np.float32)
    rows[: len(solids), :11] = structured_to_unstructured(solids)
    return context.texture((3, len(rows)), 4, rows, dtype="f4")


def _stacks(context: moderngl.Context, stacks: NDArray[np.uint8]) -> moderngl.TextureArray:
    """Textures (n, LEVELS, S, S, 3), the copies of each one under another in a layer."""
    n, levels, size = stacks.shape[:3]
    return context.texture_array((size, levels * size, n), 3, np.ascontiguousarray(stacks))


def _set(program: moderngl.Program, **values: Any) -> None:
    """Uniforms by name; matrices row first. Those that a program has no use for are passed over."""
    for name, value in values.items():
        if name in program:
            uniform: Any = program[name]
            if np.ndim(value) == 2:
                uniform.write(np.ascontiguousarray(np.asarray(value, np.float32).T))
            else:
                uniform.value = tuple(value) if np.ndim(value) else value


def _see(program: moderngl.Program, **textures: Any) -> None:
    """Textures by the names of a program's samplers."""
    for unit, (name, texture) in enumerate(textures.items()):
        texture.use(unit)
        program[name] = unit
