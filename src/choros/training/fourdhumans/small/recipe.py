"""The small HMR 2.0's training in numbers: what is filmed and looked at, what each error weighs, for how long."""

from __future__ import annotations

from dataclasses import dataclass, field

from choros.training.fourdhumans.recipe import Augmentation
from choros.training.loop import LoopConfig


@dataclass(frozen=True)
class CropRecipe:
    """The crops that are looked at once, before anything is learned."""

    scenes: int = 200
    fps: int = 4  # of a scene, all of whose frames are looked at
    seconds: float = 6.0
    people: tuple[int, int] = (3, 8)  # at least and at most in a scene
    held_out_scenes: int = 4
    variations: int = 2  # crops of each person in a frame, each another way
    visible: float = 0.35  # share of a person that must be seen
    least_px: float = 48.0  # height of their box
    side_px: int = 512  # of a scene's pictures
    rounds: int = 3  # crops of each person in a picture with marked joints
    pictures: int = 24  # that are looked at and kept together
    held_out: int = 10  # of the pictures one in so many teaches nothing
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class SmallRecipe(LoopConfig):
    """A run. Weights of the errors are for metres, radians and shares of the keypoints' spread, as the lifter's."""

    steps: int = 4000
    ema: float = 0.998
    log_every: int = 100
    checkpoint_every: int = 250
    sample_every: int = 500
    lr: float = 1e-3
    warmup: int = 100  # steps
    keypoint_half: float = 0.1  # share of the rate at which what was the lifter's goes on learning
    weight_decay: float = 1e-2
    batch: tuple[int, int, int] = (
        64,
        24,
        40,
    )  # crops of scenes, of marked people, and sketched without a picture
    crops: CropRecipe = field(default_factory=CropRecipe)
    rotation: float = 0.5
    root_rotation: float = 3.0
    joints: float = 6.0
    reprojection: float = 1.0
    place: float = 1.0
    betas: float = 0.03
    spread: float = 0.05  # of the three heads that say how large the errors are
    taught: float = 0.15  # of what the lifter makes of marked joints, beside the truth of scenes
    sharpness: float = 0.08  # error by which one hypothesis beats another
    shared: float = 0.03  # of the blame that all hypotheses share alike, so that none dies
