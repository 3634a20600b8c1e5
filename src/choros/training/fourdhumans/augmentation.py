"""How a crop of a person is cut to be learned from, each time another way; numbers are of `recipe.Augmentation`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.crops import CropSpec, Floats, turned_square
from choros.datasets.hmr_npz import HMR44
from choros.fourdhumans.hmr2.config import CROP
from choros.rotation import rotmat_about
from choros.skeleton import MIRROR_JOINTS
from choros.training.fourdhumans.keypoints44 import MIRROR44
from choros.training.fourdhumans.labels import Label, bounds
from choros.training.fourdhumans.recipe import Augmentation

SIDE_PX = CROP.size_px[0]

#: Smaller parts of a person are not cut to, px (release).
LEAST_PX = 4.0

#: Words that names of keypoints of a part of the body have in them.
_HEAD = ("nose", "eye", "ear", "head", "jaw", "neck")
_LEG = ("hip", "knee", "ankle", "toe", "heel")
_ARM = ("shoulder", "elbow", "wrist")
_TRUNK = ("hip", "pelvis", "spine", "thorax", "shoulder")

#: Parts that a crop may be cut to, as words of the keypoints that stay; a side where it is one's alone.
PARTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "above the hips": ((*_HEAD, *_ARM, *_TRUNK), ""),
    "shoulders": ((*_HEAD, "shoulder", "thorax"), ""),
    "head": (_HEAD, ""),
    "torso": (_TRUNK, ""),
    "right arm": (_ARM, "right"),
    "left arm": (_ARM, "left"),
    "legs": (_LEG, ""),
    "right leg": (_LEG, "right"),
    "left leg": (_LEG, "left"),
}

#: How often each is taken of somebody who is seen whole, and of somebody of whom the upper half is (release).
WHOLE_SHARES = {name: 0.2 if name == "above the hips" else 0.1 for name in PARTS}
UPPER_SHARES = {name: 0.2 for name in ("shoulders", "head", "torso", "right arm", "left arm")}

#: Room around a part, over that around any keypoints (release).
PART_ROOM, SHOULDER_ROOM = 1.1, 1.2


class CropLabel(NamedTuple):
    """What is known of a person in a crop of them."""

    keypoints: Floats  # (44, 3) x, y in shares of the crop, -.5 to .5 inside; confidence
    joints: Floats  # (44, 4) metres, axes of the crop's camera; confidence
    rotations: Floats  # (24, 3, 3)
    betas: Floats  # (10,)
    posed: bool


class Example(NamedTuple):
    """A crop to learn from."""

    crop: NDArray[np.float32]  # (256, 256, 3) RGB 0..255
    label: CropLabel


class Manner(NamedTuple):
    """How a crop is cut from an image."""

    middle_px: Floats  # (2,) of the square, in the image
    side_px: float
    turn_rad: float  # clockwise, after mirroring
    mirrored: bool
    gain: Floats  # (3,) of the colours

    def cut(self, image: NDArray[np.uint8], size_px: int) -> tuple[NDArray[np.float32], Floats]:
        """The crop (size_px, size_px, 3) 0..255 and the affine map (2, 3) from the image (H, W, 3) to it."""
        cut, affine = turned_square(
            image, self.middle_px, self.side_px, self.turn_rad, self.mirrored, size_px
        )
        return np.clip(cut * self.gain, 0, 255).astype(np.float32), affine


def drawn_manner(
    box_px: Floats,  # (4,) xyxy
    keypoints: Floats,  # (44, 3) x_px, y_px, confidence
    spec: CropSpec,
    rng: np.random.Generator,
    config: Augmentation,
) -> Manner:
    """Moved, scaled, turned, mirrored, in other colours, at times of a part of the person only."""
    box = box_px
    if rng.random() < config.extreme_rate:
        part = part_box(keypoints, rng)
        box = box_px if part is None else part
    side = float(spec.around(box).extent_px[0])
    middle = (box[:2] + box[2:]) / 2 + side * config.shift * rng.normal(size=2).clip(-1, 1)
    side *= 1 + config.scale * float(np.clip(rng.normal(), -1, 1))
    turn = (
        np.deg2rad(config.turn_deg * np.clip(rng.normal(), -2, 2)) if rng.random() < config.turn_rate else 0.0
    )
    mirrored = bool(rng.random() < config.mirror_rate)
    return Manner(middle, side, float(turn), mirrored, rng.uniform(1 - config.gain, 1 + config.gain, 3))


def augmented(
    image: NDArray[np.uint8],  # (H, W, 3) RGB
    label: Label,
    rng: np.random.Generator,
    config: Augmentation,
) -> Example:
    """A crop of the person, each time another way."""
    manner = drawn_manner(label.box_px, label.keypoints, CROP, rng, config)
    crop, affine = manner.cut(image, SIDE_PX)
    return Example(crop, in_crop(label, affine, manner.turn_rad, manner.mirrored))


def in_crop(label: Label, affine: Floats, turn_rad: float, mirrored: bool) -> CropLabel:
    """A label in a crop that shows the image by an ``affine`` map (2, 3): mirrored, then turned clockwise."""
    keypoints, joints = label.keypoints.copy(), label.joints.copy()
    rotations = label.rotations
    keypoints[:, :2] = (keypoints[:, :2] @ affine[:, :2].T + affine[:, 2]) / SIDE_PX - 0.5
    if mirrored:
        keypoints, joints = keypoints[MIRROR44], joints[MIRROR44] * [-1, 1, 1, 1]
        across = np.diag([-1.0, 1, 1])
        rotations = across @ rotations[list(MIRROR_JOINTS)] @ across
    turn = rotmat_about("z", turn_rad)
    joints[:, :3] = joints[:, :3] @ turn.T
    rotations = np.concatenate([turn[None] @ rotations[:1], rotations[1:]])
    return CropLabel(keypoints, joints, rotations, label.betas, label.posed)


def part_box(keypoints: Floats, rng: np.random.Generator) -> Floats | None:  # (44, 3) -> (4,) xyxy
    """The box of a part of somebody who is seen whole, or whose upper half is; None for others, and tiny parts."""
    if _sees(keypoints, ("shoulder", "hip", "knee", "ankle")):
        shares = WHOLE_SHARES
    elif _sees(keypoints, ("shoulder", "elbow", "hip")):
        shares = UPPER_SHARES
    else:
        return None
    name = str(rng.choice(list(shares), p=list(shares.values())))
    part = keypoints.copy()
    part[~_of_part(name), 2] = 0
    if not part[:, 2].any():
        return None
    box = bounds(part)
    room = SHOULDER_ROOM if name == "shoulders" else PART_ROOM
    middle, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]).max() / 2 * room
    return None if 2 * half < LEAST_PX else np.concatenate([middle - half, middle + half])


def _sees(keypoints: Floats, limbs: tuple[str, ...]) -> bool:
    """Whether these limbs of both sides are known, in either half of the 44."""
    known = {name for name, point in zip(HMR44, keypoints, strict=True) if point[2] > 0}
    return all(f"{side}_{limb}" in known for limb in limbs for side in ("left", "right"))


def _of_part(name: str) -> NDArray[np.bool_]:  # (44,)
    words, side = PARTS[name]
    parts = [point.split("_") for point in HMR44]
    return np.array([(not side or side in part) and not set(words).isdisjoint(part) for part in parts])
