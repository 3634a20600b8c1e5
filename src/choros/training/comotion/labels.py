"""Clips for CoMotion's training from what labels them: scenes, samples of public sets, or a system's own answers.

Of scenes all is known. Of the others much is not, and is left out: unknown cameras get a guess that training
replaces, annotators' hips are narrowed to SMPL's (A.4).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.camera import intrinsics, project_in_front
from choros.datasets.sample import PersonLabel, Sample, to_coco17
from choros.keypoints import box_of_keypoints
from choros.motion import Motion
from choros.rotation import rotvec_to_rotmat
from choros.scenes.stream import SceneClip
from choros.skeleton import JOINT_NAMES
from choros.training.comotion.labelled_clip import HEIGHT_M, LEFT_HIP, RIGHT_HIP, LabelledClip, narrow_hips
from choros.training.comotion.losses import N_POINTS, points_about_pelvis

Floats = NDArray[np.float64]

#: Whose pelvis is nearer than this has no place to be taught, metres.
NEAR_M = 0.3

#: Keypoints that a network found count from this confidence on.
SURE = 0.3

#: Smaller people are not given: nothing is to be seen of their pose.
LEAST_SIZE_PX = 8.0


def clip_of_scene(clip: SceneClip, body: BodyModel) -> LabelledClip:
    """A clip of `choros.scenes.stream`: hidden people are as well known as others.

    Somebody counts as found in the first frame if enough of them is to be seen there. Whoever has left the
    picture has no truth until they are back, and children no betas, since betas cannot say what they are.
    """
    truth = clip.truth
    pose = np.concatenate([truth.global_orient, truth.body_pose], -1)
    rotations = rotvec_to_rotmat(pose.reshape(*pose.shape[:2], 24, 3))
    pelvis = truth.joints_cam[:, :, 0].astype(np.float64)
    about = about_pelvis(rotations, truth.betas, body)
    about[:, :, :24] = truth.joints_cam - truth.joints_cam[:, :, :1]  # children's too
    grown = truth.kid == 0

    known = truth.in_frame & (pelvis[..., 2] > NEAR_M)
    points = about + pelvis[:, :, None]
    points_px, before = project_in_front(points, truth.K[:, None, None], NEAR_M / 3)
    before &= known[..., None]
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
    """Consecutive frames of a public set. A person who has no box and few keypoints in a frame is unknown there.

    Keypoints are taken by their names: SMPL's joints as they are, COCO's with the hips narrowed. SMPL's
    parameters count where they are of the "smpl" model; their betas only with a body of that shape space, and
    their places only where K is known.
    """
    height, width = images[0].shape[:2]
    who = [
        [person.identity if len(samples) > 1 else i for i, person in enumerate(sample.people)]
        for sample in samples
    ]
    names = list(dict.fromkeys(name for some in who for name in some))
    labels = _Labels(len(samples), len(names), width, height)
    unknown = intrinsics(width, height)
    K = np.stack([unknown if sample.K is None else sample.K for sample in samples])
    for t, sample in enumerate(samples):
        for name, person in zip(who[t], sample.people, strict=True):
            p = names.index(name)
            labels.boxes[t, p] = label_box(person)
            if "spine1" in person.keypoint_names and person.keypoints_px is not None:
                for joint, point in zip(person.keypoint_names, person.keypoints_px, strict=True):
                    labels.points[t, p, JOINT_NAMES.index(joint)] = point
            else:
                labels.keypoints[t, p] = to_coco17(person)
            smpl = person.smpl
            if smpl is None or smpl.model != "smpl" or sample.space != "camera":
                continue
            labels.pose(t, p, smpl.global_orient, smpl.body_pose)
            if smpl.betas is not None and body.name != "open":
                labels.betas[p], labels.shaped[p] = smpl.betas[:10], True
            if smpl.transl is not None and sample.K is not None:
                at_rest = _rest_pelvis(labels.betas[p], body)
                labels.place(t, p, (smpl.transl + at_rest)[2], K[t, 0, 0])
    known = all(sample.K is not None for sample in samples)
    return labels.clip(np.stack(images), K, known, body)


def clip_of_motion(
    images: Sequence[NDArray[np.uint8]],  # (H, W, 3) RGB each
    motion: Motion,  # of the open body, in camera space
    frames: range,
    body: BodyModel,
) -> LabelledClip:
    """Some frames of real footage with what a system made of them (pseudo-labels).

    Whoever was not seen in a frame is unknown there. Points in the image are the evidence, not the fit; the shape
    is used for the points about the pelvis but is not taught.
    """
    rows = [motion.in_frame(frame) for frame in frames]
    names = np.unique(np.concatenate([some["person"] for some in rows]))
    labels = _Labels(len(rows), len(names), motion.width, motion.height)
    K = motion.frames["K"][frames.start : frames.stop]
    for t, some in enumerate(rows):
        for row in some[some["visible"]]:
            p = int(np.searchsorted(names, row["person"]))
            labels.boxes[t, p] = row["box_px"]
            labels.keypoints[t, p] = row["keypoints_px"]
            labels.keypoints[t, p, row["keypoints_px"][:, 2] < SURE, 2] = 0
            labels.pose(t, p, row["global_orient"], row["body_pose"])
            labels.betas[p] = row["betas"]
            labels.place(t, p, (row["transl"] + _rest_pelvis(row["betas"], body))[2], K[t, 0, 0])
    return labels.clip(np.stack(images), K, False, body)


class _Labels:
    """What becomes known of P people in T frames, piece by piece."""

    def __init__(self, T: int, P: int, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.boxes: Floats = np.full((T, P, 4), np.nan)
        self.keypoints: Floats = np.zeros((T, P, 17, 3))
        self.points: Floats = np.zeros((T, P, N_POINTS, 3))  # x, y, whether it is known
        self.rotations: Floats = np.tile(np.eye(3), (T, P, 24, 1, 1))
        self.betas: Floats = np.zeros((P, 10))
        self.rho: Floats = np.zeros((T, P))
        self.posed, self.placed = np.zeros((T, P), bool), np.zeros((T, P), bool)
        self.shaped = np.zeros(P, bool)

    def pose(self, t: int, p: int, global_orient: Floats, body_pose: Floats) -> None:
        """Person p in frame t has this pose, axis-angle, rad."""
        pose = np.concatenate([global_orient, body_pose]).reshape(24, 3)
        self.rotations[t, p], self.posed[t, p] = rotvec_to_rotmat(pose), True

    def place(self, t: int, p: int, depth_m: float, focal_px: float) -> None:
        """Person p's pelvis is so deep in frame t."""
        if depth_m > NEAR_M:
            self.rho[t, p], self.placed[t, p] = np.log(focal_px / depth_m), True

    def clip(self, images: NDArray[np.uint8], K: Floats, camera_known: bool, body: BodyModel) -> LabelledClip:
        """All of it, with frames (T, H, W, 3) RGB and K (T, 3, 3) px."""
        narrow, both = narrow_hips(self.keypoints)
        known = self.keypoints[..., 2] > 0
        self.points[:, :, 24:][known] = self.keypoints[known]
        for joint, keypoint in (("left_hip", LEFT_HIP), ("right_hip", RIGHT_HIP)):
            j = JOINT_NAMES.index(joint)
            self.points[both > 0, j, :2], self.points[both > 0, j, 2] = (
                narrow[both > 0, keypoint],
                both[both > 0],
            )
            self.points[:, :, 24 + keypoint, 2] = 0
        boxes = np.clip(self.boxes, 0, [self.width, self.height] * 2)
        size = np.nan_to_num(np.max(boxes[..., 2:] - boxes[..., :2], -1), nan=0.0)
        return LabelledClip(
            images=images,
            K=K.astype(np.float32),
            camera_known=camera_known,
            everyone=False,
            first_box_px=np.nan_to_num(boxes[0]).astype(np.float32),
            found=size[0] >= LEAST_SIZE_PX,
            keypoints_px=self.keypoints.astype(np.float32),
            rotations=self.rotations.astype(np.float32),
            betas=self.betas.astype(np.float32),
            about_pelvis=about_pelvis(self.rotations, self.betas, body).astype(np.float32),
            points_px=self.points[..., :2].astype(np.float32),
            rho=self.rho.astype(np.float32),
            size_px=np.maximum(size, LEAST_SIZE_PX).astype(np.float32),
            pointed=self.points[..., 2].astype(np.float32),
            posed=self.posed,
            placed=self.placed,
            shaped=self.shaped,
        )


def label_box(person: PersonLabel) -> Floats:
    """(4,) xyxy of a label, around the keypoints with a margin if it has no box, NaN if it has neither."""
    if person.box_px is not None:
        return person.box_px
    keypoints = to_coco17(person)
    if (keypoints[:, 2] > 0).sum() < 4:
        return np.full(4, np.nan)
    box = box_of_keypoints(keypoints, 0.0)
    margin = 0.1 * (box[2:] - box[:2]).max()
    return box + margin * np.array([-1, -1, 1, 1])


def _rest_pelvis(betas: NDArray[np.floating], body: BodyModel) -> Floats:  # (10,) -> (3,)
    with torch.inference_mode():
        return body.rest_joints(torch.as_tensor(betas, dtype=body.dtype))[0].double().numpy()


def about_pelvis(
    rotations: NDArray[np.float64], betas: NDArray[np.floating], body: BodyModel
) -> NDArray[np.float64]:
    """The 24 joints and 17 keypoints of T frames and P people about their pelves, (T, P, 41, 3) metres."""
    with torch.inference_mode():
        turns = torch.as_tensor(rotations, dtype=body.dtype)
        shapes = torch.as_tensor(betas, dtype=body.dtype).expand(*turns.shape[:2], 10)
        return points_about_pelvis(turns, shapes, body).double().numpy()
