"""What a keypoint network is worth on people with true joints whom it has not seen."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from choros.detection.eyes.dark import peaks
from choros.keypoints import AREA_OF_BOX, oks, on_a_neighbour
from choros.training.keypoints.network import CELL_PX
from choros.training.keypoints.people import CROP, People


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
    """Mean OKS, PCK at .05 and .1 of the longer side of the box, and the share of people found on a neighbour."""
    scores, near, stolen = [], [], []
    for person, points in zip(people.people, found(network, people), strict=True):
        truth, area = person.keypoints_px, AREA_OF_BOX * person.area_px
        shown = np.c_[points[:, :2], np.ones(17)]
        scores.append(oks(truth[None], shown[None], np.array([area]))[0, 0])
        known = truth[:, 2] > 0
        side = (person.box_px[2:] - person.box_px[:2]).max()
        near.append(np.linalg.norm(points[:, :2] - truth[:, :2], axis=-1)[known] / side)
        everyone = np.concatenate([truth[None], person.others_px])
        repeated = np.repeat(points[None], len(everyone), 0)
        stolen.append(on_a_neighbour(repeated, everyone, np.full(len(everyone), area))[0])
    errors = np.concatenate(near)
    return {
        "oks": float(np.mean(scores)),
        "pck_05": float((errors < 0.05).mean()),
        "pck_10": float((errors < 0.1).mean()),
        "on_a_neighbour": float(np.mean(stolen)),
    }
