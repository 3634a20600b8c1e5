"""Clips of made-up people for tests of training: bodies at random places, their keypoints as coloured discs."""

from collections.abc import Generator

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from choros.body import BodyModel
from choros.camera import project, unproject
from choros.comotion.config import ComotionConfig
from choros.comotion.person_states import standing_columns
from choros.datasets.sample import PersonLabel, SmplPose
from choros.rotation import columns_to_rotmat
from choros.skeleton import COCO17
from choros.training.comotion.labelled_clip import HEIGHT_M, LabelledClip
from choros.training.comotion.losses import points_about_pelvis
from choros.training.comotion.recipe import ClipSource, Recipe, TrainingStage

#: A network that trains in no time, with a trunk of `Dots`.
TINY = ComotionConfig(
    trunk="dots", image_size_px=64, image_width=16, attention_width=16, head_width=8, tokens=2, token_width=16,
    encoder_width=16, hidden_width=8, layers_between_people=1, layers_within_person=1, expansion=2,
)  # fmt: skip


class Dots(nn.Module):
    """A trunk of one convolution per scale."""

    channels = (8, 8)
    strides = (8, 16)

    def __init__(self) -> None:
        super().__init__()
        self.scales = nn.ModuleList(nn.Conv2d(3, 8, stride, stride) for stride in self.strides)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [scale(images).relu() for scale in self.scales]


def drawn_clip(
    seed: int, frames: int = 3, people: int = 2, size: int = 64, hidden_at_first: int = 0
) -> LabelledClip:
    """People who walk past; the last ``hidden_at_first`` of them show no keypoint in the first frame."""
    rng = np.random.default_rng(seed)
    body = BodyModel.load(detail="light")
    K = np.array([[size, 0, size / 2], [0, size, size / 2], [0, 0, 1]], np.float32)
    columns = standing_columns() + torch.from_numpy(rng.normal(0, 0.15, (frames, people, 24, 6))).float()
    rotations = columns_to_rotmat(columns)
    betas = torch.from_numpy(rng.normal(0, 0.7, (people, 10))).float()
    about = points_about_pelvis(rotations, betas.expand(frames, -1, -1), body).numpy()
    start = np.stack(
        [rng.uniform(-0.8, 0.8, people), rng.uniform(-0.1, 0.1, people), rng.uniform(3, 5, people)], -1
    )
    pelvis = start + rng.uniform(-0.05, 0.05, (people, 3)) * np.arange(frames)[:, None, None]
    points_px = project(about + pelvis[:, :, None], K.astype(np.float64)).astype(np.float32)
    keypoints = np.concatenate([points_px[:, :, 24:], np.ones((frames, people, 17, 1), np.float32)], -1)
    keypoints[0, people - hidden_at_first :, :, 2] = 0

    images = np.zeros((frames, size, size, 3), np.uint8)
    for t, p in np.ndindex(frames, people):
        for k, (x, y) in enumerate(points_px[t, p]):
            colour = (40 + 5 * k, 255 - 6 * k, 60 + 90 * (p % 3))
            cv2.circle(images[t], (int(x), int(y)), 1, colour, -1)
    low, high = points_px[0].min(1), points_px[0].max(1)
    rho = np.log(size / pelvis[..., 2]).astype(np.float32)
    everyone = np.ones((frames, people), bool)
    return LabelledClip(
        images=images, K=np.tile(K, (frames, 1, 1)), camera_known=True, everyone=True,
        first_box_px=np.clip(np.concatenate([low, high], -1), 0, size),
        found=np.arange(people) < people - hidden_at_first, keypoints_px=keypoints, rotations=rotations.numpy(),
        betas=betas.numpy(), about_pelvis=about, points_px=points_px, rho=rho, size_px=HEIGHT_M * np.exp(rho),
        pointed=np.ones((frames, people, 41), np.float32), posed=everyone, placed=everyone,
        shaped=np.ones(people, bool),
    )  # fmt: skip


def drawn_footage(seed: int, frames: int, start: int) -> Generator[LabelledClip]:
    """As `choros.training.comotion.feed.Footage`."""
    index = start
    while True:
        yield drawn_clip(seed % 1000 + index, frames)
        index += 1


def reprojected(clip):
    """Where K, rho and the points about the pelvis say that points are in the image, px."""
    K = clip.K[:, None].astype(np.float64)
    pelvis = unproject(clip.points_px[:, :, 0].astype(np.float64), K[..., 0, 0] / np.exp(clip.rho), K)
    return project(clip.about_pelvis + pelvis[:, :, None], K[:, :, None])


def labelled_person(identity="a"):
    points = np.zeros((17, 3))
    points[:, 0], points[:, 1], points[:, 2] = np.linspace(10, 40, 17), np.linspace(5, 60, 17), 1
    pose = SmplPose(np.array([np.pi, 0, 0]), np.zeros(69), np.ones(10))
    return PersonLabel(
        identity=identity,
        box_px=np.array([8.0, 2, 44, 70]),
        keypoints_px=points,
        keypoint_names=COCO17,
        smpl=pose,
    )


def stage(name="one", **changes):
    kept = {"steps": 4, "lr": 1e-3, "clips": 2, "warmup": 2, "kept_clips": 4, "reuse": 2.0}
    return TrainingStage(name, (ClipSource("drawn", 2),), **(kept | changes))


def recipe(*stages, **changes):
    kept = {"held_out_clips": 0, "log_every": 1, "checkpoint_every": 2, "people": 2}
    return Recipe("small", stages, **({"held_out": ClipSource("drawn", 3)} | kept | changes))
