"""What the global optimisation knows of everybody (GLAMR, section 3.3), as arrays over frames and people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from choros.camera import project_in_front
from choros.camera_motion.camera_path import UP
from choros.glamr.person_trajectories import PersonTrajectory
from choros.glamr.posed_skeleton import BALL_JOINTS
from choros.motion import Motion
from choros.rotation import heading_rotmat

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

TALL_M = 1.7  # what a person's size in the picture is taken from
LOW_M = 0.03  # how far above the lowest a sole may be and stand
OWN_CONFIDENCE = 0.5  # of the system's own body in the picture, where it names no keypoints
NEAR_M = 0.2  # nothing nearer to the camera counts


@dataclass(frozen=True, eq=False)
class Observations:
    """All that is known of T frames and S places for people; who has left makes place for somebody else."""

    times_s: Floats  # (T,)
    there: Bools  # (T, S) whether somebody is in this place
    linked: Bools  # (T - 1, S) whether it is the same person in the next frame
    seen: Bools  # (T, S)
    K: Floats  # (T, 3, 3) px
    # the posed skeleton, in the axes of the root, metres from the pelvis
    keypoints: Floats  # (T, S, 17, 3)
    soles: Floats  # (T, S, 4, 3)
    balls: Floats  # (T, S, 14, 3) centres of ``posed_skeleton.BALLS``
    # the picture
    keypoints_px: Floats  # (T, S, 17, 2)
    confidence: Floats  # (T, S, 17) 0 without evidence, to 1
    size_px: Floats  # (T, S) of the person in the picture
    R_camera_root: Floats  # (T, S, 3, 3) as the system had it
    depth_m: Floats  # (T, S) of the pelvis, as the system had it
    # the trajectory predictor
    step: Floats  # (T - 1, S, 3) metres to the next frame, in the axes of the heading
    turn: Floats  # (T - 1, S, 3, 3) R_root_next
    up_root: Floats  # (T, S, 3) the world's up in the axes of the root
    height_m: Floats  # (T, S) of the pelvis
    low: Floats  # (T, S, 4) how likely each sole is the one that stands, 0 to 1
    grounded: Floats  # (T, S) how much predicted height and floor count, 0 for who is off it (``floors``)
    flight: NDArray[np.int8]  # (T, S) 2 in the air, 1 near take-off or landing, else 0

    @property
    def dt_s(self) -> Floats:
        """(T - 1,) from each frame to the next."""
        return np.diff(self.times_s)


def places_of(people: Sequence[PersonTrajectory]) -> list[int]:
    """A place for each person, as few as there are people at once: who has left makes place for somebody else."""
    free_from: list[int] = []
    places = [0] * len(people)
    for number in sorted(range(len(people)), key=lambda n: people[n].start):
        one = people[number]
        place = next((p for p, frame in enumerate(free_from) if frame <= one.start), len(free_from))
        if place == len(free_from):
            free_from.append(0)
        free_from[place] = one.frames.stop
        places[number] = place
    return places


def observations_of(motion: Motion, people: Sequence[PersonTrajectory]) -> Observations:
    """What the energies know of everybody, as arrays over frames and places."""
    places = places_of(people)
    T, S = len(motion), max(places) + 1
    eye = np.eye(3)
    observations = Observations(
        times_s=motion.pts_s,
        there=np.zeros((T, S), bool),
        linked=np.zeros((T - 1, S), bool),
        seen=np.zeros((T, S), bool),
        K=motion.K,
        keypoints=np.zeros((T, S, 17, 3)),
        soles=np.zeros((T, S, 4, 3)),
        balls=np.zeros((T, S, len(BALL_JOINTS), 3)),
        keypoints_px=np.zeros((T, S, 17, 2)),
        confidence=np.zeros((T, S, 17)),
        size_px=np.ones((T, S)),
        R_camera_root=np.tile(eye, (T, S, 1, 1)),
        depth_m=np.ones((T, S)),
        step=np.zeros((T - 1, S, 3)),
        turn=np.tile(eye, (T - 1, S, 1, 1)),
        up_root=np.tile(UP, (T, S, 1)),
        height_m=np.zeros((T, S)),
        low=np.zeros((T, S, 4)),
        grounded=np.ones((T, S)),
        flight=np.zeros((T, S), np.int8),
    )
    for one, s in zip(people, places, strict=True):
        now = one.frames
        observations.there[now, s], observations.seen[now, s] = True, one.seen
        observations.keypoints[now, s], observations.soles[now, s] = (
            one.skeleton.keypoints,
            one.skeleton.soles,
        )
        observations.balls[now, s] = one.skeleton.joints[:, BALL_JOINTS]
        observations.R_camera_root[now, s] = one.R_camera_root
        depth = np.where(one.seen, np.maximum(one.root_cam_m[:, 2], NEAR_M), 1)
        observations.depth_m[now, s] = depth
        observations.size_px[now, s] = TALL_M * motion.K[now, 0, 0] / depth
        points_px, confidence = _keypoints(motion, one)
        observations.keypoints_px[now, s], observations.confidence[now, s] = points_px, confidence
        # The predicted path.
        R, place = one.R_path_root, one.path_m
        onward = slice(now.start, now.stop - 1)
        observations.linked[onward, s] = True
        step = np.diff(place, axis=0)
        observations.step[onward, s] = (np.swapaxes(heading_rotmat(R[:-1]), -1, -2) @ step[..., None])[..., 0]
        observations.turn[onward, s] = np.swapaxes(R[:-1], -1, -2) @ R[1:]
        up = np.swapaxes(R, -1, -2) @ UP
        observations.up_root[now, s], observations.height_m[now, s] = up, place[:, 2]
        sole = np.einsum("tki,ti->tk", one.skeleton.soles, up)
        observations.low[now, s] = np.exp(-0.5 * ((sole - sole.min(1, keepdims=True)) / LOW_M) ** 2)
    return observations


def _keypoints(motion: Motion, one: PersonTrajectory) -> tuple[Floats, Floats]:
    """Keypoints (n, 17, 2) px and confidence (n, 17); where there is no evidence, the body as the system had it."""
    points, confidence = np.zeros((len(one), 17, 2)), np.zeros((len(one), 17))
    shown = motion.keypoints_px[one.row[one.seen]].astype(np.float64)
    points[one.seen], confidence[one.seen] = shown[..., :2], shown[..., 2]
    without = one.seen & (confidence.max(1) == 0)
    R, place = one.R_camera_root[without], one.root_cam_m[without]
    points_cam = one.skeleton.keypoints[without] @ np.swapaxes(R, -1, -2) + place[:, None]
    own_px, in_front = project_in_front(points_cam, motion.K[one.frames][without][:, None], NEAR_M)
    points[without], confidence[without] = np.nan_to_num(own_px), OWN_CONFIDENCE * in_front
    return points, confidence
