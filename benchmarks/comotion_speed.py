"""CoMotion's network by the clock: what one more person costs, and the encoder beside timm's.

The bars, on 2 CPU cores: `large` updates at most 25 ms per extra person in fp32 at 32 people, its encoder's
trunk is no slower than timm's ConvNeXtV2-L forward in the same run (aim: 1.5 times as fast), and `small` goes
from 1 to 20 people for under 35 % more time per frame. Pictures are encoded as the tracker does it, and where that
takes another trunk than torch's, both are shown. Weights are random; timm is asked only if installed.
Run it with

    python benchmarks/comotion_speed.py --sizes small large

on an idle machine; where it is not, the time on the CPU, printed beside the clock's, is the steadier one.
"""

import argparse
import time
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from choros.backbones.trunk import frozen
from choros.comotion.config import PRESETS
from choros.comotion.network import ComotionNetwork

COUNTS = (1, 5, 8, 20, 32)


def best_ms(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, tuple[float, float]]:
    """Least wall and CPU time of each call, ms; the calls take turns, so that all meet the same machine."""
    least = {name: (float("inf"), float("inf")) for name in calls}
    for turn in range(rounds + 1):  # the first only warms up
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            took = 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)
            if turn:
                least[name] = min(least[name][0], took[0]), min(least[name][1], took[1])
    return least


def people_table(console: Console, size: str, network: ComotionNetwork, rounds: int) -> None:
    side = network.config.image_size_px
    K = torch.tensor([[[side, 0, side / 2], [0, side, side / 2], [0, 0, 1.0]]])
    frame = torch.rand(1, 3, side, side)
    in_torch = network.encoder.trunk
    trunk = frozen(in_torch)
    image = network.encode(frame)
    encoder = network.encoder
    calls: dict[str, Callable[[], object]] = {"encode": lambda: encoder.tokens(encoder.taken(trunk(frame)))}
    if trunk is not in_torch:
        calls |= {"trunk by torch": lambda: in_torch(frame), "trunk by onnxruntime": lambda: trunk(frame)}
    for n in COUNTS:
        boxes = torch.rand(1, n, 4) * side / 2
        boxes[..., 2:] += boxes[..., :2] + 20
        people = network.initialise(image, boxes, K)
        calls[f"update {n}"] = partial(network.update, image, people, K)
    times = best_ms(calls, rounds)

    table = Table("", "ms", "CPU ms", title=f"{size}, {side} px")
    for name, (wall, cpu) in times.items():
        table.add_row(name, f"{wall:.1f}", f"{cpu:.1f}")
    console.print(table)
    if trunk is not in_torch:
        ratios = [times["trunk by torch"][k] / times["trunk by onnxruntime"][k] for k in (0, 1)]
        console.print(f"trunk, torch over onnxruntime: {ratios[0]:.2f}, {ratios[1]:.2f} by CPU")
    extra = [(times["update 32"][k] - times["update 8"][k]) / 24 for k in (0, 1)]
    console.print(f"one more person at 32: {extra[0]:.2f} ms, {extra[1]:.2f} ms of CPU")
    one, twenty = (times["encode"][0] + times[f"update {n}"][0] for n in (1, 20))
    console.print(f"encode and update, 20 people over 1: {twenty / one - 1:+.0%}\n")


def trunk_table(console: Console, network: ComotionNetwork, rounds: int) -> None:
    try:
        import timm
    except ImportError:
        console.print("timm is not installed: its ConvNeXtV2-L is not measured")
        return
    side = network.config.image_size_px
    theirs = timm.create_model("convnextv2_large", pretrained=False, num_classes=0).eval()
    ours = network.encoder.trunk

    def their_maps(images: Tensor) -> Tensor:
        return theirs.stages(theirs.stem(images))

    frame = torch.rand(1, 3, side, side)
    table = Table("trunk", "timm ms", "ours ms", "timm CPU ms", "ours CPU ms", "ratio", title="ConvNeXtV2-L")
    base = None
    for name, precision in (("fp32", nullcontext()), ("bf16", torch.autocast("cpu", torch.bfloat16))):
        with precision:
            times = best_ms({"timm": lambda: their_maps(frame), "ours": lambda: ours(frame)}, rounds)
        (tw, tc), (ow, oc) = times["timm"], times["ours"]
        base = base or tw
        ratio = f"{tw / ow:.2f}" if name == "fp32" else f"{tw / ow:.2f}, to timm's fp32 {base / ow:.2f}"
        table.add_row(name, f"{tw:.0f}", f"{ow:.0f}", f"{tc:.0f}", f"{oc:.0f}", ratio)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=list(PRESETS), default=["small", "large"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    console = Console()
    with torch.inference_mode():
        for size in args.sizes:
            network = ComotionNetwork(PRESETS[size]).eval()
            people_table(console, size, network, args.rounds)
            if size == "large":
                trunk_table(console, network, args.rounds)


if __name__ == "__main__":
    main()
