"""What people do, as far as it is known by construction: from where their joints are, from a clip's name, from a role.

Nobody labelled these motions. Whoever walks is known by how fast they go, whoever lies by where their trunk is; that a
clip shows dancing is in its name, and that somebody waves or sits in the part that they play in a scene. Between two
actions, and where an action may be there that nobody notes, nothing is known, and nothing is learned.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter1d, maximum_filter1d, minimum_filter1d

from choros.fourdhumans.actions.config import SMALL_ACTIONS
from choros.scenes.motion.rest_skeleton import JOINT
from choros.scenes.motion.roles import Role
from choros.skeleton import FEET

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WHICH = {name: number for number, name in enumerate(SMALL_ACTIONS)}

LEG_M = 0.9  # of the body whose speeds are given below; others' go with the root of theirs (Froude)
SMOOTH_S = 0.12
STANDS_M_S, WALKS_M_S, WALKED_M_S, RUNS_M_S = 0.2, 0.5, 2.0, 2.4  # at most, at least, at most, at least
TURNS_RAD_S, HARDLY_TURNS_RAD_S = 0.9, 0.5
UPRIGHT_RAD, BENT_RAD, HARDLY_BENT_RAD, OVER_RAD = 0.6, 0.85, 0.6, 2.0  # of the trunk, from the vertical
#: Of the lowest foot over what it stood on; leaps of runners are lower. Whoever flies falls, m/s².
IN_THE_AIR_M, HIGH_M, JUMP_S, FALLS = 0.07, 0.25, 0.1, -5.0
CONTACT_S = 1.0  # nobody flies that long: what bears a foot so long is a floor
#: Height of the pelvis, in legs: of those who stand, at least; of those who sit or crouch, at most; of those who lie.
STANDS, LOW, LIES = 0.8, 0.65, 0.35
RISES = 0.25  # legs a second
EDGE_S, AROUND_S = 0.3, 1.2

#: What clips show by their names.
NAMED = {
    "dance": re.compile(r"dance|/005_(?!01)"),
    "fight": re.compile(r"kick|punch|/02_05"),
    "wave": re.compile(r"directing_traffic|basketball_signal"),
}
#: And what they may show beside it.
DOUBTFUL = {"fight": re.compile(r"soccer|/01_|/02_0[789]"), "dance": re.compile(r"spin")}

#: Gestures of scenes by the action that they are.
GESTURES = {"wave": "wave", "phone": "telephone", "text": "telephone", "talk": "talk"}


class Labels(NamedTuple):
    """What somebody does in T frames: which actions, and of which that is known."""

    true: Flags  # (T, actions)
    known: Flags  # (T, actions)


def labels_of(
    places: Floats,  # (T, 24, 3) joints, metres, in a world with z up and its floor at 0
    ahead: Floats,  # (T, 3) where the pelvis faces
    leg_m: float,
    step_s: float,
) -> Labels:
    """What can be said of somebody from where their joints are.

    Whether somebody sits or crouches, waves or reaches, has a telephone or talks is not to be seen in joints: known is
    only that those do not whose pose forbids it.
    """
    T = len(places)
    true, known = np.zeros((T, len(WHICH)), bool), np.ones((T, len(WHICH)), bool)

    def said(name: str, where: Flags, doubtful: Flags) -> None:
        true[:, WHICH[name]], known[:, WHICH[name]] = where, where | ~doubtful

    pelvis = gaussian_filter1d(places[:, 0], SMOOTH_S / step_s, axis=0)
    speed = np.linalg.norm(_rate(pelvis[:, :2], step_s), axis=-1) / np.sqrt(leg_m / LEG_M)
    height = places[:, 0, 2] / leg_m
    trunk = places[:, JOINT["neck"]] - places[:, 0]
    lean = np.arccos(np.clip(trunk[:, 2] / np.linalg.norm(trunk, axis=-1), -1, 1))
    upright = (lean < UPRIGHT_RAD) & (height > STANDS)
    lowest, falls = _over_floor(places[:, FEET, 2].min(-1), step_s), _falling(places[:, 0, 2], step_s)
    flies = (lowest > IN_THE_AIR_M) & (height > LOW)
    jumps = flies & ((speed < RUNS_M_S) | (lowest > HIGH_M)) & _near(falls, 0.1 / step_s)
    jumps = _near(_lasting(jumps, JUMP_S / step_s), 0.15 / step_s)

    stands = upright & (speed < STANDS_M_S) & ~jumps
    walks = (height > STANDS - 0.1) & (lean < BENT_RAD) & (speed > WALKS_M_S) & (speed < WALKED_M_S) & ~jumps
    runs = (height > LOW) & (lean < BENT_RAD) & (speed > RUNS_M_S)
    said("stand", stands, (speed < WALKS_M_S) & (height > LOW))
    said("walk", walks, ((speed > STANDS_M_S) & (speed < RUNS_M_S)) | (jumps & ~stands))
    said("run", runs, (speed > WALKED_M_S) | jumps)
    said("jump", jumps, _near(flies, 0.3 / step_s))

    faces = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    turning = np.abs(_rate(gaussian_filter1d(faces, 0.15 / step_s), step_s))
    said("turn", upright & (turning > TURNS_RAD_S), ~upright | (turning > HARDLY_TURNS_RAD_S))
    bent = (lean > BENT_RAD) & (lean < OVER_RAD) & (height > STANDS - 0.1) & ~flies
    said("bend", bent, (lean > HARDLY_BENT_RAD) & (height > LIES))

    lies = (height < LIES) & (lean > 1.0)
    said("lie", lies, (height < LOW - 0.1) & (lean > 0.7))
    rising = _rate(gaussian_filter1d(height, SMOOTH_S / step_s), step_s)
    before, after = (_least(height, AROUND_S / step_s, past) for past in (True, False))
    rises, sinks = rising > RISES, rising < -RISES
    said("get up", rises & (before < LOW) & ~flies, _near(rises & (before < STANDS - 0.05), EDGE_S / step_s))
    said("go down", sinks & (after < LOW) & ~flies, _near(sinks & (after < STANDS - 0.05), EDGE_S / step_s))

    nobody = np.zeros(T, bool)
    said("sit", nobody, (height < STANDS) & (lean < 1.2) & (height > 0.1))
    wrists, head = places[:, [JOINT["left_wrist"], JOINT["right_wrist"]]], places[:, JOINT["head"]]
    said("wave", nobody, np.asarray((wrists[..., 2] > places[:, [JOINT["neck"]], 2] - 0.1).any(-1)))
    near_head = np.linalg.norm(wrists - head[:, None], axis=-1).min(-1) < 0.5
    said("telephone", nobody, near_head | (lean < UPRIGHT_RAD))
    said("talk", nobody, speed < WALKED_M_S)
    said("dance", nobody, nobody)
    said("fight", nobody, nobody)
    return Labels(true, known)


def named(labels: Labels, name: str, places: Floats) -> Labels:
    """The labels of a captured clip with what its name says; ``places`` (T, 24, 3) as of `labels_of`."""
    true, known = labels.true.copy(), labels.known.copy()
    raised = (places[:, [JOINT["left_wrist"], JOINT["right_wrist"]], 2] > places[:, [JOINT["neck"]], 2]).any(
        -1
    )
    for action, pattern in NAMED.items():
        if pattern.search(name):
            # Signals with the arms are given now and then; what is danced or fought, all the time.
            true[:, WHICH[action]] = raised if action == "wave" else True
            known[:, WHICH[action]] |= raised if action == "wave" else True
    for action, pattern in DOUBTFUL.items():
        if pattern.search(name) and not true[:, WHICH[action]].any():
            known[:, WHICH[action]] = False
    return Labels(true, known)


def played(labels: Labels, role: Role, times_s: Floats) -> Labels:
    """The labels of somebody in a scene with what they play there, of which all is known; ``times_s`` (T,)."""
    if role.clip is not None:
        return labels
    true, known = labels.true.copy(), labels.known.copy()
    for action in {*GESTURES.values(), "sit"}:
        true[:, WHICH[action]], known[:, WHICH[action]] = False, True
    for gesture in role.gestures:
        if gesture.kind in GESTURES:
            _between(true, known, GESTURES[gesture.kind], gesture.start_s, gesture.end_s, times_s)
    for sitting in role.sittings:
        weight = sitting.weight(times_s)
        sits, moves = weight > 0.9, (weight > 0.1) & (weight < 0.9)
        true[:, WHICH["sit"]] |= sits
        known[:, WHICH["sit"]] &= sits | (weight < 0.1)
        half = (sitting.start_s + sitting.end_s) / 2
        for action, there in (("go down", times_s < half), ("get up", times_s > half)):
            true[:, WHICH[action]] |= moves & there
            known[:, WHICH[action]] &= moves | (weight < 0.01) | (weight > 0.99)
    return Labels(true, known | true)


def _between(true: Flags, known: Flags, action: str, start_s: float, end_s: float, times_s: Floats) -> None:
    """Say that an action goes on; when it begins and ends is not known to a third of a second."""
    inside = (times_s > start_s) & (times_s < end_s)
    sure = (times_s > start_s + EDGE_S) & (times_s < end_s - EDGE_S)
    true[:, WHICH[action]] |= sure
    known[:, WHICH[action]] &= sure | ~inside


def _over_floor(lowest: Floats, step_s: float) -> Floats:
    """How high the lowest foot (T,) is over what bore it, metres: a platform is a floor for who stands on it."""
    n = round(CONTACT_S / step_s) | 1
    return lowest - maximum_filter1d(minimum_filter1d(lowest, n, mode="nearest"), n, mode="nearest")


def _falling(height: Floats, step_s: float) -> Flags:
    """Whether a height (T,) changes as that of something that nothing bears."""
    return _rate(_rate(gaussian_filter1d(height, 0.03 / step_s), step_s), step_s) < FALLS


def _rate(values: Floats, step_s: float) -> Floats:
    """Of change, a second, (T, ...)."""
    return np.gradient(values, step_s, axis=0) if len(values) > 1 else np.zeros_like(values)


def _lasting(where: Flags, frames: float) -> Flags:
    """Of spells, those that last so many frames."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(int)))
    out = np.zeros_like(where)
    for start, end in edges.reshape(-1, 2):
        out[start:end] = end - start >= frames
    return out


def _near(where: Flags, frames: float) -> Flags:
    """Whether it is so within so many frames."""
    n = max(1, round(frames))
    return np.asarray(binary_dilation(where, np.ones(2 * n + 1, bool)))


def _least(values: Floats, frames: float, past: bool) -> Floats:
    """The least (T,) of the frames before each, or of those after."""
    n = max(1, round(frames))
    shift = n // 2 if past else -(n // 2)
    return np.asarray(minimum_filter1d(values, n | 1, origin=shift, mode="nearest"))
