"""Girth from the outline: how far a body's contour is from that of the person in the picture.

The fitted body is drawn into the crop that the segmenter looked at; from points along its contour the edge of the
person is sought outwards and inwards. Each distance is a linear measurement of the shape and the pose of the
frame, taken together with the frame's keypoints, which alone know how long the limbs are: what is left is girth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from choros.body.shape_filter import Measurement, Points3D, Shapes, on_plane
from choros.detection.silhouette import CROP_PX, Silhouette
from choros.mesh.rasteriser import Canvas

Floats = NDArray[np.float64]

#: Joints whose skin is looked at: trunk, thighs, shins, arms. Heads have hair, hands and feet bags and shoes.
LOOKED_AT = [0, 1, 2, 3, 4, 5, 6, 9, 16, 17, 18, 19]


@dataclass(frozen=True)
class OutlineRules:
    """What counts as an edge and how much it says."""

    cloth_m: float = (
        0.0  # taken off for clothes: nothing, so that the body drawn fills them; .02 is the body beneath
    )
    inside_m: float = 0.05  # how far inside the body's contour the person's edge may lie
    outside_m: float = 0.12  # and how far outside
    clear_m: float = 0.03  # beyond the edge that must be background: else it is no edge but another limb
    step_px: float = 0.5
    every_px: int = 4  # along the contour
    std_m: float = 0.03  # of one point: folds, segmenter, skinning
    robust: float = 1.5  # standard deviations at which a point begins to be doubted
    independent: float = 0.5  # share of the points that say something of their own; neighbours say the same
    least_points: int = 30


def contour_points(
    canvas: Canvas, skin_joint: NDArray[np.intp], faces: NDArray[np.int64], every: int
) -> tuple:
    """Vertices (C,) on a drawn body's contour, their pixels (C, 2) x, y and outward normals (C, 2) there."""
    inside = (canvas.mesh >= 0).astype(np.float32)
    smooth = cv2.GaussianBlur(inside, (0, 0), 1.5)
    down, right = cv2.Sobel(smooth, cv2.CV_32F, 0, 1), cv2.Sobel(smooth, cv2.CV_32F, 1, 0)
    contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    pixels = np.concatenate(
        [contour[::every, 0] for contour in contours if len(contour) > 40] or [np.zeros((0, 2), int)]
    )
    x, y = pixels.T
    nearest = canvas.barycentric[y, x].argmax(-1)
    vertex = faces[canvas.face[y, x], nearest]
    normal = -np.stack([right[y, x], down[y, x]], -1).astype(np.float64)
    length = np.linalg.norm(normal, axis=-1)
    border = 3
    keep = (length > 1e-3) & np.isin(skin_joint[vertex], LOOKED_AT)
    keep &= ((pixels >= border) & (pixels < CROP_PX - border)).all(-1)
    return vertex[keep], pixels[keep] + 0.5, normal[keep] / length[keep, None]


def edge_distance(
    person: NDArray[np.float32], pixels: Floats, normals: Floats, px_per_m: Floats, rules: OutlineRules
) -> Floats:
    """How far outside each contour point (C, 2) the person's edge is, (C,) metres, NaN where there is none."""
    reach = np.arange(
        -rules.inside_m, rules.outside_m + rules.clear_m, rules.step_px / px_per_m.mean()
    )  # metres
    at = pixels[:, None] + normals[:, None] * (reach * px_per_m[:, None])[..., None] - 0.5
    at = at.astype(np.float32)
    profile = cv2.remap(person, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderValue=-1.0)
    step = reach[1] - reach[0]
    out = np.full(len(pixels), np.nan)
    for i, values in enumerate(profile):
        below = np.flatnonzero(values < 0.5)
        if not len(below) or below[0] == 0 or values.min() < -0.5:
            continue
        k = below[0]
        if reach[k] > rules.outside_m or (values[k : k + int(rules.clear_m / step) + 1] > 0.5).any():
            continue
        out[i] = reach[k - 1] + step * (values[k - 1] - 0.5) / (values[k - 1] - values[k])
    return out


def measure_outline(
    shapes: Shapes,
    faces: NDArray[np.int64],
    silhouette: Silhouette,
    K: Floats,
    shape: Floats,  # (11,)
    rotations: Floats,  # (24, 3, 3)
    transl: Floats,  # (3,) camera axes
    others_px: Floats,  # (m, 4) boxes of other people, in which nothing is anybody's own
    rules: OutlineRules,
) -> Measurement | None:
    """The contour's distances as measurements of shape and pose; None if the outline is not to be trusted."""
    vertices = shapes.vertices_of(shape, rotations, transl)
    if vertices[:, 2].min() < 0.2:
        return None
    crop_K = silhouette.crop.K(K)
    canvas = Canvas(CROP_PX, CROP_PX)
    canvas.draw(0, vertices, faces, crop_K, cull_back=True)
    vertex, pixels, normals = contour_points(canvas, shapes.skin.argmax(-1), faces, rules.every_px)
    in_picture = silhouette.crop.from_crop(pixels)
    near = (in_picture[:, None] > others_px[:, :2]) & (in_picture[:, None] < others_px[:, 2:])
    own = ~near.all(-1).any(-1)
    vertex, pixels, normals = vertex[own], pixels[own], normals[own]
    if len(vertex) < rules.least_points:
        return None
    points = shapes.posed(shapes.of_vertices(vertex), shape, rotations, transl)
    px_per_m = crop_K[0, 0] / points.places[:, 2]
    distance = edge_distance(silhouette.person, pixels, normals, px_per_m, rules)
    found = np.isfinite(distance)
    if found.sum() < rules.least_points or found.mean() < 0.3:
        return None
    residual = np.where(found, distance, 0) - rules.cloth_m
    by_shape, by_pose = (_along(points, part, normals) for part in (points.by_shape, points.by_pose))
    precision = found * rules.independent / rules.std_m**2
    precision = precision / (1 + (residual / rules.std_m / rules.robust) ** 2) ** 2
    return Measurement(residual, by_shape, by_pose, precision)


def _along(points: Points3D, derivative: Floats, normals: Floats) -> Floats:
    """How far points move across the line of sight along normals (C, 2), metres per unit of a derivative."""
    return (on_plane(points.places, derivative)[1] * normals[..., None]).sum(1) * points.places[:, 2:]
