"""Random people for the tests of the body."""

import torch

from choros.body import BodyParams


def random_params(*batch: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> BodyParams:
    """Plausibly large poses, shapes and places with the given leading dimensions."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn((*batch, *shape), generator=generator, dtype=dtype)

    kid = torch.rand(batch, generator=generator, dtype=dtype)
    return BodyParams(normal(3), 0.5 * normal(69), normal(10), normal(3), kid)
