"""How natural a motion is: acceleration, jitter, sliding feet, sunk feet, and Fréchet distance (FID).

One person over time at an even frame rate; joints and vertices are world positions with z up unless a
function says otherwise. Everything per second, so that frame rates compare.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from choros.errors import ChorosError

Floats = NDArray[np.float64]


def acceleration_error_mm_s2(
    predicted_m: ArrayLike,  # (T, J, 3) metres; the usual figure takes root-relative joints
    truth_m: ArrayLike,  # (T, J, 3) metres, the same frame
    fps: float,
) -> Floats:  # (T - 2,) mm/s², empty below 3 frames
    """Difference of the joints' accelerations, mean over joints ("Accel"; HMMR, Kanazawa et al. 2019).

    Papers give it in mm per frame squared (GLAMR) or m/s² at 30 frames/s (WHAM); divide by fps² or 1000.
    """
    difference = np.asarray(predicted_m, dtype=float) - np.asarray(truth_m, dtype=float)
    return 1000 * fps**2 * np.linalg.norm(np.diff(difference, n=2, axis=0), axis=-1).mean(axis=-1)


def jitter_m_s3(joints_world_m: ArrayLike, fps: float) -> Floats:
    """Size of the joints' jerk, mean over joints, (T, J, 3) metres -> (T - 3,) m/s³, empty below 4 frames.

    The jitter of TransPose (Yi et al. 2021) and WHAM, who print it in units of 10 m/s³.
    """
    jerk = fps**3 * np.diff(np.asarray(joints_world_m, dtype=float), n=3, axis=0)
    return np.linalg.norm(jerk, axis=-1).mean(axis=-1)


def foot_contact(feet_world_m: ArrayLike, fps: float, max_speed_m_s: float = 0.3) -> NDArray[np.bool_]:
    """Steps between frames in which a foot rests, (T, F, 3) metres -> (T - 1, F), from the true feet.

    A point rests while it is slower than max_speed_m_s; 0.3 is WHAM's 1 cm a frame at 30 frames/s.
    """
    speed = fps * np.linalg.norm(np.diff(np.asarray(feet_world_m, dtype=float), axis=0), axis=-1)
    return speed < max_speed_m_s


def foot_sliding_cm_s(
    feet_world_m: ArrayLike,  # (T, F, 3) metres, points on the soles or the ankle and toe joints
    contact: ArrayLike,  # (T - 1, F) bool, steps in which the true foot rests, see `foot_contact`
    fps: float,
) -> float:  # cm/s, NaN if no foot ever rests
    """Mean speed of the predicted feet while the true ones rest.

    WHAM's foot sliding in mm is the same mean per frame: multiply by 10 / fps.
    """
    speed = fps * np.linalg.norm(np.diff(np.asarray(feet_world_m, dtype=float), axis=0), axis=-1)
    resting = speed[np.asarray(contact, dtype=bool)]
    return 100 * float(resting.mean()) if resting.size else float("nan")


def ground_penetration_mm(vertices_world_m: ArrayLike, ground_m: float = 0.0) -> Floats:
    """How deep each frame's body is in the ground, (T, V, 3) metres, z up -> (T,) mm.

    The mean depth of the vertices below the ground, 0 where none is (SimPoE, Yuan et al. 2021). Bodies that
    float are not punished.
    """
    depth = np.maximum(ground_m - np.asarray(vertices_world_m, dtype=float)[..., 2], 0)
    below = (depth > 0).sum(axis=-1)
    return 1000 * depth.sum(axis=-1) / np.maximum(below, 1)


def kinetic_features(joints_world_m: ArrayLike, fps: float) -> Floats:
    """What FID compares: three numbers a joint, (T, J, 3) metres, z up -> (3 J,), T >= 3.

    For every joint, relative to the first (the root's own path counts as joint 0): mean squared horizontal
    speed, mean squared vertical speed (both m²/s², kinetic energy without mass) and mean size of the
    acceleration (m/s², energy spent). These are the quantities of Onuma et al. 2008 that GLAMR takes from
    fairmotion, by our own central differences, so figures compare between systems measured here, not
    with printed ones.
    """
    joints = np.asarray(joints_world_m, dtype=float)
    if len(joints) < 3:
        raise ChorosError(f"Kinetic features need at least 3 frames of motion, not {len(joints)}.")
    joints = np.concatenate([joints[:, :1], joints[:, 1:] - joints[:, :1]], axis=1)
    velocity = fps * (joints[2:] - joints[:-2]) / 2
    acceleration = fps**2 * np.diff(joints, n=2, axis=0)
    horizontal = (velocity[..., :2] ** 2).sum(axis=-1).mean(axis=0)
    vertical = (velocity[..., 2] ** 2).mean(axis=0)
    spent = np.linalg.norm(acceleration, axis=-1).mean(axis=0)
    return np.stack([horizontal, vertical, spent], axis=-1).ravel()


def frechet_distance(features_a: ArrayLike, features_b: ArrayLike) -> float:
    """FID: distance of the Gaussians fitted to two sets of features, (n, D) and (m, D), n and m >= 2.

    In the features' units squared (Heusel et al. 2017). It is biased upwards for few samples: give both
    sides of a comparison as many, and many more than D where you can.
    """
    a, b = np.asarray(features_a, dtype=float), np.asarray(features_b, dtype=float)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ChorosError(f"FID takes two sets of at least 2 features, (n, D), not {a.shape} and {b.shape}.")
    return gaussian_distance(
        a.mean(axis=0), np.atleast_2d(np.cov(a.T)), b.mean(axis=0), np.atleast_2d(np.cov(b.T))
    )


def gaussian_distance(mean_a: Floats, cov_a: Floats, mean_b: Floats, cov_b: Floats) -> float:
    """Squared Fréchet (2-Wasserstein) distance of Gaussians, means (D,), covariances (D, D).

    |mean_a - mean_b|² + tr(cov_a + cov_b - 2 (cov_a cov_b)^½) (Dowson & Landau 1982). The root's trace is
    the sum of the singular values of root(cov_a) root(cov_b), which needs no regular matrix.
    """
    shared = np.linalg.svd(_root(cov_a) @ _root(cov_b), compute_uv=False).sum()
    spread = np.trace(cov_a) + np.trace(cov_b) - 2 * shared
    return float(((mean_a - mean_b) ** 2).sum() + max(spread, 0.0))


def _root(covariance: Floats) -> Floats:
    """The symmetric square root of a positive semi-definite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
