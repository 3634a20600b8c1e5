"""The truth of a scene, measured: everybody's body in the camera's axes, and how much of each can be seen.

People are drawn alone and then compared with whatever is nearest in each pixel (surroundings, moving things and other
people), at a reduced size: the share that remains is the visible fraction, and a keypoint is seen if nothing is
in front of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyParams
from choros.camera import project_in_front
from choros.compiled import compiled
from choros.mesh.rasteriser import Canvas
from choros.rotation import rotmat_to_rotvec
from choros.scenes.camera.camera_moves import CameraSetup, FrameCameras
from choros.scenes.people.actors import Actor, BodyMaker, posed
from choros.scenes.place.solids import FAR_M
from choros.scenes.place.surroundings import Surroundings
from choros.scenes.render.tracing import hide_behind, trace_depth
from choros.scenes.truth.scene_truth import SceneTruth
from choros.skeleton import COCO17, POSETRACK15

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

LONG_SIDE_PX = 640  # of the pictures that visibility is measured in
NEAR_M = 0.1  # what is nearer to the camera is in nobody's box
AT_ONCE = 8  # frames whose pose correctives are made together: they cost what reading their table does
#: PoseTrack's two points of the head, which COCO lacks.
HEAD_POINTS = ("head_bottom", "head_top")
# How far keypoints lie under the skin, metres: with more than that of one's own body before it, it is hidden.
DEPTH_M = {"nose": 0.04, "eye": 0.05, "ear": 0.07, "shoulder": 0.15, "hip": 0.2, "knee": 0.13, "top": 0.06}
UNDER_SKIN_M = np.array([DEPTH_M.get(name.split("_")[-1], 0.1) for name in (*COCO17, *HEAD_POINTS)])

#: Meshes that hide people in a frame besides the people: (points_world (V, 3) metres, faces (F, 3)) each.
Things = Callable[[int], Iterable[tuple[Singles, NDArray[np.int32]]]]


def measure(
    body_maker: BodyMaker,
    actors: Sequence[Actor],
    surroundings: Surroundings,
    setup: CameraSetup,
    cameras: FrameCameras,
    things: Things = lambda frame: (),
    frames: range | None = None,
) -> SceneTruth:
    """The truth of some ``frames`` (None: all), which then count from 0.

    A visible fraction is the share of somebody's picture inside the frame that is in front, times the share of
    the amodal box that is inside the frame. Somebody whom the camera stands in has the box of what lies before
    the camera.
    """
    frames = frames if frames is not None else range(len(cameras.K))
    some = slice(frames.start, frames.stop)
    K, T_world_camera = cameras.K[some], cameras.T_world_camera[some]
    T_camera_world = np.asarray(np.linalg.inv(T_world_camera), np.float64)
    R, t = T_camera_world[:, None, :3, :3], T_camera_world[:, None, :3, 3]

    turns = np.stack([a.turns[some, 0] for a in actors], axis=1)  # (T, P, 3, 3) of the pelvis
    joints_world = np.stack([a.places[some] for a in actors], axis=1)
    joints_cam = joints_world @ R.mT + t[..., None, :]
    points_cam = np.stack([_keypoints(body_maker, a, some) for a in actors], axis=1) @ R.mT + t[..., None, :]
    orient = rotmat_to_rotvec(R @ turns)
    rest = np.stack([a.rest.joints[0] for a in actors])
    body_pose = np.stack([a.poses.body_pose[some].reshape(len(K), 69) for a in actors], axis=1)

    fraction, amodal, seen = _visibility(
        body_maker, actors, surroundings, setup, cameras, things, frames, body_pose, points_cam
    )  # fmt: skip
    box = np.clip(amodal, 0, [setup.width, setup.height] * 2)
    in_frame = np.all(box[..., 2:] - box[..., :2] >= 2, axis=-1)
    fraction, amodal, box = (
        np.where(in_frame.reshape(*in_frame.shape, *[1] * (x.ndim - 2)), x, 0)
        for x in (fraction, amodal, box)
    )
    points_px, before = project_in_front(points_cam, K[:, None, None], NEAR_M)
    keypoints = np.concatenate([points_px, seen[..., None]], axis=-1)
    keypoints = np.where((before & in_frame[..., None])[..., None], keypoints, 0).astype(np.float32)
    return SceneTruth(
        person=np.arange(1, len(actors) + 1, dtype=np.int32),
        betas=np.stack([a.betas for a in actors]).astype(np.float32),
        kid=np.array([a.kid for a in actors], np.float32),
        K=K,
        T_world_camera=T_world_camera,
        global_orient=orient.astype(np.float32),
        body_pose=body_pose.astype(np.float32),
        transl=(joints_cam[:, :, 0] - rest).astype(np.float32),
        joints_cam=joints_cam.astype(np.float32),
        joints_world=joints_world.astype(np.float32),
        in_frame=in_frame,
        amodal_box_px=amodal.astype(np.float32),
        box_px=box.astype(np.float32),
        visible_fraction=fraction.astype(np.float32),
        keypoints_px=keypoints[:, :, : len(COCO17)],
        head_px=keypoints[:, :, len(COCO17) :],
    )


def _keypoints(body_maker: BodyMaker, actor: Actor, frames: slice) -> Floats:  # (T, 19, 3)
    """COCO-17 and the head's two points in the world, metres."""
    poses = actor.poses
    count = len(poses.transl[frames])
    params = BodyParams(
        torch.tensor(poses.global_orient[frames], dtype=torch.float32).reshape(count, 3),
        torch.tensor(poses.body_pose[frames], dtype=torch.float32).reshape(count, 69),
        torch.tensor(actor.betas, dtype=torch.float32).expand(count, 10),
        torch.tensor(poses.transl[frames], dtype=torch.float32),
        torch.tensor(actor.kid, dtype=torch.float32),
    )
    head = [POSETRACK15.index(name) for name in HEAD_POINTS]
    coco = body_maker.body.keypoints(params, "coco17")
    return (
        torch.cat([coco, body_maker.body.keypoints(params, "posetrack15")[:, head]], dim=1).double().numpy()
    )


def _visibility(
    body_maker: BodyMaker,
    actors: Sequence[Actor],
    surroundings: Surroundings,
    setup: CameraSetup,
    cameras: FrameCameras,
    things: Things,
    frames: range,
    body_pose: Floats,  # (T, P, 69)
    points_cam: Floats,  # (T, P, 19, 3)
) -> tuple[Floats, Floats, Floats]:
    """Visible fractions (T, P), amodal boxes (T, P, 4) px and which points are seen (T, P, 19)."""
    scale = min(1.0, LONG_SIDE_PX / max(setup.width, setup.height))
    width, height = round(setup.width * scale), round(setup.height * scale)
    reduce = np.diag([width / setup.width, height / setup.height, 1])
    people = len(actors)
    fraction, boxes = np.zeros(body_pose.shape[:2]), np.zeros((*body_pose.shape[:2], 4))
    seen = np.zeros(points_cam.shape[:3])
    alone, moved = [Canvas(width, height) for _ in actors], Canvas(width, height)
    if cameras.still:
        walls = trace_depth(surroundings, reduce @ cameras.K[0], cameras.T_world_camera[0], width, height)
    nearest = np.empty((height, width), np.float32)
    for now, frame in enumerate(frames):
        if now % AT_ONCE == 0:
            several = body_pose[now : now + AT_ONCE]
            corrections = body_maker.corrections(several.reshape(-1, 69)).reshape(len(several), people, -1, 3)
        K, T_world_camera = reduce @ cameras.K[frame], cameras.T_world_camera[frame]
        T_camera_world = np.linalg.inv(T_world_camera)
        moved.clear()
        for points_world, faces in things(frame):
            moved.draw(0, points_world @ T_camera_world[:3, :3].T + T_camera_world[:3, 3], faces, K)
        np.copyto(nearest, moved.depth)
        rectangles = []
        for number, (actor, canvas) in enumerate(zip(actors, alone, strict=True)):
            points = posed(actor, frame, T_camera_world, corrections[now % AT_ONCE, number])
            boxes[now, number] = _box(points, cameras.K[frame], NEAR_M)
            x0, y0, x1, y1 = canvas.draw(0, points, actor.dressed.faces, K, cull_back=True)
            part = np.s_[y0:y1, x0:x1]
            np.minimum(nearest[part], canvas.depth[part], out=nearest[part])
            rectangles.append(part)
        column, row, inside = _pixels(points_cam[now], K, width, height)  # (P, 19)
        if cameras.still:
            np.minimum(nearest, walls, out=nearest)
        else:  # only where it matters: on people, and at their keypoints
            nearest[row, column] = np.minimum(nearest[row, column], FAR_M)
            hide_behind(surroundings, K, T_world_camera, nearest)
        for number, (canvas, part) in enumerate(zip(alone, rectangles, strict=True)):
            own, z = canvas.depth[part], points_cam[now, number, :, 2]
            whole = own < np.inf
            in_front = np.count_nonzero(whole & (own <= nearest[part]))
            at = row[number], column[number]
            skin = canvas.depth[at]
            by_oneself = skin < z - UNDER_SKIN_M
            by_others = nearest[at] < np.minimum(skin, z) - 1e-3
            seen[now, number] = inside[number] & ~by_oneself & ~by_others
            fraction[now, number] = (
                _share_inside(boxes[now, number], setup) * in_front / max(int(np.count_nonzero(whole)), 1)
            )
            canvas.depth[part] = np.inf
    return fraction, boxes, seen


def _pixels(
    points_cam: Floats, K: Floats, width: int, height: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Column and row of the pixels that points (..., 3) fall on, the nearest ones for those outside."""
    points_px, before = project_in_front(points_cam, K, NEAR_M)
    points_px = np.floor(np.where(before[..., None], points_px, K[:2, 2]))
    inside = before & np.all((points_px >= 0) & (points_px < [width, height]), axis=-1)
    pixel = np.clip(points_px, 0, [width - 1, height - 1]).astype(np.int64)
    return pixel[..., 0], pixel[..., 1], inside


def _share_inside(box_px: Floats, setup: CameraSetup) -> float:
    """Of a box's area, in the picture."""
    inside = np.clip(box_px, 0, [setup.width, setup.height] * 2)
    return float(np.prod(inside[2:] - inside[:2])) / max(float(np.prod(box_px[2:] - box_px[:2])), 1e-9)


@compiled
def _box(points_cam, K, near_m):  # type: ignore[no-untyped-def]
    """(4,) px around what of a mesh (V, 3) lies before the camera; zeros if nothing does."""
    box = np.array([np.inf, np.inf, -np.inf, -np.inf])
    for v in range(points_cam.shape[0]):
        z = points_cam[v, 2]
        if z < near_m:
            continue
        x = (K[0, 0] * points_cam[v, 0] + K[0, 1] * points_cam[v, 1]) / z + K[0, 2]
        y = K[1, 1] * points_cam[v, 1] / z + K[1, 2]
        box[0], box[1], box[2], box[3] = min(box[0], x), min(box[1], y), max(box[2], x), max(box[3], y)
    return box if box[2] > box[0] else np.zeros(4)
