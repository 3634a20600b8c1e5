"""Clips as CoMotion is trained on them: frames in the network's square, and everybody's truth beside them.

Made from scenes, where all is known, or from samples of public sets, where much is not; then varied: a window of
the picture, mirrored or not, in other colours. Which window, which colours follows from the clip's own generator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from choros.body import BodyModel
from choros.body.skeleton import COCO17, JOINT_NAMES, MIRROR_JOINTS
from choros.camera import Letterbox, default_focal_px, project
from choros.datasets.sample import PersonLabel, Sample, to_coco17
from choros.scenes.stream import Clip
from choros.training.comotion_losses import N_POINTS, points_about_pelvis

Singles = NDArray[np.float32]

#: Whose pelvis is nearer than this has no place to be taught, metres.
NEAR_M = 0.3

#: Paper A.4: annotators' hips are this many times as far apart as SMPL's.
HIPS_APART = 2.0

#: A person's size in the image is that of someone of this height in T-pose, seen from the front, metres.
HEIGHT_M = 1.7

LEFT_HIP, RIGHT_HIP = COCO17.index("left_hip"), COCO17.index("right_hip")
OTHER_SIDE = {"left": "right", "right": "left"}
MIRROR_COCO = [
    COCO17.index("_".join(OTHER_SIDE.get(word, word) for word in name.split("_"))) for name in COCO17
]
MIRROR_POINTS = [*MIRROR_JOINTS, *(24 + k for k in MIRROR_COCO)]


@dataclass(frozen=True, eq=False)
class LabelledClip:
    """T frames with the P people who are labelled in them; what is unknown is zero, and the masks say so."""

    images: NDArray[np.uint8]  # (T, H, W, 3) RGB
    K: Singles  # (T, 3, 3) px
    camera_known: bool  # else K is a guess and another will do as well
    everyone: bool  # all who are to be seen are labelled, so that heatmaps can be taught
    first_box_px: Singles  # (P, 4) xyxy of whom a detector would find in the first frame, cut at the edge
    found: NDArray[np.bool_]  # (P,) who that is
    keypoints_px: Singles  # (T, P, 17, 3) COCO-17, 1 if it is seen, else 0
    rotations: Singles  # (T, P, 24, 3, 3)
    betas: Singles  # (P, 10)
    about_pelvis: Singles  # (T, P, 41, 3) metres, of `points_about_pelvis`
    points_px: Singles  # (T, P, 41, 2)
    rho: Singles  # (T, P) log of px per metre
    size_px: Singles  # (T, P)
    pointed: Singles  # (T, P, 41) 1 or a detector's confidence where a point is known
    posed: NDArray[np.bool_]  # (T, P)
    placed: NDArray[np.bool_]  # (T, P)
    shaped: NDArray[np.bool_]  # (P,)

    def __len__(self) -> int:
        return len(self.images)


def clip_of_scene(clip: Clip, body: BodyModel) -> LabelledClip:
    """A clip of `choros.scenes.stream`: hidden people are as well known as others.

    Somebody counts as found in the first frame if enough of them is to be seen there. Whoever has left the
    picture has no truth until they are back, and children no betas, since betas cannot say what they are.
    """
    truth = clip.truth
    pose = np.concatenate([truth.global_orient, truth.body_pose], -1)
    rotations = Rotation.from_rotvec(pose.reshape(-1, 3)).as_matrix().reshape(*pose.shape[:2], 24, 3, 3)
    pelvis = truth.joints_cam[:, :, 0].astype(np.float64)
    about = _about_pelvis(rotations, truth.betas, body)
    about[:, :, :24] = truth.joints_cam - truth.joints_cam[:, :, :1]  # children's too
    grown = truth.kid == 0

    known = truth.in_frame & (pelvis[..., 2] > NEAR_M)
    points = about + pelvis[:, :, None]
    before = (points[..., 2] > NEAR_M / 3) & known[..., None]
    points_px = project(np.where(before[..., None], points, [0, 0, 1]), truth.K[:, None, None])
    pointed = before.astype(np.float32)
    pointed[:, :, 24:] *= grown[:, None]  # keypoints of the skin were made without the child's axis
    rho = np.log(truth.K[:, None, 0, 0] / np.where(known, pelvis[..., 2], 1))
    return LabelledClip(
        images=clip.images,
        K=truth.K.astype(np.float32),
        camera_known=True,
        everyone=True,
        first_box_px=truth.box_px[0],
        found=truth.visible[0],
        keypoints_px=truth.keypoints_px,
        rotations=rotations.astype(np.float32),
        betas=truth.betas,
        about_pelvis=about.astype(np.float32),
        points_px=np.where(before[..., None], points_px, 0).astype(np.float32),
        rho=np.where(known, rho, 0).astype(np.float32),
        size_px=(HEIGHT_M * np.exp(np.where(known, rho, 0))).astype(np.float32),
        pointed=pointed,
        posed=known & grown,
        placed=known & grown,
        shaped=grown,
    )


def clip_of_samples(
    images: Sequence[NDArray[np.uint8]],  # (H, W, 3) RGB each, of one size
    samples: Sequence[Sample],
    body: BodyModel,
) -> LabelledClip:
    """Consecutive frames of a public set. A person who has no box and no keypoints in a frame is unknown there.

    Keypoints are taken by COCO's names, hips narrowed (A.4). SMPL's parameters count where they are of the
    neutral "smpl" model, pose and shape only; those in world axes are turned by the camera's.
    """
    height, width = images[0].shape[:2]
    names = list(
        dict.fromkeys(p.identity if len(samples) > 1 else i for s in samples for i, p in enumerate(s.people))
    )
    T, P = len(samples), len(names)
    camera_known = all(sample.K is not None for sample in samples)
    focal = default_focal_px(width, height)
    guess = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    keypoints, boxes = np.zeros((T, P, 17, 3)), np.full((T, P, 4), np.nan)
    rotations = np.tile(np.eye(3), (T, P, 24, 1, 1))
    betas, posed, shaped = np.zeros((P, 10)), np.zeros((T, P), bool), np.zeros(P, bool)
    for t, sample in enumerate(samples):
        for i, person in enumerate(sample.people):
            p = names.index(person.identity if len(samples) > 1 else i)
            keypoints[t, p] = to_coco17(person)
            boxes[t, p] = _box(person, keypoints[t, p])
            if person.smpl is not None and person.smpl.model == "smpl":
                pose = np.concatenate([person.smpl.global_orient, person.smpl.body_pose]).reshape(24, 3)
                rotations[t, p] = Rotation.from_rotvec(pose).as_matrix()
                if sample.space == "world" and sample.T_world_camera is not None:
                    rotations[t, p, 0] = sample.T_world_camera[:3, :3].T @ rotations[t, p, 0]
                posed[t, p] = sample.space == "camera" or sample.T_world_camera is not None
                if person.smpl.betas is not None:
                    betas[p], shaped[p] = person.smpl.betas[:10], posed[t, p]
    points_px, pointed = np.zeros((T, P, N_POINTS, 2)), np.zeros((T, P, N_POINTS))
    narrow, weight = narrow_hips(keypoints)
    points_px[:, :, 24:], pointed[:, :, 24:] = keypoints[..., :2], keypoints[..., 2]
    for joint, keypoint in (("left_hip", LEFT_HIP), ("right_hip", RIGHT_HIP)):
        j = JOINT_NAMES.index(joint)
        points_px[:, :, j], pointed[:, :, j] = narrow[:, :, keypoint], weight
        pointed[:, :, 24 + keypoint] = 0
    boxes = np.clip(boxes, 0, [width, height] * 2)
    size = np.nan_to_num(np.max(boxes[..., 2:] - boxes[..., :2], -1), nan=1.0)
    return LabelledClip(
        images=np.stack(images),
        K=np.stack([guess if s.K is None else s.K for s in samples]).astype(np.float32),
        camera_known=camera_known,
        everyone=False,
        first_box_px=np.nan_to_num(boxes[0]).astype(np.float32),
        found=np.isfinite(boxes[0, :, 0]) & (size[0] >= 8),
        keypoints_px=keypoints.astype(np.float32),
        rotations=rotations.astype(np.float32),
        betas=betas.astype(np.float32),
        about_pelvis=_about_pelvis(rotations, betas, body).astype(np.float32),
        points_px=points_px.astype(np.float32),
        rho=np.zeros((T, P), np.float32),
        size_px=np.maximum(size, 8).astype(np.float32),
        pointed=pointed.astype(np.float32),
        posed=posed,
        placed=np.zeros((T, P), bool),
        shaped=shaped,
    )


def narrow_hips(keypoints_px: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where SMPL's hips are by annotators' COCO-17 keypoints (..., 17, 3) x, y, confidence (A.4).

    Gives the keypoints (..., 17, 2), hips half as far apart about the same middle, and a confidence (...,) that
    is 0 unless both hips are known: one alone does not tell where the middle is.
    """
    points = keypoints_px[..., :2].copy()
    hips = points[..., [LEFT_HIP, RIGHT_HIP], :]
    middle = hips.mean(-2, keepdims=True)
    points[..., [LEFT_HIP, RIGHT_HIP], :] = middle + (hips - middle) / HIPS_APART
    return points, keypoints_px[..., [LEFT_HIP, RIGHT_HIP], 2].min(-1)


def windowed(clip: LabelledClip, window_px: tuple[int, int, int, int], size: int) -> LabelledClip:
    """What a ``window_px`` (x0, y0, x1, y1) of the picture shows, in a square of ``size`` px.

    People who are out of the window are out of the picture: not found, and not known.
    """
    x0, y0, x1, y1 = window_px
    frames = np.stack([_cut(image, window_px, size) for image in clip.images])
    box = Letterbox(x1 - x0, y1 - y0, size)
    scale = size / max(x1 - x0, y1 - y0)
    offset = np.array([box.left_px, box.top_px]) - scale * np.array([x0, y0])
    affine = np.array([[scale, 0, offset[0]], [0, scale, offset[1]], [0, 0, 1]])

    known = clip.pointed[..., None] > 0
    low = clip.points_px.min(-2, initial=np.inf, where=known)
    high = clip.points_px.max(-2, initial=-np.inf, where=known)
    inside = np.all((high > [x0, y0]) & (low < [x1, y1]), -1)  # (T, P)
    cut = np.clip(clip.first_box_px, [x0, y0, x0, y0], [x1, y1, x1, y1])
    area, left = (np.prod(np.maximum(b[:, 2:] - b[:, :2], 0), -1) for b in (clip.first_box_px, cut))
    seen = np.all((clip.keypoints_px[..., :2] > [x0, y0]) & (clip.keypoints_px[..., :2] < [x1, y1]), -1)
    keypoints = clip.keypoints_px * [scale, scale, 1] + [*offset, 0]
    keypoints[..., 2] *= seen
    return replace(
        clip,
        images=frames,
        K=(affine @ clip.K).astype(np.float32),
        first_box_px=(cut * scale + np.tile(offset, 2)).astype(np.float32),
        found=clip.found & (left > 0.3 * area) & inside[0],
        keypoints_px=keypoints.astype(np.float32),
        points_px=(clip.points_px * scale + offset).astype(np.float32),
        rho=(clip.rho + np.log(scale)).astype(np.float32),
        size_px=(clip.size_px * scale).astype(np.float32),
        pointed=clip.pointed * inside[..., None],
        posed=clip.posed & inside,
        placed=clip.placed & inside,
    )


def whole(clip: LabelledClip, size: int) -> LabelledClip:
    """The whole picture in a square of ``size`` px."""
    height, width = clip.images.shape[1:3]
    return windowed(clip, (0, 0, width, height), size)


def mirrored(clip: LabelledClip) -> LabelledClip:
    """Left and right exchanged, in the picture and in everybody."""
    width = clip.images.shape[2]
    flip = np.diag([-1.0, 1, 1])
    K = flip @ clip.K @ flip
    K[:, 0, 2] = width - clip.K[:, 0, 2]
    box = clip.first_box_px[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [width, 0, width, 0]
    keypoints = clip.keypoints_px[:, :, MIRROR_COCO] * [-1, 1, 1] + [width, 0, 0]
    points = clip.points_px[:, :, MIRROR_POINTS] * [-1, 1] + [width, 0]
    return replace(
        clip,
        images=np.ascontiguousarray(clip.images[:, :, ::-1]),
        K=K.astype(np.float32),
        first_box_px=box.astype(np.float32),
        keypoints_px=keypoints.astype(np.float32),
        rotations=(flip @ clip.rotations[:, :, list(MIRROR_JOINTS)] @ flip).astype(np.float32),
        about_pelvis=(clip.about_pelvis[:, :, MIRROR_POINTS] * [-1, 1, 1]).astype(np.float32),
        points_px=points.astype(np.float32),
        pointed=clip.pointed[:, :, MIRROR_POINTS],
    )


def _about_pelvis(
    rotations: NDArray[np.float64], betas: NDArray[np.floating], body: BodyModel
) -> NDArray[np.float64]:
    """(T, P, 41, 3)"""
    with torch.inference_mode():
        turns = torch.as_tensor(rotations, dtype=body.dtype)
        shapes = torch.as_tensor(betas, dtype=body.dtype).expand(*turns.shape[:2], 10)
        return points_about_pelvis(turns, shapes, body).double().numpy()


def _box(person: PersonLabel, keypoints: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4,) xyxy of a label, around the keypoints with a margin if it has no box, NaN if it has neither."""
    if person.box_px is not None:
        return person.box_px
    known = keypoints[keypoints[:, 2] > 0, :2]
    if len(known) < 4:
        return np.full(4, np.nan)
    low, high = known.min(0), known.max(0)
    margin = 0.1 * (high - low).max()
    return np.concatenate([low - margin, high + margin])


def _cut(image: NDArray[np.uint8], window_px: tuple[int, int, int, int], size: int) -> NDArray[np.uint8]:
    """The window of an image (H, W, 3), black where it reaches beyond, as `Letterbox` brings it to a square."""
    x0, y0, x1, y1 = window_px
    width, height = x1 - x0, y1 - y0
    shift = np.array([[1, 0, -x0], [0, 1, -y0]], np.float64)
    part = cv2.warpAffine(image, shift, (width, height), flags=cv2.INTER_LINEAR)
    return Letterbox(width, height, size).image(np.asarray(part, np.uint8))
