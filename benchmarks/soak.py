"""Memory over a long video: what `choros track` holds after each thousand frames.

    python benchmarks/soak.py [--frames 10000] [--system toy|lifter] [--seconds-there 4]

A film is made of coloured things that come and go, in pictures of 160 x 120, and tracked by the registered system's own
shell with a detector that finds the things by their colour: `lifter` with its real networks behind it, `toy` with a
stub, so that an hour of video (108,000 frames) takes minutes. Everything else is as ever: decoder, journal,
checkpoints, tracks. Prints the memory of the process; exits with 1 if it grew by more than 64 MB after the first
thousand frames.
"""

import argparse
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from choros.detection import PersonFinder
from choros.lifter.system import LifterSystem
from choros.track_video import track_to_file
from choros.video import VideoWriter

sys.path.append(str(Path(__file__).parents[1]))
from tests.tracking.every_system import Bright, Standing
from tests.tracking.toy import ToySystem

WIDTH, HEIGHT, FPS = 160, 120, 30
MOST_MB = 64.0
SHADES = ((220, 20, 20), (20, 220, 20), (20, 20, 220))


def film(path: Path, frames: int, there_s: float) -> None:
    """Each thing is there for so long, away for as long, and comes back as somebody new."""
    with VideoWriter(path, WIDTH, HEIGHT, Fraction(FPS)) as writer:
        for i in range(frames):
            image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
            for k, shade in enumerate(SHADES):
                phase = (i / FPS + k * there_s / 2) % (2 * there_s)
                if phase < there_s:
                    x = int(10 + 45 * k + 12 * np.sin(phase))
                    image[25:105, x : x + 25] = shade
            writer.write(image, Fraction(i, FPS))


def memory_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--system", choices=("toy", "lifter"), default="lifter")
    parser.add_argument("--seconds-there", type=float, default=4.0)
    args = parser.parse_args()
    system = (
        ToySystem(Bright())
        if args.system == "toy"
        else LifterSystem(finder=PersonFinder(Bright(), Standing()))
    )
    marks, began = [], time.monotonic()

    def progress(now) -> None:
        if now.n_frames % 1000 == 0:
            marks.append(memory_mb())
            print(f"{now.n_frames} frames, {time.monotonic() - began:.0f} s: {marks[-1]:.0f} MB", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "film.mp4"
        film(video, args.frames, args.seconds_there)
        done = track_to_file(video, Path(folder) / "out" / "motion.npz", system, progress=progress)
        size = done.path.stat().st_size / 1e6
    end = memory_mb()
    grown = max([*marks, end]) - marks[0] if marks else 0.0
    print(
        f"{done.n_frames} frames, {done.n_people} people, a motion of {size:.0f} MB: memory grew by {grown:.1f} MB "
        f"after the first 1,000 frames, {1e3 * grown / max(done.n_frames - 1000, 1):.2f} MB a 1,000 frames"
    )
    sys.exit(grown > MOST_MB)


if __name__ == "__main__":
    main()
