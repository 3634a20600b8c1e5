"""The Ray cluster that a user names (extra ``ray``): the package itself, and the connection to it."""

from __future__ import annotations

from typing import Any

from choros.errors import ChorosError

AUTO = "auto"


def ray_package() -> Any:
    """Ray's package. Raises ``ChorosError`` where it is not installed."""
    try:
        import ray
    except ImportError:
        raise ChorosError(
            "--ray needs Ray; pip install 'choros[ray]', or leave it out for this machine."
        ) from None
    return ray


def connected(address: str) -> bool:
    """Whether this connected, and so must shut down; somebody's own connection is left as it is.

    ``auto`` is the cluster that this machine is in, or else one of this machine alone. Raises ``ChorosError`` where
    there is none at an ``address``, or no Ray here.
    """
    ray = ray_package()
    if ray.is_initialized():
        return False
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except ConnectionError as error:
        if address != AUTO:
            raise ChorosError(
                f"there is no Ray cluster at {address} ({error}); check the address."
            ) from error
        ray.init(logging_level="ERROR", log_to_driver=False, include_dashboard=False)
    except (ValueError, RuntimeError) as error:
        raise ChorosError(f"Ray cannot connect to {address} ({error}); check the address.") from error
    return True
