"""How soon `choros track` ends after Ctrl-C (SIGINT) or SIGTERM at a random moment.

    python benchmarks/stopping.py VIDEO [--system lifter] [--seconds 10] [--times 10] [--seed 0]

Each run is told to end between its first and its last frame. Prints the seconds from the signal to the end of the
process; exits with 1 if one took over two seconds, did not end with code 130 or left nothing to go on from.
"""

import argparse
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_S = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--system", default="lifter")
    parser.add_argument("--seconds", type=float, default=10.0, help="of video that each run tracks")
    parser.add_argument("--times", type=int, default=10, help="for each of the two signals")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    chance, wrong = random.Random(args.seed), 0
    for number in (signal.SIGINT, signal.SIGTERM):
        took_s = []
        for _ in range(args.times):
            with tempfile.TemporaryDirectory() as folder:
                ends, code, left = stopped(args, Path(folder), number, chance)
            took_s.append(ends)
            wrong += ends > LIMIT_S or code != 130 or not left
        print(
            f"{number.name}: {statistics.median(took_s):.2f} s, at most {max(took_s):.2f} s; {args.times} times"
        )
    print(f"{wrong} of {2 * args.times} took over {LIMIT_S:g} s, ended otherwise or left nothing")
    sys.exit(wrong > 0)


def stopped(
    args: argparse.Namespace, folder: Path, number: signal.Signals, chance: random.Random
) -> tuple[float, int, bool]:
    """Seconds to the end, the exit code, and whether what was done is kept."""
    line = [
        "track",
        str(args.video),
        "-o",
        str(folder / "out"),
        "--system",
        args.system,
        "--end",
        str(args.seconds),
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "choros", *line], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    journal = folder / "out" / "motion.npz.journal"
    while process.poll() is None and not journal.is_dir():
        time.sleep(0.01)
    time.sleep(chance.uniform(0.0, 3.0))
    began = time.monotonic()
    process.send_signal(number)
    code = process.wait()
    return time.monotonic() - began, code, journal.is_dir()


if __name__ == "__main__":
    main()
