"""The skeletons that other programs expect, as one table: names, order and axes of bones, units, the pose at rest.

Every writer of skeletons reads ``RIGS`` through ``rigged.rigged_of``; the command line and the documentation print
it. Each bone has the place and the turn of one of SMPL's joints, so that a motion is renamed and not retargeted:
a person keeps their own proportions. Without a rig, files hold SMPL's 24 joints as they are (``PLAIN``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from choros.errors import ChorosError
from choros.skeleton import JOINT_NAMES, PARENTS

Axis = Literal["x", "y"]
RestPose = Literal["T", "A"]
Units = Literal["m", "cm"]
Up = Literal["y", "z"]

METRES: dict[Units, float] = {"m": 1.0, "cm": 100.0}  # units in a metre

SPINE = ("pelvis", "spine1", "spine2", "spine3", "neck", "head")
ARM = ("collar", "shoulder", "elbow", "wrist")
LEG = ("hip", "knee", "ankle", "foot")


@dataclass(frozen=True)
class Bone:
    """One bone: it begins at a joint and turns with it, or half way to ``toward``, which then hangs on it."""

    name: str
    joint: str
    toward: str = ""


@dataclass(frozen=True)
class Rig:
    """One skeleton. Bones stand parents first, in the order of the file."""

    name: str
    what: str
    bones: tuple[Bone, ...]
    root: str = ""  # a bone on the ground that carries the way across it; "" if the hips do
    along: Axis | None = (
        None  # the axis of a bone that points to its child; None: bones have the file's axes at rest
    )
    rest: RestPose = "T"
    units: Units = "m"  # of formats that leave it to the file
    up: Up = "y"  # the same
    alone: bool = False  # a glb file holds one person
    lacks: str = ""  # what of the target is not there, or is not as there: one sentence

    def parents(self) -> tuple[int, ...]:
        """The bone on which each hangs, -1 of the first; ``root`` is not counted."""
        places: dict[str, int] = {}
        ends = {bone.toward: i for i, bone in enumerate(self.bones) if bone.toward}
        for i, bone in enumerate(self.bones):
            if not bone.toward:
                places[bone.joint] = i
        found = []
        for bone in self.bones:
            if bone.toward:
                found.append(places[bone.joint])
            elif bone.joint in ends:
                found.append(ends[bone.joint])
            else:
                found.append(_kept_above(bone.joint, places))
        return tuple(found)


def _kept_above(joint: str, places: dict[str, int]) -> int:
    above = PARENTS[JOINT_NAMES.index(joint)]
    while above >= 0 and JOINT_NAMES[above] not in places:
        above = PARENTS[above]
    return places[JOINT_NAMES[above]] if above >= 0 else -1


def _bones(
    spine: str, arm: str, leg: str, sides: tuple[tuple[str, str], tuple[str, str]]
) -> tuple[Bone, ...]:
    """Spine, left arm, right arm, left leg, right leg: names by blanks, each side's put for ``{}``."""
    bones = [Bone(name, joint) for name, joint in zip(spine.split(), SPINE, strict=True)]
    for names, joints in ((arm.split(), ARM), (leg.split(), LEG)):
        for side, ours in sides:
            pairs = zip(names, joints, strict=True)
            bones += [Bone(name.format(side), f"{ours}_{joint}") for name, joint in pairs]
    return tuple(bones)


_WORDS = (("Left", "left"), ("Right", "right"))
_LETTERS = (("l", "left"), ("r", "right"))
_NO_FINGERS = "no fingers (hands are stiff); people keep their own proportions"

#: What is written without ``--rig``.
PLAIN = Rig(name="", what="SMPL's 24 joints", bones=tuple(Bone(name, name) for name in JOINT_NAMES))

_RIGIFY = _bones(
    "spine spine.001 spine.002 spine.003 spine.004 spine.006",
    "shoulder.{} upper_arm.{} forearm.{} hand.{}",
    "thigh.{} shin.{} foot.{} toe.{}",
    (("L", "left"), ("R", "right")),
)


def _mhr_leg(side: str, ours: str) -> tuple[Bone, ...]:
    joints = ("upleg", "lowleg", "foot", "ball")
    return tuple(Bone(f"{side}_{name}", f"{ours}_{joint}") for name, joint in zip(joints, LEG, strict=True))


def _mhr_arm(side: str, ours: str) -> tuple[Bone, ...]:
    return (
        Bone(f"{side}_clavicle", f"{ours}_collar"),
        Bone(f"{side}_uparm", f"{ours}_shoulder"),
        Bone(f"{side}_lowarm", f"{ours}_elbow"),
        Bone(f"{side}_wrist_twist", f"{ours}_elbow", toward=f"{ours}_wrist"),
        Bone(f"{side}_wrist", f"{ours}_wrist"),
    )


#: In the order of MHR's 127. Its spine has a joint more than SMPL's, the first above the root.
_MHR = (
    Bone("root", "pelvis"),
    *_mhr_leg("l", "left"),
    *_mhr_leg("r", "right"),
    Bone("c_spine0", "pelvis", toward="spine1"),
    *(Bone(f"c_{joint}", joint) for joint in SPINE[1:4]),
    *_mhr_arm("r", "right"),
    *_mhr_arm("l", "left"),
    *(Bone(f"c_{joint}", joint) for joint in SPINE[4:]),
)

_ALL = (
    Rig(
        name="smpl",
        what="SMPL's 24 joints, as SMPL's tools name them, on a root",
        bones=PLAIN.bones,
        root="root",
        lacks="nothing is left out; hands are stiff",
    ),
    Rig(
        name="mixamo",
        what="Mixamo's names and axes, and the tools that know them",
        bones=_bones(
            "mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2 mixamorig:Neck mixamorig:Head",
            "mixamorig:{0}Shoulder mixamorig:{0}Arm mixamorig:{0}ForeArm mixamorig:{0}Hand",
            "mixamorig:{0}UpLeg mixamorig:{0}Leg mixamorig:{0}Foot mixamorig:{0}ToeBase",
            _WORDS,
        ),
        along="y",
        units="cm",
        lacks=f"{_NO_FINGERS}; as with Mixamo the hips carry the way, there is no root",
    ),
    Rig(
        name="unreal",
        what="names of Unreal's mannequin of UE4, which UE5's retargeter takes too",
        bones=_bones(
            "pelvis spine_01 spine_02 spine_03 neck_01 head",
            "clavicle_{} upperarm_{} lowerarm_{} hand_{}",
            "thigh_{} calf_{} foot_{} ball_{}",
            _LETTERS,
        ),
        root="root",
        along="x",
        rest="A",
        units="cm",
        up="z",
        lacks=(
            f"{_NO_FINGERS}; no twist and IK bones, no spine_04, spine_05, neck_02 of UE5; axes of bones are not the "
            "mannequin's, so that a motion is brought there by the IK Retargeter, not by names alone"
        ),
    ),
    Rig(
        name="unity",
        what="names of Unity's Humanoid, which its Avatar finds by itself",
        bones=_bones(
            "Hips Spine Chest UpperChest Neck Head",
            "{0}Shoulder {0}UpperArm {0}LowerArm {0}Hand",
            "{0}UpperLeg {0}LowerLeg {0}Foot {0}Toes",
            _WORDS,
        ),
        root="Root",
        lacks=f"{_NO_FINGERS}; no eyes and jaw",
    ),
    Rig(
        name="blender-rigify",
        what="names of the human metarig of Blender's Rigify",
        bones=(*_RIGIFY[:5], Bone("spine.005", "neck", toward="head"), *_RIGIFY[5:]),
        root="root",
        along="y",
        lacks=(
            f"{_NO_FINGERS}; no heels, palms, face, breast and pelvis wings; spine.005 turns with spine.004; the rolls "
            "of bones are not the metarig's"
        ),
    ),
    Rig(
        name="vrm",
        what="human bones of VRM 1.0; glb files are VRM animations too (VRMC_vrm_animation), one a person",
        bones=_bones(
            "hips spine chest upperChest neck head",
            "{0}Shoulder {0}UpperArm {0}LowerArm {0}Hand",
            "{0}UpperLeg {0}LowerLeg {0}Foot {0}Toes",
            (("left", "left"), ("right", "right")),
        ),
        alone=True,
        lacks=(
            f"{_NO_FINGERS}; the hips carry the way, as VRM has it; an animation for avatars, not an avatar: no "
            "licence, expressions and materials of one"
        ),
    ),
    Rig(
        name="mhr",
        what="names, order and hierarchy of the Momentum Human Rig (MHR)",
        bones=_MHR,
        root="body_world",
        rest="A",
        units="cm",
        lacks=(
            f"{_NO_FINGERS}; no jaw, eyes and tongue, no helpers (_proc) and ends (_null); of the foot no joints "
            "between foot and ball; c_spine0, l_ and r_wrist_twist lie half way to the next and turn with the one "
            "before; axes of bones and the pose at rest are not MHR's, so that a motion is brought there by a "
            "retargeter, not by names alone"
        ),
    ),
)  # fmt: skip

#: Every rig by name.
RIGS = {rig.name: rig for rig in _ALL}


def rig_named(name: str | None) -> Rig:
    """The rig of that name; ``PLAIN`` of None. Raises ``ChorosError`` that lists the names there are."""
    if name is None:
        return PLAIN
    if name not in RIGS:
        raise ChorosError(f"there is no rig {name}; choose one of: {', '.join(RIGS)}.")
    return RIGS[name]


def rig_table() -> list[dict[str, str]]:
    """The rigs for people to read: one row each, its columns by heading."""
    return [
        {
            "rig": rig.name,
            "what": rig.what,
            "root": rig.root or f"none: {rig.bones[0].name}",
            "bones": f"{rig.along} along the limb" if rig.along else "the file's axes at rest",
            "at rest": rig.rest,
            "bvh, usd": f"{rig.units}, {rig.up} up",
            "lacks": rig.lacks,
        }
        for rig in RIGS.values()
    ]
