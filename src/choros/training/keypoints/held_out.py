"""What a keypoint network is worth on people with true joints whom it has not seen.

They are measured as they are, and once more turned by any angle, in a box that is tight about their joints: ordinary
people, who stand in for those on their hands.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from choros.crops import turned_square
from choros.detection.eyes.dark import peaks
from choros.keypoints import AREA_OF_BOX, oks, on_a_neighbour
from choros.training.keypoints.network import CELL_PX
from choros.training.keypoints.people import CROP, People, Person

#: Of turned people: the box's sides over those around their joints, give or take; how many joints must be known for
#: that; the side of their picture, px, over that of their box.
GROWN, SQUEEZED, LEAST_JOINTS, ROOM = 1.25, 0.12, 8, 2.5
_MOST_PX = 640


@torch.inference_mode()
def found(network: nn.Module, people: People) -> NDArray[np.float64]:  # (n, 17, 3)
    """Everybody's keypoints x, y, px of their picture, and confidence."""
    answers = []
    for person in people.people:
        crop = CROP.around(person.box_px)
        picture = torch.from_numpy(crop.cut(people.pictures[person.picture])).permute(2, 0, 1)[None]
        maps: Tensor = network(picture.float() * (2 / 255) - 1).sigmoid()
        points = peaks(maps[0].numpy()).astype(np.float64)
        points[:, :2] = crop.from_crop(points[:, :2] * CELL_PX)
        answers.append(points)
    return np.stack(answers)


def measured(network: nn.Module, people: People) -> dict[str, float]:
    """Of a network, as `scores`."""
    return scores(found(network, people), people)


def scores(found: NDArray[np.float64], people: People) -> dict[str, float]:
    """Mean OKS, PCK at .05 and .1 of the longer side of the box, and the share of people found on a neighbour.

    ``found`` are keypoints (n, 17, 3) of the people, x and y in px of their picture.
    """
    alike, near, stolen = [], [], []
    for person, points in zip(people.people, found, strict=True):
        truth, area = person.keypoints_px, AREA_OF_BOX * person.area_px
        shown = np.c_[points[:, :2], np.ones(17)]
        alike.append(oks(truth[None], shown[None], np.array([area]))[0, 0])
        known = truth[:, 2] > 0
        side = (person.box_px[2:] - person.box_px[:2]).max()
        near.append(np.linalg.norm(points[:, :2] - truth[:, :2], axis=-1)[known] / side)
        everyone = np.concatenate([truth[None], person.others_px])
        repeated = np.repeat(points[None], len(everyone), 0)
        stolen.append(on_a_neighbour(repeated, everyone, np.full(len(everyone), area))[0])
    errors = np.concatenate(near)
    return {
        "oks": float(np.mean(alike)),
        "pck_05": float((errors < 0.05).mean()),
        "pck_10": float((errors < 0.1).mean()),
        "on_a_neighbour": float(np.mean(stolen)),
    }


def turned(people: People, times: int = 2, seed: int = 1) -> People:
    """Everybody with enough joints, each in so many pictures of their own that are turned by any angle."""
    rng = np.random.default_rng(seed)
    pictures: list[NDArray[np.uint8]] = []
    moved: list[Person] = []
    for person in people.people:
        if (person.keypoints_px[:, 2] > 0).sum() < LEAST_JOINTS:
            continue
        for _ in range(times):
            picture, somebody = _turned(person, people.pictures[person.picture], len(pictures), rng)
            pictures.append(picture)
            moved.append(somebody)
    return People(pictures, moved)


def _turned(
    person: Person, picture: NDArray[np.uint8], number: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Person]:
    """Somebody's surroundings, turned, and they in them."""
    middle = (person.box_px[:2] + person.box_px[2:]) / 2
    side = ROOM * float((person.box_px[2:] - person.box_px[:2]).max())
    image, affine = turned_square(
        picture, middle, side, rng.uniform(-np.pi, np.pi), False, min(round(side), _MOST_PX)
    )

    def there(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([points[..., :2] @ affine[:, :2].T + affine[:, 2], points[..., 2:]], -1)

    points = there(person.keypoints_px)
    known = points[points[:, 2] > 0, :2]
    low, high = known.min(0), known.max(0)
    half = (high - low) / 2 * (GROWN + rng.uniform(-SQUEEZED, SQUEEZED, 2))
    box = np.r_[(low + high) / 2 - half, (low + high) / 2 + half]
    return image, Person(number, box, points, person.absent, there(person.others_px))
