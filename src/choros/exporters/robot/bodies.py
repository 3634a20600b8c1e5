"""Which body of a robot moves as which of SMPL's joints: guessed from names and the tree, overruled by a TOML file."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from choros.errors import ChorosError
from choros.exporters.robot.model import Robot

SIDES = ("left", "right")
LEG, ARM = ("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")
#: SMPL's joints that a robot's bodies may stand for; legs and pelvis must be there.
NEEDED = ("pelvis", *(f"{side}_{joint}" for side in SIDES for joint in LEG))
MAPPED = (*NEEDED, "spine3", *(f"{side}_{joint}" for side in SIDES for joint in ARM), "head")

#: What bodies are called (without side and case), and which of several along the limb is taken.
_WORDS = {
    "hip": (r"hip|thigh|upper_?leg|femur", "middle"),
    "knee": (r"knee|shin|calf|shank|lower_?leg|tibia", "first"),
    "ankle": (r"ankle|foot", "last"),
    "shoulder": (r"shoulder|upper_?arm|humerus", "middle"),
    "elbow": (r"elbow|fore_?arm|lower_?arm", "first"),
    "wrist": (r"wrist", "first"),
    "hand": (r"hand|palm|gripper", "first"),
}
_SIDE = {side: rf"(^|[^a-z])({side}|{side[0]})([^a-z]|$)|^{side}|{side}$" for side in SIDES}


def bodies_of(robot: Robot, overruled: str | Path | None = None) -> dict[str, int]:
    """The body of each joint of ``MAPPED`` that was found, by number.

    ``overruled`` is a TOML file whose table ``[bodies]`` has names of bodies by those of joints, "" for none. Raises
    ``ChorosError`` for names that there are not, and where a leg or the pelvis cannot be told.
    """
    found = {f"{side}_{joint}": body for side in SIDES for joint, body in _limbs(robot, side).items() if body}
    given = {} if overruled is None else _read(Path(overruled), robot)
    found.update(given)
    for joint, ends in (
        ("pelvis", ("left_hip", "right_hip")),
        ("spine3", ("left_shoulder", "right_shoulder")),
    ):
        if joint not in given and all(end in found for end in ends):
            common = set(robot.above(found[ends[0]])) & set(robot.above(found[ends[1]]))
            found[joint] = max(common, key=lambda body: len(robot.above(body)))
    if "head" not in given:
        heads = [
            body for name, body in robot.bodies.items() if "head" in name.lower() and _moves(robot, body)
        ]
        found |= {"head": heads[-1]} if heads and found.get("spine3") in robot.above(heads[-1]) else {}
    found = {joint: body for joint, body in found.items() if body}
    missing = sorted((joint for joint in NEEDED if joint not in found), key=lambda joint: joint == "pelvis")
    if missing:
        raise ChorosError(
            f"which body of {robot.path} is the {missing[0]} cannot be told; name it in a TOML file after "
            f'--robot-map, under [bodies]: {missing[0]} = "NAME" (bodies: {", ".join(robot.bodies)}).'
        )
    return found


def _limbs(robot: Robot, side: str) -> dict[str, int]:
    """Of each joint of ``_WORDS`` the body on that side, 0 where there is none; hands stand in for wrists."""
    found = {}
    for joint, (words, which) in _WORDS.items():
        named = [
            body
            for name, body in robot.bodies.items()
            if re.search(_SIDE[side], _split(name)) and re.search(words, _split(name))
        ]
        named.sort(key=lambda body: len(robot.above(body)))
        place = {"first": 0, "middle": len(named) // 2, "last": -1}[which]
        found[joint] = named[place] if named else 0
    found["wrist"] = found["wrist"] or found["hand"]
    del found["hand"]
    return found


def _split(name: str) -> str:
    """LeftHipPitch as left_hip_pitch."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _moves(robot: Robot, body: int) -> bool:
    return bool(robot.model.body_jntnum[body])


def _read(path: Path, robot: Robot) -> dict[str, int]:
    try:
        with path.open("rb") as file:
            table = tomllib.load(file).get("bodies")
    except FileNotFoundError:
        raise ChorosError(f"{path} is no file; after --robot-map name a TOML file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ChorosError(f"{path} is no TOML ({error}).") from None
    if not isinstance(table, dict):
        raise ChorosError(f'{path} has no table [bodies] with lines such as left_wrist = "left_hand_link".')
    chosen = {}
    for joint, name in table.items():
        if joint not in MAPPED:
            raise ChorosError(f"{path} names {joint}, which is no joint; choose among {', '.join(MAPPED)}.")
        if name and name not in robot.bodies:
            raise ChorosError(
                f"{path} says that {joint} is {name}, which {robot.path} has not; its bodies are "
                f"{', '.join(robot.bodies)}."
            )
        chosen[joint] = robot.bodies[name] if name else 0
    return chosen
