"""Peaks of heatmaps between their cells, for all people and keypoints at once.

DARK: Zhang et al. 2020, "Distribution-Aware Coordinate Representation for Human Pose Estimation", section 3.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Standard deviation, in cells of a map that is 64 high, of the Gaussians that networks learn and DARK smooths with;
#: it grows with the map (kernels of 11 cells for 64 and 17 for 96 in DARK's code).
SIGMA, SIGMA_HEIGHT = 2.0, 64
_REACH = 2.5  # standard deviations up to which smoothing is summed
_LEAST = 1e-10  # below this the logarithm of a map is not believed
_FARTHEST = 1.0  # cells from the largest one: further off a fit of a curve has failed


def peaks(heatmaps: NDArray[np.float32]) -> NDArray[np.float32]:  # (..., H, W) -> (..., 3)
    """The peak of each map: x and y in cells, 0 the middle of the first, and the value of the largest cell.

    The map is smoothed, and where the quadratic has its top that fits its logarithm around the largest cell (equation
    8), is the peak. Of a cell at the border its middle is taken.
    """
    height, width = heatmaps.shape[-2:]
    maps = heatmaps.reshape(-1, height, width)
    largest = maps.reshape(len(maps), -1).argmax(-1)
    y, x = np.divmod(largest, width)
    found = np.stack([x, y, maps.reshape(len(maps), -1)[np.arange(len(maps)), largest]], -1).astype(
        np.float32
    )
    inside = np.flatnonzero((x > 0) & (x < width - 1) & (y > 0) & (y < height - 1) & (found[:, 2] > 0))
    found[inside, :2] += _to_the_top(_smoothed_logs(maps[inside], x[inside], y[inside]))
    return found.reshape(*heatmaps.shape[:-2], 3)


def _smoothed_logs(
    maps: NDArray[np.float32],  # (n, H, W)
    x: NDArray[np.intp],  # (n,) of the largest cells
    y: NDArray[np.intp],
) -> NDArray[np.float64]:  # (n, 3, 3)
    """The logarithm of the smoothed maps in the largest cells and around them; outside of a map is nothing."""
    sigma = SIGMA * maps.shape[-2] / SIGMA_HEIGHT
    reach = max(1, int(np.ceil(_REACH * sigma)))
    steps = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (steps / sigma) ** 2)
    around = np.arange(-reach - 1, reach + 2)
    padded = np.pad(maps, ((0, 0), (reach + 1, reach + 1), (reach + 1, reach + 1)))
    rows, columns = (middle[:, None] + around + reach + 1 for middle in (y, x))
    patches = padded[np.arange(len(maps))[:, None, None], rows[:, :, None], columns[:, None, :]]
    smooth = np.zeros((3, len(around)))
    for cell in range(3):
        smooth[cell, cell : cell + len(kernel)] = kernel / kernel.sum()
    return np.log(np.maximum(smooth @ patches.astype(np.float64) @ smooth.T, _LEAST))


def _to_the_top(logs: NDArray[np.float64]) -> NDArray[np.float64]:  # (n, 3, 3) -> (n, 2) x, y cells
    """How far the top of the quadratic lies from the middle cell: minus the inverse Hessian times the gradient."""
    middle = logs[:, 1, 1]
    dx, dy = (logs[:, 1, 2] - logs[:, 1, 0]) / 2, (logs[:, 2, 1] - logs[:, 0, 1]) / 2
    dxx = logs[:, 1, 2] - 2 * middle + logs[:, 1, 0]
    dyy = logs[:, 2, 1] - 2 * middle + logs[:, 0, 1]
    dxy = (logs[:, 2, 2] - logs[:, 2, 0] - logs[:, 0, 2] + logs[:, 0, 0]) / 4
    determinant = dxx * dyy - dxy**2
    curved = (determinant > 1e-12) & (dxx < 0)  # a top, and no saddle
    safe = np.where(curved, determinant, 1.0)
    offset = np.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], -1) / safe[:, None]
    near = curved & (np.abs(offset) <= _FARTHEST).all(-1)
    return np.where(near[:, None], offset, 0.0)
