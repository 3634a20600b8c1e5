"""Memory of CoMotion's tracker over a clip that is played again and again: it must stay flat.

    python benchmarks/comotion_memory.py CLIP [--frames 20000] [--weights FILE] [--side PX]

Without weights the network is a new one, which holds as much memory as a trained one; its people come and go faster.
``--side`` makes the network's picture smaller, so that 20,000 frames take minutes. The bar is a resident memory
that grows by less than 5 % from the 2,000th frame to the last.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch

from choros.comotion.config import PRESETS
from choros.comotion.network import ComotionNetwork
from choros.comotion.system import Comotion
from choros.detection import NanoDet
from choros.video import open_video


def resident_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--side", type=int, default=128)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.weights:
        system = Comotion(weights_path=args.weights)
    else:
        network = ComotionNetwork(replace(PRESETS["small"], image_size_px=args.side))
        system = Comotion(network=network, detector=NanoDet((224,), 0.3, threads=1))
    stream = system.stream()

    done, played_s, warm_mb, began = 0, 0.0, None, time.perf_counter()
    while done < args.frames:
        last_s = 0.0
        with open_video(args.clip) as reader:
            for frame in reader:
                rows = stream.update(frame.image, played_s + frame.pts_s).rows
                last_s, done = frame.pts_s, done + 1
                if done % 2000 == 0 or done == args.frames:
                    now_mb = resident_mb()
                    warm_mb = warm_mb or now_mb
                    state_kb = sum(array.nbytes for array in stream.state().values()) / 1024
                    print(
                        f"frame {done:6}: {now_mb:.1f} MB resident ({now_mb / warm_mb - 1:+.1%}), state "
                        f"{state_kb:.0f} kB, {len(rows)} people, {done / (time.perf_counter() - began):.0f} frames/s",
                        flush=True,
                    )
                if done == args.frames:
                    break
        played_s += last_s + 0.04


if __name__ == "__main__":
    main()
