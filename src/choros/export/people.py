"""Everybody and the camera of a ``Motion`` as exporters need them: chosen, in one space, in the axes of the file.

A person has one shape over time here (the median of their rows; files hold one skeleton a person), and keeps
the place of the pelvis that each frame gave them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from choros.body import BodyModel, BodyParams
from choros.body.skeleton import PARENTS
from choros.errors import ChorosError, Nobody
from choros.export.formats import ExportOptions, person_name
from choros.motion import Motion, Person

Floats = NDArray[np.float64]

#: (x, y, z) -> (x, z, -y): from a level camera's OpenCV axes to z up, and from z up to y up.
QUARTER_TURN = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
#: The joints that hang on each of SMPL's 24.
CHILDREN = tuple(
    tuple(child for child, parent in enumerate(PARENTS) if parent == joint) for joint in range(len(PARENTS))
)


@dataclass(frozen=True)
class ExportPerson:
    """One person in n frames, in the axes of the file; metres, seconds, radians."""

    id: int
    frame: NDArray[np.int32]  # (n,) of the motion, from 0
    time_s: Floats  # (n,) since the motion's first frame
    visible: NDArray[np.bool_]  # (n,) False: predicted, not seen
    confidence: NDArray[np.float32]  # (n,)
    betas: Floats  # (10,)
    kid: float
    rest_joints: Floats  # (24, 3) of the T-pose; x left, y up, z forward
    rotvec: Floats  # (n, 24, 3) axis-angle of each joint in its parent, the pelvis's in the file's axes
    pelvis: Floats  # (n, 3) in the file's axes

    @property
    def name(self) -> str:
        return person_name(self.id)

    def params(self) -> BodyParams:
        """What poses the body model like this, in the file's axes (float32, n poses)."""

        def tensor(array: Any) -> torch.Tensor:
            return torch.as_tensor(np.asarray(array, np.float32))

        n = len(self.frame)
        return BodyParams(
            tensor(self.rotvec[:, 0]),
            tensor(self.rotvec[:, 1:].reshape(n, 69)),
            tensor(np.tile(self.betas, (n, 1))),
            tensor(self.pelvis - self.rest_joints[0]),
            tensor(np.full(n, self.kid)),
        )

    def stretches(self) -> list[tuple[int, int]]:
        """Runs of frames that follow each other: first row and the row after the last of each."""
        return _runs(np.diff(self.frame) == 1)

    def unseen(self) -> list[tuple[int, int]]:
        """Stretches in which they were predicted, not seen, as rows."""
        same = (np.diff(self.frame) == 1) & (self.visible[1:] == self.visible[:-1])
        return [(start, end) for start, end in _runs(same) if not self.visible[start]]


@dataclass(frozen=True)
class Cast:
    """Everybody and the camera over T frames, in the axes of the file."""

    body: BodyModel
    people: list[ExportPerson]
    space: Literal["camera", "world"]
    fps: Fraction
    time_s: Floats  # (T,) since the first frame
    width: int
    height: int
    K: Floats  # (T, 3, 3) px
    T_file_camera: Floats | None  # (T, 4, 4) from OpenCV camera axes, metres; None if nobody knows

    @property
    def steady(self) -> bool:
        """Whether frame k is nearest to time k / fps throughout, so that numbers of frames tell the time."""
        drift_s = self.time_s - np.arange(len(self.time_s)) / float(self.fps)
        return bool(np.abs(drift_s).max(initial=0) < 0.5 / float(self.fps))


def cast_of(
    motion: Motion, options: ExportOptions, up: Literal["y", "z"] = "y", *, may_be_empty: bool = False
) -> Cast:
    """What ``options`` choose of a motion, with ``up`` pointing up.

    With y up, x points left of a person who looks along z, as in SMPL and glTF. In camera space the camera
    stands at the origin, level, and looks along -z (y up) or y (z up); in world space the floor is at 0.

    Raises ``ChorosError`` where a person or the camera's path is not in the motion, values are not finite, or the body
    is not the motion's; ``Nobody`` of a motion without people, unless it ``may_be_empty``.
    """
    source = motion.header.source or "this video"
    space: Any = options.space or motion.space
    unknown_camera = bool((motion.T_world_camera == np.eye(4)).all())
    if space != motion.space and unknown_camera:
        raise ChorosError(
            f"the motion of {source} does not tell where the camera was, which {space} space needs; "
            f"export it in {motion.space} space."
        )
    standing = np.tile(np.eye(4), (len(motion), 1, 1))
    T_space_camera = motion.T_world_camera if space == "world" else standing
    T_space_motion = T_space_camera if motion.space == "camera" else standing
    if (motion.space, space) == ("world", "camera"):
        T_space_motion = np.asarray(np.linalg.inv(motion.T_world_camera), np.float64)
    turns = {"camera": 1, "world": 0}[space] + {"y": 1, "z": 0}[up]
    T_file_space = np.eye(4)
    T_file_space[:3, :3] = np.linalg.matrix_power(QUARTER_TURN, turns)

    body = _body(motion, options, source)
    first_s = motion.pts_s[0] if len(motion) else 0.0
    chosen = [motion.person(person) for person in sorted(set(options.people)) or motion.ids.tolist()]
    if not chosen and not may_be_empty:
        raise Nobody(f"nobody is in the motion of {source}, so there are no bodies to show or write.")
    return Cast(
        body,
        [_export_person(person, body, T_file_space @ T_space_motion, first_s) for person in chosen],
        space,
        motion.fps,
        motion.pts_s - first_s,
        motion.width,
        motion.height,
        motion.K,
        None if space == "world" and unknown_camera else T_file_space @ T_space_camera,
    )


def stature_m(person: ExportPerson | Person, body: BodyModel) -> float:
    """From sole to crown, metres, by the median of the person's shape over time."""
    betas, kid = np.asarray(person.betas, np.float64), np.asarray(person.kid, np.float64)
    if betas.ndim > 1:
        betas, kid = np.median(betas, 0), np.asarray(np.median(kid))
    neutral = body.neutral()
    shape = {"betas": betas, "kid": kid}
    params = neutral._replace(**{k: torch.as_tensor(v, dtype=body.dtype) for k, v in shape.items()})
    with torch.inference_mode():
        return float(np.ptp(body.vertices(params)[:, 1].numpy()))


def rest_vertices(body: BodyModel, person: ExportPerson) -> Floats:
    """The person's shape in T-pose (V, 3), metres; x left, y up, z forward."""
    neutral = body.neutral()
    shape = {"betas": person.betas, "kid": person.kid}
    params = neutral._replace(**{k: torch.as_tensor(v, dtype=body.dtype) for k, v in shape.items()})
    with torch.inference_mode():
        return body.vertices(params).numpy().astype(np.float64)


def evenly(person: ExportPerson, cast: Cast) -> ExportPerson:
    """The person on the grid of the nominal frame rate, from their first frame to their last.

    For formats of fixed rate. In a steady video that fills frames in which nobody followed the person, as not
    visible; in one of uneven times ``frame`` becomes the number on the grid, and poses are those of its times.
    """
    at = person.frame.astype(np.float64) if cast.steady else person.time_s * float(cast.fps)
    grid = np.arange(round(at[0]), round(at[-1]) + 1)
    if np.array_equal(grid, at):
        return person
    wanted = np.clip(grid, at[0], at[-1])
    nearest = np.rint(np.interp(wanted, at, np.arange(len(at)))).astype(np.int64)
    near = np.abs(at[nearest] - wanted) < 1
    rotvec = person.rotvec[nearest]
    if len(at) > 1:
        for joint in range(rotvec.shape[1]):
            rotvec[:, joint] = Slerp(at, Rotation.from_rotvec(person.rotvec[:, joint]))(wanted).as_rotvec()
    return replace(
        person,
        frame=grid.astype(np.int32),
        time_s=grid / float(cast.fps),
        visible=person.visible[nearest] & near,
        confidence=np.where(near, person.confidence[nearest], 0).astype(np.float32),
        rotvec=rotvec,
        pelvis=np.stack([np.interp(wanted, at, axis) for axis in person.pelvis.T], axis=1),
    )


def _body(motion: Motion, options: ExportOptions, source: str) -> BodyModel:
    wanted = motion.header.body
    if options.body is None and wanted == "open":
        return BodyModel.load()
    if options.body is None or options.body.name != wanted:
        raise ChorosError(
            f"the motion of {source} is of the {wanted} body; "
            f"{'give the model file that it was tracked with' if wanted != 'open' else 'leave --body out'}."
        )
    return options.body


def _export_person(person: Person, body: BodyModel, T_file_motion: Floats, first_s: float) -> ExportPerson:
    rows = person.rows
    betas, kid = np.median(rows["betas"].astype(np.float64), axis=0), float(np.median(rows["kid"]))
    rotvec = np.concatenate([rows["global_orient"], rows["body_pose"]], axis=1).astype(np.float64)
    rotvec = rotvec.reshape(-1, 24, 3)
    with torch.inference_mode():
        rest_at = body.rest_joints(
            torch.from_numpy(rows["betas"].copy()), torch.from_numpy(rows["kid"].copy())
        )
        rest = body.rest_joints(torch.as_tensor(betas, dtype=body.dtype), torch.tensor(kid, dtype=body.dtype))
    pelvis = rest_at[:, 0].numpy() + rows["transl"].astype(np.float64)
    if not (np.isfinite(rotvec).all() and np.isfinite(pelvis).all()):
        raise ChorosError(
            f"the motion has numbers for person {person.id} that are not finite; track it again."
        )
    T = T_file_motion[rows["frame"]]
    rotvec[:, 0] = (Rotation.from_matrix(T[:, :3, :3]) * Rotation.from_rotvec(rotvec[:, 0])).as_rotvec()
    return ExportPerson(
        person.id,
        rows["frame"],
        person.pts_s - first_s,
        rows["visible"],
        rows["confidence"],
        betas,
        kid,
        rest.numpy().astype(np.float64),
        rotvec,
        (T[:, :3, :3] @ pelvis[..., None])[..., 0] + T[:, :3, 3],
    )


def _runs(joined: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Runs of a list whose neighbours i, i + 1 belong together where ``joined[i]``: starts and ends."""
    cuts = (np.flatnonzero(~joined) + 1).tolist()
    return list(zip([0, *cuts], [*cuts, len(joined) + 1], strict=True))
