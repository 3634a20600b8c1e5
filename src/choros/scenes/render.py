"""From posed people and a place to a picture: sun and shadows, cloth and skin, lens and sensor.

People are rasterised (``mesh.rasteriser``) into the depth of the traced world; then every pixel is shaded once. The
sun's shadows come from a second picture, taken from the sun, and are soft at their edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.compiled import compiled
from choros.mesh.rasteriser import Canvas
from choros.scenes.world import LINEAR, Backdrop, Light, blocked, texel

Floats = NDArray[np.float64]

SUN_AWAY_M = 60.0  # the sun's picture is taken from here: far enough that its rays are nearly parallel
SHADOW_PX = 1024


@dataclass(frozen=True)
class Sensor:
    """What lens and sensor do to a picture."""

    blur_px: float = 0.55  # deviation of the lens's blur
    noise: float = 0.012  # deviation, of full scale, at mid grey
    exposure: float = 1.0


@dataclass(frozen=True)
class Meshes:
    """Everybody's clothes and skin, one after another, as the shader wants them."""

    face_start: NDArray[np.int32]  # (P,) where a person's faces start
    faces: NDArray[np.int32]  # (F, 3) into all people's vertices
    uv: NDArray[np.float32]  # (M, 2)
    texture: NDArray[np.int32]  # (F,)
    textures: NDArray[np.uint8]  # (n, LEVELS, S, S, 3)
    texel_m: float = 0.3


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
    contact: tuple[NDArray[np.float32], float, float, float],
    solids: NDArray[np.float32],
) -> NDArray[np.float32]:  # (H, W, 3) linear RGB
    """Light of every pixel. ``contact`` is how open the floor is to the sky: map, its corner x, y, its texel."""
    image = np.empty((*canvas.depth.shape, 3), np.float32)
    T_sun_camera = sun.T_sun_world @ T_world_camera
    to_sun_cam = T_world_camera[:3, :3].T @ np.asarray(light.to_sun)
    up_cam = T_world_camera[:3, :3].T @ np.array([0.0, 0.0, 1.0])
    _shade(
        canvas.depth, canvas.mesh, canvas.face, canvas.barycentric, backdrop.from_sun, backdrop.from_sky,
        normals_cam, meshes.face_start, meshes.faces, meshes.uv, meshes.texture, meshes.textures, LINEAR,
        meshes.texel_m, np.linalg.inv(K), float(K[0, 0]), T_world_camera, T_sun_camera, sun.K, sun.canvas.depth,
        light.softness, sun.shaded,
        np.asarray(light.to_sun), to_sun_cam, up_cam, np.asarray(light.sun), np.asarray(light.sky), contact[0],
        contact[1], contact[2], contact[3], solids, image,
    )  # fmt: skip
    return image


@compiled
def _sunlit(x, y, z, T, K, map_, bias, soft, shaded):  # type: ignore[no-untyped-def]
    """Share of the sun that reaches a point (camera axes), by percentage-closer soft shadows (Fernando, 2005).

    ``soft`` is the sun's radius over its distance; outside of ``shaded`` (x0, y0, x1, y1 px of the sun's picture)
    nobody stands in its light.
    """
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


@compiled
def _shade(  # type: ignore[no-untyped-def]
    depth, mesh, face, weights, from_sun, from_sky, normals, face_start, faces, uv, texture, stacks, linear, texel_m,
    K_inverse, focal_px, T, T_sun, K_sun, sun_map, soft, shaded, to_sun, to_sun_cam, up_cam, sun, sky, contact,
    contact_x, contact_y, contact_m, solids, image,
):  # fmt: skip
    height, width = depth.shape
    colour = np.empty(3, np.float32)
    for row in range(height):
        for column in range(width):
            z = depth[row, column]
            x = (K_inverse[0, 0] * (column + 0.5) + K_inverse[0, 1] * (row + 0.5) + K_inverse[0, 2]) * z
            y = (K_inverse[1, 1] * (row + 0.5) + K_inverse[1, 2]) * z
            person = mesh[row, column]
            if person < 0:
                open_ = 1.0
                lit = 1.0
                if from_sun[row, column, 1] > 0:
                    lit = _sunlit(x, y, z, T_sun, K_sun, sun_map, 0.05, soft, shaded)
                px = T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]
                py = T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]
                pz = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
                if pz < 0.05:
                    u, v = (px - contact_x) / contact_m, (py - contact_y) / contact_m
                    i, j = int(u), int(v)
                    if u >= 0 and v >= 0 and i + 1 < contact.shape[1] and j + 1 < contact.shape[0]:
                        u, v = u - i, v - j
                        open_ = (1 - v) * ((1 - u) * contact[j, i] + u * contact[j, i + 1]) + v * (
                            (1 - u) * contact[j + 1, i] + u * contact[j + 1, i + 1]
                        )
                for c in range(3):
                    image[row, column, c] = (
                        from_sun[row, column, c] * lit * (0.5 + 0.5 * open_)
                        + from_sky[row, column, c] * open_
                    )
                continue
            f = face[row, column] + face_start[person]
            a, b, d = faces[f]
            wa, wb, wd = weights[row, column]
            nx = wa * normals[a, 0] + wb * normals[b, 0] + wd * normals[d, 0]
            ny = wa * normals[a, 1] + wb * normals[b, 1] + wd * normals[d, 1]
            nz = wa * normals[a, 2] + wb * normals[b, 2] + wd * normals[d, 2]
            length = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
            nx, ny, nz = nx / length, ny / length, nz / length
            inside = nx * x + ny * y + nz * z > 0.35 * np.sqrt(x * x + y * y + z * z)
            u = wa * uv[a, 0] + wb * uv[b, 0] + wd * uv[d, 0]
            v = wa * uv[a, 1] + wb * uv[b, 1] + wd * uv[d, 1]
            texel(stacks, texture[f], u, v, z / focal_px / texel_m, linear, colour)
            cosine = nx * to_sun_cam[0] + ny * to_sun_cam[1] + nz * to_sun_cam[2]
            # Light creeps a little around the edge, as it does on cloth and skin.
            lit = max((cosine + 0.12) / 1.12, 0.0)
            up = nx * up_cam[0] + ny * up_cam[1] + nz * up_cam[2]
            px = T[0, 0] * x + T[0, 1] * y + T[0, 2] * z + T[0, 3]
            py = T[1, 0] * x + T[1, 1] * y + T[1, 2] * z + T[1, 3]
            pz = T[2, 0] * x + T[2, 1] * y + T[2, 2] * z + T[2, 3]
            if lit > 0:
                lit *= _sunlit(
                    x + 0.01 * nx, y + 0.01 * ny, z + 0.01 * nz, T_sun, K_sun, sun_map, 0.035, soft, shaded
                )
                if lit > 0 and blocked(solids, px, py, pz, to_sun[0], to_sun[1], to_sun[2]):
                    lit = 0.0
            # Sky from above, light off the floor from below, less of both near the ground.
            around = (0.62 + 0.38 * up) * (0.8 + 0.2 * min(pz / 0.8, 1.0))
            bounce = 0.16 * (0.5 - 0.5 * up)
            if inside:
                lit, around, bounce = 0.0, 0.3 * around, 0.3 * bounce
            for c in range(3):
                image[row, column, c] = colour[c] * (lit * sun[c] + around * sky[c] + bounce * sun[c])


def contact_map(
    feet_world: Floats, corner: tuple[float, float], size_m: tuple[float, float], texel_m: float = 0.05
) -> tuple[NDArray[np.float32], float, float, float]:
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
    return 1 - dark, corner[0], corner[1], texel_m


def develop(
    light: NDArray[np.float32], mesh: NDArray[np.int32], sensor: Sensor, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Linear light (H, W, 3) to a picture in sRGB: shoulder and gamma of film, lens blur, noise.

    ``mesh`` (H, W) says who is in each pixel: outlines, which were drawn with hard stairs, are blended.
    """
    _tone(light, sensor.exposure)
    soft = blended_outlines(light, mesh)
    shown = cv2.GaussianBlur(soft, (0, 0), sensor.blur_px) if sensor.blur_px > 0 else soft
    # Drawn afresh for every frame noise would cost more than people: a sheet of it is laid on askew.
    grain = _grain()
    row, column = rng.integers(len(grain), size=2)
    return _quantised(np.asarray(shown, np.float32), grain, row, column, sensor.noise * 255)


@lru_cache(maxsize=1)
def _grain() -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((509, 509, 3), np.float32)


@compiled
def _tone(light, exposure):  # type: ignore[no-untyped-def]
    flat = light.reshape(-1)
    for i in range(flat.shape[0]):
        x = flat[i] * np.float32(exposure)
        flat[i] = min(np.sqrt(x / (np.float32(1) + np.float32(0.22) * x * x)), np.float32(1))


def blended_outlines(light: NDArray[np.float32], owner: NDArray[np.integer]) -> NDArray[np.float32]:
    """A picture (H, W, 3) smoothed where neighbours belong to different things, numbered in ``owner`` (H, W)."""
    return np.asarray(_blended(light, owner), np.float32)


@compiled
def _blended(shown, mesh):  # type: ignore[no-untyped-def]
    height, width = mesh.shape
    out = shown.copy()
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            m = mesh[i, j]
            if m == mesh[i, j + 1] and m == mesh[i + 1, j] and m == mesh[i, j - 1] and m == mesh[i - 1, j]:
                continue
            for c in range(3):
                around = shown[i, j - 1, c] + shown[i, j + 1, c] + shown[i - 1, j, c] + shown[i + 1, j, c]
                out[i, j, c] = np.float32(0.4) * shown[i, j, c] + np.float32(0.15) * around
    return out


@compiled
def _quantised(shown, grain, row, column, strength):  # type: ignore[no-untyped-def]
    height, width = shown.shape[:2]
    out = np.empty((height, width, 3), np.uint8)
    n = grain.shape[0]
    for i in range(height):
        a = (i + row) % n
        b = column
        for j in range(width):
            for c in range(3):
                value = (
                    shown[i, j, c] * np.float32(255) + grain[a, b, c] * np.float32(strength) + np.float32(0.5)
                )
                out[i, j, c] = np.uint8(min(max(value, np.float32(0)), np.float32(255)))
            b = b + 1 if b + 1 < n else 0
    return out
