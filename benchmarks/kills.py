"""Kills `choros world` and `choros train` at random moments and runs them again; the files must be those of an
undisturbed run.

    python benchmarks/kills.py MOTION.npz MOCAP [--what world train] [--kills 10] [--seed 0] [--steps 12]

Of `track` see resume_after_kill.py, of `batch` batch.py --kills. A run of `train` is killed and begun again until it
ends, `world` is killed and done again. Exits with 1 if a byte differs, or parts or locks are left over.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def command(what: str, args: argparse.Namespace, output: Path) -> list[str]:
    choros = [sys.executable, "-m", "choros"]
    if what == "world":
        return [*choros, "world", str(args.motion), "-o", str(output / "world.npz")]
    return [
        *choros, "train", "infiller", "--mocap", str(args.mocap), "--any-licence", "--steps", str(args.steps),
        "-o", str(output / "infiller.safetensors"),
    ]  # fmt: skip


def files(output: Path, what: str) -> dict[str, bytes]:
    name = "world.npz" if what == "world" else "infiller.safetensors"
    found = {path.name: path.read_bytes() for path in output.iterdir() if path.is_file()}
    return {name: found[name]} | {one: b"" for one in found if ".part" in one or one.endswith(".lock")}


def started(line: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def ended(line: list[str]) -> None:
    process = started(line)
    said = process.communicate()[1]
    if process.returncode:
        raise SystemExit(f"{' '.join(line)} ended with {process.returncode}: {said.decode()}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("motion", type=Path)
    parser.add_argument("mocap", type=Path)
    parser.add_argument("--what", nargs="+", choices=("world", "train"), default=["world", "train"])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    chance, wrong = random.Random(args.seed), 0
    with tempfile.TemporaryDirectory() as name:
        for what in args.what:
            usual = Path(name) / what
            usual.mkdir()
            began = time.monotonic()
            ended(command(what, args, usual))
            took_s, expected = time.monotonic() - began, files(usual, what)
            kills = landed = 0
            output = Path(name) / f"{what}-killed"
            output.mkdir()
            while kills < args.kills:
                process = started(command(what, args, output))
                try:
                    process.wait(chance.uniform(0.3, 1.0) * took_s)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    kills += 1
                    continue
                landed += 1
                if landed > args.kills:  # it is too quick to be met
                    break
                for path in output.iterdir():
                    path.unlink() if path.is_file() else None
            ended(command(what, args, output))
            same = files(output, what) == expected
            wrong += not same
            print(
                f"{what} ({took_s:.0f} s): killed {kills} times, then to the end: same bytes: {same}",
                flush=True,
            )
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
