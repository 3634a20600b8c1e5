"""People of a camera or stream as it runs: the newest frame, the recording, and a page to watch it on."""

from choros.live.live_source import LiveFrame, LiveOptions, LiveSource
from choros.live.recording import LiveState, live_to_file, refuse_killed, rescue

__all__ = [
    "LiveFrame", "LiveOptions", "LiveSource", "LiveState", "live_to_file", "refuse_killed", "rescue",
]  # fmt: skip
