"""Every system that is registered, and the toy, small and with a detector that a test chooses."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from choros import systems
from choros.body import BodyModel
from choros.comotion.config import PRESETS
from choros.comotion.network import ComotionNetwork
from choros.comotion.system import Comotion
from choros.detection import PersonFinder
from choros.fourdhumans.phalp.system import FourDHumans
from choros.lifter.pose_engine import make as lift_engine
from choros.lifter.system import LifterSystem
from choros.video import VideoWriter
from tests.trace.told import told_trace
from tests.tracking.toy import ToySystem

TINY = replace(
    PRESETS["small"],
    image_size_px=64,
    image_width=16,
    attention_width=16,
    head_width=16,
    tokens=2,
    anchors=("pelvis", "head"),
    token_width=16,
    encoder_width=16,
    hidden_width=8,
    rounds=1,
    learned_initialisation=False,  # a body that stands in the box
)


class Glance(torch.nn.Module):
    """A trunk that costs nothing."""

    channels, strides = (8,), (8,)

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv = torch.nn.Conv2d(3, 8, 8, 8)

    def forward(self, images):
        return [self.conv(images)]


class Standing:
    """Keypoints of somebody who stands in each box."""

    def estimate(self, image, boxes_px):
        pose = np.array([
            [.5, .08], [.53, .06], [.47, .06], [.57, .08], [.43, .08], [.65, .2], [.35, .2], [.72, .36], [.28, .36],
            [.74, .5], [.26, .5], [.6, .52], [.4, .52], [.6, .75], [.4, .75], [.6, .96], [.4, .96],
        ])  # fmt: skip
        points = boxes_px[:, None, :2] + pose * (boxes_px[:, None, 2:] - boxes_px[:, None, :2])
        return np.concatenate([points, np.full((*points.shape[:2], 1), 0.9)], -1).astype(np.float32)


class Told:
    """A detector that finds what it was told."""

    def __init__(self, *boxes, score=0.9):
        self.boxes, self.score = boxes, score

    def detect(self, image):
        boxes = np.array(self.boxes, np.float32).reshape(-1, 4)
        return boxes, np.full(len(boxes), self.score, np.float32)


class Bright:
    """A detector that finds a red, a green and a blue thing."""

    def detect(self, image):
        boxes = []
        for channel in range(3):
            others = np.delete(image, channel, -1).max(-1)
            y, x = np.nonzero((image[..., channel] > 150) & (others < 90))
            if len(x) > 20:
                boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
        return np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), 0.8, np.float32)


def walkers(i: int) -> np.ndarray:
    """A red and a green thing who pass each other; the green one is behind."""
    image = np.full((120, 160, 3), 60, np.uint8)
    image[30:100, 120 - 2 * i : 145 - 2 * i] = [20, 220, 20]
    image[25:105, 15 + 2 * i : 42 + 2 * i] = [220, 20, 20]
    return image


def film_of_walkers(path: Path, frames: int, fps: int) -> Path:
    """The walkers as a video; its path."""
    with VideoWriter(path, 160, 120, Fraction(fps)) as writer:
        for i in range(frames):
            writer.write(walkers(i), Fraction(i, fps))
    return path


def lively() -> ComotionNetwork:
    """A network that nobody taught anything, but that moves people by every bit of what it is given."""
    body = BodyModel.load(detail="light")
    network = ComotionNetwork(replace(TINY, learned_initialisation=True), body, trunk=Glance(), seed=3).eval()
    g = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for module in (network.updater.decode_person, network.initialisation.decode_person):
            module[-1].weight.normal_(std=0.05, generator=g)
    return network


MAKERS = {
    "lifter": lambda detector: LifterSystem(finder=PersonFinder(detector, Standing())),
    "comotion": lambda detector: Comotion(detector=detector, keypoints=Standing(), network=lively()),
    "4dhumans": lambda detector: FourDHumans(
        lift_engine(None, None), finder=PersonFinder(detector, Standing())
    ),
    "trace": told_trace,
    "toy": ToySystem,
}


def registered() -> set[str]:
    """The names that users can give."""
    return set(systems.names())


NAMES = sorted({*registered(), "toy"})


def system_of(name: str, detector) -> object:
    """A small system of that name around a detector."""
    return MAKERS[name](detector)
