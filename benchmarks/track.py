"""How fast `choros track --system lifter` is, decode to Motion without overlay, and the memory it takes.

    python benchmarks/track.py VIDEO [--accurate]
    python benchmarks/track.py VIDEO --against DIR [--system comotion] [--frames 200] [--rounds 3]

Each measurement is a process of its own, so that peaks of memory are apart: one over the first 200 frames, one
over the whole video, and one that takes the parts of a frame one after another, to tell what each costs.
The second form runs this checkout and another, in DIR, over the video in turns, and compares their speeds: frames/s,
and the time of a core that a frame takes, which others who use the machine change less. The bars: 8 frames/s
(``vtest.avi``, fast), 1.5 GB and the same peak within 5 % at both lengths, lift + track under 15 % of a frame's time,
all on two idle cores.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

SHORT = 200  # frames
WARM_UP = 20  # frames


# In a process of its own --------------------------------------------------------------------------------


class Enough(Exception):
    """As many frames as were wanted."""


class Clocked:
    """A system whose streams note how long each ``step`` takes."""

    def __init__(self, system: Any) -> None:
        self._system, self.step_s = system, []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._system, name)

    def stream(self, K: Any = None) -> Any:
        stream = self._system.stream(K)
        stream.step = self._clocked(stream.step)
        return stream

    def _clocked(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def clocked(*args: Any) -> Any:
            began = time.perf_counter()
            result = step(*args)
            self.step_s.append(time.perf_counter() - began)
            return result

        return clocked


def whole(video: str, accurate: bool, frames: int | None, name: str = "lifter") -> dict[str, Any]:
    """Track a video, or its first frames, as the command does with the system of that name."""
    from choros.cli.threads import leave_cores_to_the_networks
    from choros.motion import Motion
    from choros.systems import load
    from choros.track_video import track_to_file

    began = time.perf_counter()
    cpu_began = time.process_time()
    leave_cores_to_the_networks()
    system = Clocked(load(name, accurate=accurate))
    loaded = time.perf_counter()
    ends = []

    def progress(now: Any) -> None:
        ends.append((time.perf_counter(), time.process_time()))
        if now.n_frames == frames:
            raise Enough

    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "motion.npz"
        with contextlib.suppress(Enough):
            track_to_file(video, output, system, progress=progress)
        finished, cpu_finished = time.perf_counter(), time.process_time()
        peak_mb = peak_memory_mb()  # before the Motion is read for its numbers
        motion = Motion.load(output)
    warm = min(WARM_UP, len(ends) // 2)
    steady_s = ends[-1][0] - ends[warm][0]
    count = len(ends) - 1 - warm
    return {
        "frames": len(ends),
        "size": f"{motion.width}x{motion.height}",
        "load_s": loaded - began,
        "steady_fps": count / steady_s if count else float("nan"),
        "overall_fps": len(ends) / (finished - began),
        "cpu_per_frame_s": (ends[-1][1] - ends[warm][1]) / max(count, 1),
        "cores_used": (cpu_finished - cpu_began) / (finished - began),
        "step_share": sum(system.step_s[warm + 1 :]) / steady_s if count else float("nan"),
        "peak_mb": peak_mb,
        "people": float(motion.visible.sum()) / len(motion),
        "ids": len(motion.ids),
    }


def parts(video: str, accurate: bool, frames: int | None) -> dict[str, Any]:
    """(wall, CPU) seconds of each part of a frame, one part at a time."""
    from choros.camera import intrinsics
    from choros.cli.threads import leave_cores_to_the_networks
    from choros.systems import load
    from choros.video import open_video

    spent: dict[str, list[tuple[float, float]]] = {"decode": [], "encode": [], "step": []}

    def clocked(part: str, work: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        spent[part].append((time.perf_counter() - wall, time.process_time() - cpu))
        return result

    leave_cores_to_the_networks()
    system = load("lifter", accurate=accurate)
    with open_video(video) as reader:
        stream = system.stream(intrinsics(reader.info.width, reader.info.height))
        incoming, pace = iter(reader), stream.pace()
        for _ in range(frames or sys.maxsize):
            frame = clocked("decode", lambda: next(incoming, None))
            if frame is None:
                break
            look = stream.encode if pace.due(frame.pts_s) else stream.glance
            features = clocked("encode", lambda look=look, image=frame.image: look(image))
            clocked("step", lambda features=features, at=frame.pts_s: stream.step(features, at))
    means = {}
    for part, times in spent.items():
        times = times[min(WARM_UP, len(times) // 2) :]
        means[part] = [sum(column) / len(times) for column in zip(*times, strict=True)]
    return means


def peak_memory_mb() -> float:
    """The most memory this process ever held."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux counts the parent's memory into a child's rusage
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


# The table ----------------------------------------------------------------------------------------------


def measured(what: str, video: str, *arguments: Any, source: Path | None = None) -> dict[str, Any]:
    """What a process of its own measures, with the choros under ``source`` if given."""
    order = json.dumps([what, video, *arguments])
    path = {"PYTHONPATH": str(source)} if source else {}
    child = subprocess.run(
        [sys.executable, __file__, "--measure", order],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        env=os.environ | path,
    )
    return json.loads(child.stdout)


def compare(video: str, accurate: bool, other: Path, system: str, frames: int, rounds: int) -> None:
    """Both checkouts in turns over the first frames; the medians, and their ratio."""
    this = Path(__file__).parent.parent
    speeds: dict[Path, list[float]] = {other: [], this: []}
    costs: dict[Path, list[float]] = {other: [], this: []}
    for _ in range(rounds):
        for which in (other, this):
            run = measured("whole", video, accurate, frames, system, source=which / "src")
            speeds[which].append(run["steady_fps"])
            costs[which].append(1000 * run["cpu_per_frame_s"])
    for what, runs, factor in (("frames/s", speeds, 1), ("ms of a core a frame", costs, -1)):
        now, before = (sorted(runs[which])[rounds // 2] for which in (this, other))
        print(
            f"{system}, {what}, median of {rounds}: this {now:.2f}, {other.name} {before:.2f}, "
            f"{(now / before) ** factor:.3f} times as fast"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video")
    parser.add_argument("--accurate", action="store_true", help="MoveNet Thunder instead of Lightning")
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="another checkout, to run in turns with this one"
    )
    # Under its old name, which older checkouts know too.
    parser.add_argument("--system", default="baseline", help="whose speeds are compared")
    parser.add_argument("--frames", type=int, default=SHORT, help="of the video, that are compared")
    parser.add_argument("--rounds", type=int, default=3, help="of each checkout")
    options = parser.parse_args()
    if options.against:
        compare(
            options.video, options.accurate, options.against, options.system, options.frames, options.rounds
        )
        return
    load_before = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")

    short = measured("whole", options.video, options.accurate, SHORT)
    full = measured("whole", options.video, options.accurate, None)
    alone = measured("parts", options.video, options.accurate, SHORT)

    mode = "accurate" if options.accurate else "fast"
    title = f"choros track, {mode}: {Path(options.video).name}, {full['size']}"
    table = Table(
        "", f"{short['frames']} frames", f"{full['frames']} frames", title=title, title_justify="left"
    )
    for name, key, form in (
        ("frames/s after warm-up", "steady_fps", "{:.2f}"),
        ("frames/s overall, with loading and writing", "overall_fps", "{:.2f}"),
        ("loading, s", "load_s", "{:.1f}"),
        ("CPU time a frame, ms", "cpu_per_frame_s", "{:.1f}"),
        ("cores in use", "cores_used", "{:.2f}"),
        ("peak memory, MB", "peak_mb", "{:.0f}"),
        ("lift + track, share of the wall time", "step_share", "{:.1%}"),
        ("people seen a frame", "people", "{:.1f}"),
        ("ids", "ids", "{}"),
    ):
        factor = 1000 if key == "cpu_per_frame_s" else 1
        table.add_row(name, *(form.format(run[key] * factor) for run in (short, full)))
    console = Console(width=110)
    console.print(table)
    print(
        f"peak memory, {full['frames']} frames to {short['frames']}: {full['peak_mb'] / short['peak_mb']:.3f}"
    )

    table = Table("part of a frame, alone", "wall, ms", "CPU, ms", "share of wall", "share of CPU")
    sums = [sum(column) for column in zip(*alone.values(), strict=True)]
    for part, means in alone.items():
        name = {"encode": "encode: detect, keypoints, clothes", "step": "step: lift + track"}.get(part, part)
        table.add_row(
            name,
            *(f"{1000 * mean:.1f}" for mean in means),
            *(f"{mean / total:.1%}" for mean, total in zip(means, sums, strict=True)),
        )
    console.print(table)
    load_after = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(f"{os.cpu_count()} cores; load average {load_before:.1f} before, {load_after:.1f} after")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        what, *arguments = json.loads(sys.argv[2])
        print(json.dumps({"whole": whole, "parts": parts}[what](*arguments)))
    else:
        main()
