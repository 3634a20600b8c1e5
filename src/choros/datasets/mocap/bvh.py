"""Biovision hierarchies (.bvh), the format in which most people's own motion capture comes.

Angles are degrees, turned in the order in which the channels are listed. Neither the length unit nor
the rest pose is fixed by the format: the unit is guessed from the legs, the rest pose must be a standing
person, unless the caller names a frame or joint angles that are.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from choros.datasets.mocap.source_motion import REQUIRED_ROLES, SourceMotion, forward
from choros.errors import ChorosError


@dataclass(frozen=True)
class BvhFile:
    """What a .bvh file says, unchanged: its own unit, degrees."""

    joints: tuple[str, ...]  # tips of the last bones are called NAME_end
    parents: tuple[int, ...]
    offsets: np.ndarray  # (J, 3)
    channels: tuple[tuple[str, ...], ...]  # per joint, "Xposition" ... "Zrotation"
    frames: np.ndarray  # (T, number of channels)
    fps: float


#: Names under which skeletons in the wild know a joint; compared without case, separators, prefixes.
_ALIASES = {
    "pelvis": ("hips", "pelvis", "hip", "root"),
    "head": ("head",),
    "hip": ("upleg", "upperleg", "thigh", "hip", "femur"),
    "knee": ("leg", "lowerleg", "lowleg", "shin", "knee", "calf", "tibia"),
    "ankle": ("foot", "ankle"),
    "foot": ("toebase", "toe", "toes", "ball"),
    "shoulder": ("arm", "upperarm", "uparm", "shoulder", "humerus"),
    "elbow": ("forearm", "lowerarm", "lowarm", "elbow", "radius"),
    "wrist": ("hand", "wrist"),
}

#: The T-pose of the Bandai-Namco skeleton (its own rest pose is no person's): joint angles in degrees,
#: about Z, then X, then Y of the turned axes. Collars and feet are those of its standing subjects.
BANDAI_REFERENCE = {
    "Hips": (90.0, 0.0, 0.0),
    "Spine": (90.0, 90.0, -90.0),
    "Shoulder_L": (-90.0, 0.0, -73.0),
    "Shoulder_R": (90.0, 0.0, -73.0),
    "UpperLeg_L": (180.0, 0.0, 0.0),
    "UpperLeg_R": (0.0, 180.0, 0.0),
    "Foot_L": (0.0, 0.0, -64.0),
    "Foot_R": (0.0, 0.0, -64.0),
    "Toes_L": (0.0, 0.0, -17.0),
    "Toes_R": (0.0, 0.0, -17.0),
}


def read_bvh(
    text: str,
    name: str,
    *,
    reference_frame: int | None = None,
    reference_text: str | None = None,
    unit_m: float | None = None,
    roles: Mapping[str, str] | None = None,
) -> SourceMotion:
    """A motion from a .bvh file's text; `name` names it and stands in error messages.

    Args:
        text: the file.
        name: of the motion.
        reference_frame: a frame in which the subject stands upright (a T- or A-pose), for files whose
            rest pose is something else.
        reference_text: another file of the same skeleton, in which that frame is to be found; this file when None.
        unit_m: length of the file's unit in metres; guessed from the length of the legs when None.
        roles: SMPL joint name -> the file's joint, for names that are not understood by themselves.

    Raises:
        ChorosError: the file is incomplete, or the person in it was not understood; says what to pass.
    """
    bvh = parse_bvh(text, name)
    upright = None if reference_text is None else parse_bvh(reference_text, name)
    return read_bvh_file(
        bvh, name, reference_frame=reference_frame, reference=upright, unit_m=unit_m, roles=roles
    )


def read_bvh_file(
    bvh: BvhFile,
    name: str,
    *,
    reference_frame: int | None = None,
    reference: BvhFile | None = None,
    unit_m: float | None = None,
    roles: Mapping[str, str] | None = None,
) -> SourceMotion:
    """The same from what was parsed; see `read_bvh`."""
    found = dict(find_roles(bvh.joints), **(roles or {}))
    lacking = [role for role in REQUIRED_ROLES if found.get(role) not in bvh.joints]
    if lacking:
        raise ChorosError(
            f"{name}: no joint found for {', '.join(lacking)} among {', '.join(bvh.joints)}; "
            "pass roles={'left_hip': ...}"
        )
    local, places = _local_motion(bvh)
    if reference_frame is not None:
        upright = local
        if reference is not None:
            if unknown := set(bvh.joints) - set(reference.joints):
                raise ChorosError(
                    f"{name}: the file with its reference pose has no {min(unknown)}; pass another"
                )
            upright = _local_motion(reference)[0][:, [reference.joints.index(joint) for joint in bvh.joints]]
        reference_local = upright[reference_frame : reference_frame + 1]
        if not len(reference_local):
            raise ChorosError(f"{name}: has {len(upright)} frames, no frame {reference_frame}; pass another")
    else:
        reference_local = _posed(bvh.joints, BANDAI_REFERENCE if is_bandai(bvh.joints) else {})
    rotations, positions = forward(bvh.parents, places, local, places[:, 0])
    at_reference, standing = forward(bvh.parents, bvh.offsets, reference_local, np.zeros((1, 3)))
    motion = SourceMotion(
        name=name,
        fps=bvh.fps,
        joints=bvh.joints,
        parents=bvh.parents,
        reference=standing[0],
        rotations=rotations @ at_reference.swapaxes(-1, -2),
        positions=positions,
        roles=found,
    )
    if unit_m is None:
        unit_m = _guess_unit_m(motion)
    return replace(motion, reference=standing[0] * unit_m, positions=positions * unit_m)


def is_bandai(joints: Sequence[str]) -> bool:
    """Whether this is the skeleton of the Bandai-Namco Research Motiondataset."""
    return "joint_Root" in joints and set(BANDAI_REFERENCE) <= set(joints)


def parse_bvh(text: str, name: str) -> BvhFile:
    """The hierarchy and the table of a .bvh file.

    Raises:
        ChorosError: it is cut off or no .bvh file.
    """
    head, motion_word, table = text.partition("MOTION")
    found = re.match(r"\s*Frames:\s*(\d+)\s+Frame\s+Time:\s*(\S+)", table)
    if not motion_word or found is None:
        raise ChorosError(f"{name}: no MOTION part with frame count and time; get the .bvh file again")
    try:
        joints, parents, offsets, channels = _parse_hierarchy(head)
        frames = np.array(table[found.end() :].split(), dtype=float)
        count, frame_s = int(found[1]), float(found[2])
    except (ValueError, IndexError) as error:
        raise ChorosError(f"{name}: not a complete .bvh file ({error}); get it again") from error
    width = sum(map(len, channels))
    if len(frames) != count * width or count == 0 or not frame_s > 0:
        raise ChorosError(
            f"{name}: says {count} frames of {width} numbers but holds {len(frames)} numbers; get it again"
        )
    return BvhFile(
        tuple(joints),
        tuple(parents),
        np.array(offsets),
        tuple(channels),
        frames.reshape(count, width),
        1.0 / frame_s,
    )


def find_roles(joints: Sequence[str]) -> dict[str, str]:
    """Which joint plays which SMPL joint, by the names that tools and archives commonly use."""
    plain = {joint: _plain(joint) for joint in joints if not joint.endswith("_end")}
    roles = {}
    for ours, theirs in _ALIASES.items():
        if ours in ("pelvis", "head"):
            roles[ours] = next((j for alias in theirs for j, p in plain.items() if p == alias), "")
            continue
        for side in ("left", "right"):
            wanted = [f"{side}{alias}" for alias in theirs]
            roles[f"{side}_{ours}"] = next((j for w in wanted for j, p in plain.items() if p == w), "")
    return {role: joint for role, joint in roles.items() if joint}


def _plain(joint: str) -> str:
    """A joint's name as side + part: "mixamorig:LeftUpLeg" is "leftupleg", "CC_Base_L_Foot" is "leftfoot"."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", re.split(r"[:|]|^CC_Base_", joint)[-1])
    words = [word.lower() for word in words]
    sides = {"l": "left", "r": "right", "left": "left", "right": "right"}
    side = next((sides[word] for word in words if word in sides), "")
    if not side and words and words[0][0] in "lr" and words[0][1:] in _SHORT:
        return sides[words[0][0]] + words[0][1:] + "".join(words[1:])  # "lfoot", "rThigh"
    return side + "".join(word for word in words if word not in sides)


_SHORT = {alias for aliases in _ALIASES.values() for alias in aliases}


def _parse_hierarchy(
    text: str,
) -> tuple[list[str], list[int], list[list[float]], list[tuple[str, ...]]]:
    words = text.replace("{", " { ").replace("}", " } ").split()
    joints: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[tuple[str, ...]] = []
    line: list[int] = []  # joints whose braces are open
    k = words.index("ROOT")
    while k < len(words):
        word = words[k]
        if word in ("ROOT", "JOINT", "End"):
            name = f"{joints[line[-1]]}_end" if word == "End" else words[k + 1]
            joints.append(name)
            parents.append(line[-1] if line else -1)
            channels.append(())
            k += 2
        elif word == "{":
            line.append(len(joints) - 1)
            k += 1
        elif word == "}":
            line.pop()
            k += 1
        elif word == "OFFSET":
            offsets.append([float(value) for value in words[k + 1 : k + 4]])
            k += 4
        elif word == "CHANNELS":
            count = int(words[k + 1])
            channels[line[-1]] = tuple(words[k + 2 : k + 2 + count])
            k += 2 + count
        else:
            raise ValueError(f"unknown word {word}")
    if line or len(offsets) != len(joints) or parents.count(-1) != 1:
        raise ValueError("braces or offsets do not match")
    return joints, parents, offsets, channels


def _local_motion(bvh: BvhFile) -> tuple[np.ndarray, np.ndarray]:
    """Rotations (T, J, 3, 3) and places (T, J, 3) of the joints in their parents' frames."""
    count = len(bvh.frames)
    local = np.broadcast_to(np.eye(3), (count, len(bvh.joints), 3, 3)).copy()
    places = np.broadcast_to(bvh.offsets, (count, *bvh.offsets.shape)).copy()
    column = 0
    for joint, channels in enumerate(bvh.channels):
        values = bvh.frames[:, column : column + len(channels)]
        column += len(channels)
        turns = [k for k, channel in enumerate(channels) if channel.endswith("rotation")]
        if turns:
            order = "".join(channels[k][0] for k in turns)
            local[:, joint] = Rotation.from_euler(order, values[:, turns], degrees=True).as_matrix()
        for k, channel in enumerate(channels):
            if channel.endswith("position"):
                places[:, joint, "XYZ".index(channel[0])] = values[:, k]
    return local, places


def _posed(joints: Sequence[str], angles_deg: Mapping[str, Sequence[float]]) -> np.ndarray:
    """(1, J, 3, 3) local rotations with the named joints turned about Z, X, Y and all others still."""
    local = np.broadcast_to(np.eye(3), (1, len(joints), 3, 3)).copy()
    for joint, angles in angles_deg.items():
        local[0, joints.index(joint)] = Rotation.from_euler("ZXY", angles, degrees=True).as_matrix()
    return local


def _guess_unit_m(motion: SourceMotion) -> float:
    """Metres, decimetres, centimetres, inches or millimetres: what makes the legs nearest to 0.8 m."""
    hip, knee, ankle = (motion.reference[motion.index(f"left_{joint}")] for joint in ("hip", "knee", "ankle"))
    leg = float(np.linalg.norm(knee - hip) + np.linalg.norm(ankle - knee))
    if not leg > 0:
        raise ChorosError(f"{motion.name}: the left leg has no length; pass roles={{'left_hip': ...}}")
    units = np.array([1.0, 0.1, 0.0254, 0.01, 0.001])
    return float(units[np.argmin(np.abs(np.log(leg * units / 0.8)))])
