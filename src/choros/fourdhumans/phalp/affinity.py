"""The people of one picture, lifted by a pose engine, and what they cost as each of those who are expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from choros.detection import Detections
from choros.fourdhumans.phalp.config import PhalpConfig
from choros.fourdhumans.phalp.cost import Distances, cost_of, pose_distance, similarity_of
from choros.fourdhumans.phalp.texture import Skin, Texture, nothing, unlikeness
from choros.fourdhumans.phalp.tracks import Tracks, picture_place
from choros.tracking.likelihood import evidence
from choros.tracking.online import Affinity, Flags, Moment
from choros.tracking.pose_engine import Posed, PoseEngine
from choros.tracking.sights import overlap_with_others

Floats = NDArray[np.float64]


class FrameDetections(NamedTuple):
    """What one picture shows by itself; bodies follow when its camera is known."""

    people: Detections
    image: NDArray[np.uint8]

    @property
    def boxes_px(self) -> NDArray[np.float32]:
        """(m, 4) xyxy."""
        return self.people.boxes_px

    @property
    def scores(self) -> NDArray[np.float32]:
        """(m,) 0 to 1."""
        return self.people.scores


class Seen(NamedTuple):
    """m people of this frame, lifted."""

    rotations: Floats  # (m, 24, 3, 3)
    betas: Floats  # (m, 10)
    transl: Floats  # (m, 3)
    pelvis: Floats  # (m, 3) metres
    place: Floats  # (m, 3) as of `Expected`
    texture: Texture
    keypoints: Floats  # (m, 17, 3) px
    evidence: Floats  # (m,) log odds that it is somebody
    overlap: Floats  # (m,) IoU with the box nearest to theirs
    bodily: Flags  # (m,) who shows enough keypoints
    posed: Posed  # as the engine poses them in this picture alone


@dataclass(frozen=True)
class PhalpAffinity(Affinity):
    """What assigning each pair saves, and what it was told from."""

    seen: Seen


def lifted(
    engine: PoseEngine, skin: Skin | None, moment: Moment[FrameDetections], config: PhalpConfig
) -> Seen:
    """The detections of a frame as 3D people; without a ``skin`` nothing is known of their looks."""
    people, image, K = moment.found.people, moment.found.image, moment.K
    keypoints, boxes_px = people.keypoints.astype(np.float64), people.boxes_px.astype(np.float64)
    posed = engine.pose(image, people, K)
    pelvis = np.asarray(posed.joints_cam, np.float64)[:, 0]
    texture = nothing(len(people)) if skin is None else skin.read(image, posed, keypoints, K)
    return Seen(
        np.asarray(posed.rotations, np.float64),
        np.asarray(posed.betas, np.float64),
        np.asarray(posed.transl, np.float64),
        pelvis,
        picture_place(pelvis, K, max(moment.width, moment.height)),
        texture,
        keypoints,
        evidence(people.scores.astype(np.float64), keypoints, config.alike),
        overlap_with_others(boxes_px),
        (keypoints[..., 2] >= config.confident).sum(-1) >= config.min_keypoints,
        posed,
    )


def distances(
    tracks: Tracks, seen: Seen, config: PhalpConfig, height: Floats, height_px: Floats
) -> Distances:
    """How far everybody who is expected is from everybody seen; 0 in what is left out of the cost.

    Of the picture that is in heights (n,) of whoever is expected, in longer sides of it; ``height_px`` in px.
    """
    away = seen.place[None] - tracks["place"][:, None]
    zero = np.zeros(away.shape[:2])
    looks = zero
    if config.use_appearance:
        known = Texture(tracks["texture_lab"], tracks["texture_weight"])
        looks = unlikeness(known, seen.texture, config.texture)
    pose = zero
    if config.use_pose:
        told = 1 / (1 + (config.cost.half_pose_px / height_px) ** 2)
        pose = pose_distance(tracks["rotations"], tracks["betas"], seen.rotations, seen.betas)
        pose = np.minimum(pose, config.cost.most_pose) * told[:, None]
    if not config.use_place:
        return Distances(looks, pose, zero, zero)
    apart = np.linalg.norm(away[..., :2], axis=-1) / height[:, None]
    return Distances(looks, pose, apart, abs(away[..., 2]))


def affinity_of(
    tracks: Tracks, boxes_px: Floats, seen: Seen, config: PhalpConfig, moment: Moment[FrameDetections]
) -> PhalpAffinity:
    """Who may be whom, expected in ``boxes_px`` (n, 4); whoever shows too few keypoints is nobody."""
    height = np.maximum(boxes_px[:, 3] - boxes_px[:, 1], 1.0) / max(moment.width, moment.height)
    width = tracks["half_width"][:, :2].mean(-1) / height
    apart = distances(tracks, seen, config, height, height * max(moment.width, moment.height))
    cost = cost_of(apart, width, tracks["half_width"][:, 2], config.cost)
    similar = similarity_of(cost, moment.time_s - tracks["seen_s"], config.cost)
    return PhalpAffinity(np.where(seen.bodily, similar, -np.inf), seen)
