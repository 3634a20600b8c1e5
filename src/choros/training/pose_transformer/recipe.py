"""The pose transformer's training in numbers; the paper's (supplement S.4) where it gives them."""

from __future__ import annotations

from dataclasses import dataclass

from choros.training.mocap import MocapRecipe


@dataclass(frozen=True)
class PoseTransformerRecipe(MocapRecipe):
    """A run. The losses are for metres and columns of rotations, means over the instants that are asked for."""

    steps: int = 1500
    clip_norm: float = 10.0
    lr: float = 1e-3  # S.4
    betas: tuple[float, float] = (0.9, 0.95)  # S.4, of AdamW
    weight_decay: float = 0.01
    warmup: int = 50
    ema: float = 0.995
    #: Windows of a step and their frames; a step draws one of these. S.4: 64 windows of 128.
    sizes: tuple[tuple[int, int], ...] = ((20, 40), (12, 64), (6, 128))
    asked: int = 24  # instants of a window that are asked for, at most
    improvised: int = 60  # tracks that the motion model makes up beside the captured ones
    improvised_s: float = 8.0

    joints: float = 4.0  # errors of joints about the pelvis, metres, as the next
    oriented: float = 4.0  # the same in the camera's axes
    place: float = 4.0
    columns: float = 0.3
    shape: float = 0.05
    #: An error at an instant so far from what was seen counts half as much as right beside it: near ones are small.
    halved_s: float = 0.04


POSE_TRANSFORMER_RECIPES = {
    "small": PoseTransformerRecipe(),
    #: The paper does not say how many steps; 51 of 128 is .4, as in the authors' code for actions.
    "paper": PoseTransformerRecipe(steps=200_000, sizes=((64, 128),), asked=51),
}
