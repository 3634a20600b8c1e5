"""Principal components in which the motion model codes its windows, and the range of joints in its training data."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from choros.rotation import columns_to_rotmat, rotmat_to_rotvec
from choros.scenes.motion.motion_features import MOVED
from choros.scenes.motion.motion_model import Components, MotionModel
from choros.scenes.motion.rest_skeleton import Floats, RestSkeleton
from choros.skeleton import PARENTS
from choros.training.motion_model.recipe import MotionModelRecipe
from choros.training.motion_model.windows import MotionWindows, open_skeleton


def feature_scale(skeleton: RestSkeleton) -> Floats:  # (N_FEATURES,)
    """How far each feature moves the body, in leg lengths: a joint counts by what hangs on it."""
    rest = skeleton.joints_rest
    hanging = np.zeros(24)
    for joint in range(1, 24):
        ancestor = PARENTS[joint]
        while ancestor >= 0:
            hanging[ancestor] = max(hanging[ancestor], float(np.linalg.norm(rest[joint] - rest[ancestor])))
            ancestor = PARENTS[ancestor]
    per_joint = np.repeat(hanging[list(MOVED)] + 0.1, 6)
    return np.concatenate([[1.2, 1.2, 0.4, 2.0], per_joint, [0.2, 0.2]])


@torch.no_grad()
def fit_components(components: Components, rows: Tensor, scale: Floats) -> None:
    """Set mean, basis and deviations of ``components`` to those of rows (N, n, N_FEATURES)."""
    components.scale.copy_(torch.as_tensor(scale))
    components.mean.copy_(rows.mean(0).flatten())
    centred = ((rows - rows.mean(0)) * components.scale).flatten(1).double()
    # NumPy's: torch's gives up on covariances of low rank on some processors.
    values, vectors = map(torch.from_numpy, np.linalg.eigh((centred.T @ centred / len(rows)).numpy()))
    n = len(components.std)
    components.basis.copy_(vectors[:, -n:].T.flip(0))
    components.std.copy_(values[-n:].flip(0).clamp_min(1e-8).sqrt())


@torch.no_grad()
def fit_to_windows(model: MotionModel, windows: MotionWindows, recipe: MotionModelRecipe) -> None:
    """Principal components of a fair sample of the windows, and how far joints turn in all of them."""
    rng = np.random.default_rng([recipe.seed, 1 << 32])
    drawn = rng.choice(len(windows.rows), recipe.component_windows, p=windows.chance)
    sample = windows.rows[torch.from_numpy(drawn)]
    scale = feature_scale(open_skeleton())
    fit_components(model.windows, sample, scale)
    fit_components(model.pasts, sample[:, : model.config.past], scale)
    columns = windows.rows[:, 0, 4:-2].double().numpy().reshape(-1, len(MOVED), 6)[:, 1:]
    rotvec = rotmat_to_rotvec(columns_to_rotmat(columns))
    model.lowest.copy_(torch.as_tensor(rotvec.min(axis=0)))
    model.highest.copy_(torch.as_tensor(rotvec.max(axis=0)))
