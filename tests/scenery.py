"""Made-up places: pictures that differ from each other as places do, for whoever must tell shots apart."""

import numpy as np


def scenery(seed: int, width: int = 320, height: int = 180) -> np.ndarray:
    """A picture (H, W, 3) of large and small patches, each of its own colour."""
    rng = np.random.default_rng(seed)
    image = np.zeros((height, width, 3), np.uint8)
    for size in (90, 30, 10):
        for _ in range(30):
            x, y = rng.integers(-size, width), rng.integers(-size, height)
            image[max(y, 0) : y + size, max(x, 0) : x + size] = rng.integers(0, 256, 3)
    return image
