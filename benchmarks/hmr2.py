"""HMR 2.0 at full size by the clock: seconds per crop, alone and in batches, in single precision and in bfloat16.

Weights are made from the tensors' names, as those of `tests/fourdhumans/hmr2/test_released.py`, for nothing depends on
what they are but the last figures: how far answers in bfloat16 are from those in single precision, and those in a batch
from a crop's alone. The release's own code is not run here; what it took on two cores of another machine, 1.76 s for
one crop and 1.5 s each of four in single precision, was measured by others. Run it with

    python benchmarks/hmr2.py --batches 1 4

on an idle machine with 4 GB to spare; the time on the CPU, printed beside the clock's, is the steadier one.
"""

import argparse
import time
import zlib

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from choros.fourdhumans.hmr2.config import Hmr2Config
from choros.fourdhumans.hmr2.decoder import CropBodies
from choros.fourdhumans.hmr2.network import Hmr2Network

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}


def made_network() -> Hmr2Network:
    """Full size, each tensor drawn by its name with the variance that keeps that of what it is multiplied by."""
    network = Hmr2Network(Hmr2Config()).eval().requires_grad_(False)
    for name, tensor in network.state_dict().items():
        value = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(tensor.shape, np.float32)
        if tensor.ndim > 1:
            value /= np.sqrt(np.prod(tensor.shape[1:]), dtype=np.float32)
        else:
            value = value * np.float32(0.1) + np.float32(name.endswith("weight"))
        tensor.copy_(torch.from_numpy(value))
    return network


def seconds(
    network: Hmr2Network, crops: torch.Tensor, lower: torch.dtype | None, rounds: int
) -> tuple[float, float]:
    """Least wall and CPU time of a batch, s."""
    least = float("inf"), float("inf")
    for _ in range(rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        network(crops, lower)
        least = min(least[0], time.perf_counter() - wall), min(least[1], time.process_time() - cpu)
    return least


def furthest(one: CropBodies, other: CropBodies) -> str:
    """The largest differences of matrices' entries, betas and weak cameras."""
    return "  ".join(f"{(a - b).abs().max():.1e}" for a, b in zip(one, other, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 4, 8])
    parser.add_argument("--precisions", nargs="+", choices=list(PRECISIONS), default=list(PRECISIONS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    console = Console()
    rng = np.random.default_rng(0)
    noise = rng.uniform(-2, 2, (max(args.batches), 3, 256, 192)).astype(np.float32)
    crops = torch.from_numpy(noise)
    table = Table("", "crops", "s per crop", "CPU s per crop", title=f"HMR 2.0, {args.threads} threads")
    with torch.inference_mode():
        network = made_network()
        for precision in args.precisions:
            for n in args.batches:
                wall, cpu = seconds(network, crops[:n], PRECISIONS[precision], args.rounds)
                table.add_row(precision, f"{n}", f"{wall / n:.2f}", f"{cpu / n:.2f}")
        console.print(table)
        alone = network(crops[:1])
        among = CropBodies(*(part[:1] for part in network(crops[:2])))
        console.print(f"two crops to one, rotations, betas, camera: {furthest(among, alone)}")
        if "bf16" in args.precisions:
            console.print(f"bf16 to fp32: {furthest(network(crops[:1], torch.bfloat16), alone)}")


if __name__ == "__main__":
    main()
