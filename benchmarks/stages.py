"""Where a frame's time goes, from decode to `Motion`: each stage's milliseconds by the clock and of a core.

    python benchmarks/stages.py VIDEO [--system lifter 4dhumans comotion trace] [--frames 150]

Frames go one after another, so that stages do not share cores; `choros bench runtime` tells how fast they are when two
are looked at at once. Python's profiler tells whose the time is, and takes some itself: the last row has the frames
without it. A stage is the function whose name is beside it; it has the time of what it calls, unless that is a stage.
"""

import argparse
import cProfile
import itertools
import time
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from choros import load, open_video
from choros.camera import intrinsics
from choros.cli.threads import leave_cores_to_the_networks

WARM_UP = 20  # frames


class Stage(NamedTuple):
    """A function of choros, by file and name, and what it is for."""

    what: str
    file: str
    name: str


#: None of them calls another.
STAGES = (
    Stage("decode", "stages.py", "next_frame"),
    Stage("people found (NanoDet)", "detection/nanodet.py", "detect"),
    Stage("keypoints (MoveNet)", "detection/movenet.py", "estimate"),
    Stage("colours of clothes", "tracking/appearance.py", "read_colours"),
    Stage("background, for the camera's turn", "camera_motion/background.py", "background"),
    Stage("the camera's turn", "camera_motion/background.py", "step"),
    Stage("sketch, for cuts", "video/cuts.py", "sketch"),
    Stage("bodies proposed (lifter's network)", "lifter/lift.py", "_propose"),
    Stage("bodies proposed (HMR 2.0's crops)", "fourdhumans/hmr2/small/engine.py", "_look"),
    Stage("bodies proposed (HMR 2.0's decoder)", "fourdhumans/hmr2/small/engine.py", "_told"),
    Stage("bodies put on keypoints", "body/likely.py", "likeliest"),
    Stage("bodies put on keypoints (CoMotion, TRACE)", "body/onto_keypoints.py", "onto_keypoints"),
    Stage("shape", "lifter/shape_estimator.py", "see"),
    Stage("texture of bodies", "fourdhumans/phalp/texture.py", "read"),
    Stage("poses predicted (transformer)", "fourdhumans/phalp/predict.py", "predict_poses"),
    Stage("places predicted", "fourdhumans/phalp/place.py", "predict"),
    Stage("image features (CoMotion)", "comotion/network.py", "encode"),
    Stage("everybody updated (CoMotion)", "comotion/network.py", "update"),
    Stage("the new (CoMotion)", "comotion/network.py", "initialise"),
    Stage("image features (TRACE)", "trace/encoders.py", "encode"),
    Stage("optical flow", "trace/flow.py", "light_flow"),
    Stage("maps and people (TRACE)", "trace/tracker.py", "_see"),
)  # fmt: skip


def next_frame(frames: Any) -> Any:
    return next(frames, None)


def run(video: Path, name: str, count: int, clock: Any) -> tuple[dict[tuple[str, str], float], float]:
    """Seconds by function, and of all, with that clock or, for None, without the profiler by the wall."""
    system = load(name)
    profile = cProfile.Profile(clock) if clock else None
    with open_video(video) as reader:
        stream = system.stream(intrinsics(reader.info.width, reader.info.height))
        frames = iter(reader)
        for frame in itertools.islice(frames, WARM_UP):
            stream.update(frame.image, frame.pts_s)
        began = (clock or time.perf_counter)()
        if profile:
            profile.enable()
        for done in range(count):
            frame = next_frame(frames)
            if frame is None:
                raise SystemExit(f"{video} has {WARM_UP + done} frames; ask for fewer with --frames")
            stream.step(stream.encode(frame.image), frame.pts_s)
        if profile:
            profile.disable()
        whole = (clock or time.perf_counter)() - began
    spent: dict[tuple[str, str], float] = {}
    for entry in profile.getstats() if profile else ():
        if not isinstance(entry.code, str):
            key = entry.code.co_filename.replace("\\", "/"), entry.code.co_name
            spent[key] = spent.get(key, 0) + entry.totaltime
    return spent, whole


def of_stage(spent: dict[tuple[str, str], float], stage: Stage) -> float:
    return sum(
        s for (file, name), s in spent.items() if file.endswith("/" + stage.file) and name == stage.name
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--system", nargs="+", default=["lifter", "4dhumans", "comotion", "trace"])
    parser.add_argument("--frames", type=int, default=150, help="that are timed, after the first 20")
    given = parser.parse_args()
    leave_cores_to_the_networks()
    for name in given.system:
        _, without_s = run(given.video, name, given.frames, None)
        (walls, wall_s), (cores, core_s) = (
            run(given.video, name, given.frames, clock) for clock in (time.perf_counter, time.process_time)
        )
        table = Table("stage", "ms", "share", "ms of a core", "share", title=f"{name}, {given.video.name}")
        rows = [(stage.what, of_stage(walls, stage), of_stage(cores, stage)) for stage in STAGES]
        rows = [row for row in rows if row[1]]
        rest = [whole - sum(row[column] for row in rows) for column, whole in ((1, wall_s), (2, core_s))]
        rows += [("all else", *rest), ("all", wall_s, core_s)]
        per_frame = 1000 / given.frames
        for what, wall, core in rows:
            table.add_row(
                what,
                f"{wall * per_frame:.1f}",
                f"{wall / wall_s:.0%}",
                f"{core * per_frame:.1f}",
                f"{core / core_s:.0%}",
            )
        table.add_row("all, without the profiler", f"{without_s * per_frame:.1f}", "", "", "")
        Console(width=110).print(table)


if __name__ == "__main__":
    main()
