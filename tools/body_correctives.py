"""Dual-quaternion skinning, and pose correctives fitted against it: section 7 of `build_body.py`.

Linear blend skinning loses volume where a joint bends or twists; SMPL mends that with vertex offsets linear in
the rotation matrices of the pose. Ours are fitted to random poses skinned with dual quaternions (Kavan et al.
2007, "Skinning with Dual Quaternions"), in which moreover the collar follows the arm as in people: SMPL's T-pose
has the shoulders drawn up, and without that a lowered arm leaves them there.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from choros.skeleton import JOINT_NAMES, MIRROR_JOINTS, PARENTS

POSES = 700  # random poses to fit to; a tenth as many more to judge by
RIDGE = 3.0  # of the least squares, against poses nobody can take
SMALLEST_M = 1e-4  # smaller coefficients are dropped: they compress to nothing and cannot be seen
COLLAR_DEG = 26.0  # how far the collar's flesh sinks when the arm hangs straight down
JOINT = {name: i for i, name in enumerate(JOINT_NAMES)}

#: Range in degrees about x, y, z from which the left or middle joints' turns are drawn, (low, high) each.
RANGES_DEG = {
    "hip": ((-120, 35), (-35, 35), (-30, 50)),
    "knee": ((-5, 140), (-10, 10), (-8, 8)),
    "ankle": ((-35, 45), (-20, 20), (-20, 20)),
    "foot": ((-45, 25), (-8, 8), (-8, 8)),
    "spine1": ((-20, 40), (-25, 25), (-25, 25)),
    "spine2": ((-20, 40), (-25, 25), (-25, 25)),
    "spine3": ((-15, 30), (-25, 25), (-20, 20)),
    "neck": ((-35, 40), (-45, 45), (-30, 30)),
    "head": ((-30, 35), (-45, 45), (-25, 25)),
    "collar": ((-10, 10), (-20, 20), (-20, 25)),
    "shoulder": ((-60, 60), (-110, 35), (-90, 80)),
    "elbow": ((-80, 80), (-140, 5), (-10, 10)),
    "wrist": ((-60, 60), (-30, 30), (-70, 70)),
    "hand": ((-15, 15), (-15, 15), (-80, 20)),
}


# Skinning --------------------------------------------------------------------------------------------------


def quaternion_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamilton product of (..., 4) quaternions wxyz."""
    aw, av, bw, bv = a[..., :1], a[..., 1:], b[..., :1], b[..., 1:]
    real = aw * bw - (av * bv).sum(-1, keepdims=True)
    return np.concatenate([real, aw * bv + bw * av + np.cross(av, bv)], -1)


def blend_dual_quaternions(
    vertices: np.ndarray, weights: np.ndarray, rotations: np.ndarray, shifts: np.ndarray,
    parents: tuple[int, ...] = (),
) -> np.ndarray:  # fmt: skip
    """Skin vertices (V, 3) with weights (V, B) and bone motions x -> rotations (B, 3, 3) x + shifts (B, 3).

    A quaternion and its negative are one rotation; `parents` chooses each bone's sign to agree with its
    parent, without it all bones are taken in the half with positive real part.
    """
    real = Rotation.from_matrix(rotations).as_quat()[:, [3, 0, 1, 2]]
    real *= np.where(real[:, :1] < 0, -1.0, 1.0)
    for j, parent in enumerate(parents):
        if parent >= 0 and real[j] @ real[parent] < 0:
            real[j] *= -1
    dual = 0.5 * quaternion_product(np.concatenate([np.zeros((len(shifts), 1)), shifts], 1), real)
    q, d = weights @ real, weights @ dual
    norm = np.linalg.norm(q, axis=1, keepdims=True)
    q, d = q / norm, d / norm
    w, axis = q[:, :1], q[:, 1:]
    turned = vertices + 2 * np.cross(axis, np.cross(axis, vertices) + w * vertices)
    return turned + 2 * (w * d[:, 1:] - d[:, :1] * axis + np.cross(axis, d[:, 1:]))


def pose_bones(local: np.ndarray, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations (24, 3, 3), rest joints (24, 3) -> bone motions: rotations (24, 3, 3), shifts (24, 3)."""
    rotations, placed = local.copy(), joints.copy()
    for j, parent in enumerate(PARENTS[1:], 1):
        rotations[j] = rotations[parent] @ local[j]
        placed[j] = placed[parent] + rotations[parent] @ (joints[j] - joints[parent])
    return rotations, placed - (rotations @ joints[..., None])[..., 0]


# Targets ---------------------------------------------------------------------------------------------------


def draw_pose(rng: np.random.Generator) -> np.ndarray:
    """Random local rotations (24, 3, 3); the two sides are independent, the root is still."""
    local = np.tile(np.eye(3), (24, 1, 1))
    for j, name in enumerate(JOINT_NAMES[1:], 1):
        low, high = np.array(RANGES_DEG[name.split("_")[-1]]).T
        turn = np.deg2rad(rng.uniform(low, high) * rng.uniform(0.2, 1))
        if name.startswith("right"):
            turn *= (1, -1, -1)
        local[j] = Rotation.from_rotvec(turn).as_matrix()
    return local


def ideal_skin(
    template: np.ndarray, joints: np.ndarray, weights: np.ndarray, local: np.ndarray
) -> np.ndarray:
    """(V, 3): dual-quaternion skinning with the collar's flesh following the arm up and down.

    The arm itself stays where the skeleton has it: what the sinking collar would take it along is handed back
    along the upper arm, all of it before the elbow.
    """
    local = local.copy()
    handed_back = np.zeros_like(template)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        collar, shoulder, elbow = (JOINT[f"{side}_{j}"] for j in ("collar", "shoulder", "elbow"))
        raised = sign * local[shoulder, 1, 0]  # sine of the upper arm's elevation, as the collar sees it
        raised *= 1.0 if raised < 0 else 0.3  # in T-pose the collar has risen most of its way
        tilt = Rotation.from_euler("z", sign * COLLAR_DEG * raised, degrees=True).as_matrix()
        parent = pose_bones(local, joints)[0][PARENTS[collar]] @ local[collar]
        bone = joints[shoulder] - joints[collar]
        taken_along = parent @ (tilt @ bone - bone)
        local[collar], local[shoulder] = local[collar] @ tilt, tilt.T @ local[shoulder]
        along = (template[:, 0] - joints[shoulder, 0]) / (joints[elbow, 0] - joints[shoulder, 0])
        handed_back += np.clip(along / 0.7, 0, 1)[:, None] ** 1.5 * taken_along
    return blend_dual_quaternions(template, weights, *pose_bones(local, joints), PARENTS) - handed_back


def rest_offsets(
    template: np.ndarray, joints: np.ndarray, weights: np.ndarray, local: np.ndarray
) -> np.ndarray:
    """(V, 3): what to add to the template so that linear skinning meets `ideal_skin`."""
    rotations, shifts = pose_bones(local, joints)
    blend = (weights @ rotations.reshape(24, 9)).reshape(-1, 3, 3)
    target = ideal_skin(template, joints, weights, local) - weights @ shifts
    return np.linalg.solve(blend, target[..., None])[..., 0] - template


# Fit -------------------------------------------------------------------------------------------------------


def followed_joints(skin: tuple[int, ...]) -> list[int]:
    """Joints whose rotation can bend what `skin` moves: those between them, and the arm a collar follows."""
    path: set[int] = set()
    for j in skin:
        while j >= 0 and j not in path:
            path.add(j)
            j = PARENTS[j]
    shared = [j for j in path if all(_is_ancestor(j, k) for k in skin)]
    followed = path - set(shared)
    for side in ("left", "right"):
        if {JOINT[f"{side}_collar"], JOINT[f"{side}_shoulder"]} & set(skin):
            followed.add(JOINT[f"{side}_shoulder"])
    return sorted(followed)


def _is_ancestor(a: int, b: int) -> bool:
    while b >= 0:
        if a == b:
            return True
        b = PARENTS[b]
    return False


def mirrored(pose_dirs: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """The correctives (V, 3, 23, 3, 3) of the mirrored body."""
    flip = np.array([-1.0, 1, 1])
    signs = flip[:, None, None, None] * flip[:, None] * flip
    other = np.array(MIRROR_JOINTS[1:]) - 1
    return pose_dirs[mirror][:, :, other] * signs


def fit_pose_dirs(
    template: np.ndarray,
    joints: np.ndarray,
    weights: np.ndarray,
    mirror: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """(V, 3, 207) offsets per unit of (R - I), SMPL's form, symmetric, zero far from any joint that bends."""
    poses = np.stack([draw_pose(rng) for _ in range(POSES + POSES // 10)])
    offsets = np.stack([rest_offsets(template, joints, weights, pose) for pose in poses])  # (N, V, 3)
    features = poses[:, 1:] - np.eye(3)  # (N, 23, 3, 3)
    fit, judge = slice(0, POSES), slice(POSES, None)
    pose_dirs = np.zeros((len(template), 3, 23, 3, 3))
    skins = [tuple(np.flatnonzero(row)) for row in weights]
    for skin in sorted(set(skins)):
        followed = np.array(followed_joints(skin)) - 1
        if not len(followed):
            continue
        members = np.array([i for i, s in enumerate(skins) if s == skin])
        x = features[fit][:, followed].reshape(POSES, -1)
        y = offsets[fit][:, members].reshape(POSES, -1)
        solved = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
        solved = solved.T.reshape(len(members), 3, len(followed), 3, 3)
        pose_dirs[members[:, None], :, followed[None]] = solved.transpose(0, 2, 1, 3, 4)
    pose_dirs = 0.5 * (pose_dirs + mirrored(pose_dirs, mirror))
    pose_dirs[np.abs(pose_dirs) < SMALLEST_M] = 0
    left = offsets[judge] - np.einsum("njab,vcjab->nvc", features[judge], pose_dirs, optimize=True)
    bent = np.abs(offsets).max((0, 2)) > 1e-3
    before, after = (1e3 * np.linalg.norm(o[:, bent], axis=-1) for o in (offsets[judge], left))
    print(f"  correctives, new poses, {bent.mean():.0%} of vertices: ", end="")
    print(
        f"mean {before.mean():.1f} -> {after.mean():.1f} mm, 99% {np.quantile(before, 0.99):.0f} -> ", end=""
    )
    print(f"{np.quantile(after, 0.99):.0f} mm")
    return pose_dirs.reshape(len(template), 3, 207)
