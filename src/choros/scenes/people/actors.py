"""The cast of a scene: bodies with shape, clothes and motion, and their meshes at any moment.

Skinning is the body model's own (``choros.body``), done here in one compiled loop over whatever mesh somebody
wears, because a scene poses tens of thousands of vertices for every picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from choros.body import BodyModel
from choros.body.kinematics import forward_kinematics, rotation_matrices
from choros.compiled import compiled
from choros.rotation import rotvec_to_rotmat
from choros.scenes.motion.rest_skeleton import Poses, RestSkeleton
from choros.scenes.motion.roles import Role
from choros.scenes.people.cloth import Piece
from choros.scenes.people.dressing import Closet, Dressed, dress
from choros.scenes.people.fitting import RestBody
from choros.scenes.people.person_appearance import PersonAppearance

Floats = NDArray[np.float64]


class BodyMaker:
    """The open body as arrays, from which everybody in a scene is made."""

    def __init__(self) -> None:
        self.body = BodyModel.load()
        self.pose_dirs = None if self.body.pose_dirs is None else self.body.pose_dirs.numpy()

    def rest(self, betas: Floats, kid: float = 0.0) -> RestBody:
        """One shape in its T-pose; betas (10,), kid 0 adult to 1 child."""
        body = self.body
        params = body.neutral()._replace(
            betas=torch.tensor(betas, dtype=torch.float32), kid=torch.tensor(kid, dtype=torch.float32)
        )
        points = body.vertices(params).double().numpy()
        skin = Piece(
            points,
            body.faces.numpy(),
            body.skin_weights.double().numpy(),
            np.repeat(np.arange(len(points))[:, None], 2, axis=1),
            np.zeros(len(points)),
            np.zeros((len(points), 2)),
        )
        joints = body.rest_joints(params.betas, params.kid).double().numpy()
        return RestBody(skin, joints, body.keypoints(params, "coco17").double().numpy())

    def corrections(self, body_pose: Floats) -> NDArray[np.float32]:  # (P, 69) -> (P, V, 3) metres
        """What the pose correctives add to the body's vertices in the T-pose."""
        if self.pose_dirs is None:
            return np.zeros((len(body_pose), self.body.n_vertices, 3), np.float32)
        R = rotvec_to_rotmat(body_pose.reshape(len(body_pose), 23, 3))
        features = (R - np.eye(3)).reshape(len(body_pose), -1).astype(np.float32)
        return (features @ self.pose_dirs).reshape(len(body_pose), -1, 3)


@dataclass(frozen=True)
class Actor:
    """Somebody in a scene, over its T frames, in the world (z up)."""

    betas: Floats  # (10,)
    kid: float  # 0 adult to 1 child
    rest: RestBody
    skeleton: RestSkeleton
    appearance: PersonAppearance
    dressed: Dressed
    role: Role
    poses: Poses
    turns: Floats  # (T, 24, 3, 3) global rotations of the joints
    places: Floats  # (T, 24, 3) joints, metres


def skeleton_of(rest: RestBody, dressed: Dressed) -> RestSkeleton:
    """What the gait needs to know of somebody in their shoes."""
    return RestSkeleton(rest.joints, dressed.sole_m)


def acted(rest: RestBody, poses: Poses) -> tuple[Floats, Floats]:
    """Global rotations (T, 24, 3, 3) and places (T, 24, 3) of the joints, in the world."""
    # `rest_skeleton.joint_motion`, but by the body's own kinematics: what is seen is what the truth says, to the bit.
    rotvec = np.concatenate([poses.global_orient, poses.body_pose], axis=1)
    joints = torch.from_numpy(rest.joints).expand(len(rotvec), 24, 3)
    turns, shifts = forward_kinematics(rotation_matrices(torch.from_numpy(rotvec)), joints)
    return turns.numpy(), rest.joints + shifts.numpy() + poses.transl[:, None]


def tailor(
    body_maker: BodyMaker,
    betas: Floats,
    kid: float,
    appearance: PersonAppearance,
    closet: Closet | None = None,
) -> tuple[RestBody, Dressed]:
    """A body of a shape, and its clothes; betas (10,), kid 0 adult to 1 child."""
    rest = body_maker.rest(betas, kid)
    return rest, dress(rest, appearance, closet)


def posed(
    actor: Actor, frame: int, T_to_world: Floats, correction: NDArray[np.float32]
) -> NDArray[np.float32]:  # (M, 3)
    """An actor's mesh in one frame, in the axes that ``T_to_world`` (4, 4) leads to; correction (V, 3)."""
    R = T_to_world[:3, :3]
    turns = R @ actor.turns[frame]
    places = actor.places[frame] @ R.T + T_to_world[:3, 3]
    offsets = places - np.einsum("jab,jb->ja", turns, actor.rest.joints)
    d = actor.dressed
    bond = np.concatenate([turns.reshape(24, 9), offsets], axis=1).astype(np.float32)
    return _skin(d.points, d.source, d.share, correction, d.skin_joints, d.skin_weights, bond)


@compiled
def _skin(points, source, share, correction, joints, weights, bond):  # type: ignore[no-untyped-def]
    out = np.empty_like(points)
    m = np.empty(12, np.float32)
    for v in range(points.shape[0]):
        x, y, z = points[v, 0], points[v, 1], points[v, 2]
        s = source[v, 0]
        if s >= 0:
            x, y, z = x + correction[s, 0], y + correction[s, 1], z + correction[s, 2]
            a = share[v]
            if a > 0:
                other = source[v, 1]
                x += a * (correction[other, 0] - correction[s, 0])
                y += a * (correction[other, 1] - correction[s, 1])
                z += a * (correction[other, 2] - correction[s, 2])
        m[:] = 0
        for k in range(4):
            w = weights[v, k]
            if w > 0:
                row = bond[joints[v, k]]
                for i in range(12):
                    m[i] += w * row[i]
        out[v, 0] = m[0] * x + m[1] * y + m[2] * z + m[9]
        out[v, 1] = m[3] * x + m[4] * y + m[5] * z + m[10]
        out[v, 2] = m[6] * x + m[7] * y + m[8] * z + m[11]
    return out
