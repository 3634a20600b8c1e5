"""The truth of a scene: everybody's body, where it appears in the picture, and how much of it can be seen.

People are drawn alone and then compared with whatever is nearest in each pixel (world, moving things and other
people), at a reduced size: the share that remains is the visible fraction, and a keypoint is seen if nothing is
in front of it.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros._version import __version__
from choros.body import BodyParams
from choros.body.skeleton import COCO17, POSETRACK15
from choros.camera import project
from choros.compiled import compiled
from choros.errors import ChorosError
from choros.mesh.rasteriser import Canvas
from choros.motion import FRAME, ROW, Header, Motion
from choros.outputs import atomic_write
from choros.scenes.cameras import Film, View
from choros.scenes.people import Actor, Casting, posed
from choros.scenes.world import FAR_M, World, depth_of, hide_behind

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

VISIBLE_FRACTION = 0.1  # of a person's picture; below it they count as not visible
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


@dataclass(frozen=True, eq=False)
class Truth:
    """What is true in T frames of everybody in a scene, P people, whether or not they are in the picture.

    Camera axes are OpenCV's, those of each frame's own camera; the world has z up and its floor at 0. Image
    coordinates are continuous, (0, 0) the outer corner of the first pixel, and may lie outside the picture.
    Boxes, keypoints and shares are those of people ``in_frame``, and zero for the others.
    """

    person: NDArray[np.int32]  # (P,) identities, from 1
    betas: Singles  # (P, 10)
    kid: Singles  # (P,) the body's child axis, 0 adult to 1 child
    K: Floats  # (T, 3, 3) px
    T_world_camera: Floats  # (T, 4, 4) metres
    global_orient: Singles  # (T, P, 3) axis-angle, rad, camera axes
    body_pose: Singles  # (T, P, 69) axis-angle, rad
    transl: Singles  # (T, P, 3) metres, camera axes; the pelvis is at its rest place + transl
    joints_cam: Singles  # (T, P, 24, 3) metres, SMPL's joints
    joints_world: Singles  # (T, P, 24, 3) metres
    in_frame: NDArray[np.bool_]  # (T, P) whether their box reaches into the picture
    amodal_box_px: Singles  # (T, P, 4) of the whole person in their clothes, hidden parts and beyond the edge
    box_px: Singles  # (T, P, 4) the same cut at the picture's edge
    visible_fraction: Singles  # (T, P) share of the person's whole picture that is inside and in front
    keypoints_px: Singles  # (T, P, 17, 3) COCO-17 x, y, and 1 if it is seen, else 0
    head_px: Singles  # (T, P, 2, 3) likewise PoseTrack's bottom and top of the head

    def __len__(self) -> int:
        return len(self.K)

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(T, P) whether enough is seen of somebody for a person to say that they are there."""
        return self.in_frame & (self.visible_fraction >= VISIBLE_FRACTION)

    def of(self, people: NDArray[np.bool_]) -> Truth:
        """Only some of the people, (P,)."""
        cut = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in cut.keys() - {"K", "T_world_camera"}:
            cut[name] = cut[name][people] if name in ("person", "betas", "kid") else cut[name][:, people]
        return Truth(**cut)

    def save(self, path: str | Path) -> None:
        """Every array under its own name in an npz; the file appears whole or not at all."""
        with atomic_write(path) as file:
            np.savez_compressed(file, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(cls, path: str | Path) -> Truth:
        """What ``save`` wrote. Raises ChorosError if the file is missing or something else."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                return cls(**{f.name: stored[f.name] for f in fields(cls)})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ChorosError(
                f"{path} is no truth of a scene that can be read ({error}); make the scene again."
            ) from error

    def motion(self, fps: Fraction, width: int, height: int, source: str) -> Motion:
        """The people in frame as ``Motion``, in camera axes; all confidences are 1."""
        frames = np.zeros(len(self), FRAME)
        frames["pts"] = [(frame / fps).as_integer_ratio() for frame in range(len(self))]
        frames["number"] = np.arange(len(self))
        frames["K"], frames["T_world_camera"] = self.K, self.T_world_camera
        frames["camera_known"] = True
        frame, number = np.nonzero(self.in_frame)
        rows = np.zeros(len(frame), ROW)
        rows["frame"], rows["confidence"], rows["visible"] = frame, 1, self.visible[self.in_frame]
        for name in ("person", "betas", "kid"):
            rows[name] = getattr(self, name)[number]
        for name in ("global_orient", "body_pose", "transl", "box_px", "keypoints_px"):
            rows[name] = getattr(self, name)[self.in_frame]
        header = Header(fps, width, height, source, "truth", provenance={"choros": __version__})
        return Motion(header, frames, rows)


def measure(
    casting: Casting,
    actors: Sequence[Actor],
    world: World,
    view: View,
    film: Film,
    things: Things = lambda frame: (),
    frames: range | None = None,
) -> Truth:
    """The truth of some ``frames`` (None: all), which then count from 0.

    A visible fraction is the share of somebody's picture inside the frame that is in front, times the share of
    the amodal box that is inside the frame. Somebody whom the camera stands in has the box of what lies before
    the camera.
    """
    frames = frames if frames is not None else range(len(film.K))
    some = slice(frames.start, frames.stop)
    K, T_world_camera = film.K[some], film.T_world_camera[some]
    T_camera_world = np.asarray(np.linalg.inv(T_world_camera), np.float64)
    R, t = T_camera_world[:, None, :3, :3], T_camera_world[:, None, :3, 3]

    turns = np.stack([a.turns[some, 0] for a in actors], axis=1)  # (T, P, 3, 3) of the pelvis
    joints_world = np.stack([a.places[some] for a in actors], axis=1)
    joints_cam = joints_world @ R.mT + t[..., None, :]
    points_cam = np.stack([_keypoints(casting, a, some) for a in actors], axis=1) @ R.mT + t[..., None, :]
    orient = Rotation.from_matrix((R @ turns).reshape(-1, 3, 3)).as_rotvec().reshape(*turns.shape[:2], 3)
    rest = np.stack([a.rest.joints[0] for a in actors])
    body_pose = np.stack([a.poses.body_pose[some].reshape(len(K), 69) for a in actors], axis=1)

    fraction, amodal, seen = _look(
        casting, actors, world, view, film, things, frames, body_pose, points_cam
    )  # fmt: skip
    box = np.clip(amodal, 0, [view.width, view.height] * 2)
    in_frame = np.all(box[..., 2:] - box[..., :2] >= 2, axis=-1)
    fraction, amodal, box = (
        np.where(in_frame.reshape(*in_frame.shape, *[1] * (x.ndim - 2)), x, 0)
        for x in (fraction, amodal, box)
    )
    before = points_cam[..., 2] > NEAR_M
    points_px = project(np.where(before[..., None], points_cam, [0, 0, 1]), K[:, None, None])
    keypoints = np.concatenate([points_px, seen[..., None]], axis=-1)
    keypoints = np.where((before & in_frame[..., None])[..., None], keypoints, 0).astype(np.float32)
    return Truth(
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


def _keypoints(casting: Casting, actor: Actor, frames: slice) -> Floats:  # (T, 19, 3)
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
    coco = casting.body.keypoints(params, "coco17")
    return torch.cat([coco, casting.body.keypoints(params, "posetrack15")[:, head]], dim=1).double().numpy()


def _look(
    casting: Casting,
    actors: Sequence[Actor],
    world: World,
    view: View,
    film: Film,
    things: Things,
    frames: range,
    body_pose: Floats,  # (T, P, 69)
    points_cam: Floats,  # (T, P, 19, 3)
) -> tuple[Floats, Floats, Floats]:
    """Visible fractions (T, P), amodal boxes (T, P, 4) px and which points are seen (T, P, 19)."""
    scale = min(1.0, LONG_SIDE_PX / max(view.width, view.height))
    width, height = round(view.width * scale), round(view.height * scale)
    reduce = np.diag([width / view.width, height / view.height, 1])
    people = len(actors)
    fraction, boxes = np.zeros(body_pose.shape[:2]), np.zeros((*body_pose.shape[:2], 4))
    seen = np.zeros(points_cam.shape[:3])
    alone, moved = [Canvas(width, height) for _ in actors], Canvas(width, height)
    if film.still:
        walls = depth_of(world, reduce @ film.K[0], film.T_world_camera[0], width, height)
    nearest = np.empty((height, width), np.float32)
    for now, frame in enumerate(frames):
        if now % AT_ONCE == 0:
            several = body_pose[now : now + AT_ONCE]
            corrections = casting.corrections(several.reshape(-1, 69)).reshape(len(several), people, -1, 3)
        K, T_world_camera = reduce @ film.K[frame], film.T_world_camera[frame]
        T_camera_world = np.linalg.inv(T_world_camera)
        moved.clear()
        for points_world, faces in things(frame):
            moved.draw(0, points_world @ T_camera_world[:3, :3].T + T_camera_world[:3, 3], faces, K)
        np.copyto(nearest, moved.depth)
        rectangles = []
        for number, (actor, canvas) in enumerate(zip(actors, alone, strict=True)):
            points = posed(actor, frame, T_camera_world, corrections[now % AT_ONCE, number])
            boxes[now, number] = _box(points, film.K[frame], NEAR_M)
            x0, y0, x1, y1 = canvas.draw(0, points, actor.dressed.faces, K, cull_back=True)
            part = np.s_[y0:y1, x0:x1]
            np.minimum(nearest[part], canvas.depth[part], out=nearest[part])
            rectangles.append(part)
        column, row, inside = _pixels(points_cam[now], K, width, height)  # (P, 19)
        if film.still:
            np.minimum(nearest, walls, out=nearest)
        else:  # only where it matters: on people, and at their keypoints
            nearest[row, column] = np.minimum(nearest[row, column], FAR_M)
            hide_behind(world, K, T_world_camera, nearest)
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
                _share_inside(boxes[now, number], view) * in_front / max(int(np.count_nonzero(whole)), 1)
            )
            canvas.depth[part] = np.inf
    return fraction, boxes, seen


def _pixels(
    points_cam: Floats, K: Floats, width: int, height: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Column and row of the pixels that points (..., 3) fall on, the nearest ones for those outside."""
    before = points_cam[..., 2] > NEAR_M
    points_px = np.floor(project(np.where(before[..., None], points_cam, [0, 0, 1]), K))
    inside = before & np.all((points_px >= 0) & (points_px < [width, height]), axis=-1)
    pixel = np.clip(points_px, 0, [width - 1, height - 1]).astype(np.int64)
    return pixel[..., 0], pixel[..., 1], inside


def _share_inside(box_px: Floats, view: View) -> float:
    """Of a box's area, in the picture."""
    inside = np.clip(box_px, 0, [view.width, view.height] * 2)
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
