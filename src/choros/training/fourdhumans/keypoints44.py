"""4DHumans' 44 keypoints on a body: OpenPose's 25 on SMPL's joints, then 19 where annotators of other sets put them.

The limbs are there twice, for a joint and the place that people mark for it are some centimetres apart. Where the
latter are on SMPL is told by a regressor that is not choros's to give; a user who has it (4DHumans' files hold it as
``smpl.joint_regressor_extra``) may give it. Without it they are the body's own landmarks, or the nearest joints.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel, SkinnedPoints
from choros.datasets.hmr_npz import HMR44
from choros.datasets.sample import Floats
from choros.errors import ChorosError
from choros.skeleton import BODY25, KEYPOINT_SETS

N_OPENPOSE = len(BODY25)

#: The joint about which points in 3D are compared: release.
PELVIS = HMR44.index("mpii_pelvis")

#: OpenPose's points that are a joint of SMPL by another name, and annotators' points that lie nearest to one.
AS_JOINTS = {"mid_hip": "pelvis", "mpii_pelvis": "pelvis", "h36m_spine": "spine2", "h36m_jaw": "head"}

#: Of the points in a row, the one that takes its place in a mirror; limbs stay in their half of the 44.
_SIDES = {"left": "right", "right": "left"}
_OTHER = ["_".join(_SIDES.get(word, word) for word in name.split("_")) for name in HMR44]
MIRROR44 = [
    start + HMR44[start:stop].index(name)
    for start, stop in ((0, N_OPENPOSE), (N_OPENPOSE, len(HMR44)))
    for name in _OTHER[start:stop]
]

#: Where points of other sets stand among the 44, by the set's names: people mark limbs, faces are OpenPose's.
_FACE = BODY25[:1] + BODY25[15:19]
_MARKED = {name: N_OPENPOSE + index for index, name in enumerate(HMR44[N_OPENPOSE:])}
_MARKED |= {"pelvis": PELVIS, "thorax": _MARKED["mpii_thorax"], "upper_neck": _MARKED["lsp_neck"]}
_MARKED |= {"head_top": _MARKED["lsp_head_top"], "spine": _MARKED["h36m_spine"]}
PLACES = {**_MARKED, **{name: BODY25.index(name) for name in _FACE}}


def points44(body: BodyModel, regressor: Floats | None = None) -> SkinnedPoints:
    """The 44 on a body; ``regressor`` (19, V) tells the last 19 of them.

    Raises ``ChorosError`` if it is of another body. On a body without a landmark for the top of the head, the head's
    joint stands for it.
    """
    sets = {name: _rows(body, name) for name in ("smpl24", "body25", "coco17")}
    try:
        sets["mpii16"] = _rows(body, "mpii16")
    except ChorosError:  # SMPL's own file has no landmark for the top of the head
        sets["mpii16"] = {"head_top": sets["smpl24"]["head"]}
    rows = []
    marked = sets["coco17"] | {
        "lsp_neck": (sets["smpl24"]["neck"] + sets["smpl24"]["head"]) / 2,
        "mpii_thorax": (sets["coco17"]["left_shoulder"] + sets["coco17"]["right_shoulder"]) / 2,
        "lsp_head_top": sets["mpii16"]["head_top"],
        "h36m_head": sets["mpii16"]["head_top"],
    }
    for row, name in enumerate(HMR44):
        name = AS_JOINTS.get(name, name)
        order = (sets["smpl24"], sets["body25"]) if row < N_OPENPOSE else (marked, sets["smpl24"])
        rows.append(next(named[name] for named in order if name in named))
    on_vertices, on_joints = np.split(np.stack(rows), [body.n_vertices], axis=1)
    if regressor is not None:
        if regressor.shape != (len(HMR44) - N_OPENPOSE, body.n_vertices):
            raise ChorosError(
                f"a regressor of shape {regressor.shape} does not tell 19 points of the {body.n_vertices} vertices of "
                f"{body.source}; give that of this body."
            )
        on_vertices[N_OPENPOSE:], on_joints[N_OPENPOSE:] = regressor, 0
    return body.points_of(on_vertices, on_joints)


def _rows(body: BodyModel, set_name: str) -> dict[str, Floats]:
    """Weights of a set's points on the body's vertices and joints, (V + 24,) each, by their names."""
    weights = torch.cat(body.keypoint_weights(set_name), -1).double().cpu().numpy()
    return dict(zip(KEYPOINT_SETS[set_name], weights, strict=True))


def to_44(
    names: tuple[str, ...], points: NDArray[np.floating], confidence: NDArray[np.floating]
) -> Floats:  # (44, D + 1)
    """Points (K, D) of a set with these names among the 44, and their confidences (K,); 0 where there is none."""
    out = np.zeros((len(HMR44), points.shape[1] + 1))
    if names in (HMR44, BODY25):
        places: list[int | None] = list(range(len(names)))
    else:
        places = [PLACES.get(name) for name in names]
    for place, point, sure in zip(places, points, confidence, strict=True):
        if place is not None and sure > out[place, -1]:
            out[place] = [*point, sure]
    return out
