"""One video by several processes that look at its frames: what they bring, and what cannot be done side by side.

    python benchmarks/one_video.py VIDEO [--seconds 10] [--system lifter] [--encoders 1 2] [--device cpu]

First one process does it alone, frame by frame, with a clock about decoding, `encode` and `step`: the share of the last
two beside `encode` is what stays in one place however many look (Amdahl's law gives the most that can be won). Then
`--encoders` processes look. Exits with 1 if the motions are not the same bytes. Load of the machine is printed: wall
times mean something on an idle one alone.
"""

import argparse
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from choros import systems
from choros.encoders import Processes
from choros.options import TrackOptions
from choros.threads import at_most
from choros.track_video import track_to_file


def shares(video: Path, load, options: TrackOptions) -> tuple[int, float, float, float]:
    """Frames, and seconds of the processor's time of this thread's decoding, `encode` and `step`."""
    with at_most(1), options.open(video) as reader:
        stream = load().stream(options.intrinsics(reader.info.width, reader.info.height))
        decode = encode = step = 0.0
        frames, last = 0, time.thread_time()
        for frame in reader:
            decode += time.thread_time() - last
            last = time.thread_time()
            features = stream.encode(frame.image)
            if frames >= 3:  # networks warm up
                encode += time.thread_time() - last
            last = time.thread_time()
            stream.step(features, frame.pts_s)
            if frames >= 3:
                step += time.thread_time() - last
            frames += 1
            last = time.thread_time()
    return frames - 3, decode, encode, step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--system", default="lifter")
    parser.add_argument("--encoders", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    options = TrackOptions(end_s=args.seconds)
    load = partial(systems.load, args.system)
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    frames, decode, encode, step = shares(args.video, load, options)
    total = decode + encode + step
    print(
        f"{args.system}, {frames} frames, ms of the processor each: decode {1e3 * decode / frames:.1f}, "
        f"encode {1e3 * encode / frames:.1f}, step {1e3 * step / frames:.1f}"
    )
    alone = (decode + step) / total
    of_two = 1 / (alone + (1 - alone) / 2)
    print(f"in one place {alone:.0%}: at most {1 / alone:.1f} times as fast, with two {of_two:.2f}")
    same, walls = True, {}
    with tempfile.TemporaryDirectory() as folder:
        usual = track_to_file(
            args.video, Path(folder) / "alone" / "motion.npz", load, options
        ).path.read_bytes()
        for count in args.encoders:
            marks: list[float] = []
            done = track_to_file(
                args.video,
                Path(folder) / str(count) / "motion.npz",
                load,
                options,
                encoders=lambda stream, K, count=count: Processes(load, count, K),
                progress=lambda now, marks=marks: marks.append(time.perf_counter()),
            )
            walls[count] = (marks[-1] - marks[9]) / (len(marks) - 10)  # without starting the processes
            same &= done.path.read_bytes() == usual
            print(f"{count} process(es) look: {1e3 * walls[count]:.0f} ms a frame by the clock")
    first = walls[args.encoders[0]]
    for count, wall in walls.items():
        print(f"{count} against {args.encoders[0]}: {first / wall:.2f} times as fast")
    print(f"same bytes: {same}")
    sys.exit(not same)


if __name__ == "__main__":
    main()
