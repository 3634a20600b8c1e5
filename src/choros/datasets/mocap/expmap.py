"""CMU motions as tables of exponential maps, the form that motion prediction papers share.

A row is the root's place and 38 exponential maps (rotation vectors) written for row vectors, hence the
minus sign below; the first row is a T-pose, not motion. Layout and skeleton: the code released with
Li et al., "Convolutional Sequence to Sequence Model for Human Dynamics", CVPR 2018.
"""

import json

import numpy as np
from scipy.spatial.transform import Rotation

from choros.datasets.mocap.asf import CMU_FPS, CMU_UNIT_M
from choros.datasets.mocap.source_motion import SourceMotion, forward, rest_positions
from choros.errors import ChorosError
from choros.rotation import rotvec_to_rotmat

#: The skeleton file gives the bones in seventieths of the CMU unit that the root's place is given in.
OFFSET_UNIT_M = CMU_UNIT_M / 70.0


def _arm(side: str) -> tuple[str, ...]:
    names = ("collar", "shoulder", "elbow", "wrist", "fingers", "fingers_middle", "fingers_end", "thumb")
    return tuple(f"{side}_{name}" for name in (*names, "thumb_end"))


JOINTS = (
    "pelvis",
    *(f"left_{name}" for name in ("pelvis", "hip", "knee", "ankle", "foot", "foot_end")),
    *(f"right_{name}" for name in ("pelvis", "hip", "knee", "ankle", "foot", "foot_end")),
    *("lower_back", "upper_back", "thorax", "lower_neck", "upper_neck", "head", "head_end"),
    *_arm("left"),
    *_arm("right"),
)

ROLES = {
    "pelvis": "pelvis",
    "head": "head",
    **{
        f"{side}_{joint}": f"{side}_{joint}"
        for side in ("left", "right")
        for joint in ("hip", "knee", "ankle", "foot", "shoulder", "elbow")
    },
    # "wrist" only twists, as CMU's bone of that name; the hand bends at the joint after it, in the same place.
    "left_wrist": "left_fingers",
    "right_wrist": "right_fingers",
}

#: The elbows of the CMU skeletons bend about this axis in the T-pose (`axis 180 -30 -90` of the .asf).
HINGES = {
    "left_elbow": np.array([0.0, -np.sqrt(0.75), 0.5]),
    "right_elbow": np.array([0.0, np.sqrt(0.75), -0.5]),
}


def read_expmap(table: np.ndarray, skeleton: str, name: str, fps: float = CMU_FPS) -> SourceMotion:
    """A motion from a table of exponential maps.

    Args:
        table: (T, 117) root's place in CMU units, then 38 rotation vectors in radians.
        skeleton: text of the skeleton's JSON (`parents`, `offsets`).
        name: names the motion and stands in error messages.
        fps: rows per second.

    Raises:
        ChorosError: the table or the skeleton has another shape.
    """
    try:
        description = json.loads(skeleton)
        parents = tuple(int(parent) for parent in description["parents"])
        offsets = np.array(description["offsets"], dtype=float) * OFFSET_UNIT_M
    except (ValueError, KeyError, TypeError) as error:
        raise ChorosError(f"{name}: its skeleton is not JSON with parents and offsets ({error})") from error
    if table.ndim != 2 or table.shape[1] != 3 + 3 * len(JOINTS) or offsets.shape != (len(JOINTS), 3):
        raise ChorosError(
            f"{name}: a table of 117 columns and a skeleton of 38 joints are needed, "
            f"found {table.shape} and {offsets.shape}; use the files of the original release"
        )
    if len(table) < 2:
        raise ChorosError(f"{name}: the table holds no motion after its T-pose; get the file again")
    # The first row is a T-pose that the conversion added; the skeleton's own rest is the CMU one.
    moving = table[1:]
    local = rotvec_to_rotmat(-moving[:, 3:].reshape(len(moving), -1, 3))
    local[:, 0] = _root_as_captured(Rotation.from_matrix(local[:, 0])).as_matrix()
    rotations, positions = forward(parents, offsets, local, moving[:, :3] * CMU_UNIT_M)
    return SourceMotion(
        name=name,
        fps=fps,
        joints=JOINTS,
        parents=parents,
        reference=rest_positions(parents, offsets),
        rotations=rotations,
        positions=positions,
        roles=ROLES,
        hinges=HINGES,
    )


def _root_as_captured(root: Rotation) -> Rotation:
    """The root's rotation without a slip of the release: its angles were put together as y, x, z.

    CMU's are x, then y, then z about fixed axes, as for all other joints of the release. The same capture
    from its .amc agrees to 0.001 degrees after this, and feet that slid and sank as people turned stand.
    """
    y, x, z = root.as_euler("yxz").T
    return Rotation.from_euler("xyz", np.stack([x, y, z], axis=1))
