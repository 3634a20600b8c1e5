"""What people look like, as the colours of their skin and clothes on the body's own surface (4DHumans, S.6).

Points of the posed mesh that the camera sees, by a depth test among everybody in the picture, are looked up in the
picture; what they show is kept as the mean colour of each part of the body, front and back apart. So a shirt is
remembered as a shirt, whichever way its owner turns. The release keeps a picture of the whole surface, and compares
codes that a network of its own makes of it; such a network is not among ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.model import BodyParams
from choros.camera import project_in_front
from choros.mesh.normals import vertex_normals
from choros.mesh.rasteriser import Canvas
from choros.rotation import rotmat_to_rotvec
from choros.skeleton import COCO17, JOINT_NAMES
from choros.tracking.pose_engine import Posed

Floats = NDArray[np.floating]

#: Parts that are dressed alike, by the joints whose skin they are; left and right are one.
DRESSED = {
    "head": ("neck", "head"),
    "chest": ("spine2", "spine3", "collar", "spine1"),
    "hips": ("pelvis",),
    "upper_arms": ("shoulder",),
    "forearms": ("elbow", "wrist", "hand"),
    "thighs": ("hip",),
    "shins": ("knee",),
    "feet": ("ankle", "foot"),
}
#: Keypoints that must be seen for the picture to show a joint's skin, by side where there are two.
SHOWN_BY = {
    "neck": ("left_shoulder", "right_shoulder"),
    "spine": ("left_shoulder", "right_shoulder"),
    "collar": ("left_shoulder", "right_shoulder"),
    "pelvis": ("left_hip", "right_hip"),
    "hip": ("_hip", "_knee"),
    "knee": ("_knee", "_ankle"),
    "ankle": ("_ankle",),
    "foot": ("_ankle",),
    "shoulder": ("_shoulder", "_elbow"),
    "elbow": ("_elbow", "_wrist"),
    "wrist": ("_wrist",),
    "hand": ("_wrist",),
}  # fmt: skip
PATCHES = 2 * len(DRESSED)  # fronts, then backs


@dataclass(frozen=True)
class TextureRules:
    """How a picture is read, and looks compared; lengths in metres."""

    canvas_px: int = 480  # longer side of the depth test's picture
    within_m: float = 0.06  # of what is nearest to the camera in a pixel a point is seen
    facing: float = 0.2  # least cosine between a point's normal and the ray to the camera
    confident: float = 0.3  # of keypoints that show a part
    #: Points that must be seen of a patch, of all that it has, for its colour to count wholly.
    enough: float = 0.15
    lab_std: tuple[float, float, float] = (10.0, 10.0, 10.0)  # of the same clothes from sight to sight
    share: float = 0.1  # release: of a sure sight in what is remembered, in each frame
    rate_hz: float = 30.0  # the frame rate which that is meant for


class Texture(NamedTuple):
    """``lab`` (n, PATCHES, 3) CIE L*a*b*; ``weight`` (n, PATCHES) 0 to 1, how much of a patch was ever seen."""

    lab: Floats
    weight: Floats


class Skin:
    """The points of one body's surface; the light body's in place of the open one's, which are enough."""

    def __init__(self, body: BodyModel, rules: TextureRules | None = None) -> None:
        self.body = BodyModel.load(detail="light") if body.name == "open" else body
        self.rules = rules or TextureRules()
        self.faces = self.body.faces.numpy().astype(np.int32)
        joints = self.body.skin_weights.argmax(-1).numpy()
        normals = vertex_normals(self.body.template.double().numpy(), self.faces)
        groups = np.array([_group_of(name) for name in JOINT_NAMES])
        self.patches = groups[joints] + len(DRESSED) * (normals[:, 2] < 0)
        self._member = (self.patches == np.arange(PATCHES)[:, None]).astype(np.float64)  # (PATCHES, V)
        self._shown_by = [_shown_by(name) for name in JOINT_NAMES]
        self._joints = joints

    def read(self, image: NDArray[np.uint8], posed: Posed, keypoints: Floats, K: Floats) -> Texture:
        """What an image (H, W, 3) RGB shows of the n people ``posed`` in it, with ``keypoints`` (n, 17, 3) px."""
        if not len(keypoints):
            return nothing(0)
        vertices = self.vertices(posed)
        seen = self.visible(vertices, image.shape[1], image.shape[0], K)
        shown = np.stack([keypoints[:, which, 2].min(-1) for which in self._shown_by], -1)  # (n, 24)
        seen &= (shown >= self.rules.confident)[:, self._joints]
        at_px, _ = project_in_front(vertices, K, 0.1)
        column = np.clip(np.floor(np.nan_to_num(at_px)), 0, [image.shape[1] - 1, image.shape[0] - 1])
        column = column.astype(np.intp)
        rgb = image[column[..., 1], column[..., 0]].astype(np.float32) / 255
        lab = cv2.cvtColor(rgb.reshape(1, -1, 3), cv2.COLOR_RGB2LAB).reshape(rgb.shape)
        count = seen @ self._member.T  # (n, PATCHES)
        mean = np.einsum("pv,nvc->npc", self._member, seen[..., None] * lab) / np.maximum(count, 1)[..., None]
        weight = np.minimum(count / (self.rules.enough * np.maximum(self._member.sum(-1), 1)), 1)
        return Texture(mean, weight)

    def vertices(self, posed: Posed) -> Floats:
        """The surfaces of n people, (n, V, 3) metres, camera axes."""
        pose = torch.from_numpy(rotmat_to_rotvec(posed.rotations).reshape(-1, 72)).float()
        parts = (torch.from_numpy(np.asarray(part)).float() for part in (posed.betas, posed.transl))
        with torch.inference_mode():
            return self.body.vertices(BodyParams(pose[:, :3], pose[:, 3:], *parts)).double().numpy()

    def visible(self, vertices: Floats, width: int, height: int, K: Floats) -> NDArray[np.bool_]:
        """Which points (n, V) of n surfaces a camera sees, of a picture of this size: none hides another's."""
        scale = min(self.rules.canvas_px / max(width, height), 1.0)
        small = np.diag([scale, scale, 1.0]) @ K
        canvas = Canvas(round(width * scale), round(height * scale))
        for number, one in enumerate(vertices):
            canvas.draw(number, one, self.faces, small, cull_back=True)
        high, wide = canvas.depth.shape
        at_px, in_front = project_in_front(vertices, small, 0.1)
        place = np.floor(np.nan_to_num(at_px))
        inside = in_front & ((place >= 0) & (place < [wide, high])).all(-1)
        column, row = np.clip(place, 0, [wide - 1, high - 1]).astype(np.intp).transpose(2, 0, 1)
        nearest = canvas.depth[row, column]
        ray = vertices / np.maximum(np.linalg.norm(vertices, axis=-1, keepdims=True), 1e-9)
        normals = np.stack([vertex_normals(one, self.faces) for one in vertices])
        facing = -(normals * ray).sum(-1) >= self.rules.facing
        own = canvas.mesh[row, column] == np.arange(len(vertices))[:, None]
        return inside & facing & own & (vertices[..., 2] <= nearest + self.rules.within_m)


def nothing(n: int) -> Texture:
    """Of n people of whom nothing was seen."""
    return Texture(np.zeros((n, PATCHES, 3)), np.zeros((n, PATCHES)))


def unlikeness(a: Texture, b: Texture, rules: TextureRules) -> Floats:
    """(n, m) mean squared difference of what of both was seen, in deviations; NaN where nothing was."""
    both = a.weight[:, None] * b.weight[None]
    squared = (((a.lab[:, None] - b.lab[None]) / np.array(rules.lab_std)) ** 2).mean(-1)
    total = both.sum(-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0.2, (both * squared).sum(-1) / total, np.nan)


def remember(old: Texture, new: Texture, share: Floats) -> Texture:
    """Looks after another sight, which counts for ``share`` (n,) of what was seen before, wholly of what was not."""
    step = np.where(old.weight > 0, share[:, None] * new.weight, (new.weight > 0).astype(float))
    return Texture(old.lab + step[..., None] * (new.lab - old.lab), np.maximum(old.weight, new.weight))


def _group_of(joint: str) -> int:
    return next(
        number
        for number, words in enumerate(DRESSED.values())
        if any(joint.removeprefix("left_").removeprefix("right_") == word for word in words)
    )


def _shown_by(joint: str) -> list[int]:
    """Keypoints that show a joint's skin; a head is shown by any of a face, or by its shoulders."""
    side, _, one = joint.rpartition("_")
    words = SHOWN_BY["neck"] if joint == "head" else SHOWN_BY.get(one.rstrip("123"), ())
    return [COCO17.index(side + word if word.startswith("_") else word) for word in words]
