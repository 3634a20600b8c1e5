"""Each person's tracked motion completed: gaps infilled, one shape, and a trajectory predicted from the poses.

Stages I to III of GLAMR (figure 2) for everybody in a video; what is left to the global optimisation is where
these people are (``pipeline``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from choros.body import BodyModel
from choros.errors import ChorosError
from choros.glamr.egocentric import ego_to_global
from choros.glamr.network_inputs import even_times, joints_about_pelvis, places_at, rotations_at, visible_at
from choros.glamr.posed_skeleton import PosedSkeleton, pose_skeleton
from choros.glamr.progress import Report, nobody, stages
from choros.glamr.smoothing import smoothed
from choros.motion import Motion, Person
from choros.rotation import rotvec_to_rotmat

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Infiller(Protocol):
    """What ``infiller.MotionInfiller`` does, and whatever stands in for it."""

    def infill(
        self,
        rotations: Tensor,
        visible: Tensor,
        samples: int = 1,
        seed: int = 0,
        keep_visible: bool = True,
    ) -> Tensor:
        """(T, 23, 3, 3) and (T,) bool at ``config.FPS`` -> (samples, T, 23, 3, 3)."""


class Predictor(Protocol):
    """What ``trajectory.TrajectoryPredictor`` does, and whatever stands in for it."""

    def predict_all(self, people: Sequence[Tensor]) -> list[Tensor]:
        """Joints (T, 24, 3) about the pelvis, at ``config.FPS`` -> egocentric trajectories (T, 11)."""


@dataclass(frozen=True, eq=False)
class PersonTrajectory:
    """One person over n frames, from the first to the last in which somebody saw them."""

    id: int
    start: int  # the first frame
    times_s: Floats  # (n,)
    seen: Bools  # (n,)
    row: NDArray[np.intp]  # (n,) their row in the motion, -1 where there is none
    body_rotations: Floats  # (n, 23, 3, 3)
    betas: Floats  # (10,)
    kid: float
    skeleton: PosedSkeleton
    R_camera_root: Floats  # (n, 3, 3) where seen
    root_cam_m: Floats  # (n, 3) the pelvis, where seen
    R_path_root: Floats  # (n, 3, 3) the predicted path, which begins anywhere and faces anywhere; z up
    path_m: Floats  # (n, 3)

    def __len__(self) -> int:
        return len(self.seen)

    @property
    def frames(self) -> slice:
        """The frames of the video that these are."""
        return slice(self.start, self.start + len(self))


def person_trajectories(
    motion: Motion,
    body: BodyModel,
    infiller: Infiller,
    predictor: Predictor,
    *,
    seed: int = 0,
    keep_visible: bool = True,
    smooth_s: float = 0.0,
    report: Report = nobody,
) -> list[PersonTrajectory]:
    """Everybody in ``motion`` whom somebody saw, in the order of their identities.

    ``seed`` 0 fills gaps in with the most likely motion, others draw one. Poses that were seen are
    smoothed over ``smooth_s`` at most, a standard deviation, as ``smoothing`` does. Raises ``ChorosError`` if nobody
    was seen.
    """
    people = [person for person in motion.people if person.visible.any()]
    if not people:
        raise ChorosError(f"nobody is visible in {motion.header.source or 'this motion'}; track it first.")
    whole = []
    for number, person in enumerate(people, start=1):
        whole.append(_whole(motion, person, infiller, seed, keep_visible, smooth_s))
        report("filling gaps", number, len(people))
    rest = [_rest_joints(body, *_shape(person)) for person in people]
    joints = [
        joints_about_pelvis(rotations_at(poses, times, even_times(times)), r)
        for (_, _, _, times, poses), r in zip(whole, rest, strict=True)
    ]
    paths = []
    for (_, _, _, times, _), ego in zip(whole, predictor.predict_all(joints), strict=True):
        places, turns = ego_to_global(ego.double())
        at = even_times(times)
        paths.append((rotations_at(turns, at, times).numpy(), places_at(places, at, times).numpy()))
    report("predicting paths", len(people), len(people))
    return [
        _trajectory_of(motion, person, body, *parts, *path)
        for person, parts, path in zip(people, whole, paths, strict=True)
    ]


def trajectories_of_shots(
    motion: Motion,
    body: BodyModel,
    infiller: Infiller,
    predictor: Predictor,
    *,
    smooth_s: float = 0.0,
    report: Report = nobody,
) -> list[list[PersonTrajectory]]:
    """``person_trajectories`` of each shot, gaps the most likely; of one in which nobody was seen, an empty list."""
    shots = motion.shots()
    told = stages(report, [float(shot.visible.sum()) for shot in shots])
    return [
        person_trajectories(shot, body, infiller, predictor, smooth_s=smooth_s, report=part)
        if shot.visible.any()
        else []
        for shot, part in zip(shots, told, strict=True)
    ]


def as_seen_in(motion: Motion, people: Sequence[PersonTrajectory], body: BodyModel) -> list[PersonTrajectory]:
    """The same people where ``motion`` has them, which is the one they are of, but with another lens.

    That turns and moves bodies before the camera; poses, gaps and predicted paths stay, for no lens is in them.
    """
    made = []
    for one in people:
        R, root_m = _before_the_camera(motion, one.row, one.seen, body)
        made.append(replace(one, R_camera_root=R, root_cam_m=root_m))
    return made


def _whole(
    motion: Motion, person: Person, infiller: Infiller, seed: int, keep_visible: bool, smooth_s: float
) -> tuple[int, NDArray[np.intp], Bools, Tensor, Tensor]:
    """First frame, rows (n,), seen (n,), times (n,) and body rotations (n, 23, 3, 3) without gaps."""
    shown = np.flatnonzero(person.visible)
    start, end = int(person.frame[shown[0]]), int(person.frame[shown[-1]]) + 1
    row = np.full(len(motion), -1)
    row[person.frame] = np.flatnonzero(motion.row_person == person.id)
    row = row[start:end]
    seen = (row >= 0) & motion.visible[row]
    times = torch.from_numpy(motion.pts_s[start:end])
    poses = torch.eye(3, dtype=torch.float64).repeat(len(row), 23, 1, 1)
    axis_angle = motion.body_pose[row[seen]].astype(np.float64).reshape(-1, 23, 3)
    poses[torch.from_numpy(seen)] = torch.from_numpy(rotvec_to_rotmat(axis_angle))
    still = smoothed(poses.numpy(), seen, motion.pts_s[start:end], smooth_s)
    poses[torch.from_numpy(seen)] = torch.from_numpy(still[seen])
    if seen.all() and keep_visible:
        return start, row, seen, times, poses
    at, visible = even_times(times), torch.from_numpy(seen)
    # A network that was trained on whole motions is not to see what was put where nobody saw anything.
    known = visible_at(visible, times, at)
    held = poses[_nearest_seen(visible)]
    filled = infiller.infill(rotations_at(held, times, at), known, 1 + bool(seed), seed, keep_visible)[-1]
    said = rotations_at(filled, at, times)
    if keep_visible:
        said[visible] = poses[visible]
    return start, row, seen, times, said


def _nearest_seen(visible: Tensor) -> Tensor:
    """For each of (n,) frames the nearest one that was seen, (n,)."""
    shown = visible.nonzero()[:, 0]
    return shown[(torch.arange(len(visible))[:, None] - shown).abs().argmin(1)]


def _shape(person: Person) -> tuple[Floats, float]:
    """One shape for all frames: the median of those in which the person was seen."""
    seen = person.visible
    return np.median(person.betas[seen], axis=0).astype(np.float64), float(np.median(person.kid[seen]))


def _rest_joints(body: BodyModel, betas: Floats, kid: float) -> Tensor:
    with torch.inference_mode():
        return (
            body.rest_joints(torch.from_numpy(betas).to(body.dtype), torch.tensor(kid, dtype=body.dtype))
            .double()
            .clone()
        )


def _trajectory_of(
    motion: Motion,
    person: Person,
    body: BodyModel,
    start: int,
    row: NDArray[np.intp],
    seen: Bools,
    times: Tensor,
    poses: Tensor,
    R_path_root: Floats,
    path_m: Floats,
) -> PersonTrajectory:
    betas, kid = _shape(person)
    posed = pose_skeleton(body, poses.numpy(), betas, kid)
    R_camera_root, root_cam_m = _before_the_camera(motion, row, seen, body)
    return PersonTrajectory(
        person.id, start, times.numpy(), seen, row, poses.numpy(), betas, kid, posed,
        R_camera_root, root_cam_m, R_path_root, path_m,
    )  # fmt: skip


def _before_the_camera(
    motion: Motion, row: NDArray[np.intp], seen: Bools, body: BodyModel
) -> tuple[Floats, Floats]:
    """Rotation (n, 3, 3) and place (n, 3) of the pelvis where it was ``seen``, of ``row`` (n,) in the motion.

    It stays where it was although the person's shape is now another.
    """
    R, root_m = np.tile(np.eye(3), (len(row), 1, 1)), np.zeros((len(row), 3))
    rows = motion.rows[row[seen]]
    R[seen] = rotvec_to_rotmat(rows["global_orient"].astype(np.float64))
    root_m[seen] = rows["transl"] + _rest_joints_of_rows(body, rows)
    return R, root_m


def _rest_joints_of_rows(body: BodyModel, rows: NDArray[np.void]) -> Floats:
    """The pelvis at rest of rows (n,), (n, 3) metres."""
    with torch.inference_mode():
        shapes = (torch.from_numpy(rows[name].copy()).to(body.dtype) for name in ("betas", "kid"))
        return body.rest_joints(*shapes)[:, 0].double().numpy()
