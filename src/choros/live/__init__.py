"""People of a camera or stream as it runs: the newest frame, the recording, and a page to watch it on."""

from choros.live.record import LiveState, live_to_file, refuse_killed, rescue
from choros.live.source import LiveFrame, LiveOptions, LiveSource

__all__ = [
    "LiveFrame", "LiveOptions", "LiveSource", "LiveState", "live_to_file", "refuse_killed", "rescue",
]  # fmt: skip
