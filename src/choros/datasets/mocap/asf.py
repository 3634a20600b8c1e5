"""Acclaim skeletons (.asf) and their motions (.amc), the format of the CMU motion capture database.

Format: M. Schafer, "Acclaim ASF/AMC", and J. Lander, "Working with motion capture file formats", Game
Developer, January 1998. A bone's angles turn it about axes of its own; its direction is given in the
world of the rest pose.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from choros.datasets.mocap.source_motion import SourceMotion, forward, rest_positions
from choros.errors import ChorosError

#: The CMU files leave out the rate; the database says 120 frames a second.
CMU_FPS = 120.0
#: One length unit of the CMU skeletons: inches divided by the `length 0.45` of their headers.
CMU_UNIT_M = 0.0254 / 0.45

ROLES = {
    "pelvis": "root",
    "head": "head",
    **{
        f"{side}_{ours}": f"{side[0]}{theirs}"
        for side in ("left", "right")
        for ours, theirs in (
            ("hip", "femur"),
            ("knee", "tibia"),
            ("ankle", "foot"),
            ("foot", "toes"),
            ("shoulder", "humerus"),
            ("elbow", "radius"),
            ("wrist", "hand"),
        )
    },
}


@dataclass(frozen=True)
class AsfSkeleton:
    """The skeleton of one subject: joint b stands where bone b begins, joint 0 is the root."""

    joints: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray  # (J, 3) metres, from the parent joint, in the world of the rest pose
    axes: Rotation  # (J,) from a bone's own axes to the world of the rest pose
    freedoms: tuple[tuple[str, ...], ...]  # per joint the channels of its .amc line, "rx", "tx", ...
    unit_m: float
    degrees: bool


def read_asf(text: str, name: str) -> AsfSkeleton:
    """Parse an .asf file's text; `name` stands in error messages.

    Raises:
        ChorosError: the text is not a complete Acclaim skeleton.
    """
    try:
        return _parse_asf(text)
    except (KeyError, ValueError, IndexError, StopIteration) as error:
        raise ChorosError(
            f"{name}: not a complete Acclaim skeleton ({error}); get the .asf file again"
        ) from error


def read_amc(text: str, skeleton: AsfSkeleton, name: str, fps: float = CMU_FPS) -> SourceMotion:
    """Parse an .amc file's text as a motion of `skeleton`; `name` names the motion and errors.

    Raises:
        ChorosError: frames are cut off, or the file moves bones that the skeleton lacks.
    """
    lines = text.split("\n")
    start = next((k for k, line in enumerate(lines) if line.strip().isdecimal()), None)
    if start is None:
        raise ChorosError(f"{name}: no frame in this .amc file; get it again")
    tokens = np.array(" ".join(lines[start:]).split())
    layout = _frame_layout(lines[start:], skeleton, name)
    width = 1 + sum(1 + len(channels) for _, channels in layout)
    if len(tokens) % width:
        raise ChorosError(f"{name}: its last frame is cut off or a frame misses bones; get the file again")
    table = tokens.reshape(-1, width)

    frames = len(table)
    angles = np.zeros((frames, len(skeleton.joints), 3))
    root = np.zeros((frames, 3))
    column = 1
    for joint, channels in layout:
        if np.any(table[:, column] != skeleton.joints[joint]):
            raise ChorosError(f"{name}: frames list different bones; get the file again")
        try:
            values = table[:, column + 1 : column + 1 + len(channels)].astype(float)
        except ValueError as error:
            raise ChorosError(f"{name}: {skeleton.joints[joint]} has a value that is no number") from error
        for k, channel in enumerate(channels):
            if channel[0] == "r":
                angles[:, joint, "xyz".index(channel[1])] = values[:, k]
            elif channel[0] == "t" and joint == 0:
                root[:, "xyz".index(channel[1])] = values[:, k] * skeleton.unit_m
        column += 1 + len(channels)

    shape = angles.shape
    turns = Rotation.from_euler("xyz", angles.reshape(-1, 3), degrees=skeleton.degrees).as_matrix()
    to_world = skeleton.axes.as_matrix()
    local = to_world @ turns.reshape(*shape, 3) @ to_world.swapaxes(-1, -2)
    rotations, positions = forward(skeleton.parents, skeleton.offsets, local, root)
    return SourceMotion(
        name=name,
        fps=fps,
        joints=skeleton.joints,
        parents=skeleton.parents,
        reference=rest_positions(skeleton.parents, skeleton.offsets),
        rotations=rotations,
        positions=positions,
        roles=ROLES,
        hinges=_elbow_hinges(skeleton),
    )


def read_asf_amc(asf_text: str, amc_text: str, name: str, fps: float = CMU_FPS) -> SourceMotion:
    """One motion from the texts of a subject's .asf and of the .amc (see `read_asf`, `read_amc`)."""
    return read_amc(amc_text, read_asf(asf_text, name), name, fps)


def _parse_asf(text: str) -> AsfSkeleton:
    sections = _sections(text)
    units = {words[0]: words[1] for words in sections["units"]}
    root = {words[0]: words[1:] for words in sections["root"]}
    bones = list(_bones(sections["bonedata"]))
    parent_of = {
        child: words[0]
        for words in sections["hierarchy"]
        if words[0] not in ("begin", "end")
        for child in words[1:]
    }
    # The hierarchy section lists parents before children; keep its order.
    order = ["root", *parent_of]
    if missing := set(order[1:]) - {bone["name"][0] for bone in bones}:
        raise ValueError(f"no bone data for {min(missing)}")
    unit_m = 0.0254 / float(units.get("length", 1.0))
    degrees = units.get("angle", "deg") == "deg"
    tails = {"root": np.zeros(3)}
    axes = {"root": Rotation.from_euler("xyz", [float(v) for v in root["orientation"]], degrees=degrees)}
    freedoms = {"root": tuple(channel.lower() for channel in root["order"])}
    for bone in bones:
        name = bone["name"][0]
        tails[name] = np.array([float(v) for v in bone["direction"]]) * float(bone["length"][0]) * unit_m
        *angles, sequence = bone["axis"]
        axes[name] = Rotation.from_euler(sequence.lower(), [float(v) for v in angles], degrees=degrees)
        freedoms[name] = tuple(channel.lower() for channel in bone.get("dof", ()))
    # Tips of the last bones become joints of their own, so that every bone has two ends.
    leaves = [name for name in order if name not in parent_of.values() and name != "root"]
    joints = (*order, *(f"{leaf}_end" for leaf in leaves))
    parents = [
        -1,
        *(order.index(parent_of[name]) for name in order[1:]),
        *(order.index(leaf) for leaf in leaves),
    ]
    if any(parent >= joint for joint, parent in enumerate(parents)):
        raise ValueError("a bone stands before its parent in the hierarchy")
    return AsfSkeleton(
        joints=joints,
        parents=tuple(parents),
        offsets=np.stack([np.zeros(3), *(tails[joints[parent]] for parent in parents[1:])]),
        axes=Rotation.concatenate([axes[name] for name in order] + [Rotation.identity()] * len(leaves)),
        freedoms=(*(freedoms[name] for name in order), *(() for _ in leaves)),
        unit_m=unit_m,
        degrees=degrees,
    )


def _sections(text: str) -> dict[str, list[list[str]]]:
    """Words of the lines under each ":keyword" of an .asf file."""
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words and words[0].startswith(":"):
            current = sections.setdefault(words[0][1:].lower(), [])
        elif words:
            current.append(words)
    return sections


def _bones(lines: list[list[str]]) -> Iterator[dict[str, list[str]]]:
    bone: dict[str, list[str]] = {}
    for words in lines:
        if words[0] == "begin":
            bone = {}
        elif words[0] == "end":
            yield bone
        else:
            bone[words[0]] = words[1:]


def _frame_layout(lines: list[str], skeleton: AsfSkeleton, name: str) -> list[tuple[int, tuple[str, ...]]]:
    """Joint and channels of each line of the first frame."""
    layout = []
    for line in lines[1:]:
        words = line.split()
        if not words or words[0].isdecimal():
            break
        if words[0] not in skeleton.joints:
            raise ChorosError(
                f"{name}: moves a bone {words[0]} that its .asf lacks; pair it with its own .asf"
            )
        joint = skeleton.joints.index(words[0])
        if len(words) - 1 != len(skeleton.freedoms[joint]):
            raise ChorosError(
                f"{name}: {words[0]} has {len(words) - 1} values where its .asf says "
                f"{len(skeleton.freedoms[joint])}; pair it with its own .asf"
            )
        layout.append((joint, skeleton.freedoms[joint]))
    return layout


def _elbow_hinges(skeleton: AsfSkeleton) -> dict[str, np.ndarray]:
    """Flexion axis of each elbow in the rest pose, where the forearm has that one freedom."""
    hinges = {}
    for elbow in ("left_elbow", "right_elbow"):
        for bone, freedoms in enumerate(skeleton.freedoms):
            if skeleton.joints[bone] == ROLES[elbow] and freedoms == ("rx",):
                hinges[elbow] = skeleton.axes[bone].apply([1.0, 0.0, 0.0])
    return hinges
