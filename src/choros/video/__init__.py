"""Video in and out: frames with exact times from files, folders, cameras and streams, and H.264 back.

Everything goes through PyAV, packet by packet, so that damage costs the damaged frames and no others.
"""

from choros.video.frame import Frame, Gap, VideoInfo, VideoReader
from choros.video.prefetch import prefetch
from choros.video.source import open_video
from choros.video.writer import VideoWriter, check_video_name

__all__ = [
    "Frame",
    "Gap",
    "VideoInfo",
    "VideoReader",
    "VideoWriter",
    "check_video_name",
    "open_video",
    "prefetch",
]
