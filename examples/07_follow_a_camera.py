"""Everyone before a camera as it runs: always the newest frame, however slow the machine.

    python examples/07_follow_a_camera.py 0
    python examples/07_follow_a_camera.py rtsp://camera/stream

`choros live` does this too, records the motion and shows it on a page.
"""

import sys
import time

import choros

source = int(sys.argv[1]) if sys.argv[1].isdecimal() else sys.argv[1]
tracker = choros.load().stream()
with choros.LiveSource(source) as camera:
    for frame in camera:  # until Ctrl-C, or the end of a file
        people = choros.people_of(tracker.update(frame.image, frame.pts_s).rows)
        latency_s = time.monotonic() - frame.arrived_s
        print(
            f"{frame.pts_s:6.2f} s: {len(people)} people after {1000 * latency_s:.0f} ms, {camera.n_dropped} dropped"
        )
        for person in people:
            x, y, z = person.joint("right_wrist")  # metres: x right, y down, z away from the camera
            print(f"    {person.id}: right wrist at {x:5.2f} {y:5.2f} {z:5.2f}")
