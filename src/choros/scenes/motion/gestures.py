"""What arms and head do besides walking: waving, looking around, telephoning, standing with hands on hips.

A gesture is a pose of a few joints over its own time; ``blend_gesture`` blends it over whatever the joints did.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from choros.rotation import rotmat_about as about
from choros.scenes.motion.rest_skeleton import JOINT, SIDES, Floats, turned_toward
from choros.scenes.motion.routes import smoothstep


@dataclass(frozen=True)
class Gesture:
    """Something the upper body does for a while: "wave", "look", "text", "phone", "pockets", "hips", "talk", "nod"."""

    kind: str
    start_s: float
    end_s: float


def _wave(t: Floats) -> dict[str, Floats]:
    sway = 0.35 * np.sin(2 * np.pi * 1.7 * t)
    return {
        "right_collar": about("z", -0.15 + 0 * t),
        "right_shoulder": about("z", 0.25 + 0.1 * sway) @ about("y", 0.35 + 0 * t) @ about("x", -1.4 + 0 * t),
        "right_elbow": about("y", 1.45 + sway),
    }


def _look(t: Floats) -> dict[str, Floats]:
    turn = 0.9 * np.sin(2 * np.pi * t / 2.8)
    return {"neck": about("y", 0.45 * turn), "head": about("y", 0.55 * turn) @ about("x", 0.05 + 0 * t)}


def _text(t: Floats) -> dict[str, Floats]:
    pose = {"neck": about("x", 0.25 + 0 * t), "head": about("x", 0.3 + 0 * t)}
    for side, sign in SIDES:
        pose[f"{side}_shoulder"] = about("x", -0.45 + 0 * t) @ about("z", -sign * 1.3)
        pose[f"{side}_elbow"] = about("x", 0.55 + 0 * t) @ about("y", -sign * 1.65 + 0.03 * np.sin(9 * t))
    return pose


def _phone(t: Floats) -> dict[str, Floats]:
    return {
        "right_shoulder": about("x", -0.55 + 0 * t) @ about("z", 0.6 + 0 * t) @ about("x", 0.0 + 0 * t),
        "right_elbow": about("y", 2.45 + 0.05 * np.sin(2 * t)),
        "head": about("z", -0.12 + 0 * t),
    }


def _pockets(t: Floats) -> dict[str, Floats]:
    pose = {}
    for side, sign in SIDES:
        pose[f"{side}_shoulder"] = about("x", 0.12 + 0 * t) @ about("z", -sign * 1.22)
        pose[f"{side}_elbow"] = about("x", 0.8 + 0 * t) @ about("y", -sign * 0.75)
    return pose


def _hips(t: Floats) -> dict[str, Floats]:
    pose = {}
    for side, sign in SIDES:
        pose[f"{side}_shoulder"] = about("x", 0.12 + 0 * t) @ about("z", -sign * 0.85)
        pose[f"{side}_elbow"] = about("x", 1.25 + 0 * t) @ about("y", -sign * 1.6)
    return pose


def _talk(t: Floats) -> dict[str, Floats]:
    """Both hands before the belly, one of them busy."""
    beat = np.sin(2 * np.pi * 0.9 * t) + 0.5 * np.sin(2 * np.pi * 2.1 * t + 1)
    pose = {"head": about("x", 0.06 * np.sin(2 * np.pi * 0.8 * t)) @ about("y", 0.1 * np.sin(1.9 * t))}
    for side, sign in SIDES:
        busy = 0.22 if side == "right" else 0.08
        pose[f"{side}_shoulder"] = about("x", -0.3 - 0.5 * busy * beat) @ about("z", -sign * 1.25)
        pose[f"{side}_elbow"] = about("x", 0.3 + 0 * t) @ about("y", -sign * (1.35 + busy * beat))
    return pose


def _nod(t: Floats) -> dict[str, Floats]:
    return {"head": about("x", 0.12 * np.sin(2 * np.pi * 1.3 * t) * np.clip(np.sin(0.9 * t), 0, 1))}


GESTURES: dict[str, Callable[[Floats], dict[str, Floats]]] = {
    "wave": _wave,
    "look": _look,
    "text": _text,
    "phone": _phone,
    "pockets": _pockets,
    "hips": _hips,
    "talk": _talk,
    "nod": _nod,
}


def blend_gesture(R_local: Floats, gesture: Gesture, times_s: Floats) -> None:
    """Blend a gesture in and out over 0.6 s, in place."""
    weight = smoothstep((times_s - gesture.start_s) / 0.6) * smoothstep((gesture.end_s - times_s) / 0.6)
    for joint, target in GESTURES[gesture.kind](times_s - gesture.start_s).items():
        turned_toward(R_local[:, JOINT[joint]], target, weight)
