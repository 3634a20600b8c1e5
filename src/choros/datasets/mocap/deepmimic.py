"""The humanoid clips of DeepMimic and of the projects that kept its format, such as Jump.

A frame is 44 numbers: its duration, the root's place and turn, then the joints' turns (quaternions wxyz,
or one angle for knees and elbows). Source: X. B. Peng et al., "DeepMimic", SIGGRAPH 2018, and the
character file `humanoid3d.txt` of its release.
"""

import json

import numpy as np

from choros.datasets.mocap.source_motion import SourceMotion, forward, rest_positions
from choros.errors import ChorosError
from choros.rotation import quat_wxyz_to_rotmat, rotvec_to_rotmat

#: The character: x forward, y up, z to its right, metres; it stands with its arms down.
#: Joint, parent, place in the parent's frame, numbers it takes in a frame (4: wxyz, 1: angle, 0: fixed).
_CHARACTER = (
    ("root", "", (0.0, 0.0, 0.0), 4),
    ("chest", "root", (0.0, 0.236151, 0.0), 4),
    ("neck", "chest", (0.0, 0.223894, 0.0), 4),
    ("right_hip", "root", (0.0, 0.0, 0.084887), 4),
    ("right_knee", "right_hip", (0.0, -0.421546, 0.0), 1),
    ("right_ankle", "right_knee", (0.0, -0.40987, 0.0), 4),
    ("right_shoulder", "chest", (-0.02405, 0.24350, 0.18311), 4),
    ("right_elbow", "right_shoulder", (0.0, -0.274788, 0.0), 1),
    ("left_hip", "root", (0.0, 0.0, -0.084887), 4),
    ("left_knee", "left_hip", (0.0, -0.421546, 0.0), 1),
    ("left_ankle", "left_knee", (0.0, -0.40987, 0.0), 4),
    ("left_shoulder", "chest", (-0.02405, 0.24350, -0.18311), 4),
    ("left_elbow", "left_shoulder", (0.0, -0.274788, 0.0), 1),
    ("right_wrist", "right_elbow", (0.0, -0.258947, 0.0), 0),
    ("left_wrist", "left_elbow", (0.0, -0.258947, 0.0), 0),
)
JOINTS = tuple(name for name, _, _, _ in _CHARACTER)
PARENTS = tuple(JOINTS.index(parent) if parent else -1 for _, parent, _, _ in _CHARACTER)
OFFSETS_M = np.array([offset for _, _, offset, _ in _CHARACTER])
ROLES = {"pelvis": "root", "head": "neck", **{name: name for name in JOINTS if "_" in name}}

FRAME_NUMBERS = 1 + 3 + sum(numbers for _, _, _, numbers in _CHARACTER)


def read_deepmimic(text: str, name: str) -> SourceMotion:
    """A motion from the text of a DeepMimic clip; `name` names it and stands in error messages.

    Raises:
        ChorosError: not JSON, or its frames are not those of the humanoid.
    """
    try:
        frames = np.array(json.loads(text)["Frames"], dtype=float)
    except (ValueError, KeyError, TypeError) as error:
        raise ChorosError(f"{name}: not a DeepMimic clip ({error}); get the file again") from error
    if frames.ndim != 2 or frames.shape[1] != FRAME_NUMBERS or len(frames) < 2:
        raise ChorosError(
            f"{name}: frames of {FRAME_NUMBERS} numbers (DeepMimic's humanoid) are needed, "
            f"found a table of shape {frames.shape}"
        )
    # A frame lasts until the next one; the last duration is a convention of the loop.
    duration_s = float(np.mean(frames[:-1, 0]))
    if not duration_s > 0:
        raise ChorosError(f"{name}: frames have no duration; get the file again")

    local = np.broadcast_to(np.eye(3), (len(frames), len(JOINTS), 3, 3)).copy()
    column = 4
    for joint, (_, _, _, numbers) in enumerate(_CHARACTER):
        values = frames[:, column : column + numbers]
        if numbers == 4:
            local[:, joint] = quat_wxyz_to_rotmat(values)
        elif numbers == 1:
            local[:, joint] = rotvec_to_rotmat(values * [0.0, 0.0, 1.0])
        column += numbers
    rotations, positions = forward(PARENTS, OFFSETS_M, local, frames[:, 1:4])
    return SourceMotion(
        name=name,
        fps=1.0 / duration_s,
        joints=JOINTS,
        parents=PARENTS,
        reference=rest_positions(PARENTS, OFFSETS_M),
        rotations=rotations,
        positions=positions,
        roles=ROLES,
    )
