"""Everybody that one frame's maps show, as bodies in metres before its camera, in the picture's pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.body import BodyModel
from choros.camera import project_in_front
from choros.crops import Placement
from choros.keypoints import AREA_OF_BOX, box_area, box_of_keypoints, oks
from choros.rotation import interleaved_to_rotmat
from choros.skeleton import COCO17
from choros.trace.cameras import ray_turn, transl_of
from choros.trace.config import TraceConfig
from choros.trace.keypoints import N_KEYPOINTS, read_keypoints
from choros.trace.maps import TraceMaps
from choros.trace.memory import MemoryRules, camera_before, distinct, large_enough
from choros.trace.network import TraceNetwork
from choros.trace.regression import STRAIGHT
from choros.tracking.appearance import Colours, read_colours

Floats = NDArray[np.floating]
Flags = NDArray[np.bool_]


class SeenPeople(NamedTuple):
    """m people of one frame, before its camera; metres, OpenCV axes."""

    height: Floats  # (m,) of their centres, 0 to 1
    camera: Floats  # (m, 3) scale, y, x
    rotations: Floats  # (m, 24, 3, 3)
    betas: Floats  # (m, 10)
    pelvis: Floats  # (m, 3)
    pelvis_before: Floats  # (m, 3) a frame ago, before the camera of then
    way: Floats  # (m, 3) in the world since then: metres in today's axes, or in the camera's numbers
    turn: Floats  # (m, 3, 3) of the camera since then; or of the pelvis in the world
    keypoints_px: Floats  # (m, 17, 3) of the picture, and confidence
    boxes_px: Floats  # (m, 4)
    lab: NDArray[np.float64]  # (m, 3, 3) of `choros.tracking.appearance.Colours`, and its weight
    lab_weight: NDArray[np.float64]  # (m, 3)

    def of(self, which: Flags | NDArray[np.intp]) -> SeenPeople:
        """Some of them."""
        return SeenPeople._make(part[which] for part in self)


@dataclass(frozen=True)
class PeopleRules:
    """Who of the centres is a person; all ours."""

    confident: float = 0.3  # of a keypoint that counts
    keypoints: int = 4  # so many that count must be there
    same_oks: float = 0.5  # of two this alike the lower is no other person
    box_margin: float = 0.12  # boxes are about the keypoints, with so much of their longer side around


#: COCO's hips, between which the release places people; nearer points than this are not before the camera.
HIPS, NEAR_M = [COCO17.index("left_hip"), COCO17.index("right_hip")], 0.1


def nobody() -> SeenPeople:
    """No people."""
    shapes = ((), (3,), (24, 3, 3), (10,), (3,), (3,), (3,), (3, 3), (17, 3), (4,), (3, 3), (3,))
    return SeenPeople(*(np.zeros((0, *shape)) for shape in shapes))


def seen_people(
    network: TraceNetwork,
    maps: TraceMaps,
    places: Tensor,  # (m, 3) depth, y and x of cells
    K: NDArray[np.float64],  # (3, 3) of the picture
    lies: Placement,
    body: BodyModel,
    memory: MemoryRules,
    image: NDArray[np.uint8],
) -> SeenPeople:
    """Who is at the places of one frame's maps; the ``image`` tells the colours of their clothes."""
    if not len(places):
        return nobody()
    colours = Colours(np.zeros((len(places), 3, 3)), np.zeros((len(places), 3)))
    config = network.config
    samples = network.sample(maps, places)
    answers = network.regressors(samples)
    square_K = torch.from_numpy(lies.K(K)).to(answers.camera.dtype)
    before = torch.from_numpy(camera_before(_array(answers.camera), _array(answers.motion), memory))
    rotations = _array(interleaved_to_rotmat(answers.pose6d))
    rotations[:, 0] = _array(ray_turn(answers.camera, square_K, config)) @ rotations[:, 0]
    turned = answers.world_rotation6d
    if config.metric_motion:
        turned = turned - answers.pose6d[:, 0] + answers.pose6d.new_tensor(STRAIGHT)
    pelvis, was = (_array(transl_of(at, square_K, config)) for at in (answers.camera, before.to(square_K)))
    if config.keypoints:
        keypoints, boxes = _in_picture(maps, places, lies, config)
        colours = read_colours(image, keypoints.astype(np.float64))
    else:
        points = _about_pelvis(body, rotations, answers.betas)
        if config.placed_by_hips:
            to_pelvis = -points[:, HIPS].mean(1)
            pelvis, was = pelvis + to_pelvis, was + to_pelvis
        keypoints = np.zeros((len(places), N_KEYPOINTS, 3))
        boxes = _around(points + pelvis[:, None], K)
    return SeenPeople(
        _array(samples.score).clip(0, 1), _array(answers.camera), rotations, _array(answers.betas), pelvis, was,
        _array(answers.world_motion), _array(interleaved_to_rotmat(turned)), keypoints, boxes,
        colours.lab, colours.weight,
    )  # fmt: skip


def believable(people: SeenPeople, subjects: int | None, memory: MemoryRules, rules: PeopleRules) -> Flags:
    """Which of the people (m,) are somebody, and each another person."""
    keep = large_enough(people.camera, subjects, memory)
    shown = people.keypoints_px[..., 2]
    if shown.any():  # only where the network's features have keypoints
        keep = keep & ((shown >= rules.confident).sum(-1) >= rules.keypoints)
        area = AREA_OF_BOX * box_area(people.boxes_px)
        alike = oks(people.keypoints_px, people.keypoints_px, area)
        rank = np.argsort(np.argsort(-people.height, kind="stable"))
        keep &= ~((alike > rules.same_oks) & (rank[None] < rank[:, None]) & keep[None]).any(1)
    which = np.flatnonzero(keep)
    keep[which] = distinct(people.camera[which], people.height[which], memory)
    return np.asarray(keep)


def busy_boxes(answers: Tensor, lies: Placement, stride: int, least: float = -1.8) -> NDArray[np.float32]:
    """Boxes (n, 4) xyxy px of the picture in which some keypoint may be: what is none of the background."""
    heat = answers[0, :N_KEYPOINTS].amax(0).numpy(force=True)
    mask = cv2.dilate((heat > least).astype(np.uint8), np.ones((5, 5), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    x, y, width, height = (stats[1:, k].astype(np.float64) for k in range(4))
    corners = np.stack([np.stack([x, y], -1), np.stack([x + width, y + height], -1)], 1) * stride
    return np.asarray(lies.from_crop(corners).reshape(-1, 4), np.float32)


def _in_picture(
    maps: TraceMaps, places: Tensor, lies: Placement, config: TraceConfig
) -> tuple[Floats, Floats]:
    """Keypoints (m, 17, 3), and boxes (m, 4) about them, px."""
    found = _array(read_keypoints(maps.inputs, places[:, 1:], config.map_size)[0])
    found[..., :2] = lies.from_crop(found[..., :2] * config.input_stride)
    box = box_of_keypoints(found, PeopleRules.confident)
    every = box_of_keypoints(np.concatenate([found[..., :2], np.ones_like(found[..., :1])], -1))
    box = np.where(np.isfinite(box).all(-1, keepdims=True), box, every)
    return found, _wider(box)


def _about_pelvis(body: BodyModel, rotations: Floats, betas: Tensor) -> Floats:
    """COCO's keypoints (m, 17, 3) and joints (m, 24, 3) after them, of bodies with their pelvis at 0, metres."""
    turns = torch.from_numpy(rotations).to(betas)
    joints, keypoints = body.about_pelvis(turns, betas, body.skinned_points("coco17"))
    return _array(torch.cat([keypoints, joints], -2))


def _around(points_cam: Floats, K: NDArray[np.float64]) -> Floats:
    """Boxes (m, 4) px about points (m, k, 3) before the camera."""
    points_px, in_front = project_in_front(points_cam, K, NEAR_M)
    points_px = np.where(in_front[..., None], points_px, 0)
    return _wider(box_of_keypoints(np.concatenate([points_px, np.ones_like(points_px[..., :1])], -1)))


def _wider(box: Floats) -> Floats:
    margin = PeopleRules.box_margin * (box[:, 2:] - box[:, :2]).max(-1, keepdims=True)
    return np.asarray(box + margin * np.array([-1, -1, 1, 1]))


def _array(tensor: Tensor) -> Floats:
    return np.asarray(tensor.numpy(force=True), np.float64).copy()
