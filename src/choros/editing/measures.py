"""What somebody measured: the camera's K, a person's height, where the floor is.

Each function takes a motion and returns another. Pictures stay what they are: where people seem to be, and how large,
does not change, so that what is learned of the lens or of a body is how far away everybody is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from choros.body.cast import stature_m
from choros.body.posed import Skeleton
from choros.body.skinned import model_of
from choros.camera.plausible import checked_K
from choros.errors import ChorosError
from choros.motion import Motion
from choros.rotation import rotvec_between_directions, rotvec_composition

Floats = NDArray[np.float64]

STEPS = 4  # of Newton's method towards a stature, which is nearly linear in betas
NEAR_M = 1e-4  # of the stature asked for


def with_K(motion: Motion, K: ArrayLike, body: Any = None) -> Motion:
    """The motion as seen by a camera with intrinsics ``K`` (3, 3), px, in every frame.

    Everybody's pelvis stays at its place in the picture; its depth changes as the focal length does (the geometric
    mean of both), and the body turns with the ray to it, so that it shows the same side. ``body`` as of
    ``Motion.joints``. Raises ``ChorosError`` for a motion in world space, photographs, and what is no K.
    """
    if motion.space != "camera":
        raise ChorosError(
            "this motion is in world space, which was made with its K; fix K in the motion that `choros track` wrote, "
            "and make the world again."
        )
    if motion.header.photos:
        raise ChorosError("photographs have a K each; give --K to `choros track --photos`.")
    new = checked_K(K, motion.width, motion.height)
    skeleton, rows = _skeleton(motion, body), motion.rows.copy()
    rest = skeleton.rest(rows)[:, 0]
    pelvis = rest + rows["transl"]
    old = motion.K[rows["frame"]]
    ray = (np.linalg.inv(new) @ old @ pelvis[..., None])[..., 0]
    focal = np.sqrt(new[0, 0] * new[1, 1]) / np.sqrt(old[:, 0, 0] * old[:, 1, 1])
    moved = ray / ray[:, 2:] * (pelvis[:, 2] * focal)[:, None]
    rows["global_orient"] = rotvec_composition(
        rotvec_between_directions(pelvis, moved), rows["global_orient"].astype(np.float64)
    )
    rows["transl"] = moved - rest
    frames = motion.frames.copy()
    frames["K"] = new
    provenance = motion.header.provenance | {"K": new.tolist(), "K_source": "given"}
    provenance.pop("focal_spread", None)
    return replace(motion, header=replace(motion.header, provenance=provenance), frames=frames, rows=rows)


def with_height(motion: Motion, person: int, height_m: float, body: Any = None) -> Motion:
    """The motion with ``person`` so tall, from sole to crown, metres, by the smallest change of their betas.

    In camera space they are then farther away by as much, so that they look as large; in the world they stay over the
    same place of the floor. ``body`` as of ``Motion.joints``. Raises ``ChorosError`` if there is no such person or the
    body cannot be so tall.
    """
    if not 0.4 <= height_m <= 2.6:
        raise ChorosError(f"{height_m:g} m is nobody's height; give metres, from 0.4 to 2.6.")
    one = motion.person(person)
    before_m, change = _change_of_betas(motion, person, height_m, body)
    skeleton, rows = _skeleton(motion, body), motion.rows.copy()
    mine = rows["person"] == one.id
    pelvis = skeleton.rest(rows[mine])[:, 0] + rows["transl"][mine]
    pelvis[:, slice(0, 3) if motion.space == "camera" else 2] *= height_m / before_m
    rows["betas"][mine] += change
    rows["transl"][mine] = pelvis - skeleton.rest(rows[mine])[:, 0]
    return replace(motion, rows=rows)


def with_floor(motion: Motion, height_m: float) -> Motion:
    """The motion in a world whose floor is at what was ``height_m``; z 0 is the floor again.

    Raises ``ChorosError`` for a motion in camera space, which has no floor.
    """
    if motion.space != "world":
        raise ChorosError(
            "this motion is in camera space, which has no floor; run `choros world` on it first."
        )
    if not abs(height_m) < 1000:
        raise ChorosError(f"a floor at {height_m:g} m is none; give metres above the floor there is.")
    rows, frames = motion.rows.copy(), motion.frames.copy()
    rows["transl"][:, 2] -= height_m
    frames["T_world_camera"][frames["camera_known"], 2, 3] -= height_m
    return replace(motion, rows=rows, frames=frames)


def _skeleton(motion: Motion, body: Any) -> Skeleton:
    motion._check_body(body, "replay(motion, edits, body='SMPL_NEUTRAL.pkl')")
    return Skeleton.of(body)


def _change_of_betas(motion: Motion, person: int, height_m: float, body: Any) -> tuple[float, Floats]:
    """The person's stature, metres, and what is to be added to their betas (10,) for another."""
    _skeleton(motion, body)  # refuses another body than the motion's
    model, one = model_of(body), motion.person(person)
    betas = np.median(one.betas.astype(np.float64), axis=0)
    kid = torch.as_tensor(np.median(one.kid), dtype=model.dtype)
    neutral = model.neutral()

    def stature(of: Floats) -> float:
        params = neutral._replace(betas=torch.as_tensor(of, dtype=model.dtype), kid=kid)
        with torch.inference_mode():
            return float(np.ptp(model.vertices(params)[:, 1].numpy()))

    before_m, now = stature_m(one, model), betas
    for _ in range(STEPS):
        per_unit = np.array([(stature(now + 0.5 * unit) - stature(now - 0.5 * unit)) for unit in np.eye(10)])
        now = now + (height_m - stature(now)) * per_unit / max(per_unit @ per_unit, 1e-9)
    if abs(stature(now) - height_m) > NEAR_M:
        raise ChorosError(f"the {motion.body} body of person {person} cannot be {height_m:g} m tall.")
    return before_m, now - betas
