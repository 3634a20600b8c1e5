"""Everyone in a world with z up and the floor at 0 while a stream runs: from the past alone, and never taken back.

It stands behind any system: a frame's people go in as the system told them, and come out with the camera's pose in
that world and with which of their feet stand. The camera must stand still, or the system must tell where it goes
(``FrameResult.T_world_camera``), in a world of its own whose up and floor need not be right. What `choros world` has
beyond that, gaps, smooth paths and planted feet, needs the future.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from choros.body.kinematics import posed_joints
from choros.body.leg_reach import reach_of_legs
from choros.body.posed import Skeleton
from choros.body.skinned import model_of
from choros.glamr.contacts import ContactRules, contact_log_odds, onward
from choros.glamr.floors import LEGS
from choros.glamr.running_floor import SAMPLE, RunningFloor, RunningRules
from choros.glamr.world_motion import FOOT_CONTACT
from choros.journal import State
from choros.motion import FrameResult
from choros.rotation import rotvec_to_rotmat
from choros.skeleton import FEET, JOINT_NAMES

Floats = NDArray[np.float64]

#: Name of the extra () bool of rows: too little was seen until then to rely on up and floor.
WORLD_IS_GUESS = "world_is_guess"

LAST = 8  # frames of a person that are remembered, for the speed of feet
NEVER_S = -1e9
_LONG_AGO_S = 2.0  # after which a person who is not told of is forgotten
_TRUNK = [JOINT_NAMES.index(name) for name in ("pelvis", "spine3", "neck")]
_PERSON = np.dtype([
    ("id", "i4"), ("told_s", "f8"), ("asked_s", "f8"), ("odds", "f8", 4),
    ("times_s", "f8", LAST), ("soles", "f8", (LAST, 4, 3)),
])  # fmt: skip


@dataclass(frozen=True)
class StanceRules:
    """Who says which way is up; ours."""

    stretched: float = 0.9  # how far a leg reaches, of its length, of somebody who is upright on it
    confident: float = 0.3  # legs seen less surely than this are not believed


class LiveWorld:
    """The world of one stream, frame by frame; ``body`` is the system's, a ``BodyModel`` or None of the open one.

    >>> live = LiveWorld(system.body)
    >>> result = live.step(tracker.update(image, time_s), time_s)  # T_world_camera, extras
    """

    def __init__(self, body: Any = None, rules: RunningRules | None = None) -> None:
        model = model_of(body)
        self._skeleton, self._rules = Skeleton.of(model), rules
        lowest = int(model.template[:, 1].argmin())
        parts = (model.template[lowest, 1:2], model.shape_dirs[lowest, 1], model.kid_dir[lowest, 1:2])
        self._sole = np.concatenate(
            [np.asarray(part.cpu(), np.float64) for part in parts]
        )  # y by 1, betas and kid
        self._people = np.zeros(0, _PERSON)
        self._floor: RunningFloor | None = None
        self._T_still_camera = np.eye(4)

    def step(self, result: FrameResult, time_s: float, begins_shot: bool = False) -> FrameResult:
        """The frame's result with ``T_world_camera``, and with extras where feet stand and whether that is a guess.

        Rows stay in camera axes. Before anybody was seen there is no world, and the camera's pose is None. With
        ``begins_shot`` what was known is forgotten: each shot is a world of its own.
        """
        if begins_shot:
            self._people, self._floor, self._T_still_camera = self._people[:0], None, np.eye(4)
        if result.T_world_camera is not None:  # else it stands, or is where it was last told to be
            self._T_still_camera = np.array(result.T_world_camera, np.float64)
        T_still_camera = self._T_still_camera
        if self._floor is None and not len(result.rows):
            return result._replace(T_world_camera=None, extras=self._extras(result, np.zeros((0, 4)), True))
        floor = self._floor = self._floor or RunningFloor(T_still_camera[:3, :3].copy(), self._rules)
        joints, soles = self._posed(result.rows, T_still_camera)
        people = self._remembered(result.rows["person"], time_s)
        odds = self._odds(floor, people, result.rows, soles, time_s)
        floor.add(self._samples(floor, people, result.rows, joints, soles, odds, time_s))
        extras = self._extras(result, 1 / (1 + np.exp(-odds)), floor.is_guess)
        return result._replace(T_world_camera=_T_world_still(floor) @ T_still_camera, extras=extras)

    def state(self) -> State:
        """All that the next frame depends on, for a checkpoint; `restore` goes on from it to the same bits."""
        floor = {} if self._floor is None else self._floor.state()
        return {"people": self._people, "T_still_camera": self._T_still_camera, **floor}

    def restore(self, state: State) -> None:
        """Become the one that had this ``state``."""
        self._people, self._T_still_camera = state["people"].astype(_PERSON), state["T_still_camera"].copy()
        self._floor = RunningFloor.restored(state, self._rules) if "samples" in state else None

    # ----------------------------------------------------------------------------------------------

    def _posed(self, rows: NDArray[np.void], T: Floats) -> tuple[Floats, Floats]:
        """Joints (n, 24, 3) and the four soles (n, 4, 3) of rows, moved by T (4, 4)."""
        pose = np.concatenate([rows["global_orient"], rows["body_pose"]], -1).astype(np.float64)
        rest = self._skeleton.rest(rows)
        turns, joints = posed_joints(rotvec_to_rotmat(pose.reshape(len(rows), 24, 3)), rest)
        shape = np.column_stack([np.ones(len(rows)), rows["betas"], rows["kid"]])
        below = np.zeros((len(rows), 4, 3))
        below[..., 1] = (shape @ self._sole)[:, None] - rest[:, FEET, 1]
        soles = joints[:, FEET] + (turns[:, FEET] @ below[..., None])[..., 0]
        shift = rows["transl"].astype(np.float64)[:, None] @ T[:3, :3].T + T[:3, 3]
        return joints @ T[:3, :3].T + shift, soles @ T[:3, :3].T + shift

    def _remembered(self, ids: NDArray[np.int32], time_s: float) -> NDArray[np.intp]:
        """Where each of these is in the table, which forgets who was not told of for long; new ones are added."""
        people = self._people[self._people["told_s"] >= time_s - _LONG_AGO_S].copy()
        new = np.zeros(int((~np.isin(ids, people["id"])).sum()), _PERSON)
        new["id"], new["asked_s"], new["times_s"] = ids[~np.isin(ids, people["id"])], NEVER_S, NEVER_S
        new["odds"] = np.log(ContactRules.stance_s / ContactRules.swing_s)
        people = np.concatenate([people, new])
        self._people = people = people[np.argsort(people["id"], kind="stable")]
        return np.searchsorted(people["id"], ids)

    def _odds(
        self,
        floor: RunningFloor,
        which: NDArray[np.intp],
        rows: NDArray[np.void],
        soles: Floats,
        time_s: float,
    ) -> Floats:
        """Log odds (n, 4) with which soles stand, given all frames until now; remembers them, and the soles."""
        people, rules, (up, height, *_) = self._people, ContactRules(), floor.ground
        times, before = people["times_s"][which], people["soles"][which]
        inside = times >= time_s - rules.span_s - 1e-9
        # The first frame within the span, or the last before it.
        at = np.where(inside.any(1), inside.argmax(1), LAST - 1)
        each = np.arange(len(which))
        ago_s = time_s - times[each, at]
        known = (ago_s < _LONG_AGO_S) & (ago_s > 0)
        way = np.linalg.norm(soles - before[each, at], axis=-1)
        speed = np.where(known[:, None], way / np.where(known, ago_s, 1.0)[:, None], np.nan)
        above = np.full_like(speed, np.nan) if floor.is_guess else soles @ up + height
        said = contact_log_odds(speed, above, rules)
        told_s = people["told_s"][which]
        dt_s = np.where(known, time_s - told_s, 0.0)[:, None]
        said *= np.minimum(rules.independent_per_s * dt_s, 1) * rows["visible"][:, None]
        odds = said + onward(people["odds"][which], dt_s, rules)
        people["odds"][which], people["told_s"][which] = odds, time_s
        people["times_s"][which] = np.column_stack([times[:, 1:], np.full(len(which), time_s)])
        people["soles"][which] = np.concatenate([before[:, 1:], soles[:, None]], 1)
        return odds

    def _samples(
        self,
        floor: RunningFloor,
        which: NDArray[np.intp],
        rows: NDArray[np.void],
        joints: Floats,
        soles: Floats,
        odds: Floats,
        time_s: float,
    ) -> NDArray[np.void]:
        """What those say of up and floor who are seen and were not asked just before."""
        rules = StanceRules()
        confidence = rows["keypoints_px"][..., 2].astype(np.float64)
        sure = (confidence[:, LEGS].mean(1) >= rules.confident) | (confidence.max(1) == 0)
        due = time_s - self._people["asked_s"][which] >= floor.every_s - 1e-6
        asked = np.flatnonzero(rows["visible"] & sure & due)
        self._people["asked_s"][which[asked]] = time_s
        joints, soles = joints[asked], soles[asked].reshape(-1, 2, 2, 3)
        stands = odds[asked].reshape(-1, 2, 2) > 0
        samples = np.zeros(len(asked), SAMPLE)
        up = joints[:, _TRUNK].mean(1) - soles.mean((1, 2))
        samples["up"] = up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9)
        stretch = np.linalg.norm(reach_of_legs(joints), axis=-1)
        samples["upright"] = (stretch >= rules.stretched).any(-1)
        low = np.where(stands, soles @ floor.ground.up, np.inf).argmin(-1)  # of a foot's points that stand
        samples["feet"] = np.take_along_axis(soles, low[..., None, None], 2)[:, :, 0]
        samples["stand"] = stands.any(-1)
        return samples[samples["upright"] | samples["stand"].any(-1)]

    @staticmethod
    def _extras(result: FrameResult, contact: Floats, guess: bool) -> dict[str, NDArray[Any]]:
        n = len(result.rows)
        return {**result.extras, FOOT_CONTACT: contact.astype(np.float32), WORLD_IS_GUESS: np.full(n, guess)}


def _T_world_still(floor: RunningFloor) -> Floats:
    """(4, 4) from axes that stand still to the world: the first camera is above its origin and looks along y."""
    ground, axes = floor.ground, floor.axes
    ahead = axes[:, 2] - (axes[:, 2] @ ground.up) * ground.up
    if np.linalg.norm(ahead) < 1e-3:  # straight down: the picture's upper edge is ahead
        ahead = -axes[:, 1] + (axes[:, 1] @ ground.up) * ground.up
    ahead = ahead / np.linalg.norm(ahead)
    T = np.eye(4)
    T[:3, :3] = np.cross(ahead, ground.up), ahead, ground.up
    T[2, 3] = ground.height_m
    return T
