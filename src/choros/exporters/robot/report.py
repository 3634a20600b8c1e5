"""How well a robot follows, in one line; needs neither the robot nor its packages."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def told(npz: Path) -> str:
    """How well a robot follows in a file that was written here, for people to read."""
    with np.load(npz, allow_pickle=False) as file:
        ends = [
            f"{name.removeprefix('error_m.').replace('_', ' ')} {100 * np.sqrt(np.mean(file[name] ** 2)):.1f} cm "
            f"(at most {100 * file[name].max():.1f})"
            for name in file.files
            if name.startswith("error_m.")
        ]
        turn = np.rad2deg(np.sqrt(np.mean(file["foot_turn_error_rad"] ** 2)))
        return f"off by, root mean square: {', '.join(ends)}; feet turned by {turn:.1f} degrees"
