"""Keypoint sets as weights on a body's vertices and joints.

A keypoint is an average of vertices (what annotators see: the tip of the nose, the middle of a wrist), a
joint of the skeleton, or a mix; which of these a name means depends on the set it stands in.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from choros.errors import ChorosError
from choros.skeleton import JOINT_NAMES, KEYPOINT_SETS

#: Sets in which a joint's name means the joint itself; elsewhere a landmark of that name comes first.
JOINT_SETS = ("smpl24", "comotion27")

#: Points that others define: between the shoulders or hips (OpenPose, MPII), or where skull and neck meet.
MIXTURES = {
    "mid_hip": ("left_hip", "right_hip"),
    "neck": ("left_shoulder", "right_shoulder"),
    "thorax": ("left_shoulder", "right_shoulder"),
    "upper_neck": ("joint neck", "joint head"),
    "head_bottom": ("joint neck", "joint head"),
}


def keypoint_weights(
    set_name: str, landmarks: Mapping[str, np.ndarray], n_vertices: int
) -> tuple[np.ndarray, np.ndarray]:
    """Weights of each of a set's K keypoints on vertices (K, V) and on posed joints (K, 24).

    Raises `ChorosError` for a set that does not exist, or one with points this body has no landmark for.
    """
    if set_name not in KEYPOINT_SETS:
        raise ChorosError(f'no keypoint set is called "{set_name}"; there are: {", ".join(KEYPOINT_SETS)}')

    def weights(name: str) -> np.ndarray:  # (V + 24,)
        row = np.zeros(n_vertices + len(JOINT_NAMES))
        joint = name.removeprefix("joint ")
        if joint in JOINT_NAMES and (set_name in JOINT_SETS or joint != name):
            row[n_vertices + JOINT_NAMES.index(joint)] = 1
        elif name in MIXTURES:
            row = np.mean([weights(part) for part in MIXTURES[name]], 0)
        elif name in landmarks:
            row[:n_vertices] = landmarks[name]
        elif name in JOINT_NAMES:
            row[n_vertices + JOINT_NAMES.index(name)] = 1
        else:
            raise ChorosError(
                f'this body has no landmark "{name}", which the keypoints "{set_name}" need; '
                "use the open body or a set of SMPL's joints"
            )
        return row

    rows = np.stack([weights(name) for name in KEYPOINT_SETS[set_name]])
    return rows[:, :n_vertices], rows[:, n_vertices:]
