"""The people of each frame as soon as it is there; no later frame is ever looked at.

python examples/02_frame_by_frame.py clip.mp4
"""

import sys

import choros

tracker = choros.load().stream()
with choros.open_video(sys.argv[1]) as video:
    for frame in video:
        rows = tracker.update(frame.image, frame.pts_s).rows  # uint8 RGB and seconds in, one row a person out
        who = ", ".join(f"{row['person']}{'' if row['visible'] else ' (hidden)'}" for row in rows)
        print(f"{frame.pts_s:6.2f} s: {who or 'nobody'}")
