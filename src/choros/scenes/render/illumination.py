"""Light on people and on the floor around them: sun and sky, cloth and skin, and the shadows people cast.

People are rasterised (``mesh.rasteriser``) into the depth of the traced surroundings; then every pixel is shaded once.
The sun's shadows come from a second picture, taken from the sun, and are soft at their edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled, inner
from choros.mesh.rasteriser import Canvas
from choros.scenes.place.solids import blocked
from choros.scenes.place.surroundings import Light
from choros.scenes.render.kernel_arrays import LINEAR, TextureStacks, pinhole, raster_arrays, texel
from choros.scenes.render.tracing import Backdrop

Floats = NDArray[np.float64]

SUN_AWAY_M = 60.0  # the sun's picture is taken from here: far enough that its rays are nearly parallel
SHADOW_PX = 1024


@dataclass(frozen=True)
class Meshes:
    """Everybody's clothes and skin, one after another, as the shader wants them."""

    face_start: NDArray[np.int32]  # (P,) where a person's faces start
    faces: NDArray[np.int32]  # (F, 3) into all people's vertices
    uv: NDArray[np.float32]  # (M, 2)
    texture: NDArray[np.int32]  # (F,)
    textures: NDArray[np.uint8]  # (n, LEVELS, S, S, 3)
    texel_m: float = 0.3


class ContactMap(NamedTuple):
    """How open the floor is to the sky between feet and wheels, 0 to 1."""

    open_: NDArray[np.float32]  # (rows along y, columns along x)
    x: float  # of the map's corner, metres
    y: float
    texel_m: float


class MeshArrays(NamedTuple):
    """``Meshes`` with their normals of one frame, for compiled loops."""

    normals_cam: NDArray[np.float32]  # (M, 3)
    face_start: NDArray[np.int32]
    faces: NDArray[np.int32]
    uv: NDArray[np.float32]
    texture: NDArray[np.int32]
    texel_m: float


class SunArrays(NamedTuple):
    """The picture that the sun takes, for compiled loops."""

    T_sun_camera: Floats  # (4, 4)
    K: Floats  # (3, 3) px
    depth: NDArray[np.float32]  # (SHADOW_PX, SHADOW_PX) metres
    softness: float  # of its shadows: its radius over its distance
    shaded: Floats  # (4,) x0, y0, x1, y1 px: outside of it nobody stands in its light


class LightInCamera(NamedTuple):
    """Sun and sky for compiled loops: directions (3,) in world and camera axes, and linear RGB (3,)."""

    to_sun_world: Floats
    to_sun_cam: Floats
    up_cam: Floats
    sun: Floats
    sky: Floats


class SunView:
    """The picture that the sun takes: how far its light reaches."""

    def __init__(self, light: Light, centre: tuple[float, float, float], reach_m: float) -> None:
        back = np.asarray(light.to_sun)
        right = np.cross(-back, [0.0, 0.0, 1.0])
        right /= np.linalg.norm(right)
        R = np.stack([right, np.cross(-back, right), -back])
        eye = np.asarray(centre) + SUN_AWAY_M * back
        self.T_sun_world = np.eye(4)
        self.T_sun_world[:3, :3], self.T_sun_world[:3, 3] = R, -R @ eye
        focal = SHADOW_PX / 2 * SUN_AWAY_M / reach_m
        self.K = np.array([[focal, 0, SHADOW_PX / 2], [0, focal, SHADOW_PX / 2], [0, 0, 1.0]])
        self.canvas = Canvas(SHADOW_PX, SHADOW_PX)
        self.shaded = np.zeros(4)  # x0, y0, x1, y1 px of what is drawn

    def clear(self) -> None:
        """Empty the picture for another frame."""
        self.canvas.clear()
        self.shaded[:] = SHADOW_PX, SHADOW_PX, 0, 0

    def draw(self, points_world: NDArray[np.float32], faces: NDArray[np.int32]) -> None:
        """Let a mesh (M, 3) stand in the light."""
        T = self.T_sun_world
        x0, y0, x1, y1 = self.canvas.draw(0, points_world @ T[:3, :3].T + T[:3, 3], faces, self.K)
        self.shaded[:2] = np.minimum(self.shaded[:2], (x0, y0))
        self.shaded[2:] = np.maximum(self.shaded[2:], (x1, y1))


def shade(
    canvas: Canvas,
    backdrop: Backdrop,
    normals_cam: NDArray[np.float32],  # (M, 3) of all people's vertices
    meshes: Meshes,
    K: Floats,
    T_world_camera: Floats,
    light: Light,
    sun: SunView,
    contact: ContactMap,
    occluders: NDArray[np.void],  # (n,) SOLID: what stands near people, and in their light
) -> NDArray[np.float32]:  # (H, W, 3) linear RGB
    """Light of every pixel."""
    R_camera_world, arrays = T_world_camera[:3, :3].T, light.arrays()
    image = np.empty((*canvas.depth.shape, 3), np.float32)
    _shade(
        raster_arrays(canvas),
        backdrop,
        MeshArrays(normals_cam, meshes.face_start, meshes.faces, meshes.uv, meshes.texture, meshes.texel_m),
        TextureStacks(meshes.textures, LINEAR),
        pinhole(K, T_world_camera),
        SunArrays(sun.T_sun_world @ T_world_camera, sun.K, sun.canvas.depth, light.softness, sun.shaded),
        LightInCamera(
            arrays.to_sun, R_camera_world @ arrays.to_sun, R_camera_world @ np.array([0.0, 0.0, 1.0]),
            arrays.sun, arrays.sky,
        ),
        contact,
        occluders,
        image,
    )  # fmt: skip
    return image


@inner
def _sunlit(point, sun, bias):  # type: ignore[no-untyped-def]
    """Share of the sun that reaches a point (camera axes), by percentage-closer soft shadows (Fernando, 2005).

    ``sun`` is a ``SunArrays``; the shadow of what is nearer to a point than ``bias`` metres does not count.
    """
    T, K, map_, soft, shaded = sun
    x, y, z = point
    sx = T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]
    sy = T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]
    sz = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
    u, v = K[0, 0] * sx / sz + K[0, 2], K[1, 1] * sy / sz + K[1, 2]
    reach = max(K[0, 0] / sz * soft * 1.8, 1.2)  # of the light of somebody's head on the floor
    if u < shaded[0] - reach or v < shaded[1] - reach or u > shaded[2] + reach or v > shaded[3] + reach:
        return 1.0
    size = map_.shape[0]
    if u < reach + 1 or v < reach + 1 or u >= size - reach - 1 or v >= size - reach - 1:
        return 1.0
    before, count = 0.0, 0
    for j in range(-2, 3):
        for i in range(-2, 3):
            nearest = map_[int(v + 0.5 * reach * j), int(u + 0.5 * reach * i)]
            if nearest < sz - bias:
                before += sz - nearest
                count += 1
    if count == 0:
        return 1.0
    radius = min(max(K[0, 0] / sz * soft * before / count, 1.2), reach)
    open_, total = 0.0, 0.0
    for j in range(-3, 4):
        for i in range(-3, 4):
            if i * i + j * j > 10:
                continue
            total += 1
            if map_[int(v + 0.33 * radius * j), int(u + 0.33 * radius * i)] > sz - bias:
                open_ += 1
    return open_ / total


@inner
def _in_world(T, x, y, z):  # type: ignore[no-untyped-def]
    """A point in camera axes in the world's."""
    return (
        T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3],
        T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3],
        T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3],
    )


@inner
def _openness(contact, x, y):  # type: ignore[no-untyped-def]
    """How open the floor at x, y is to the sky, by a ``ContactMap``; 1 beyond it."""
    map_ = contact.open_
    u, v = (x - contact.x) / contact.texel_m, (y - contact.y) / contact.texel_m
    i, j = int(u), int(v)
    if u >= 0 and v >= 0 and i + 1 < map_.shape[1] and j + 1 < map_.shape[0]:
        u, v = u - i, v - j
        return (1 - v) * ((1 - u) * map_[j, i] + u * map_[j, i + 1]) + v * (
            (1 - u) * map_[j + 1, i] + u * map_[j + 1, i + 1]
        )
    return 1.0


@compiled
def _shade(raster, backdrop, meshes, textures, camera, sun, light, contact, occluders, image):  # type: ignore[no-untyped-def]
    """Fill ``image`` (H, W, 3) with the light of every pixel; the arguments are the tuples of arrays above."""
    depth, mesh, face, weights = raster
    K_inverse, focal_px, T = camera
    normals, uv = meshes.normals_cam, meshes.uv
    from_sun, from_sky = backdrop.from_sun, backdrop.from_sky
    to_sun = light.to_sun_world[0], light.to_sun_world[1], light.to_sun_world[2]
    height, width = depth.shape
    colour = np.empty(3, np.float32)
    for row in range(height):
        for column in range(width):
            z = depth[row, column]
            x = (K_inverse[0, 0] * (column + 0.5) + K_inverse[0, 1] * (row + 0.5) + K_inverse[0, 2]) * z
            y = (K_inverse[1, 1] * (row + 0.5) + K_inverse[1, 2]) * z
            person = mesh[row, column]
            px, py, pz = _in_world(T, x, y, z)
            if person < 0:
                lit = 1.0
                if from_sun[row, column, 1] > 0:
                    lit = _sunlit((x, y, z), sun, 0.05)
                open_ = _openness(contact, px, py) if pz < 0.05 else 1.0
                for c in range(3):
                    image[row, column, c] = (
                        from_sun[row, column, c] * lit * (0.5 + 0.5 * open_)
                        + from_sky[row, column, c] * open_
                    )
                continue
            f = face[row, column] + meshes.face_start[person]
            a, b, d = meshes.faces[f]
            wa, wb, wd = weights[row, column]
            nx = wa * normals[a, 0] + wb * normals[b, 0] + wd * normals[d, 0]
            ny = wa * normals[a, 1] + wb * normals[b, 1] + wd * normals[d, 1]
            nz = wa * normals[a, 2] + wb * normals[b, 2] + wd * normals[d, 2]
            length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
            nx, ny, nz = nx / length, ny / length, nz / length
            inside = nx * x + ny * y + nz * z > 0.35 * np.sqrt(x * x + y * y + z * z)
            u = wa * uv[a, 0] + wb * uv[b, 0] + wd * uv[d, 0]
            v = wa * uv[a, 1] + wb * uv[b, 1] + wd * uv[d, 1]
            texel(textures, meshes.texture[f], u, v, z / focal_px / meshes.texel_m, colour)
            to_sun_cam, up_cam = light.to_sun_cam, light.up_cam
            cosine = nx * to_sun_cam[0] + ny * to_sun_cam[1] + nz * to_sun_cam[2]
            # Light creeps a little around the edge, as it does on cloth and skin.
            lit = max((cosine + 0.12) / 1.12, 0.0)
            up = nx * up_cam[0] + ny * up_cam[1] + nz * up_cam[2]
            if lit > 0:
                lit *= _sunlit((x + 0.01 * nx, y + 0.01 * ny, z + 0.01 * nz), sun, 0.035)
                if lit > 0 and blocked(occluders, (px, py, pz), to_sun):
                    lit = 0.0
            # Sky from above, light off the floor from below, less of both near the ground.
            around = (0.62 + 0.38 * up) * (0.8 + 0.2 * min(pz / 0.8, 1.0))
            bounce = 0.16 * (0.5 - 0.5 * up)
            if inside:
                lit, around, bounce = 0.0, 0.3 * around, 0.3 * bounce
            for c in range(3):
                sun_c, sky_c = light.sun[c], light.sky[c]
                image[row, column, c] = colour[c] * (lit * sun_c + around * sky_c + bounce * sun_c)


def contact_map(
    feet_world: Floats, corner: tuple[float, float], size_m: tuple[float, float], texel_m: float = 0.05
) -> ContactMap:
    """How much of the sky floor sees beside feet (n, 3): a dark, soft patch under each that is near the floor."""
    shape = (int(size_m[1] / texel_m), int(size_m[0] / texel_m))
    dark = np.zeros(shape, np.float32)
    reach = round(0.8 / texel_m)
    for x, y, z in feet_world:
        column, row = round((x - corner[0]) / texel_m), round((y - corner[1]) / texel_m)
        x0, y0 = max(column - reach, 0), max(row - reach, 0)
        window = dark[y0 : max(row + reach, 0), x0 : max(column + reach, 0)]
        if not window.size:
            continue
        rows, columns = np.ogrid[y0 : y0 + window.shape[0], x0 : x0 + window.shape[1]]
        away = np.hypot(rows - row, columns - column) * texel_m
        patch = 0.55 * np.exp(-((away / 0.13) ** 2)) + 0.32 * np.exp(-((away / 0.4) ** 2))
        strength = np.clip(1 - max(z - 0.08, 0.0) / 0.25, 0, 1)
        np.maximum(window, (strength * patch).astype(np.float32), out=window)
    return ContactMap(1 - dark, corner[0], corner[1], texel_m)
