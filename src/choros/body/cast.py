"""Everybody and the camera of a ``Motion`` as exporters and viewers need them: chosen, in one space, in a file's axes.

A person has one shape over time here (the median of their rows; files hold one skeleton a person), and keeps
the place of the pelvis that each frame gave them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel, BodyParams
from choros.errors import ChorosError, Nobody
from choros.motion import Motion, Person
from choros.rotation import rotmat_to_rotvec, rotvec_composition
from choros.skeleton import PARENTS

Floats = NDArray[np.float64]

#: (x, y, z) -> (x, z, -y): from a level camera's OpenCV axes to z up, and from z up to y up.
QUARTER_TURN = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
#: The joints that hang on each of SMPL's 24.
CHILDREN = tuple(
    tuple(child for child, parent in enumerate(PARENTS) if parent == joint) for joint in range(len(PARENTS))
)


class Choice(Protocol):
    """Who is taken from a motion, and where they are to stand: ``exporters.ExportOptions`` is one."""

    @property
    def space(self) -> Literal["camera", "world"] | None:
        """None: the motion's own."""

    @property
    def people(self) -> tuple[int, ...]:
        """Identities; none means everybody."""

    @property
    def body(self) -> BodyModel | None:
        """The motion's, if that was not the open body."""


@dataclass(frozen=True)
class CastPerson:
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
        """What the person is called inside files and in the names of theirs."""
        return f"person_{self.id}"

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
    people: list[CastPerson]
    space: Literal["camera", "world"]
    fps: Fraction
    time_s: Floats  # (T,) since the first frame
    cut_before: NDArray[np.bool_]  # (T,) another shot begins with this frame
    width: int
    height: int
    K: Floats  # (T, 3, 3) px
    T_file_camera: Floats | None  # (T, 4, 4) from OpenCV camera axes, metres; None if nobody knows
    camera_known: NDArray[np.bool_]  # (T,) False: what that says of the frame is nothing, or a guess

    @property
    def shot(self) -> NDArray[np.int64]:
        """Which shot each frame is of, (T,), in order."""
        return np.cumsum(self.cut_before)


def cast_of(
    motion: Motion, choice: Choice, up: Literal["y", "z"] = "y", *, may_be_empty: bool = False
) -> Cast:
    """What ``choice`` takes of a motion, with ``up`` pointing up.

    With y up, x points left of a person who looks along z, as in SMPL and glTF. In camera space the camera
    stands at the origin, level, and looks along -z (y up) or y (z up); in world space the floor is at 0.

    Raises ``ChorosError`` where a person or the camera's path is not in the motion, values are not finite, or the body
    is not the motion's; ``Nobody`` of a motion without people, unless it ``may_be_empty``.
    """
    source = motion.header.source or "this video"
    space: Any = choice.space or motion.space
    if space != motion.space and not motion.tells_camera:
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

    body = _body(motion, choice.body, source)
    first_s = motion.pts_s[0] if len(motion) else 0.0
    chosen = [motion.person(person) for person in sorted(set(choice.people)) or motion.ids.tolist()]
    if not chosen and not may_be_empty:
        raise Nobody(f"nobody is in the motion of {source}, so there are no bodies to show or write.")
    return Cast(
        body,
        [_export_person(person, body, T_file_space @ T_space_motion, first_s) for person in chosen],
        space,
        motion.fps,
        motion.pts_s - first_s,
        motion.cut_before,
        motion.width,
        motion.height,
        motion.K,
        None if space == "world" and not motion.camera_known.any() else T_file_space @ T_space_camera,
        motion.camera_known if space == "world" else np.ones(len(motion), bool),
    )


def stature_m(person: CastPerson | Person, body: BodyModel) -> float:
    """From sole to crown, metres, by the median of the person's shape over time."""
    betas, kid = np.asarray(person.betas, np.float64), np.asarray(person.kid, np.float64)
    if betas.ndim > 1:
        betas, kid = np.median(betas, 0), np.asarray(np.median(kid))
    neutral = body.neutral()
    shape = {"betas": betas, "kid": kid}
    params = neutral._replace(**{k: torch.as_tensor(v, dtype=body.dtype) for k, v in shape.items()})
    with torch.inference_mode():
        return float(np.ptp(body.vertices(params)[:, 1].numpy()))


def rest_vertices(body: BodyModel, person: CastPerson) -> Floats:
    """The person's shape in T-pose (V, 3), metres; x left, y up, z forward."""
    neutral = body.neutral()
    shape = {"betas": person.betas, "kid": person.kid}
    params = neutral._replace(**{k: torch.as_tensor(v, dtype=body.dtype) for k, v in shape.items()})
    with torch.inference_mode():
        return body.vertices(params).numpy().astype(np.float64)


def shots(person: CastPerson, cast: Cast) -> list[CastPerson]:
    """The person in each shot that they are in; nothing that has no times of its own goes on over a cut."""
    shot = cast.shot[person.frame]
    over_time = ("frame", "time_s", "visible", "confidence", "rotvec", "pelvis")
    return [
        replace(person, **{name: getattr(person, name)[start:end] for name in over_time})
        for start, end in _runs(np.diff(shot) == 0)
    ]


def unbroken(person: CastPerson, cast: Cast) -> list[tuple[int, int]]:
    """``person.stretches()`` that end at cuts too: what a line may be drawn through, as rows."""
    return _runs((np.diff(person.frame) == 1) & ~cast.cut_before[person.frame[1:]])


def camera_runs(cast: Cast) -> list[tuple[int, int]]:
    """Runs of frames of one shot in which the camera is known: what its path may be drawn through, as frames."""
    return [
        (start, end)
        for start, end in _runs((np.diff(cast.camera_known.astype(int)) == 0) & ~cast.cut_before[1:])
        if cast.camera_known[start]
    ]


def curve_keys(cast: Cast, frame: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], Floats]:
    """Keys for curves that programs draw from one to the next: which of the frames (n,), and seconds, (n + cuts,).

    The last frame before a cut stands there again just before the first one after it, so that nothing is led over.
    """
    first = np.flatnonzero(np.diff(cast.shot[frame])) + 1
    time_s = cast.time_s[frame]
    just_before_s = time_s[first] - np.maximum(
        1e-3, 2.5e-7 * time_s[first]
    )  # that 32-bit floats can tell apart
    keys = np.insert(np.arange(len(frame)), first, first - 1)
    return keys, np.insert(time_s, first, just_before_s)


def _body(motion: Motion, given: BodyModel | None, source: str) -> BodyModel:
    wanted = motion.header.body
    if given is None and wanted == "open":
        return BodyModel.load()
    if given is None or given.name != wanted:
        raise ChorosError(
            f"the motion of {source} is of the {wanted} body; "
            f"{'give the model file that it was tracked with' if wanted != 'open' else 'leave --body out'}."
        )
    return given


def _export_person(person: Person, body: BodyModel, T_file_motion: Floats, first_s: float) -> CastPerson:
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
    rotvec[:, 0] = rotvec_composition(rotmat_to_rotvec(T[:, :3, :3]), rotvec[:, 0])
    return CastPerson(
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
