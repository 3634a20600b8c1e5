"""Kills `choros track` at random moments and resumes it; the files must be those of an undisturbed run.

    python benchmarks/resume_after_kill.py [VIDEO] [--system comotion] [--kills 20] [--seconds 20] [--seed 0]

Without a video it films a made-up scene. One kill in six falls into loading, one in six into the writing of
the outputs, the others anywhere between. Prints a table of how much video each kill cost; exits with 1 if any
file differs or a kill cost more than five seconds.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

OUTPUTS = ("motion.npz", "tracks.txt")
MAX_LOST_S = 5.0


# The process that is killed -----------------------------------------------------------------------------


def victim(log: Path, arguments: list[str]) -> None:
    """`choros` with these arguments, which notes after each frame: frames done, of them resumed, seconds."""
    from choros.cli.main import main as choros
    from choros.cli.progress import TrackProgress

    note = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)  # unbuffered: a kill loses none of it
    update = TrackProgress.update

    def noting(self, now) -> None:
        os.write(note, f"{now.n_frames} {now.n_resumed} {now.pts_s}\n".encode())
        update(self, now)

    TrackProgress.update = noting
    choros(arguments)


@dataclass
class Run:
    """One such process and its notes."""

    log: Path
    process: subprocess.Popen

    def notes(self) -> list[tuple[int, int, float]]:
        lines = self.log.read_text().split("\n")[:-1] if self.log.exists() else []
        return [(int(done), int(resumed), float(pts)) for done, resumed, pts in map(str.split, lines)]

    def running(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        if self.process.wait() != 0:
            sys.exit(f"choros ended with {self.process.returncode}: {self.process.stderr.read().decode()}")


def start(video: Path, output: Path, seconds: float, system: str, *, resume: bool = False) -> Run:
    log = output.with_name("notes.txt")
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    arguments = ["track", str(video), "-o", str(output), "--end", str(seconds), "--system", system]
    arguments += ["--resume"] * resume
    command = [sys.executable, __file__, "--victim", str(log), *arguments]
    return Run(log, subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))


# When it is killed --------------------------------------------------------------------------------------


def wait_for_moment(kind: str, run: Run, output: Path, chance: random.Random, times: "Times") -> str:
    """Wait for a moment of this kind, and say which one it is."""
    if kind == "loading":
        after_s = chance.uniform(0, 0.8 * times.load_s)
        time.sleep(after_s)
        return f"loading, after {after_s:.1f} s"
    if kind == "finishing":
        # Those of checkpoints are in the journal; in the folder itself parts are of what is finished.
        while run.running() and not any(output.glob(".choros-*.part")) and not (output / OUTPUTS[1]).exists():
            time.sleep(1e-4)
        after_s = chance.uniform(0, times.finish_s / 4)  # most of it is the interpreter going home
        time.sleep(after_s)
        return f"finishing, after {after_s * 1000:.0f} ms"
    frame = chance.randrange(1, times.frames + 1)
    while run.running() and len(run.notes()) < frame:
        time.sleep(0.002)
    time.sleep(chance.uniform(0, times.frame_s))
    return f"frame {frame}"


@dataclass
class Times:
    """Of the undisturbed run."""

    frames: int
    load_s: float  # to the first frame
    frame_s: float
    finish_s: float  # from the last frame to the end of the process


def undisturbed(video: Path, output: Path, seconds: float, system: str) -> Times:
    began = time.monotonic()
    run = start(video, output, seconds, system)
    first = last = None
    while run.running():
        notes = run.notes()
        if notes and first is None:
            first = time.monotonic()
        if notes and (last is None or notes[-1] != last[1]):
            last = time.monotonic(), notes[-1]
        time.sleep(0.005)
    run.end()
    if first is None or last is None:
        sys.exit(f"{video}: no frame was tracked")
    frames = last[1][0]
    return Times(frames, first - began, (last[0] - first) / frames, time.monotonic() - last[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--system", default="comotion")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0, help="of video that each run tracks")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        sys.exit(measure(Path(name), options, chance))


def measure(folder: Path, options: argparse.Namespace, chance: random.Random) -> int:
    """The exit code."""
    video = options.video or film(folder, options.seconds)
    times = undisturbed(video, folder / "undisturbed" / "out", options.seconds, options.system)
    expected = {name: (folder / "undisturbed" / "out" / name).read_bytes() for name in OUTPUTS}
    print(
        f"{video.name}: {times.frames} frames; loading {times.load_s:.1f} s, a frame {times.frame_s:.3f} s, "
        f"finishing {times.finish_s:.2f} s",
        flush=True,
    )
    table = Table("kill", "moment", "frames done", "kept", "video lost, s", "same bytes")
    failed, lost = 0, []
    for kill in range(options.kills):
        output = folder / f"kill-{kill}" / "out"
        kind = {0: "loading", 1: "finishing"}.get(kill % 6, "running")
        run = start(video, output, options.seconds, options.system)
        moment = wait_for_moment(kind, run, output, chance, times)
        moment += "" if run.running() else " (it had ended)"
        run.process.kill()
        run.process.wait()
        done = run.notes()

        run = start(video, output, options.seconds, options.system, resume=True)
        run.end()
        again = run.notes()
        kept = again[0][1] if again else times.frames
        if not again and len(done) < times.frames:
            sys.exit("the resumed run did nothing, though the killed one had not seen every frame")
        # From the last frame that is kept to the last one that was done.
        lost.append(done[-1][2] - (done[kept - 1][2] if kept else 0.0) if done else 0.0)
        same = all((output / name).read_bytes() == expected[name] for name in OUTPUTS)
        tidy = sorted(path.name for path in output.iterdir()) == sorted(OUTPUTS)
        failed += not same or not tidy or lost[-1] > MAX_LOST_S
        verdict = ("yes" if same else "NO") + ("" if tidy else ", but other files were left over")
        table.add_row(str(kill + 1), moment, str(len(done)), str(kept), f"{lost[-1]:.2f}", verdict)
        print(f"kill {kill + 1}: {moment}; lost {lost[-1]:.2f} s; same bytes: {verdict}", flush=True)
    Console(width=110).print(table)
    print(
        f"{options.kills - failed} of {options.kills} kept; lost at most {max(lost, default=0):.2f} s of video"
    )
    return 1 if failed else 0


def film(folder: Path, seconds: float) -> Path:
    from choros.scenes import SceneConfig, make_scene

    config = SceneConfig(width=480, height=270, seconds=min(seconds, 8.0), people=3)
    make_scene("crossing", 7, config).write(folder / "scene")
    return folder / "scene" / "video.mp4"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--victim"]:
        victim(Path(sys.argv[2]), sys.argv[3:])
    else:
        main()
