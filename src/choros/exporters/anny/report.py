"""How far Anny is off, in one line; needs no package of Anny's."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def told(npz: Path) -> str:
    """How far Anny's skin is from ours in a file that was written here, for people to read."""
    with np.load(npz, allow_pickle=False) as file:
        mean_mm, worst_mm = 1000 * file["off_m"], 1000 * file["off_most_m"].max()
        rest_mm, stature_mm = 1000 * file["rest_off_m"], 1000 * file["stature_off_m"]
        return (
            f"anny: skin off by {mean_mm.mean():.1f} mm (in the worst frame {mean_mm.max():.1f}, at the worst place "
            f"{worst_mm:.0f}); in T-pose {rest_mm:.1f} mm, stature {stature_mm:+.1f} mm"
        )
