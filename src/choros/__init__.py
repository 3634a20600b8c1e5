"""choros: the 3D motion of everyone in a video.

``import choros`` loads nothing heavy; names below are imported on first use.

>>> motion = choros.track("clip.mp4")                # everyone's Motion
>>> tracker = choros.load().stream()                 # or frame by frame
>>> rows = tracker.update(image, time_s).rows        # (H, W, 3) uint8 RGB, seconds -> (n,) choros.motion.ROW
>>> world = choros.world(motion, "clip.mp4")         # everyone in one world, without gaps
>>> choros.export(motion, "people.glb")              # for other software
>>> choros.render(motion, "clip.mp4", "overlay.mp4") # bodies over the video
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from choros._version import __version__
from choros.registered import register

if TYPE_CHECKING:
    from choros import systems
    from choros.body import BodyModel
    from choros.body.posed import people_of
    from choros.camera.calibration import Calibration
    from choros.errors import ChorosError
    from choros.evaluation.compare import evaluate_motion
    from choros.exporters.formats import export
    from choros.fusing.fusion import fuse
    from choros.glamr.into_world import world
    from choros.live import LiveSource
    from choros.motion import Motion
    from choros.options import TrackOptions
    from choros.systems import load
    from choros.track_video import track
    from choros.video import open_video
    from choros.view.rendering import render

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
    "evaluate_motion": "choros.evaluation.compare",
    "export": "choros.exporters.formats",
    "fuse": "choros.fusing.fusion",
    "load": "choros.systems",
    "open_video": "choros.video",
    "people_of": "choros.body.posed",
    "render": "choros.view.rendering",
    "track": "choros.track_video",
    "world": "choros.glamr.into_world",
}

# What a motion offers of rooms above it.
register("joints", "choros.body.posed:joints_of")
register("vertices", "choros.body.skinned:vertices_of")
register("picture", "choros.view.notebook:picture")
_MODULES = ("systems",)

__all__ = [
    "BodyModel",
    "Calibration",
    "ChorosError",
    "LiveSource",
    "Motion",
    "TrackOptions",
    "__version__",
    "evaluate_motion",
    "export",
    "fuse",
    "load",
    "open_video",
    "people_of",
    "render",
    "systems",
    "track",
    "world",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"choros.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'choros' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
