"""Where the camera is before anything is optimised: from the people in it (GLAMR, equation 15).

Also how a camera path that somebody else solved, of any scale and any way up, is brought to metres by the people in it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from choros.camera_motion.camera_path import UP, CameraPath, turned_camera
from choros.camera_motion.evidence import CameraEvidence
from choros.glamr.person_trajectories import PersonTrajectory
from choros.motion import Motion
from choros.rotation import heading_rotmat, rotmat_about, rotvec_to_rotmat, special_procrustes

Floats = NDArray[np.float64]


def standing_camera(
    people: Sequence[PersonTrajectory], n_frames: int, evidence: CameraEvidence | None = None
) -> CameraPath:
    """A camera in one place: level as people say who are upright as predicted, as high as their roots say.

    It is above the world's origin, looks along y in the first frame, and turns as the background says, or not at all.
    Of people on several floors those are believed who are most, or the lower ones of two groups much alike.
    """
    R = turned_camera(n_frames, evidence)
    up = _median_direction(
        np.concatenate([(R[_frames_seen(one)] @ _up_camera(one)[..., None])[..., 0] for one in people])
    )
    ahead = np.array([0.0, 0.0, 1.0]) - up[2] * up
    if np.linalg.norm(ahead) < 1e-3:  # straight up or down: the picture's upper edge is ahead
        ahead = np.array([0.0, -1.0, 0.0]) + up[1] * up
    ahead /= np.linalg.norm(ahead)
    R = np.stack([np.cross(ahead, up), ahead, up]) @ R
    height = [
        one.path_m[one.seen] - (R[_frames_seen(one)] @ one.root_cam_m[one.seen, :, None])[..., 0]
        for one in people
    ]
    place = np.array([0.0, 0.0, commonest(np.concatenate(height)[:, 2])])
    return CameraPath(R, np.tile(place, (n_frames, 1)))


def following_camera(
    people: Sequence[PersonTrajectory], times_s: Floats, smooth_s: float = 0.4
) -> tuple[CameraPath, list[tuple[Floats, Floats]]]:
    """Equation 15: a camera that sees everybody go their predicted path where it saw them.

    People are placed one by one, the longest seen first, each path turned about the vertical and moved so that it
    asks for the same camera as those before; the camera is the mean of what they ask for, smooth over some
    ``smooth_s``. Returns it, and each person's path: rotations (n, 3, 3), places (n, 3) metres.
    """
    n_frames = len(times_s)
    asked = [_camera_asked(one, n_frames) for one in people]
    known = np.stack([_seen_in(one, n_frames) for one in people])
    weight, R_sum, place_sum = np.zeros(n_frames), np.zeros((n_frames, 3, 3)), np.zeros((n_frames, 3))
    moved: dict[int, tuple[Floats, Floats]] = {}
    for number in np.argsort(-known.sum(1), kind="stable"):
        R, place = asked[number]
        turn, shift = np.eye(3), np.zeros(3)
        if moved:
            camera = _mean_camera(weight, R_sum, place_sum)
            turn, shift = _flat_fit(R, place, camera, known[number], weight > 0)
        one = people[number]
        moved[int(number)] = turn @ one.R_path_root, one.path_m @ turn.T + shift
        share = known[number].astype(float)
        weight += share
        R_sum += share[:, None, None] * (turn @ R)
        place_sum += share[:, None] * (place @ turn.T + shift)
    camera = _mean_camera(weight, R_sum, place_sum)
    width = smooth_s / np.median(np.diff(times_s)) if n_frames > 1 else 0
    if width > 0:
        camera = CameraPath(
            special_procrustes(gaussian_filter1d(camera.R_world_camera, width, axis=0, mode="nearest")),
            gaussian_filter1d(camera.place_m, width, axis=0, mode="nearest"),
        )
    return camera, [moved[number] for number in range(len(people))]


def told_camera(motion: Motion) -> CameraPath:
    """The path that a motion tells; in other frames the camera is where it was last known, or is first."""
    T = np.asarray(motion.T_world_camera, np.float64)
    known = np.flatnonzero(motion.camera_known)
    nearest = np.maximum(np.searchsorted(known, np.arange(len(T)), side="right") - 1, 0)
    if len(known):
        T = T[known[nearest]]
    return CameraPath(T[:, :3, :3], T[:, :3, 3])


def in_metres(camera: CameraPath, people: Sequence[PersonTrajectory], span_s: float = 0.5) -> CameraPath:
    """A camera path of any scale and any way up, brought to metres, z up and the floor at 0, by the people in it.

    Up and the floor are where they are for people who lean and stand as predicted. A metre is what makes their
    steps over ``span_s`` as long as predicted, in the median; 1 if the camera stays where it is.
    """
    seen = [camera.R_world_camera[one.frames][one.seen] for one in people]
    up = _median_direction(np.concatenate([
        (R @ _up_camera(one)[..., None])[..., 0] for R, one in zip(seen, people, strict=True)
    ]))  # fmt: skip
    tilt = np.cross(up, UP)
    angle = np.arctan2(np.linalg.norm(tilt), up[2])
    axis = tilt / np.linalg.norm(tilt) if np.linalg.norm(tilt) > 1e-9 else np.array([1.0, 0, 0])
    level = rotvec_to_rotmat(angle * axis)
    R, place = level @ camera.R_world_camera, camera.place_m @ level.T
    asked, moved = [np.zeros((0, 2))], [np.zeros((0, 2))]
    for one in people:
        shown = np.flatnonzero(one.seen)
        ahead = shown[
            np.searchsorted(one.times_s[shown], one.times_s[shown] + span_s).clip(0, len(shown) - 1)
        ]
        R_wc = R[one.frames]
        at = (R_wc @ one.root_cam_m[..., None])[..., 0]
        step = one.path_m[ahead] - one.path_m[shown]
        heading = heading_rotmat(R_wc[shown] @ one.R_camera_root[shown])
        step = (heading @ np.swapaxes(heading_rotmat(one.R_path_root[shown]), -1, -2) @ step[..., None])[
            ..., 0
        ]
        asked.append((step - (at[ahead] - at[shown]))[:, :2])
        moved.append((place[one.frames][ahead] - place[one.frames][shown])[:, :2])
    by, d = np.concatenate(asked), np.concatenate(moved)
    far = np.linalg.norm(d, axis=-1)
    told = far > 0.2 * far.max(initial=0)
    scale = float(np.median((by * d).sum(-1)[told] / far[told] ** 2)) if told.any() else 1.0
    if scale <= 0:
        scale = 1.0  # nobody walks as predicted; better the file's own unit than a mirrored world
    place = scale * place
    height = np.concatenate([
        one.path_m[one.seen, 2] - ((R[one.frames] @ one.root_cam_m[..., None])[..., 0] + place[one.frames])[one.seen, 2]
        for one in people
    ])  # fmt: skip
    return CameraPath(R, place + np.median(height) * UP)


def _frames_seen(one: PersonTrajectory) -> NDArray[np.intp]:
    """The frames (k,) of the video in which somebody was seen."""
    return one.start + np.flatnonzero(one.seen)


def _up_camera(one: PersonTrajectory) -> Floats:
    """(k, 3) the world's up in the camera's axes, as each observation of somebody says whose tilt is as predicted."""
    up_root = np.swapaxes(one.R_path_root[one.seen], -1, -2) @ UP
    return (one.R_camera_root[one.seen] @ up_root[..., None])[..., 0]


def _median_direction(directions: Floats) -> Floats:
    """The direction nearest to all of (k, 3) unit vectors, (3,): outliers pull no harder than others (Weiszfeld)."""
    mean = directions.mean(0)
    for _ in range(20):
        near = 1 / np.maximum(np.linalg.norm(directions - mean, axis=-1), 1e-3)
        mean = (near[:, None] * directions).sum(0) / near.sum()
    return mean / np.linalg.norm(mean)


def commonest(heights_m: Floats, width_m: float = 0.25, as_good: float = 0.8) -> float:
    """The middle of where most of the camera's heights (k,) over people's floors are.

    Highest where several groups are ``as_good`` as the largest: that is over the lowest floor.
    """
    bin_m = 0.1 * width_m
    count = np.bincount(((heights_m - heights_m.min()) / bin_m).astype(int))
    dense = gaussian_filter1d(np.pad(count.astype(np.float64), 1), width_m / bin_m, mode="constant")
    top = (dense[1:-1] >= dense[:-2]) & (dense[1:-1] >= dense[2:]) & (dense[1:-1] >= as_good * dense.max())
    peak_m = heights_m.min() + (np.flatnonzero(top)[-1] + 0.5) * bin_m
    return float(np.median(heights_m[np.abs(heights_m - peak_m) <= 2 * width_m]))


def _camera_asked(one: PersonTrajectory, n_frames: int) -> tuple[Floats, Floats]:
    """Pose of the camera that sees ``one`` on their predicted path, (T, ...); arbitrary where not seen."""
    R, place = np.tile(np.eye(3), (n_frames, 1, 1)), np.zeros((n_frames, 3))
    R[one.frames] = one.R_path_root @ np.swapaxes(one.R_camera_root, -1, -2)
    place[one.frames] = one.path_m - (R[one.frames] @ one.root_cam_m[..., None])[..., 0]
    return R, place


def _seen_in(one: PersonTrajectory, n_frames: int) -> NDArray[np.bool_]:
    seen = np.zeros(n_frames, bool)
    seen[one.frames] = one.seen
    return seen


def _mean_camera(weight: Floats, R_sum: Floats, place_sum: Floats) -> CameraPath:
    """The mean where anybody was seen, in between straight on: equation 15 with its projection to a rotation."""
    frame, known = np.arange(len(weight)), np.flatnonzero(weight)
    total = np.maximum(weight, 1)[:, None]

    def straight(values: Floats) -> Floats:
        return np.stack([np.interp(frame, known, column[known]) for column in values.T], -1)

    R = straight(R_sum.reshape(-1, 9) / total).reshape(-1, 3, 3)
    return CameraPath(special_procrustes(R), straight(place_sum / total))


def _flat_fit(
    R: Floats,
    place: Floats,
    camera: CameraPath,
    known: NDArray[np.bool_],
    placed: NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    """Turn about z and shift in x and y, (3, 3) and (3,), that bring a camera onto another.

    Where both are known, or if that is nowhere, where the first is known.
    """
    both = known & placed if (known & placed).any() else known
    between = (camera.R_world_camera[both] @ np.swapaxes(R[both], -1, -2)).sum(0)
    angle = np.arctan2(between[1, 0] - between[0, 1], between[0, 0] + between[1, 1])
    turn = rotmat_about("z", np.asarray(angle))
    shift = np.median(camera.place_m[both] - place[both] @ turn.T, axis=0)
    return turn, shift * [1, 1, 0]
