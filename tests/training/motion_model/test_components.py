"""Principal components of windows of motion."""

import numpy as np
import torch

from choros.scenes.motion.motion_features import N_FEATURES
from choros.scenes.motion.motion_model import Components
from choros.training.motion_model.components import fit_components


def test_components_are_those_of_the_rows():
    """Rows made of three directions are three components, of unit variance, and nothing is lost."""
    rng = np.random.default_rng(0)
    scale = rng.uniform(0.5, 2, N_FEATURES)
    directions = np.linalg.qr(rng.normal(size=(2 * N_FEATURES, 3)))[0].T
    strengths = rng.normal(size=(4000, 3)) * [3.0, 2.0, 1.0]
    rows = torch.from_numpy((strengths @ directions).reshape(-1, 2, N_FEATURES) / scale + 0.3)
    components = Components(2, 3).double()
    fit_components(components, rows, scale)
    np.testing.assert_allclose(components.std, [3, 2, 1], rtol=0.05)
    codes = components.encode(rows)
    torch.testing.assert_close(codes.std(0), torch.ones(3, dtype=torch.float64), rtol=1e-3, atol=0)
    torch.testing.assert_close(components.decode(codes), rows, rtol=0, atol=1e-9)
