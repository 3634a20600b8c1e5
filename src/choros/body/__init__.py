"""The body: SMPL's form, the embedded open body, and users' own SMPL files.

Names of joints and keypoints are in `choros.skeleton`, which loads no torch; the model itself is
imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from choros.body.model import BodyModel as BodyModel
    from choros.body.model import BodyParams as BodyParams
    from choros.body.model import SkinnedPoints as SkinnedPoints

__all__ = ["BodyModel", "BodyParams", "SkinnedPoints"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'choros.body' has no attribute {name!r}")
    return getattr(import_module("choros.body.model"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
