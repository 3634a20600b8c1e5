"""TRACE at paper scale: parameters, multiply-adds beside the published ones, and seconds a frame.

The supplement (3) publishes 174.1 GFLOPs: 41.0 of the image backbone, 66.4 of the motion backbone, 66.7 of the heads.
They agree with multiply-adds, two operations each, of convolutions and products of matrices, as PyTorch's counter has
them (halved here), and for RAFT with one correction of the flow, where the release makes 20; both are shown, and for
the heads a first frame, which the memory sees twice, a later one, and the training code's three blocks of rotation.
Weights are random, for time and operations do not hang on them. Counting takes no time to speak of: nothing is
computed. Run it with

    python benchmarks/trace_speed.py

on an idle machine; where it is not, the time on the CPU, printed beside the clock's, is the steadier one. With a
graphics card it is measured too.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from choros.backbones.hrnet import HrNet
from choros.backbones.raft import Raft
from choros.trace.backbone_encoder import FLOW_ITERATIONS, BackboneEncoder
from choros.trace.config import TraceConfig
from choros.trace.network import TraceNetwork

#: TRACE, supplement 3: GFLOPs of each part.
PUBLISHED = {"image backbone": 41.0, "motion backbone": 66.4, "heads": 66.7}


def giga_multiply_adds(call: Callable[[], object]) -> float:
    """Of the convolutions and products of matrices in a call, 1e9."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops() / 2e9


def counts() -> list[tuple[str, str, nn.Module, float]]:
    """Part, what of it was counted, its network, and the count. The first of each part is that which was published."""
    with torch.device("meta"), torch.inference_mode():
        image, motion = HrNet().eval(), Raft().eval()
        head, of_training = (TraceNetwork(TraceConfig(rotation_blocks=n)).eval() for n in (1, 3))
        picture = torch.empty(1, 3, 512, 512)
        features, flow = torch.empty(1, 32, 128, 128), torch.empty(1, 2, 128, 128)
        _, state = head(features, flow, None)
        calls: list[tuple[str, str, nn.Module, Callable[[], object]]] = [
            ("image backbone", "", image, lambda: image(picture)),
            ("motion backbone", "one correction", motion, lambda: motion(picture, picture, 1)),
            ("motion backbone", f"{FLOW_ITERATIONS} corrections, as released", motion,
             lambda: motion(picture, picture, FLOW_ITERATIONS)),
            ("heads", "a first frame", head, lambda: head(features, flow, None)),
            ("heads", "a later frame", head, lambda: head(features, flow, state)),
            ("heads", "a first frame, three blocks of rotation", of_training,
             lambda: of_training(features, flow, None)),
        ]  # fmt: skip
        return [(part, what, network, giga_multiply_adds(call)) for part, what, network, call in calls]


def count_table(console: Console) -> None:
    table = Table("", "", "M parameters", "G multiply-adds", "published", "", title="paper scale, a frame")
    total, seen = 0.0, set()
    for part, what, network, count in counts():
        published = PUBLISHED[part]
        parameters = sum(p.numel() for p in network.parameters()) / 1e6
        table.add_row(
            part, what, f"{parameters:.2f}", f"{count:.1f}", f"{published}", f"{count / published - 1:+.1%}"
        )
        total += 0 if part in seen else count
        seen.add(part)
    published = sum(PUBLISHED.values())
    table.add_row(
        "total",
        "of the first of each",
        "",
        f"{total:.1f}",
        f"{published:.1f}",
        f"{total / published - 1:+.1%}",
    )
    console.print(table)


def least(call: Callable[[], object], rounds: int, place: torch.device) -> tuple[float, float]:
    """Wall and CPU time, s; the first call only warms up."""
    best = float("inf"), float("inf")
    for turn in range(rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        if place.type == "cuda":
            torch.cuda.synchronize(place)
        took = time.perf_counter() - wall, time.process_time() - cpu
        if turn:
            best = min(best[0], took[0]), min(best[1], took[1])
    return best


def time_table(console: Console, place: torch.device, lower: torch.dtype | None, rounds: int) -> None:
    config = TraceConfig()
    encoder = BackboneEncoder(config, HrNet().to(place), Raft().to(place), lower)
    head = TraceNetwork(config).eval().to(place)
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (720, 1280, 3), np.uint8) for _ in range(2)]
    with torch.inference_mode():
        before, now = (encoder.encode(frame) for frame in frames)
        flow = encoder.flow(before, now)
        _, state = head(before.features, None, None)
        maps, _ = head(now.features, flow, state)
        steps: dict[str, Callable[[], object]] = {
            "picture and image backbone": lambda: encoder.encode(frames[1]),
            "motion backbone": lambda: encoder.flow(before, now),
            "heads": lambda: head(now.features, flow, state),
        }
        for n in (1, 20):
            places = torch.randint(0, 64, (n, 3), device=place)
            steps[f"regressors of {n}"] = lambda at=places: head.people(maps, at)  # type: ignore[misc]
        times = {name: least(step, rounds, place) for name, step in steps.items()}
    whose = (
        torch.cuda.get_device_name(place) if place.type == "cuda" else f"{torch.get_num_threads()} threads"
    )
    table = Table("", "s", "CPU s", title=f"{place}, {whose}, {lower or torch.float32}")
    for name, (wall, cpu) in times.items():
        table.add_row(name, f"{wall:.4f}", f"{cpu:.4f}")
    of_frame = [sum(times[name][k] for name in steps if name != "regressors of 20") for k in (0, 1)]
    table.add_row("a frame of one person", f"{of_frame[0]:.4f}", f"{of_frame[1]:.4f}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--count-only", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    console = Console()
    count_table(console)
    if args.count_only:
        return
    time_table(console, torch.device("cpu"), None, args.rounds)
    if torch.cuda.is_available():
        for lower in (None, torch.float16):
            time_table(console, torch.device("cuda:0"), lower, max(args.rounds, 10))


if __name__ == "__main__":
    main()
