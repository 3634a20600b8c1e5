"""The truth of a scene: a ``Motion`` in camera axes, and how much of everybody can be seen.

People are drawn alone and then compared with whatever is nearest in each pixel (world and other people), at a
reduced size: the share that remains is the visible fraction, and a keypoint is seen if nothing is in front of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros._version import __version__
from choros.body import BodyParams
from choros.body.skeleton import COCO17
from choros.camera import project
from choros.motion import FRAME, ROW, Header, Motion
from choros.scenes.cameras import Film, View
from choros.scenes.people import Actor, Casting, posed
from choros.scenes.world import World, see
from choros.view.raster import Canvas

Floats = NDArray[np.float64]

VISIBLE_FRACTION = 0.1  # of a person's picture; below it they count as not visible
LONG_SIDE_PX = 640  # of the pictures that visibility is measured in
# How far keypoints lie under the skin, metres: with more than that of one's own body before it, it is hidden.
DEPTH_M = {"nose": 0.04, "eye": 0.05, "ear": 0.07, "shoulder": 0.15, "hip": 0.2, "knee": 0.13}
UNDER_SKIN_M = np.array([DEPTH_M.get(name.split("_")[-1], 0.1) for name in COCO17])


@dataclass(frozen=True)
class Truth:
    """A scene's motion, and the visible share (N,) of each of its rows."""

    motion: Motion
    visible_fraction: NDArray[np.float32]


def measure(
    casting: Casting,
    actors: tuple[Actor, ...],
    world: World,
    view: View,
    film: Film,
    fps: Fraction,
    source: str,
) -> Truth:
    """Everybody whose picture reaches into the frame, in every frame.

    ``box_px`` is that of the whole person in their clothes, hidden parts too, cut at the picture's edge.
    ``keypoints_px`` are the projected keypoints, hidden ones too; their confidence is 1 if seen, else 0. The
    visible fraction is the share of a person's whole picture that is inside the frame and in front.
    """
    scale = min(1.0, LONG_SIDE_PX / max(view.width, view.height))
    width, height = round(view.width * scale), round(view.height * scale)
    K, K_small = film.K, np.diag([width / view.width, height / view.height, 1]) @ film.K
    T_camera_world = np.asarray(np.linalg.inv(film.T_world_camera), np.float64)
    walls = see(world, K_small[0], film.T_world_camera[0], width, height).depth
    alone = [Canvas(width, height) for _ in actors]
    keypoints_cam = [_keypoints(casting, actor, T_camera_world) for actor in actors]

    frames = np.zeros(len(K), FRAME)
    frames["K"], frames["T_world_camera"] = K, film.T_world_camera
    rows, fractions = [], []
    for frame in range(len(frames)):
        pts = frame / fps
        frames["pts"][frame] = pts.numerator, pts.denominator
        corrections = casting.corrections(np.stack([a.poses.body_pose[frame] for a in actors]))
        if not film.still:
            walls = see(world, K_small[frame], film.T_world_camera[frame], width, height).depth
        boxes = []
        nearest = walls.copy()
        for actor, canvas, correction in zip(actors, alone, corrections, strict=True):
            points = posed(actor, frame, T_camera_world[frame], correction)
            canvas.clear()
            canvas.draw(0, points, actor.dressed.faces, K_small[frame])
            np.minimum(nearest, canvas.depth, out=nearest)
            boxes.append(_box(points, K[frame]))
        for number, (actor, canvas, box) in enumerate(zip(actors, alone, boxes, strict=True)):
            clipped = np.clip(box, 0, [view.width, view.height] * 2)
            size = clipped[2:] - clipped[:2]
            if not np.all(size >= 2):
                continue
            whole = canvas.mesh == 0
            seen = whole & (canvas.depth <= nearest)
            inside = np.prod(size) / np.prod(box[2:] - box[:2])
            fraction = float(inside * seen.sum() / max(int(whole.sum()), 1))
            row = np.zeros((), ROW)
            row["frame"], row["person"], row["confidence"] = frame, number + 1, 1
            orient, transl = _in_camera(actor, frame, T_camera_world[frame])
            row["global_orient"], row["transl"] = orient, transl
            row["body_pose"], row["betas"] = actor.poses.body_pose[frame], actor.betas
            row["kid"] = actor.kid
            row["visible"], row["box_px"] = fraction >= VISIBLE_FRACTION, clipped
            row["keypoints_px"][:, :2] = project(keypoints_cam[number][frame], K[frame])
            row["keypoints_px"][:, 2] = _seen(
                keypoints_cam[number][frame], K_small[frame], canvas.depth, nearest
            )
            rows.append(row)
            fractions.append(fraction)
    header = Header(fps, view.width, view.height, source, "truth", provenance={"choros": __version__})
    table = np.array(rows, ROW) if rows else np.zeros(0, ROW)
    return Truth(Motion(header, frames, table), np.array(fractions, np.float32))


def _in_camera(actor: Actor, frame: int, T_camera_world: Floats) -> tuple[Floats, Floats]:
    """SMPL's global_orient (3,) and transl (3,) in camera axes."""
    R, t = T_camera_world[:3, :3], T_camera_world[:3, 3]
    orient = Rotation.from_matrix(R @ actor.turns[frame, 0]).as_rotvec()
    return orient, R @ actor.places[frame, 0] + t - actor.rest.joints[0]


def _keypoints(casting: Casting, actor: Actor, T_camera_world: Floats) -> Floats:  # (T, 17, 3)
    """COCO-17 in camera axes, metres; T_camera_world (T, 4, 4)."""
    poses = actor.poses
    params = BodyParams(
        torch.tensor(poses.global_orient, dtype=torch.float32),
        torch.tensor(poses.body_pose, dtype=torch.float32),
        torch.tensor(actor.betas, dtype=torch.float32).expand(len(poses.transl), 10),
        torch.tensor(poses.transl, dtype=torch.float32),
        torch.tensor(actor.kid, dtype=torch.float32),
    )
    world = casting.body.keypoints(params, "coco17").double().numpy()
    return world @ T_camera_world[:, :3, :3].transpose(0, 2, 1) + T_camera_world[:, None, :3, 3]


def _box(points_cam: NDArray[np.float32], K: Floats) -> Floats:  # (4,) px
    """Box of a mesh, beyond the picture too; empty if it is behind the camera."""
    if points_cam[:, 2].min() < 0.1:
        return np.zeros(4)
    points_px = project(points_cam.astype(np.float64), K)
    return np.concatenate([points_px.min(axis=0), points_px.max(axis=0)])


def _seen(points_cam: Floats, K: Floats, own: NDArray[np.float32], nearest: NDArray[np.float32]) -> Floats:
    """1 for keypoints (17, 3) that neither world nor people hide, nor too much of the person's own body."""
    column, row = np.floor(project(points_cam, K)).astype(int).T
    height, width = own.shape
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    column, row = np.clip(column, 0, width - 1), np.clip(row, 0, height - 1)
    z = points_cam[:, 2]
    skin = own[row, column]
    by_oneself = skin < z - UNDER_SKIN_M
    by_others = nearest[row, column] < np.minimum(skin, z) - 1e-3
    return (inside & ~by_oneself & ~by_others).astype(np.float64)
