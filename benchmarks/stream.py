"""The training stream: what a clip costs and of what, clips a second by worker processes, memory; truth alone.

    python benchmarks/stream.py [clips] [workers ...]

Clips are those of ``StreamConfig``: 16 frames of 512x512 px, up to eight people. CPU time tells how far the machine
was from idle. The bar for truth is 100 frames/s at 640 px with five people on one core.
"""

import resource
import sys
import time
from contextlib import closing
from dataclasses import replace
from itertools import islice

from choros.cli.threads import leave_cores_to_the_networks
from choros.scenes import SceneConfig, StreamConfig, make_scene, stream


def parts(config: StreamConfig) -> None:
    """CPU time of making a scene, of its truth and of its frames."""
    for kind in config.kinds:
        make_scene(kind, 1, config.scene).arrays_of(range(2))  # compiles
        began = time.process_time()
        scene = make_scene(kind, 2, replace(config.scene, people=5))
        made = time.process_time()
        truth = scene.arrays_of(range(config.frames))
        measured = time.process_time()
        for frame in range(config.frames):
            scene.frame(frame)
        shown = time.process_time()
        print(
            f"{kind:9} {len(truth.person)} people: a scene in {made - began:.2f} s of CPU, a frame's truth in "
            f"{1000 * (measured - made) / config.frames:.0f} ms, its picture in "
            f"{1000 * (shown - measured) / config.frames:.0f} ms"
        )


def truth_alone() -> None:
    for kind in ("crossing", "moving"):
        scene = make_scene(kind, 1, SceneConfig(640, 360, people=5))
        scene.arrays_of(range(2))
        began = time.process_time()
        count = len(scene.arrays)
        print(
            f"truth of {kind}, 5 people, 640x360: {count / (time.process_time() - began):.0f} frames/s of CPU time"
        )


def throughput(config: StreamConfig, clips: int, workers: int) -> None:
    with closing(stream(1, config, workers=workers)) as running:
        next(running)  # processes are up, code is compiled
        began, busy = time.perf_counter(), time.process_time()
        people = [len(clip.truth.person) for clip in islice(running, clips)]
        seconds = time.perf_counter() - began
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    theirs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(
        f"{workers} workers: {clips / seconds:.2f} clips/s ({clips * config.frames / seconds:.0f} frames/s), "
        f"{sum(people) / clips:.1f} people a clip; CPU time of this process {time.process_time() - busy:.1f} s of "
        f"{seconds:.1f} s; peak {own:.0f} MB here, {theirs:.0f} MB in the largest worker"
    )


def main() -> None:
    leave_cores_to_the_networks()
    clips = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    config = StreamConfig()
    truth_alone()
    parts(config)
    for workers in map(int, sys.argv[2:] or ["0", "2"]):
        throughput(config, clips, workers)


if __name__ == "__main__":
    main()
