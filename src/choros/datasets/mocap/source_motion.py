"""The motion of a captured skeleton as its file tells it, before it becomes SMPL.

Every reader of this package ends here: joints with parents, a reference pose in which the subject
stands upright, and what each joint does relative to that pose. `retarget` turns it into SMPL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from choros.errors import ChorosError

#: SMPL joints whose counterpart every source must name; the rest is found from the tree.
REQUIRED_ROLES = (
    "pelvis", "head", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist",
)  # fmt: skip


@dataclass(frozen=True)
class SourceMotion:
    """A captured skeleton and its motion, in metres and in the source's own axes.

    `roles` maps SMPL joint names to the source's joints (`REQUIRED_ROLES`, and `left_foot`,
    `right_foot` for the toes where the source has them). `hinges` gives, for elbows whose flexion
    axis the source states, that axis in the reference pose.
    """

    name: str
    fps: float
    joints: tuple[str, ...]
    parents: tuple[int, ...]  # -1 for the root; parents before children
    reference: np.ndarray  # (J, 3) metres: the joints in the reference pose
    rotations: np.ndarray  # (T, J, 3, 3) rotation of each joint since the reference pose, world axes
    positions: np.ndarray  # (T, J, 3) metres, world axes
    roles: Mapping[str, str]
    hinges: Mapping[str, np.ndarray] = field(default_factory=dict)

    def index(self, role: str) -> int:
        """Number of the source joint that plays SMPL's `role`."""
        return self.joints.index(self.roles[role])

    def chain(self, start: int, end: int) -> list[int]:
        """Joints after `start` down to `end` (both joint numbers); [] when they are the same."""
        path: list[int] = []
        while end not in (start, -1):
            path.append(end)
            end = self.parents[end]
        if end == -1:
            raise ChorosError(
                f"{self.name}: joint {self.joints[path[0]]} does not hang below {self.joints[start]}; "
                "the skeleton's hierarchy is not that of a person"
            )
        return path[::-1]

    def ancestors(self, joint: int) -> list[int]:
        """`joint`, its parent and so on up to the root."""
        line = []
        while joint != -1:
            line.append(joint)
            joint = self.parents[joint]
        return line


def forward(
    parents: Sequence[int], offsets: np.ndarray, local: np.ndarray, root: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """World rotations (T, J, 3, 3) and positions (T, J, 3) of a tree of joints.

    Args:
        parents: parent of each joint, -1 for the root; parents come before children.
        offsets: (J, 3) or (T, J, 3) place of each joint in its parent's frame; the root's is ignored.
        local: (T, J, 3, 3) rotation of each joint in its parent's frame.
        root: (T, 3) place of the root in the world.
    """
    offsets = np.broadcast_to(offsets, (len(local), *offsets.shape[-2:]))
    rotations = np.empty_like(local)
    positions = np.empty((*local.shape[:2], 3))
    for joint, parent in enumerate(parents):
        if parent < 0:
            rotations[:, joint] = local[:, joint]
            positions[:, joint] = root
        else:
            rotations[:, joint] = rotations[:, parent] @ local[:, joint]
            positions[:, joint] = positions[:, parent] + np.einsum(
                "tij,tj->ti", rotations[:, parent], offsets[:, joint]
            )
    return rotations, positions


def rest_positions(parents: Sequence[int], offsets: np.ndarray) -> np.ndarray:
    """(J, 3) places of the joints when nothing is turned and the root is at the origin."""
    still = np.broadcast_to(np.eye(3), (1, len(parents), 3, 3))
    return forward(parents, offsets, still, np.zeros((1, 3)))[1][0]
