"""Networks on a GPU, in one script of at most eight minutes: ms a frame for 1, 10 and 30 people, eager and compiled.

    python benchmarks/gpu.py [--device cuda] [--minutes 8] [--dtype bfloat16] [--networks comotion hmr2 trace]
    python benchmarks/gpu.py --device cpu --tiny    # the same code path, sizes that cost nothing

CoMotion large (512 x 512: image encoded, everybody updated), HMR 2.0 as published (a crop a person, all in one batch)
and TRACE as published (a frame, whoever is in it), with random weights, in turns in one run: PyTorch as it is ("eager")
and `torch.compile` with CUDA graphs (mode "reduce-overhead"). People are padded to 4, 8, 16 and 32 for the compiled,
which are made for few shapes. Told of each: median ms, peak memory of the device, and the share of time in which the
GPU was idle (its kernels' time by torch.profiler against the clock; "-" on a CPU). Pictures come from memory: decoding,
detector and joining are not in it. A measurement that would begin after --minutes is left out and named.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from rich.console import Console
from rich.table import Table

from choros.body import BodyModel
from choros.comotion.config import PRESETS
from choros.comotion.network import ComotionNetwork
from choros.fourdhumans.hmr2.config import Hmr2Config
from choros.fourdhumans.hmr2.network import Hmr2Network
from choros.trace.config import TraceConfig
from choros.trace.network import TraceNetwork

COUNTS, PADDED = (1, 10, 30), (1, 4, 8, 16, 32)
Call = Callable[[], object]


def padded(count: int) -> int:
    """To how many places so many people are brought, for a network that is made for few shapes."""
    return next(size for size in PADDED if size >= count)


def comotion(device: torch.device, lower: torch.dtype | None, tiny: bool) -> Callable[[int, bool], Call]:
    config = PRESETS["large"]
    if tiny:
        config = replace(PRESETS["small"], image_size_px=64, learned_initialisation=False)
    network = ComotionNetwork(config, BodyModel.load(detail="light")).eval().to(device)
    network.encoder.lower = lower
    side = config.image_size_px
    picture = torch.rand(1, 3, side, side, device=device)
    K = torch.tensor([[[side, 0, side / 2], [0, side, side / 2], [0, 0, 1.0]]], device=device)

    def of(count: int, compiled: bool) -> Call:
        n = padded(count) if compiled else count
        boxes = torch.rand(1, n, 4, device=device) * side / 2
        boxes[..., 2:] += boxes[..., :2] + 20
        people = network.initialise(network.encode(picture), boxes, K)
        look, update = network.encode, network.update
        if compiled:
            look, update = (torch.compile(one, mode="reduce-overhead") for one in (look, update))
        return lambda: update(look(picture), people, K)

    return of


def hmr2(device: torch.device, lower: torch.dtype | None, tiny: bool) -> Callable[[int, bool], Call]:
    config = Hmr2Config()
    if tiny:
        config = replace(config, encoder=replace(config.encoder, depth=1))
    network = Hmr2Network(config).eval().to(device)
    compiled_network = torch.compile(network, mode="reduce-overhead")

    def of(count: int, compiled: bool) -> Call:
        n = padded(count) if compiled else count
        crops = torch.rand(n, 3, config.encoder.height_px, config.encoder.width_px, device=device)
        chosen = compiled_network if compiled else network
        return lambda: chosen(crops, lower)

    return of


def trace(device: torch.device, lower: torch.dtype | None, tiny: bool) -> Callable[[int, bool], Call]:
    config = TraceConfig()
    if tiny:
        config = replace(config, map_size=32, depth=4, features=8, width=8, bird_width=64)
    network = TraceNetwork(config).eval().to(device)
    compiled_network = torch.compile(network, mode="reduce-overhead")
    side = config.image_size_px // config.input_stride
    features = torch.rand(1, config.input_channels, side, side, device=device)
    flow = torch.zeros(1, 2, config.map_size, config.map_size, device=device) if config.flow else None
    _, state = network(features, flow, None)

    def of(count: int, compiled: bool) -> Call:
        chosen = compiled_network if compiled else network
        places = torch.rand(count, 3, device=device)
        places *= torch.tensor([config.depth - 1, config.map_size - 1, config.map_size - 1], device=device)

        def frame() -> object:
            maps, _ = chosen(features, flow, state)
            return network.people(maps, places.long())

        return frame

    return of


NETWORKS = {"comotion": comotion, "hmr2": hmr2, "trace": trace}


def waited(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measured(call: Call, device: torch.device, rounds: int) -> tuple[float, float, float | None]:
    """Median ms, peak MB, and the share of time in which the device had nothing to do."""
    for _ in range(3):  # compiles, records graphs, warms up
        call()
    waited(device)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        waited(device)
        took.append(1e3 * (time.perf_counter() - began))
    if device.type != "cuda":
        return statistics.median(took), 0.0, None
    peak = torch.cuda.max_memory_allocated(device) / 1e6
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as seen:
        began = time.perf_counter()
        for _ in range(rounds):
            call()
        waited(device)
        wall_us = 1e6 * (time.perf_counter() - began)
    busy_us = sum(event.self_device_time_total for event in seen.key_averages())
    return statistics.median(took), peak, max(0.0, 1 - busy_us / wall_us)


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--networks", nargs="+", choices=tuple(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--people", type=int, nargs="+", default=list(COUNTS))
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--tiny", action="store_true", help="sizes that cost nothing, eager alone")
    args = parser.parse_args()
    device, until = torch.device(args.device), time.monotonic() + 60 * args.minutes
    lower = torch.bfloat16 if args.dtype == "bfloat16" else None
    table = Table("network", "people", "how", "ms a frame", "peak MB", "GPU idle")
    for name in args.networks:
        of = NETWORKS[name](device, lower, args.tiny)
        for count in args.people:
            for compiled in (False,) if args.tiny else (False, True):
                how = "compiled, graphs" if compiled else "eager"
                if time.monotonic() > until:
                    table.add_row(name, str(count), how, "no time left", "", "")
                    continue
                ms, peak, idle = measured(of(count, compiled), device, args.rounds)
                told = "-" if idle is None else f"{idle:.0%}"
                table.add_row(name, str(count), how, f"{ms:.2f}", f"{peak:.0f}" if peak else "-", told)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "the CPU"
    console = Console(width=110)
    console.print(f"{where}, PyTorch {torch.__version__}, {args.dtype}")
    console.print(table)


if __name__ == "__main__":
    main()
