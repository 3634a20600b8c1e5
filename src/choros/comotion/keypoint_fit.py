"""Evidence at each person: who is detected is put on the keypoints that the crop network finds of them.

The update reads features of the whole picture, which differ between rendered and filmed people; keypoints hardly do.
So the network says how a body is turned in depth and where it is when nothing is seen of it, and least squares move it
onto what one look at the person by itself shows. That is ours, for weights that learned from rendered people, and
nothing of the paper's, whose update stands alone.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel, BodyParams
from choros.body.before import Before
from choros.body.gauss_newton import PosePrior
from choros.body.kinematics import rotation_matrices
from choros.body.onto_keypoints import KeypointFitRules, onto_keypoints, shown_enough
from choros.comotion.person_states import PersonStates

Floats = NDArray[np.floating]


def put_on_keypoints(
    body: BodyModel,
    prior: PosePrior,
    people: PersonStates,
    keypoints_px: Floats,
    K: NDArray[np.float64],
    rules: KeypointFitRules,
    before: Before | None = None,
) -> PersonStates:
    """``people`` (1, n) of one frame on their ``keypoints_px`` (n, 17, 3), in the picture of ``K`` (3, 3).

    ``before`` is how they were, from which they go on smoothly; its ``transl`` is where their pelvis is expected.
    Shapes and hidden states are left alone, and so is who shows too few keypoints.
    """
    plain = shown_enough(keypoints_px, rules)
    which = torch.from_numpy(plain)[None].to(people.present.device)
    if not plain.any():
        return people
    some = people.chosen(which[0])
    said = BodyParams(*(part[0].cpu() for part in some.params(body)[:4]))
    if before is not None:
        pelvis_rest = (some.pelvis_cam[0].cpu() - said.transl).double().numpy()
        before = before.of(plain)
        before = before._replace(transl=before.transl - pelvis_rest)
    seen_px = keypoints_px[plain].astype(np.float64)
    fitted = onto_keypoints(body, prior, said, seen_px, K, rules, before)
    turns = torch.cat([fitted.global_orient, fitted.body_pose], -1)
    rotations, pelvis_cam = people.rotations.clone(), people.pelvis_cam.clone()
    rotations[which] = rotation_matrices(turns.double()).to(rotations)
    pelvis_cam[which] = some.pelvis_cam[0] + (fitted.transl - said.transl).to(pelvis_cam)
    return people._replace(rotations=rotations, pelvis_cam=pelvis_cam)
