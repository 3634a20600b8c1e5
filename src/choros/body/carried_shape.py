"""A person's shape on another body: betas of a user's SMPL, SMPL-H or SMPL-X that measure the same.

Betas of two bodies mean different things, and their skins have nothing in common but the person: so lengths of limbs,
breadths, stature and volume in T-pose are held against each other, by damped Gauss-Newton steps over ten betas
that are, by SMPL's own prior, about 1 large. Directions that no measure sees stay at the mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body.model import BodyModel
from choros.body.smpl_file import read_arrays
from choros.body.tables import N_BETAS
from choros.errors import ChorosError
from choros.skeleton import JOINT_NAMES, PARENTS

Floats = NDArray[np.float64]

BODY_JOINTS = 22  # that all of them share, in SMPL's order: without hands
KINDS = {24: "smpl", 52: "smplh", 55: "smplx"}  # by the number of joints
STEPS, STEP_BETA = 8, 0.05
#: Pairs of joints whose distance is measured; both sides of a limb are averaged.
LENGTHS = {
    "thigh": ("hip", "knee"), "shin": ("knee", "ankle"), "foot": ("ankle", "foot"),
    "upper arm": ("shoulder", "elbow"), "forearm": ("elbow", "wrist"),
}  # fmt: skip
BREADTHS = ("hip", "shoulder")
STD_M = {"stature": 0.003, "volume": 0.003}  # of volume its cube root; others have the next
STD_LENGTH_M = 0.008  # by how far definitions of joints differ between bodies; our choice
BETA_STD = 2.0


@dataclass(frozen=True)
class RestBody:
    """What a model file says of shapes in T-pose: ``template + dirs @ betas``, metres, y up."""

    kind: str  # smpl, smplh or smplx
    template: Floats  # (V, 3)
    dirs: Floats  # (V, 3, 10)
    regressor: Floats  # (22, V)
    faces: NDArray[np.int64]  # (F, 3)

    def rest(self, betas: Floats) -> tuple[Floats, Floats]:
        """Vertices (V, 3) and the shared joints (22, 3) of a shape."""
        vertices = self.template + self.dirs @ betas
        return vertices, self.regressor @ vertices


@dataclass(frozen=True)
class CarriedShape:
    """What was found, and how far each measure is off, metres; of volume its cube root."""

    betas: Floats  # (10,) of the other body
    joints: Floats  # (22, 3) of the other body at rest
    off_m: dict[str, float]


def read_rest_body(path: str | Path) -> RestBody:
    """Shapes of an SMPL, SMPL-H or SMPL-X file, ``.pkl`` or ``.npz``, of which nothing is run.

    Raises ``ChorosError`` for anything that is not such a file.
    """
    path = Path(path)
    arrays = read_arrays(path, frozenset(("v_template", "shapedirs", "J_regressor", "f", "kintree_table")))
    parents = arrays["kintree_table"][0].astype(np.int64)
    if len(parents) not in KINDS or tuple(parents[1:BODY_JOINTS]) != PARENTS[1:BODY_JOINTS]:
        raise ChorosError(
            f"{path}: a skeleton of {len(parents)} joints; after --onto give an SMPL, SMPL-H or SMPL-X model."
        )
    template, dirs = arrays["v_template"].astype(np.float64), arrays["shapedirs"].astype(np.float64)
    regressor, faces = arrays["J_regressor"].astype(np.float64), arrays["f"].astype(np.int64)
    fits = (
        dirs.ndim == 3
        and dirs.shape[:2] == template.shape
        and regressor.shape == (len(parents), len(template))
    )
    if not fits or dirs.shape[2] < N_BETAS or faces.min() < 0 or faces.max() >= len(template):
        raise ChorosError(f"{path}: its arrays do not fit together; fetch the file again.")
    return RestBody(KINDS[len(parents)], template, dirs[..., :N_BETAS], regressor[:BODY_JOINTS], faces)


def carried_shape(body: BodyModel, betas: Floats, kid: float, other: RestBody) -> CarriedShape:
    """Betas of ``other`` by which a person of ``body`` measures the same."""
    params = body.neutral()._replace(
        betas=torch.as_tensor(betas, dtype=body.dtype), kid=torch.tensor(kid, dtype=body.dtype)
    )
    with torch.inference_mode():
        vertices = body.vertices(params).numpy().astype(np.float64)
        joints = body.rest_joints(params.betas, params.kid).numpy().astype(np.float64)
    wanted = measures(vertices, joints, body.faces.numpy())
    std = np.array([STD_M.get(name, STD_LENGTH_M) for name in wanted])
    target = np.array(list(wanted.values()))

    def measured(at: Floats) -> Floats:
        return np.array(list(measures(*other.rest(at), other.faces).values()))

    found = np.zeros(N_BETAS)
    for _ in range(STEPS):
        now = measured(found)
        J = np.stack([measured(found + STEP_BETA * axis) - now for axis in np.eye(N_BETAS)], 1) / STEP_BETA
        J, r = J / std[:, None], (target - now) / std
        found = found + np.linalg.solve(
            J.T @ J + np.eye(N_BETAS) / BETA_STD**2, J.T @ r - found / BETA_STD**2
        )
    off = measured(found) - target
    return CarriedShape(found, other.rest(found)[1], dict(zip(wanted, off.tolist(), strict=True)))


def measures(vertices: Floats, joints: Floats, faces: NDArray[np.int64]) -> dict[str, float]:
    """Lengths and breadths between joints, stature, and the cube root of the volume, metres, of a body in T-pose."""

    def between(start: str, end: str) -> float:
        return float(np.linalg.norm(joints[JOINT_NAMES.index(end)] - joints[JOINT_NAMES.index(start)]))

    found = {
        name: (between(f"left_{a}", f"left_{b}") + between(f"right_{a}", f"right_{b}")) / 2
        for name, (a, b) in LENGTHS.items()
    }
    found |= {f"{name} breadth": between(f"left_{name}", f"right_{name}") for name in BREADTHS}
    found |= {"trunk": between("pelvis", "neck"), "neck": between("neck", "head")}
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    volume_m3 = abs(float(np.einsum("ij,ij->", a, np.cross(b, c)))) / 6
    return found | {"stature": float(np.ptp(vertices[:, 1])), "volume": volume_m3 ** (1 / 3)}
