"""Clips without pictures for TRACE: people of motion capture before cameras that move, with answers and flow drawn.

Nothing is rendered and no trunk looks: what MoveNet would answer is drawn as for CoMotion
(`choros.training.comotion.sketched`), and flow is that of a floor, of what stands far behind, and of the people's
points. All stand on one floor in one world, so the camera's height and path mean something, in metres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.backbones.trunk import COARSEST_PX
from choros.body import BodyModel
from choros.crops import Letterbox
from choros.keypoints import box_of_keypoints
from choros.rotation import rotmat_about, rotvec_to_rotmat
from choros.trace.flow import FLOW_UNIT_PX
from choros.training.comotion.labelled_clip import HEIGHT_M, LabelledClip
from choros.training.comotion.labels import about_pelvis
from choros.training.comotion.sketched import CELL_PX, answers
from choros.training.lifter.keypoint_noise import KeypointNoise, corrupt, log_uniform
from choros.training.lifter.poses import PoseClip, PoseVariety, poses
from choros.training.trace.clip import TraceClip

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class SketchRecipe:
    """What sketches are like; all ours."""

    frames: int = 4
    strides: tuple[int, ...] = (1, 1, 2, 3)  # of 30 frames/s
    people: tuple[int, int] = (1, 5)
    aspects: tuple[float, ...] = (16 / 9, 16 / 9, 4 / 3, 1.0, 3 / 4, 9 / 16)
    field_of_view_deg: tuple[float, float] = (25.0, 80.0)  # across the longer side
    height_share: tuple[float, float] = (0.15, 1.2)  # of the picture's height, of somebody in the middle
    camera_height_m: tuple[float, float] = (0.6, 3.5)
    turns_rate: float = 0.45  # cameras that turn, at up to about ``turn_rad_s``
    turn_rad_s: float = 0.5
    goes_rate: float = 0.5  # cameras that go, at about ``go_m_s``
    go_m_s: float = 0.9
    shake_rad: float = 0.006  # from frame to frame, of every other camera that moves
    backdrop_m: tuple[float, float] = (6.0, 60.0)
    body_share: float = 0.07  # cells so near to a point of somebody, in sizes of theirs, move with it
    blind_rate: float = 0.25  # pictures of which parts are too plain for flow
    flow_noise: float = 0.03
    variety: PoseVariety = field(default_factory=PoseVariety)
    noise: KeypointNoise = field(default_factory=KeypointNoise)


class _Stage(NamedTuple):
    """P people over T frames, and where the camera is; the world has y up and its floor at 0."""

    rotations: Floats  # (T, P, 24, 3, 3), roots in the world
    pelvis: Floats  # (T, P, 3) metres
    betas: Floats  # (P, 10)
    R_world_camera: Floats  # (T, 3, 3)
    eye: Floats  # (T, 3) metres
    K: Floats  # (3, 3) of the square
    box: Letterbox
    dt_s: float


def sketched_clip(
    motions: Sequence[PoseClip],
    body: BodyModel,
    recipe: SketchRecipe,
    square_px: int,
    map_size: int,
    seed: Sequence[int],
) -> TraceClip:  # fmt: skip
    """The clip of a ``seed``; ``body`` is the open one, on the CPU."""
    rng = np.random.default_rng(seed)
    stage = _staged(rng, motions, recipe, square_px)
    T = len(stage.eye)
    to_camera = np.swapaxes(stage.R_world_camera, -1, -2)
    rotations = stage.rotations.copy()
    rotations[:, :, 0] = to_camera[:, None] @ rotations[:, :, 0]
    pelvis = np.einsum("tab,tpb->tpa", to_camera, stage.pelvis - stage.eye[:, None])
    about = about_pelvis(rotations.astype(np.float64), stage.betas, body)  # (T, P, 41, 3)
    points = about + pelvis[:, :, None]
    reported = _reported(rng, stage, points, recipe)
    labels = _labels(stage, rotations, about, points, reported[..., 2])
    x0, y0, x1, y1 = stage.box.content_px(COARSEST_PX)
    cells = np.concatenate([(reported[..., :2] - [x0, y0]) / CELL_PX, reported[..., 2:]], -1)
    maps = answers(cells, ((y1 - y0) // CELL_PX, (x1 - x0) // CELL_PX), rng)
    path = np.tile(np.eye(4), (T, 1, 1))
    path[:, :3, :3] = to_camera[0] @ stage.R_world_camera
    path[:, :3, 3] = (stage.eye - stage.eye[0]) @ to_camera[0].T
    flow = _flow(rng, stage, points, map_size, recipe)
    return TraceClip(labels, maps.numpy(), (x0, y0), flow.astype(np.float16), path, True)


def _staged(
    rng: np.random.Generator, motions: Sequence[PoseClip], recipe: SketchRecipe, square_px: int
) -> _Stage:
    """People somewhere before a camera that does something."""
    T, P = recipe.frames, int(rng.integers(recipe.people[0], recipe.people[1] + 1))
    stride = int(rng.choice(recipe.strides))
    rotations, transl = poses(rng, motions, P, T, np.full(P, stride), recipe.variety)
    aspect = float(rng.choice(recipe.aspects))
    width, height = (1000, round(1000 / aspect)) if aspect >= 1 else (round(1000 * aspect), 1000)
    box = Letterbox(width, height, square_px)
    half = np.tan(np.deg2rad(log_uniform(rng, recipe.field_of_view_deg, 1)[0]) / 2)
    focal = 0.5 * square_px / half
    K = np.array([[focal, 0, square_px / 2], [0, focal, square_px / 2], [0, 0, 1.0]])

    sides = half * np.array([min(aspect, 1.0), min(1 / aspect, 1.0)])  # at a metre, from the middle
    away = 1.7 / (2 * sides[1] * log_uniform(rng, recipe.height_share, 1)[0])
    depth = np.clip(away * np.exp(rng.normal(0, 0.3, P) * (np.arange(P) > 0)), 0.9, 40)
    across = rng.uniform(-0.9, 0.9, P) * sides[0] * depth
    turn = rotmat_about("y", rng.uniform(-np.pi, np.pi, P))
    rotations = rotations.astype(np.float64)
    rotations[:, :, 0] = turn[:, None] @ rotations[:, :, 0]
    path = np.einsum("pab,ptb->pta", turn, transl - transl[:, T // 2, None] * [1, 0, 1])
    pelvis = path + np.stack([across, np.zeros(P), -depth], -1)[:, None]  # the camera looks along -z

    eye_m = log_uniform(rng, recipe.camera_height_m, 1)[0]
    down = np.arctan2(eye_m - 1.0, away) + rng.normal(0, 0.12) * sides[1]
    roll = rng.normal(0, 0.05) if rng.random() < 0.7 else rng.uniform(-0.6, 0.6)
    level = Rotation.from_euler("YXZ", [rng.normal(0, 0.05), -down, roll]).as_matrix()
    R_world_camera = level @ np.diag([1.0, -1.0, -1.0])
    dt_s = stride / 30
    R, eye = _camera_path(rng, R_world_camera, np.array([0, eye_m, 0]), T, dt_s, recipe)
    return _Stage(
        np.moveaxis(rotations, 1, 0), np.moveaxis(pelvis, 1, 0), np.clip(rng.normal(size=(P, 10)), -2.5, 2.5),
        R, eye, K, box, dt_s,
    )  # fmt: skip


def _camera_path(
    rng: np.random.Generator, R: Floats, eye: Floats, T: int, dt_s: float, recipe: SketchRecipe
) -> tuple[Floats, Floats]:
    """R_world_camera (T, 3, 3) and where the camera is (T, 3), metres."""
    turning = rng.normal(0, recipe.turn_rad_s, 3) * [0.6, 1.0, 0.3] * (rng.random() < recipe.turns_rate)
    going = rng.normal(0, recipe.go_m_s, 3) * [1.0, 0.25, 1.2] * (rng.random() < recipe.goes_rate)
    moves = bool(turning.any() or going.any())
    times = np.arange(T)[:, None] * dt_s
    shake = np.cumsum(rng.normal(0, recipe.shake_rad, (T, 3)), 0) * (moves and rng.random() < 0.5)
    turned = rotvec_to_rotmat(times * turning + shake - shake[0])
    return R @ turned, eye + times * going


def _reported(rng: np.random.Generator, stage: _Stage, points: Floats, recipe: SketchRecipe) -> Floats:
    """Keypoints (T, P, 17, 3) px of the square and confidence, as a network reports them."""
    P = points.shape[1]
    focal, middle = stage.K[0, 0], stage.K[0, 2]
    keypoints = np.moveaxis(points[:, :, 24:], 0, 1)  # (P, T, 17, 3)
    depth = np.maximum(keypoints[..., 2], 0.2)
    plane = keypoints[..., :2] / depth[..., None]
    x0, y0, x1, y1 = stage.box.content_px(1)
    window = (np.array([x0, y0, x1, y1]) - middle) / focal
    said = corrupt(rng, plane, depth, np.tile(window, (P, 1)), np.full(P, stage.dt_s), recipe.noise)
    said[..., 2] *= keypoints[..., 2] > 0.2
    said[..., 2] = np.where(_behind_others(plane, depth), 0.12 * said[..., 2], said[..., 2])
    pixels = np.concatenate([said[..., :2] * focal + middle, said[..., 2:]], -1)
    return np.moveaxis(pixels, 0, 1)


def _behind_others(plane: Floats, depth: Floats) -> NDArray[np.bool_]:
    """Which keypoints (P, T, 17) lie behind the trunk of somebody nearer."""
    trunk = plane[:, :, [5, 6, 11, 12]]
    low, high = trunk.min(2), trunk.max(2)  # (P, T, 2)
    inside = np.all((plane[:, None] > low[None, :, :, None]) & (plane[:, None] < high[None, :, :, None]), -1)
    nearer = depth.mean(-1)[None, :, :, None] < depth[:, None] - 0.25
    hidden = inside & nearer & ~np.eye(len(plane), dtype=bool)[:, :, None, None]
    return np.asarray(hidden.any(1))


def _labels(
    stage: _Stage, rotations: Floats, about: Floats, points: Floats, confidence: Floats
) -> LabelledClip:
    """What is true, in the square."""
    T, P = points.shape[:2]
    K = stage.K
    before = points[..., 2] > 0.15
    points_px = points[..., :2] / np.maximum(points[..., 2:], 0.15) * K[0, 0] + K[:2, 2]
    x0, y0, x1, y1 = content = stage.box.content_px(COARSEST_PX)
    inside = np.all((points_px > [x0, y0]) & (points_px < [x1, y1]), -1) & before
    known = inside.any(-1) & (points[:, :, 0, 2] > 0.3)
    rho = np.log(K[0, 0] / np.maximum(points[:, :, 0, 2], 0.3))
    seen = inside[:, :, 24:] & (confidence > 0.2)
    boxes = np.array([box_of_keypoints(np.c_[some, np.ones(len(some))], 0.0) for some in points_px[0]])
    return LabelledClip(
        images=np.zeros((0, stage.box.size, stage.box.size, 3), np.uint8),
        K=np.tile(K, (T, 1, 1)).astype(np.float32),
        camera_known=True,
        everyone=True,
        first_box_px=np.clip(boxes, [x0, y0, x0, y0], [x1, y1, x1, y1]).astype(np.float32),
        found=known[0],
        keypoints_px=np.concatenate([points_px[:, :, 24:], seen[..., None]], -1).astype(np.float32),
        rotations=rotations.astype(np.float32),
        betas=stage.betas.astype(np.float32),
        about_pelvis=about.astype(np.float32),
        points_px=points_px.astype(np.float32),
        rho=rho.astype(np.float32),
        size_px=(HEIGHT_M * np.exp(rho)).astype(np.float32),
        pointed=(before & known[..., None]).astype(np.float32),
        posed=known,
        placed=known,
        shaped=np.ones(P, bool),
        content_px=content,
    )


def _flow(
    rng: np.random.Generator, stage: _Stage, points: Floats, map_size: int, recipe: SketchRecipe
) -> Floats:
    """What `light_flow` would say, (T, 2, map_size, map_size)."""
    T, side = len(points), stage.box.size / map_size
    at = (np.arange(map_size) + 0.5) * side
    grid = np.stack(np.meshgrid(at, at), -1)  # (H, W, 2) px
    backdrop = log_uniform(rng, recipe.backdrop_m, 1)[0] * np.exp(0.25 * _smooth(rng, map_size))
    flow = np.zeros((T, 2, map_size, map_size))
    sees = 1.0 - (rng.random() < recipe.blind_rate) * (_smooth(rng, map_size) > 0.6)
    x0, y0, x1, y1 = stage.box.content_px(1)
    covered = np.all((grid >= [x0, y0]) & (grid <= [x1, y1]), -1)
    for t in range(1, T):
        moved = _background_moved(stage, t, grid, backdrop) * sees[..., None]
        moved = np.where(np.isfinite(moved), moved, 0)
        moved = _with_people(moved, stage, points, t, grid, recipe.body_share)
        moved = cv2.GaussianBlur(moved, (0, 0), 0.7) + rng.normal(0, recipe.flow_noise, moved.shape)
        flow[t] = np.moveaxis(np.clip(moved * covered[..., None], -12, 12), -1, 0)
    return flow


def _background_moved(stage: _Stage, t: int, grid: Floats, backdrop: Floats) -> Floats:
    """How floor and backdrop moved in the picture of frame ``t``, (H, W, 2) in ``FLOW_UNIT_PX``."""
    K, R, eye = stage.K, stage.R_world_camera, stage.eye
    rays = np.concatenate([(grid - K[:2, 2]) / K[0, 0], np.ones((*grid.shape[:2], 1))], -1) @ R[t].T
    with np.errstate(divide="ignore", invalid="ignore"):
        floor = np.where(rays[..., 1] < -1e-3, -eye[t, 1] / rays[..., 1], np.inf)
    far = backdrop / np.linalg.norm(rays, axis=-1)
    places = eye[t] + rays * np.minimum(floor, far)[..., None]
    before = (places - eye[t - 1]) @ R[t - 1]
    was = before[..., :2] / np.maximum(before[..., 2:], 0.1) * K[0, 0] + K[:2, 2]
    return np.asarray((grid - was) / FLOW_UNIT_PX)


def _with_people(moved: Floats, stage: _Stage, points: Floats, t: int, grid: Floats, share: float) -> Floats:
    """The same where people stand before it."""
    K = stage.K
    px = points[..., :2] / np.maximum(points[..., 2:], 0.2) * K[0, 0] + K[:2, 2]
    moved = moved.copy()
    for p in np.argsort(-points[t, :, 0, 2]):  # the nearest last
        if points[t, p, :, 2].min() < 0.2:
            continue
        size = HEIGHT_M * K[0, 0] / points[t, p, 0, 2]
        away = np.linalg.norm(grid[:, :, None] - px[t, p], axis=-1)  # (H, W, 41)
        nearest = away.argmin(-1)
        on = np.take_along_axis(away, nearest[..., None], -1)[..., 0] < share * size
        moved[on] = (px[t, p] - px[t - 1, p])[nearest[on]] / FLOW_UNIT_PX
    return moved


def _smooth(rng: np.random.Generator, size: int) -> Floats:
    """A field (size, size) of about unit spread that changes over an eighth of it."""
    coarse = rng.normal(size=(8, 8)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC), np.float64)
