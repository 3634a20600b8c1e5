"""Video in and out: frames with exact times from files, folders, cameras and streams, and H.264 back.

Everything goes through PyAV, packet by packet, so that damage costs the damaged frames and no others.
"""

from choros.video.frame import Frame, Gap, VideoInfo, VideoReader
from choros.video.opening import check_there, is_address, open_video
from choros.video.prefetch import prefetch
from choros.video.spool import Spool, is_pipe
from choros.video.writer import VideoWriter, check_video_name

__all__ = [
    "Frame", "Gap", "Spool", "VideoInfo", "VideoReader", "VideoWriter", "check_there", "check_video_name",
    "is_address", "is_pipe", "open_video", "prefetch",
]  # fmt: skip
