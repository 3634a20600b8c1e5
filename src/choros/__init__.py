"""choros: the 3D motion of everyone in a video.

``import choros`` loads nothing heavy; names below are imported on first use.

>>> motion = choros.track("clip.mp4")                # everyone's Motion
>>> tracker = choros.load().stream()                 # or frame by frame
>>> rows = tracker.update(image, time_s)             # (H, W, 3) uint8 RGB, seconds -> (n,) choros.motion.ROW
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from choros._version import __version__

if TYPE_CHECKING:
    from choros import systems
    from choros.body import BodyModel
    from choros.body.posed import people_of
    from choros.camera.calibration import Calibration
    from choros.errors import ChorosError
    from choros.live import LiveSource
    from choros.motion import Motion
    from choros.options import TrackOptions
    from choros.systems import load
    from choros.track_video import track
    from choros.video import open_video

# Nothing that choros runs on may tell others about it. onnxruntime keeps a device ID and a list of events in the
# home folder and sends them to its maker, unless this stands in the environment before its library is loaded: no call
# comes early enough. Processes that are started from here inherit it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_HOME = {
    "BodyModel": "choros.body",
    "Calibration": "choros.camera.calibration",
    "ChorosError": "choros.errors",
    "LiveSource": "choros.live",
    "Motion": "choros.motion",
    "TrackOptions": "choros.options",
    "load": "choros.systems",
    "open_video": "choros.video",
    "people_of": "choros.body.posed",
    "track": "choros.track_video",
}

_MODULES = ("systems",)

__all__ = [
    "BodyModel",
    "Calibration",
    "ChorosError",
    "LiveSource",
    "Motion",
    "TrackOptions",
    "__version__",
    "load",
    "open_video",
    "people_of",
    "systems",
    "track",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"choros.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'choros' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
