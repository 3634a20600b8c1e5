"""The names and tree of SMPL's 24 joints and of the keypoint sets that choros speaks.

Plain tuples: what the networks, exporters and metrics, and the columns of a motion, need to know without a body.
"""

from collections.abc import Sequence

from choros.errors import ChorosError

JOINT_NAMES = (
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle",
    "right_ankle", "spine3", "left_foot", "right_foot", "neck", "left_collar", "right_collar", "head",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
    "left_hand", "right_hand",
)  # fmt: skip

#: Parent of each joint; the pelvis has none (-1). A parent always comes before its children.
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)


def _mirrored(names: tuple[str, ...]) -> tuple[int, ...]:
    other = {"left": "right", "right": "left"}
    return tuple(names.index("_".join(other.get(word, word) for word in name.split("_"))) for name in names)


#: Joint that takes each joint's place when left and right are exchanged.
MIRROR_JOINTS = _mirrored(JOINT_NAMES)

#: Joints of both feet, ankles and balls: what stands on the floor.
FEET = [JOINT_NAMES.index(f"{side}_{joint}") for side in ("left", "right") for joint in ("ankle", "foot")]

COCO17 = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip

#: Keypoint that takes each one's place when left and right are exchanged.
MIRROR_COCO17 = _mirrored(COCO17)

BODY25 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee",
    "left_ankle", "right_eye", "left_eye", "right_ear", "left_ear", "left_big_toe", "left_small_toe",
    "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip

POSETRACK15 = (
    "nose", "head_bottom", "head_top", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip

MPII16 = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
    "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder",
    "left_elbow", "left_wrist",
)  # fmt: skip

#: CoMotion's 27 joints: SMPL's without the hands, then five points of the face.
COMOTION27 = (*JOINT_NAMES[:22], "nose", "right_eye", "left_eye", "right_ear", "left_ear")

KEYPOINT_SETS = {
    "smpl24": JOINT_NAMES,
    "coco17": COCO17,
    "body25": BODY25,
    "posetrack15": POSETRACK15,
    "mpii16": MPII16,
    "comotion27": COMOTION27,
}


def joint_index(name: str) -> int:
    """Place of a joint among SMPL's 24. Raises ``ChorosError`` that lists the names."""
    return _index(name, JOINT_NAMES, "joint")


def keypoint_index(name: str) -> int:
    """Place of a keypoint among COCO's 17. Raises ``ChorosError`` that lists the names."""
    return _index(name, COCO17, "keypoint")


def _index(name: str, names: Sequence[str], what: str) -> int:
    if name not in names:
        raise ChorosError(f"there is no {what} {name!r}; choose one of: {', '.join(names)}.")
    return names.index(name)
