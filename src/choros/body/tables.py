"""The numbers that make a body, as plain arrays, whatever file they came from.

Both readers (`open_body`, `smpl_file`) end here, so that a body whose parts do not belong together is refused
in one place. `BodyModel` turns the tables into tensors.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from choros.errors import ChorosError
from choros.skeleton import JOINT_NAMES

N_JOINTS = len(JOINT_NAMES)
N_BETAS = 10
N_POSE_FEATURES = 9 * (N_JOINTS - 1)


@dataclass(frozen=True)
class BodyTables:
    """A body in SMPL's form (Loper et al. 2015, section 3): V vertices, 24 joints; metres.

    Axes: x to the body's left, y up, z forward.

    Raises `ChorosError` naming `source` when the arrays do not fit each other.
    """

    name: str  # "open" or "smpl"
    source: str  # the file, for messages
    licence: str
    template: np.ndarray  # (V, 3)
    shape_dirs: np.ndarray  # (V, 3, 10) metres per unit of betas
    joint_regressor: np.ndarray  # (24, V) rows sum to 1
    skin_weights: np.ndarray  # (V, 24) rows sum to 1
    faces: np.ndarray  # (F, 3) counter-clockwise from outside
    pose_dirs: np.ndarray | None = None  # (V, 3, 207) metres per unit of (R - I), row-major, joints 1 to 23
    kid_dir: np.ndarray | None = None  # (V, 3) from adult to child
    landmarks: dict[str, np.ndarray] = field(default_factory=dict)  # name -> (V,) weights, sum 1
    mirror: np.ndarray | None = None  # (V,) vertex on the other side
    parts: np.ndarray | None = None  # (V,) index into part_names
    part_names: tuple[str, ...] = ()
    uv: np.ndarray | None = None  # (T, 2) MakeHuman's texture layout, 0..1, v up
    uv_faces: np.ndarray | None = None  # (F, 3) rows of uv, corner by corner as in faces

    def __post_init__(self) -> None:
        n = len(self.template)
        shapes = {
            "template": (self.template, (n, 3)),
            "shape directions": (self.shape_dirs, (n, 3, N_BETAS)),
            "joint regressor": (self.joint_regressor, (N_JOINTS, n)),
            "skin weights": (self.skin_weights, (n, N_JOINTS)),
            "pose correctives": (self.pose_dirs, (n, 3, N_POSE_FEATURES)),
            "kid direction": (self.kid_dir, (n, 3)),
            "mirror": (self.mirror, (n,)),
            "parts": (self.parts, (n,)),
        }
        shapes |= {f"landmark {name}": (row, (n,)) for name, row in self.landmarks.items()}
        for what, (array, wanted) in shapes.items():
            if array is not None and array.shape != wanted:
                raise ChorosError(
                    f"{self.source}: its {what} has shape {array.shape}, but {wanted} belongs to its "
                    f"{n} vertices; the file mixes two bodies, use one model's own file"
                )
            if array is not None and not np.isfinite(array).all():
                raise ChorosError(
                    f"{self.source}: its {what} holds values that are not finite; fetch it again"
                )
        if self.faces.ndim != 2 or self.faces.shape[1] != 3 or self.faces.min() < 0 or self.faces.max() >= n:
            raise ChorosError(
                f"{self.source}: its faces do not index its {n} vertices; the file mixes two bodies"
            )
        for what, rows in (("joint regressor", self.joint_regressor), ("skin weights", self.skin_weights)):
            if np.abs(rows.sum(1) - 1).max() > 1e-3:
                raise ChorosError(f"{self.source}: rows of its {what} do not sum to 1; fetch the file again")

    @property
    def n_vertices(self) -> int:
        """How many vertices the skin has."""
        return len(self.template)
