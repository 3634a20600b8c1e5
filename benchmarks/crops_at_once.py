"""Whether people are looked at sooner in one run: MoveNet's trunk (MobileNetV2) over 1 to 16 crops at once.

    python benchmarks/crops_at_once.py [--threads 1 2] [--rounds 10]

The embedded keypoint networks take one crop a run; their trunk, in the form that CoMotion and HMR 2.0 see by, takes any
number. Prints milliseconds a crop of 192 x 192, by the clock and of all cores, the least of some rounds in turns.
"""

import argparse
import time

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from choros.backbones.movenet import FrozenMoveNet, MoveNetTrunk

SIDE_PX = 192
AT_ONCE = (1, 2, 4, 8, 16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    table = Table("crops at once", *(f"{threads} threads, ms / CPU" for threads in given.threads))
    least = np.full((len(AT_ONCE), len(given.threads), 2), np.inf)
    for column, threads in enumerate(given.threads):
        torch.set_num_threads(threads)
        trunk = FrozenMoveNet(MoveNetTrunk.pretrained())
        pictures = torch.rand(max(AT_ONCE), 3, SIDE_PX, SIDE_PX)
        for count in AT_ONCE:
            trunk(pictures[:count])  # it plans for each size at its first sight
        for _ in range(given.rounds):
            for row, count in enumerate(AT_ONCE):
                wall, cpu = time.perf_counter(), time.process_time()
                for _ in range(max(AT_ONCE) // count):
                    trunk(pictures[:count])
                took = time.perf_counter() - wall, time.process_time() - cpu
                least[row, column] = np.minimum(least[row, column], 1e3 * np.array(took) / max(AT_ONCE))
    for count, row in zip(AT_ONCE, least, strict=True):
        table.add_row(str(count), *(f"{wall:.1f} / {cpu:.1f}" for wall, cpu in row))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
